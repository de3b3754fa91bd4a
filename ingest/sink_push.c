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

#include <linux/sockios.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "conf.h"
#include "hls_cut.h"
#include "hls_feed.h"
#include "lines.h"
#include "log.h"
#include "push_words.h"
#include "util.h"

#define SOON_MS 2500		/* a failure mended within this loses nothing */
#define AVC FLV_FOURCC('a', 'v', 'c', '1')
#define AAC FLV_FOURCC('m', 'p', '4', 'a')

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
	bool accepted, draining, key_waits;
	bool hold;			/* the next one is soon up: start, once there is one, stays where it is */
	struct hls_feed feed;
	struct lines err;
	struct push_words words;
	struct tag *start, *need;	/* key frame where the next one begins (NULL: none yet); its oldest tag */
	int64_t base_ms;		/* the least time from need on */
	size_t start_bytes;		/* that came since start */
	int unread;			/* what ffmpeg had not taken at the last look */
	int64_t newest_ms, up_ms, moved_ms;	/* moved: it took something */
	int64_t batch_ms, lag_ms, stuck_ms;
	uint64_t frames, bytes, dropped;	/* of those before this one; dropped: of all */
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
	p->start = p->need = t;
	p->start_bytes = 0;
	if (t != NULL)
		p->need = hls_cut_need(p->sink.env.ring, t, &p->base_ms);
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
	return p->feed.fd < 0 || p->feed.at_end ? 0 : p->newest_ms - p->feed.next->dts_ms;
}

/* Too far behind, or in the way of others: on to the newest key frame, if it is at an older one. */
static void
shed(struct push *p)
{
	const struct ring *r = p->sink.env.ring;
	int64_t behind = behind_ms(p);

	if (behind <= p->lag_ms && (r->bytes <= r->limit / 2 || behind < 2 * p->batch_ms))
		return;
	if (p->start != NULL && p->start != p->feed.next && p->start->gen == p->feed.gen &&
	    is_behind(p->feed.next, p->start))
		p->dropped += hls_feed_skip(&p->feed, p->start);
}

static void
push_tag(struct sink *s, struct tag *t)
{
	struct push *p = push_of(s);

	p->newest_ms = t->dts_ms;
	p->start_bytes += t->cost;
	p->key_waits = p->key_waits || t->key;
	hls_feed_appended(&p->feed, t);
	if (p->start != NULL && p->start_bytes > s->env.ring->limit / 2) {
		p->hold = false;
		set_start(p, NULL);
	}
	if (can_start(t) && (p->start == NULL || !p->hold))
		set_start(p, t);
	if (p->phase == PUSH_UP)
		shed(p);
}

/* --- the life of a child --- */

static void
err_line(void *ctx, const char *line)
{
	struct push *p = ctx;

	if (!push_words_line(&p->words, line) || p->accepted)
		return;
	p->accepted = true;
	log_info("push %s: the target has accepted the stream, %.1f s after the attempt began", p->target.id,
	    (double)(now_ms() - p->up_ms) / 1000);
}

static void
child_close(struct push *p)
{
	p->frames += p->feed.frames;
	p->bytes += p->feed.bytes;
	p->feed.frames = p->feed.bytes = 0;
	p->accepted = false;
	hls_feed_close(&p->feed);
	ring_gen_unref(&p->feed.gen);
	lines_close(&p->err);
}

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
	child_close(p);
	push_words_clear(&p->words);
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
	hls_feed_close(&p->feed);
	output_down(p, why, "restart");
	p->phase = PUSH_ENDING;
}

static void write_cb(evutil_socket_t fd, short what, void *ctx);

/* ffmpeg takes its bytes in order: fewer unread than after the last write means that it moves. */
static void
look_at_unread(struct push *p, int64_t now, bool written)
{
	int unread = 0;

	if (p->feed.fd < 0 || ioctl(p->feed.fd, SIOCOUTQ, &unread) == -1)
		return;
	if (!written && (unread == 0 || unread < p->unread))
		p->moved_ms = now;
	p->unread = unread;
}

static void
feed(struct push *p, int64_t now)
{
	enum hls_feed_rc rc;

	look_at_unread(p, now, false);
	rc = hls_feed_write(&p->feed, now);
	look_at_unread(p, now, true);
	p->key_waits = false;
	if (rc == HLS_FEED_LAST)
		begin_anew(p, p->feed.next, "the stream has new headers");
	else if (rc == HLS_FEED_BROKEN || (rc == HLS_FEED_ALL && p->draining))
		hls_feed_close(&p->feed);	/* broken: EXITED will say why */
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
	const struct ring_gen *g = p->start->gen;

	p->refused[0] = '\0';
	if (g->video && g->video_codec != AVC && !p->target.transcode)
		snprintf(p->refused, sizeof(p->refused), "the video is %s, RTMP targets take H.264: set transcode: true",
		    flv_codec_name(g->video_codec));
	p->hold = p->hold && p->refused[0] == '\0';	/* until there is something else */
	return p->refused[0] != '\0';
}

static void
ask_if_due(struct push *p)
{
	const struct ring_gen *g;

	if (p->start == NULL)
		find_start(p, p->sink.env.ring->head);
	if (p->phase != PUSH_IDLE || p->start == NULL || p->draining || refuse(p))
		return;
	g = p->start->gen;
	if (ring_gen_enhanced(g) && g->video && hls_cut_frame_ms(p->start) == 0)
		return;		/* Matroska's head has it */
	p->phase = PUSH_ASKED;
	svc_send(p->sink.env.svc, MSG_SPAWN, 0, json_pack("{s:s, s:s, s:o, s:{s:b, s:b, s:b, s:b, s:b}}", "output",
	    p->output, "kind", "push", "said", msg_text(p->words.text, strlen(p->words.text)), "params",
	    "matroska", ring_gen_enhanced(g), "video", g->video, "audio", g->audio,
	    "transcode_video", g->video && g->video_codec != AVC, "transcode_audio", g->audio && g->audio_codec != AAC));
}

static bool
fits(const json_t *params, const struct tag *start)
{
	const struct ring_gen *g = start->gen;

	return json_is_true(json_object_get(params, "video")) == g->video &&
	    json_is_true(json_object_get(params, "audio")) == g->audio &&
	    json_is_true(json_object_get(params, "matroska")) == ring_gen_enhanced(g) &&
	    json_is_true(json_object_get(params, "transcode_video")) == (g->video && g->video_codec != AVC);
}

static void
on_spawned(struct push *p, struct msg *m)
{
	int in = msg_take_fd(m, 0), err = msg_take_fd(m, 1);

	if (p->phase != PUSH_ASKED || p->start == NULL || p->draining ||
	    !fits(json_object_get(m->body, "params"), p->start)) {
		close(in);
		close(err);	/* it ends by that, and EXITED follows */
		return;
	}
	set_start(p, p->start);		/* audio of it may have come since */
	p->phase = PUSH_UP;
	p->hold = false;
	p->up_ms = p->moved_ms = now_ms();
	p->unread = 0;
	push_words_clear(&p->words);
	hls_feed_open(&p->feed, p->sink.env.svc->base, in, p->start, p->need, p->base_ms, write_cb, p);
	lines_open(&p->err, p->sink.env.svc->base, err);
	feed(p, p->up_ms);
}

static void
on_exited(struct push *p, struct msg *m)
{
	lines_drain(&p->err);
	child_close(p);
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
	if (p->phase != PUSH_UP || p->feed.fd < 0)
		return;
	look_at_unread(p, now, false);
	if (now - p->moved_ms > p->stuck_ms) {
		snprintf(why, sizeof(why), "its target took nothing for %.0f s", (double)p->stuck_ms / 1000);
		judge_dead(p, why);
	} else if (p->feed.blocked_ms == 0 &&
	    (p->key_waits || p->draining || now - p->feed.last_ms >= p->batch_ms / 2))
		feed(p, now);
}

/* --- the ring --- */

static const struct tag *
push_needs(const struct sink *s)
{
	const struct push *p = push_const(s);
	const struct tag *next = p->feed.fd < 0 || p->feed.at_end ? NULL : p->feed.next;

	if (next == NULL || p->need == NULL)
		return next != NULL ? next : p->need;
	return is_behind(next, p->need) ? next : p->need;
}

static void
push_overrun(struct sink *s, struct tag *first)
{
	struct push *p = push_of(s);

	if (p->need != NULL && !is_behind(first, p->need)) {
		p->hold = false;
		find_start(p, first);
	}
	if (p->phase != PUSH_UP || p->feed.fd < 0 || p->feed.at_end || is_behind(first, p->feed.next))
		return;
	if (p->start != NULL && p->start->gen == p->feed.gen)
		p->dropped += hls_feed_skip(&p->feed, p->start);
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
	if (p->phase == PUSH_UP && p->feed.fd >= 0 && p->feed.blocked_ms == 0)
		feed(p, now_ms());
}

static void
push_free(struct sink **s)
{
	struct push *p = push_of(*s);

	hls_feed_free(&p->feed);
	lines_close(&p->err);
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

	return p->draining && p->phase == PUSH_UP && p->feed.fd >= 0;
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
	out->state = p->accepted ? BOARD_PUSH_UP : p->phase == PUSH_UP ? BOARD_PUSH_CONNECTING :
	    p->refused[0] != '\0' ? BOARD_PUSH_REFUSED : BOARD_PUSH_WAITS;
	out->behind_ms = (uint32_t)behind_ms(p);
	out->frames = p->frames + p->feed.frames;
	out->bytes = p->bytes + p->feed.bytes;
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
	p->err = (struct lines){ .fd = -1, .line = err_line, .ctx = p };
	hls_feed_init(&p->feed);
	p->feed.every_key = p->hold = true;
	return &p->sink;
}
