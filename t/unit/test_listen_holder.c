/* listen_holder.c: lines of /proc/net/tcp{,6}, and a port that we hold ourselves. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "supervisor/supervisor.h"

#define HEAD "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode"
#define LISTEN4 "   0: 0100007F:078F 00000000:0000 0A 00000000:00000000 00:00000000 00000000    33        0 12345 1 0000000000000000 100 0 0 10 0"
#define ESTABLISHED4 "   1: 0100007F:078F 0100007F:D2F0 01 00000000:00000000 00:00000000 00000000    33        0 12346 1 0000000000000000 20 4 30 10 -1"
#define UDP4 "  711: 0100007F:1FFD 00000000:0000 07 00000000:00000000 00:00000000 00000000    33        0 4711 2 0000000000000000 0"
#define LISTEN6 "   0: 00000000000000000000000000000000:1F90 00000000000000000000000000000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 999 1 0000000000000000 100 0 0 10 0"

static void
a_listener_on_the_port(void **state)
{
	unsigned long inode = 0;
	unsigned uid = 0;

	assert_true(listen_holder_line(LISTEN4, 1935, false, &inode, &uid));
	assert_int_equal(inode, 12345);
	assert_int_equal(uid, 33);
	assert_true(listen_holder_line(LISTEN6, 8080, false, &inode, &uid));
	assert_int_equal(inode, 999);
	assert_int_equal(uid, 0);
}

static void
a_udp_socket_on_the_port(void **state)
{
	unsigned long inode = 0;
	unsigned uid = 0;

	assert_true(listen_holder_line(UDP4, 8189, true, &inode, &uid));
	assert_int_equal(inode, 4711);
	assert_int_equal(uid, 33);
	assert_false(listen_holder_line(UDP4, 8189, false, &inode, &uid));
	assert_false(listen_holder_line(LISTEN4, 1935, true, &inode, &uid));
}

static void
others_are_not(void **state)
{
	unsigned long inode;
	unsigned uid;

	assert_false(listen_holder_line(HEAD, 1935, false, &inode, &uid));
	assert_false(listen_holder_line(ESTABLISHED4, 1935, false, &inode, &uid));
	assert_false(listen_holder_line(LISTEN4, 1936, false, &inode, &uid));
	assert_false(listen_holder_line("", 0, false, &inode, &uid));
}

/* A line cut anywhere before its inode names nobody. */
static void
torn_lines(void **state)
{
	size_t until = (size_t)(strstr(LISTEN4, "12345") - LISTEN4), n;
	char line[200];
	unsigned long inode;
	unsigned uid;

	for (n = 0; n <= until; n++) {
		snprintf(line, sizeof(line), "%.*s", (int)n, LISTEN4);
		assert_false(listen_holder_line(line, 1935, false, &inode, &uid));
	}
}

static void
our_own_port_is_ours(void **state)
{
	struct sockaddr_in in = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	struct net_addr addr = { .len = sizeof(in) };
	socklen_t len = sizeof(in);
	char text[100], pid[32];
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_int_equal(bind(fd, (struct sockaddr *)&in, sizeof(in)), 0);
	assert_int_equal(listen(fd, 1), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&in, &len), 0);
	memcpy(&addr.ss, &in, sizeof(in));
	snprintf(pid, sizeof(pid), "(pid %d)", (int)getpid());
	assert_non_null(strstr(listen_holder(&addr, false, text, sizeof(text)), pid));
	close(fd);
	assert_string_equal(listen_holder(&addr, false, text, sizeof(text)), "");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_listener_on_the_port),
		cmocka_unit_test(a_udp_socket_on_the_port), cmocka_unit_test(others_are_not),
		cmocka_unit_test(torn_lines),
		cmocka_unit_test(our_own_port_is_ours),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
