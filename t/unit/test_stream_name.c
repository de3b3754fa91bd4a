/* stream_name.c: the set of bytes, the ends of the length, the leading dot. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include <string.h>

#include "stream_name.h"

static void
every_byte_is_judged(void **state)
{
	static const char good[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-";
	char name[2] = "a";

	for (int c = 0; c < 256; c++) {
		name[1] = (char)c;
		assert_int_equal(stream_name_ok(name, 2), c != 0 && strchr(good, c) != NULL);
	}
}

static void
length_is_1_to_64(void **state)
{
	char name[66];

	memset(name, 'x', sizeof name);
	assert_false(stream_name_ok(name, 0));
	assert_true(stream_name_ok(name, 1));
	assert_true(stream_name_ok(name, 64));
	assert_false(stream_name_ok(name, 65));
}

static void
no_name_can_leave_its_folder(void **state)
{
	static const char *const bad[] = { ".", "..", ".a", "a/b", "../x", "a\\b", "a%2fb", "a b", "a?b" };

	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
		assert_false(stream_name_ok(bad[i], strlen(bad[i])));
	assert_true(stream_name_ok("a..b", 4));
	assert_true(stream_name_ok("-", 1));
}

/* Vectors of the FNV authors: draft-eastlake-fnv, appendix C. */
static void
the_hash_is_fnv_1a(void **state)
{
	assert_int_equal(stream_name_hash(""), 0x811c9dc5);
	assert_int_equal(stream_name_hash("a"), 0xe40c292c);
	assert_int_equal(stream_name_hash("foobar"), 0xbf9cf968);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_byte_is_judged),
		cmocka_unit_test(length_is_1_to_64),
		cmocka_unit_test(no_name_can_leave_its_folder),
		cmocka_unit_test(the_hash_is_fnv_1a),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
