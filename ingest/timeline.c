/* timeline.c - normalises timestamps (contract in timeline.h). Called by stream.c for every media tag. */
#include "timeline.h"

#include <string.h>

void
timeline_init(struct timeline *t, int64_t start_ms)
{
	memset(t, 0, sizeof(*t));
	t->last[0] = t->last[1] = start_ms;
	t->offset = start_ms + TIMELINE_LEAD_MS;
}

int64_t
timeline_last(const struct timeline *t)
{
	return t->last[0] > t->last[1] ? t->last[0] : t->last[1];
}

int64_t
timeline_map(struct timeline *t, bool audio, uint32_t ts, int64_t now)
{
	int64_t out, latest = timeline_last(t), ahead;

	if (!t->started) {
		t->started = true;
		t->raw = ts;
		t->unrolled = 0;
		t->clock_ms = now;
	}
	t->unrolled += (int32_t)(ts - t->raw);
	t->raw = ts;
	out = t->unrolled + t->offset;
	/* a pause of the publisher's is no jump: time may go on as the clock did */
	ahead = TIMELINE_FORWARD_MS + (now - t->clock_ms);
	if (out > latest + ahead || out < t->last[audio] - TIMELINE_BACK_MS) {
		t->offset += latest + 1 - out;
		out = latest + 1;
		t->jumps++;
	}
	if (out < t->last[audio])
		out = t->last[audio];
	t->last[audio] = out;
	t->clock_ms = now;
	return out;
}
