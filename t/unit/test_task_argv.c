/* task_argv.c: what a jobs worker may ask of an ffmpeg, and which paths are refused. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include <string.h>

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

static void
a_remux_copies_to_a_faststart_mp4(void **state)
{
	struct task_params p;
	char **argv;

	assert_int_equal(parse("remux", "rec/a/b.flv", "recordings/a/.b.tmp", &p), 0);
	argv = task_argv(&p, "ffmpeg", "/data/recordings/a/.b.tmp");
	assert_string_equal(argv[0], "ffmpeg");
	has(argv, "-i", "pipe:0");
	has(argv, "-movflags", "+faststart");
	has(argv, "-c", "copy");
	has(argv, "mp4", "/data/recordings/a/.b.tmp");
	task_argv_free(&argv);
	assert_null(argv);
}

static void
a_check_decodes_its_end(void **state)
{
	struct task_params p;
	char **argv;

	assert_int_equal(parse("check", "recordings/a/.b.tmp", "recordings/a/.b.tmp", &p), 0);
	argv = task_argv(&p, "ffmpeg", "/data/recordings/a/.b.tmp");
	has(argv, "-sseof", "-3");
	has(argv, "-i", "/data/recordings/a/.b.tmp");
	has(argv, "-format_whitelist", "mov");
	task_argv_free(&argv);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(paths_stay_inside), cmocka_unit_test(a_remux_copies_to_a_faststart_mp4),
		cmocka_unit_test(a_check_decodes_its_end),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
