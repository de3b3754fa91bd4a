/* upload_target.c: where a job's file goes, as the configuration has it now. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include <string.h>

#include "workers/jobs/upload_target.h"

static struct upload_target to;

static int
target(const char *kind, const char *path)
{
	json_t *conf = json_loads("{\"storage\": {\"s3\": {\"bucket\": \"main\"}}, \"watch\": ["
	    "{\"dir\": \"/in\", \"recursive\": false, \"bucket\": \"right\", \"prefix\": \"new/\"},"
	    "{\"dir\": \"/in/deep\", \"recursive\": true, \"bucket\": \"\", \"prefix\": \"\"}]}", 0, NULL);
	json_t *args = json_pack("{s:s, s:s, s:s, s:s}", "kind", kind, "path", path, "object", "old/x", "bucket", "wrong");
	int rc = upload_target(conf, args, &to);

	json_decref(conf);
	json_decref(args);
	return rc;
}

static void
goes(const char *kind, const char *path, const char *bucket, const char *object)
{
	assert_int_equal(target(kind, path), 0);
	assert_string_equal(to.bucket, bucket);
	assert_string_equal(to.object, object);
}

static void
a_watched_folder_is_asked_anew(void **state)
{
	goes("watch", "/in/x", "right", "new/x");
	goes("watch", "/in//x", "right", "new/x");
	goes("watch", "/in/deep/a/x", "main", "a/x");
}

static void
of_others_what_was_queued_counts(void **state)
{
	goes("watch", "/in/other/x", "wrong", "old/x");
	goes("watch", "/input/x", "wrong", "old/x");
	goes("recording", "/in/x", "wrong", "old/x");
}

static void
no_name_is_too_long(void **state)
{
	char path[1200] = "/in/";

	memset(path + 4, 'x', sizeof(path) - 5);
	assert_int_equal(target("watch", path), -1);
	assert_int_equal(target("watch", "/in/"), 0);	/* the prefix is a name */
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_watched_folder_is_asked_anew), cmocka_unit_test(of_others_what_was_queued_counts),
		cmocka_unit_test(no_name_is_too_long),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
