/*
 * tcp.c over real sockets: ICE-TCP whole and byte by byte, strangers that say nothing, frames that are too
 * long, a viewer that does not read, a connection that goes while UDP stays.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>

#include "t/lib/rtc_bench.h"

#define STATS(i) rtc_client_stats(bench.client[i])
#define STRANGERS 60

static unsigned
connections(void)
{
	struct rtc_net_stats s;

	rtc_net_stats(bench.net, &s);
	return s.tcp;
}

static int
dial(void)
{
	struct net_addr a;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	net_parse(bench.address, &a);
	assert_int_equal(connect(fd, (struct sockaddr *)&a.ss, a.len), 0);
	fd_cloexec_nonblock(fd);
	return fd;
}

static bool
hung_up(int fd)
{
	char c;

	return recv(fd, &c, 1, MSG_DONTWAIT) == 0 || (errno != EAGAIN && errno != EWOULDBLOCK);
}

static void
media_by_tcp(size_t tcp_bytes)
{
	uint8_t p[1200], pli[12] = { 0x81, 206, 0, 2 };
	struct rtc_client_conf conf;
	struct rtc_peer_stats s;
	struct end e;

	end_open(&e);
	conf = bench_conf(&e);
	conf.tcp = true;
	conf.tcp_bytes = tcp_bytes;
	bench_connect(&e, 0, &conf);
	for (uint16_t seq = 0; seq < 50; seq++)
		rtc_peer_send_rtp(e.peer, p, bench_rtp(p, 7, seq, sizeof(p)));
	assert_true(bench_until(STATS(0)->rtp == 50));
	rtc_client_send(bench.client[0], true, pli, sizeof(pli));
	assert_true(bench_until(e.rtcp == 1));
	rtc_peer_stats(e.peer, &s);
	assert_true(s.tcp);
	assert_string_equal(s.address, STATS(0)->mapped);
	rtc_peer_free(&e.peer);
	assert_true(bench_until(STATS(0)->closed));		/* close_notify, then the connection's end */
	assert_int_equal(connections(), 0);
	rtc_client_free(&bench.client[0]);
}

static void
a_peer_connects_by_tcp(void **state)
{
	media_by_tcp(0);
}

static void
frames_come_byte_by_byte(void **state)
{
	media_by_tcp(1);
	media_by_tcp(7);
}

static void
strangers_are_few_and_leave(void **state)
{
	int fds[STRANGERS];
	unsigned hung = 0;

	for (int i = 0; i < STRANGERS; i++) {
		fds[i] = dial();
		bench_turn();
	}
	assert_true(bench_until(connections() == bench.limits.max_handshakes));
	for (int i = 0; i < STRANGERS; i++)
		hung += hung_up(fds[i]);
	assert_int_equal(hung, STRANGERS - bench.limits.max_handshakes);
	assert_true(hung_up(fds[0]));
	assert_false(hung_up(fds[STRANGERS - 1]));
	bench.limits.consent_ms = 100;
	rtc_net_limits(bench.net, &bench.limits);
	assert_true(bench_until(connections() == 0));
	for (int i = 0; i < STRANGERS; i++)
		close(fds[i]);
}

static void
nonsense_is_hung_up_on_or_not_answered(void **state)
{
	static const uint8_t http[] = "GET / HTTP/1.1\r\n\r\n", small[] = "\0\3abc\0\0\0\24\1\2\3\4";
	int fd = dial(), other = dial();

	send(fd, http, sizeof(http) - 1, MSG_NOSIGNAL);		/* a frame of 0x4745 bytes */
	assert_true(bench_until(hung_up(fd)));
	send(other, small, sizeof(small) - 1, MSG_NOSIGNAL);
	bench_for(30);
	assert_false(hung_up(other));
	close(fd);
	close(other);
	assert_true(bench_until(connections() == 0));
}

static void
who_does_not_read_loses_packets_and_costs_no_memory(void **state)
{
	struct rtc_client_conf conf;
	struct rtc_peer_stats s;
	uint8_t p[1200];
	struct end e, other;

	end_open(&e);
	conf = bench_conf(&e);
	conf.tcp = true;
	bench_connect(&e, 0, &conf);
	end_open(&other);
	conf = bench_conf(&other);
	bench_connect(&other, 1, &conf);
	for (int i = 0; i < 20000; i++) {			/* 24 MB: more than the kernel's buffers */
		rtc_peer_send_rtp(e.peer, p, bench_rtp(p, 7, (uint16_t)i, sizeof(p)));
		event_base_loop(bench.base, EVLOOP_NONBLOCK);
	}
	rtc_peer_stats(e.peer, &s);
	assert_true(s.dropped > 1000);
	rtc_peer_send_rtp(other.peer, p, bench_rtp(p, 7, 1, sizeof(p)));
	assert_true(bench_until(STATS(1)->rtp == 1));
	assert_true(bench_until(STATS(0)->rtp == s.packets_out));	/* whole frames only were dropped */
	assert_int_equal(STATS(0)->bad, 0);
	rtc_peer_free(&e.peer);
	rtc_peer_free(&other.peer);
}

/* However much may be queued: what comes seconds late is of no use, and memory that a viewer costs by reading slowly. */
static void
who_reads_too_slowly_is_given_no_more(void **state)
{
	struct rtc_client_conf conf;
	struct rtc_peer_stats s;
	uint8_t p[1200];
	struct end e;
	uint16_t seq = 0;

	bench.limits.max_queued = 100000;
	rtc_net_limits(bench.net, &bench.limits);
	end_open(&e);
	conf = bench_conf(&e);
	conf.tcp = true;
	bench_connect(&e, 0, &conf);
	for (; seq < 10000; seq++) {				/* nobody reads: the loop does not turn */
		rtc_peer_send_rtp(e.peer, p, bench_rtp(p, 7, seq, sizeof(p)));
		rtc_net_flush(bench.net);
	}
	rtc_peer_stats(e.peer, &s);
	assert_int_equal(s.dropped, 0);
	usleep(1100 * 1000);
	rtc_peer_send_rtp(e.peer, p, bench_rtp(p, 7, seq++, sizeof(p)));
	rtc_peer_stats(e.peer, &s);
	assert_int_equal(s.dropped, 1);
	assert_true(bench_until(STATS(0)->rtp == s.packets_out));
	rtc_peer_send_rtp(e.peer, p, bench_rtp(p, 7, seq, sizeof(p)));
	assert_true(bench_until(STATS(0)->rtp == s.packets_out + 1));
	rtc_peer_free(&e.peer);
}

static void
without_its_connection_a_peer_goes_on_by_udp(void **state)
{
	struct rtc_client_conf conf;
	struct rtc_peer_stats s;
	struct end e;
	uint8_t p[100];

	end_open(&e);
	conf = bench_conf(&e);
	bench_connect(&e, 0, &conf);
	conf = bench_conf(&e);
	conf.tcp = true;
	conf.silent_dtls = true;
	bench.client[1] = rtc_client_new(&conf);		/* the same session's second way: it is chosen */
	rtc_client_checks(bench.client[0], -1);
	assert_true(bench_until((rtc_peer_stats(e.peer, &s), s.tcp)));
	rtc_client_free(&bench.client[1]);
	assert_true(bench_until((rtc_peer_stats(e.peer, &s), !s.tcp)));
	rtc_peer_send_rtp(e.peer, p, bench_rtp(p, 7, 1, sizeof(p)));
	assert_true(bench_until(STATS(0)->rtp == 1));
	rtc_peer_free(&e.peer);
}

#define ON_BENCH(f) cmocka_unit_test_setup_teardown(f, bench_start, bench_stop)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		ON_BENCH(a_peer_connects_by_tcp),
		ON_BENCH(frames_come_byte_by_byte),
		ON_BENCH(strangers_are_few_and_leave),
		ON_BENCH(nonsense_is_hung_up_on_or_not_answered),
		ON_BENCH(who_does_not_read_loses_packets_and_costs_no_memory),
		ON_BENCH(who_reads_too_slowly_is_given_no_more),
		ON_BENCH(without_its_connection_a_peer_goes_on_by_udp),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
