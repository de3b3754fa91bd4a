/* convert_probe.c: ffmpeg's own lines, and strangers' words that look like them. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>

#include "workers/jobs/convert_judge.h"

static struct convert_probe
read_lines(const char *const *lines)
{
	struct convert_probe p;

	convert_probe_init(&p);
	for (; *lines != NULL; lines++)
		convert_probe_line(&p, *lines);
	return p;
}
#define READ(...) read_lines((const char *const[]){ __VA_ARGS__, NULL })

#define H264 "[info]   Stream #0:0[0x1](und): Video: h264 (High) (avc1 / 0x31637661), yuv420p(progressive), 320x180, 25 fps"
#define AAC "[info]   Stream #0:1[0x2](und): Audio: aac (LC) (mp4a / 0x6134706D), 48000 Hz, mono, fltp, 67 kb/s (default)"

static void
what_can_be_copied_is(void **state)
{
	struct convert_probe p = READ("[info] Input #0, mov,mp4,m4a,3gp,3g2,mj2, from 'file:x':",
	    "[info]   Duration: 00:01:04.50, start: 0.000000, bitrate: 300 kb/s", H264, AAC);

	assert_int_equal(p.duration_ms, 64500);
	assert_int_equal(p.video, CONVERT_COPY);
	assert_int_equal(p.audio, CONVERT_COPY);
}

static void
other_codecs_and_pixels_are_encoded(void **state)
{
	struct convert_probe p = READ("[info]   Duration: N/A, start: -0.007000, bitrate: N/A",
	    "[info]   Stream #0:0(eng): Audio: opus, 48000 Hz, mono, fltp (default)",
	    "[info]   Stream #0:1(eng): Video: vp8, yuv420p(progressive), 640x480, SAR 1:1 DAR 4:3, 30 fps");

	assert_int_equal(p.duration_ms, -1);
	assert_int_equal(p.video, CONVERT_ENCODE);
	assert_int_equal(p.audio, CONVERT_ENCODE);
	p = READ("[info]   Duration: 00:01:inf", "[info]   Duration: -1:01:01.5", "[info]   Duration: 00:01:nan");
	assert_int_equal(p.duration_ms, -1);
	p = READ("[info]   Stream #0:0: Video: h264 (High 10), yuv420p10le(progressive), 320x180",
	    "[info]   Stream #0:1: Audio: aac (LC), 48000 Hz, 5.1, fltp");
	assert_int_equal(p.video, CONVERT_ENCODE);
	assert_int_equal(p.audio, CONVERT_ENCODE);
	p = READ("[info]   Stream #0:0: Video: none, none", "[info]   Stream #0:1: Audio: none");
	assert_int_equal(p.video, CONVERT_NONE);
	assert_int_equal(p.audio, CONVERT_NONE);
}

static void
what_is_turned_is_encoded(void **state)
{
	struct convert_probe p = READ(H264, "[info]     Side data:", "[info]       displaymatrix: rotation of -90.00 degrees", AAC);

	assert_int_equal(p.video, CONVERT_ENCODE);
	assert_int_equal(p.audio, CONVERT_COPY);
	p = READ(H264, "[info]         Display Matrix: rotation of 180.00 degrees");
	assert_int_equal(p.video, CONVERT_ENCODE);
	p = READ(H264, "[info]       displaymatrix: rotation of -0.00 degrees");
	assert_int_equal(p.video, CONVERT_COPY);
}

static void
a_cover_is_no_video(void **state)
{
	struct convert_probe p = READ("[info]   Stream #0:0: Audio: mp3, 44100 Hz, stereo, fltp, 128 kb/s",
	    "[info]   Stream #0:1: Video: mjpeg (Baseline), yuvj420p(pc), 500x500 (attached pic)");

	assert_int_equal(p.video, CONVERT_NONE);
	assert_int_equal(p.audio, CONVERT_ENCODE);
}

static void
strangers_words_and_the_output_do_not_count(void **state)
{
	struct convert_probe p = READ("[info]     title           :   Stream #0:0: Video: h264 (High), yuv420p(progressive)",
	    "[info]                     :   Duration: 99:00:00.00", "[info] Output #0, null, to 'pipe:':", H264, AAC,
	    "[info]   Duration: 00:01:04.50");

	assert_int_equal(p.video, CONVERT_NONE);
	assert_int_equal(p.audio, CONVERT_NONE);
	assert_int_equal(p.duration_ms, -1);
}

/* A full disk and a killed ffmpeg are no fault of the file. */
static void
whose_fault_it_is(void **state)
{
	static const struct { const char *said, *words; enum job_verdict verdict; } rows[] = {
		{ "Error writing trailer: No space left on device", "no space left on the disk", JOB_LATER },
		{ "killed by SIGXFSZ", "what it unfolds to is bigger than upload.max_size", JOB_REFUSED },
		{ "killed by SIGKILL", "killed by SIGKILL", JOB_AGAIN },
		{ "Cannot allocate memory", "Cannot allocate memory", JOB_AGAIN },
		{ "file:/data/upload/ab.part: Invalid data found", "Invalid data found", JOB_DEAD },
	};
	struct convert_probe source = { .duration_ms = 9000, .video = CONVERT_COPY, .audio = CONVERT_COPY };
	struct flv_walk made = { .video = true, .audio = true, .duration_ms = 9000, .key_gap_ms = 2000 };

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const char *words = rows[i].said;

		assert_int_equal(convert_judge(&words), rows[i].verdict);
		assert_string_equal(words, rows[i].words);
	}
	assert_null(convert_wrong(&source, &made, true));
	made.duration_ms = 3000;
	assert_null(convert_wrong(&source, &made, false));
	assert_non_null(convert_wrong(&source, &made, true));
	made.video = false;
	assert_non_null(convert_wrong(&source, &made, false));
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_can_be_copied_is), cmocka_unit_test(other_codecs_and_pixels_are_encoded),
		cmocka_unit_test(what_is_turned_is_encoded), cmocka_unit_test(a_cover_is_no_video),
		cmocka_unit_test(strangers_words_and_the_output_do_not_count),
		cmocka_unit_test(whose_fault_it_is),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
