/* conf.c: a config goes through a sealed memfd and is read by dotted paths. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "conf.h"

static void
goes_through_a_memfd_and_twice(void **state)
{
	json_t *conf = json_pack("{s:{s:{s:i}}, s:b, s:s}", "streams", "hls", "segment", 1000,
	    "flag", 1, "text", "x"), *again;
	int fd = conf_write_memfd(conf);

	assert_true(fd >= 0);
	assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
	for (int i = 0; i < 2; i++) {	/* the offset is not used up */
		again = conf_read_fd(fd);
		assert_true(json_equal(conf, again));
		assert_int_equal(conf_int(again, "streams.hls.segment"), 1000);
		assert_true(conf_bool(again, "flag"));
		assert_string_equal(conf_str(again, "text"), "x");
		json_decref(again);
	}
	assert_int_equal(write(fd, "x", 1), -1);
	assert_int_equal(ftruncate(fd, 0), -1);
	close(fd);
	json_decref(conf);
}

static void
absent_keys_are_null(void **state)
{
	json_t *conf = json_pack("{s:{s:i}, s:s}", "a", "b", 1, "s", "x");

	assert_non_null(conf_get(conf, "a"));
	assert_non_null(conf_get(conf, "a.b"));
	assert_null(conf_get(conf, "a.c"));
	assert_null(conf_get(conf, "a.b.c"));
	assert_null(conf_get(conf, "s.t"));
	assert_null(conf_get(conf, ""));
	assert_null(conf_get(conf, "a."));
	assert_null(conf_get(NULL, "a"));
	json_decref(conf);
}

static void
reads_only_objects(void **state)
{
	static const char *const bad[] = { "", "[1]", "{", "{}x", "\"a\"" };

	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		int fd = memfd_create("t", MFD_CLOEXEC);

		assert_int_equal(write(fd, bad[i], strlen(bad[i])), (ssize_t)strlen(bad[i]));
		errno = 0;
		assert_null(conf_read_fd(fd));
		assert_int_equal(errno, EBADMSG);
		close(fd);
	}
	assert_null(conf_read_fd(-1));
	assert_int_equal(errno, EBADF);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(goes_through_a_memfd_and_twice),
		cmocka_unit_test(absent_keys_are_null),
		cmocka_unit_test(reads_only_objects),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
