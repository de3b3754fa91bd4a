/* SPAWN's params of kind "intake", and the argv of its ffmpeg: enums and bools, nothing of a stranger's in it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "supervisor/args.h"
#include "supervisor/output_intake.h"
#include "util.h"

static int
parse(const char *text, struct intake_params *out, const char **why)
{
	json_t *params = json_loads(text, 0, NULL);
	int rc = intake_params_parse(params, out, why);

	json_decref(params);
	return rc;
}

static char *
argv_of(const char *text)
{
	struct intake_params p;
	const char *why;
	char **argv, *all = xstrdup(""), *longer;

	assert_int_equal(parse(text, &p, &why), 0);
	argv = intake_argv(&p, "/opt/ffmpeg");
	for (int i = 0; argv[i] != NULL; i++) {
		longer = xasprintf("%s%s ", all, argv[i]);
		free(all);
		all = longer;
	}
	args_free(&argv);
	return all;
}

static void
has(const char *params, const char *part, bool want)
{
	char *all = argv_of(params);

	assert_int_equal(strstr(all, part) != NULL, want);
	assert_int_equal(strncmp(all, "/opt/ffmpeg ", 12), 0);
	assert_non_null(strstr(all, " -protocol_whitelist pipe "));
	assert_null(strstr(all, "nobuffer"));
	assert_int_equal(strcmp(all + strlen(all) - 7, "pipe:3 "), 0);
	free(all);
}

#define P(container, video, audio) \
	"{\"container\": \"" container "\", \"copy_video\": " video ", \"copy_audio\": " audio "}"

static void
test_argv(void **state)
{
	has(P("matroska", "true", "false"), " -f matroska -i pipe:0 ", true);
	has(P("mp4", "true", "true"), " -f mov -i pipe:0 ", true);
	has(P("matroska", "true", "false"), " -c:v copy ", true);
	has(P("matroska", "true", "false"), " -c:a aac ", true);
	has(P("matroska", "false", "true"), " -c:v libx264 ", true);
	has(P("matroska", "false", "true"), " -c:a copy ", true);
	has(P("any", "false", "false"), " -format_whitelist ", true);
	has(P("any", "false", "false"), " -f matroska ", false);
	has(P("mpegts", "true", "true"), " -format_whitelist ", false);
}

static void
test_bad(void **state)
{
	static const struct { const char *text, *why; } rows[] = {
		{ P("hls", "true", "true"), "container" }, { P("-i", "true", "true"), "container" },
		{ "{\"copy_video\": true, \"copy_audio\": true}", "container" },
		{ P("mp4", "1", "true"), "copy_video" }, { P("mp4", "true", "\"yes\""), "copy_audio" }, { "{}", "copy_video" },
	};
	struct intake_params p;
	const char *why;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		assert_int_equal(parse(rows[i].text, &p, &why), -1);
		assert_string_equal(why, rows[i].why);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_argv), cmocka_unit_test(test_bad) };

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
