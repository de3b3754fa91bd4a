/* listen_webrtc.c: a UDP and a TCP port of one number per worker; taken ones; what a reload changes. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "conf.h"
#include "supervisor/conf_table.h"
#include "supervisor/listen.h"
#include "util.h"

struct supervisor sv;

static char conf_path[] = "/tmp/millrace-listen-XXXXXX";

static json_t *
conf_of(const char *listen, int workers, bool tcp)
{
	return json_pack("{s:{s:s, s:i, s:b}}", "webrtc", "listen", listen, "workers", workers, "tcp", tcp);
}

static void
use(const char *listen, int workers, bool tcp)
{
	json_decref(sv.conf);
	sv.conf = conf_of(listen, workers, tcp);
}

static unsigned
port_of(int fd)
{
	struct net_addr addr = { .len = sizeof(addr.ss) };

	assert_int_equal(getsockname(fd, (struct sockaddr *)&addr.ss, &addr.len), 0);
	return net_port((const struct sockaddr *)&addr.ss);
}

static int
type_of(int fd)
{
	socklen_t len = sizeof(int);
	int type;

	assert_int_equal(getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &len), 0);
	return type;
}

static unsigned
port(int worker)
{
	int fds[2];

	return listen_webrtc_fds(worker, fds) > 0 ? port_of(fds[0]) : 0;
}

/* Whether the key is in the file. */
static void
write_conf(bool set)
{
	FILE *f = fopen(conf_path, "w");

	assert_non_null(f);
	fputs(set ? "webrtc:\n  listen: x\n" : "webrtc:\n  workers: 1\n", f);
	fclose(f);
}

static int
setup(void **state)
{
	strcpy(conf_path + strlen(conf_path) - 6, "XXXXXX");
	close(mkstemp(conf_path));
	sv.conf_path = conf_path;
	write_conf(true);
	return 0;
}

static int
teardown(void **state)
{
	listen_webrtc_close();
	json_decref(sv.conf);
	sv.conf = NULL;
	unlink(conf_path);
	return 0;
}

static void
one_number_each(void **state)
{
	int fds[2];
	unsigned before = 0;

	use("127.0.0.1:0", 3, true);
	assert_int_equal(listen_webrtc_open(0), 0);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(listen_webrtc_fds(i, fds), 2);
		assert_int_equal(type_of(fds[0]), SOCK_DGRAM);
		assert_int_equal(type_of(fds[1]), SOCK_STREAM);
		assert_int_equal(port_of(fds[0]), port_of(fds[1]));
		assert_int_not_equal(port_of(fds[0]), before);
		before = port_of(fds[0]);
	}
	assert_int_equal(listen_webrtc_fds(3, fds), 0);
}

static void
shows(const char *want)
{
	char buf[80];

	listen_webrtc_show(buf, sizeof(buf));
	assert_string_equal(buf, want);
}

static void
it_shows_what_is_bound(void **state)
{
	char want[80];
	unsigned first;

	use("127.0.0.1:0", 0, true);
	assert_int_equal(listen_webrtc_open(0), 0);
	shows("");
	use("127.0.0.1:0", 1, true);
	assert_int_equal(listen_webrtc_open(0), 0);
	first = port(0);
	snprintf(want, sizeof(want), "127.0.0.1:%u", first);
	shows(want);
	listen_webrtc_close();
	write_conf(false);
	snprintf(want, sizeof(want), "127.0.0.1:%u", first);
	use(want, 2, true);
	assert_int_equal(listen_webrtc_open(0), 0);
	snprintf(want, sizeof(want), "127.0.0.1:%u-%u", port(0), port(0) + 1);
	shows(want);
}

static void
none_and_no_tcp(void **state)
{
	int fds[2];

	use("127.0.0.1:0", 0, true);
	assert_int_equal(listen_webrtc_open(0), 0);
	assert_int_equal(listen_webrtc_fds(0, fds), 0);
	use("127.0.0.1:0", 1, false);
	assert_int_equal(listen_webrtc_open(0), 0);
	assert_int_equal(listen_webrtc_fds(0, fds), 1);
}

/* Somebody else's: UDP, or TCP alone. */
static int
occupy(bool udp, char text[40])
{
	struct net_addr addr;
	int fd;

	assert_int_equal(net_parse("127.0.0.1:0", &addr), 0);
	fd = udp ? net_udp(&addr) : net_listen(&addr, 1);
	assert_true(fd >= 0);
	snprintf(text, 40, "127.0.0.1:%u", port_of(fd));
	return fd;
}

static void
taken(void **state)
{
	char text[40];

	for (int udp = 0; udp < 2; udp++) {
		int fd = occupy(udp, text), fds[2];

		use(text, 1, true);
		assert_int_equal(listen_webrtc_open(0), -1);
		assert_int_equal(listen_webrtc_fds(0, fds), 0);
		write_conf(false);		/* nobody asked for just this one */
		assert_int_equal(listen_webrtc_open(0), 0);
		assert_true(port(0) > port_of(fd) && port(0) <= port_of(fd) + 100);
		listen_webrtc_close();
		write_conf(true);
		close(fd);
	}
}

static bool
reload(const char *listen, int workers, bool tcp, char why[400])
{
	json_t *from = sv.conf, *to = conf_of(listen, workers, tcp);
	bool changed;

	sv.conf = to;
	changed = listen_webrtc_reload(from, to, why, 400);
	json_decref(from);
	return changed;
}

static void
reloads(void **state)
{
	char why[400], text[40];
	unsigned first;
	int fds[2], fd;

	use("127.0.0.1:0", 1, true);
	assert_int_equal(listen_webrtc_open(0), 0);
	first = port(0);
	assert_false(reload("127.0.0.1:0", 1, true, why));
	assert_true(reload("127.0.0.1:0", 3, true, why));
	assert_true(port(0) == first && port(1) != 0 && port(2) != 0);
	assert_true(reload("127.0.0.1:0", 2, true, why));
	assert_true(port(0) == first && port(2) == 0);
	assert_true(reload("127.0.0.1:0", 2, false, why));
	assert_int_equal(listen_webrtc_fds(1, fds), 1);
	assert_true(reload("127.0.0.1:0", 2, true, why));
	assert_int_equal(listen_webrtc_fds(1, fds), 2);
	assert_int_equal(port_of(fds[1]), port(1));
	fd = occupy(true, text);
	assert_false(reload(text, 1, true, why));
	assert_non_null(strstr(why, "taken by"));
	assert_non_null(strstr(why, "change webrtc.listen"));
	assert_true(port(0) == first && port(1) != 0);
	assert_string_equal(conf_str(sv.conf, "webrtc.listen"), "127.0.0.1:0");
	assert_int_equal(conf_int(sv.conf, "webrtc.workers"), 2);
	close(fd);
	assert_true(reload(text, 1, true, why));
	assert_true(strtoul(strchr(text, ':') + 1, NULL, 10) == port(0) && port(1) == 0);
	assert_true(reload(text, 0, true, why));
	assert_int_equal(port(0), 0);
	assert_true(reload(text, 1, true, why));
	assert_int_not_equal(port(0), 0);
}

#define WITH(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		WITH(one_number_each), WITH(it_shows_what_is_bound), WITH(none_and_no_tcp), WITH(taken), WITH(reloads),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
