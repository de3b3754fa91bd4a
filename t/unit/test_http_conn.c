/*
 * conn.c, conn_io.c, dispatch.c, answer.c over socket pairs: any pieces, pipelines, turns, slow
 * readers, time-outs, limits, PROXY heads, answers that come later.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "workers/http/cond.h"
#include "workers/http/http.h"
#include "util.h"

struct http http;
static struct svc svc;
static uint64_t later_id;
static char last_client[NET_TEXT];
static bool last_masked;

static void
hello(struct conn *c, const struct route_match *m)
{
	last_masked = c->masked;
	net_format_host((const struct sockaddr *)&c->client.ss, last_client);
	answer_text(c, 200, "hello");
}

static void
later(struct conn *c, const struct route_match *m)
{
	later_id = c->id;
}

#define BIG (8 * 1024 * 1024)

static void
big(struct conn *c, const struct route_match *m)
{
	int fd = memfd_create("big", MFD_CLOEXEC);

	assert_int_equal(ftruncate(fd, BIG), 0);
	answer_file(c, fd, "video/mp2t", NULL);
}

const struct route http_routes[] = {
	{ "/hello", ROUTE_GET, ROUTE_CORS, hello }, { "/later", ROUTE_GET, 0, later },
	{ "/big", ROUTE_GET, 0, big }, { "/do", ROUTE_POST, 0, hello }, { NULL, 0, 0, NULL },
};

static int
setup(void **state)
{
	svc.base = event_base_new();
	http.svc = &svc;
	TAILQ_INIT(&http.conns);
	TAILQ_INIT(&http.quiet);
	http.limits = (struct http_limits){ .max_connections = 8, .max_per_address = 4, .header_ms = 1000,
		.idle_ms = 3000, .send_ms = 2000, .max_header = 2048, .max_body = 64, .cors = "*",
		.api_token = "", .trusted = json_pack("[s]", "10.0.0.0/8") };
	http_date(0, http.date);
	return 0;
}

static int
teardown(void **state)
{
	while (!TAILQ_EMPTY(&http.conns))
		conn_end(TAILQ_FIRST(&http.conns));
	assert_int_equal(http.nconns, 0);
	assert_true(TAILQ_EMPTY(&http.quiet));
	conn_io_free();
	json_decref((json_t *)(uintptr_t)http.limits.trusted);
	event_base_free(svc.base);
	return 0;
}

static void
turn(int n)
{
	while (n-- > 0)
		event_base_loop(svc.base, EVLOOP_NONBLOCK | EVLOOP_ONCE);
}

static int
client(const char *peer, bool proxy)
{
	struct net_addr a;
	int sv[2];

	assert_int_equal(net_parse(peer, &a), 0);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, sv), 0);
	conn_new(sv[0], &a, proxy);
	return sv[1];
}

static void
say(int fd, const char *text, size_t n)
{
	assert_int_equal(send(fd, text, n, MSG_NOSIGNAL), n);
}

/* What has come so far; "" with *end true after the end. */
static size_t
hear(int fd, char *out, size_t size, bool *end)
{
	size_t n = 0;
	ssize_t k = -1;

	while (n + 1 < size && (k = recv(fd, out + n, size - 1 - n, MSG_DONTWAIT)) > 0)
		n += (size_t)k;
	out[n] = '\0';
	if (end)
		*end = k == 0 || (k < 0 && errno == ECONNRESET);
	return n;
}

static unsigned
count(const char *text, const char *what)
{
	unsigned n = 0;

	for (; (text = strstr(text, what)) != NULL; text++)
		n++;
	return n;
}

#define GET_HELLO "GET /hello HTTP/1.1\r\nHost: x\r\n\r\n"
#define BYE_HELLO "GET /hello HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"

static void
two_requests_split_anywhere(void **state)
{
	static const char text[] = GET_HELLO "HEAD /hello HTTP/1.0\r\n\r\n";
	char out[4096];
	bool end;

	for (size_t cut = 0; cut < sizeof(text); cut++) {
		int fd = client("1.1.1.1:1", false);

		say(fd, text, cut);
		turn(2);
		say(fd, text + cut, sizeof(text) - 1 - cut);
		turn(2);
		hear(fd, out, sizeof(out), &end);
		assert_int_equal(count(out, "HTTP/1.1 200 OK\r\n"), 2);
		assert_int_equal(count(out, "Access-Control-Allow-Origin: *\r\n"), 2);
		assert_int_equal(count(out, "\r\n\r\nhello"), 1);
		assert_int_equal(count(out, "Connection: close\r\n"), 1);
		assert_true(end);
		close(fd);
		turn(2);
		assert_int_equal(http.nconns, 0);
	}
}

/* 4,000 requests at once: all are answered, and somebody else in between. */
static void
a_long_pipeline_gives_way(void **state)
{
	enum { N = 4000 };
	char *text = xmalloc(N * sizeof(GET_HELLO)), *out = xmalloc(N * 512);
	int a = client("1.1.1.1:1", false), b = client("2.2.2.2:1", false);
	size_t sent = 0, len = 0, n;
	unsigned before = 0;

	for (unsigned i = 0; i < N; i++, len += sizeof(GET_HELLO) - 1)
		memcpy(text + len, GET_HELLO, sizeof(GET_HELLO));
	say(b, GET_HELLO, sizeof(GET_HELLO) - 1);
	n = 0;
	for (int i = 0; i < 20000 && (i % 256 != 0 || count(out, "hello") < N); i++) {
		ssize_t k = send(a, text + sent, len - sent, MSG_NOSIGNAL | MSG_DONTWAIT);

		sent += k > 0 ? (size_t)k : 0;
		turn(1);
		n += hear(a, out + n, N * 512 - n, NULL);
		if (i == 3) {
			char other[1024];

			hear(b, other, sizeof(other), NULL);
			assert_int_equal(count(other, "200 OK"), 1);
			before = count(out, "hello");
		}
	}
	assert_in_range(before, 1, 200);
	assert_int_equal(count(out, "\r\n\r\nhello"), N);
	free(text);
	free(out);
	close(a);
	close(b);
}

static void
a_slow_reader_is_waited_for_and_a_dead_one_is_not(void **state)
{
	char *out = xmalloc(BIG + 4096);
	int fd = client("1.1.1.1:1", false);
	int64_t now = now_ms();
	size_t n = 0;

	say(fd, "GET /big HTTP/1.1\r\nHost: x\r\n\r\n", 30);
	turn(3);
	assert_true(TAILQ_FIRST(&http.conns)->writing);
	for (int i = 0; i < 5; i++) {	/* a little is read in each half of send_timeout */
		conn_sweep(now += 1100);
		assert_int_equal(http.nconns, 1);
		n += (size_t)recv(fd, out, 65536, 0);
	}
	turn(2);
	now = now_ms();
	while (n < BIG) {
		ssize_t k = recv(fd, out, BIG, MSG_DONTWAIT);

		n += k > 0 ? (size_t)k : 0;
		turn(1);
	}
	assert_int_equal(http.nconns, 1);
	say(fd, "GET /big HTTP/1.1\r\nHost: x\r\n\r\n", 30);
	turn(3);
	for (int i = 0; i < 3; i++)
		conn_sweep(now += 1100);
	assert_int_equal(http.nconns, 0);
	assert_int_equal(http.count.timeouts > 0, 1);
	free(out);
	close(fd);
}

static void
timeouts(void **state)
{
	int silent = client("1.1.1.1:1", false), half = client("2.2.2.2:1", false);
	int idle = client("3.3.3.3:1", false);
	char out[1024];
	bool end;

	say(half, "GET /hel", 8);
	say(idle, GET_HELLO, sizeof(GET_HELLO) - 1);
	turn(2);
	hear(idle, out, sizeof(out), &end);
	conn_sweep(now_ms() + 900);
	assert_int_equal(http.nconns, 3);
	conn_sweep(now_ms() + 1100);
	turn(1);
	assert_int_equal(hear(silent, out, sizeof(out), &end), 0);
	assert_true(end);
	hear(half, out, sizeof(out), &end);
	assert_int_equal(count(out, "HTTP/1.1 408 Request Timeout\r\n"), 1);
	assert_true(end);
	hear(idle, out, sizeof(out), &end);
	assert_false(end);
	conn_sweep(now_ms() + 3100);
	assert_int_equal(hear(idle, out, sizeof(out), &end), 0);
	assert_true(end);
	assert_int_equal(http.nconns, 0);
	close(silent);
	close(half);
	close(idle);
}

static void
too_many_connections(void **state)
{
	int fd[12];
	char out[1024], peer[32];
	bool end;

	for (int i = 0; i < 9; i++) {
		snprintf(peer, sizeof(peer), "1.1.1.%d:1", i);
		fd[i] = client(peer, false);
	}
	hear(fd[8], out, sizeof(out), &end);
	assert_int_equal(count(out, "HTTP/1.1 503 "), 1);
	assert_true(end);
	TAILQ_FIRST(&http.quiet)->since_ms -= 1000;	/* the oldest has been quiet for a second */
	close(fd[8]);
	turn(2);
	assert_int_equal(http.nconns, 8);
	fd[8] = client("1.1.1.8:1", false);
	hear(fd[0], out, sizeof(out), &end);
	assert_true(end);
	say(fd[8], GET_HELLO, sizeof(GET_HELLO) - 1);
	turn(1);
	hear(fd[8], out, sizeof(out), &end);
	assert_int_equal(count(out, "200 OK"), 1);
	for (int i = 0; i < 9; i++)
		close(fd[i]);
}

static void
too_many_of_one_address(void **state)
{
	static const char *const peers[] = { "1.1.1.1:1", "[::ffff:1.1.1.1]:2", "[2001:db8::1]:1",
		"[2001:db8::ffff:1]:1", "10.0.0.1:1" };
	char out[1024];
	bool end;
	int fd[6];

	http.limits.max_per_address = 1;
	for (int i = 0; i < 5; i++)
		fd[i] = client(peers[i], false);
	fd[5] = client("10.0.0.1:1", false);		/* a trusted proxy */
	for (int i = 0; i < 6; i++) {
		hear(fd[i], out, sizeof(out), &end);
		assert_int_equal(count(out, "HTTP/1.1 429 "), i == 1 || i == 3);
		assert_int_equal(end, i == 1 || i == 3);
	}
	for (int i = 0; i < 6; i++)
		close(fd[i]);
	turn(2);
	assert_int_equal(http.nconns, 0);
	fd[0] = client(peers[0], false);		/* given back */
	hear(fd[0], out, sizeof(out), &end);
	assert_false(end);
	close(fd[0]);
}

static void
proxy_heads_split_anywhere(void **state)
{
	static const char text[] = "PROXY TCP4 7.7.7.7 9.9.9.9 1234 80\r\n" BYE_HELLO;
	char out[1024];
	int fd;
	bool end;

	for (size_t cut = 0; cut < sizeof(text); cut++) {
		fd = client("127.0.0.1:1", true);
		say(fd, text, cut);
		turn(2);
		say(fd, text + cut, sizeof(text) - 1 - cut);
		turn(2);
		hear(fd, out, sizeof(out), NULL);
		assert_int_equal(count(out, "200 OK"), 1);
		assert_string_equal(last_client, "7.7.7.7");
		close(fd);
		turn(2);
	}
	fd = client("127.0.0.1:1", true);
	say(fd, GET_HELLO, sizeof(GET_HELLO) - 1);
	turn(2);
	assert_int_equal(hear(fd, out, sizeof(out), &end), 0);
	assert_true(end);
	close(fd);
}

/* The second request waits for the first one's answer; whoever left meanwhile is not answered. */
static void
answers_that_come_later(void **state)
{
	static const char text[] = "GET /later HTTP/1.1\r\nHost: x\r\n\r\n" GET_HELLO;
	int a = client("1.1.1.1:1", false), b;
	uint64_t gone;
	char out[1024];

	say(a, text, sizeof(text) - 1);
	turn(2);
	assert_int_equal(hear(a, out, sizeof(out), NULL), 0);
	conn_sweep(now_ms() + 100000);
	assert_non_null(conn_find(later_id));
	answer_text(conn_find(later_id), 404, "late");
	hear(a, out, sizeof(out), NULL);
	assert_int_equal(count(out, "HTTP/1.1 404 "), 1);
	assert_int_equal(count(out, "\r\n\r\nlateHTTP/1.1 200 OK"), 1);
	b = client("1.1.1.1:1", false);
	say(b, text, sizeof(text) - 1);
	turn(2);
	gone = later_id;
	close(b);
	turn(2);
	assert_null(conn_find(gone));
	close(a);
}

static void
methods_and_refusals(void **state)
{
	static const struct { const char *text, *want; } cases[] = {
		{ "DELETE /hello HTTP/1.1\r\nHost: x\r\n\r\n", "405 Method Not Allowed\r\n" },
		{ "DELETE /hello HTTP/1.1\r\nHost: x\r\n\r\n", "\r\nAllow: GET, HEAD, OPTIONS\r\n" },
		{ "GET /do HTTP/1.1\r\nHost: x\r\n\r\n", "\r\nAllow: POST\r\n" },
		{ "OPTIONS /do HTTP/1.1\r\nHost: x\r\n\r\n", "405 Method" },
		{ "OPTIONS /hello HTTP/1.1\r\nHost: x\r\n\r\n", "204 No Content\r\n" },
		{ "OPTIONS /hello HTTP/1.1\r\nHost: x\r\n\r\n", "\r\nAccess-Control-Allow-Methods: " },
		{ "GET /none HTTP/1.1\r\nHost: x\r\n\r\n", "404 Not Found\r\n" },
		{ "GET / HTTP/1.1\r\n\r\n", "400 Bad Request\r\n" },
		{ "POST /do HTTP/1.1\r\nHost: x\r\nContent-Length: 999\r\n\r\n", "413 " },
		{ "GET /big HTTP/1.1\r\nHost: x\r\nRange: bytes=1-3\r\n\r\n",
		    "Content-Range: bytes 1-3/8388608\r\n" },
		{ "GET /big HTTP/1.1\r\nHost: x\r\nRange: bytes=9999999-\r\n\r\n",
		    "Content-Range: bytes */8388608\r\n" },
	};
	char out[2048];

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		int fd = client("1.1.1.1:1", false);

		say(fd, cases[i].text, strlen(cases[i].text));
		turn(2);
		hear(fd, out, sizeof(out), NULL);
		assert_int_equal(count(out, cases[i].want), 1);
		close(fd);
		turn(2);
	}
}

static void
who_is_local(void **state)
{
	static const struct { const char *peer, *line, *is; bool masked; } cases[] = {
		{ "127.0.0.1:1", "", "127.0.0.1", false },
		{ "127.0.0.1:1", "X-Forwarded-For: 8.8.8.8\r\n", "127.0.0.1", true },
		{ "127.0.0.1:1", "Via: 1.1 nginx\r\n", "127.0.0.1", true },
		{ "127.0.0.1:1", "X-Real-IP: 8.8.8.8\r\n", "127.0.0.1", true },
		{ "10.0.0.1:1", "X-Forwarded-For: 8.8.8.8\r\n", "8.8.8.8", false },
		{ "10.0.0.1:1", "X-Forwarded-For: ???\r\n", "10.0.0.1", true },
	};
	char text[256], out[1024];

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		int fd = client(cases[i].peer, false);
		int n = snprintf(text, sizeof(text), "POST /do HTTP/1.1\r\nHost: x\r\n%s\r\n", cases[i].line);

		say(fd, text, (size_t)n);
		turn(2);
		hear(fd, out, sizeof(out), NULL);
		assert_int_equal(count(out, "200 OK"), 1);
		assert_int_equal(count(out, "Access-Control"), 0);
		assert_string_equal(last_client, cases[i].is);
		assert_int_equal(last_masked, cases[i].masked);
		close(fd);
		turn(2);
	}
}

int
main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(two_requests_split_anywhere), TEST(a_long_pipeline_gives_way),
		TEST(a_slow_reader_is_waited_for_and_a_dead_one_is_not), TEST(timeouts),
		TEST(too_many_connections), TEST(too_many_of_one_address),
		TEST(proxy_heads_split_anywhere), TEST(answers_that_come_later),
		TEST(methods_and_refusals), TEST(who_is_local),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
