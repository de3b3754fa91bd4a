/* conf_push.c: what a push target may be in the config, its defaults, and that no error shows a key. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "conf.h"
#include "supervisor/conf_table.h"

/* The list, or NULL and the first error in *error (free()). */
static json_t *
load(const char *yaml, char **error)
{
	json_t *errors = json_array(), *conf = conf_load_buffer("f", yaml, strlen(yaml), errors), *list;

	*error = json_array_size(errors) > 0 ? strdup(json_string_value(json_array_get(errors, 0))) : NULL;
	json_decref(errors);
	list = conf != NULL ? json_incref(conf_get(conf, "push")) : NULL;
	json_decref(conf);
	return list;
}

static void
fails(const char *yaml, const char *want)
{
	char *error;
	json_t *list = load(yaml, &error);

	if (list != NULL)
		fail_msg("taken: %s", yaml);
	if (strstr(error, want) == NULL || strstr(error, "S3CRET") != NULL)
		fail_msg("%s: %s", yaml, error);
	free(error);
}

static void
test_good(void **state)
{
	json_t *list, *want, *first;
	char *error;

	setenv("PUSH_KEY", "abc", 1);
	list = load("push:\n  - id: yt\n    url: rtmp://h/live2/${PUSH_KEY}\n  - {id: yt, url: rtmps://h/a/b, stream: s-*,\n"
	    "     app: live, transcode: true, verify: false}\n", &error);
	if (list == NULL)
		fail_msg("%s", error);
	want = json_pack("{s:s, s:s, s:s, s:s, s:b, s:b}", "id", "yt", "url", "rtmp://h/live2/abc", "stream", "*", "app", "*",
	    "transcode", 0, "verify", 1);
	first = json_array_get(list, 0);
	assert_true(json_equal(first, want));
	assert_true(json_is_true(json_object_get(json_array_get(list, 1), "transcode")));
	assert_true(json_is_false(json_object_get(json_array_get(list, 1), "verify")));
	json_decref(want);
	json_decref(list);
	list = load("push: {id: one, url: rtmp://h/a/b}\n", &error);
	assert_int_equal(json_array_size(list), 1);
	json_decref(list);
	list = load("user: x\n", &error);
	assert_int_equal(json_array_size(list), 0);
	json_decref(list);
}

static void
test_wrong(void **state)
{
	fails("push:\n  - id: x\n", "f:2: push: a target without url");
	fails("push:\n  - url: rtmp://h/a/S3CRET\n", "f:2: push: a target without id");
	fails("push: [{id: x y, url: rtmp://h/a/S3CRET}]\n", "push.id: \"x y\"");
	fails("push: [{id: x, url: http://h/a/S3CRET}]\n", "push.url of x: it does not begin with rtmp://");
	fails("push: [{id: x, url: rtmp://h/S3CRET}]\n", "want rtmp://HOST/APP/KEY");
	fails("push: [{id: x, url: \"rtmp://h/{key}/S3CRET\"}]\n", "variable");
	fails("push: [{id: x, url: rtmp://h/a/b, stream: \"a/b\"}]\n", "push.stream: \"a/b\"");
	fails("push: [{id: x, url: rtmp://h/a/b, app: \"\"}]\n", "push.app");
	fails("push: [{id: x, url: rtmp://h/a/b, transcode: maybe}]\n", "push.transcode");
	fails("push: [{id: x, url: rtmp://h/a/b, key: S3CRET}]\n", "\"key\" is not known here");
	fails("push: [{id: x, url: rtmp://h/a/b}, {id: x, url: rtmp://h/a/S3CRET}]\n", "given twice");
	fails("push: 7\n", "push: a target without id");
}

int
main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_good), cmocka_unit_test(test_wrong) };

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
