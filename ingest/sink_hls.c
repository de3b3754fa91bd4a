/*
 * sink_hls.c - the HLS sink (sink.h): feeds FLV to one ffmpeg, which cuts a segment at every
 * frame that this sink flags as a key frame, and lists each when ffmpeg says it is whole.
 *
 * The ring is kept from the first tag of the oldest segment that is not listed yet. So a
 * child that dies costs nothing: the next one gets the same tags, starting at that
 * segment's key frame: video from there in the ring, audio by time wherever it lies, which
 * is how ffmpeg's interleaver divided it. A new generation of tracks or headers ends the
 * child by EOF and starts another, with a DISCONTINUITY.
 * Called by session.c through sink_ops; spawning and backoff are the supervisor's.
 */
#include "sink_hls.h"

#include <errno.h>
#include <event2/buffer.h>
#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#include "conf.h"
#include "flv.h"
#include "hls_list.h"
#include "log.h"
#include "util.h"

#define TAGS_PER_WRITE 20
#define READ_TICK_MS 100
#define AUDIO_SLACK_MS 10	/* a frame is longer; times are rounded to ms on their way */
#define STUCK_CHECK_MS 1000
#define OUTPUT "hls"

enum hls_phase { HLS_IDLE, HLS_ASKED, HLS_UP, HLS_DRAINING, HLS_FAILED };

struct line_reader {
	int fd;
	struct event *ev;
	char buf[1024];
	size_t len;
};

struct hls {
	struct sink sink;
	struct hls_list list;
	enum hls_phase phase;
	struct ring_gen *gen;		/* of the child that runs */
	struct tag *start;		/* first tag of the oldest segment not listed; NULL: none yet */
	struct tag *need;		/* oldest tag in the ring that belongs to it */
	struct tag *next;		/* next to write, valid unless at_end */
	bool at_end;			/* all tags were looked at; `last` is the one before */
	bool past_start;		/* while writing: the start tag was reached */
	size_t off;			/* bytes of *next that are written */
	struct evbuffer *head;		/* FLV header and sequence headers still to be written */
	int fd_in;
	struct event *wr;
	struct line_reader err, csv;
	int64_t run, number, base_ms;
	int64_t last_cut_pts, last_write_ms, blocked_ms, up_ms, checked_ms;
	bool had_cut, cut_waits, draining;
	int64_t segment_ms, batch_ms, stuck_ms;
	struct sink_hls_stats stats;
};

static void ask(struct hls *h);
static void push(struct hls *h);

static struct hls *
hls_of(struct sink *s)
{
	return (struct hls *)(void *)s;
}

/* --- the child's descriptors --- */

static void
reader_close(struct line_reader *r)
{
	if (r->ev != NULL)
		event_free(r->ev);
	if (r->fd >= 0)
		close(r->fd);
	r->ev = NULL;
	r->fd = -1;
	r->len = 0;
}

static void
stdin_close(struct hls *h)
{
	if (h->wr != NULL)
		event_free(h->wr);
	if (h->fd_in >= 0)
		close(h->fd_in);
	h->wr = NULL;
	h->fd_in = -1;
	h->blocked_ms = 0;
}

static void
child_close(struct hls *h)
{
	stdin_close(h);
	reader_close(&h->err);
	reader_close(&h->csv);
	evbuffer_drain(h->head, evbuffer_get_length(h->head));
	ring_gen_unref(&h->gen);
}

/* --- where segments begin --- */

static bool
starts_segment(const struct tag *t)
{
	return t->cut || (!t->gen->video && t->audio);
}

static struct tag *
next_cut(const struct tag *t)
{
	struct tag *n;

	for (n = t->next; n != NULL && n->gen == t->gen; n = n->next)
		if (n->cut)
			return n;
	return NULL;
}

/* The oldest tag that a replay from `start` writes: audio of its time may lie before it. */
static void
set_start(struct hls *h, struct tag *start)
{
	h->start = h->need = start;
	if (start == NULL)
		return;
	for (struct tag *t = h->sink.env.ring->head; t != NULL && t != start; t = t->next)
		if (t->audio && t->gen == start->gen && t->dts_ms >= start->dts_ms) {
			h->need = t;
			return;
		}
}

static struct tag *
first_start_after(struct tag *t, const struct ring_gen *not)
{
	for (; t != NULL; t = t->next)
		if (t->gen != not && starts_segment(t))
			return t;
	return NULL;
}

static void
hls_tag(struct sink *s, struct tag *t)
{
	struct hls *h = hls_of(s);

	if (t->key && t->gen->video && (!h->had_cut || t->pts_ms - h->last_cut_pts >= h->segment_ms * 9 / 10 ||
	    t->pts_ms < h->last_cut_pts)) {
		t->cut = h->had_cut = h->cut_waits = true;
		h->last_cut_pts = t->pts_ms;
	}
	if (h->at_end) {
		h->next = t;
		h->at_end = false;
	}
	if (h->start == NULL && starts_segment(t)) {
		set_start(h, t);
		if (h->phase == HLS_IDLE)
			ask(h);
	}
}

/* --- listing --- */

static void
listed(struct hls *h, int64_t csv_us)
{
	struct tag *start = h->start, *end = start->gen->video ? next_cut(start) : NULL;
	int64_t duration_us = end != NULL ? (end->pts_ms - start->pts_ms) * 1000 : csv_us, next_ts, now = now_ms();
	char uri[64];

	if (duration_us <= 0)
		duration_us = 1000;
	next_ts = start->pts_ms + duration_us / 1000;
	snprintf(uri, sizeof(uri), "s%lld_%06lld.ts", (long long)h->run, (long long)h->number);
	h->stats.discontinuities += h->list.discontinuity;
	hls_list_add(&h->list, uri, duration_us, start->wall_ms, next_ts);
	h->stats.segments++;
	h->number++;
	if (end != NULL)
		h->stats.delay_ms = now - end->came_ms;
	if (!start->gen->video) {
		for (end = start->next; end != NULL && (end->gen != start->gen || !end->audio ||
		    end->dts_ms < next_ts - AUDIO_SLACK_MS); end = end->next)
			if (end->gen != start->gen)
				break;
		if (end != NULL && end->gen != start->gen)
			end = NULL;
	}
	set_start(h, end != NULL ? end : first_start_after(start, start->gen));
}

/* "s1732_000042.ts,2.021000,4.021000" */
static void
csv_line(struct hls *h, const char *line)
{
	long long run, number;
	double from, to;

	if (sscanf(line, "s%lld_%lld.ts,%lf,%lf", &run, &number, &from, &to) != 4 || run != h->run ||
	    number != h->number || h->start == NULL) {
		log_debug("unexpected segment: %s", line);
		return;
	}
	listed(h, (int64_t)((to - from) * 1e6));
}

static void
err_line(struct hls *h, const char *line)
{
	log_foreign(strstr(line, "[error]") != NULL || strstr(line, "[fatal]") != NULL ? LOG_LEVEL_WARN : LOG_LEVEL_INFO,
	    "ffmpeg " OUTPUT, line, (int)strlen(line));
}

/* Reads what is there; false at the end. */
static bool
lines(struct hls *h, struct line_reader *r, void (*cb)(struct hls *, const char *))
{
	char *nl;
	ssize_t n;

	while ((n = read(r->fd, r->buf + r->len, sizeof(r->buf) - 1 - r->len)) > 0) {
		r->len += (size_t)n;
		r->buf[r->len] = '\0';
		while ((nl = memchr(r->buf, '\n', r->len)) != NULL || r->len == sizeof(r->buf) - 1) {
			size_t used = nl != NULL ? (size_t)(nl - r->buf) + 1 : r->len;

			if (nl != NULL)
				*nl = '\0';
			cb(h, r->buf);
			memmove(r->buf, r->buf + used, r->len - used);
			r->len -= used;
			r->buf[r->len] = '\0';
		}
	}
	return n < 0 && (errno == EAGAIN || errno == EINTR);
}

static void child_over(struct hls *h, const char *reason, int64_t retry_ms);

static void
csv_cb(evutil_socket_t fd, short what, void *ctx)
{
	struct hls *h = ctx;

	if (lines(h, &h->csv, csv_line))
		return;
	event_del(h->csv.ev);
	if (h->sink.env.svc->control == NULL)	/* nobody is left to say EXITED */
		child_over(h, "its segment list ended", -1);
}

static void
err_cb(evutil_socket_t fd, short what, void *ctx)
{
	struct hls *h = ctx;

	if (!lines(h, &h->err, err_line))
		event_del(h->err.ev);
}

/* --- feeding --- */

/* Which tags the child that runs gets. */
static bool
wanted(const struct hls *h, const struct tag *t)
{
	if (t->audio)
		return h->gen->audio && (h->start == NULL || t->dts_ms >= h->base_ms);
	return h->gen->video && h->past_start;
}

static uint32_t
child_time(const struct hls *h, const struct tag *t)
{
	return t->dts_ms > h->base_ms ? (uint32_t)(t->dts_ms - h->base_ms) : 0;
}

struct framing { uint8_t head[FLV_TAG_HEAD_BYTES + 1], tail[FLV_TAG_TAIL_BYTES]; };

/* A tag as three pieces; the first byte says "key frame" only where a segment shall begin. */
static int
frame_tag(const struct hls *h, const struct tag *t, struct framing *f, struct iovec iov[3])
{
	flv_write_tag_head(f->head, t->audio ? FLV_AUDIO : FLV_VIDEO, child_time(h, t), t->len);
	f->head[FLV_TAG_HEAD_BYTES] = t->body[0];
	if (!t->audio && t->key && !t->cut)
		f->head[FLV_TAG_HEAD_BYTES] = (uint8_t)((t->body[0] & 0x8f) | 0x20);
	flv_write_tag_tail(f->tail, t->len);
	iov[0] = (struct iovec){ f->head, sizeof(f->head) };
	iov[1] = (struct iovec){ (void *)(uintptr_t)(t->body + 1), t->len - 1 };
	iov[2] = (struct iovec){ f->tail, sizeof(f->tail) };
	return 3;
}

static size_t
framed_size(const struct tag *t)
{
	return FLV_TAG_HEAD_BYTES + t->len + FLV_TAG_TAIL_BYTES;
}

static void
advance(struct hls *h)
{
	if (h->next->next == NULL)
		h->at_end = true;
	else
		h->next = h->next->next;
	h->off = 0;
}

/* Moves over tags that are not for this child. false: nothing to write (end, or another generation). */
static bool
seek(struct hls *h)
{
	while (!h->at_end) {
		if (h->next == h->start)
			h->past_start = true;
		if (h->next->gen != h->gen && h->past_start)
			return false;
		if (h->off > 0 || (h->next->gen == h->gen && wanted(h, h->next)))
			return true;
		advance(h);
	}
	return false;
}

static void
skip_bytes(struct iovec *iov, int *n, size_t off)
{
	int i = 0;

	while (i < *n && off >= iov[i].iov_len)
		off -= iov[i++].iov_len;
	memmove(iov, iov + i, sizeof(*iov) * (size_t)(*n - i));
	*n -= i;
	if (*n > 0) {
		iov[0].iov_base = (uint8_t *)iov[0].iov_base + off;
		iov[0].iov_len -= off;
	}
}

/* One writev of up to TAGS_PER_WRITE tags; 1 wrote all of them, 0 nothing left, -1 + errno. */
static int
write_some(struct hls *h)
{
	struct framing f[TAGS_PER_WRITE];
	struct iovec iov[3 * TAGS_PER_WRITE];
	const struct tag *t;
	int n = 0, tags = 0;
	ssize_t sent;
	size_t left;

	if (!seek(h))
		return 0;
	for (t = h->next; t != NULL && tags < TAGS_PER_WRITE; t = t->next) {
		if (t->gen != h->gen)
			break;
		if (t == h->start)
			h->past_start = true;
		if (!wanted(h, t))
			break;		/* rare: the next turn skips it */
		n += frame_tag(h, t, &f[tags++], iov + n);
	}
	skip_bytes(iov, &n, h->off);
	sent = writev(h->fd_in, iov, n);
	if (sent < 0)
		return -1;
	left = (size_t)sent;
	while (left > 0) {
		size_t rest = framed_size(h->next) - h->off;

		if (left < rest) {
			h->off += left;
			errno = EAGAIN;
			return -1;
		}
		left -= rest;
		advance(h);
	}
	return 1;
}

static void
write_cb(evutil_socket_t fd, short what, void *ctx)
{
	push(ctx);
}

/* Everything that is due was written, and there will be no more for this child: EOF. */
static void
maybe_eof(struct hls *h)
{
	if ((h->at_end && h->draining) || (!h->at_end && h->past_start && h->next->gen != h->gen)) {
		stdin_close(h);
		h->phase = HLS_DRAINING;
	}
}

static void
push(struct hls *h)
{
	int rc = 1;

	h->last_write_ms = now_ms();
	h->cut_waits = false;
	while (evbuffer_get_length(h->head) > 0 && rc > 0)
		rc = evbuffer_write(h->head, h->fd_in) < 0 ? -1 : 1;
	while (rc > 0)
		rc = write_some(h);
	if (rc == 0) {
		h->blocked_ms = 0;
		maybe_eof(h);
	} else if (errno == EAGAIN || errno == EINTR) {
		if (h->blocked_ms == 0)
			h->blocked_ms = h->last_write_ms;
		event_add(h->wr, NULL);
	} else
		stdin_close(h);		/* EPIPE: EXITED will say why */
}

/* --- the life of a child --- */

static void
ask(struct hls *h)
{
	const struct ring_gen *g = h->start->gen;
	int64_t run = wall_ms();
	json_t *params;
	bool odd_audio = g->audio && g->audio_codec < 16;

	h->run = run > h->run ? run : h->run + 1;
	h->number = (int64_t)h->list.state.next_sequence;
	params = json_pack("{s:I, s:I, s:I, s:I, s:s, s:s, s:b, s:b, s:b}", "run", (json_int_t)h->run,
	    "start_number", (json_int_t)h->number, "offset_ms", (json_int_t)h->start->dts_ms,
	    "segment_ms", (json_int_t)(g->video ? 0 : h->segment_ms), "container", "flv", "format", "mpegts",
	    "video", g->video, "audio", g->audio, "transcode_audio", odd_audio);
	h->phase = HLS_ASKED;
	svc_send(h->sink.env.svc, MSG_SPAWN, 0, json_pack("{s:s, s:s, s:o}", "output", OUTPUT, "kind", "hls",
	    "params", params));
}

static void
add_header(struct hls *h, bool audio, const uint8_t *body, size_t len)
{
	uint8_t head[FLV_TAG_HEAD_BYTES], tail[FLV_TAG_TAIL_BYTES];

	if (body == NULL)
		return;
	flv_write_tag_head(head, audio ? FLV_AUDIO : FLV_VIDEO, 0, (uint32_t)len);
	flv_write_tag_tail(tail, (uint32_t)len);
	evbuffer_add(h->head, head, sizeof(head));
	evbuffer_add(h->head, body, len);
	evbuffer_add(h->head, tail, sizeof(tail));
}

static void
reader_open(struct hls *h, struct line_reader *r, int fd, event_callback_fn cb)
{
	fd_cloexec_nonblock(fd);
	r->fd = fd;
	r->len = 0;
	r->ev = event_new(h->sink.env.svc->base, fd, EV_READ | EV_PERSIST, cb, h);
	event_add(r->ev, NULL);
}

static void
on_spawned(struct hls *h, struct msg *m)
{
	json_t *params = json_object_get(m->body, "params");
	int in = msg_take_fd(m, 0), err = msg_take_fd(m, 1), csv = msg_take_fd(m, 2);
	uint8_t head[FLV_HEADER_BYTES];

	if (h->phase != HLS_ASKED || h->start == NULL || csv < 0) {
		close(in);
		close(err);
		close(csv);
		return;
	}
	h->run = json_integer_value(json_object_get(params, "run"));
	h->number = json_integer_value(json_object_get(params, "start_number"));
	h->base_ms = h->start->dts_ms;
	h->gen = ring_gen_ref(h->start->gen);
	h->fd_in = in;
	fd_cloexec_nonblock(in);
	h->wr = event_new(h->sink.env.svc->base, in, EV_WRITE, write_cb, h);
	reader_open(h, &h->err, err, err_cb);
	reader_open(h, &h->csv, csv, csv_cb);
	flv_write_header(head, h->gen->audio, h->gen->video);
	evbuffer_add(h->head, head, sizeof(head));
	add_header(h, false, h->gen->video_header, h->gen->video_len);
	add_header(h, true, h->gen->audio_header, h->gen->audio_len);
	h->next = h->need;
	h->at_end = h->past_start = false;
	h->off = 0;
	h->up_ms = now_ms();
	h->phase = HLS_UP;
	push(h);
}

static void
delete_partial(struct hls *h)
{
	char path[700];

	snprintf(path, sizeof(path), "%s/s%lld_%06lld.ts", h->sink.env.dir, (long long)h->run, (long long)h->number);
	unlink(path);
}

static void
child_over(struct hls *h, const char *reason, int64_t retry_ms)
{
	bool expected = h->phase == HLS_DRAINING;
	const struct ring_gen *gen = h->gen;
	char text[160];

	if (h->csv.fd >= 0)
		lines(h, &h->csv, csv_line);
	if (h->err.fd >= 0)
		lines(h, &h->err, err_line);
	delete_partial(h);
	h->list.discontinuity = h->list.state.nsegments > 0;
	/* an expected end listed its last segment; what is left of that generation never will be */
	if (expected && h->start != NULL && h->start->gen == gen)
		set_start(h, first_start_after(h->start, gen));
	child_close(h);
	h->phase = HLS_IDLE;
	if (h->draining && (expected || h->sink.env.svc->control == NULL)) {
		h->sink.env.done(h->sink.env.ctx);
		return;
	}
	if (retry_ms < 0 && !expected) {
		h->phase = HLS_FAILED;
		snprintf(text, sizeof(text), "HLS failed: %s", reason);
		h->sink.env.warn(h->sink.env.ctx, text);
	} else if (h->start != NULL)
		ask(h);
	else if (h->draining)
		h->sink.env.done(h->sink.env.ctx);
}

static void
hls_message(struct sink *s, struct msg *m)
{
	struct hls *h = hls_of(s);

	if (m->type == MSG_SPAWNED)
		on_spawned(h, m);
	else if (m->type == MSG_EXITED)
		child_over(h, msg_str_or(m, "reason", ""), msg_int_or(m, "retry_ms", 0));
}

/* A child that takes nothing, or lists nothing although key frames came. */
static void
check_stuck(struct hls *h, int64_t now)
{
	int64_t limit = 3000LL * h->list.state.target_sec + h->stuck_ms;
	const struct tag *end;
	const char *why = NULL;

	if (h->phase != HLS_UP && h->phase != HLS_DRAINING)
		return;
	end = h->start != NULL && h->start->gen == h->gen && h->gen->video ? next_cut(h->start) : NULL;
	if (h->blocked_ms != 0 && now - h->blocked_ms > h->stuck_ms)
		why = "it took no input";
	else if (end != NULL && now - end->came_ms > limit && now - h->up_ms > limit)
		why = "it finished no segment although key frames came";
	if (why == NULL)
		return;
	log_warnx("ffmpeg hls is stuck: %s; another one takes over", why);
	stdin_close(h);
	h->up_ms = now;
	svc_send(h->sink.env.svc, MSG_OUTPUT_DOWN, 0, json_pack("{s:s, s:s, s:s}", "output", OUTPUT,
	    "reason", why, "action", "restart"));
}

static void
hls_tick(struct sink *s, int64_t now)
{
	struct hls *h = hls_of(s);

	if (h->phase == HLS_UP && h->fd_in >= 0 && h->blocked_ms == 0 &&
	    (h->cut_waits || h->draining || now - h->last_write_ms >= h->batch_ms))
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
	const struct tag *t = h->need;

	/* without a start, what the child that runs has not written yet */
	return t != NULL ? t : h->at_end ? NULL : h->next;
}

static void
hls_overrun(struct sink *s, struct tag *first)
{
	struct hls *h = hls_of(s);

	h->next = first;
	h->off = 0;
	set_start(h, first_start_after(first, NULL));
	/* a child that has half a tag can't go on; one that has not begun can */
	if (h->phase == HLS_UP) {
		stdin_close(h);
		svc_send(s->env.svc, MSG_OUTPUT_DOWN, 0, json_pack("{s:s, s:s, s:s}", "output", OUTPUT,
		    "reason", "the ring overran", "action", "restart"));
	}
}

static void
hls_drain(struct sink *s)
{
	struct hls *h = hls_of(s);

	h->draining = true;
	if (h->phase == HLS_UP && h->fd_in >= 0)
		push(h);
	else if (h->phase == HLS_IDLE || h->phase == HLS_FAILED)
		s->env.done(s->env.ctx);
}

static void
hls_free(struct sink **s)
{
	struct hls *h = hls_of(*s);

	child_close(h);
	evbuffer_free(h->head);
	free(h);
	*s = NULL;
}

void
sink_hls_endlist(struct sink *s)
{
	struct hls *h = hls_of(s);

	if (h->list.state.nsegments > 0)
		hls_list_write(&h->list, true);
}

void
sink_hls_stats(const struct sink *s, struct sink_hls_stats *out)
{
	*out = ((const struct hls *)(const void *)s)->stats;
}

static const struct sink_ops hls_ops = {
	.name = OUTPUT, .budget_ms = READ_TICK_MS, .tag = hls_tag, .tick = hls_tick, .needs = hls_needs,
	.overrun = hls_overrun, .message = hls_message, .drain = hls_drain, .free = hls_free,
};

struct sink *
sink_hls_new(const struct sink_env *env, int64_t *start_ms, bool *resumed)
{
	struct hls *h = xcalloc(1, sizeof(*h));
	const json_t *conf = env->svc->conf;

	h->sink.ops = &hls_ops;
	h->sink.env = *env;
	h->fd_in = h->err.fd = h->csv.fd = -1;
	h->at_end = true;
	h->head = evbuffer_new();
	h->segment_ms = conf_int(conf, "streams.hls.segment");
	h->batch_ms = conf_int(conf, "streams.hls.batch");
	h->stuck_ms = conf_int(conf, "streams.hls.stuck");
	*resumed = hls_list_open(&h->list, env->dir, env->name, env->app, h->segment_ms,
	    (int)conf_int(conf, "streams.hls.window"), (int)conf_int(conf, "streams.hls.keep"));
	*start_ms = h->list.state.next_ts_ms;
	return &h->sink;
}
