/*
 * flv.c - FLV tags and Enhanced RTMP v2 tag heads (contract in flv.h; Adobe FLV 10.1 annex E,
 * veovera enhanced-rtmp v2). Pure: bytes in, facts out; every read is bounded first.
 */
#include "flv.h"

#include <errno.h>
#include <string.h>

#define VIDEO_SEQUENCE_START 0
#define VIDEO_CODED_FRAMES 1
#define VIDEO_SEQUENCE_END 2
#define VIDEO_CODED_FRAMES_X 3
#define VIDEO_METADATA 4
#define VIDEO_TS_SEQUENCE_START 5
#define VIDEO_MULTITRACK 6
#define PACKET_MODEX 7
#define AUDIO_MULTICHANNEL 4
#define AUDIO_MULTITRACK 5

struct cursor { const uint8_t *p; size_t len, at; };

static int
torn(void)
{
	errno = EBADMSG;
	return -1;
}

static int
get(struct cursor *c, unsigned bytes, uint32_t *out)
{
	uint32_t v = 0;

	if (c->len - c->at < bytes)
		return torn();
	for (unsigned i = 0; i < bytes; i++)
		v = v << 8 | c->p[c->at++];
	*out = v;
	return 0;
}

/*
 * ModEx chain (v2, "ExVideoTagHeader"): size byte + 1, 256 stands for a 16 bit size + 1;
 * data; then a byte of ModEx type and the packet type that follows.
 */
static int
modex(struct cursor *c, unsigned *packet_type, uint32_t *nano)
{
	uint32_t size, types, v;
	size_t data;

	while (*packet_type == PACKET_MODEX) {
		if (get(c, 1, &size) < 0)
			return -1;
		size++;
		if (size == 256) {
			if (get(c, 2, &size) < 0)
				return -1;
			size++;
		}
		data = c->at;
		if (c->len - c->at < size)
			return torn();
		c->at += size;
		if (get(c, 1, &types) < 0)
			return -1;
		if (types >> 4 == 0 && size >= 3) {	/* TimestampOffsetNano, UI24 */
			v = (uint32_t)c->p[data] << 16 | (uint32_t)c->p[data + 1] << 8 | c->p[data + 2];
			*nano = v;
		}
		*packet_type = types & 15;
	}
	return 0;
}

/* Multitrack head: type and real packet type in a byte, FourCC (once, unless many codecs), track id. */
static int
multitrack(struct cursor *c, unsigned *packet_type, struct flv_info *out)
{
	uint32_t head, track, size;

	if (get(c, 1, &head) < 0)
		return -1;
	*packet_type = head & 15;
	if (get(c, 4, &out->codec) < 0 || get(c, 1, &track) < 0)
		return -1;
	out->multitrack = track != 0;
	if (head >> 4 != 0 && get(c, 3, &size) < 0)	/* not "one track": a size per track */
		return -1;
	return 0;
}

static int
cts24(struct cursor *c, int32_t *out)
{
	uint32_t v;

	if (get(c, 3, &v) < 0)
		return -1;
	*out = (int32_t)(v << 8) >> 8;
	return 0;
}

static int
video_enhanced(struct cursor *c, uint8_t head, struct flv_info *out)
{
	unsigned type = head & 15, frame = head >> 4 & 7;

	out->enhanced = true;
	if (modex(c, &type, &out->nano_offset) < 0)
		return -1;
	if (frame == 5 && type != VIDEO_METADATA) {	/* a command, no picture */
		out->metadata = true;
		return 0;
	}
	if (type == VIDEO_MULTITRACK ? multitrack(c, &type, out) < 0 : get(c, 4, &out->codec) < 0)
		return -1;
	out->sequence_header = type == VIDEO_SEQUENCE_START || type == VIDEO_TS_SEQUENCE_START;
	out->sequence_end = type == VIDEO_SEQUENCE_END;
	out->metadata = type == VIDEO_METADATA;
	out->keyframe = frame == 1 && (type == VIDEO_CODED_FRAMES || type == VIDEO_CODED_FRAMES_X);
	if (type == VIDEO_CODED_FRAMES && (out->codec == FLV_FOURCC('h', 'v', 'c', '1') ||
	    out->codec == FLV_FOURCC('a', 'v', 'c', '1') || out->codec == FLV_FOURCC('v', 'v', 'c', '1')) &&
	    cts24(c, &out->cts_ms) < 0)
		return -1;
	if (type > VIDEO_TS_SEQUENCE_START)
		return torn();
	out->payload = c->at;
	return 0;
}

int
flv_parse_video(const uint8_t *body, size_t len, struct flv_info *out)
{
	struct cursor c = { body, len, 0 };
	uint32_t head, type;

	memset(out, 0, sizeof(*out));
	out->type = FLV_VIDEO;
	if (get(&c, 1, &head) < 0)
		return -1;
	if (head & 0x80)
		return video_enhanced(&c, (uint8_t)head, out);
	out->codec = head & 15;
	if (head >> 4 == 5) {
		out->metadata = true;
		return 0;
	}
	out->keyframe = head >> 4 == 1;
	if (out->codec == 7 || out->codec == 12) {
		if (get(&c, 1, &type) < 0 || cts24(&c, &out->cts_ms) < 0)
			return -1;
		out->sequence_header = type == 0;
		out->sequence_end = type == 2;
		out->keyframe = out->keyframe && type == 1;
		if (type > 2)
			return torn();
		out->codec = out->codec == 7 ? FLV_FOURCC('a', 'v', 'c', '1') : FLV_FOURCC('h', 'v', 'c', '1');
	}
	out->payload = c.at;
	return 0;
}

static int
audio_enhanced(struct cursor *c, uint8_t head, struct flv_info *out)
{
	unsigned type = head & 15;

	out->enhanced = true;
	if (modex(c, &type, &out->nano_offset) < 0)
		return -1;
	if (type == AUDIO_MULTITRACK ? multitrack(c, &type, out) < 0 : get(c, 4, &out->codec) < 0)
		return -1;
	out->sequence_header = type == 0;
	out->sequence_end = type == 2;
	out->metadata = type == AUDIO_MULTICHANNEL;
	if (type > AUDIO_MULTICHANNEL || type == 3)
		return torn();
	out->payload = c->at;
	return 0;
}

int
flv_parse_audio(const uint8_t *body, size_t len, struct flv_info *out)
{
	static const int rates[] = { 5512, 11025, 22050, 44100 };
	struct cursor c = { body, len, 0 };
	uint32_t head, type;

	memset(out, 0, sizeof(*out));
	out->type = FLV_AUDIO;
	if (get(&c, 1, &head) < 0)
		return -1;
	if (head >> 4 == 9)
		return audio_enhanced(&c, (uint8_t)head, out);
	out->codec = head >> 4;
	out->sample_rate = rates[head >> 2 & 3];
	out->channels = 1 + (int)(head & 1);
	if (out->codec == 10) {
		if (get(&c, 1, &type) < 0)
			return -1;
		if (type > 1)
			return torn();
		out->sequence_header = type == 0;
		out->codec = FLV_FOURCC('m', 'p', '4', 'a');
	} else if (out->codec == 2 || out->codec == 14)
		out->codec = FLV_FOURCC('.', 'm', 'p', '3');
	out->payload = c.at;
	return 0;
}

const char *
flv_codec_name(uint32_t codec)
{
	static const struct { uint32_t codec; const char *name; } names[] = {
		{ FLV_FOURCC('a', 'v', 'c', '1'), "h264" }, { FLV_FOURCC('h', 'v', 'c', '1'), "hevc" },
		{ FLV_FOURCC('v', 'v', 'c', '1'), "vvc" }, { FLV_FOURCC('a', 'v', '0', '1'), "av1" },
		{ FLV_FOURCC('v', 'p', '0', '9'), "vp9" }, { FLV_FOURCC('v', 'p', '0', '8'), "vp8" },
		{ FLV_FOURCC('m', 'p', '4', 'a'), "aac" }, { FLV_FOURCC('O', 'p', 'u', 's'), "opus" },
		{ FLV_FOURCC('.', 'm', 'p', '3'), "mp3" }, { FLV_FOURCC('f', 'L', 'a', 'C'), "flac" },
		{ FLV_FOURCC('a', 'c', '-', '3'), "ac3" }, { FLV_FOURCC('e', 'c', '-', '3'), "eac3" },
		{ 6, "nellymoser" }, { 7, "g711a" }, { 8, "g711u" }, { 11, "speex" },
	};

	for (unsigned i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (names[i].codec == codec)
			return names[i].name;
	return "unknown";
}

static void
put24(uint8_t *p, uint32_t v)
{
	p[0] = (uint8_t)(v >> 16);
	p[1] = (uint8_t)(v >> 8);
	p[2] = (uint8_t)v;
}

void
flv_write_header(uint8_t out[FLV_HEADER_BYTES], bool audio, bool video)
{
	memcpy(out, "FLV\1\0\0\0\0\11\0\0\0\0", FLV_HEADER_BYTES);
	out[4] = (uint8_t)((audio ? 4 : 0) | (video ? 1 : 0));
}

void
flv_write_tag_head(uint8_t out[FLV_TAG_HEAD_BYTES], enum flv_type t, uint32_t ts_ms, uint32_t body_len)
{
	out[0] = (uint8_t)t;
	put24(out + 1, body_len);
	put24(out + 4, ts_ms & 0xffffff);
	out[7] = (uint8_t)(ts_ms >> 24);
	put24(out + 8, 0);
}

void
flv_write_tag_tail(uint8_t out[FLV_TAG_TAIL_BYTES], uint32_t body_len)
{
	uint32_t n = body_len + FLV_TAG_HEAD_BYTES;

	out[0] = (uint8_t)(n >> 24);
	put24(out + 1, n & 0xffffff);
}

/* --- sequence headers --- */

struct bits { const uint8_t *p; size_t len, at; bool over; };

static uint32_t
bits_get(struct bits *b, unsigned n)
{
	uint32_t v = 0;

	for (; n > 0; n--, b->at++) {
		if (b->at / 8 >= b->len) {
			b->over = true;
			return 0;
		}
		v = v << 1 | (b->p[b->at / 8] >> (7 - b->at % 8) & 1);
	}
	return v;
}

static uint32_t
bits_ue(struct bits *b)
{
	unsigned zeros = 0;

	while (!b->over && bits_get(b, 1) == 0)
		if (++zeros > 31) {
			b->over = true;
			return 0;
		}
	return ((1U << zeros) - 1) + bits_get(b, zeros);
}

static int32_t
bits_se(struct bits *b)
{
	uint32_t v = bits_ue(b);

	return v & 1 ? (int32_t)(v / 2 + 1) : -(int32_t)(v / 2);
}

static void
skip_scaling_lists(struct bits *b, unsigned lists)
{
	for (unsigned i = 0; i < lists && !b->over; i++) {
		int32_t last = 8, next = 8;

		if (!bits_get(b, 1))
			continue;
		for (unsigned k = 0; k < (i < 6 ? 16U : 64U) && next != 0 && !b->over; k++) {
			next = (last + bits_se(b) + 256) % 256;
			if (next != 0)
				last = next;
		}
	}
}

/* The part of the SPS that only the high profiles have (H.264 7.3.2.1.1); chroma_format_idc. */
static uint32_t
sps_high(struct bits *b)
{
	uint32_t chroma = bits_ue(b);

	if (chroma == 3)
		bits_get(b, 1);
	bits_ue(b);
	bits_ue(b);
	bits_get(b, 1);
	if (bits_get(b, 1))
		skip_scaling_lists(b, chroma == 3 ? 12 : 8);
	return chroma;
}

static bool
profile_is_high(uint32_t profile)
{
	static const uint8_t high[] = { 100, 110, 122, 244, 44, 83, 86, 118, 128, 138, 139, 134, 135 };

	return memchr(high, (int)profile, sizeof(high)) != NULL;
}

static void
sps_order(struct bits *b)
{
	uint32_t type = bits_ue(b), n;

	if (type == 0)
		bits_ue(b);
	else if (type == 1) {
		bits_get(b, 1);
		bits_se(b);
		bits_se(b);
		n = bits_ue(b);
		for (uint32_t i = 0; i < n && i < 256 && !b->over; i++)
			bits_se(b);
	}
}

static int
sps_size(const uint8_t *sps, size_t len, int *width, int *height)
{
	uint8_t raw[256];
	struct bits b = { .p = raw };
	uint32_t profile, chroma = 1, w, h, frame_mbs, l, r, t, bt, unit_x, unit_y;

	for (size_t i = 0; i < len && b.len < sizeof(raw); i++)		/* without emulation prevention */
		if (i < 2 || sps[i] != 3 || sps[i - 1] != 0 || sps[i - 2] != 0)
			raw[b.len++] = sps[i];
	bits_get(&b, 8);
	profile = bits_get(&b, 8);
	bits_get(&b, 16);
	bits_ue(&b);
	if (profile_is_high(profile))
		chroma = sps_high(&b);
	bits_ue(&b);
	sps_order(&b);
	bits_ue(&b);
	bits_get(&b, 1);
	w = (bits_ue(&b) + 1) * 16;
	h = bits_ue(&b) + 1;
	frame_mbs = bits_get(&b, 1);
	h *= frame_mbs ? 16 : 32;
	if (!frame_mbs)
		bits_get(&b, 1);
	bits_get(&b, 1);
	if (bits_get(&b, 1)) {
		l = bits_ue(&b), r = bits_ue(&b), t = bits_ue(&b), bt = bits_ue(&b);
		unit_x = chroma == 1 || chroma == 2 ? 2 : 1;
		unit_y = (chroma == 1 ? 2 : 1) * (frame_mbs ? 1 : 2);
		if (l > w || r > w || t > h || bt > h || (l + r) * unit_x >= w || (t + bt) * unit_y >= h)
			return torn();
		w -= (l + r) * unit_x;
		h -= (t + bt) * unit_y;
	}
	if (b.over || w == 0 || h == 0 || w > 32768 || h > 32768)
		return torn();
	*width = (int)w;
	*height = (int)h;
	return 0;
}

int
flv_avc_size(const uint8_t *record, size_t len, int *width, int *height)
{
	size_t n;

	if (len < 8 || record[0] != 1 || (record[5] & 31) == 0)
		return torn();
	n = (size_t)record[6] << 8 | record[7];
	if (n < 4 || n > len - 8)
		return torn();
	return sps_size(record + 8, n, width, height);
}

int
flv_aac_config(const uint8_t *asc, size_t len, int *rate, int *channels)
{
	static const int rates[] = { 96000, 88200, 64000, 48000, 44100, 32000, 24000, 22050,
		16000, 12000, 11025, 8000, 7350 };
	static const int layouts[] = { 0, 1, 2, 3, 4, 5, 6, 8 };
	struct bits b = { .p = asc, .len = len };
	uint32_t index, layout;

	if (bits_get(&b, 5) == 31)
		bits_get(&b, 6);
	index = bits_get(&b, 4);
	*rate = index == 15 ? (int)bits_get(&b, 24) : index < 13 ? rates[index] : 0;
	layout = bits_get(&b, 4);
	*channels = layout < 8 ? layouts[layout] : 0;
	return b.over || *rate == 0 ? torn() : 0;
}
