/*
 * rtc_bench.h - a net with its peers and clients in one process, for unit tests: real sockets on
 * loopback, one loop. Included by test_rtc_*.c alone.
 */
#ifndef MILLRACE_T_RTC_BENCH_H
#define MILLRACE_T_RTC_BENCH_H

#include <arpa/inet.h>
#include <errno.h>
#include <event2/event.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "net.h"
#include "rtc/peer.h"
#include "t/lib/rtc_client.h"
#include "util.h"

#define CLIENTS 4

struct end {			/* a peer at our side */
	struct rtc_peer *peer;
	unsigned connected, gone;
	const char *why;
	uint64_t rtp, rtcp;
	uint8_t last[2048];
	size_t last_n;
	bool free_when_connected;
};

static struct {
	struct event_base *base;
	struct rtc_net *net;
	char address[NET_TEXT];
	int udp_fd;
	struct rtc_client *client[CLIENTS];	/* stepped by bench_until */
	struct rtc_limits limits;
} bench;

static void
end_connected(void *ctx)
{
	struct end *e = ctx;

	e->connected++;
	if (e->free_when_connected)
		rtc_peer_free(&e->peer);
}

static void
end_keep(struct end *e, const uint8_t *p, size_t n)
{
	memcpy(e->last, p, n);
	e->last_n = n;
}

static void
end_rtp(void *ctx, uint8_t *p, size_t n)
{
	struct end *e = ctx;

	e->rtp++;
	end_keep(e, p, n);
}

static void
end_rtcp(void *ctx, uint8_t *p, size_t n)
{
	struct end *e = ctx;

	e->rtcp++;
	end_keep(e, p, n);
}

static void
end_gone(void *ctx, const char *why)
{
	struct end *e = ctx;

	e->gone++;
	e->why = why;
	rtc_peer_free(&e->peer);
}

static const struct rtc_peer_ops end_ops = { end_connected, end_rtp, end_rtcp, end_gone };

/* UDP and TCP on one number: which one is free for both has to be tried. */
static int
bench_sockets(const char *address, bool tcp, int *udp, int *listener)
{
	struct net_addr a;

	for (int i = 0; i < 50; i++) {
		net_parse(address, &a);
		*udp = socket(a.ss.ss_family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
		if (*udp < 0 || bind(*udp, (struct sockaddr *)&a.ss, a.len) == -1)
			return -1;
		a.len = sizeof(a.ss);
		getsockname(*udp, (struct sockaddr *)&a.ss, &a.len);
		*listener = tcp ? net_listen(&a, 16) : -1;
		if (!tcp || *listener >= 0)
			return ntohs(a.ss.ss_family == AF_INET6 ? ((struct sockaddr_in6 *)&a.ss)->sin6_port :
			    ((struct sockaddr_in *)&a.ss)->sin_port);
		close(*udp);
	}
	return -1;
}

/* address: with port 0; clients are told 127.0.0.1 whatever it is. */
static int
bench_start_on(const char *address, bool tcp)
{
	int udp, listener, port = bench_sockets(address, tcp, &udp, &listener);

	if (port < 0)
		return -1;
	bench.limits = (struct rtc_limits){ .max_peers = 100, .max_handshakes = 20, .consent_ms = 30000, .max_checks = 50,
		.max_queued = 100 };
	bench.base = event_base_new();
	bench.udp_fd = udp;
	snprintf(bench.address, sizeof(bench.address), "127.0.0.1:%d", port);
	bench.net = rtc_net_new(bench.base, udp, listener, &bench.limits);
	return bench.net != NULL ? 0 : -1;
}

static __attribute__((unused)) int
bench_start(void **state)
{
	return bench_start_on("127.0.0.1:0", true);
}

static __attribute__((unused)) int
bench_stop(void **state)
{
	struct rtc_net_stats s;

	for (int i = 0; i < CLIENTS; i++)
		rtc_client_free(&bench.client[i]);
	rtc_net_stats(bench.net, &s);
	if (s.peers > 0)	/* a test that failed has left them behind */
		return -1;
	rtc_net_free(&bench.net);
	event_base_free(bench.base);
	return 0;
}

static struct rtc_client_conf
bench_conf(const struct end *e)
{
	return (struct rtc_client_conf){ .server = bench.address, .ufrag = rtc_peer_ufrag(e->peer),
		.pwd = rtc_peer_pwd(e->peer), .fingerprint = rtc_fingerprint() };
}

static void
end_open(struct end *e)
{
	*e = (struct end){ .peer = NULL };
	e->peer = rtc_peer_new(bench.net, rtc_client_fingerprint(), &end_ops, e);
	assert_non_null(e->peer);
}

/* One turn of everything; waits a millisecond if nothing is there. */
static void
bench_turn(void)
{
	struct pollfd fds[CLIENTS + 1] = { { bench.udp_fd, POLLIN, 0 } };

	for (int i = 0; i < CLIENTS; i++) {
		fds[i + 1] = (struct pollfd){ bench.client[i] != NULL ? rtc_client_fd(bench.client[i]) : -1, POLLIN, 0 };
		if (bench.client[i] != NULL)
			rtc_client_step(bench.client[i]);
	}
	event_base_loop(bench.base, EVLOOP_NONBLOCK);
	poll(fds, CLIENTS + 1, 1);
}

/* Until it is so or 5 s are over; false then. */
#define bench_until(condition) ({ \
	int64_t end_ = now_ms() + 5000; \
	bool is_ = false; \
	while (!(is_ = (condition)) && now_ms() < end_) \
		bench_turn(); \
	is_; })
#define bench_for(ms) ({ int64_t end_ = now_ms() + (ms); while (now_ms() < end_) bench_turn(); })

static __attribute__((unused)) void
bench_connect(struct end *e, int i, const struct rtc_client_conf *conf)
{
	bench.client[i] = rtc_client_new(conf);
	assert_non_null(bench.client[i]);
	assert_true(bench_until(e->connected && rtc_client_stats(bench.client[i])->connected));
}

/* RTP of n bytes with a number in it. */
static __attribute__((unused)) size_t
bench_rtp(uint8_t *p, uint32_t ssrc, uint16_t seq, size_t n)
{
	memset(p, (uint8_t)seq, n);
	memcpy(p, (uint8_t[12]){ 0x80, 96, (uint8_t)(seq >> 8), (uint8_t)seq, 0, 0, 0, 0, (uint8_t)(ssrc >> 24),
		(uint8_t)(ssrc >> 16), (uint8_t)(ssrc >> 8), (uint8_t)ssrc }, 12);
	return n;
}
#endif
