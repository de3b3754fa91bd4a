/*
 * flv.c - FLV tags and Enhanced RTMP v2 tag heads (contract in flv.h; Adobe FLV 10.1 annex E,
 * veovera enhanced-rtmp v2). Pure: bytes in, facts out; every read is bounded first.
 */
#include "flv.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "be.h"

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
#define TRACKS_ONE 0
#define TRACKS_MANY_CODECS 2
#define NS_IN_MS 1000000

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
	if (c->len - c->at < bytes)
		return torn();
	*out = be_get(c->p + c->at, bytes);
	c->at += bytes;
	return 0;
}

/*
 * ModEx chain (v2, "ExVideoTagHeader"): size byte + 1, 256 stands for a 16 bit size + 1;
 * data; then a byte of ModEx type and the packet type that follows. Nanoseconds move the time
 * at which it is shown, never the message's own; every clock of ours counts ms.
 */
static int
modex(struct cursor *c, unsigned *packet_type, int32_t *offset_ms)
{
	uint32_t size, types;
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
		if (types >> 4 == 0 && size >= 3)	/* TimestampOffsetNano, UI24 */
			*offset_ms = (int32_t)((be_get(c->p + data, 3) + NS_IN_MS / 2) / NS_IN_MS);
		*packet_type = types & 15;
	}
	return 0;
}

/*
 * Multitrack: kind and real packet type in a byte, then for each track a FourCC (once for
 * all, unless each has its own codec), its id and, with more than one, its size. Narrows
 * the cursor to track 0; without one in here the message is marked as not for us.
 */
static int
multitrack(struct cursor *c, unsigned *packet_type, struct flv_info *out)
{
	uint32_t head, track, size;
	unsigned kind;

	if (get(c, 1, &head) < 0)
		return -1;
	*packet_type = head & 15;
	kind = head >> 4;
	if (kind > TRACKS_MANY_CODECS)
		return torn();
	for (bool first = true;; first = false) {
		if ((first || kind == TRACKS_MANY_CODECS) && get(c, 4, &out->codec) < 0)
			return -1;
		if (get(c, 1, &track) < 0)
			return -1;
		if (kind == TRACKS_ONE)
			break;
		if (get(c, 3, &size) < 0)
			return -1;
		if (size > c->len - c->at)
			return torn();
		if (track == 0) {
			c->len = c->at + size;
			break;
		}
		if (c->at + size == c->len)
			break;
		c->at += size;
	}
	out->multitrack = track != 0;
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
	int32_t offset_ms = 0;

	out->enhanced = true;
	if (modex(c, &type, &offset_ms) < 0)
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
	out->cts_ms += offset_ms;
	out->payload = c->at;
	out->payload_len = c->len - c->at;
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
	out->payload_len = c.len - c.at;
	return 0;
}

static int
audio_enhanced(struct cursor *c, uint8_t head, struct flv_info *out)
{
	unsigned type = head & 15;

	out->enhanced = true;
	if (modex(c, &type, &out->cts_ms) < 0)
		return -1;
	if (type == AUDIO_MULTITRACK ? multitrack(c, &type, out) < 0 : get(c, 4, &out->codec) < 0)
		return -1;
	out->sequence_header = type == 0;
	out->sequence_end = type == 2;
	out->metadata = type == AUDIO_MULTICHANNEL;
	if (type > AUDIO_MULTICHANNEL || type == 3)
		return torn();
	out->payload = c->at;
	out->payload_len = c->len - c->at;
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
	out->payload_len = c.len - c.at;
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

void
flv_codec_say(const struct flv_info *info, char *buf, size_t size)
{
	static const char *const old_video[] = { [2] = "Sorenson H.263 (flv1)", [3] = "Screen Video",
		[4] = "VP6", [5] = "VP6 with alpha", [6] = "Screen Video 2" };
	const char *name = flv_codec_name(info->codec);
	uint32_t c = info->codec;

	if (c < 16 && info->type == FLV_VIDEO)
		name = c < sizeof(old_video) / sizeof(old_video[0]) && old_video[c] != NULL ? old_video[c] : "unknown";
	if (strcmp(name, "unknown") != 0)
		snprintf(buf, size, "%s", name);
	else if (c < 16)
		snprintf(buf, size, "codec %u", c);
	else {
		char cc[4] = { (char)(c >> 24), (char)(c >> 16), (char)(c >> 8), (char)c };

		for (int i = 0; i < 4; i++)
			if (cc[i] < ' ' || cc[i] > '~')
				cc[i] = '?';
		snprintf(buf, size, "%.4s", cc);
	}
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
	be_put(out + 1, 3, body_len);
	be_put(out + 4, 3, ts_ms);
	out[7] = (uint8_t)(ts_ms >> 24);
	be_put(out + 8, 3, 0);
}

void
flv_write_tag_tail(uint8_t out[FLV_TAG_TAIL_BYTES], uint32_t body_len)
{
	be_put(out, FLV_TAG_TAIL_BYTES, body_len + FLV_TAG_HEAD_BYTES);
}

uint32_t
flv_tag_body(const uint8_t head[FLV_TAG_HEAD_BYTES])
{
	return be_get(head + 1, 3);
}

uint32_t
flv_tag_ms(const uint8_t head[FLV_TAG_HEAD_BYTES])
{
	return (uint32_t)head[7] << 24 | be_get(head + 4, 3);
}
