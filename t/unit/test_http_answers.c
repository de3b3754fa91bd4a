/* cond.c, head.c, route.c, client.c, siphash.c: dates, conditions, ranges, heads, routes, proxies. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include <string.h>

#include "siphash.h"
#include "workers/http/client.h"
#include "workers/http/cond.h"
#include "workers/http/head.h"
#include "workers/http/route.h"

static void
dates(void **state)
{
	static const char *const same[] = { "Sun, 06 Nov 1994 08:49:37 GMT",
		"Sunday, 06-Nov-94 08:49:37 GMT", "Sun Nov  6 08:49:37 1994" };
	static const char *const bad[] = { "", "0", "Sun, 06 Xxx 1994 08:49:37 GMT",
		"Sun, 06 Nov 1994 08:49:37 GMT!", "Sun, 06 Nov 1994" };
	char out[HTTP_DATE_MAX];

	assert_string_equal(http_date(784111777, out), same[0]);
	for (size_t i = 0; i < 3; i++)
		assert_int_equal(http_date_parse(same[i]), 784111777);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(http_date_parse(bad[i]), -1);
}

static void
conditions(void **state)
{
	static const char date[] = "Sun, 06 Nov 1994 08:49:37 GMT";
	time_t at = 784111777;

	assert_true(cond_not_modified("\"a\"", at, "\"a\"", NULL));
	assert_true(cond_not_modified("\"a\"", at, "\"x\", W/\"a\"", NULL));
	assert_true(cond_not_modified("\"a\"", at, "*", NULL));
	assert_false(cond_not_modified("\"a\"", at, "\"b\"", NULL));
	assert_false(cond_not_modified("\"a\"", at, "\"b\"", date));	/* the tag decides */
	assert_false(cond_not_modified("\"a\"", at, "a", NULL));
	assert_false(cond_not_modified("\"a\"", at, "\"a", NULL));
	assert_false(cond_not_modified("\"a\"", at, NULL, NULL));
	assert_true(cond_not_modified("\"a\"", at, NULL, date));
	assert_false(cond_not_modified("\"a\"", at + 1, NULL, date));
	assert_false(cond_not_modified("\"a\"", at, NULL, "rubbish"));
	assert_true(cond_if_range("\"a\"", at, NULL));
	assert_true(cond_if_range("\"a\"", at, "\"a\""));
	assert_false(cond_if_range("\"a\"", at, "W/\"a\""));
	assert_true(cond_if_range("\"a\"", at, date));
	assert_false(cond_if_range("\"a\"", at + 1, date));
}

static void
ranges(void **state)
{
	static const struct { const char *text; enum range_result is; int64_t from, to; } cases[] = {
		{ "bytes=0-0", RANGE_OK, 0, 1 }, { "bytes=10-19", RANGE_OK, 10, 20 },
		{ "Bytes=90-", RANGE_OK, 90, 100 }, { "bytes=90-1000", RANGE_OK, 90, 100 },
		{ "bytes=-10", RANGE_OK, 90, 100 }, { "bytes=-1000", RANGE_OK, 0, 100 },
		{ "bytes=100-", RANGE_BAD, 0, 0 }, { "bytes=-0", RANGE_BAD, 0, 0 },
		{ "bytes=0-1,5-6", RANGE_NONE, 0, 0 }, { "bytes=5-4", RANGE_NONE, 0, 0 },
		{ "bytes=", RANGE_NONE, 0, 0 }, { "bytes=-", RANGE_NONE, 0, 0 },
		{ "lines=1-2", RANGE_NONE, 0, 0 }, { "bytes=a-b", RANGE_NONE, 0, 0 },
		{ "bytes=99999999999999999999-", RANGE_NONE, 0, 0 }, { "bytes=1-2x", RANGE_NONE, 0, 0 },
	};
	int64_t from, to;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_int_equal(range_parse(cases[i].text, 100, &from, &to), cases[i].is);
		if (cases[i].is == RANGE_OK) {
			assert_int_equal(from, cases[i].from);
			assert_int_equal(to, cases[i].to);
		}
	}
	assert_int_equal(range_parse(NULL, 100, &from, &to), RANGE_NONE);
	assert_int_equal(range_parse("bytes=0-", 0, &from, &to), RANGE_BAD);
}

static void
heads(void **state)
{
	static const char want[] = "HTTP/1.1 206 Partial Content\r\nServer: millrace\r\nDate: D\r\n"
	    "A: b\r\nLocation: x Evil: 1\r\nContent-Length: 1234567890123\r\n\r\n";
	char out[256];
	struct head h;

	for (size_t cap = 0; cap <= sizeof(out); cap++) {
		size_t n;

		head_begin(&h, out, cap, 206, "D");
		head_lines(&h, "A: b\r\n");
		head_field(&h, "Location", "x\r\n Evil: 1");	/* no field of its own */
		head_number(&h, "Content-Length", 1234567890123);
		n = head_end(&h);
		assert_int_equal(n, cap < sizeof(want) - 1 ? 0 : sizeof(want) - 1);
		if (n > 0)
			assert_memory_equal(out, want, n);
	}
}

static const struct route table[] = {
	{ "/", 0, 0, NULL }, { "/stream/@/live.m3u8", 0, 0, NULL }, { "/stream/@/@", 0, 0, NULL },
	{ "/api/@/kick", 0, 0, NULL }, { NULL, 0, 0, NULL },
};

static void
routes(void **state)
{
	static const struct { const char *path; int route; const char *arg0, *arg1; } cases[] = {
		{ "/", 0, NULL, NULL }, { "/stream/a/live.m3u8", 1, "a", NULL },
		{ "/stream/a/b.ts", 2, "a", "b.ts" }, { "/stream/%61/%2e%2e", 2, "a", ".." },
		{ "/stream/a%2Fb/c", 2, "a/b", "c" }, { "/api/x/kick", 3, "x", NULL },
		{ "/stream/a/b/c", -1, NULL, NULL }, { "/stream//b", -1, NULL, NULL },
		{ "/stream/a/", -1, NULL, NULL }, { "/stream/a", -1, NULL, NULL }, { "", -1, NULL, NULL },
		{ "*", -1, NULL, NULL }, { "/stream/a%00/b", -1, NULL, NULL }, { "//", -1, NULL, NULL },
		{ "/stream/../../etc/passwd", -1, NULL, NULL }, { "/api/x/kick2", -1, NULL, NULL },
	};
	struct route_match m;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		int rc = route_find(table, cases[i].path, &m);

		assert_int_equal(rc, cases[i].route < 0 ? -1 : 0);
		if (rc == 0)
			assert_ptr_equal(m.route, &table[cases[i].route]);
		if (cases[i].arg0)
			assert_string_equal(m.arg[0], cases[i].arg0);
		if (cases[i].arg1)
			assert_string_equal(m.arg[1], cases[i].arg1);
	}
}

static const char *
client_of(const char *peer, const char *xff, const char *forwarded, int *rc)
{
	static char text[NET_TEXT];
	json_t *proxies = json_pack("[s, s, s]", "127.0.0.1", "10.0.0.0/8", "fd00::/8");
	struct net_addr a, out;

	assert_int_equal(net_parse(peer, &a), 0);
	*rc = client_address(&a, proxies, xff, forwarded, &out);
	json_decref(proxies);
	net_format_host((const struct sockaddr *)&out.ss, text);
	return text;
}

static void
clients_behind_proxies(void **state)
{
	static const struct { const char *peer, *xff, *forwarded, *is; int rc; } cases[] = {
		{ "9.9.9.9:1", "1.1.1.1", NULL, "9.9.9.9", 0 },		/* an untrusted peer's word */
		{ "127.0.0.1:1", NULL, NULL, "127.0.0.1", 0 },
		{ "127.0.0.1:1", "1.1.1.1", NULL, "1.1.1.1", 0 },
		{ "127.0.0.1:1", "6.6.6.6, 1.1.1.1", NULL, "1.1.1.1", 0 },	/* the first is a claim */
		{ "127.0.0.1:1", "1.1.1.1, 10.2.3.4 ,", NULL, "1.1.1.1", 0 },
		{ "127.0.0.1:1", "1.1.1.1:77,10.2.3.4:5", NULL, "1.1.1.1", 0 },
		{ "[fd00::1]:1", "2001:db8::7", NULL, "2001:db8::7", 0 },
		{ "127.0.0.1:1", "[2001:db8::7]:99", NULL, "2001:db8::7", 0 },
		{ "127.0.0.1:1", "[2001:db8::7]", NULL, "2001:db8::7", 0 },
		{ "127.0.0.1:1", "unknown", NULL, "127.0.0.1", -1 },
		{ "127.0.0.1:1", "1.1.1.1, ???", NULL, "127.0.0.1", -1 },
		{ "127.0.0.1:1", NULL, "for=1.1.1.1;proto=http", "1.1.1.1", 0 },
		{ "127.0.0.1:1", NULL, "by=x; For=\"[2001:db8::7]:4711\"", "2001:db8::7", 0 },
		{ "127.0.0.1:1", NULL, "for=6.6.6.6, for=1.1.1.1, for=10.0.0.1", "1.1.1.1", 0 },
		{ "127.0.0.1:1", NULL, "proto=http", "127.0.0.1", -1 },
		{ "127.0.0.1:1", NULL, "for=_hidden", "127.0.0.1", -1 },
		{ "127.0.0.1:1", "1.1.1.1", "for=2.2.2.2", "1.1.1.1", 0 },
		{ "127.0.0.1:1", "", NULL, "127.0.0.1", 0 },
		{ "127.0.0.1:1", ",,,", NULL, "127.0.0.1", 0 },
		{ "127.0.0.1:1", ":", NULL, "127.0.0.1", -1 },
		{ "127.0.0.1:1", "[", NULL, "127.0.0.1", -1 },
	};
	int rc;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_string_equal(client_of(cases[i].peer, cases[i].xff, cases[i].forwarded, &rc),
		    cases[i].is);
		assert_int_equal(rc, cases[i].rc);
	}
}

/* The vectors of the paper's reference: key 00..0f, input 00, 00 01, ... */
static void
siphash_is_the_paper_s(void **state)
{
	uint8_t key[16], in[16];

	for (uint8_t i = 0; i < 16; i++)
		key[i] = in[i] = i;
	assert_true(siphash(key, in, 0) == 0x726fdb47dd0e0e31);
	assert_true(siphash(key, in, 1) == 0x74f839c593dc67fd);
	assert_true(siphash(key, in, 15) == 0xa129ca6149be45e5);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(dates), cmocka_unit_test(conditions), cmocka_unit_test(ranges),
		cmocka_unit_test(heads), cmocka_unit_test(routes),
		cmocka_unit_test(clients_behind_proxies), cmocka_unit_test(siphash_is_the_paper_s),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
