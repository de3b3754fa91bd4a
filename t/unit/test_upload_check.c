/* upload_check.c: what is saved is read back; what is torn or absurd counts as no checkpoint. The backoff. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "util.h"
#include "workers/jobs/upload.h"
#include "workers/jobs/upload_check.h"

#define MIB ((int64_t)1 << 20)

static const struct upload_file file = { .size = 40 * MIB, .mtime_ns = 1700000000123456789, .inode = 77 };
static char dir[] = "/tmp/millrace-check-XXXXXX", path[64];

static int
set_up(void **state)
{
	snprintf(path, sizeof path, "%s/x.json", mkdtemp(dir));
	return 0;
}

static int
tear_down(void **state)
{
	unlink(path);
	return rmdir(dir);
}

static void
a_checkpoint_comes_back(void **state)
{
	json_t *c = upload_check_new("a/\"\xc3\xbc", "id", &file, 5 * MIB), *back;

	upload_check_part(c, 3, "etag", 5 * MIB, "hash");
	assert_int_equal(upload_check_save(path, c), 0);
	assert_non_null(back = upload_check_load(path));
	assert_true(json_equal(c, back));
	assert_string_equal(upload_check_str(upload_check_find(back, 3), "etag"), "etag");
	assert_null(upload_check_find(back, 2));
	json_decref(c);
	json_decref(back);
}

static void
it_fits_the_same_file_only(void **state)
{
	json_t *c = upload_check_new("o", "id", &file, 5 * MIB);
	struct upload_file other = file;

	assert_true(upload_check_fits(c, "o", &file));
	assert_false(upload_check_fits(c, "p", &file));
	other.mtime_ns++;
	assert_false(upload_check_fits(c, "o", &other));
	other = file;
	other.size--;
	assert_false(upload_check_fits(c, "o", &other));
	other = file;
	other.inode++;
	assert_false(upload_check_fits(c, "o", &other));
	json_decref(c);
}

/* Of one that grows nobody knows the size; its inode says that it is the one. */
static void
a_file_that_grows_fits(void **state)
{
	struct upload_file other = { .inode = 77 };
	json_t *c = upload_check_new("o", "id", &other, 5 * MIB), *back;

	assert_false(upload_check_fits(c, "o", &file));
	json_object_set_new(c, "grows", json_integer(1000));
	assert_true(upload_check_fits(c, "o", &file));
	assert_false(upload_check_fits(c, "p", &file));
	assert_non_null(back = upload_check_valid(c));
	assert_int_equal(upload_check_int(back, "grows"), 1000);
	other.inode++;
	assert_false(upload_check_fits(c, "o", &other));
	json_object_set_new(c, "grows", json_integer(10001));
	assert_null(upload_check_valid(c));
	json_decref(c);
	json_decref(back);
}

static void
torn_ones_count_as_none(void **state)
{
	json_t *c = upload_check_new("o", "id", &file, 5 * MIB), *back;
	char *text = json_dumps(c, 0);

	unlink(path);
	assert_null(upload_check_load(path));
	for (size_t n = 0; n < strlen(text); n++) {
		assert_int_equal(file_replace(path, text, n), 0);
		assert_null(upload_check_load(path));
	}
	assert_int_equal(file_replace(path, text, strlen(text)), 0);
	assert_non_null(back = upload_check_load(path));
	json_decref(back);
	free(text);
	json_decref(c);
}

static void
absurd_ones_count_as_none(void **state)
{
	static const struct { const char *key; const char *value; } t[] = {
		{ "part_size", "1" }, { "part_size", "-5" }, { "part_size", "\"x\"" }, { "size", "-1" },
		{ "size", "90071992547409920" }, { "object", "null" }, { "upload_id", "7" }, { "parts", "[]" }, { "inode", "null" },
	};
	json_t *c = upload_check_new("o", "id", &file, 5 * MIB), *bad;

	for (size_t i = 0; i < sizeof t / sizeof t[0]; i++) {
		bad = json_deep_copy(c);
		json_object_set_new(bad, t[i].key, json_loads(t[i].value, JSON_DECODE_ANY, NULL));
		assert_null(upload_check_valid(bad));
		json_decref(bad);
	}
	assert_null(upload_check_valid(NULL));
	json_decref(c);
}

static void
backoff_doubles_up_to_its_limit(void **state)
{
	static const int64_t want[] = { 100, 200, 400, 800, 1000, 1000 };

	for (int n = 1; n <= 6; n++) {
		for (uint32_t r = 0; r < 5000; r += 7) {
			int64_t ms = upload_backoff_ms(n, 100, 1000, r);

			assert_in_range(ms, want[n - 1] * 8 / 10, want[n - 1] * 12 / 10);
		}
	}
	assert_true(upload_backoff_ms(1, 1000, 5000, 0) != upload_backoff_ms(1, 1000, 5000, 999));
	assert_true(upload_backoff_ms(1000000, 1, 5000, 0) <= 6000);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_checkpoint_comes_back),
		cmocka_unit_test(it_fits_the_same_file_only),
		cmocka_unit_test(a_file_that_grows_fits),
		cmocka_unit_test(torn_ones_count_as_none),
		cmocka_unit_test(absurd_ones_count_as_none),
		cmocka_unit_test(backoff_doubles_up_to_its_limit),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
