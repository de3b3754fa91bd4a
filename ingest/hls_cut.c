/* hls_cut.c - where segments begin (contract in hls_cut.h). Called by sink_hls.c only. */
#include "hls_cut.h"

#include <string.h>

#define SLACK_MS 10	/* a frame is longer; times are rounded to ms on their way */
#define AAC_SLACK_MS 100 /* an encoder begins with a frame of its own, from which on all is later */

void
hls_cut_init(struct hls_cut *c, int64_t segment_ms)
{
	memset(c, 0, sizeof(*c));
	c->segment_ms = segment_ms;
	c->dts_ms = INT64_MIN;
	c->last_dts[0] = c->last_dts[1] = INT64_MIN;
}

void
hls_cut_free(struct hls_cut *c)
{
	ring_gen_unref(&c->gen);
}

static void
move(struct tag *t, int64_t dts_ms)
{
	t->pts_ms += dts_ms - t->dts_ms;
	t->dts_ms = dts_ms;
}

static bool
meets_audio(const struct hls_cut *c, int64_t dts_ms)
{
	unsigned n = c->naudio < HLS_CUT_AUDIO ? c->naudio : HLS_CUT_AUDIO;

	for (unsigned i = 0; i < n; i++)
		if (c->audio[i] == dts_ms)
			return true;
	return false;
}

/*
 * A generation begins with a cut; after that nine tenths leave room for a clock that is a
 * little fast. Matroska is cut by ffmpeg: at one of the key frames.
 */
static bool
is_due(const struct hls_cut *c, const struct tag *t)
{
	return ring_gen_enhanced(t->gen) || t->gen != c->gen ||
	    t->pts_ms - c->pts_ms >= c->segment_ms * 9 / 10 || t->pts_ms < c->pts_ms;
}

void
hls_cut_tag(struct hls_cut *c, struct tag *t)
{
	if (t->dts_ms < c->last_dts[t->audio])
		move(t, c->last_dts[t->audio]);		/* one was moved forward */
	if (t->audio) {
		/* what ffmpeg cuts and encodes has no use for it, and hears every step */
		if (t->dts_ms == c->dts_ms && !(ring_gen_enhanced(t->gen) && hls_cut_makes_aac(t->gen)))
			move(t, t->dts_ms + 1);
		c->audio[c->naudio++ % HLS_CUT_AUDIO] = t->dts_ms;
	} else if (t->key && t->gen->video && is_due(c, t)) {
		t->cut = true;
		if (meets_audio(c, t->dts_ms))
			move(t, t->dts_ms + 1);
		ring_gen_unref(&c->gen);
		c->gen = ring_gen_ref(t->gen);
		c->pts_ms = t->pts_ms;
		c->dts_ms = t->dts_ms;
	}
	c->last_dts[t->audio] = t->dts_ms;
}

struct tag *
hls_cut_start(struct tag *t, const struct ring_gen *not)
{
	for (; t != NULL; t = t->next)
		if (t->gen != not && t->gen->settled && (t->cut || (!t->gen->video && t->audio)))
			return t;
	return NULL;
}

struct tag *
hls_cut_next(const struct tag *start)
{
	struct tag *t;

	for (t = start->next; t != NULL && t->gen == start->gen; t = t->next)
		if (t->cut)
			return t;
	return NULL;
}

bool
hls_cut_makes_aac(const struct ring_gen *g)
{
	bool newer = g->video && g->video_codec != FLV_FOURCC('a', 'v', 'c', '1');

	return g->audio && (g->audio_codec < 16 || (g->audio_codec == FLV_FOURCC('O', 'p', 'u', 's') && !newer));
}

/* What ffmpeg cut by itself: the first audio frame, or key frame, after a cut at this time. */
static struct tag *
next_from(const struct tag *start, int64_t ts_ms)
{
	bool video = start->gen->video;
	int64_t slack = hls_cut_makes_aac(start->gen) ? AAC_SLACK_MS : SLACK_MS;
	struct tag *t;

	for (t = start->next; t != NULL && t->gen == start->gen; t = t->next)
		if ((video ? t->cut : t->audio) && t->pts_ms >= ts_ms - slack)
			return t;
	return NULL;
}

int64_t
hls_cut_frame_ms(const struct tag *start)
{
	for (const struct tag *t = start->next; t != NULL && t->gen == start->gen; t = t->next)
		if (!t->audio && t->dts_ms > start->dts_ms)
			return t->dts_ms - start->dts_ms;
	return 0;
}

/* Where start's generation ends: pts of its last frame and the length of one. */
static int64_t
generation_end_ms(const struct tag *start)
{
	int64_t last[2] = { start->pts_ms, start->pts_ms }, step[2] = { 0, 0 }, end[2];

	for (const struct tag *t = start; t != NULL && t->gen == start->gen; t = t->next)
		if (t->pts_ms > last[t->audio]) {
			step[t->audio] = t->pts_ms - last[t->audio];
			last[t->audio] = t->pts_ms;
		}
	end[0] = last[0] + step[0];
	end[1] = last[1] + step[1];
	return end[0] > end[1] ? end[0] : end[1];
}

struct tag *
hls_cut_end(const struct tag *start, int64_t csv_us, int64_t csv_end_ms, int64_t *us)
{
	struct tag *end;

	*us = csv_us;
	if (!start->gen->video) {
		end = next_from(start, start->pts_ms + csv_us / 1000);
	} else {
		end = ring_gen_enhanced(start->gen) ? next_from(start, csv_end_ms) : hls_cut_next(start);
		*us = ((end != NULL ? end->pts_ms : generation_end_ms(start)) - start->pts_ms) * 1000;
	}
	if (*us <= 0)
		*us = 1000;
	return end;
}

int64_t
hls_cut_audio_from(const struct tag *start)
{
	return start->dts_ms - (start->first ? HLS_CUT_EARLY_MS : 0);
}

struct tag *
hls_cut_need(const struct ring *r, struct tag *start, int64_t *base_ms)
{
	int64_t from = hls_cut_audio_from(start);
	struct tag *need = NULL;
	bool passed = false;

	*base_ms = start->dts_ms;
	for (struct tag *t = r->head; t != NULL; t = t->next) {
		passed = passed || t == start;
		if (passed && need == NULL)
			need = start;
		if (!t->audio || t->gen != start->gen || t->dts_ms < from)
			continue;
		if (need == NULL)
			need = t;
		if (t->dts_ms < *base_ms)
			*base_ms = t->dts_ms;
		if (passed)
			break;		/* times of a track do not step back */
	}
	return need;
}
