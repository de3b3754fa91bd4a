/* push_url.c: what can be a target, its variables, and that no form of it that is shown has a secret. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

#include "push_scrub.h"
#include "supervisor/push_url.h"

static void
test_good(void **state)
{
	static const char *const urls[] = {
		"rtmp://a.rtmp.youtube.com/live2/abcd-efgh", "rtmps://live-api-s.facebook.com:443/rtmp/FB-1?s_bl=1&a=Abc",
		"rtmp://127.0.0.1:1935/live/{stream}", "rtmp://[::1]/a/b/c", "rtmp://u:p@h/{app}/{host}-{stream}",
	};

	for (size_t i = 0; i < sizeof(urls) / sizeof(urls[0]); i++)
		if (push_url_wrong(urls[i]) != NULL)
			fail_msg("%s: %s", urls[i], push_url_wrong(urls[i]));
}

static void
test_wrong(void **state)
{
	static const struct { const char *url, *why; } urls[] = {
		{ "http://h/a/b", "rtmp://" }, { "-i", "rtmp://" }, { "", "rtmp://" }, { "rtmp://", "no host" },
		{ "rtmp:///a/b", "no host" }, { "rtmp://{app}/a/b", "no host" }, { "rtmp://h{stream}:1/a/b", "no host" },
		{ "rtmp://h", "HOST/APP/KEY" }, { "rtmp://h/", "HOST/APP/KEY" }, { "rtmp://h/live", "HOST/APP/KEY" },
		{ "rtmp://h/live/", "HOST/APP/KEY" }, { "rtmp://h//key", "HOST/APP/KEY" },
		{ "rtmp://h/live?x=/key", "HOST/APP/KEY" }, { "rtmp://h/a/b live=1", "character" },
		{ "rtmp://h/a/b\n", "character" }, { "rtmp://h/a/b'", "character" }, { "rtmp://h/a/\xc3\xa4", "character" },
		{ "rtmp://h/a/{key}", "variable" }, { "rtmp://h/a/{", "variable" }, { "rtmp://h/a/}", "character" },
	};
	char longest[PUSH_URL_MAX + 1];

	for (size_t i = 0; i < sizeof(urls) / sizeof(urls[0]); i++) {
		const char *why = push_url_wrong(urls[i].url);

		if (why == NULL || strstr(why, urls[i].why) == NULL)
			fail_msg("\"%s\": %s", urls[i].url, why != NULL ? why : "taken");
	}
	memset(longest, 'a', sizeof(longest));
	memcpy(longest, "rtmp://h/a/", 11);
	longest[PUSH_URL_MAX] = '\0';
	assert_non_null(strstr(push_url_wrong(longest), "longer"));
	longest[PUSH_URL_MAX - 1] = '\0';
	assert_null(push_url_wrong(longest));
}

static void
test_ids(void **state)
{
	assert_null(push_id_wrong("youtube"));
	assert_null(push_id_wrong("A-1_b"));
	assert_null(push_id_wrong("abcdefghijklmnopqrstuvwx"));
	assert_non_null(push_id_wrong("abcdefghijklmnopqrstuvwxy"));
	assert_non_null(push_id_wrong(""));
	assert_non_null(push_id_wrong("a:b"));
	assert_non_null(push_id_wrong("a b"));
	assert_non_null(push_id_wrong("../x"));
}

static void
test_expand(void **state)
{
	const struct push_vars v = { "alice", "my app/x?", "vm1" };
	char out[64];

	assert_int_equal(push_url_expand("rtmp://h/{app}/{host}-{stream}?s={stream}", &v, out, sizeof(out)), 0);
	assert_string_equal(out, "rtmp://h/my%20app%2Fx%3F/vm1-alice?s=alice");
	assert_int_equal(push_url_expand("rtmp://h/a/{stream}", &v, out, 17), 0);
	assert_string_equal(out, "rtmp://h/a/alice");
	assert_int_equal(push_url_expand("rtmp://h/a/{stream}", &v, out, 16), -1);
	assert_int_equal(push_url_expand("rtmp://h/{app}/k", &v, out, 20), -1);
}

static void
shows(const char *url, const char *want)
{
	char out[PUSH_URL_MAX];

	push_url_show(url, out, sizeof(out));
	assert_string_equal(out, want);
}

static void
test_show(void **state)
{
	char small[12];

	shows("rtmp://h:1/live2/SECRET", "rtmp://h:1/live2/***");
	shows("rtmps://h/rtmp/SECRET?s_bl=1", "rtmps://h/rtmp/***");
	shows("rtmp://h/a/SECRET/SECRET", "rtmp://h/a/***");
	shows("rtmp://h/a?token=SECRET/k", "rtmp://h/a/***");
	shows("rtmp://u:SECRET@h:1/a/SECRET", "rtmp://***@h:1/a/***");
	shows("rtmp://h/a/k", "rtmp://h/a/***");
	push_url_show("rtmp://h/live/SECRET", small, sizeof(small));
	assert_string_equal(small, "rtmp://h/li");
}

static void
scrubs(const char *url, const char *text, const char *want)
{
	char buf[300];

	strcpy(buf, text);
	push_scrub(url, buf);
	assert_string_equal(buf, want);
}

static void
test_scrub(void **state)
{
	scrubs("rtmp://h/live/SECRET", "rtmp://h/live/SECRET: Connection refused", "rtmp://h/live/*** Connection refused");
	scrubs("rtmp://h/live/SECRET", "it refuses: stream SECRET is not allowed, SECRET", "it refuses: stream *** is not allowed, ***");
	scrubs("rtmp://h/live/KEY1?auth=PASS&u=abc", "no KEY1, no PASS, no auth=PASS&u=abc", "no ***, no ***, no ***");
	scrubs("rtmp://bob:word@h/live/KEY1", "bob:word is wrong", "*** is wrong");
	scrubs("rtmp://h/app/inst/KEY1", "stream KEY1 of inst", "stream *** of ***");
	/* what is too short to be a secret would star half of the sentence */
	scrubs("rtmp://h/live/a", "a thing happened", "a thing happened");
	scrubs("rtmp://h/live/SECRET", "", "");
	scrubs("rtmp://h/live/SECRET", "other URLs, too: rtmp://x/y/OTHER token=abc", "other URLs, too: rtmp://x/y/*** token=***");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_good), cmocka_unit_test(test_wrong), cmocka_unit_test(test_ids),
		cmocka_unit_test(test_expand), cmocka_unit_test(test_show), cmocka_unit_test(test_scrub),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
