/* push_argv.c: every param is checked; the argv is the measured one, word for word. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "supervisor/args_media.h"
#include "supervisor/push_argv.h"

static char *
line_of(const char *changed, const char *url, bool verify)
{
	json_t *params = json_pack("{s:b, s:b, s:b, s:b, s:b}", "matroska", 0, "video", 1, "audio", 1,
	    "transcode_video", 0, "transcode_audio", 0);
	char **argv, *line = calloc(1, 4096);
	struct push_params p;
	const char *why;

	if (changed != NULL)
		json_object_set_new(params, changed, json_boolean(!json_is_true(json_object_get(params, changed))));
	assert_int_equal(push_params_parse(params, &p, &why), 0);
	argv = push_argv(&p, "ffmpeg", url, args_ca_file(url, verify, "/ca.pem"), 5000);
	for (int i = 0; argv[i] != NULL; i++) {
		strcat(line, i > 0 ? " " : "");
		strcat(line, argv[i]);
	}
	args_free(&argv);
	json_decref(params);
	return line;
}

static void
test_whole(void **state)
{
	char *line = line_of(NULL, "rtmp://h/a/k", true);

	assert_string_equal(line, "ffmpeg -hide_banner -nostdin -loglevel level+info -nostats -y -fpsprobesize 0 "
	    "-analyzeduration 500000 -protocol_whitelist pipe -f flv -i pipe:0 -map 0:v:0? -map 0:a:0? -c:v copy "
	    "-c:a copy -max_interleave_delta 500000 -rw_timeout 5000000 -send_buffer_size 262144 "
	    "-f flv -flvflags no_duration_filesize rtmp://h/a/k");
	free(line);
}

static void
has(const char *changed, const char *url, bool verify, const char *part, bool wanted)
{
	char *line = line_of(changed, url, verify);

	if ((strstr(line, part) != NULL) != wanted)
		fail_msg("\"%s\" %s \"%s\"", line, wanted ? "lacks" : "has", part);
	free(line);
}

static void
test_variants(void **state)
{
	has("matroska", "rtmp://h/a/k", true, "-f matroska -i pipe:0", true);
	has("video", "rtmp://h/a/k", true, "0:v:0", false);
	has("audio", "rtmp://h/a/k", true, "0:a:0", false);
	has("transcode_video", "rtmp://h/a/k", true, "-c:v libx264", true);
	has("transcode_video", "rtmp://h/a/k", true, "-threads 2 -filter_threads 1 -f flv -i pipe:0", true);
	has("transcode_audio", "rtmp://h/a/k", true, "-c:a aac", true);
	has(NULL, "rtmp://h/a/k", true, "tls_verify", false);
	has(NULL, "rtmps://h/a/k", true, "-tls_verify 1 -ca_file /ca.pem", true);
	has(NULL, "rtmps://h/a/k", false, "tls_verify", false);
}

static void
test_params(void **state)
{
	static const char *const keys[] = { "matroska", "video", "audio", "transcode_video", "transcode_audio" };
	json_t *params = json_object();
	struct push_params p;
	const char *why;

	for (int i = 0; i < 5; i++)
		json_object_set_new(params, keys[i], json_true());
	assert_int_equal(push_params_parse(params, &p, &why), 0);
	for (int i = 0; i < 5; i++) {
		json_object_set_new(params, keys[i], json_string("true"));
		assert_int_equal(push_params_parse(params, &p, &why), -1);
		assert_string_equal(why, keys[i]);
		json_object_set_new(params, keys[i], json_true());
	}
	json_object_set_new(params, "video", json_false());
	json_object_set_new(params, "audio", json_false());
	assert_int_equal(push_params_parse(params, &p, &why), -1);
	json_decref(params);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_whole), cmocka_unit_test(test_variants), cmocka_unit_test(test_params),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
