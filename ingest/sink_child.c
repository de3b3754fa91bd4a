/*
 * sink_child.c - the life of an ffmpeg that is fed from the ring (contract in sink_child.h).
 *
 * One begins at a key frame: after a failure that is soon mended at that of the GOP in which it
 * happened (if its kind replays), else at the newest. It is fed once per batch, straight from
 * the ring. One that takes less than comes in loses what lies between its lag and the next
 * key frame; one that takes nothing for stuck_ms is begun anew. The publisher and the other
 * outputs notice none of this: here is no more than a cursor into their ring, which gives way
 * before the ring is full.
 *
 * Its stdin's queue tells whether it takes anything: ffmpeg reads no further while it waits for
 * its own output. It reads in order, so fewer bytes unread than after the last write mean that it
 * moves, also while there are always some.
 * Called by sink_push.c, sink_rtc.c and through sink_ops; spawning, backoff and the log of failures
 * are the supervisor's.
 */
#include "sink_child.h"

#include <linux/sockios.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "framing.h"
#include "hls_cut.h"
#include "util.h"

#define SOON_MS 2500		/* a failure mended within this loses nothing */

static void
err_line(void *ctx, const char *line)
{
	struct sink_child *c = ctx;

	c->kind->line(c, line);
}

static void
begins(struct sink_child *c)
{
	if (c->kind->begins != NULL)
		c->kind->begins(c);
}

/* --- what it takes --- */

static void
look(struct sink_child *c, int64_t now, bool written)
{
	int unread = 0;

	if (c->at.feed.fd < 0 || ioctl(c->at.feed.fd, SIOCOUTQ, &unread) == -1)
		return;
	if (!written && (unread == 0 || unread < c->unread))
		c->moved_ms = now;
	c->unread = unread;
}

/* Its stderr is read to the end. */
static void
close_child(struct sink_child *c)
{
	struct hls_feed *f = &c->at.feed;

	lines_drain(&c->err);
	lines_close(&c->err);
	c->frames += f->frames;
	c->bytes += f->bytes;
	f->frames = f->bytes = 0;
	hls_feed_close(f);
	ring_gen_unref(&f->gen);
}

static void
output_down(struct sink_child *c, const char *reason, const char *action)
{
	svc_send(c->sink.env.svc, MSG_OUTPUT_DOWN, 0, json_pack("{s:s, s:s, s:s}", "output", c->output, "reason",
	    reason, "action", action));
}

/* Its stream is over, the next one has other headers, from `from` on: no failure, and no EXITED. */
static void
begin_anew(struct sink_child *c, struct tag *from, const char *why)
{
	close_child(c);
	begins(c);
	output_down(c, why, "stop");
	c->phase = CHILD_IDLE;
	c->at.hold = c->kind->replays;
	ring_cursor_first_start(&c->at, from);
}

static void
judge_dead(struct sink_child *c, const char *why)
{
	hls_feed_close(&c->at.feed);
	output_down(c, why, "restart");
	c->phase = CHILD_ENDING;
}

static void
feed(struct sink_child *c, int64_t now)
{
	struct hls_feed *f = &c->at.feed;
	enum hls_feed_rc rc;

	look(c, now, false);
	rc = hls_feed_write(f, now);
	look(c, now, true);
	c->at.key_waits = false;
	if (rc == HLS_FEED_LAST)
		begin_anew(c, f->next, "the stream has new headers");
	else if (rc == HLS_FEED_BROKEN || (rc == HLS_FEED_ALL && c->draining))
		hls_feed_close(f);	/* broken: EXITED will say why */
}

static void
write_cb(evutil_socket_t fd, short what, void *ctx)
{
	feed(ctx, now_ms());
}

/* --- its life --- */

/* Matroska's head has it. */
static bool
wants_frame_ms(const struct sink_child *c, const struct ring_gen *g)
{
	return g->video && (c->at.feed.tracks & FRAMING_VIDEO) && framing_is_matroska(g, c->at.feed.tracks);
}

static void
ask_if_due(struct sink_child *c)
{
	const struct ring_gen *g;
	json_t *spawn;

	if (c->at.start == NULL)
		ring_cursor_newest_start(&c->at, c->sink.env.ring->head);
	if (c->phase != CHILD_IDLE || c->at.start == NULL || c->draining)
		return;
	g = c->at.start->gen;
	if ((c->kind->refuse != NULL && c->kind->refuse(c, g)) ||
	    (wants_frame_ms(c, g) && hls_cut_frame_ms(c->at.start) == 0))
		return;
	c->phase = CHILD_ASKED;
	spawn = json_pack("{s:s, s:s, s:o}", "output", c->output, "kind", c->kind->name, "params",
	    c->kind->params(c, g));
	if (c->kind->asking != NULL)
		c->kind->asking(c, spawn);
	svc_send(c->sink.env.svc, MSG_SPAWN, 0, spawn);
}

/* Was it started with what the tracks from start on need? */
static bool
fits(const struct sink_child *c, const json_t *params)
{
	json_t *want = c->kind->params(c, c->at.start->gen), *value;
	bool same = true;
	const char *key;

	json_object_foreach(want, key, value)
		same = same && json_equal(value, json_object_get(params, key));
	json_decref(want);
	return same;
}

static void
on_spawned(struct sink_child *c, struct msg *m)
{
	int in = msg_take_fd(m, 0), err = msg_take_fd(m, 1);

	if (c->phase != CHILD_ASKED || c->at.start == NULL || c->draining ||
	    !fits(c, json_object_get(m->body, "params"))) {
		close(in);
		close(err);
		return;		/* EXITED follows */
	}
	ring_cursor_set_start(&c->at, c->at.start);	/* sound of it may have come since */
	c->up_ms = c->moved_ms = now_ms();
	c->unread = 0;
	begins(c);
	ring_cursor_open(&c->at, c->sink.env.svc->base, in, write_cb, c);
	lines_open(&c->err, c->sink.env.svc->base, err);
	c->phase = CHILD_UP;
	c->at.hold = false;
	feed(c, now_ms());
}

static void
on_exited(struct sink_child *c, struct msg *m)
{
	close_child(c);
	c->phase = CHILD_IDLE;
	c->at.hold = c->kind->replays && msg_int_or(m, "retry_ms", 0) <= SOON_MS;
	ask_if_due(c);
}

static void
child_message(struct sink *s, struct msg *m)
{
	if (m->type == MSG_SPAWNED)
		on_spawned(sink_child_of(s), m);
	else if (m->type == MSG_EXITED)
		on_exited(sink_child_of(s), m);
}

static void
child_tag(struct sink *s, struct tag *t)
{
	ring_cursor_tag(&sink_child_of(s)->at, t);
}

static void
child_tick(struct sink *s, int64_t now)
{
	struct sink_child *c = sink_child_of(s);
	char why[80];

	ask_if_due(c);
	if (c->phase != CHILD_UP || c->at.feed.fd < 0)
		return;
	look(c, now, false);
	if (now - c->moved_ms > c->stuck_ms) {
		snprintf(why, sizeof(why), "%s for %.0f s", c->kind->mute, (double)c->stuck_ms / 1000);
		judge_dead(c, why);
	} else if (ring_cursor_due(&c->at, now) || (c->draining && c->at.feed.blocked_ms == 0))
		feed(c, now);
}

/* --- the ring --- */

static const struct tag *
child_needs(const struct sink *s)
{
	return ring_cursor_needs(&sink_child_const(s)->at);
}

static void
child_overrun(struct sink *s, struct tag *first)
{
	struct sink_child *c = sink_child_of(s);

	if (!ring_cursor_overrun(&c->at, first))
		judge_dead(c, "it fell behind, and the ring overran");
}

/* The video has ended: what is left has other tracks. */
static void
child_regen(struct sink *s, struct tag *first)
{
	struct sink_child *c = sink_child_of(s);

	if (first == NULL)
		return;
	ring_cursor_set_start(&c->at, NULL);
	if (c->phase == CHILD_UP)
		begin_anew(c, first, "the video has ended");
}

/* --- the end --- */

static void
child_drain(struct sink *s)
{
	struct sink_child *c = sink_child_of(s);

	c->draining = true;
	if (c->phase == CHILD_UP && c->at.feed.fd >= 0 && c->at.feed.blocked_ms == 0)
		feed(c, now_ms());
}

static void
child_free(struct sink **s)
{
	struct sink_child *c = sink_child_of(*s);

	lines_close(&c->err);
	ring_cursor_free(&c->at);
	free(c);
	*s = NULL;
}

void
sink_child_end(struct sink_child *c, const char *why)
{
	output_down(c, why, "stop");
}

bool
sink_child_busy(const struct sink_child *c)
{
	return c->draining && c->phase == CHILD_UP && c->at.feed.fd >= 0;
}

static const struct sink_ops child_ops = {
	.name = "child", .budget_ms = 20, .tag = child_tag, .tick = child_tick, .needs = child_needs,
	.overrun = child_overrun, .regen = child_regen, .message = child_message, .drain = child_drain,
	.free = child_free,
};

void
sink_child_init(struct sink_child *c, const struct sink_child_kind *kind, const struct sink_env *env,
    const char *output)
{
	c->sink.ops = &child_ops;
	c->sink.env = *env;
	c->kind = kind;
	str_copy(c->output, output, sizeof(c->output));
	ring_cursor_init(&c->at);
	c->at.ring = env->ring;
	c->at.hold = kind->replays;
	c->err = (struct lines){ .fd = -1, .line = err_line, .ctx = c };
}
