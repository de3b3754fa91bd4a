/*
 * hls_child.c - one ffmpeg of the HLS sink (contract in hls_child.h). Called by sink_hls.c,
 * which knows when; the process itself is the supervisor's.
 *
 * A segment that ffmpeg lists is taken when ffmpeg has begun the next one, or has ended well:
 * told to end amid a segment (SIGTERM), it lists what it has of it just as if it were all.
 * It begins the next one right after the line, which nothing but the file tells: hence LOOK_US.
 */
#include "hls_child.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "conf.h"
#include "hls_cut.h"
#include "log.h"
#include "util.h"

#define LOOK_US 2000

static void
err_line(void *ctx, const char *line)
{
	bool bad = strstr(line, "[error]") != NULL || strstr(line, "[fatal]") != NULL;

	log_foreign(bad ? LOG_LEVEL_WARN : LOG_LEVEL_INFO, "ffmpeg " HLS_OUTPUT, line, (int)strlen(line));
}

/* --- its list --- */

static void
segment_name(const struct hls_child *c, int64_t number, char *buf, size_t size)
{
	snprintf(buf, size, "s%lld_%06lld.%s", (long long)c->run, (long long)number, c->fmp4 ? "m4s" : "ts");
}

void
hls_child_segment(const struct hls_child *c, char *buf, size_t size)
{
	segment_name(c, c->number, buf, size);
}

static void
take_held(struct hls_child *c)
{
	int64_t us = c->held_us;

	c->held_us = 0;
	event_del(c->look);
	if (us > 0)
		c->ops->segment(c->ctx, us, c->held_end_ms);
}

static bool
has_begun_next(const struct hls_child *c)
{
	char name[64], path[600];

	segment_name(c, c->number + 1, name, sizeof(name));
	snprintf(path, sizeof(path), "%s/%s", c->dir, name);
	return access(path, F_OK) == 0;
}

static void
look_cb(evutil_socket_t fd, short what, void *ctx)
{
	struct hls_child *c = ctx;

	if (has_begun_next(c))
		take_held(c);
	else
		event_add(c->look, &(struct timeval){ .tv_usec = LOOK_US });
}

/* "s1732_000042.ts,2.021000,4.021000": length of segment `number` in us, -1 if this is not its line. */
static int64_t
listed_us(const struct hls_child *c, const char *line, int64_t *end_ms)
{
	double from, to;
	char name[64];
	size_t n;

	hls_child_segment(c, name, sizeof(name));
	n = strlen(name);
	if (strncmp(line, name, n) != 0 || sscanf(line + n, ",%lf,%lf", &from, &to) != 2 || to < from ||
	    to - from > 1e6)
		return -1;
	*end_ms = c->base_ms + (int64_t)(to * 1e3);
	return (int64_t)((to - from) * 1e6);
}

static void
csv_line(void *ctx, const char *line)
{
	struct hls_child *c = ctx;
	int64_t us, end_ms;

	take_held(c);		/* it lists the one after it */
	us = listed_us(c, line, &end_ms);
	if (us < 0) {
		log_debug("segment not taken: %s", line);
		return;
	}
	c->held_us = us > 0 ? us : 1;
	c->held_end_ms = end_ms;
	look_cb(-1, 0, c);
}

static void
csv_end(void *ctx)
{
	struct hls_child *c = ctx;

	c->ops->end(c->ctx);
}

/* --- the child --- */

void
hls_child_init(struct hls_child *c, struct event_base *base, const char *dir, const struct hls_child_ops *ops,
    void *ctx)
{
	memset(c, 0, sizeof(*c));
	hls_feed_init(&c->feed);
	c->err = (struct lines){ .fd = -1, .line = err_line };
	c->csv = (struct lines){ .fd = -1, .line = csv_line, .end = csv_end, .ctx = c };
	c->look = evtimer_new(base, look_cb, c);
	c->dir = dir;
	c->ops = ops;
	c->ctx = ctx;
}

void
hls_child_free(struct hls_child *c)
{
	hls_child_close(c);
	event_free(c->look);
	hls_feed_free(&c->feed);
}

bool
hls_child_can_ask(const struct tag *start, bool last)
{
	return last || !ring_gen_enhanced(start->gen) || !start->gen->video || hls_cut_frame_ms(start) > 0;
}

void
hls_child_ask(struct hls_child *c, struct svc *svc, const struct tag *start, const struct hls_wish *wish)
{
	const struct ring_gen *g = start->gen;
	bool matroska = ring_gen_enhanced(g);
	int64_t run = wall_ms();
	json_t *params;

	c->run = run > c->run ? run : c->run + 1;	/* so no file name is used twice */
	c->number = (int64_t)wish->state->next_sequence;
	c->base_ms = wish->base_ms;
	/* what has begun with fragmented MP4 goes on so: RFC 8216 has no end of EXT-X-MAP */
	c->fmp4 = (matroska && !hls_cut_makes_aac(g)) || hls_state_fmp4(wish->state);
	params = json_pack("{s:I, s:I, s:I, s:I, s:s, s:s, s:s, s:b, s:b, s:b}", "run", (json_int_t)c->run,
	    "start_number", (json_int_t)c->number, "offset_ms", (json_int_t)c->base_ms,
	    "segment_ms", (json_int_t)(g->video && !matroska ? 0 : wish->segment_ms),
	    "container", matroska ? "matroska" : "flv", "format", c->fmp4 ? "fmp4" : "mpegts",
	    "video_codec", flv_codec_name(g->video_codec), "video", g->video, "audio", g->audio,
	    "transcode_audio", hls_cut_makes_aac(g));
	svc_send(svc, MSG_SPAWN, 0, json_pack("{s:s, s:s, s:o}", "output", HLS_OUTPUT, "kind", "hls",
	    "params", params));
}

static bool
is_word(const json_t *params, const char *key, const char *word)
{
	const char *s = json_string_value(json_object_get(params, key));

	return s != NULL && strcmp(s, word) == 0;
}

static bool
fits(const json_t *params, const struct tag *start)
{
	return start != NULL && json_is_true(json_object_get(params, "video")) == start->gen->video &&
	    json_is_true(json_object_get(params, "audio")) == start->gen->audio &&
	    is_word(params, "container", "matroska") == ring_gen_enhanced(start->gen);
}

int
hls_child_open(struct hls_child *c, struct svc *svc, struct msg *m, struct tag *start, struct tag *need)
{
	const json_t *params = json_object_get(m->body, "params");
	int in = msg_take_fd(m, 0), err = msg_take_fd(m, 1), csv = msg_take_fd(m, 2);

	if (csv < 0 || !fits(params, start)) {
		close(in);
		close(err);
		close(csv);
		return -1;
	}
	c->run = json_integer_value(json_object_get(params, "run"));
	c->number = json_integer_value(json_object_get(params, "start_number"));
	c->base_ms = json_integer_value(json_object_get(params, "offset_ms"));
	c->fmp4 = is_word(params, "format", "fmp4");
	c->up_ms = now_ms();
	hls_feed_open(&c->feed, svc->base, in, start, need, c->base_ms, c->ops->writable, c->ctx);
	lines_open(&c->err, svc->base, err);
	lines_open(&c->csv, svc->base, csv);
	return 0;
}

const char *
hls_child_stuck(const struct hls_child *c, const struct tag *end, int64_t targets_ms, int64_t stuck_ms, int64_t now)
{
	int64_t limit = targets_ms + stuck_ms;

	if (c->feed.blocked_ms != 0 && now - c->feed.blocked_ms > stuck_ms)
		return "it took no input";
	if (end != NULL && now - end->came_ms > limit && now - c->up_ms > limit)
		return "it finished no segment although key frames came";
	return NULL;
}

void
hls_child_drain(struct hls_child *c)
{
	lines_drain(&c->csv);
	lines_drain(&c->err);
}

void
hls_child_release(struct hls_child *c, bool whole)
{
	if (whole || has_begun_next(c))
		take_held(c);
}

void
hls_child_close(struct hls_child *c)
{
	c->held_us = 0;
	event_del(c->look);
	hls_feed_close(&c->feed);
	ring_gen_unref(&c->feed.gen);
	lines_close(&c->err);
	lines_close(&c->csv);
}

void
hls_child_tell(struct svc *svc, const char *uri, int64_t duration_us, const struct hls_state *state)
{
	if (conf_event_wanted(svc->conf, "segment"))
		svc_send(svc, MSG_EVENT, 0, json_pack("{s:s, s:s, s:I, s:I}", "event", "segment", "file", uri,
		    "duration_ms", (json_int_t)(duration_us / 1000), "sequence",
		    (json_int_t)(state->first_sequence + (uint64_t)state->nsegments - 1)));
}
