/*
 * hls_feed.c - tags of the ring as FLV or Matroska into ffmpeg (contract in hls_feed.h).
 * Called by sink_hls.c and ring_cursor.c, which decide when.
 *
 * FLV is read without parsers, so a frame is a key frame to ffmpeg when the tag says so: only
 * where a segment shall begin does the written tag say so.
 */
#include "hls_feed.h"

#include <errno.h>
#include <event2/buffer.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#include "framing.h"
#include "hls_cut.h"
#include "util.h"

#define TAGS_PER_WRITE 20

void
hls_feed_init(struct hls_feed *f)
{
	memset(f, 0, sizeof(*f));
	f->fd = -1;
	f->at_end = true;
	f->tracks = FRAMING_ALL;
	f->head = evbuffer_new();
}

static void
begin(struct hls_feed *f, struct tag *start, struct tag *need)
{
	f->gen = ring_gen_ref(start->gen);
	f->start = start;
	f->audio_from_ms = hls_cut_audio_from(start);
	f->next = need;
	f->at_end = f->past_start = false;
	f->off = 0;
}

void
hls_feed_open(struct hls_feed *f, struct event_base *base, int fd, struct tag *start, struct tag *need,
    int64_t base_ms, event_callback_fn writable, void *ctx)
{
	fd_cloexec_nonblock(fd);
	f->fd = fd;
	f->wr = event_new(base, fd, EV_WRITE, writable, ctx);
	begin(f, start, need);
	f->matroska = !f->only_flv && framing_is_matroska(f->gen, f->tracks);
	f->base_ms = base_ms;
	f->bytes = f->frames = 0;
	framing_headers(f->head, f->gen, f->tracks, f->matroska, hls_cut_frame_ms(start));
}

void
hls_feed_go_on(struct hls_feed *f, struct tag *start, struct tag *need)
{
	ring_gen_unref(&f->gen);
	begin(f, start, need);
	framing_new_headers(f->head, f->gen, f->tracks, start->dts_ms - f->base_ms);
}

void
hls_feed_close(struct hls_feed *f)
{
	if (f->wr != NULL)
		event_free(f->wr);
	if (f->fd >= 0)
		close(f->fd);
	f->wr = NULL;
	f->fd = -1;
	f->blocked_ms = 0;
	f->at_end = true;	/* `next` may go with the ring */
	f->off = 0;
	evbuffer_drain(f->head, evbuffer_get_length(f->head));
}

void
hls_feed_free(struct hls_feed *f)
{
	hls_feed_close(f);
	ring_gen_unref(&f->gen);
	evbuffer_free(f->head);
	f->head = NULL;
}

void
hls_feed_appended(struct hls_feed *f, struct tag *t)
{
	if (f->fd < 0 || !f->at_end)
		return;
	f->next = t;
	f->at_end = false;
}

bool
hls_feed_has(const struct hls_feed *f, const struct tag *t)
{
	if (f->fd < 0 || f->at_end)
		return true;
	for (const struct tag *n = f->next; n != NULL; n = n->next)
		if (n == t)
			return n == f->next && f->off > 0;
	return true;
}

static bool
wanted(const struct hls_feed *f, const struct tag *t)
{
	if (t->audio)
		return f->gen->audio && (f->tracks & FRAMING_AUDIO) && t->dts_ms >= f->audio_from_ms;
	return f->gen->video && (f->tracks & FRAMING_VIDEO) && f->past_start;
}

static void
advance(struct hls_feed *f)
{
	if (f->next->next == NULL)
		f->at_end = true;
	else
		f->next = f->next->next;
	f->off = 0;
}

/* Moves over tags that are not for this child; ALL or LAST: nothing to write, BLOCKED: something is. */
static enum hls_feed_rc
seek(struct hls_feed *f)
{
	while (!f->at_end) {
		if (f->next == f->start)
			f->past_start = true;
		if (f->next->gen != f->gen && f->past_start)
			return HLS_FEED_LAST;
		if (f->off > 0 || (f->next->gen == f->gen && wanted(f, f->next)))
			return HLS_FEED_BLOCKED;
		advance(f);
	}
	return HLS_FEED_ALL;
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

/* Moves on by what writev took; false: not the whole of it. */
static bool
written(struct hls_feed *f, size_t sent)
{
	while (sent > 0) {
		size_t rest = framing_bytes(f->matroska, f->next) - f->off;

		if (sent < rest) {
			f->off += sent;
			return false;
		}
		sent -= rest;
		f->frames++;
		advance(f);
	}
	return true;
}

static bool
is_key(const struct hls_feed *f, const struct tag *t)
{
	return t->cut || f->every_key;
}

unsigned
hls_feed_skip(struct hls_feed *f, const struct tag *to)
{
	struct iovec iov[FRAMING_PIECES];
	struct framing g;
	unsigned left_out = 0;
	int n;

	if (f->fd < 0 || f->at_end)
		return 0;
	if (f->off > 0) {
		n = framing_tag(f->matroska, f->next, f->base_ms, is_key(f, f->next), &g, iov);
		skip_bytes(iov, &n, f->off);
		for (int i = 0; i < n; i++)
			evbuffer_add(f->head, iov[i].iov_base, iov[i].iov_len);
		advance(f);
	}
	for (; !f->at_end && f->next != to; left_out++)
		advance(f);
	f->past_start = true;
	return left_out;
}

/* One writev; 1: go on, 0: it would block, -1 + errno. */
static int
write_some(struct hls_feed *f)
{
	struct framing g[TAGS_PER_WRITE];
	struct iovec iov[FRAMING_PIECES * TAGS_PER_WRITE];
	const struct tag *t;
	int n = 0, tags = 0;
	ssize_t sent;

	for (t = f->next; t != NULL && tags < TAGS_PER_WRITE && t->gen == f->gen; t = t->next) {
		if (t == f->start)
			f->past_start = true;
		if (!wanted(f, t) && (t != f->next || f->off == 0))
			break;		/* the next turn skips it */
		n += framing_tag(f->matroska, t, f->base_ms, is_key(f, t), &g[tags++], iov + n);
	}
	skip_bytes(iov, &n, f->off);
	sent = writev(f->fd, iov, n);
	if (sent < 0)
		return errno == EAGAIN || errno == EINTR ? 0 : -1;
	f->bytes += (uint64_t)sent;
	return written(f, (size_t)sent) ? 1 : 0;
}

static int
write_head(struct hls_feed *f)
{
	if (evbuffer_write(f->head, f->fd) >= 0)
		return 1;
	return errno == EAGAIN || errno == EINTR ? 0 : -1;
}

enum hls_feed_rc
hls_feed_write(struct hls_feed *f, int64_t now)
{
	enum hls_feed_rc rc = HLS_FEED_BLOCKED;
	int more = 1;

	f->last_ms = now;
	while (more > 0 && evbuffer_get_length(f->head) > 0)
		more = write_head(f);
	while (more > 0 && (rc = seek(f)) == HLS_FEED_BLOCKED)
		more = write_some(f);
	if (more < 0)
		return HLS_FEED_BROKEN;
	if (rc != HLS_FEED_BLOCKED) {
		f->blocked_ms = 0;
		return rc;
	}
	if (f->blocked_ms == 0)
		f->blocked_ms = now;
	event_add(f->wr, NULL);
	return HLS_FEED_BLOCKED;
}
