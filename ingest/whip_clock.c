/* whip_clock.c - see whip_clock.h. Called by whip_media.c. */
#include "whip_clock.h"

#include <stdlib.h>
#include <string.h>

#define LEAD_US 1000000		/* what is found to be earlier than the first has room */
#define JUMP_US 5000000		/* timestamps that leap so far are a new beginning */
#define FAR_US 10000000		/* reports that are so far apart are of two clocks */
#define SLEW 8			/* of the time that passes one part in so many may be gained or lost */

void
whip_clock_init(struct whip_clock *c, uint32_t video_rate, uint32_t audio_rate)
{
	memset(c, 0, sizeof(*c));
	c->video.rate = video_rate;
	c->audio.rate = audio_rate;
}

static int64_t
to_us(const struct whip_clock_track *t, int64_t ticks)
{
	return ticks / t->rate * 1000000 + ticks % t->rate * 1000000 / t->rate;
}

static void
begin(struct whip_clock *c, struct whip_clock_track *t, uint32_t ts, int64_t came_ms)
{
	if (c->begun_ms == 0)
		c->begun_ms = came_ms;
	t->begun = true;
	t->reported = false;
	t->raw = ts;
	t->ticks = 0;
	t->base_us = t->last_us = (came_ms - c->begun_ms) * 1000 + LEAD_US;
	t->came_ms = came_ms;
}

/* Microseconds on our clock, without what moves the picture. */
static int64_t
advance(struct whip_clock *c, struct whip_clock_track *t, uint32_t ts, int64_t came_ms)
{
	int64_t passed_us = (came_ms - t->came_ms) * 1000, us;

	t->ticks += (int32_t)(ts - t->raw);
	t->raw = ts;
	us = t->base_us + to_us(t, t->ticks);
	if (llabs(us - t->last_us - passed_us) > JUMP_US) {
		c->jumps++;
		t->base_us += t->last_us + passed_us - us;
		us = t->last_us + passed_us;
		t->reported = false;
	}
	t->came_ms = came_ms;
	return us;
}

/* Where the picture has to be moved so that both tracks are as their sender took them. */
static int64_t
wanted_us(const struct whip_clock *c)
{
	int64_t shift = (c->audio.base_us - c->audio.sent_us) - (c->video.base_us - c->video.sent_us);

	return c->audio.reported && c->video.reported && llabs(shift) < FAR_US ? shift : c->shift_us;
}

static void
slew(struct whip_clock *c, int64_t passed_us)
{
	int64_t step = (passed_us > 0 ? passed_us : 0) / SLEW, off = wanted_us(c) - c->shift_us;

	c->shift_us += off > step ? step : off < -step ? -step : off;
}

int64_t
whip_clock_map(struct whip_clock *c, bool audio, uint32_t ts, int64_t came_ms)
{
	struct whip_clock_track *t = audio ? &c->audio : &c->video;
	int64_t us;

	if (!t->begun)
		begin(c, t, ts, came_ms);
	us = advance(c, t, ts, came_ms);
	if (!audio) {
		slew(c, us - t->last_us);
		t->last_us = us;
		us += c->shift_us;
	} else
		t->last_us = us;
	return us > 0 ? us / 1000 : 0;
}

void
whip_clock_report(struct whip_clock *c, bool audio, uint64_t ntp, uint32_t ts)
{
	struct whip_clock_track *t = audio ? &c->audio : &c->video;
	int64_t us = (int64_t)(ntp >> 32) * 1000000 + (int64_t)(((ntp & UINT32_MAX) * 1000000) >> 32);

	if (!t->begun || ntp == 0)
		return;
	t->sent_us = us - to_us(t, t->ticks + (int32_t)(ts - t->raw));
	t->reported = true;
}

void
whip_clock_restart(struct whip_clock *c, bool audio)
{
	struct whip_clock_track *t = audio ? &c->audio : &c->video;

	t->begun = t->reported = false;
}
