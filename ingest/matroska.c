/* matroska.c - Matroska as a live stream (contract in matroska.h). Called by framing.c and
 * frames_file.c. */
#include "matroska.h"

#include <event2/buffer.h>
#include <string.h>

#include "flv.h"

/* Element ids, RFC 9559 section 5 and RFC 8794. */
enum {
	EBML = 0x1a45dfa3, EBML_DOC_TYPE = 0x4282, EBML_DOC_TYPE_VERSION = 0x4287, EBML_DOC_TYPE_READ_VERSION = 0x4285,
	SEGMENT = 0x18538067, INFO = 0x1549a966, TIMESTAMP_SCALE = 0x2ad7b1, MUXING_APP = 0x4d80, WRITING_APP = 0x5741,
	TRACKS = 0x1654ae6b, TRACK_ENTRY = 0xae, TRACK_NUMBER = 0xd7, TRACK_UID = 0x73c5, TRACK_TYPE = 0x83,
	VIDEO = 0xe0, PIXEL_WIDTH = 0xb0, PIXEL_HEIGHT = 0xba, AUDIO = 0xe1, SAMPLING_FREQUENCY = 0xb5, CHANNELS = 0x9f,
	BIT_DEPTH = 0x6264, FLAG_LACING = 0x9c, DEFAULT_DURATION = 0x23e383, CODEC_ID = 0x86, CODEC_PRIVATE = 0x63a2,
	VOID = 0xec, CLUSTER = 0x1f43b675, TIMESTAMP = 0xe7, SIMPLE_BLOCK = 0xa3,
};
#define MS_IN_NS 1000000
#define SIZE_4 UINT32_C(0x10000000)	/* a size in four bytes */
#define BLOCK_KEY 0x80

static const struct { uint32_t codec; const char *id; bool config, not_rtmp; } codecs[] = {
	{ FLV_FOURCC('a', 'v', 'c', '1'), "V_MPEG4/ISO/AVC", true, false },
	{ FLV_FOURCC('h', 'v', 'c', '1'), "V_MPEGH/ISO/HEVC", true, false },
	{ FLV_FOURCC('a', 'v', '0', '1'), "V_AV1", true, false },
	{ FLV_FOURCC('v', 'p', '0', '9'), "V_VP9", false, false },	/* RTMP has a vpcC, Matroska something else */
	{ FLV_FOURCC('m', 'p', '4', 'a'), "A_AAC", true, false },
	{ FLV_FOURCC('O', 'p', 'u', 's'), "A_OPUS", true, false },
	{ FLV_FOURCC('.', 'm', 'p', '3'), "A_MPEG/L3", false, false },
	{ MATROSKA_MJPEG, "V_MJPEG", false, true },
	{ MATROSKA_PCM, "A_PCM/INT/LIT", false, true },
};
#define NCODECS (sizeof(codecs) / sizeof(codecs[0]))

bool
matroska_takes(uint32_t codec)
{
	for (unsigned i = 0; i < NCODECS; i++)
		if (codecs[i].codec == codec)
			return !codecs[i].not_rtmp;
	return false;
}

static void
put_be(uint8_t *p, uint64_t v, unsigned bytes)
{
	while (bytes-- > 0) {
		p[bytes] = (uint8_t)v;
		v >>= 8;
	}
}

static void
add_id(struct evbuffer *b, uint32_t id)
{
	uint8_t p[4];
	unsigned n = id > 0xffffff ? 4 : id > 0xffff ? 3 : id > 0xff ? 2 : 1;

	put_be(p, id, n);
	evbuffer_add(b, p, n);
}

static void
add_size(struct evbuffer *b, size_t len)
{
	uint8_t p[4];

	put_be(p, SIZE_4 | len, 4);
	evbuffer_add(b, p, 4);
}

static void
add_bytes(struct evbuffer *b, uint32_t id, const void *data, size_t len)
{
	add_id(b, id);
	add_size(b, len);
	evbuffer_add(b, data, len);
}

static void
add_text(struct evbuffer *b, uint32_t id, const char *text)
{
	add_bytes(b, id, text, strlen(text));
}

static void
add_number(struct evbuffer *b, uint32_t id, uint64_t v)
{
	uint8_t p[8];

	put_be(p, v, sizeof(p));
	add_bytes(b, id, p, sizeof(p));
}

/* An element with what is in `content`, which is freed. */
static void
add_master(struct evbuffer *b, uint32_t id, struct evbuffer *content)
{
	add_id(b, id);
	add_size(b, evbuffer_get_length(content));
	evbuffer_add_buffer(b, content);
	evbuffer_free(content);
}

/*
 * ffmpeg 7 takes no video without a size. One that is not known is the smallest: the decoder finds the
 * real one, but would take JPEGs lower than they were said to be for fields, two to a picture.
 */
static void
add_picture(struct evbuffer *b, const struct matroska_track *t)
{
	struct evbuffer *e = evbuffer_new();
	bool known = t->width > 0 && t->height > 0;

	add_number(e, PIXEL_WIDTH, known ? (uint64_t)t->width : 1);
	add_number(e, PIXEL_HEIGHT, known ? (uint64_t)t->height : 1);
	add_master(b, VIDEO, e);
}

static void
add_sound(struct evbuffer *b, const struct matroska_track *t)
{
	struct evbuffer *e = evbuffer_new();
	uint8_t p[8];
	uint64_t v;
	double rate = t->rate;

	memcpy(&v, &rate, sizeof(v));
	put_be(p, v, sizeof(p));
	if (t->rate > 0)
		add_bytes(e, SAMPLING_FREQUENCY, p, sizeof(p));
	if (t->channels > 0)
		add_number(e, CHANNELS, (uint64_t)t->channels);
	if (t->bits > 0)
		add_number(e, BIT_DEPTH, (uint64_t)t->bits);
	add_master(b, AUDIO, e);
}

static void
add_track(struct evbuffer *b, unsigned number, const struct matroska_track *t)
{
	struct evbuffer *e = evbuffer_new();

	add_number(e, TRACK_NUMBER, number);
	add_number(e, TRACK_UID, number);
	add_number(e, TRACK_TYPE, number);	/* 1 video, 2 audio: our numbers */
	add_number(e, FLAG_LACING, 0);
	if (t->frame_ms > 0)
		add_number(e, DEFAULT_DURATION, (uint64_t)t->frame_ms * MS_IN_NS);
	for (unsigned i = 0; i < NCODECS; i++) {
		if (codecs[i].codec != t->codec)
			continue;
		add_text(e, CODEC_ID, codecs[i].id);
		if (codecs[i].config && t->config_len > 0)
			add_bytes(e, CODEC_PRIVATE, t->config, t->config_len);
	}
	if (number == MATROSKA_VIDEO)
		add_picture(e, t);
	else
		add_sound(e, t);
	add_master(b, TRACK_ENTRY, e);
}

void
matroska_write_header(struct evbuffer *out, const struct matroska_track *video, const struct matroska_track *audio)
{
	static const uint8_t unknown[] = { 0x01, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff };
	struct evbuffer *head = evbuffer_new(), *info = evbuffer_new(), *tracks = evbuffer_new();

	add_text(head, EBML_DOC_TYPE, "matroska");
	add_number(head, EBML_DOC_TYPE_VERSION, 4);
	add_number(head, EBML_DOC_TYPE_READ_VERSION, 2);
	add_master(out, EBML, head);
	add_id(out, SEGMENT);
	evbuffer_add(out, unknown, sizeof(unknown));
	add_number(info, TIMESTAMP_SCALE, MS_IN_NS);
	add_text(info, MUXING_APP, "millrace");
	add_text(info, WRITING_APP, "millrace");
	add_master(out, INFO, info);
	if (video != NULL)
		add_track(tracks, MATROSKA_VIDEO, video);
	if (audio != NULL)
		add_track(tracks, MATROSKA_AUDIO, audio);
	add_master(out, TRACKS, tracks);
}

void
matroska_write_note(struct evbuffer *out, const char *text)
{
	add_text(out, VOID, text);
}

void
matroska_write_frame_head(uint8_t out[MATROSKA_FRAME_HEAD_BYTES], unsigned track, int64_t pts_ms, bool key,
    uint32_t len)
{
	put_be(out, CLUSTER, 4);
	put_be(out + 4, SIZE_4 | (MATROSKA_FRAME_HEAD_BYTES - 8 + len), 4);
	out[8] = TIMESTAMP;
	out[9] = 0x80 | 8;
	put_be(out + 10, (uint64_t)pts_ms, 8);
	out[18] = SIMPLE_BLOCK;
	put_be(out + 19, SIZE_4 | (4 + len), 4);
	out[23] = (uint8_t)(0x80 | track);
	put_be(out + 24, 0, 2);		/* relative to its cluster */
	out[26] = key ? BLOCK_KEY : 0;
}
