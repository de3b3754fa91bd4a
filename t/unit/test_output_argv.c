/* output_argv.c: every param is checked, and the argv is the measured one, word for word. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "supervisor/args.h"
#include "supervisor/output_argv.h"

static json_t *
good(void)
{
	return json_pack("{s:I, s:i, s:I, s:i, s:s, s:s, s:b, s:b, s:b}", "run",
	    (json_int_t)1732170000123, "start_number", 42, "offset_ms", (json_int_t)3600021,
	    "segment_ms", 1000, "container", "flv", "format", "mpegts", "video", 1, "audio", 1,
	    "transcode_audio", 0);
}

/* The argv of `good` with one key changed (value stolen), words joined by spaces. */
static char *
line_with(const char *key, json_t *value)
{
	json_t *params = good();
	struct output_params p;
	char **argv, *line = calloc(1, 4096);
	const char *why;
	int i;

	if (key != NULL)
		json_object_set_new(params, key, value);
	assert_int_equal(output_params_parse(params, &p, &why), 0);
	argv = output_argv(&p, "ffmpeg", "/d/hls/alice");
	for (i = 0; argv[i] != NULL; i++) {
		strcat(line, i > 0 ? " " : "");
		strcat(line, argv[i]);
	}
	args_free(&argv);
	assert_null(argv);
	json_decref(params);
	return line;
}

static void
has(const char *key, json_t *value, const char *part, bool wanted)
{
	char *line = line_with(key, value);

	if ((strstr(line, part) != NULL) != wanted)
		fail_msg("\"%s\" %s \"%s\"", line, wanted ? "lacks" : "has", part);
	free(line);
}

static void
test_whole(void **state)
{
	char *line = line_with(NULL, NULL);

	assert_string_equal(line, "ffmpeg -hide_banner -nostdin -loglevel level+warning -nostats -y "
	    "-fpsprobesize 0 -analyzeduration 500000 -protocol_whitelist pipe -f flv -i pipe:0 "
	    "-map 0:v:0? -map 0:a:0? -c:v copy -c:a copy -max_interleave_delta 500000 -f segment "
	    "-segment_time 0.900 -break_non_keyframes 0 -segment_format mpegts "
	    "-segment_format_options output_ts_offset=3600.021 -segment_start_number 42 "
	    "-segment_list pipe:3 -segment_list_type csv "
	    "/d/hls/alice/s1732170000123_%06d.ts");
	free(line);
}

static void
test_variants(void **state)
{
	has("segment_ms", json_integer(0), "-fflags +nofillin+noparse -f flv", true);
	has("segment_ms", json_integer(0), "-segment_time 0.001", true);
	has("segment_ms", json_integer(2000), "-segment_time 1.800", true);
	has("segment_ms", json_integer(2000), "-fflags", false);
	has("container", json_string("matroska"), "-f matroska -i pipe:0", true);
	has("video", json_false(), "0:v:0", false);
	has("video", json_false(), "-segment_time 1.000", true);
	has("audio", json_false(), "0:a:0", false);
	has("video", json_false(), "-map 0:a:0? -c:a copy -max", true);
	has("video", json_false(), "-segment_format_options pcr_period=90:output_ts_offset=3600.021", true);
	has("audio", json_false(), "-map 0:v:0? -c:v copy -max", true);
	has("transcode_audio", json_true(), "-c:v copy -c:a aac -b:a", true);
	has("format", json_string("fmp4"), "-segment_header_filename "
	    "/d/hls/alice/s1732170000123_init.mp4", true);
	has("format", json_string("fmp4"), "s1732170000123_%06d.m4s", true);
	has("format", json_string("fmp4"), "frag_discont:output_ts_offset=3600.021", true);
	has("video_codec", json_string("hevc"), "hvc1", false);
}

static void
test_hevc_tag(void **state)
{
	json_t *params = good();
	struct output_params p;
	const char *why;
	char **argv;
	int i, seen = 0;

	json_object_set_new(params, "format", json_string("fmp4"));
	json_object_set_new(params, "video_codec", json_string("hevc"));
	assert_int_equal(output_params_parse(params, &p, &why), 0);
	argv = output_argv(&p, "ffmpeg", "/d");
	for (i = 0; argv[i] != NULL; i++)
		seen += strcmp(argv[i], "hvc1") == 0 && strcmp(argv[i - 1], "-tag:v") == 0;
	assert_int_equal(seen, 1);
	args_free(&argv);
	json_decref(params);
}

static void
refused(const char *key, json_t *value, const char *about)
{
	json_t *params = good();
	struct output_params p;
	const char *why = NULL;

	if (value != NULL)
		json_object_set_new(params, key, value);
	else
		json_object_del(params, key);
	assert_int_equal(output_params_parse(params, &p, &why), -1);
	assert_non_null(strstr(why, about));
	json_decref(params);
}

static void
test_refused(void **state)
{
	refused("run", json_string("7"), "run");
	refused("run", json_integer(-1), "run");
	refused("run", NULL, "run");
	refused("start_number", json_integer(INT64_C(1) << 31), "start_number");
	refused("start_number", json_real(1.5), "start_number");
	refused("offset_ms", json_integer(-1), "offset_ms");
	refused("offset_ms", json_integer(INT64_MAX), "offset_ms");
	refused("segment_ms", json_integer(60001), "segment_ms");
	refused("container", json_string("/etc/passwd"), "container");
	refused("container", json_integer(1), "container");
	refused("format", json_string("hls"), "format");
	refused("video", json_integer(1), "video");
	refused("audio", NULL, "audio");
}

static void
test_nothing_or_every_packet(void **state)
{
	json_t *params = good();
	struct output_params p;
	const char *why;

	json_object_set_new(params, "video", json_false());
	json_object_set_new(params, "segment_ms", json_integer(0));
	assert_int_equal(output_params_parse(params, &p, &why), -1);
	json_object_set_new(params, "segment_ms", json_integer(1000));
	json_object_set_new(params, "audio", json_false());
	assert_int_equal(output_params_parse(params, &p, &why), -1);
	json_decref(params);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_whole),
		cmocka_unit_test(test_variants),
		cmocka_unit_test(test_hevc_tag),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_nothing_or_every_packet),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
