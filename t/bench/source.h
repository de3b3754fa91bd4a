/*
 * source.h - what publish.c sends: the tags of an FLV file, or H.264 and AAC made here that
 * every decoder takes (a grey picture, silence; filler NAL units and fill elements bring
 * them to the bit rate). Included by publish.c alone.
 *
 * Bodies are cut into chunks of CHUNK_BYTES once, when they are loaded: sending a tag is a
 * header of 12 bytes and these bytes as they lie.
 */
#ifndef MILLRACE_BENCH_SOURCE_H
#define MILLRACE_BENCH_SOURCE_H

#include <err.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "flv.h"
#include "util.h"

#define CHUNK_BYTES 4096
#define FILE_MAX_BYTES ((size_t)1 << 30)
#define CSID_AUDIO 4
#define CSID_DATA 5
#define CSID_VIDEO 6

struct tag {
	uint8_t type;
	bool header, key;	/* header: sent once, before the rest */
	uint32_t ts;
	uint32_t len;		/* of the body */
	size_t at, bytes;	/* in source.bytes: the body cut into chunks */
};

struct source {
	struct tag *tags;
	size_t ntags;
	uint8_t *bytes;
	size_t have, size;
	uint32_t loop_ms;	/* what is added to the timestamps each time around */
};

struct recipe { long bitrate, audio_bitrate; int fps; double gop_sec; };

static uint32_t
tag_csid(const struct tag *t)
{
	return t->type == FLV_AUDIO ? CSID_AUDIO : t->type == FLV_VIDEO ? CSID_VIDEO : CSID_DATA;
}

static void
source_put(struct source *s, const void *p, size_t n)
{
	while (s->have + n > s->size) {
		s->size = s->size ? s->size * 2 : 1 << 20;
		s->bytes = xrealloc(s->bytes, s->size);
	}
	memcpy(s->bytes + s->have, p, n);
	s->have += n;
}

static void
source_add(struct source *s, struct tag t, const uint8_t *body)
{
	uint8_t next = (uint8_t)(0xc0 | tag_csid(&t));

	t.at = s->have;
	for (uint32_t i = 0; i < t.len; i += CHUNK_BYTES) {
		if (i > 0)
			source_put(s, &next, 1);
		source_put(s, body + i, t.len - i < CHUNK_BYTES ? t.len - i : CHUNK_BYTES);
	}
	t.bytes = s->have - t.at;
	s->tags = xrealloc(s->tags, (s->ntags + 1) * sizeof(t));
	s->tags[s->ntags++] = t;
}

/* The loop's length: that of the longest track, its last frame included. */
static void
source_close(struct source *s)
{
	for (int type = FLV_AUDIO; type <= FLV_VIDEO; type++) {
		uint32_t first = 0, last = 0, n = 0, ms;

		for (size_t i = 0; i < s->ntags; i++)
			if (s->tags[i].type == type && !s->tags[i].header) {
				first = n++ == 0 ? s->tags[i].ts : first;
				last = s->tags[i].ts;
			}
		ms = n > 1 ? (uint32_t)((uint64_t)(last - first) * n / (n - 1)) : 0;
		if (ms > s->loop_ms)
			s->loop_ms = ms;
	}
	if (s->loop_ms == 0)
		errx(2, "nothing to send: fewer than two frames");
}

/* --- an FLV file --- */

static uint32_t
be24(const uint8_t *p)
{
	return (uint32_t)p[0] << 16 | (uint32_t)p[1] << 8 | p[2];
}

static void
source_file(struct source *s, const char *path)
{
	size_t len, at = FLV_HEADER_BYTES;
	uint8_t *f = (uint8_t *)file_read(path, FILE_MAX_BYTES, &len);
	uint32_t first = 0;
	bool begun = false;

	if (f == NULL)
		err(2, "%s", path);
	if (len < at || memcmp(f, "FLV", 3) != 0)
		errx(2, "%s: not an FLV file", path);
	while (len - at >= FLV_TAG_HEAD_BYTES) {
		const uint8_t *h = f + at, *body = h + FLV_TAG_HEAD_BYTES;
		struct tag t = { .type = h[0] & 31, .len = be24(h + 1), .ts = be24(h + 4) | (uint32_t)h[7] << 24 };
		struct flv_info info = { 0 };
		bool video = t.type == FLV_VIDEO, audio = t.type == FLV_AUDIO;

		if (len - at - FLV_TAG_HEAD_BYTES < t.len)
			break;
		at += FLV_TAG_HEAD_BYTES + t.len + FLV_TAG_TAIL_BYTES;
		if ((video && flv_parse_video(body, t.len, &info) < 0) ||
		    (audio && flv_parse_audio(body, t.len, &info) < 0) || info.sequence_end)
			continue;
		t.header = info.sequence_header || (!video && !audio);
		t.key = info.keyframe;
		if (!t.header && !begun) {
			begun = true;
			first = t.ts;
		}
		t.ts = t.header || t.ts < first ? 0 : t.ts - first;
		source_add(s, t, body);
		if (at > len)
			break;
	}
	free(f);
	source_close(s);
}

/* --- bits --- */

struct bits { uint8_t p[8192]; size_t n; };

static void
put_bits(struct bits *b, uint32_t v, int n)
{
	while (n-- > 0) {
		if (b->n % 8 == 0)
			b->p[b->n / 8] = 0;
		b->p[b->n / 8] |= (uint8_t)((v >> n & 1) << (7 - b->n % 8));
		b->n++;
	}
}

static void
put_ue(struct bits *b, uint32_t v)
{
	int n = 0;

	while ((v + 1) >> n > 1)
		n++;
	put_bits(b, 0, n);
	put_bits(b, v + 1, n + 1);
}

/* rbsp_trailing_bits; bytes */
static size_t
put_stop(struct bits *b)
{
	put_bits(b, 1, 1);
	while (b->n % 8 != 0)
		put_bits(b, 0, 1);
	return b->n / 8;
}

/* --- H.264 baseline, 640x352: intra pictures of flat macroblocks, and P pictures that skip all --- */

#define MB_WIDTH 40
#define MB_HEIGHT 22

struct body { uint8_t *p; size_t n; };

static void
body_put(struct body *b, const void *p, size_t n)
{
	b->p = xrealloc(b->p, b->n + n + 1);
	memcpy(b->p + b->n, p, n);
	b->n += n;
}

/* One NAL unit with emulation prevention behind a length of `length_bytes`. */
static void
body_nal(struct body *b, uint8_t head, const struct bits *rbsp, int length_bytes)
{
	size_t at = b->n, zeros = 0, n;

	body_put(b, "\0\0\0\0", (size_t)length_bytes);
	body_put(b, &head, 1);
	for (size_t i = 0; i < rbsp->n / 8; i++) {
		if (zeros >= 2 && rbsp->p[i] <= 3) {
			body_put(b, "\3", 1);
			zeros = 0;
		}
		zeros = rbsp->p[i] == 0 ? zeros + 1 : 0;
		body_put(b, rbsp->p + i, 1);
	}
	n = b->n - at - (size_t)length_bytes;
	for (int i = 0; i < length_bytes; i++)
		b->p[at + (size_t)i] = (uint8_t)(n >> 8 * (length_bytes - 1 - i));
}

static void
avc_header(struct source *s)
{
	struct bits sps = { .n = 0 }, pps = { .n = 0 };
	struct body b = { NULL, 0 };

	put_bits(&sps, 0x42c01f, 24);	/* baseline, level 3.1 */
	put_ue(&sps, 0);
	put_ue(&sps, 12);		/* frame_num of 16 bits */
	put_ue(&sps, 2);		/* output order is decoding order */
	put_ue(&sps, 1);
	put_bits(&sps, 0, 1);
	put_ue(&sps, MB_WIDTH - 1);
	put_ue(&sps, MB_HEIGHT - 1);
	put_bits(&sps, 3 << 2, 4);	/* frames only, direct 8x8; no crop, no VUI */
	put_stop(&sps);
	for (int i = 0; i < 2; i++)
		put_ue(&pps, 0);
	put_bits(&pps, 0, 2);
	for (int i = 0; i < 3; i++)
		put_ue(&pps, 0);
	put_bits(&pps, 0, 3);
	for (int i = 0; i < 3; i++)
		put_ue(&pps, 0);
	put_bits(&pps, 0, 3);
	put_stop(&pps);
	body_put(&b, "\x17\0\0\0\0\1\x42\xc0\x1f\xff\xe1", 11);
	body_nal(&b, 0x67, &sps, 2);
	body_put(&b, "\1", 1);
	body_nal(&b, 0x68, &pps, 2);
	source_add(s, (struct tag){ .type = FLV_VIDEO, .header = true, .len = (uint32_t)b.n }, b.p);
	free(b.p);
}

static void
avc_slice(struct bits *b, uint32_t frame_num, uint32_t idr)
{
	b->n = 0;
	put_ue(b, 0);
	put_ue(b, frame_num == 0 ? 7 : 5);
	put_ue(b, 0);
	put_bits(b, frame_num, 16);
	if (frame_num == 0)
		put_ue(b, idr);
	put_bits(b, 0, frame_num == 0 ? 2 : 3);
	put_ue(b, 0);			/* slice_qp_delta */
	if (frame_num == 0)
		for (int i = 0; i < MB_WIDTH * MB_HEIGHT; i++)
			put_bits(b, 0x27, 8);	/* Intra 16x16 DC, chroma DC, no residual */
	else
		put_ue(b, MB_WIDTH * MB_HEIGHT);
	put_stop(b);
}

static void
avc_frame(struct source *s, const struct recipe *r, uint32_t n, uint32_t ts, uint32_t gop)
{
	size_t want = (size_t)(r->bitrate / 8 / r->fps), fill;
	struct body b = { NULL, 0 };
	bool key = n % gop == 0;
	struct bits slice;
	uint8_t *ones;

	avc_slice(&slice, n % gop, n / gop % 2);
	body_put(&b, key ? "\x17\1\0\0\0" : "\x27\1\0\0\0", 5);
	body_nal(&b, key ? 0x65 : 0x41, &slice, 4);
	fill = want > b.n + 6 ? want - b.n - 6 : 0;
	if (fill > 0) {			/* filler data, NAL type 12 */
		uint8_t head[5] = { (uint8_t)((fill + 2) >> 24), (uint8_t)((fill + 2) >> 16),
			(uint8_t)((fill + 2) >> 8), (uint8_t)(fill + 2), 12 };

		ones = xmalloc(fill);
		memset(ones, 0xff, fill);
		body_put(&b, head, 5);
		body_put(&b, ones, fill);
		body_put(&b, "\x80", 1);
		free(ones);
	}
	source_add(s, (struct tag){ .type = FLV_VIDEO, .key = key, .ts = ts, .len = (uint32_t)b.n }, b.p);
	free(b.p);
}

/* --- AAC LC, 48 kHz stereo: silence, and fill elements up to the bit rate --- */

static void
aac_frame(struct source *s, long bitrate, uint32_t ts)
{
	size_t want = (size_t)(bitrate / 8 * 1024 / 48000), left, count;
	struct bits b = { .n = 0 };

	put_bits(&b, 0xaf01, 16);
	put_bits(&b, 1, 3);		/* a channel pair, tag 0, no common window */
	put_bits(&b, 0, 5);
	for (int i = 0; i < 2; i++) {
		put_bits(&b, 100, 8);	/* global gain; no band is coded: silence */
		put_bits(&b, 0, 11);
		put_bits(&b, 0, 3);
	}
	while (b.n / 8 + 8 < want) {
		left = want - b.n / 8 - 4;
		count = left < 269 ? left : 269;
		put_bits(&b, 6, 3);
		put_bits(&b, count < 15 ? (uint32_t)count : 15, 4);
		if (count >= 15)
			put_bits(&b, (uint32_t)count - 14, 8);
		for (size_t i = 0; i < count; i++)
			put_bits(&b, i == 0 ? 0 : 0xa5, 8);
	}
	put_bits(&b, 7, 3);
	while (b.n % 8 != 0)
		put_bits(&b, 0, 1);
	source_add(s, (struct tag){ .type = FLV_AUDIO, .ts = ts, .len = (uint32_t)(b.n / 8) }, b.p);
}

static void
synthetic_metadata(struct source *s, const struct recipe *r)
{
	static const char *const keys[] = { "width", "height", "framerate", "videocodecid", "audiocodecid" };
	double values[] = { MB_WIDTH * 16, MB_HEIGHT * 16, r->fps, 7, 10 };
	unsigned n = r->audio_bitrate > 0 ? 5 : 4;
	struct body b = { NULL, 0 };
	uint64_t v;

	body_put(&b, "\2\0\15@setDataFrame\2\0\12onMetaData\10\0\0\0\5", 34);
	for (unsigned i = 0; i < n; i++) {
		uint8_t len[2] = { 0, (uint8_t)strlen(keys[i]) }, number[9] = { 0 };

		memcpy(&v, &values[i], sizeof(v));
		for (int k = 0; k < 8; k++)
			number[1 + k] = (uint8_t)(v >> (56 - 8 * k));
		body_put(&b, len, 2);
		body_put(&b, keys[i], len[1]);
		body_put(&b, number, 9);
	}
	body_put(&b, "\0\0\11", 3);
	source_add(s, (struct tag){ .type = FLV_DATA, .header = true, .len = (uint32_t)b.n }, b.p);
	free(b.p);
}

/* As many whole GOPs as last about ten seconds. */
static void
source_synthetic(struct source *s, const struct recipe *r)
{
	uint32_t gop = (uint32_t)(r->gop_sec * r->fps + 0.5), frames, audio = 0, ts;

	gop = gop < 1 ? 1 : gop;
	frames = gop * ((uint32_t)r->fps * 10 / gop + 1);
	synthetic_metadata(s, r);
	avc_header(s);
	if (r->audio_bitrate > 0)
		source_add(s, (struct tag){ .type = FLV_AUDIO, .header = true, .len = 4 }, (const uint8_t *)"\xaf\0\x11\x90");
	for (uint32_t i = 0; i < frames; i++) {
		ts = (uint32_t)((uint64_t)i * 1000 / (uint32_t)r->fps);
		for (; r->audio_bitrate > 0 && (uint64_t)audio * 1024 * 1000 / 48000 < ts; audio++)
			aac_frame(s, r->audio_bitrate, (uint32_t)((uint64_t)audio * 1024 * 1000 / 48000));
		avc_frame(s, r, i, ts, gop);
	}
	source_close(s);
	s->loop_ms = (uint32_t)((uint64_t)frames * 1000 / (uint32_t)r->fps);
}
#endif
