/* net.c: addresses in and out, networks, listeners, the PROXY head split at every byte. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "net.h"

static const struct sockaddr *
sa_of(const char *text, struct net_addr *a)
{
	assert_int_equal(net_parse(text, a), 0);
	return (const struct sockaddr *)&a->ss;
}

static void
addresses_are_read_and_printed(void **state)
{
	static const char *const same[] = { "127.0.0.1:1935", "[::1]:80", "0.0.0.0:0", "[fe80::1]:65535" };
	static const char *const bad[] = { "", "80", "127.0.0.1", "127.0.0.1:", ":x", ":65536", ":-1",
		"localhost:80", "::1:80", "[::1]80", "[::1:80", "1.2.3:80", "1.2.3.4.5:80", ": 80" };
	struct net_addr a;
	char buf[NET_TEXT];

	for (size_t i = 0; i < sizeof same / sizeof same[0]; i++)
		assert_string_equal(net_format(sa_of(same[i], &a), buf), same[i]);
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		errno = 0;
		assert_int_equal(net_parse(bad[i], &a), -1);
		assert_int_equal(errno, EINVAL);
	}
	assert_string_equal(net_format(sa_of(":80", &a), buf), "[::]:80");
	assert_string_equal(net_format(sa_of("[::ffff:10.1.2.3]:80", &a), buf), "10.1.2.3:80");
	assert_string_equal(net_format_host((struct sockaddr *)&a.ss, buf), "10.1.2.3");
}

static void
mapped_addresses_are_the_same_host(void **state)
{
	struct net_addr a, b;

	assert_true(net_same_host(sa_of("10.0.0.1:1", &a), sa_of("[::ffff:10.0.0.1]:2", &b)));
	assert_false(net_same_host(sa_of("10.0.0.1:1", &a), sa_of("10.0.0.2:1", &b)));
	assert_true(net_is_loopback(sa_of("127.9.9.9:1", &a)));
	assert_true(net_is_loopback(sa_of("[::1]:1", &a)));
	assert_true(net_is_loopback(sa_of("[::ffff:127.0.0.1]:1", &a)));
	assert_false(net_is_loopback(sa_of("128.0.0.1:1", &a)));
}

static void
one_port_is_listened_at_once(void **state)
{
	static const struct { const char *a, *b; bool collide; } t[] = {
		{ "127.0.0.1:80", "127.0.0.1:80", true }, { "127.0.0.1:80", "127.0.0.1:81", false },
		{ "127.0.0.1:80", "127.0.0.2:80", false }, { "0.0.0.0:80", "127.0.0.1:80", true },
		{ "0.0.0.0:80", "[::1]:80", false }, { ":80", "127.0.0.1:80", true }, { "[::]:80", "[::1]:80", true },
		{ ":80", "0.0.0.0:80", true }, { "[::1]:80", "127.0.0.1:80", false }, { ":0", ":0", false },
		{ "[::ffff:10.0.0.1]:80", "10.0.0.1:80", true },
	};
	struct net_addr a, b;

	for (size_t i = 0; i < sizeof t / sizeof t[0]; i++) {
		sa_of(t[i].a, &a);
		sa_of(t[i].b, &b);
		assert_int_equal(net_collide(&a, &b), t[i].collide);
		assert_int_equal(net_collide(&b, &a), t[i].collide);
	}
	assert_true(net_is_any(sa_of(":80", &a)) && net_is_any(sa_of("0.0.0.0:80", &a)));
	assert_false(net_is_any(sa_of("127.0.0.1:80", &a)) || net_is_any(sa_of("[::1]:80", &a)));
}

static void
networks_have_their_members(void **state)
{
	static const struct { const char *addr, *cidr; int want; } t[] = {
		{ "10.1.2.3:1", "10.0.0.0/8", 1 }, { "11.1.2.3:1", "10.0.0.0/8", 0 },
		{ "10.1.2.3:1", "10.1.2.3", 1 }, { "10.1.2.3:1", "10.1.2.2/31", 1 },
		{ "10.1.2.4:1", "10.1.2.2/31", 0 }, { "[::ffff:10.1.2.3]:1", "10.0.0.0/8", 1 },
		{ "1.2.3.4:1", "0.0.0.0/0", 1 }, { "[::1]:1", "0.0.0.0/0", 0 }, { "[::1]:1", "::/0", 1 },
		{ "[2001:db8::5]:1", "2001:db8::/32", 1 }, { "[2001:db9::5]:1", "2001:db8::/32", 0 },
		{ "[::1]:1", "::1", 1 }, { "10.1.2.3:1", "10.0.0.0/33", -1 }, { "10.1.2.3:1", "x", -1 },
		{ "10.1.2.3:1", "", -1 }, { "10.1.2.3:1", "/8", -1 }, { "10.1.2.3:1", "10.0.0.0/", -1 },
		{ "[::1]:1", "::/129", -1 },
	};
	struct net_addr a;

	for (size_t i = 0; i < sizeof t / sizeof t[0]; i++)
		assert_int_equal(net_in_cidr(sa_of(t[i].addr, &a), t[i].cidr), t[i].want);
}

static void
listeners_are_ours_alone(void **state)
{
	struct net_addr a, got = { .len = sizeof got.ss };
	char text[NET_TEXT];
	int fd, second;

	sa_of("127.0.0.1:0", &a);
	fd = net_listen(&a, 5);
	assert_true(fd >= 0);
	assert_true(fcntl(fd, F_GETFL) & O_NONBLOCK);
	assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&got.ss, &got.len), 0);
	sa_of(net_format((struct sockaddr *)&got.ss, text), &a);
	second = net_listen(&a, 5);
	assert_int_equal(second, -1);
	assert_int_equal(errno, EADDRINUSE);
	close(fd);
}

/* Every shorter head wants more, the whole is taken, bytes behind it are left. */
static void
check_proxy(const char *head, size_t len, const char *want)
{
	uint8_t buf[256];
	struct net_addr src;
	char text[NET_TEXT];

	memcpy(buf, head, len);
	memset(buf + len, 'Z', 4);
	for (size_t n = 0; n < len; n++) {
		uint8_t *exact = malloc(n + 1);	/* nothing behind the n bytes may be read */

		memcpy(exact, buf, n);
		assert_int_equal(net_proxy_parse(exact, n, &src), 0);
		free(exact);
	}
	assert_int_equal(net_proxy_parse(buf, len, &src), (int)len);
	assert_int_equal(net_proxy_parse(buf, len + 4, &src), (int)len);
	if (want)
		assert_string_equal(net_format((struct sockaddr *)&src.ss, text), want);
	else
		assert_int_equal(src.len, 0);
}

#define V2 "\r\n\r\n\0\r\nQUIT\n"
#define CHECK(head, want) check_proxy(head, sizeof(head) - 1, want)

static void
proxy_heads_at_every_byte(void **state)
{
	CHECK("PROXY TCP4 1.2.3.4 5.6.7.8 56324 443\r\n", "1.2.3.4:56324");
	CHECK("PROXY TCP6 2001:db8::1 ::1 9 443\r\n", "[2001:db8::1]:9");
	CHECK("PROXY UNKNOWN\r\n", NULL);
	CHECK("PROXY UNKNOWN ffff::1 ffff::2 1 2\r\n", NULL);
	CHECK(V2 "\x21\x11\0\x0c" "\1\2\3\4" "\5\6\7\x8" "\0\x50\1\xbb", "1.2.3.4:80");
	CHECK(V2 "\x21\x11\0\x10" "\1\2\3\4" "\5\6\7\x8" "\0\x50\1\xbb" "TLVS", "1.2.3.4:80");
	CHECK(V2 "\x21\x21\0\x24" "\x20\1\xd\xb8\0\0\0\0\0\0\0\0\0\0\0\1" "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\1"
	    "\0\x50\1\xbb", "[2001:db8::1]:80");
	CHECK(V2 "\x20\0\0\0", NULL);
	CHECK(V2 "\x20\x11\0\x0c" "\1\2\3\4" "\5\6\7\x8" "\0\x50\1\xbb", NULL);
	CHECK(V2 "\x21\x11\0\x02" "xx", NULL);
}

static void
what_is_no_proxy_head(void **state)
{
	static const char *const bad[] = { "GET / HTTP/1.1\r\n", "\3", "PROXZ", "\r\n\r\nX",
		"PROXY TCP4 1.2.3.4 5.6.7.8 99999 443\r\n", "PROXY TCP4 evil 5.6.7.8 1 443\r\n",
		"PROXY TCP5 1.2.3.4 5.6.7.8 1 443\r\n", "PROXY TCP4\r\n" };
	char endless[200];
	struct net_addr src;

	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
		assert_int_equal(net_proxy_parse((const uint8_t *)bad[i], strlen(bad[i]), &src), -1);
	memset(endless, ' ', sizeof endless);
	memcpy(endless, "PROXY ", 6);
	assert_int_equal(net_proxy_parse((uint8_t *)endless, 106, &src), 0);
	assert_int_equal(net_proxy_parse((uint8_t *)endless, 107, &src), -1);
	assert_int_equal(net_proxy_parse((const uint8_t *)V2 "\x31\x11\0\x0c", 16, &src), -1);
	assert_int_equal(net_proxy_parse((const uint8_t *)V2 "\x22\x11\0\x0c", 16, &src), -1);
	assert_int_equal(net_proxy_parse((const uint8_t *)V2 "\x21\x11\xff\xff", 16, &src), -1);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(addresses_are_read_and_printed),
		cmocka_unit_test(mapped_addresses_are_the_same_host),
		cmocka_unit_test(one_port_is_listened_at_once),
		cmocka_unit_test(networks_have_their_members),
		cmocka_unit_test(listeners_are_ours_alone),
		cmocka_unit_test(proxy_heads_at_every_byte),
		cmocka_unit_test(what_is_no_proxy_head),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
