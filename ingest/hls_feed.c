/*
 * hls_feed.c - tags of the ring as FLV or Matroska into ffmpeg (contract in hls_feed.h).
 * Called by sink_hls.c, which decides when.
 *
 * FLV is read without parsers, so a frame is a key frame to ffmpeg when the tag says so: only
 * where a segment shall begin does the written tag say so. A tag goes out as three pieces,
 * its framing with the first byte of the body, the rest of the body in place, its tail; a
 * Matroska frame as two, its framing and the codec's own bytes in place.
 */
#include "hls_feed.h"

#include <errno.h>
#include <event2/buffer.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#include "flv.h"
#include "hls_cut.h"
#include "matroska.h"
#include "util.h"

#define TAGS_PER_WRITE 20
#define FRAME_TYPE_MASK 0x70	/* of a video tag's first byte */
#define FRAME_TYPE_INTER 0x20

struct framing { uint8_t head[MATROSKA_FRAME_HEAD_BYTES], tail[FLV_TAG_TAIL_BYTES]; };

void
hls_feed_init(struct hls_feed *f)
{
	memset(f, 0, sizeof(*f));
	f->fd = -1;
	f->at_end = true;
	f->head = evbuffer_new();
}

static void
add_header(struct hls_feed *f, bool audio, const uint8_t *body, size_t len)
{
	uint8_t head[FLV_TAG_HEAD_BYTES], tail[FLV_TAG_TAIL_BYTES];

	if (body == NULL)
		return;
	flv_write_tag_head(head, audio ? FLV_AUDIO : FLV_VIDEO, 0, (uint32_t)len);
	flv_write_tag_tail(tail, (uint32_t)len);
	evbuffer_add(f->head, head, sizeof(head));
	evbuffer_add(f->head, body, len);
	evbuffer_add(f->head, tail, sizeof(tail));
}

static void
flv_headers(struct hls_feed *f)
{
	uint8_t head[FLV_HEADER_BYTES];

	flv_write_header(head, f->gen->audio, f->gen->video);
	evbuffer_add(f->head, head, sizeof(head));
	if (f->gen->video)
		add_header(f, false, f->gen->video_header, f->gen->video_len);
	if (f->gen->audio)
		add_header(f, true, f->gen->audio_header, f->gen->audio_len);
}

static void
matroska_headers(struct hls_feed *f, const struct tag *start)
{
	const struct ring_gen *g = f->gen;
	struct matroska_track video = { .codec = g->video_codec, .frame_ms = hls_cut_frame_ms(start),
	    .width = g->width, .height = g->height };
	struct matroska_track audio = { .codec = g->audio_codec, .rate = g->rate, .channels = g->channels };

	if (g->video_header != NULL) {
		video.config = g->video_header + g->video_config;
		video.config_len = g->video_config_len;
	}
	if (g->audio_header != NULL) {
		audio.config = g->audio_header + g->audio_config;
		audio.config_len = g->audio_config_len;
	}
	matroska_write_header(f->head, g->video ? &video : NULL, g->audio ? &audio : NULL);
}

void
hls_feed_open(struct hls_feed *f, struct event_base *base, int fd, struct tag *start, struct tag *need,
    int64_t base_ms, event_callback_fn writable, void *ctx)
{
	fd_cloexec_nonblock(fd);
	f->fd = fd;
	f->wr = event_new(base, fd, EV_WRITE, writable, ctx);
	f->gen = ring_gen_ref(start->gen);
	f->matroska = ring_gen_enhanced(f->gen);
	f->start = start;
	f->base_ms = base_ms;
	f->audio_from_ms = hls_cut_audio_from(start);
	f->next = need;
	f->at_end = f->past_start = false;
	f->off = 0;
	if (f->matroska)
		matroska_headers(f, start);
	else
		flv_headers(f);
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
		return f->gen->audio && t->dts_ms >= f->audio_from_ms;
	return f->gen->video && f->past_start;
}

static int
frame_matroska(const struct hls_feed *f, const struct tag *t, struct framing *g, struct iovec iov[2])
{
	matroska_write_frame_head(g->head, t->audio ? MATROSKA_AUDIO : MATROSKA_VIDEO,
	    t->pts_ms > f->base_ms ? t->pts_ms - f->base_ms : 0, t->audio || t->key, t->payload_len);
	iov[0] = (struct iovec){ g->head, MATROSKA_FRAME_HEAD_BYTES };
	iov[1] = (struct iovec){ (void *)(uintptr_t)(t->body + t->payload), t->payload_len };
	return 2;
}

static int
frame_flv(const struct hls_feed *f, const struct tag *t, struct framing *g, struct iovec iov[3])
{
	uint32_t ms = t->dts_ms > f->base_ms ? (uint32_t)(t->dts_ms - f->base_ms) : 0;
	uint8_t *first = &g->head[FLV_TAG_HEAD_BYTES];

	flv_write_tag_head(g->head, t->audio ? FLV_AUDIO : FLV_VIDEO, ms, t->len);
	*first = t->body[0];
	if (!t->audio && t->key && !t->cut)
		*first = (uint8_t)((*first & ~FRAME_TYPE_MASK) | FRAME_TYPE_INTER);
	flv_write_tag_tail(g->tail, t->len);
	iov[0] = (struct iovec){ g->head, FLV_TAG_HEAD_BYTES + 1 };
	iov[1] = (struct iovec){ (void *)(uintptr_t)(t->body + 1), t->len - 1 };
	iov[2] = (struct iovec){ g->tail, sizeof(g->tail) };
	return 3;
}

static size_t
framed_bytes(const struct hls_feed *f, const struct tag *t)
{
	return f->matroska ? MATROSKA_FRAME_HEAD_BYTES + t->payload_len :
	    FLV_TAG_HEAD_BYTES + t->len + FLV_TAG_TAIL_BYTES;
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
		size_t rest = framed_bytes(f, f->next) - f->off;

		if (sent < rest) {
			f->off += sent;
			return false;
		}
		sent -= rest;
		advance(f);
	}
	return true;
}

/* One writev; 1: go on, 0: it would block, -1 + errno. */
static int
write_some(struct hls_feed *f)
{
	struct framing g[TAGS_PER_WRITE];
	struct iovec iov[3 * TAGS_PER_WRITE];
	const struct tag *t;
	int n = 0, tags = 0;
	ssize_t sent;

	for (t = f->next; t != NULL && tags < TAGS_PER_WRITE && t->gen == f->gen; t = t->next) {
		if (t == f->start)
			f->past_start = true;
		if (!wanted(f, t))
			break;		/* rare: the next turn skips it */
		n += (f->matroska ? frame_matroska : frame_flv)(f, t, &g[tags++], iov + n);
	}
	skip_bytes(iov, &n, f->off);
	sent = writev(f->fd, iov, n);
	if (sent < 0)
		return errno == EAGAIN || errno == EINTR ? 0 : -1;
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
