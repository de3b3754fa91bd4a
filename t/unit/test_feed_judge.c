/* feed_judge.c: what browsers take, by SPSs as x264 writes them and by times; flv_avc_read() under it, torn. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "ingest/feed_judge.h"
#include "util.h"

#define BASELINE "0142c00dffe100186742c00dd90141fb0110000003001000000303c0f142a480"
#define HIGH "0164000dffe100176764000dacb20283f60220000003002000000781e28549"
#define HIGH_B "0164000dffe100196764000dacd94141fb0110000003001000000303c0f1429960"
#define MAIN_B_HRD "014d4014ffe10023674d4014eca0a0fd8088000003000800000301e3020007a12000f427261803c50a6580"
#define HIGH_10 "016e000dffe10019676e000da6cd94141fb0110000030001000003003c0f142996"
#define YUV444 "01f4000dffe1001967f4000d919b28283f6022000003000200000300781e28532c"
#define YUV422 "017a000dffe10019677a000dbcd94141fb0110000003001000000303c0f1429960"

static const struct flv_info avc = { .type = FLV_VIDEO, .codec = FLV_FOURCC('a', 'v', 'c', '1'), .payload = 5 };
static const struct flv_info hevc = { .type = FLV_VIDEO, .codec = FLV_FOURCC('h', 'v', 'c', '1'), .payload = 5 };
static const struct flv_info aac = { .type = FLV_AUDIO, .codec = FLV_FOURCC('m', 'p', '4', 'a'), .payload = 2 };
static const struct flv_info opus = { .type = FLV_AUDIO, .codec = FLV_FOURCC('O', 'p', 'u', 's'), .payload = 5 };

static size_t
record(const char *hex, uint8_t *out)
{
	size_t n = strlen(hex) / 2;

	for (size_t i = 0; i < n; i++) {
		char pair[3] = { hex[2 * i], hex[2 * i + 1], 0 };

		out[i] = (uint8_t)strtoul(pair, NULL, 16);
	}
	return n;
}

static void
add(struct ring_gen *g, const struct flv_info *info, const uint8_t *config, size_t len)
{
	uint8_t body[128] = { 0 };
	struct flv_info i = *info;

	i.payload_len = len;
	memcpy(body + i.payload, config, len);
	ring_gen_set(g, &i, body, i.payload + len);
}

static struct feed_judge
judge(const struct flv_info *video, const char *config, enum feed_transcode mode)
{
	struct ring_gen *g = ring_gen_new(NULL);
	struct feed_judge j = { .mode = mode };
	uint8_t buf[64];

	add(g, video, buf, record(config, buf));
	feed_judge_gen(&j, g);
	ring_gen_unref(&g);
	return j;
}

static void
expect(const char *config, enum feed_way way, const char *why)
{
	struct feed_judge j = judge(&avc, config, FEED_AUTO);

	assert_string_equal(j.video.why, why);
	assert_int_equal(j.video.way, way);
	assert_int_equal(j.audio.way, FEED_NONE);
}

static void
profiles_and_reordering(void **state)
{
	expect(BASELINE, FEED_COPY, "H.264 without B-frames");
	expect(HIGH, FEED_COPY, "H.264 without B-frames");
	expect(HIGH_B, FEED_TRANSCODE, "B-frames");
	expect(MAIN_B_HRD, FEED_TRANSCODE, "B-frames");
	expect(HIGH_10, FEED_TRANSCODE, "10 bits a sample");
	expect(YUV422, FEED_TRANSCODE, "4:2:2");
	expect(YUV444, FEED_TRANSCODE, "4:4:4");
	expect("01", FEED_TRANSCODE, "its SPS cannot be read");
}

static void
other_codecs_and_modes(void **state)
{
	struct feed_judge j = judge(&hevc, "01", FEED_AUTO);

	assert_int_equal(j.video.way, FEED_TRANSCODE);
	assert_string_equal(j.video.why, "hevc");
	j = judge(&hevc, "01", FEED_NEVER);
	assert_int_equal(j.video.way, FEED_REFUSED);
	assert_string_equal(j.video.why, "hevc; webrtc.transcode: never");
	assert_int_equal(judge(&avc, BASELINE, FEED_NEVER).video.way, FEED_COPY);
	assert_int_equal(judge(&avc, BASELINE, FEED_ALWAYS).video.way, FEED_TRANSCODE);
	assert_int_equal(feed_judge_mode("always"), FEED_ALWAYS);
	assert_int_equal(feed_judge_mode("never"), FEED_NEVER);
	assert_int_equal(feed_judge_mode("auto"), FEED_AUTO);
}

static void
sound(void **state)
{
	static const uint8_t stereo[] = "OpusHead\1\2\x38\1\x80\xbb\0\0\0\0\0", many[] = "OpusHead\1\6\x38\1\x80\xbb\0\0\0\0\1";
	struct ring_gen *g = ring_gen_new(NULL);
	struct feed_judge j = { .mode = FEED_NEVER };

	add(g, &aac, (const uint8_t *)"\x12\x10", 2);
	feed_judge_gen(&j, g);
	assert_int_equal(j.audio.way, FEED_TRANSCODE);	/* of sound always */
	assert_string_equal(j.audio.why, "aac");
	assert_int_equal(j.video.way, FEED_NONE);
	add(g, &opus, stereo, 19);
	feed_judge_gen(&j, g);
	assert_int_equal(j.audio.way, FEED_COPY);
	add(g, &opus, many, 19);
	feed_judge_gen(&j, g);
	assert_int_equal(j.audio.way, FEED_TRANSCODE);
	ring_gen_unref(&g);
}

/* --- where the SPS does not say --- */

/* Takes the bitstream_restriction away. */
static struct feed_judge
silent(void)
{
	struct feed_judge j = judge(&avc, MAIN_B_HRD, FEED_AUTO);

	j.video.way = FEED_WAITS;
	return j;
}

static bool
frame(struct feed_judge *j, int64_t dts_ms, int64_t pts_ms, bool key)
{
	struct tag t = { .dts_ms = dts_ms, .pts_ms = pts_ms, .key = key };

	return feed_judge_frame(j, &t);
}

static void
times_in_order_are_a_copy(void **state)
{
	struct feed_judge j = silent();
	struct tag sound = { .audio = true, .pts_ms = -1000 };
	int n = 1;

	while (n < 100 && !frame(&j, n * 40, n * 40 + 80, n == 1)) {
		assert_int_equal(j.video.way, FEED_WAITS);
		assert_false(feed_judge_frame(&j, &sound));
		n++;
	}
	assert_int_equal(n, 16);
	assert_int_equal(j.video.way, FEED_COPY);
	for (; n < 100; n++)
		assert_false(frame(&j, n * 40, n * 40 + 80, n % 50 == 0));
	assert_false(frame(&j, 4040, 10, true));	/* times that begin anew are no B-frame */
	assert_true(frame(&j, 4080, 5, false));		/* however late */
	assert_int_equal(j.video.way, FEED_TRANSCODE);
	assert_false(frame(&j, 4120, 1, false));
}

static void
a_step_back_is_a_b_frame(void **state)
{
	static const int64_t pts[] = { 80, 200, 120, 160 };
	struct feed_judge j = silent();

	for (int i = 0; i < 2; i++)
		assert_false(frame(&j, i * 40, pts[i], i == 0));
	assert_true(frame(&j, 80, pts[2], false));
	assert_string_equal(j.video.why, "B-frames");
}

static void
what_the_sps_says_is_believed(void **state)
{
	struct feed_judge j = judge(&avc, HIGH, FEED_AUTO);

	assert_false(frame(&j, 0, 80, true));
	assert_false(frame(&j, 40, 40, false));
	assert_int_equal(j.video.way, FEED_COPY);
}

static void
torn_records(void **state)
{
	static const char *const all[] = { BASELINE, HIGH, HIGH_B, MAIN_B_HRD, HIGH_10, YUV444, YUV422 };
	static const int reorder[] = { 0, 0, 2, 2, 2, 2, 2 };
	struct flv_avc info;
	uint8_t buf[64];
	size_t n;

	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		n = record(all[i], buf);
		assert_int_equal(flv_avc_read(buf, n, &info), 0);
		assert_int_equal(info.reorder, reorder[i]);
		assert_true(info.width == 320 && info.height == 240);
		for (size_t k = 0; k < n; k++) {
			uint8_t *exact = memcpy(malloc(k + 1), buf, k);

			assert_int_equal(flv_avc_read(exact, k, &info), -1);
			free(exact);
		}
		/* An SPS that ends anywhere has its size or is none, and what it does not say is not known. */
		for (size_t k = 8; k < n; k++) {
			buf[7] = (uint8_t)(k - 8);
			if (flv_avc_read(buf, k, &info) == 0 && k < n - 1)
				assert_true(info.reorder == -1 && info.width == 320);
		}
	}
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(profiles_and_reordering), cmocka_unit_test(other_codecs_and_modes),
		cmocka_unit_test(sound), cmocka_unit_test(times_in_order_are_a_copy),
		cmocka_unit_test(a_step_back_is_a_b_frame), cmocka_unit_test(what_the_sps_says_is_believed),
		cmocka_unit_test(torn_records),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
