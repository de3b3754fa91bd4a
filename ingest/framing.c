/*
 * framing.c - tags as FLV or Matroska (contract in framing.h). Pure. Called by hls_feed.c and
 * rec_file.c, which write what it gives.
 *
 * A FLV tag goes out as three pieces, its framing with the first byte of the body, the rest of
 * the body in place, its tail; a Matroska frame as two, its framing and the codec's own bytes
 * in place.
 */
#include "framing.h"

#include <event2/buffer.h>

#define FRAME_TYPE_MASK 0x70	/* of a video tag's first byte */
#define FRAME_TYPE_INTER 0x20

static void
add_header(struct evbuffer *out, bool audio, int64_t ms, const uint8_t *body, size_t len)
{
	uint8_t head[FLV_TAG_HEAD_BYTES], tail[FLV_TAG_TAIL_BYTES];

	if (body == NULL)
		return;
	flv_write_tag_head(head, audio ? FLV_AUDIO : FLV_VIDEO, (uint32_t)ms, (uint32_t)len);
	flv_write_tag_tail(tail, (uint32_t)len);
	evbuffer_add(out, head, sizeof(head));
	evbuffer_add(out, body, len);
	evbuffer_add(out, tail, sizeof(tail));
}

bool
framing_is_matroska(const struct ring_gen *g, unsigned tracks)
{
	return (g->video && (tracks & FRAMING_VIDEO) && g->video_enhanced) ||
	    (g->audio && (tracks & FRAMING_AUDIO) && g->audio_enhanced);
}

void
framing_new_headers(struct evbuffer *out, const struct ring_gen *g, unsigned tracks, int64_t ms)
{
	if (g->video && (tracks & FRAMING_VIDEO))
		add_header(out, false, ms, g->video_header, g->video_len);
	if (g->audio && (tracks & FRAMING_AUDIO))
		add_header(out, true, ms, g->audio_header, g->audio_len);
}

static void
flv_headers(struct evbuffer *out, const struct ring_gen *g, unsigned tracks)
{
	uint8_t head[FLV_HEADER_BYTES];

	flv_write_header(head, g->audio && (tracks & FRAMING_AUDIO), g->video && (tracks & FRAMING_VIDEO));
	evbuffer_add(out, head, sizeof(head));
	framing_new_headers(out, g, tracks, 0);
}

static void
matroska_headers(struct evbuffer *out, const struct ring_gen *g, unsigned tracks, int64_t frame_ms)
{
	struct matroska_track video = { .codec = g->video_codec, .frame_ms = frame_ms, .width = g->width,
	    .height = g->height };
	struct matroska_track audio = { .codec = g->audio_codec, .rate = g->rate, .channels = g->channels };

	if (g->video_header != NULL) {
		video.config = g->video_header + g->video_config;
		video.config_len = g->video_config_len;
	}
	if (g->audio_header != NULL) {
		audio.config = g->audio_header + g->audio_config;
		audio.config_len = g->audio_config_len;
	}
	matroska_write_header(out, g->video && (tracks & FRAMING_VIDEO) ? &video : NULL,
	    g->audio && (tracks & FRAMING_AUDIO) ? &audio : NULL);
}

void
framing_headers(struct evbuffer *out, const struct ring_gen *g, unsigned tracks, bool matroska, int64_t frame_ms)
{
	if (matroska)
		matroska_headers(out, g, tracks, frame_ms);
	else
		flv_headers(out, g, tracks);
}

static int
frame_matroska(const struct tag *t, int64_t base_ms, struct framing *f, struct iovec *iov)
{
	matroska_write_frame_head(f->head, t->audio ? MATROSKA_AUDIO : MATROSKA_VIDEO,
	    t->pts_ms > base_ms ? t->pts_ms - base_ms : 0, t->audio || t->key, t->payload_len);
	iov[0] = (struct iovec){ f->head, MATROSKA_FRAME_HEAD_BYTES };
	iov[1] = (struct iovec){ (void *)(uintptr_t)(t->body + t->payload), t->payload_len };
	return 2;
}

static int
frame_flv(const struct tag *t, int64_t base_ms, bool key, struct framing *f, struct iovec *iov)
{
	uint32_t ms = t->dts_ms > base_ms ? (uint32_t)(t->dts_ms - base_ms) : 0;
	uint8_t *first = &f->head[FLV_TAG_HEAD_BYTES];

	flv_write_tag_head(f->head, t->audio ? FLV_AUDIO : FLV_VIDEO, ms, t->len);
	*first = t->body[0];
	if (!t->audio && t->key && !key)
		*first = (uint8_t)((*first & ~FRAME_TYPE_MASK) | FRAME_TYPE_INTER);
	flv_write_tag_tail(f->tail, t->len);
	iov[0] = (struct iovec){ f->head, FLV_TAG_HEAD_BYTES + 1 };
	iov[1] = (struct iovec){ (void *)(uintptr_t)(t->body + 1), t->len - 1 };
	iov[2] = (struct iovec){ f->tail, sizeof(f->tail) };
	return FRAMING_PIECES;
}

int
framing_tag(bool matroska, const struct tag *t, int64_t base_ms, bool key, struct framing *f,
    struct iovec iov[FRAMING_PIECES])
{
	return matroska ? frame_matroska(t, base_ms, f, iov) : frame_flv(t, base_ms, key, f, iov);
}

size_t
framing_bytes(bool matroska, const struct tag *t)
{
	return matroska ? MATROSKA_FRAME_HEAD_BYTES + t->payload_len : FLV_TAG_HEAD_BYTES + t->len + FLV_TAG_TAIL_BYTES;
}
