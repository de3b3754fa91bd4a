/* redis_url.c and the reconnect delay: what redis.url may be, and what it becomes. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "workers/common/backoff.h"
#include "workers/common/redis.h"

static void
urls_are_taken_apart(void **state)
{
	static const struct { const char *url, *path, *host, *user, *password; int port, db; } t[] = {
		{ "embedded", "/run/m/redis.sock", "", "", "", 6379, 0 },
		{ "unix:///a/b.sock", "/a/b.sock", "", "", "", 6379, 0 },
		{ "redis://localhost", "", "localhost", "", "", 6379, 0 },
		{ "redis://10.0.0.1:7000/3", "", "10.0.0.1", "", "", 7000, 3 },
		{ "redis://[::1]:7000", "", "::1", "", "", 7000, 0 },
		{ "redis://[::1]/", "", "::1", "", "", 6379, 0 },
		{ "redis://:secret@h:1", "", "h", "", "secret", 1, 0 },
		{ "redis://bob:a%40b%2f@h", "", "h", "bob", "a@b/", 6379, 0 },
		{ "redis://bob:p@ss@h", "", "h", "bob", "p@ss", 6379, 0 },
	};
	struct redis_url u;
	const char *why;

	for (size_t i = 0; i < sizeof t / sizeof t[0]; i++) {
		assert_int_equal(redis_url_parse(t[i].url, "/run/m", &u, &why), 0);
		assert_null(why);
		assert_string_equal(u.path, t[i].path);
		assert_string_equal(u.at.host, t[i].host);
		assert_string_equal(u.user, t[i].user);
		assert_string_equal(u.password, t[i].password);
		assert_int_equal(u.at.port, t[i].port);
		assert_int_equal(u.db, t[i].db);
	}
}

static void
bad_urls_say_why(void **state)
{
	static const char *const bad[] = { "", "redis://", "redis:///0", "redis://h:0", "redis://h:65536",
		"redis://h:", "redis://h:x", "redis://h/x", "redis://h/1/2", "redis://h/70000",
		"redis://h?db=1", "redis://[::1", "redis://[::1]x", "redis://user@h", "redis://:a%4@h",
		"redis://:a%00@h", "redis://:a%zz@h", "http://h", "rediss://",
		"sentinel://h", "sentinel://h/", "sentinel:///m", "sentinel://h,/m", "sentinel://,h/m", "sentinel://h:0/m",
		"sentinel://h/m/x", "sentinel://h/m?a", "sentinel://u@h/m", "sentinel://a,b,c,d,e,f,g,h,i/m", "unix://a/b", "unix:" };
	char url[600];
	struct redis_url u;
	const char *why;

	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		assert_int_equal(redis_url_parse(bad[i], "/run/m", &u, &why), -1);
		assert_non_null(why);
	}
	memset(url, 'a', sizeof url);
	url[sizeof url - 1] = '\0';
	memcpy(url, "redis://", 8);
	assert_int_equal(redis_url_parse(url, "/run/m", &u, &why), -1);
	memcpy(url, "unix:///", 8);
	assert_int_equal(redis_url_parse(url, "/run/m", &u, &why), -1);
	assert_int_equal(redis_url_parse("embedded", url, &u, &why), -1);
}

static void
sentinels_are_taken_apart(void **state)
{
	struct redis_url u;
	const char *why;
	char out[100];

	assert_int_equal(redis_url_parse("sentinel://:p%2f@a,b:7,[::1]:8/mymaster/2", "", &u, &why), 0);
	assert_int_equal(u.nsentinels, 3);
	assert_string_equal(u.sentinels[0].host, "a");
	assert_int_equal(u.sentinels[0].port, 26379);
	assert_string_equal(u.sentinels[1].host, "b");
	assert_int_equal(u.sentinels[1].port, 7);
	assert_string_equal(u.sentinels[2].host, "::1");
	assert_int_equal(u.sentinels[2].port, 8);
	assert_string_equal(u.master, "mymaster");
	assert_string_equal(u.password, "p/");
	assert_int_equal(u.db, 2);
	redis_url_print(&u, out, sizeof out);
	assert_string_equal(out, "sentinel://a:26379,b:7,[::1]:8/mymaster/2");
	redis_url_print(&u, out, 20);
	assert_string_equal(out, "sentinel://a:26379,");
	assert_int_equal(redis_url_parse("sentinel://a,b,c,d,e,f,g,h/m", "", &u, &why), 0);
	assert_int_equal(u.nsentinels, REDIS_SENTINELS);
}

static void
what_people_see_has_no_password(void **state)
{
	struct redis_url u;
	const char *why;
	char out[100];

	redis_url_parse("redis://bob:secret@[::1]:5/2", "", &u, &why);
	redis_url_print(&u, out, sizeof out);
	assert_string_equal(out, "redis://[::1]:5/2");
	redis_url_parse("embedded", "/run/m", &u, &why);
	redis_url_print(&u, out, sizeof out);
	assert_string_equal(out, "unix:///run/m/redis.sock");
}

static void
delays_double_up_to_the_limit(void **state)
{
	static const int64_t want[] = { 100, 200, 400, 800, 1600, 3200, 5000, 5000 };

	for (unsigned i = 0; i < 8; i++) {
		assert_int_equal(backoff_ms(i + 1, 100, 5000, 512), want[i]);
		assert_int_equal(backoff_ms(i + 1, 100, 5000, 0), want[i] * 4 / 5);
		assert_in_range(backoff_ms(i + 1, 100, 5000, 1023), want[i], want[i] * 6 / 5);
	}
	assert_int_equal(backoff_ms(1000000, 100, 5000, 512), 5000);
	assert_int_equal(backoff_ms(1, 100, 50, 512), 50);
	assert_int_equal(backoff_ms(0, 10, 10, 512), 10);
	assert_in_range(backoff_ms(UINT32_MAX, 1000, 86400000, 1023), 86400000, 86400000 * 6 / 5);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(urls_are_taken_apart),
		cmocka_unit_test(bad_urls_say_why),
		cmocka_unit_test(sentinels_are_taken_apart),
		cmocka_unit_test(what_people_see_has_no_password),
		cmocka_unit_test(delays_double_up_to_the_limit),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
