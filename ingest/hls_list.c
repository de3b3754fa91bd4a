/* hls_list.c - a live playlist's book-keeping (contract in hls_list.h). Called by sink_hls.c only. */
#include "hls_list.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "log.h"
#include "util.h"

#define STAY_PERCENT 75		/* of the window's duration: segments come in with some jitter */
#define WALL_SLACK_MS 2000	/* the wall clock may be this far off the sum of durations */

bool
hls_list_open(struct hls_list *l, const char *dir, const char *name, const char *app,
    int64_t segment_ms, int window, int keep)
{
	struct hls_state *s = &l->state;
	bool resumed;

	memset(l, 0, sizeof(*l));
	str_copy(l->dir, dir, sizeof(l->dir));
	l->window = window < HLS_WINDOW_MAX ? window : HLS_WINDOW_MAX - 1;
	l->keep = keep < HLS_OLD_MAX ? keep : HLS_OLD_MAX - 1;
	resumed = hls_state_read(dir, s) == 0 && !s->ended;
	if (!resumed) {
		memset(s, 0, sizeof(*s));
		s->target_sec = (int)((segment_ms + 999) / 1000);
	}
	l->discontinuity = resumed && s->nsegments > 0;
	for (int i = 0; i < s->nsegments; i++)
		l->listed_ms[i] = now_ms();
	str_copy(s->name, name, sizeof(s->name));
	str_copy(s->app, app, sizeof(s->app));
	s->segment_ms = segment_ms;
	hls_dir_sweep(dir, s);
	if (!resumed) {
		char path[600];

		snprintf(path, sizeof(path), "%s/live.m3u8", dir);
		unlink(path);
	}
	return resumed;
}

/*
 * A segment leaves the list when it has had its time there. Many listed at once (ffmpeg was
 * away for some seconds) make the list longer for a while, so that no player misses one.
 */
static bool
oldest_may_go(const struct hls_list *l, int64_t now)
{
	const struct hls_state *s = &l->state;
	int64_t stay_us = 0, rest_us = 0;

	if (s->nsegments <= l->window)
		return false;
	for (int i = 1; i < s->nsegments; i++)
		rest_us += s->segments[i].duration_us;
	if (rest_us < (int64_t)s->target_sec * 3 * 1000000 && s->nsegments < HLS_WINDOW_MAX)
		return false;	/* RFC 8216 6.2.2: three targets at least */
	for (int i = s->nsegments - l->window; i < s->nsegments; i++)
		stay_us += s->segments[i].duration_us;
	return s->nsegments == HLS_WINDOW_MAX || now - l->listed_ms[0] >= stay_us / 1000 * STAY_PERCENT / 100;
}

static void
delete(const struct hls_list *l, const char *file)
{
	char path[600];

	snprintf(path, sizeof(path), "%s/%s", l->dir, file);
	if (unlink(path) < 0 && errno != ENOENT)
		log_warn("cannot delete %s", path);
}

/* The oldest leave the list; their files stay for players that are behind. */
static void
roll(struct hls_list *l)
{
	struct hls_state *s = &l->state;
	int64_t now = now_ms();
	char map[64];

	while (oldest_may_go(l, now)) {
		s->discontinuity_sequence += s->segments[0].discontinuity;
		str_copy(s->old[s->nold++], s->segments[0].uri, sizeof(s->old[0]));
		s->nsegments--;
		s->first_sequence++;
		memmove(s->segments, s->segments + 1, sizeof(s->segments[0]) * (size_t)s->nsegments);
		memmove(l->listed_ms, l->listed_ms + 1, sizeof(l->listed_ms[0]) * (size_t)s->nsegments);
		if (s->nold <= l->keep)
			continue;
		hls_state_map(s->old[0], map, sizeof(map));
		delete(l, s->old[0]);
		s->nold--;
		memmove(s->old, s->old + 1, sizeof(s->old[0]) * (size_t)s->nold);
		if (map[0] != '\0' && !hls_state_names(s, map))
			delete(l, map);
	}
}

/* RFC 8216 4.3.3.1: EXTINF rounded to the nearest second may not exceed the target. */
static void
raise_target(struct hls_state *s, int64_t duration_us, bool first)
{
	int need = (int)(first ? (duration_us + 999999) / 1000000 : (duration_us + 500000) / 1000000);

	if (need <= s->target_sec)
		return;
	if (!first)
		log_warnx("a segment of %.1f s raises the playlist's target from %d to %d s: the encoder's key "
		    "frames are far apart; set its Keyframe Interval to 2 s", (double)duration_us / 1e6,
		    s->target_sec, need);
	s->target_sec = need;
}

void
hls_list_add(struct hls_list *l, const char *uri, int64_t duration_us, int64_t wall, int64_t next_ts_ms)
{
	struct hls_state *s = &l->state;
	struct hls_segment *g, *before;

	raise_target(s, duration_us, s->next_sequence == 0);
	g = &s->segments[s->nsegments];
	memset(g, 0, sizeof(*g));
	str_copy(g->uri, uri, sizeof(g->uri));
	g->duration_us = duration_us;
	g->wall_ms = wall;
	g->discontinuity = l->discontinuity;
	if (s->nsegments > 0 && !g->discontinuity) {
		int64_t due;

		before = g - 1;
		due = before->wall_ms + before->duration_us / 1000;
		if (wall > due - WALL_SLACK_MS && wall < due + WALL_SLACK_MS)
			g->wall_ms = due;
	}
	l->discontinuity = false;
	l->listed_ms[s->nsegments++] = now_ms();
	s->next_sequence++;
	s->next_ts_ms = next_ts_ms;
	roll(l);
	hls_list_write(l, false);
}

void
hls_list_write(struct hls_list *l, bool endlist)
{
	bool failed;

	l->state.ended = endlist;
	failed = hls_state_write(l->dir, &l->state) < 0 || hls_playlist_write(l->dir, &l->state, endlist) < 0;
	if (failed && !l->full)
		log_warn("cannot write the playlist in %s; it goes on with the next segment that can be written",
		    l->dir);
	l->full = failed;
}
