/* util.c: strings, time, UTF-8, files that are replaced and read whole or not at all; url.c: hosts of URLs. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "url.h"
#include "util.h"

static char dir[] = "/tmp/test_util.XXXXXX";

static void
copies_are_cut_and_say_so(void **state)
{
	char buf[4] = "zzz";

	assert_int_equal(str_copy(buf, "abcdef", sizeof buf), 6);
	assert_string_equal(buf, "abc");
	assert_int_equal(str_copy(buf, "", sizeof buf), 0);
	assert_string_equal(buf, "");
	assert_int_equal(str_copy(buf, "x", 0), 1);
}

static void
time_is_rfc3339(void **state)
{
	char buf[32];

	assert_string_equal(wall_format(0, buf), "1970-01-01T00:00:00.000Z");
	assert_string_equal(wall_format(1795244400123, buf), "2026-11-21T07:00:00.123Z");
	assert_string_equal(wall_format(-1, buf), "1969-12-31T23:59:59.999Z");
	assert_true(now_ms() > 0 && wall_ms() > 1700000000000);
}

static void
utf8_by_rfc3629(void **state)
{
	static const struct { const char *s; size_t len, want; } t[] = {
		{ "a", 1, 1 }, { "", 0, 0 }, { "\xc3\xa4", 2, 2 }, { "\xe2\x82\xac", 3, 3 },
		{ "\xf0\x9f\x98\x80", 4, 4 }, { "\xc3", 1, 0 }, { "\xe2\x82", 2, 0 },
		{ "\xc0\x80", 2, 0 }, { "\xe0\x80\x80", 3, 0 }, { "\xf0\x80\x80\x80", 4, 0 },
		{ "\xed\xa0\x80", 3, 0 }, { "\xf4\x90\x80\x80", 4, 0 }, { "\xff", 1, 0 },
		{ "\x80", 1, 0 }, { "\xc3(", 2, 0 }, { "\xf4\x8f\xbf\xbf", 4, 4 },
	};

	for (size_t i = 0; i < sizeof t / sizeof t[0]; i++)
		assert_int_equal(utf8_sequence((const uint8_t *)t[i].s, t[i].len), t[i].want);
}

static void
files_are_replaced_and_read(void **state)
{
	char path[64], out[80], *text;
	size_t len;

	assert_int_equal(path_join(path, sizeof path, dir, "f"), 0);
	assert_int_equal(file_replace(path, "one", 3), 0);
	assert_int_equal(file_replace(path, "second", 6), 0);
	text = file_read(path, 6, &len);
	assert_non_null(text);
	assert_string_equal(text, "second");
	assert_int_equal(len, 6);
	free(text);
	assert_null(file_read(path, 5, &len));
	assert_int_equal(errno, EFBIG);
	snprintf(out, sizeof out, "%s.tmp", path);
	assert_int_equal(access(out, F_OK), -1);
	unlink(path);
	assert_null(file_read(path, 5, &len));
	assert_int_equal(errno, ENOENT);
	text = file_read("/proc/self/stat", 4096, &len);
	assert_true(text != NULL && len > 20);
	free(text);
	assert_int_equal(path_join(path, 8, dir, "f"), -1);
	assert_int_equal(errno, ENAMETOOLONG);
	assert_int_equal(file_replace("/nonexistent/x", "a", 1), -1);
}

static void
folders_must_be_real(void **state)
{
	char sub[64], link[64];

	path_join(sub, sizeof sub, dir, "sub");
	path_join(link, sizeof link, dir, "link");
	assert_int_equal(dir_ensure(sub, 0750), 0);
	assert_int_equal(dir_ensure(sub, 0750), 0);
	assert_int_equal(symlink(sub, link), 0);
	assert_int_equal(dir_ensure(link, 0750), -1);
	assert_int_equal(errno, ENOTDIR);
	assert_true(disk_free_bytes(dir) > 0);
	assert_int_equal(disk_free_bytes("/nonexistent"), -1);
	unlink(link);
	rmdir(sub);
}

static void
descriptors_are_made_ours(void **state)
{
	int p[2];

	assert_int_equal(pipe(p), 0);
	assert_int_equal(fd_cloexec_nonblock(p[0]), 0);
	assert_true(fcntl(p[0], F_GETFL) & O_NONBLOCK);
	assert_true(fcntl(p[0], F_GETFD) & FD_CLOEXEC);
	close(p[0]);
	close(p[1]);
	assert_int_equal(fd_cloexec_nonblock(p[0]), -1);
}

static void
hex_both_ways(void **state)
{
	char out[7];

	hex_format(out, "\x00\x9a\xff", 3);
	assert_string_equal(out, "009aff");
	hex_format(out, NULL, 0);
	assert_string_equal(out, "");
	for (int c = 0; c < 256; c++)
		assert_int_equal(hex_value((char)c), strchr("0123456789abcdefABCDEF", c) == NULL || c == 0 ? -1 :
		    (int)strtol((char[]){ (char)c, '\0' }, NULL, 16));
}

static void
is_host(const char *url, const char *host, const char *name)
{
	size_t n;
	const char *at = url_host(url, &n);

	assert_int_equal(n, strlen(host));
	assert_memory_equal(at, host, n);
	assert_int_equal(url_host_name(at, n), strlen(name));
}

static void
a_url_has_its_host(void **state)
{
	is_host("rtmp://h/live", "h", "h");
	is_host("https://h:80?q=a@b", "h:80", "h");
	is_host("https://u:p@w@h:80/a@b", "h:80", "h");
	is_host("http://u@[::1]:80/", "[::1]:80", "[::1]");
	is_host("http://h#@x/", "h", "h");
	is_host("h:80", "h:80", "h");
	is_host("[::1", "[::1", "[::1");
	is_host("http://", "", "");
	is_host("", "", "");
}

static int
setup(void **state)
{
	return mkdtemp(dir) ? 0 : -1;
}

static int
teardown(void **state)
{
	return rmdir(dir);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(copies_are_cut_and_say_so),
		cmocka_unit_test(time_is_rfc3339),
		cmocka_unit_test(utf8_by_rfc3629),
		cmocka_unit_test(files_are_replaced_and_read),
		cmocka_unit_test(folders_must_be_real),
		cmocka_unit_test(descriptors_are_made_ours),
		cmocka_unit_test(hex_both_ways),
		cmocka_unit_test(a_url_has_its_host),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, setup, teardown);
}
