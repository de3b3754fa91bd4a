/* timeline.c - normalises timestamps (contract in timeline.h). Called by stream.c for every media tag. */
#include "timeline.h"

#include <string.h>

void
timeline_init(struct timeline *t, int64_t start_ms)
{
	memset(t, 0, sizeof(*t));
	t->track[0].last = t->track[1].last = start_ms;
	t->track[0].offset = t->track[1].offset = start_ms + TIMELINE_LEAD_MS;
}

int64_t
timeline_last(const struct timeline *t)
{
	return t->track[0].last > t->track[1].last ? t->track[0].last : t->track[1].last;
}

int64_t
timeline_ahead(const struct timeline *t)
{
	return t->track[1].last - t->track[0].last;
}

/* Its first tag stands where the other track's clock says; the first of all at the start. */
static void
start(struct timeline *t, struct timeline_track *k, const struct timeline_track *other, uint32_t ts, int64_t now)
{
	if (!other->started)
		t->clock_ms = now;
	else {
		k->unrolled = other->unrolled + (int32_t)(ts - other->raw);
		k->offset = other->offset;
	}
	k->started = true;
	k->raw = ts;
	k->clock_ms = now;
}

static int64_t
distance(int64_t a, int64_t b)
{
	return a > b ? a - b : b - a;
}

/* The other track has jumped: together with this one, or alone? What fits the clock better is it. */
static void
judge_jump(struct timeline_track *k, int64_t now)
{
	int64_t due = k->last + now - k->clock_ms, out = k->unrolled + k->offset;

	if (distance(out + k->owed, due) < distance(out, due))
		k->offset += k->owed;
	k->owed = 0;
}

int64_t
timeline_map(struct timeline *t, bool audio, uint32_t ts, int64_t now)
{
	struct timeline_track *k = &t->track[audio], *other = &t->track[!audio];
	int64_t out, latest = timeline_last(t), ahead;

	if (!k->started)
		start(t, k, other, ts, now);
	k->unrolled += (int32_t)(ts - k->raw);
	k->raw = ts;
	if (k->owed != 0)
		judge_jump(k, now);
	out = k->unrolled + k->offset;
	/* a pause of the publisher's is no jump: time may go on as the clock did */
	ahead = TIMELINE_FORWARD_MS + (now - t->clock_ms);
	if (out > latest + ahead || out < k->last - TIMELINE_BACK_MS) {
		k->offset += latest + 1 - out;
		if (other->started)
			other->owed += latest + 1 - out;
		out = latest + 1;
		t->jumps++;
	}
	if (out < k->last)
		out = k->last;
	k->last = out;
	k->clock_ms = t->clock_ms = now;
	return out;
}
