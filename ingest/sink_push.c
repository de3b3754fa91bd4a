/*
 * sink_push.c - one push to another server as a sink (contract in sink_push.h): the life of the
 * ffmpeg that sends the stream there. Where that is only the supervisor knows.
 *
 * One begins at a key frame: after a failure that is soon mended at that of the GOP in which it
 * happened, so that nothing is lost, else at the newest. It is fed once per push_batch, straight
 * from the ring. A target that takes less than comes in loses what lies between push_lag and
 * the next key frame; one that takes nothing for push_stuck is begun anew. The publisher and
 * the other outputs notice none of this: here is no more than a cursor into their ring, which
 * gives way before the ring is full.
 * Called by pushes.c; spawning, backoff and the log of failures are the supervisor's.
 */
#include "sink_push.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "conf.h"
#include "hls_cut.h"
#include "log.h"
#include "push_child.h"
#include "util.h"

#define SOON_MS 2500		/* a failure mended within this loses nothing */

enum push_phase {
	PUSH_IDLE,
	PUSH_ASKED,	/* SPAWN was sent; the supervisor holds it back while it waits */
	PUSH_UP,	/* fed */
	PUSH_ENDING,	/* judged dead: EXITED follows */
};

struct push {
	struct sink sink;
	struct push_target target;
	char output[sizeof(PUSH_OUTPUT) + sizeof(((struct push_target *)NULL)->id)];
	enum push_phase phase;
	bool draining, key_waits;
	bool hold;			/* the next one is soon up: start, once there is one, stays where it is */
	struct push_child child;
	struct push_begin begin;	/* of the next one; start NULL: there is no key frame yet */
	size_t begin_bytes;		/* that came since its start */
	int64_t newest_ms, batch_ms, lag_ms, stuck_ms;
	uint64_t dropped;
	char refused[sizeof(((struct board_push *)NULL)->reason)];
};

static struct push *
push_of(struct sink *s)
{
	return (struct push *)(void *)s;
}

static const struct push *
push_const(const struct sink *s)
{
	return (const struct push *)(const void *)s;
}

/* --- where the next one begins --- */

static bool
can_start(const struct tag *t)
{
	return t->gen->settled && (t->gen->video ? t->key : t->audio);
}

static void
set_start(struct push *p, struct tag *t)
{
	p->begin.start = p->begin.need = t;
	p->begin_bytes = 0;
	if (t != NULL)
		p->begin.need = hls_cut_need(p->sink.env.ring, t, &p->begin.base_ms);
}

static bool
is_behind(const struct tag *from, const struct tag *t)
{
	while (from != NULL && from != t)
		from = from->next;
	return from != NULL;
}

/* The newest from `from` on. */
static void
find_start(struct push *p, struct tag *from)
{
	struct tag *found = NULL;

	for (; from != NULL; from = from->next)
		if (can_start(from))
			found = from;
	set_start(p, found);
}

/* --- falling behind --- */

static int64_t
behind_ms(const struct push *p)
{
	return p->child.feed.fd < 0 || p->child.feed.at_end ? 0 : p->newest_ms - p->child.feed.next->dts_ms;
}

/* Too far behind, or in the way of others: on to the newest key frame, if it is at an older one. */
static void
shed(struct push *p)
{
	const struct ring *r = p->sink.env.ring;
	const struct tag *to = p->begin.start;
	struct hls_feed *f = &p->child.feed;
	int64_t behind = behind_ms(p);

	if (behind <= p->lag_ms && (r->bytes <= r->limit / 2 || behind < 2 * p->batch_ms))
		return;
	if (to != NULL && to != f->next && to->gen == f->gen && is_behind(f->next, to))
		p->dropped += hls_feed_skip(f, to);
}

static void
push_tag(struct sink *s, struct tag *t)
{
	struct push *p = push_of(s);

	p->newest_ms = t->dts_ms;
	p->begin_bytes += t->cost;
	p->key_waits = p->key_waits || t->key;
	hls_feed_appended(&p->child.feed, t);
	if (p->begin.start != NULL && p->begin_bytes > s->env.ring->limit / 2) {
		p->hold = false;
		set_start(p, NULL);
	}
	if (can_start(t) && (p->begin.start == NULL || !p->hold))
		set_start(p, t);
	if (p->phase == PUSH_UP)
		shed(p);
}

/* --- the life of a child --- */

static void
output_down(struct push *p, const char *reason, const char *action)
{
	svc_send(p->sink.env.svc, MSG_OUTPUT_DOWN, 0, json_pack("{s:s, s:s, s:s}", "output", p->output, "reason",
	    reason, "action", action));
}

/* Its stream is over, the next one has other headers, from `from` on: no failure, and no EXITED. */
static void
begin_anew(struct push *p, struct tag *from, const char *why)
{
	push_child_close(&p->child);
	push_words_clear(&p->child.words);
	output_down(p, why, "stop");
	p->phase = PUSH_IDLE;
	p->hold = true;
	while (from != NULL && !can_start(from))
		from = from->next;
	set_start(p, from);
}

static void
judge_dead(struct push *p, const char *why)
{
	hls_feed_close(&p->child.feed);
	output_down(p, why, "restart");
	p->phase = PUSH_ENDING;
}

static void
feed(struct push *p, int64_t now)
{
	enum hls_feed_rc rc = push_child_feed(&p->child, now);

	p->key_waits = false;
	if (rc == HLS_FEED_LAST)
		begin_anew(p, p->child.feed.next, "the stream has new headers");
	else if (rc == HLS_FEED_BROKEN || (rc == HLS_FEED_ALL && p->draining))
		hls_feed_close(&p->child.feed);	/* broken: EXITED will say why */
}

static void
write_cb(evutil_socket_t fd, short what, void *ctx)
{
	feed(ctx, now_ms());
}

/* RTMP as all servers know it has H.264 and AAC. */
static bool
refuse(struct push *p)
{
	const struct ring_gen *g = p->begin.start->gen;

	p->refused[0] = '\0';
	if (!push_child_h264(g) && !p->target.transcode)
		snprintf(p->refused, sizeof(p->refused), "the video is %s, RTMP targets take H.264: set "
		    "transcode: true", flv_codec_name(g->video_codec));
	p->hold = p->hold && p->refused[0] == '\0';	/* until there is something else */
	return p->refused[0] != '\0';
}

static void
ask_if_due(struct push *p)
{
	const struct ring_gen *g;

	if (p->begin.start == NULL)
		find_start(p, p->sink.env.ring->head);
	if (p->phase != PUSH_IDLE || p->begin.start == NULL || p->draining || refuse(p))
		return;
	g = p->begin.start->gen;
	if (ring_gen_enhanced(g) && g->video && hls_cut_frame_ms(p->begin.start) == 0)
		return;		/* Matroska's head has it */
	p->phase = PUSH_ASKED;
	push_child_ask(&p->child, p->sink.env.svc, p->output, g);
}

static void
on_spawned(struct push *p, struct msg *m)
{
	bool wanted = p->phase == PUSH_ASKED && p->begin.start != NULL && !p->draining;

	if (wanted)
		set_start(p, p->begin.start);	/* sound of it may have come since */
	if (push_child_open(&p->child, p->sink.env.svc->base, m, wanted ? &p->begin : NULL, write_cb, p) == -1)
		return;		/* EXITED follows */
	p->phase = PUSH_UP;
	p->hold = false;
	feed(p, now_ms());
}

static void
on_exited(struct push *p, struct msg *m)
{
	push_child_close(&p->child);
	p->phase = PUSH_IDLE;
	p->hold = msg_int_or(m, "retry_ms", 0) <= SOON_MS;
	ask_if_due(p);
}

static void
push_message(struct sink *s, struct msg *m)
{
	if (m->type == MSG_SPAWNED)
		on_spawned(push_of(s), m);
	else if (m->type == MSG_EXITED)
		on_exited(push_of(s), m);
}

static void
push_tick(struct sink *s, int64_t now)
{
	struct push *p = push_of(s);
	char why[80];

	ask_if_due(p);
	if (p->phase != PUSH_UP || p->child.feed.fd < 0)
		return;
	if (push_child_stuck_ms(&p->child, now) > p->stuck_ms) {
		snprintf(why, sizeof(why), "its target took nothing for %.0f s", (double)p->stuck_ms / 1000);
		judge_dead(p, why);
	} else if (p->child.feed.blocked_ms == 0 &&
	    (p->key_waits || p->draining || now - p->child.feed.last_ms >= p->batch_ms / 2))
		feed(p, now);
}

/* --- the ring --- */

static const struct tag *
push_needs(const struct sink *s)
{
	const struct push *p = push_const(s);
	const struct tag *next = p->child.feed.fd < 0 || p->child.feed.at_end ? NULL : p->child.feed.next;

	if (next == NULL || p->begin.need == NULL)
		return next != NULL ? next : p->begin.need;
	return is_behind(next, p->begin.need) ? next : p->begin.need;
}

static void
push_overrun(struct sink *s, struct tag *first)
{
	struct push *p = push_of(s);

	if (p->begin.need != NULL && !is_behind(first, p->begin.need)) {
		p->hold = false;
		find_start(p, first);
	}
	if (p->phase != PUSH_UP || p->child.feed.fd < 0 || p->child.feed.at_end || is_behind(first, p->child.feed.next))
		return;
	if (p->begin.start != NULL && p->begin.start->gen == p->child.feed.gen)
		p->dropped += hls_feed_skip(&p->child.feed, p->begin.start);
	else
		judge_dead(p, "it fell behind, and the ring overran");
}

/* The video has ended: what is left has other tracks. */
static void
push_regen(struct sink *s, struct tag *first)
{
	struct push *p = push_of(s);

	if (first == NULL)
		return;
	set_start(p, NULL);
	if (p->phase == PUSH_UP)
		begin_anew(p, first, "the video has ended");
}

/* --- the end --- */

static void
push_drain(struct sink *s)
{
	struct push *p = push_of(s);

	p->draining = true;
	if (p->phase == PUSH_UP && p->child.feed.fd >= 0 && p->child.feed.blocked_ms == 0)
		feed(p, now_ms());
}

static void
push_free(struct sink **s)
{
	struct push *p = push_of(*s);

	push_child_free(&p->child);
	free(p);
	*s = NULL;
}

void
sink_push_remove(struct sink **s)
{
	struct push *p = push_of(*s);

	log_info("push %s ends", p->target.id);
	output_down(p, "the push was removed", "stop");
	push_free(s);
}

bool
sink_push_busy(const struct sink *s)
{
	const struct push *p = push_const(s);

	return p->draining && p->phase == PUSH_UP && p->child.feed.fd >= 0;
}

const struct push_target *
sink_push_target(const struct sink *s)
{
	return &push_const(s)->target;
}

void
sink_push_board(const struct sink *s, struct board_push *out)
{
	const struct push *p = push_const(s);

	str_copy(out->id, p->target.id, sizeof(out->id));
	out->state = p->child.accepted ? BOARD_PUSH_UP : p->phase == PUSH_UP ? BOARD_PUSH_CONNECTING :
	    p->refused[0] != '\0' ? BOARD_PUSH_REFUSED : BOARD_PUSH_WAITS;
	out->behind_ms = (uint32_t)behind_ms(p);
	out->frames = p->child.frames + p->child.feed.frames;
	out->bytes = p->child.bytes + p->child.feed.bytes;
	out->dropped = p->dropped;
	str_copy(out->reason, p->refused, sizeof(out->reason));
}

static const struct sink_ops push_ops = {
	.name = "push", .budget_ms = 33, .tag = push_tag, .tick = push_tick, .needs = push_needs,
	.overrun = push_overrun, .regen = push_regen, .message = push_message, .drain = push_drain, .free = push_free,
};

struct sink *
sink_push_new(const struct sink_env *env, const struct push_target *target)
{
	struct push *p = xcalloc(1, sizeof(*p));

	p->sink.ops = &push_ops;
	p->sink.env = *env;
	p->target = *target;
	snprintf(p->output, sizeof(p->output), PUSH_OUTPUT "%s", target->id);
	p->batch_ms = conf_int(env->svc->conf, "push_batch");
	p->lag_ms = conf_int(env->svc->conf, "push_lag");
	p->stuck_ms = conf_int(env->svc->conf, "push_stuck");
	p->hold = true;
	push_child_init(&p->child, p->target.id);
	return &p->sink;
}
