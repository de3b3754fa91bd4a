/* flv.c, flv_config.c: legacy and Enhanced RTMP heads, sequence headers, and every one of them torn. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "flv.h"

#define AVC FLV_FOURCC('a', 'v', 'c', '1')
#define HEVC FLV_FOURCC('h', 'v', 'c', '1')
#define AV1 FLV_FOURCC('a', 'v', '0', '1')
#define AAC FLV_FOURCC('m', 'p', '4', 'a')
#define OPUS FLV_FOURCC('O', 'p', 'u', 's')
#define BODY(s) (const uint8_t *)(s), sizeof(s) - 1

/* From a block of exactly len bytes, so that a read beyond it is seen by ASan. */
static int
parse(bool audio, const uint8_t *body, size_t len, struct flv_info *out)
{
	uint8_t *exact = malloc(len ? len : 1);
	int rc;

	memcpy(exact, body, len);
	rc = (audio ? flv_parse_audio : flv_parse_video)(len ? exact : exact + 1, len, out);
	free(exact);
	return rc;
}

/* Whole it parses; each shorter piece either fails or has its payload inside. */
static struct flv_info
good(bool audio, const uint8_t *body, size_t len, size_t head)
{
	struct flv_info info, part;

	assert_int_equal(parse(audio, body, len, &info), 0);
	assert_int_equal(info.type, audio ? FLV_AUDIO : FLV_VIDEO);
	assert_int_equal(info.payload, head);
	assert_true(info.payload + info.payload_len <= len);
	for (size_t n = 0; n < len; n++)
		if (parse(audio, body, n, &part) == 0)
			assert_true(n >= head && part.payload + part.payload_len <= n);
	for (size_t n = 0; n < head; n++)
		assert_int_equal(parse(audio, body, n, &part), -1);
	return info;
}

static void
bad(bool audio, const uint8_t *body, size_t len)
{
	struct flv_info info;

	assert_int_equal(parse(audio, body, len, &info), -1);
}

static void
test_legacy_video(void **state)
{
	struct flv_info i = good(false, BODY("\x17\1\xff\xff\xd8xy"), 5);

	assert_true(i.keyframe && !i.sequence_header && !i.enhanced);
	assert_int_equal(i.codec, AVC);
	assert_int_equal(i.cts_ms, -40);
	assert_int_equal(i.payload_len, 2);
	i = good(false, BODY("\x27\1\0\0\x50x"), 5);
	assert_false(i.keyframe);
	assert_int_equal(i.cts_ms, 80);
	i = good(false, BODY("\x17\0\0\0\0\1"), 5);
	assert_true(i.sequence_header && !i.keyframe);
	i = good(false, BODY("\x17\2\0\0\0"), 5);
	assert_true(i.sequence_end && !i.keyframe);
	bad(false, BODY("\x17\3\0\0\0x"));
	i = good(false, BODY("\x1c\1\0\0\0x"), 5);
	assert_int_equal(i.codec, HEVC);
	i = good(false, BODY("\x12x"), 1);	/* H.263: no packet type */
	assert_int_equal(i.codec, 2);
	assert_true(i.keyframe);
	assert_int_equal(parse(false, BODY("\x57\0"), &i), 0);
	assert_true(i.metadata && !i.keyframe);
}

static void
test_legacy_audio(void **state)
{
	struct flv_info i = good(true, BODY("\xaf\1x"), 2);

	assert_int_equal(i.codec, AAC);
	assert_int_equal(i.channels, 2);
	assert_false(i.sequence_header);
	i = good(true, BODY("\xaf\0\x11\x90"), 2);
	assert_true(i.sequence_header);
	bad(true, BODY("\xaf\2x"));
	i = good(true, BODY("\x2ex"), 1);
	assert_int_equal(i.codec, FLV_FOURCC('.', 'm', 'p', '3'));
	assert_int_equal(i.sample_rate, 44100);
	assert_int_equal(i.channels, 1);
	i = good(true, BODY("\xb2x"), 1);
	assert_string_equal(flv_codec_name(i.codec), "speex");
}

static void
test_enhanced_video(void **state)
{
	struct flv_info i = good(false, BODY("\x90hvc1xx"), 5);

	assert_true(i.enhanced && i.sequence_header && !i.keyframe);
	assert_int_equal(i.codec, HEVC);
	i = good(false, BODY("\x91hvc1\0\0\x21x"), 8);
	assert_true(i.keyframe);
	assert_int_equal(i.cts_ms, 33);
	i = good(false, BODY("\x91""avc1\xff\xff\xffx"), 8);
	assert_int_equal(i.cts_ms, -1);
	i = good(false, BODY("\xa3hvc1x"), 5);	/* CodedFramesX: no composition time */
	assert_false(i.keyframe);
	assert_int_equal(i.cts_ms, 0);
	i = good(false, BODY("\x91""av01x"), 5);
	assert_true(i.keyframe);
	assert_int_equal(i.codec, AV1);
	i = good(false, BODY("\x92vp09"), 5);
	assert_true(i.sequence_end);
	i = good(false, BODY("\x94hvc1\2\0\5color"), 5);
	assert_true(i.metadata && !i.keyframe);
	i = good(false, BODY("\x95""av01x"), 5);
	assert_true(i.sequence_header);
	assert_int_equal(parse(false, BODY("\xd1\0"), &i), 0);	/* a command frame has no FourCC */
	assert_true(i.metadata && !i.keyframe);
	bad(false, BODY("\x98hvc1x"));
	bad(false, BODY("\x9fhvc1x"));
}

static void
test_enhanced_audio(void **state)
{
	struct flv_info i = good(true, BODY("\x90OpusOpusHead"), 5);

	assert_true(i.enhanced && i.sequence_header);
	assert_int_equal(i.codec, OPUS);
	i = good(true, BODY("\x91""fLaCx"), 5);
	assert_string_equal(flv_codec_name(i.codec), "flac");
	assert_false(i.sequence_header);
	i = good(true, BODY("\x92mp4a"), 5);
	assert_true(i.sequence_end);
	i = good(true, BODY("\x94""ac-3\1\2"), 5);
	assert_true(i.metadata);
	bad(true, BODY("\x93mp4ax"));
}

/* Sizes 1, 255 (byte 254) and 256 (byte 255, then 16 bits: size - 1); two in a row. */
static void
test_modex(void **state)
{
	uint8_t big[700] = { 0x97, 255, 0x00, 0xff };
	struct flv_info i = good(false, BODY("\x97\2\x9\x27\xbf\1hvc1\0\0\5x"), 13);	/* 599,999 ns */

	assert_int_equal(i.cts_ms, 6);
	assert_true(i.keyframe);
	assert_int_equal(i.codec, HEVC);
	i = good(true, BODY("\x97\2\7\xa1\x1f\1Opusx"), 10);
	assert_int_equal(i.cts_ms, 0);	/* 499,999 ns */
	i = good(true, BODY("\x97\2\7\xa1\x20\1Opusx"), 10);
	assert_int_equal(i.cts_ms, 1);
	i = good(false, BODY("\x97\0x\x17\2\xf\x42\x3f\3hvc1x"), 13);	/* an unknown kind, then nanoseconds */
	assert_int_equal(i.cts_ms, 1);
	/* size 256: escape, 255 in 16 bits */
	big[4] = 8;
	big[4 + 256] = 0x01;
	memcpy(big + 4 + 256 + 1, "av01x", 5);
	i = good(false, big, 4 + 256 + 1 + 5, 4 + 256 + 1 + 4);
	assert_int_equal(i.cts_ms, 1);
	assert_int_equal(i.codec, AV1);
	/* size 255 needs no escape */
	big[1] = 254;
	memset(big + 2, 255, 600);
	big[2 + 255] = 0x11;	/* kind 1: not nanoseconds */
	memcpy(big + 2 + 255 + 1, "av01x", 5);
	i = good(false, big, 2 + 255 + 1 + 5, 2 + 255 + 1 + 4);
	assert_int_equal(i.cts_ms, 0);
	bad(false, BODY("\x97\xff\xff\xffxxxx"));
}

static void
test_multitrack(void **state)
{
	struct flv_info i = good(false, BODY("\x96\1hvc1\0\0\0\1x"), 10);	/* one track, id 0 */

	assert_false(i.multitrack);
	assert_true(i.keyframe);
	assert_int_equal(i.cts_ms, 1);
	i = good(false, BODY("\x96\1""av01\2x"), 7);
	assert_true(i.multitrack);
	assert_int_equal(parse(false, BODY("\x96\x13""av01\1\0\0\2xx\0\0\0\3yyy"), &i), 0);
	assert_false(i.multitrack);	/* many tracks: 0 is the second */
	assert_int_equal(i.payload, 16);
	assert_int_equal(i.payload_len, 3);
	assert_int_equal(parse(false, BODY("\x96\x23""av01\1\0\0\2xxhvc1\0\0\0\3yyy"), &i), 0);
	assert_int_equal(i.codec, HEVC);	/* each with its codec */
	assert_int_equal(i.payload_len, 3);
	assert_int_equal(parse(true, BODY("\x95\x11Opus\0\0\0\1a\1\0\0\1b"), &i), 0);
	assert_int_equal(i.payload_len, 1);
	assert_int_equal(parse(true, BODY("\x95\x11Opus\5\0\0\1a\6\0\0\1b"), &i), 0);
	assert_true(i.multitrack);
	bad(true, BODY("\x95\x11Opus\0\0\0\2a"));
	bad(true, BODY("\x95\x31Opus\0a"));
	bad(false, BODY("\x96\6hvc1\0x"));	/* a multitrack in a multitrack */
}

static void
hex(const char *text, uint8_t *out, size_t *len)
{
	*len = strlen(text) / 2;
	for (size_t i = 0; i < *len; i++) {
		char pair[3] = { text[2 * i], text[2 * i + 1], 0 };

		out[i] = (uint8_t)strtoul(pair, NULL, 16);
	}
}

/* SPSs as x264 writes them: cropping, fields, 4:2:2 and 4:4:4 with scaling matrices. */
static void
test_avc_size(void **state)
{
	static const struct { const char *sps; int width, height; } cases[] = {
		{ "67640028acd940780227e5c044000003000400000300c83c60c658", 1920, 1080 },
		{ "6742c01fd9005005bb011000000300100000030320f1832480", 1280, 720 },
		{ "67640028acd94078044fde0220000003002000000643e2c5b2c0", 1920, 1080 },
		{ "67f4000d919b282a33c7c5e022000003000200000300641e28532c", 322, 182 },
		{ "677a000dbcd941519e222f011000000300100000030320f1429960", 322, 182 },
	};
	uint8_t sps[64], record[80] = { 1, 0x64, 0, 0x28, 0xff, 0xe1 };
	int w, h;
	size_t n;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		hex(cases[i].sps, sps, &n);
		record[7] = (uint8_t)n;
		memcpy(record + 8, sps, n);
		w = h = 0;
		assert_int_equal(flv_avc_size(record, 8 + n, &w, &h), 0);
		assert_int_equal(w, cases[i].width);
		assert_int_equal(h, cases[i].height);
		for (size_t k = 0; k < 8 + n; k++)
			assert_int_equal(flv_avc_size(record, k, &w, &h), -1);
		record[7] = 7;		/* an SPS that ends in its first fields */
		assert_int_equal(flv_avc_size(record, 8 + n, &w, &h), -1);
	}
	record[5] = 0xe0;
	assert_int_equal(flv_avc_size(record, sizeof(record), &w, &h), -1);
	record[5] = 0xe1;
	record[0] = 0;
	assert_int_equal(flv_avc_size(record, sizeof(record), &w, &h), -1);
	memset(record, 0, sizeof(record));
	memcpy(record, "\1\0\0\0\xff\xe1\0\x40", 8);
	assert_int_equal(flv_avc_size(record, 72, &w, &h), -1);
}

static void
put(uint8_t *p, size_t *at, uint32_t v, int bits)
{
	for (; bits-- > 0; ++*at)
		p[*at / 8] |= (uint8_t)((v >> bits & 1) << (7 - *at % 8));
}

static void
put_ue(uint8_t *p, size_t *at, uint32_t v)
{
	int n = 0;

	while (((uint64_t)v + 1) >> n > 1)
		n++;
	put(p, at, 0, n);
	put(p, at, v + 1, n + 1);
}

/* A baseline SPS of w x h macroblocks, cropped by l, r, t, b. */
static int
sps_of(uint32_t w, uint32_t h, uint32_t l, uint32_t r, uint32_t t, uint32_t b, int *width, int *height)
{
	uint8_t record[64] = { 1, 0x42, 0xc0, 0x1f, 0xff, 0xe1, 0, 56, 0x67, 0x42, 0xc0, 0x1f };
	uint32_t fields[] = { 0, 0, 2, 1 }, crop[] = { l, r, t, b };
	size_t at = 12 * 8;

	for (int i = 0; i < 4; i++)
		put_ue(record, &at, fields[i]);
	put(record, &at, 0, 1);
	put_ue(record, &at, w - 1);
	put_ue(record, &at, h - 1);
	put(record, &at, 7, 3);		/* frames only, direct 8x8, cropped */
	for (int i = 0; i < 4; i++)
		put_ue(record, &at, crop[i]);
	put(record, &at, 1, 2);
	return flv_avc_size(record, sizeof(record), width, height);
}

static void
test_avc_size_limits(void **state)
{
	int w, h;

	assert_int_equal(sps_of(40, 23, 1, 2, 3, 4, &w, &h), 0);
	assert_int_equal(w, 640 - 2 * 3);
	assert_int_equal(h, 368 - 2 * 7);
	assert_int_equal(sps_of(1024, 1024, 0, 0, 0, 0, &w, &h), 0);
	assert_int_equal(sps_of(1025, 23, 0, 0, 0, 0, &w, &h), -1);
	assert_int_equal(sps_of(0x80000000, 23, 0, 0, 0, 0, &w, &h), -1);
	assert_int_equal(sps_of(40, 0xffffffff, 0, 0, 0, 0, &w, &h), -1);
	assert_int_equal(sps_of(1, 1, 4, 4, 0, 0, &w, &h), -1);	/* nothing is left */
	assert_int_equal(sps_of(1, 1, 0, 0, 4, 4, &w, &h), -1);
	assert_int_equal(sps_of(40, 23, 0x7fffffff, 0x7fffffff, 0, 0, &w, &h), -1);
}

static void
test_aac_config(void **state)
{
	int rate, channels;

	assert_int_equal(flv_aac_config(BODY("\x11\x90"), &rate, &channels), 0);
	assert_int_equal(rate, 48000);
	assert_int_equal(channels, 2);
	assert_int_equal(flv_aac_config(BODY("\x12\x08"), &rate, &channels), 0);
	assert_int_equal(rate, 44100);
	assert_int_equal(channels, 1);
	/* explicit SBR: object type 5, core 22050, extension 44100 */
	assert_int_equal(flv_aac_config(BODY("\x2b\x92\x08\x00"), &rate, &channels), 0);
	assert_int_equal(rate, 22050);
	assert_int_equal(channels, 2);
	/* escape: object type 2, index 15, 48001 Hz in 24 bits, 6 channels */
	assert_int_equal(flv_aac_config(BODY("\x17\x80\x5d\xc0\xb0"), &rate, &channels), 0);
	assert_int_equal(rate, 48001);
	assert_int_equal(channels, 6);
	/* escaped object type 42 (xHE-AAC): 11111 001010, index 3, 2 channels */
	assert_int_equal(flv_aac_config(BODY("\xf9\x46\x40"), &rate, &channels), 0);
	assert_int_equal(rate, 48000);
	assert_int_equal(channels, 2);
	assert_int_equal(flv_aac_config(BODY("\x16\x90"), &rate, &channels), -1);	/* index 13 is reserved */
	assert_int_equal(flv_aac_config(BODY("\x11"), &rate, &channels), -1);
	assert_int_equal(flv_aac_config(BODY(""), &rate, &channels), -1);
	assert_int_equal(flv_aac_config(BODY("\x17\x80\x5d"), &rate, &channels), -1);
}

static void
test_write(void **state)
{
	uint8_t head[FLV_TAG_HEAD_BYTES], tail[FLV_TAG_TAIL_BYTES], file[FLV_HEADER_BYTES];

	flv_write_header(file, true, false);
	assert_memory_equal(file, "FLV\1\4\0\0\0\11\0\0\0\0", 13);
	flv_write_header(file, true, true);
	assert_int_equal(file[4], 5);
	flv_write_tag_head(head, FLV_VIDEO, 0x81020304, 0x0a0b0c);
	assert_memory_equal(head, "\11\x0a\x0b\x0c\2\3\4\x81\0\0\0", 11);
	flv_write_tag_tail(tail, 0xfffff6);
	assert_memory_equal(tail, "\1\0\0\1", 4);
}

static void
said(enum flv_type type, uint32_t codec, const char *want)
{
	struct flv_info info = { .type = type, .codec = codec };
	char buf[32];

	flv_codec_say(&info, buf, sizeof(buf));
	assert_string_equal(buf, want);
}

static void
test_names(void **state)
{
	assert_string_equal(flv_codec_name(AVC), "h264");
	assert_string_equal(flv_codec_name(HEVC), "hevc");
	assert_string_equal(flv_codec_name(AAC), "aac");
	assert_string_equal(flv_codec_name(FLV_FOURCC('n', 'o', 'n', 'e')), "unknown");
	said(FLV_VIDEO, AVC, "h264");
	said(FLV_VIDEO, 2, "Sorenson H.263 (flv1)");
	said(FLV_VIDEO, 6, "Screen Video 2");
	said(FLV_VIDEO, 0, "codec 0");
	said(FLV_VIDEO, 15, "codec 15");
	said(FLV_AUDIO, 6, "nellymoser");
	said(FLV_AUDIO, 13, "codec 13");
	said(FLV_VIDEO, FLV_FOURCC('n', 'o', '\n', 0xff), "no??");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_legacy_video), cmocka_unit_test(test_legacy_audio),
		cmocka_unit_test(test_enhanced_video), cmocka_unit_test(test_enhanced_audio),
		cmocka_unit_test(test_modex), cmocka_unit_test(test_multitrack),
		cmocka_unit_test(test_avc_size), cmocka_unit_test(test_avc_size_limits),
		cmocka_unit_test(test_aac_config),
		cmocka_unit_test(test_write), cmocka_unit_test(test_names),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
