/* clock.c - see clock.h. Called by room_media.c. */
#include "clock.h"

#include <stdlib.h>
#include <string.h>

#define FRAME_MS 40			/* between the last of one publisher and the first of the next */
#define WINDOW_MS 1000
#define SETTLE_MS 3000			/* in the beginning (a GOP at once) an earlier one is believed at once */
#define SLEW_MS 1			/* for each window */
#define STEP_MS 500			/* farther off than this it is no drift */

void
clock_switch(struct clock *c, int64_t source_ms, int64_t now)
{
	int64_t at = CLOCK_START_MS;

	if (c->begun) {
		at = clock_at(c, now);
		if (at < c->newest_ms + FRAME_MS)
			at = c->newest_ms + FRAME_MS;
	} else
		c->base_ms = now - at;
	c->begun = true;
	c->shift_ms = at - source_ms;
	c->newest_ms = at;
	c->began_ms = c->window_ms = now;
	c->window_min = now - at;
}

int64_t
clock_room_ms(const struct clock *c, int64_t source_ms)
{
	return source_ms + c->shift_ms;
}

int64_t
clock_unroll(const struct clock *c, uint32_t source_ms)
{
	int64_t near = c->newest_ms - c->shift_ms;

	return c->begun ? near + (int32_t)(source_ms - (uint32_t)near) : source_ms;
}

static void
end_window(struct clock *c, int64_t now)
{
	int64_t off = c->window_min - c->base_ms;

	if (llabs(off) > STEP_MS)
		c->base_ms = c->window_min;
	else if (off != 0)
		c->base_ms += off > 0 ? SLEW_MS : -SLEW_MS;
	c->window_ms = now;
	c->window_min = INT64_MAX;
}

void
clock_seen(struct clock *c, int64_t room_ms, int64_t now)
{
	int64_t delay = now - room_ms;

	if (room_ms > c->newest_ms)
		c->newest_ms = room_ms;
	if (delay < c->window_min)
		c->window_min = delay;
	if (delay < c->base_ms && now - c->began_ms < SETTLE_MS)
		c->base_ms = delay;
	if (now - c->window_ms >= WINDOW_MS)
		end_window(c, now);
}

int64_t
clock_at(const struct clock *c, int64_t now)
{
	return now - c->base_ms;
}
