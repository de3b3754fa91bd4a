/*
 * hls_child.c - one ffmpeg of the HLS sink (contract in hls_child.h). Called by sink_hls.c,
 * which knows when; the process itself is the supervisor's.
 */
#include "hls_child.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "hls_cut.h"
#include "log.h"
#include "util.h"

static void
err_line(void *ctx, const char *line)
{
	bool bad = strstr(line, "[error]") != NULL || strstr(line, "[fatal]") != NULL;

	log_foreign(bad ? LOG_LEVEL_WARN : LOG_LEVEL_INFO, "ffmpeg " HLS_OUTPUT, line, (int)strlen(line));
}

void
hls_child_init(struct hls_child *c, void (*line)(void *, const char *), void (*end)(void *), void *ctx)
{
	memset(c, 0, sizeof(*c));
	hls_feed_init(&c->feed);
	c->err = (struct hls_lines){ .fd = -1, .line = err_line };
	c->csv = (struct hls_lines){ .fd = -1, .line = line, .end = end, .ctx = ctx };
}

void
hls_child_free(struct hls_child *c)
{
	hls_child_close(c);
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
	c->fmp4 = matroska || hls_state_fmp4(wish->state);
	params = json_pack("{s:I, s:I, s:I, s:I, s:s, s:s, s:s, s:b, s:b, s:b}", "run", (json_int_t)c->run,
	    "start_number", (json_int_t)c->number, "offset_ms", (json_int_t)c->base_ms,
	    "segment_ms", (json_int_t)(g->video && !matroska ? 0 : wish->segment_ms),
	    "container", matroska ? "matroska" : "flv", "format", c->fmp4 ? "fmp4" : "mpegts",
	    "video_codec", flv_codec_name(g->video_codec), "video", g->video, "audio", g->audio,
	    "transcode_audio", g->audio && g->audio_codec < 16);
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
hls_child_open(struct hls_child *c, struct svc *svc, struct msg *m, struct tag *start, struct tag *need,
    event_callback_fn writable)
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
	hls_feed_open(&c->feed, svc->base, in, start, need, c->base_ms, writable, c->csv.ctx);
	hls_lines_open(&c->err, svc->base, err);
	hls_lines_open(&c->csv, svc->base, csv);
	return 0;
}

void
hls_child_drain(struct hls_child *c)
{
	hls_lines_drain(&c->csv);
	hls_lines_drain(&c->err);
}

void
hls_child_close(struct hls_child *c)
{
	hls_feed_close(&c->feed);
	ring_gen_unref(&c->feed.gen);
	hls_lines_close(&c->err);
	hls_lines_close(&c->csv);
}

void
hls_child_segment(const struct hls_child *c, char *buf, size_t size)
{
	snprintf(buf, size, "s%lld_%06lld.%s", (long long)c->run, (long long)c->number, c->fmp4 ? "m4s" : "ts");
}

void
hls_child_unlink(const struct hls_child *c, const char *dir)
{
	char name[64], path[700];

	hls_child_segment(c, name, sizeof(name));
	if (path_join(path, sizeof(path), dir, name) == 0)
		unlink(path);
}

int64_t
hls_child_listed_us(const struct hls_child *c, const char *line, int64_t *end_ms)
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
