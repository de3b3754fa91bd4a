/* task_argv.c: what a jobs worker may ask of an ffmpeg, and which paths are refused. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include <string.h>

#include "supervisor/args.h"
#include "supervisor/task_argv.h"

static const char *why;

static int
parse(const char *kind, const char *input, const char *output, struct task_params *p)
{
	static json_t *params;		/* what p points into */

	json_decref(params);
	params = json_pack("{s:s, s:s, s:b}", "input", input, "output", output, "tail", true);
	return task_params_parse(kind, params, p, &why);
}

static void
paths_stay_inside(void **state)
{
	static const char *const bad[] = { "/etc/passwd", "../x/y", "rec/../../y", "rec/alice/..", "rec//y", "rec/", "alone",
		"", "rec/a\nb" };
	struct task_params p;

	assert_int_equal(parse("remux", "rec/a/b.flv", "recordings/a/.b.mp4.tmp", &p), 0);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_int_equal(parse("remux", bad[i], "recordings/a/b", &p), -1);
		assert_string_equal(why, "input");
		assert_int_equal(parse("remux", "rec/a/b.flv", bad[i], &p), -1);
		assert_string_equal(why, "output");
	}
	assert_int_equal(parse("shell", "rec/a/b.flv", "recordings/a/b", &p), -1);
	assert_string_equal(why, "kind");
	assert_int_equal(task_params_parse("remux", NULL, &p, &why), -1);
}

static void
has(char **argv, const char *option, const char *value)
{
	for (; argv[0] != NULL; argv++)
		if (strcmp(argv[0], option) == 0) {
			assert_string_equal(argv[1], value);
			return;
		}
	fail_msg("no %s", option);
}

static const struct task_place own = { "ffmpeg", "/data/rec/a/b.flv", "/data/recordings/a/.b.tmp", 0, false };

static void
a_remux_copies_to_a_faststart_mp4(void **state)
{
	struct task_params p;
	char **argv;

	assert_int_equal(parse("remux", "rec/a/b.flv", "recordings/a/.b.tmp", &p), 0);
	argv = task_argv(&p, &own);
	assert_string_equal(argv[0], "ffmpeg");
	has(argv, "-i", "pipe:0");
	has(argv, "-movflags", "+faststart");
	has(argv, "-c", "copy");
	has(argv, "-map", "0:v:0?");
	has(argv, "mp4", "/data/recordings/a/.b.tmp");
	args_free(&argv);
	assert_null(argv);
	p.sound_only = true;
	argv = task_argv(&p, &own);
	for (char **a = argv; *a != NULL; a++)
		assert_string_not_equal(*a, "0:v:0?");
	has(argv, "-map", "0:a:0?");
	args_free(&argv);
	p.bytes = 4711;
	argv = task_argv(&p, &own);
	has(argv, "-i", "subfile,,start,0,end,4711,,:file:/data/rec/a/b.flv");
	has(argv, "-protocol_whitelist", "subfile,file");
	args_free(&argv);
}

static void
a_check_decodes_its_end(void **state)
{
	struct task_params p;
	char **argv;

	assert_int_equal(parse("check", "recordings/a/.b.tmp", "recordings/a/.b.tmp", &p), 0);
	argv = task_argv(&p, &own);
	has(argv, "-sseof", "-3");
	has(argv, "-i", "/data/recordings/a/.b.tmp");
	has(argv, "-format_whitelist", "mov");
	has(argv, "-vf", "settb=1/1000,setpts=N");	/* its times are not what is judged */
	has(argv, "-enc_time_base:v", "1:1000");
	args_free(&argv);
}

static int
parse_text(const char *kind, const char *text, struct task_params *p)
{
	static json_t *params;

	json_decref(params);
	params = json_loads(text, 0, NULL);
	assert_non_null(params);
	return task_params_parse(kind, params, p, &why);
}

static bool
has_word(char **argv, const char *word)
{
	for (; argv[0] != NULL; argv++)
		if (strcmp(argv[0], word) == 0)
			return true;
	return false;
}

static const struct task_place sent = { "ffmpeg", "/data/upload/a.part", "/data/upload/a.tmp", 1200, false };

static void
frames_are_fitted_into_an_even_size(void **state)
{
#define FRAMES(more) "{\"input\": \"media/temp/a_1.mkv\", \"output\": \"media/video/.a_1.mp4.tmp\", \"width\": 641, " \
	"\"height\": 361" more "}"
	struct task_params p;
	char **argv;

	assert_int_equal(parse_text("frames", FRAMES(""), &p), -1);
	assert_string_equal(why, "fps");
	assert_int_equal(parse_text("frames", FRAMES(", \"fps\": 15, \"audio_ms\": -1"), &p), -1);
	assert_int_equal(parse_text("frames", FRAMES(", \"fps\": 15"), &p), 0);
	argv = task_argv(&p, &own);
	has(argv, "-r", "15");
	has(argv, "-i", "pipe:0");
	has(argv, "-vf", "scale=640:360:force_original_aspect_ratio=decrease:force_divisible_by=2:out_range=tv,"
	    "pad=640:360:(ow-iw)/2:(oh-ih)/2,setsar=1,format=yuv420p");
	has(argv, "-crf", "23");
	has(argv, "-preset", "ultrafast");
	has(argv, "-movflags", "+faststart");
	assert_false(has_word(argv, "0:a:0"));
	args_free(&argv);
	assert_int_equal(parse_text("frames", FRAMES(", \"fps\": 15, \"timed\": true, \"sound\": true, \"video_ms\": 1234"),
	    &p), 0);
	argv = task_argv(&p, &own);
	assert_false(has_word(argv, "-r"));
	has(argv, "-af", "asetpts=N/SR/TB+0.000/TB");
	has(argv, "-enc_time_base:v", "1:1000");
	has(argv, "-bsf:v", "setts=duration=max(DURATION\\,1)");
	args_free(&argv);
}

static void
playback_is_of_media_only(void **state)
{
	static const char *const bad[] = { "{}", "{\"input\": \"/etc/passwd\"}", "{\"input\": \"media/../lock\"}",
		"{\"input\": \"recordings/a/b.mp4\"}", "{\"input\": \"media/audio/a.wav\", \"samples\": -1}" };
	static const struct task_place song = { "ffmpeg", "/data/media/audio/a.wav", "-", 0, false };
	struct task_params p;
	char **argv;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(parse_text("playback", bad[i], &p), -1);
	assert_int_equal(parse_text("playback", "{\"input\": \"\"}", &p), 0);
	assert_int_equal(parse_text("playback", "{\"input\": \"media/audio/a.wav\", \"samples\": 17}", &p), 0);
	argv = task_argv(&p, &song);
	has(argv, "-i", "file:/data/media/audio/a.wav");
	has(argv, "-protocol_whitelist", "file");
	has(argv, "-af", "atrim=end_sample=17");
	has(argv, "-ar", "24000");
	assert_true(has_word(argv, "pipe:1"));
	args_free(&argv);
}

/* Both lists: a playlist is read by a whitelist of protocols alone. */
static void
a_strangers_file_gets_no_playlist_and_no_protocol(void **state)
{
	static const char *const kinds[] = { "probe", "convert" };
	struct task_params p;
	char **argv;

	for (int i = 0; i < 2; i++) {
		assert_int_equal(parse_text(kinds[i], "{\"input\": \"upload/a.part\", \"output\": \"upload/a.tmp\","
		    " \"video\": \"encode\"}", &p), 0);
		argv = task_argv(&p, &sent);
		has(argv, "-protocol_whitelist", "file");
		has(argv, "-format_whitelist", "mov,matroska,webm,flv,mpegts,mpeg,avi,ogg,wav,mp3,aac,asf");
		has(argv, "-i", "file:/data/upload/a.part");
		args_free(&argv);
	}
}

static void
a_conversion_does_what_was_asked(void **state)
{
	struct task_params p;
	char **argv;

	assert_int_equal(parse_text("convert", "{\"input\": \"upload/a.part\", \"output\": \"upload/a.tmp\"}", &p), -1);
	assert_string_equal(why, "video");
	assert_int_equal(parse_text("convert", "{\"input\": \"upload/a.part\", \"output\": \"upload/a.tmp\","
	    " \"video\": \"copy\", \"audio\": \"encode\"}", &p), 0);
	argv = task_argv(&p, &sent);
	has(argv, "-c:v", "copy");
	has(argv, "-c:a", "aac");
	has(argv, "flv", "-flvflags");
	assert_true(has_word(argv, "pipe:1"));
	args_free(&argv);
	assert_int_equal(parse_text("convert", "{\"input\": \"upload/a.part\", \"output\": \"upload/a.tmp\","
	    " \"video\": \"encode\", \"audio\": \"none\"}", &p), 0);
	argv = task_argv(&p, &sent);
	has(argv, "-c:v", "libx264");
	has(argv, "-maxrate", "1200k");
	has(argv, "-bufsize", "2400k");
	assert_false(has_word(argv, "0:a:0"));
	args_free(&argv);
}

static void
a_push_has_its_pace_and_its_name_is_one(void **state)
{
	static const char *const bad[] = { "{\"input\": \"upload/a.flv\"}", "{\"input\": \"upload/a.flv\", \"name\": \"a/b\"}",
		"{\"input\": \"upload/a.flv\", \"name\": \"\"}", "{\"input\": \"upload/a.flv\", \"name\": \"a b\"}" };
	struct task_place at = { "ffmpeg", "/data/upload/a.flv", "rtmp://h/live/x", 0, false };
	struct task_params p;
	char **argv;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_int_equal(parse_text("push", bad[i], &p), -1);
		assert_string_equal(why, "name");
	}
	assert_int_equal(parse_text("push", "{\"input\": \"upload/a.flv\", \"name\": \"x\", \"start_ms\": 61005}", &p), 0);
	argv = task_argv(&p, &at);
	assert_true(has_word(argv, "-re"));
	has(argv, "-ss", "61.005");
	has(argv, "-flvflags", "no_duration_filesize");
	assert_true(has_word(argv, "rtmp://h/live/x"));
	args_free(&argv);
	p.start_ms = 0;
	argv = task_argv(&p, &at);
	assert_false(has_word(argv, "-ss"));
	assert_false(has_word(argv, "-tls_verify"));
	args_free(&argv);
	at.output = "rtmps://h/live/x";
	at.ca_file = "/ca.pem";
	argv = task_argv(&p, &at);
	has(argv, "-tls_verify", "1");
	has(argv, "-ca_file", "/ca.pem");
	args_free(&argv);
	at.ca_file = NULL;
	argv = task_argv(&p, &at);
	assert_false(has_word(argv, "-tls_verify"));
	args_free(&argv);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(paths_stay_inside), cmocka_unit_test(a_remux_copies_to_a_faststart_mp4),
		cmocka_unit_test(a_check_decodes_its_end),
		cmocka_unit_test(frames_are_fitted_into_an_even_size), cmocka_unit_test(playback_is_of_media_only),
		cmocka_unit_test(a_strangers_file_gets_no_playlist_and_no_protocol),
		cmocka_unit_test(a_conversion_does_what_was_asked), cmocka_unit_test(a_push_has_its_pace_and_its_name_is_one),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
