/*
 * peer.c, media.c and dtls.c over real sockets against OpenSSL's client: handshakes with lost flights and
 * in pieces, wrong certificates, media both ways in both suites, goodbyes, freeing at any time.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include <sys/syscall.h>

#include "t/lib/rtc_bench.h"

#define STATS(i) rtc_client_stats(bench.client[i])

/* The C library's, with a network card that is busy, or takes no packet, when a test says so. */
static int send_error;
static unsigned sends;

int
sendmmsg(int fd, struct mmsghdr *m, unsigned n, int flags)
{
	sends++;
	errno = send_error;
	return send_error != 0 ? -1 : (int)syscall(SYS_sendmmsg, fd, m, n, flags);
}

static uint64_t got_rtp, got_rtcp;
static uint8_t got[2048];
static size_t got_n;

static void
client_media(void *ctx, bool rtcp, const uint8_t *p, size_t n)
{
	got_rtp += !rtcp;
	got_rtcp += rtcp;
	memcpy(got, p, n);
	got_n = n;
}

static void
end_close(struct end *e)
{
	rtc_peer_free(&e->peer);
	bench_turn();
}

static void
media_both_ways(struct end *e, int i)
{
	static const uint8_t pli[12] = { 0x81, 206, 0, 2, 0, 0, 0, 9, 0, 0, 0, 7 };
	uint8_t p[RTC_PACKET_MAX];

	got_rtp = got_rtcp = 0;
	for (uint16_t seq = 65500; seq != 100; seq++) {		/* over the wrap */
		rtc_peer_send_rtp(e->peer, p, bench_rtp(p, 7, seq, 12 + seq % 1200));
		rtc_peer_send_rtcp(e->peer, pli, sizeof(pli));
		bench_turn();
	}
	assert_true(bench_until(got_rtp == 136 && got_rtcp == 136));
	rtc_client_send(bench.client[i], true, pli, sizeof(pli));
	assert_true(bench_until(e->rtcp == 1));
	assert_int_equal(e->last_n, sizeof(pli));
	assert_memory_equal(e->last, pli, sizeof(pli));
	rtc_client_send(bench.client[i], false, p, bench_rtp(p, 9, 1, 1000));
	assert_true(bench_until(e->rtp == 1));
	assert_int_equal(e->last_n, 1000);
	assert_memory_equal(e->last, p, 1000);
	assert_int_equal(STATS(i)->bad, 0);
	assert_int_equal(STATS(i)->source[0].lost, 0);
}

static void
both_suites_carry_media(void **state)
{
	static const char *const suites[] = { "SRTP_AEAD_AES_128_GCM", "SRTP_AES128_CM_SHA1_80",
		"SRTP_AES128_CM_SHA1_80:SRTP_AEAD_AES_128_GCM" };
	struct rtc_peer_stats s;
	struct end e;

	for (int i = 0; i < 3; i++) {
		struct rtc_client_conf conf;

		end_open(&e);
		conf = bench_conf(&e);
		conf.suites = suites[i];
		conf.media = client_media;
		bench_connect(&e, 0, &conf);
		assert_string_equal(STATS(0)->suite, i == 1 ? suites[1] : suites[0]);	/* ours is the choice */
		media_both_ways(&e, 0);
		rtc_peer_stats(e.peer, &s);
		assert_true(s.connected);
		assert_string_equal(s.srtp, suites[i == 1] + 5);
		assert_string_equal(s.address, STATS(0)->mapped);
		assert_int_equal(s.packets_out, 272);
		assert_int_equal(s.packets_in, 2);
		assert_int_equal(s.dropped + s.rejected + s.moves, 0);
		end_close(&e);
		rtc_client_free(&bench.client[0]);
	}
}

static void
a_client_hello_comes_in_pieces(void **state)
{
	struct rtc_client_conf conf;
	struct end e;

	end_open(&e);
	conf = bench_conf(&e);
	conf.mtu = 256;
	bench_connect(&e, 0, &conf);
	end_close(&e);
}

/* Any one datagram of either side, and whole flights, are lost: the next try comes soon. */
static void
lost_flights_are_sent_again(void **state)
{
	static const unsigned more[] = { 3, 7, 15 };
	struct rtc_client_conf conf;
	struct rtc_peer_stats s;
	struct end e;

	for (int i = 0; i < 12; i++) {
		unsigned mask = i < 9 ? 1u << i % 9 : more[i - 9];

		for (int in = 0; in < 2; in++) {
			end_open(&e);
			conf = bench_conf(&e);
			conf.lose_in = in ? mask : 0;
			conf.lose_out = in ? 0 : mask;
			bench_connect(&e, 0, &conf);
			rtc_peer_stats(e.peer, &s);
			assert_true(s.setup_ms < 2000);
			end_close(&e);
			rtc_client_free(&bench.client[0]);
		}
	}
}

static void
a_wrong_certificate_is_not_connected(void **state)
{
	struct rtc_client_conf conf;
	struct rtc_net_stats s;
	char print[128];
	struct end e = { .peer = NULL };

	str_copy(print, rtc_client_fingerprint(), sizeof(print));
	print[8] = print[8] == '0' ? '1' : '0';
	e.peer = rtc_peer_new(bench.net, print, &end_ops, &e);
	conf = bench_conf(&e);
	bench.client[0] = rtc_client_new(&conf);
	assert_true(bench_until(e.gone));
	assert_string_equal(e.why, RTC_GONE_FINGERPRINT);
	assert_int_equal(e.connected, 0);
	assert_true(bench_until(STATS(0)->closed));
	rtc_net_stats(bench.net, &s);
	assert_int_equal(s.peers, 0);
	rtc_client_free(&bench.client[0]);
}

static void
a_fingerprint_may_come_after_the_handshake(void **state)
{
	struct rtc_client_conf conf;
	struct end e = { .peer = NULL };

	e.peer = rtc_peer_new(bench.net, NULL, &end_ops, &e);
	conf = bench_conf(&e);
	bench.client[0] = rtc_client_new(&conf);
	assert_true(bench_until(STATS(0)->connected));
	bench_for(50);
	assert_int_equal(e.connected, 0);
	assert_int_equal(rtc_peer_set_fingerprint(e.peer, "sha-256 nonsense"), -1);
	assert_int_equal(rtc_peer_set_fingerprint(e.peer, rtc_client_fingerprint()), 0);
	assert_int_equal(e.connected, 0);		/* never from inside a call */
	assert_true(bench_until(e.connected == 1));
	end_close(&e);
}

static void
no_common_suite_is_no_connection(void **state)
{
	struct rtc_client_conf conf;
	struct end e;

	end_open(&e);
	conf = bench_conf(&e);
	conf.suites = "SRTP_AES128_CM_SHA1_32";
	bench.client[0] = rtc_client_new(&conf);
	assert_true(bench_until(e.gone));
	assert_string_equal(e.why, RTC_GONE_DTLS);
}

static void
goodbyes_are_heard_both_ways(void **state)
{
	struct rtc_client_conf conf;
	struct end e;

	end_open(&e);
	conf = bench_conf(&e);
	bench_connect(&e, 0, &conf);
	rtc_client_close(bench.client[0]);
	assert_true(bench_until(e.gone));
	assert_string_equal(e.why, RTC_GONE_CLOSED);
	rtc_client_free(&bench.client[0]);
	end_open(&e);
	conf = bench_conf(&e);
	bench_connect(&e, 0, &conf);
	end_close(&e);
	assert_true(bench_until(STATS(0)->closed));
	assert_int_equal(e.gone, 0);
}

static void
a_peer_may_be_freed_in_its_callback(void **state)
{
	struct rtc_client_conf conf;
	struct end e;

	end_open(&e);
	e.free_when_connected = true;
	conf = bench_conf(&e);
	bench.client[0] = rtc_client_new(&conf);
	assert_true(bench_until(STATS(0)->closed));
	assert_int_equal(e.connected, 1);
	assert_null(e.peer);
}

static void
nothing_is_sent_that_may_not_be(void **state)
{
	uint8_t p[RTC_PACKET_MAX + 1];
	struct rtc_client_conf conf;
	struct rtc_peer_stats s;
	struct end e;

	end_open(&e);
	conf = bench_conf(&e);
	rtc_peer_send_rtp(e.peer, p, bench_rtp(p, 7, 1, 100));		/* before it is connected */
	bench_connect(&e, 0, &conf);
	rtc_peer_send_rtp(e.peer, p, bench_rtp(p, 7, 1, RTC_PACKET_MAX + 1));
	rtc_peer_send_rtp(e.peer, p, bench_rtp(p, 7, 1, 12) - 1);
	rtc_peer_send_rtp(e.peer, p, bench_rtp(p, 7, 2, RTC_PACKET_MAX));
	assert_true(bench_until(STATS(0)->rtp == 1));
	rtc_peer_stats(e.peer, &s);
	assert_int_equal(s.dropped, 3);
	assert_int_equal(s.packets_out, 1);
	end_close(&e);
}

/* Many more than the socket's buffer or a batch holds, in one turn. */
static void
a_burst_is_sent_whole(void **state)
{
	uint8_t p[RTC_PACKET_MAX];
	unsigned before;
	struct rtc_client_conf conf;
	struct end e;

	end_open(&e);
	conf = bench_conf(&e);
	bench_connect(&e, 0, &conf);
	before = sends;
	for (uint16_t seq = 0; seq < 300; seq++)
		rtc_peer_send_rtp(e.peer, p, bench_rtp(p, 7, seq, 1200));
	assert_true(sends - before >= 4 && sends - before <= 6);	/* and not all at the end */
	assert_true(bench_until(STATS(0)->rtp >= 300 || STATS(0)->source[0].lost > 0));
	assert_int_equal(STATS(0)->source[0].lost + STATS(0)->source[0].late, 0);
	end_close(&e);
}

static void
a_busy_network_costs_each_peer_its_own_packets(void **state)
{
	struct rtc_client_conf conf;
	struct rtc_peer_stats s;
	uint8_t p[1200];
	struct end e[2];

	for (int i = 0; i < 2; i++) {
		end_open(&e[i]);
		conf = bench_conf(&e[i]);
		bench_connect(&e[i], i, &conf);
	}
	rtc_net_flush(bench.net);
	send_error = EAGAIN;
	rtc_peer_send_rtp(e[0].peer, p, bench_rtp(p, 7, 0, sizeof(p)));
	rtc_net_flush(bench.net);
	for (uint16_t seq = 1; seq <= 150; seq++)
		rtc_peer_send_rtp(e[0].peer, p, bench_rtp(p, 7, seq, sizeof(p)));
	for (uint16_t seq = 0; seq < 5; seq++)
		rtc_peer_send_rtp(e[1].peer, p, bench_rtp(p, 7, seq, sizeof(p)));
	rtc_peer_stats(e[0].peer, &s);
	assert_int_equal(s.dropped, 50);
	rtc_peer_stats(e[1].peer, &s);
	assert_int_equal(s.dropped, 0);
	for (int i = 0; i < 2; i++)
		rtc_client_step(bench.client[i]);
	assert_int_equal(STATS(0)->rtp + STATS(1)->rtp, 0);
	send_error = 0;
	assert_true(bench_until(STATS(0)->rtp == 101 && STATS(1)->rtp == 5));
	assert_int_equal(STATS(0)->source[0].lost, 0);
	rtc_peer_free(&e[0].peer);
	rtc_peer_free(&e[1].peer);
}

static void
a_packet_that_cannot_go_stops_no_other(void **state)
{
	struct rtc_client_conf conf;
	struct rtc_net_stats s;
	uint8_t p[100];
	struct end e;

	end_open(&e);
	conf = bench_conf(&e);
	conf.check_ms = -1;
	bench_connect(&e, 0, &conf);
	bench_for(60);
	send_error = ENETUNREACH;
	for (uint16_t seq = 0; seq < 3; seq++)
		rtc_peer_send_rtp(e.peer, p, bench_rtp(p, 7, seq, sizeof(p)));
	rtc_net_flush(bench.net);
	send_error = 0;
	rtc_net_stats(bench.net, &s);
	assert_int_equal(s.dropped, 3);
	rtc_peer_send_rtp(e.peer, p, bench_rtp(p, 7, 3, sizeof(p)));
	assert_true(bench_until(STATS(0)->rtp == 1));
	rtc_peer_free(&e.peer);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(both_suites_carry_media, bench_start, bench_stop),
		cmocka_unit_test_setup_teardown(a_client_hello_comes_in_pieces, bench_start, bench_stop),
		cmocka_unit_test_setup_teardown(lost_flights_are_sent_again, bench_start, bench_stop),
		cmocka_unit_test_setup_teardown(a_wrong_certificate_is_not_connected, bench_start, bench_stop),
		cmocka_unit_test_setup_teardown(a_fingerprint_may_come_after_the_handshake, bench_start, bench_stop),
		cmocka_unit_test_setup_teardown(no_common_suite_is_no_connection, bench_start, bench_stop),
		cmocka_unit_test_setup_teardown(goodbyes_are_heard_both_ways, bench_start, bench_stop),
		cmocka_unit_test_setup_teardown(a_peer_may_be_freed_in_its_callback, bench_start, bench_stop),
		cmocka_unit_test_setup_teardown(nothing_is_sent_that_may_not_be, bench_start, bench_stop),
		cmocka_unit_test_setup_teardown(a_burst_is_sent_whole, bench_start, bench_stop),
		cmocka_unit_test_setup_teardown(a_busy_network_costs_each_peer_its_own_packets, bench_start, bench_stop),
		cmocka_unit_test_setup_teardown(a_packet_that_cannot_go_stops_no_other, bench_start, bench_stop),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
