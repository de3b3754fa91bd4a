/*
 * ice.c and net.c over real sockets: who is answered and who is not, what a stranger, a replay or a spoofed
 * check can do (nothing), moves, restarts, consent, and the limits of sessions that are never finished.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>

#include "be.h"
#include "rtc/stun.h"
#include "t/lib/rtc_bench.h"

#define STATS(i) rtc_client_stats(bench.client[i])

static struct rtc_net_stats
net_stats(void)
{
	struct rtc_net_stats s;

	rtc_net_stats(bench.net, &s);
	return s;
}

/* A socket that is nobody's, connected to the net. */
static int
stranger(void)
{
	struct net_addr a;
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	net_parse(bench.address, &a);
	assert_int_equal(connect(fd, (struct sockaddr *)&a.ss, a.len), 0);
	return fd;
}

static bool
answered(int fd)
{
	uint8_t p[2048];

	bench_for(20);
	return recv(fd, p, sizeof(p), MSG_DONTWAIT) > 0;
}

static void
open_and_connect(struct end *e, int i)
{
	struct rtc_client_conf conf;

	end_open(e);
	conf = bench_conf(e);
	bench_connect(e, i, &conf);
}

static void
media_flows(struct end *e, int i)
{
	static uint16_t seq;
	uint64_t before = STATS(i)->rtp;
	uint8_t p[100];

	rtc_peer_send_rtp(e->peer, p, bench_rtp(p, 7, ++seq, sizeof(p)));
	assert_true(bench_until(STATS(i)->rtp == before + 1));
}

static void
strangers_are_answered_with_nothing(void **state)
{
	static const uint8_t kinds[] = { 22, 0x80, 1, 5, 70, 200, 128 };
	struct rtc_client_conf conf;
	uint8_t p[1300] = { 0 };
	int fd = stranger();
	struct end e;
	size_t n;

	end_open(&e);
	for (size_t i = 0; i < sizeof(kinds); i++) {
		p[0] = kinds[i];
		assert_int_equal(send(fd, p, i % 2 ? sizeof(p) : 30, 0), i % 2 ? sizeof(p) : 30);
	}
	conf = bench_conf(&e);
	conf.pwd = "nobody-has-this-password";
	bench.client[0] = rtc_client_new(&conf);
	n = rtc_client_check(bench.client[0], true, p, sizeof(p));
	send(fd, p, n, 0);
	conf.ufrag = "NOTTHERE";
	conf.pwd = rtc_peer_pwd(e.peer);
	bench.client[1] = rtc_client_new(&conf);
	bench_for(200);
	assert_false(answered(fd));
	assert_int_equal(STATS(0)->answers + STATS(0)->errors + STATS(1)->answers + STATS(1)->errors, 0);
	assert_true(net_stats().strangers >= 6);
	assert_true(net_stats().malformed >= 4);
	assert_int_equal(e.connected + e.gone, 0);
	close(fd);
	rtc_peer_free(&e.peer);
}

/* Every truncation and every byte changed of a check that is right: no answer, no address known. */
static void
a_broken_check_is_answered_with_nothing(void **state)
{
	struct rtc_client_conf conf;
	uint8_t p[STUN_MAX], bad[STUN_MAX];
	int fd = stranger();
	struct end e;
	size_t n;

	end_open(&e);
	conf = bench_conf(&e);
	bench.client[0] = rtc_client_new(&conf);
	n = rtc_client_check(bench.client[0], true, p, sizeof(p));
	rtc_client_free(&bench.client[0]);
	for (size_t at = 0; at < n; at++) {
		memcpy(bad, p, n);
		bad[at] ^= 0x21;
		send(fd, bad, n, 0);
		send(fd, p, at, 0);
		event_base_loop(bench.base, EVLOOP_NONBLOCK);
	}
	assert_false(answered(fd));
	send(fd, p, n, 0);
	assert_true(answered(fd));
	close(fd);
	rtc_peer_free(&e.peer);
}

static size_t
check_with(struct end *e, uint16_t attr, size_t n, uint8_t *out)
{
	uint8_t id[STUN_ID] = { (uint8_t)attr, 1 }, value[8] = { 0 };
	char user[64];
	struct stun_out o;

	snprintf(user, sizeof(user), "%s:x", rtc_peer_ufrag(e->peer));
	stun_begin(&o, STUN_REQUEST, id);
	stun_add(&o, STUN_USERNAME, user, strlen(user));
	stun_add(&o, attr, value, n);
	n = stun_end(&o, rtc_peer_pwd(e->peer));
	memcpy(out, o.p, n);
	return n;
}

static void
errors_are_told_to_those_with_the_password(void **state)
{
	static const struct { uint16_t attr; size_t n; unsigned code; } t[] = {
		{ STUN_CONTROLLED, 8, 487 }, { 0x7001, 3, 420 } };
	struct end e;
	struct stun s;
	uint8_t p[2048];
	int fd = stranger();
	ssize_t got;

	end_open(&e);
	for (size_t i = 0; i < 2; i++) {
		send(fd, p, check_with(&e, t[i].attr, t[i].n, p), 0);
		assert_true(bench_until((got = recv(fd, p, sizeof(p), MSG_DONTWAIT)) > 0));
		assert_int_equal(stun_parse(&s, p, (size_t)got), 0);
		assert_true(stun_verify(&s, p, rtc_peer_pwd(e.peer)));
		assert_int_equal(s.error, t[i].code);
	}
	close(fd);
	rtc_peer_free(&e.peer);
}

static void
a_viewer_moves_to_another_address(void **state)
{
	char before[64];
	struct rtc_peer_stats s;
	struct end e;

	open_and_connect(&e, 0);
	media_flows(&e, 0);
	str_copy(before, STATS(0)->mapped, sizeof(before));
	for (unsigned i = 1; i <= 6; i++) {		/* more often than there are places for addresses */
		rtc_client_move(bench.client[0]);
		assert_true(bench_until(strcmp(STATS(0)->mapped, before) != 0));
		str_copy(before, STATS(0)->mapped, sizeof(before));
		media_flows(&e, 0);
		rtc_peer_stats(e.peer, &s);
		assert_int_equal(s.moves, i);
		assert_string_equal(s.address, before);
	}
	rtc_peer_free(&e.peer);
}

static void
without_nomination_nothing_moves(void **state)
{
	struct rtc_peer_stats s;
	uint8_t p[STUN_MAX];
	int fd = stranger();
	struct end e;

	open_and_connect(&e, 0);
	send(fd, p, rtc_client_check(bench.client[0], false, p, sizeof(p)), 0);
	assert_true(answered(fd));
	rtc_peer_stats(e.peer, &s);
	assert_int_equal(s.moves, 0);
	media_flows(&e, 0);
	close(fd);
	rtc_peer_free(&e.peer);
}

static void
a_replay_from_elsewhere_moves_nothing(void **state)
{
	struct rtc_peer_stats s;
	uint8_t p[STUN_MAX];
	int fd = stranger();
	struct end e;
	size_t n;

	open_and_connect(&e, 0);
	n = rtc_client_check(bench.client[0], true, p, sizeof(p));
	rtc_client_raw(bench.client[0], p, n);
	bench_for(20);
	send(fd, p, n, 0);			/* what somebody has overheard */
	assert_false(answered(fd));
	media_flows(&e, 0);
	rtc_peer_stats(e.peer, &s);
	assert_int_equal(s.moves, 0);
	close(fd);
	rtc_peer_free(&e.peer);
}

/* Another viewer's check that pretends to come from this one's address. */
static void
an_address_in_use_is_not_taken_away(void **state)
{
	struct rtc_client_conf conf;
	uint8_t p[STUN_MAX], pli[12] = { 0x81, 206, 0, 2 };
	struct end e, thief;
	unsigned answers;

	open_and_connect(&e, 0);
	end_open(&thief);
	conf = bench_conf(&thief);
	bench.client[1] = rtc_client_new(&conf);
	answers = STATS(0)->answers;
	rtc_client_checks(bench.client[0], -1);
	rtc_client_raw(bench.client[0], p, rtc_client_check(bench.client[1], true, p, sizeof(p)));
	rtc_client_free(&bench.client[1]);
	bench_for(50);
	assert_int_equal(STATS(0)->answers + STATS(0)->bad, answers);
	rtc_client_send(bench.client[0], true, pli, sizeof(pli));
	assert_true(bench_until(e.rtcp == 1));
	rtc_peer_free(&e.peer);
	rtc_peer_free(&thief.peer);
}

static void
a_restart_keeps_the_media(void **state)
{
	char ufrag[RTC_UFRAG + 1], pwd[RTC_PWD + 1];
	struct rtc_peer_stats s;
	struct end e;
	unsigned answers;

	open_and_connect(&e, 0);
	str_copy(ufrag, rtc_peer_ufrag(e.peer), sizeof(ufrag));
	str_copy(pwd, rtc_peer_pwd(e.peer), sizeof(pwd));
	rtc_peer_restart(e.peer);
	assert_string_not_equal(ufrag, rtc_peer_ufrag(e.peer));
	assert_string_not_equal(pwd, rtc_peer_pwd(e.peer));
	rtc_client_checks(bench.client[0], 20);
	answers = STATS(0)->answers;
	assert_true(bench_until(STATS(0)->answers > answers + 2));	/* the former ones hold yet */
	rtc_client_restart(bench.client[0], rtc_peer_ufrag(e.peer), rtc_peer_pwd(e.peer));
	answers = STATS(0)->answers;
	assert_true(bench_until(STATS(0)->answers > answers + 2));
	media_flows(&e, 0);
	rtc_client_restart(bench.client[0], ufrag, pwd);		/* and now no more */
	bench_for(40);
	answers = STATS(0)->answers;
	bench_for(100);
	assert_int_equal(STATS(0)->answers, answers);
	rtc_peer_stats(e.peer, &s);
	assert_true(s.connected);
	for (int i = 0; i < 5; i++)
		rtc_peer_restart(e.peer);
	rtc_peer_free(&e.peer);
}

static void
shorten_consent(int ms)
{
	bench.limits.consent_ms = ms;
	rtc_net_limits(bench.net, &bench.limits);
}

static void
consent_expires(void **state)
{
	struct end e;

	shorten_consent(800);
	open_and_connect(&e, 0);
	rtc_client_checks(bench.client[0], 100);
	bench_for(1500);
	assert_int_equal(e.gone, 0);
	rtc_client_checks(bench.client[0], -1);
	bench_for(300);
	assert_int_equal(e.gone, 0);
	assert_true(bench_until(e.gone));
	assert_string_equal(e.why, RTC_GONE_CONSENT);
	assert_int_equal(net_stats().peers, 0);
	bench_for(50);
	assert_false(STATS(0)->closed);			/* without consent not even a goodbye is sent */
}

static void
who_never_comes_or_stops_half_way_goes(void **state)
{
	struct rtc_client_conf conf;
	struct end never, half;

	shorten_consent(300);
	end_open(&never);
	end_open(&half);
	conf = bench_conf(&half);
	conf.silent_dtls = true;
	bench.client[0] = rtc_client_new(&conf);
	assert_true(bench_until(never.gone && half.gone));
	assert_string_equal(never.why, RTC_GONE_NO_ICE);
	assert_string_equal(half.why, RTC_GONE_NO_DTLS);
}

static void
ten_thousand_half_open_sessions_are_bounded(void **state)
{
	static struct end ends[10000];
	struct end live;
	unsigned open = 0;

	open_and_connect(&live, 0);
	for (int i = 0; i < 10000; i++)
		end_open(&ends[i]);
	assert_int_equal(net_stats().peers, 1 + bench.limits.max_handshakes);
	for (int i = 0; i < 10000; i++)
		assert_int_equal(ends[i].gone, 0);	/* never from inside a call */
	bench_for(20);
	for (int i = 0; i < 10000; i++) {
		if (ends[i].gone == 0) {
			open++;
			assert_true(i >= 10000 - (int)bench.limits.max_handshakes);
			rtc_peer_free(&ends[i].peer);
		} else
			assert_string_equal(ends[i].why, RTC_GONE_DISPLACED);
	}
	assert_int_equal(open, bench.limits.max_handshakes);
	media_flows(&live, 0);
	rtc_peer_free(&live.peer);
}

static void
who_has_shown_the_password_has_time_for_dtls(void **state)
{
	struct rtc_client_conf conf;
	struct end ends[3];

	bench.limits.max_handshakes = 2;
	rtc_net_limits(bench.net, &bench.limits);
	for (int i = 0; i < 2; i++) {
		end_open(&ends[i]);
		conf = bench_conf(&ends[i]);
		conf.silent_dtls = true;
		bench.client[i] = rtc_client_new(&conf);
	}
	assert_true(bench_until(STATS(0)->checked && STATS(1)->checked));
	errno = 0;
	assert_null(rtc_peer_new(bench.net, NULL, &end_ops, &ends[2]));
	assert_int_equal(errno, ENOSPC);
	bench_for(3100);
	end_open(&ends[2]);
	assert_true(bench_until(ends[0].gone));			/* the older one of them has had it */
	assert_string_equal(ends[0].why, RTC_GONE_DISPLACED);
	assert_int_equal(ends[1].gone, 0);
	rtc_peer_free(&ends[1].peer);
	rtc_peer_free(&ends[2].peer);
}

static void
peers_are_limited_whatever_they_are(void **state)
{
	struct end ends[2];

	bench.limits.max_peers = 1;
	rtc_net_limits(bench.net, &bench.limits);
	end_open(&ends[0]);
	errno = 0;
	assert_null(rtc_peer_new(bench.net, NULL, &end_ops, &ends[1]));
	assert_int_equal(errno, ENOSPC);
	assert_null(rtc_peer_new(bench.net, "sha-256 x", &end_ops, &ends[1]));
	assert_int_equal(errno, EINVAL);
	assert_int_equal(ends[0].gone, 0);
	rtc_peer_free(&ends[0].peer);
}

static void
checks_of_one_peer_are_limited(void **state)
{
	uint8_t p[STUN_MAX];
	unsigned before, i;
	struct end e;

	bench.limits.max_checks = 10;
	rtc_net_limits(bench.net, &bench.limits);
	open_and_connect(&e, 0);
	rtc_client_checks(bench.client[0], 100000);
	bench_for(1100);
	before = STATS(0)->answers + STATS(0)->late_answers;
	for (i = 0; i < 100; i++)
		rtc_client_raw(bench.client[0], p, rtc_client_check(bench.client[0], true, p, sizeof(p)));
	bench_for(50);
	assert_int_equal(STATS(0)->answers + STATS(0)->late_answers - before, 10);
	media_flows(&e, 0);
	rtc_peer_free(&e.peer);
}

/* A connected UDP socket hears only whom it asked: so the answer has to come from that address of ours. */
static void
answers_leave_from_the_address_that_was_asked(void **state)
{
	static const char *const bound[] = { "[::]:0", "0.0.0.0:0" };
	struct rtc_client_conf conf;
	char address[64];
	struct end e;

	for (int i = 0; i < 2; i++) {
		assert_int_equal(bench_start_on(bound[i], false), 0);
		end_open(&e);
		conf = bench_conf(&e);
		snprintf(address, sizeof(address), "127.0.0.3%s", strchr(bench.address, ':'));
		conf.server = address;
		bench_connect(&e, 0, &conf);
		media_flows(&e, 0);
		assert_memory_equal(STATS(0)->mapped, "127.0.0.", 8);
		rtc_peer_free(&e.peer);
		bench_stop(NULL);
	}
}

static void
ipv6_works_as_well(void **state)
{
	struct rtc_client_conf conf;
	char address[64];
	struct end e;
	int fd = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct sockaddr_in6 loop = { .sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT };
	bool here = fd >= 0 && bind(fd, (struct sockaddr *)&loop, sizeof(loop)) == 0;

	close(fd);
	if (!here)
		skip();
	assert_int_equal(bench_start_on("[::]:0", false), 0);
	end_open(&e);
	conf = bench_conf(&e);
	snprintf(address, sizeof(address), "[::1]%s", strchr(bench.address, ':'));
	conf.server = address;
	bench_connect(&e, 0, &conf);
	media_flows(&e, 0);
	assert_memory_equal(STATS(0)->mapped, "[::1]:", 6);
	rtc_peer_free(&e.peer);
	bench_stop(NULL);
}

#define ON_BENCH(f) cmocka_unit_test_setup_teardown(f, bench_start, bench_stop)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		ON_BENCH(strangers_are_answered_with_nothing),
		ON_BENCH(a_broken_check_is_answered_with_nothing),
		ON_BENCH(errors_are_told_to_those_with_the_password),
		ON_BENCH(a_viewer_moves_to_another_address),
		ON_BENCH(without_nomination_nothing_moves),
		ON_BENCH(a_replay_from_elsewhere_moves_nothing),
		ON_BENCH(an_address_in_use_is_not_taken_away),
		ON_BENCH(a_restart_keeps_the_media),
		ON_BENCH(consent_expires),
		ON_BENCH(who_never_comes_or_stops_half_way_goes),
		ON_BENCH(ten_thousand_half_open_sessions_are_bounded),
		ON_BENCH(who_has_shown_the_password_has_time_for_dtls),
		ON_BENCH(peers_are_limited_whatever_they_are),
		ON_BENCH(checks_of_one_peer_are_limited),
		cmocka_unit_test(answers_leave_from_the_address_that_was_asked),
		cmocka_unit_test(ipv6_works_as_well),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
