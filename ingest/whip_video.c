/* whip_video.c - see whip_video.h. Called by whip_media.c. */
#include "whip_video.h"

#include <nettle/base64.h>
#include <stdlib.h>
#include <string.h>

#include "util.h"

#define TAG_HEAD 5		/* frame and codec, packet type, composition time (FLV E.4.3.1) */
#define KEY_AVC 0x17
#define INTER_AVC 0x27
#define HEADER 0
#define NALUS 1

void
whip_video_init(struct whip_video *v, size_t max_bytes, const struct whip_video_ops *ops, void *ctx)
{
	memset(v, 0, sizeof(*v));
	v->ops = ops;
	v->ctx = ctx;
	v->want_key = true;
	h264_unpack_init(&v->unit, max_bytes);
}

void
whip_video_free(struct whip_video *v)
{
	h264_unpack_free(&v->unit);
	free(v->body);
	v->body = NULL;
}

static void
keep_set(struct whip_video *v, const uint8_t *nal, size_t len)
{
	struct h264_set *set = (nal[0] & 31) == H264_SPS ? &v->sps : &v->pps;

	if (len > sizeof(set->nal))
		return;
	memcpy(set->nal, nal, len);
	set->len = (uint16_t)len;
}

void
whip_video_sprop(struct whip_video *v, const char *text)
{
	struct base64_decode_ctx ctx;
	uint8_t nal[BASE64_DECODE_LENGTH(2 * H264_SET_BYTES)];
	size_t n, got;

	for (const char *p = text; p != NULL && *p != '\0'; p += n + (p[n] == ',')) {
		n = strcspn(p, ",");
		got = sizeof(nal);
		base64_decode_init(&ctx);
		if (n > 0 && n <= 2 * H264_SET_BYTES && base64_decode_update(&ctx, &got, nal, n, p) == 1 &&
		    base64_decode_final(&ctx) == 1 && got > 0 &&
		    ((nal[0] & 31) == H264_SPS || (nal[0] & 31) == H264_PPS))
			keep_set(v, nal, got);
	}
}

static uint8_t *
body_room(struct whip_video *v, size_t len)
{
	if (len > v->body_cap) {
		v->body_cap = len;
		v->body = xrealloc(v->body, len);
	}
	return v->body;
}

/* 0, or -1: there is no SPS or no PPS yet. */
static int
give_record(struct whip_video *v)
{
	uint8_t record[sizeof(v->record)], *body;
	size_t n = h264_record_write(record, sizeof(record), v->sps.nal, v->sps.len, v->pps.nal, v->pps.len);

	if (n == 0)
		return -1;
	if (n == v->record_len && memcmp(record, v->record, n) == 0)
		return 0;
	memcpy(v->record, record, n);
	v->record_len = n;
	body = body_room(v, TAG_HEAD + n);
	memcpy(body, (uint8_t[TAG_HEAD]){ KEY_AVC, HEADER }, TAG_HEAD);
	memcpy(body + TAG_HEAD, record, n);
	v->ops->tag(v->ctx, v->ts, v->came_ms, body, TAG_HEAD + n);
	return 0;
}

/* Is in the header already, or of no use in FLV. */
static bool
left_out(const struct whip_video *v, const uint8_t *nal, size_t len)
{
	unsigned type = nal[0] & 31;

	if (type == H264_SPS)
		return len == v->sps.len && memcmp(nal, v->sps.nal, len) == 0;
	if (type == H264_PPS)
		return len == v->pps.len && memcmp(nal, v->pps.nal, len) == 0;
	return type == H264_AUD || type == H264_FILLER;
}

static void
learn_sets(struct whip_video *v)
{
	const uint8_t *nal;
	size_t at = 0, n;

	while ((nal = h264_nal_next(v->unit.buf, v->unit.len, &at, &n)) != NULL)
		if ((nal[0] & 31) == H264_SPS || (nal[0] & 31) == H264_PPS)
			keep_set(v, nal, n);
}

static void
give_picture(struct whip_video *v)
{
	uint8_t *body = body_room(v, TAG_HEAD + v->unit.len);
	const uint8_t *nal;
	size_t at = 0, n, len = TAG_HEAD;

	memcpy(body, (uint8_t[TAG_HEAD]){ v->unit.idr ? KEY_AVC : INTER_AVC, NALUS }, TAG_HEAD);
	while ((nal = h264_nal_next(v->unit.buf, v->unit.len, &at, &n)) != NULL) {
		if (left_out(v, nal, n))
			continue;
		memcpy(body + len, nal - 4, n + 4);
		len += n + 4;
	}
	if (len > TAG_HEAD)
		v->ops->tag(v->ctx, v->ts, v->came_ms, body, len);
}

/* What has come of a picture is all that will. */
static void
finish_unit(struct whip_video *v)
{
	bool whole;

	h264_unpack_end(&v->unit);
	whole = !v->unit.lost && v->unit.len > 0;
	v->in_unit = false;
	if (whole && (v->unit.sps || v->unit.pps))
		learn_sets(v);
	if (whole && v->unit.idr && give_record(v) == 0) {
		v->begun = true;
		v->want_key = false;
		v->key_ms = v->came_ms;
	}
	/* parameter sets alone are no picture, and break nothing when they are missing but the next key frame */
	if (v->unit.lost)
		v->want_key = true;
	if (whole && !v->want_key)
		give_picture(v);
	else
		v->dropped++;
	h264_unpack_next(&v->unit);
}

static void
begin_unit(struct whip_video *v, const struct jitter_packet *p)
{
	if (v->begun && (int32_t)(p->ts - v->ts) < 0)
		v->backwards++;
	v->in_unit = true;
	v->ts = p->ts;
	v->came_ms = p->came_ms;
	if (v->gap)
		h264_unpack_lost(&v->unit);
}

void
whip_video_packet(struct whip_video *v, const struct jitter_packet *p)
{
	if (p->len == 0)
		return;		/* padding */
	if (v->in_unit && p->ts != v->ts)
		finish_unit(v);
	if (!v->in_unit)
		begin_unit(v, p);
	v->gap = false;		/* it was in this picture, which is known to be torn */
	h264_unpack_add(&v->unit, p->payload, p->len);	/* what is wrong with it stands in unit.lost */
	if (p->marker)
		finish_unit(v);
}

void
whip_video_lost(struct whip_video *v)
{
	v->gap = true;
	v->want_key = true;
	if (v->in_unit)
		h264_unpack_lost(&v->unit);
}
