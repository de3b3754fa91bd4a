/*
 * frames_clock.c - see frames_clock.h. A client may send faster or slower than its clock runs. One that
 * jumps (another page, a clock that was set, seconds taken for milliseconds) goes on where the file
 * is, instead of a picture that stands still for days. Called by frames_session.c.
 */
#include "frames_clock.h"

#include <math.h>

#define BACK_MS 10000		/* the two tracks need not come in order */
#define AHEAD_MS 3600000

int64_t
frames_clock_map(struct frames_clock *c, bool timed, double time_ms, int64_t now)
{
	double step = time_ms - c->last_ms, at;

	if (!c->started) {
		c->started = true;
		c->start_ms = now;
	}
	if (!timed)
		return now - c->start_ms;
	if (!c->timed)
		c->offset_ms = (double)(now - c->start_ms) - time_ms;
	else if (step < -BACK_MS || step > AHEAD_MS)
		c->offset_ms -= step;
	c->timed = true;
	c->last_ms = time_ms;
	at = time_ms + c->offset_ms;
	return at < 0 ? 0 : (int64_t)llround(at);
}
