/*
 * sink_hls.c - the HLS sink (sink.h): the life of the ffmpeg that cuts segments, and the list of
 * what it cut. Where to cut is hls_cut.c's, feeding it hls_feed.c's, the playlist hls_list.c's.
 *
 * The ring is kept from the first tag of the oldest segment that is not listed yet. So a
 * child that dies costs nothing: the next one gets the same tags, starting at that
 * segment's key frame: video from there in the ring, audio by time wherever it lies, which
 * is how ffmpeg's interleaver divided it. A new generation of tracks or headers ends the
 * child by EOF and starts another, with a DISCONTINUITY.
 * Called by stream.c through sink_ops; spawning and backoff are the supervisor's.
 */
#include "sink_hls.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "conf.h"
#include "hls_child.h"
#include "hls_cut.h"
#include "hls_list.h"
#include "log.h"
#include "util.h"

#define READ_TICK_MS 100
#define STUCK_CHECK_MS 1000
#define LAST_TRIES 2		/* for the end of a generation, which a broken child may not take */

enum hls_phase {
	HLS_IDLE,
	HLS_ASKED,	/* SPAWN was sent */
	HLS_UP,		/* fed */
	HLS_DRAINING,	/* has all of its generation, and EOF */
	HLS_DISCARDED,	/* has more than it should: what it still lists does not count */
	HLS_FAILED,	/* given up */
};

struct hls {
	struct sink sink;
	struct hls_list list;
	enum hls_phase phase;
	struct hls_cut cut;
	struct hls_child child;
	struct tag *start;		/* first tag of the oldest segment not listed; NULL: none yet */
	struct tag *need;		/* oldest tag in the ring that belongs to it */
	struct ring_gen *known;		/* of the newest start */
	bool sought;			/* there was a start: those after it come one by one */
	bool cut_waits, cut_wants_audio, draining, cut_off;	/* cut_off: what the child lists now is torn */
	unsigned last_tries;
	int64_t base_ms, checked_ms, batch_ms, stuck_ms;	/* base: the least time from need on */
	struct sink_hls_stats stats;
};

static void push(struct hls *h);

static struct hls *
hls_of(struct sink *s)
{
	return (struct hls *)(void *)s;
}

/* --- the oldest segment that is not listed --- */

static void
set_start(struct hls *h, struct tag *start)
{
	h->start = h->need = start;
	h->last_tries = 0;
	if (start == NULL)
		return;
	h->sought = true;
	if (start->gen != h->known) {
		start->first = true;
		ring_gen_unref(&h->known);
		h->known = ring_gen_ref(start->gen);
	}
	h->need = hls_cut_need(h->sink.env.ring, start, &h->base_ms);
}

static void
hls_tag(struct sink *s, struct tag *t)
{
	struct hls *h = hls_of(s);

	hls_cut_tag(&h->cut, t);
	/* ffmpeg cuts when it has seen the audio that follows the key frame, too */
	if (t->cut || (h->cut_wants_audio && t->audio && t->dts_ms > h->cut.dts_ms)) {
		h->cut_waits = true;
		h->cut_wants_audio = !t->audio;
	}
	hls_feed_appended(&h->child.feed, t);
	if (h->start == NULL && h->sought && h->phase != HLS_FAILED)
		set_start(h, hls_cut_start(t, NULL));
}

/* --- listing --- */

/* At once, not with the next figures: the supervisor judges a dead ffmpeg by it. */
static void
show_segments(const struct hls *h)
{
	struct board_page *p = h->sink.env.svc->page;

	board_begin(&p->seq);
	p->media.segments = h->stats.segments;
	board_end(&p->seq);
}

static void
segment_cb(void *ctx, int64_t csv_us, int64_t csv_end_ms)
{
	struct hls *h = ctx;
	struct tag *start = h->start, *end;
	int64_t duration_us;
	char uri[64];

	hls_child_segment(&h->child, uri, sizeof(uri));
	if (start == NULL || h->phase == HLS_DISCARDED || h->cut_off) {
		log_debug("segment not taken: %s", uri);
		return;
	}
	end = hls_cut_end(start, csv_us, csv_end_ms, &duration_us);
	h->stats.discontinuities += h->list.discontinuity;
	hls_list_add(&h->list, uri, duration_us, start->wall_ms, start->pts_ms + duration_us / 1000);
	h->stats.segments++;
	show_segments(h);
	hls_child_tell(h->sink.env.svc, uri, duration_us, &h->list.state);
	h->child.number++;
	if (end != NULL && end->cut)
		h->stats.delay_ms = now_ms() - end->came_ms;
	set_start(h, end != NULL ? end : hls_cut_start(start, start->gen));
}

/* --- feeding --- */

static void
write_cb(evutil_socket_t fd, short what, void *ctx)
{
	push(ctx);
}

static void
push(struct hls *h)
{
	enum hls_feed_rc rc = hls_feed_write(&h->child.feed, now_ms());

	h->cut_waits = false;
	if (rc == HLS_FEED_LAST || (rc == HLS_FEED_ALL && h->draining)) {
		hls_feed_close(&h->child.feed);
		h->phase = HLS_DRAINING;
	} else if (rc == HLS_FEED_BROKEN)
		hls_feed_close(&h->child.feed);	/* EXITED will say why */
}

/* --- the life of a child --- */

static void
ask_if_due(struct hls *h)
{
	if (h->start == NULL && !h->sought && h->phase != HLS_FAILED)
		set_start(h, hls_cut_start(h->sink.env.ring->head, NULL));
	if (h->phase != HLS_IDLE || h->start == NULL || !hls_child_can_ask(h->start, h->draining))
		return;
	h->need = hls_cut_need(h->sink.env.ring, h->start, &h->base_ms);	/* audio may have come since */
	h->phase = HLS_ASKED;
	hls_child_ask(&h->child, h->sink.env.svc, h->start, &(struct hls_wish){ h->base_ms, h->cut.segment_ms,
	    &h->list.state });
}

static void
on_spawned(struct hls *h, struct msg *m)
{
	struct tag *start = h->phase == HLS_ASKED ? h->start : NULL;

	if (hls_child_open(&h->child, h->sink.env.svc, m, start, h->need) < 0)
		return;
	h->phase = HLS_UP;
	push(h);
}

/* Given up: media goes through the ring without a trace. */
static void
fail(struct hls *h, const char *reason)
{
	char text[160];

	h->phase = HLS_FAILED;
	h->start = h->need = NULL;
	snprintf(text, sizeof(text), "HLS failed: %s", reason);
	h->sink.env.warn(h->sink.env.warn_ctx, text);
	if (h->draining)
		h->sink.env.done(h->sink.env.done_ctx);
}

/* well: it had EOF and took it; else it was killed, or failed. */
static void
child_over(struct hls *h, const char *reason, int64_t retry_ms, bool well)
{
	bool ended;

	hls_child_drain(&h->child);
	ended = h->phase == HLS_DRAINING && ((well && !h->cut_off) || ++h->last_tries > LAST_TRIES);
	hls_child_release(&h->child, ended);
	hls_dir_sweep(h->sink.env.dir, &h->list.state);
	h->list.discontinuity = h->list.state.nsegments > 0;
	/* at its end it listed its last segment; what is left of that generation never will be */
	if (ended && h->start != NULL && h->start->gen == h->child.feed.gen)
		set_start(h, hls_cut_start(h->start, h->child.feed.gen));
	hls_child_close(&h->child);
	h->cut_off = false;
	h->phase = HLS_IDLE;
	if (retry_ms < 0 && !ended) {
		fail(h, reason);
		return;
	}
	ask_if_due(h);
	if (h->phase == HLS_IDLE && h->draining)
		h->sink.env.done(h->sink.env.done_ctx);
}

/* Its list ended: EXITED follows, unless nobody is left to say so. */
static void
list_end_cb(void *ctx)
{
	struct hls *h = ctx;

	if (h->sink.env.svc->control != NULL)
		return;
	hls_child_release(&h->child, h->phase == HLS_DRAINING);
	h->draining = true;
	h->start = NULL;	/* nor to start another */
	child_over(h, "the supervisor is gone", -1, true);
}

static void
hls_message(struct sink *s, struct msg *m)
{
	if (m->type == MSG_SPAWNED)
		on_spawned(hls_of(s), m);
	else if (m->type == MSG_EXITED)
		child_over(hls_of(s), msg_str_or(m, "reason", ""), msg_int_or(m, "retry_ms", 0),
		    msg_int_or(m, "code", -1) == 0);
}

static void
replace(struct hls *h, const char *why)
{
	hls_child_drain(&h->child);
	h->cut_off = true;
	hls_feed_close(&h->child.feed);
	svc_send(h->sink.env.svc, MSG_OUTPUT_DOWN, 0, json_pack("{s:s, s:s, s:s}", "output", HLS_OUTPUT,
	    "reason", why, "action", "restart"));
}

static void
check_stuck(struct hls *h, int64_t now)
{
	const struct tag *end = NULL;
	const char *why;

	if (h->phase != HLS_UP && h->phase != HLS_DRAINING)
		return;
	if (h->start != NULL && h->start->gen == h->child.feed.gen && h->start->gen->video)
		end = hls_cut_next(h->start);
	why = hls_child_stuck(&h->child, end, 3000LL * h->list.state.target_sec, h->stuck_ms, now);
	if (why == NULL)
		return;
	log_warnx("ffmpeg hls is stuck: %s; another one takes over", why);
	h->child.up_ms = now;
	replace(h, why);
}

static void
hls_tick(struct sink *s, int64_t now)
{
	struct hls *h = hls_of(s);
	const struct hls_feed *f = &h->child.feed;

	ask_if_due(h);
	if (h->phase == HLS_UP && f->fd >= 0 && f->blocked_ms == 0 &&
	    (h->cut_waits || h->draining || now - f->last_ms >= h->batch_ms))
		push(h);
	if (now - h->checked_ms >= STUCK_CHECK_MS) {
		h->checked_ms = now;
		check_stuck(h, now);
	}
}

static const struct tag *
hls_needs(const struct sink *s)
{
	const struct hls *h = (const struct hls *)(const void *)s;

	if (h->need != NULL)
		return h->need;
	if (!h->sought && h->phase != HLS_FAILED)
		return h->sink.env.ring->head;
	/* without a start, what the child that runs has not written yet */
	return h->child.feed.at_end ? NULL : h->child.feed.next;
}

static void
hls_overrun(struct sink *s, struct tag *first)
{
	struct hls *h = hls_of(s);

	if (h->phase == HLS_FAILED)
		return;
	/* a child that has half a tag can't go on; one that has not begun can */
	if (h->phase == HLS_UP)
		replace(h, "the ring overran");
	else if (h->phase == HLS_DRAINING)
		h->cut_off = true;
	set_start(h, hls_cut_start(first, NULL));
}

static void
hls_regen(struct sink *s, struct tag *first)
{
	struct hls *h = hls_of(s);

	if (first == NULL)
		return;
	hls_child_drain(&h->child);
	if (h->phase == HLS_UP && hls_feed_has(&h->child.feed, first)) {
		hls_feed_close(&h->child.feed);
		h->phase = HLS_DISCARDED;
	}
	if (h->start == NULL)
		set_start(h, hls_cut_start(first, NULL));
}

static void
hls_drain(struct sink *s)
{
	struct hls *h = hls_of(s);

	h->draining = true;
	ask_if_due(h);
	if (h->phase == HLS_UP && h->child.feed.fd >= 0)
		push(h);
	else if (h->phase == HLS_IDLE || h->phase == HLS_FAILED)
		s->env.done(s->env.done_ctx);
}

static void
hls_free(struct sink **s)
{
	struct hls *h = hls_of(*s);

	hls_child_free(&h->child);
	hls_cut_free(&h->cut);
	ring_gen_unref(&h->known);
	free(h);
	*s = NULL;
}

void
sink_hls_endlist(struct sink *s)
{
	if (hls_of(s)->list.state.nsegments > 0)
		hls_list_write(&hls_of(s)->list, true);
}

void
sink_hls_stats(const struct sink *s, struct sink_hls_stats *out)
{
	*out = ((const struct hls *)(const void *)s)->stats;
}

static const struct hls_child_ops child_ops = { .segment = segment_cb, .end = list_end_cb, .writable = write_cb };

static const struct sink_ops hls_ops = {
	.name = HLS_OUTPUT, .budget_ms = READ_TICK_MS, .tag = hls_tag, .tick = hls_tick, .needs = hls_needs,
	.overrun = hls_overrun, .regen = hls_regen, .message = hls_message, .drain = hls_drain, .free = hls_free,
};

struct sink *
sink_hls_new(const struct sink_env *env, int64_t *start_ms, bool *resumed)
{
	struct hls *h = xcalloc(1, sizeof(*h));
	const json_t *conf = env->svc->conf;
	int64_t segment_ms = conf_int(conf, "streams.hls.segment");

	h->sink.ops = &hls_ops;
	h->sink.env = *env;
	hls_cut_init(&h->cut, segment_ms);
	hls_child_init(&h->child, env->svc->base, env->dir, &child_ops, h);
	h->batch_ms = conf_int(conf, "streams.hls.batch");
	h->stuck_ms = conf_int(conf, "streams.hls.stuck");
	*resumed = hls_list_open(&h->list, env->dir, env->name, env->app, segment_ms,
	    (int)conf_int(conf, "streams.hls.window"), (int)conf_int(conf, "streams.hls.keep"));
	*start_ms = h->list.state.next_ts_ms;
	return &h->sink;
}
