/* Which addresses an SDP names: configured ones, the socket's own, the one that was asked, interfaces. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/net.h"
#include "rtc/addresses.h"

static struct sdp_address out[ADDRESSES_MAX];

static int
bound(int type, const char *text, uint16_t *port)
{
	struct net_addr a;
	char shown[NET_TEXT];
	int fd;

	assert_int_equal(net_parse(text, &a), 0);
	fd = socket(a.ss.ss_family, type | SOCK_CLOEXEC, 0);
	assert_true(fd >= 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&a.ss, a.len), 0);
	a.len = sizeof(a.ss);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&a.ss, &a.len), 0);
	net_format((struct sockaddr *)&a.ss, shown);
	*port = (uint16_t)atoi(strrchr(shown, ':') + 1);
	return fd;
}

static int
find(unsigned n, const char *ip)
{
	for (unsigned i = 0; i < n; i++)
		if (strcmp(out[i].ip, ip) == 0)
			return (int)i;
	return -1;
}

static void
configured_ones_and_no_others(void **state)
{
	json_t *list = json_pack("[s, s, s]", "203.0.113.7", "2001:db8::7", "203.0.113.7");
	uint16_t udp, tcp;
	int fds[2] = { bound(SOCK_DGRAM, ":0", &udp), bound(SOCK_STREAM, "127.0.0.1:0", &tcp) };
	struct addresses_wish w = { list, fds[0], fds[1], "192.0.2.1:80", "192.0.2.2" };

	assert_int_equal(addresses_list(&w, out), 2);
	assert_string_equal(out[0].ip, "203.0.113.7");
	assert_string_equal(out[1].ip, "2001:db8::7");
	assert_int_equal(out[1].udp, udp);
	assert_int_equal(out[1].tcp, tcp);
	w.tcp_fd = -1;
	assert_int_equal(addresses_list(&w, out), 2);
	assert_int_equal(out[0].tcp, 0);
	json_decref(list);
	close(fds[0]);
	close(fds[1]);
}

static void
a_bound_one_alone(void **state)
{
	uint16_t udp;
	int fd = bound(SOCK_DGRAM, "127.0.0.1:0", &udp);
	struct addresses_wish w = { NULL, fd, -1, "192.0.2.1:80", "192.0.2.2" };

	assert_int_equal(addresses_list(&w, out), 1);
	assert_string_equal(out[0].ip, "127.0.0.1");
	assert_int_equal(out[0].udp, udp);
	close(fd);
}

static void
where_it_was_asked(void **state)
{
	static const struct { const char *local, *host, *first, *second; } rows[] = {
		{ "127.0.0.1:8080", "localhost:8080", "127.0.0.1", NULL },
		{ "172.17.0.2:8080", "203.0.113.5:8080", "172.17.0.2", "203.0.113.5" },
		{ "172.17.0.2:8080", "203.0.113.5", "172.17.0.2", "203.0.113.5" },
		{ "[::1]:8080", "[2001:db8::1]:8080", "::1", "2001:db8::1" },
		{ "[::ffff:192.0.2.9]:8080", "[2001:db8::1]", "192.0.2.9", "2001:db8::1" },
		{ "192.0.2.1:80", "192.0.2.1", "192.0.2.1", NULL },
		{ "192.0.2.1:80", "0.0.0.0:80", "192.0.2.1", NULL },
		{ "192.0.2.1:80", "example.org", "192.0.2.1", NULL },
		{ "192.0.2.1:80", "192.0.2.3.nip.io", "192.0.2.1", NULL },
		{ "", "", NULL, NULL }, { NULL, NULL, NULL, NULL }, { ":80", ":", NULL, NULL }, { "[", "]", NULL, NULL },
	};
	struct addresses_wish w = { NULL, -1, -1, NULL, NULL };
	uint16_t udp;
	unsigned n, all, more;

	w.udp_fd = bound(SOCK_DGRAM, "[::]:0", &udp);
	all = addresses_list(&w, out);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		w.local = rows[i].local;
		w.host = rows[i].host;
		n = addresses_list(&w, out);
		more = (rows[i].first != NULL) + (rows[i].second != NULL);
		assert_in_range(n, all, all + more);
		if (rows[i].first != NULL)
			assert_string_equal(out[0].ip, rows[i].first);
		if (rows[i].second != NULL)
			assert_string_equal(out[1].ip, rows[i].second);
		assert_int_equal(find(n, "0.0.0.0"), -1);
	}
	close(w.udp_fd);
	w.udp_fd = bound(SOCK_DGRAM, "0.0.0.0:0", &udp);
	w.local = "[2001:db8::9]:80";
	n = addresses_list(&w, out);
	for (unsigned i = 0; i < n; i++)
		assert_null(strchr(out[i].ip, ':'));
	close(w.udp_fd);
}

int
main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(configured_ones_and_no_others),
		cmocka_unit_test(a_bound_one_alone), cmocka_unit_test(where_it_was_asked) };

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
