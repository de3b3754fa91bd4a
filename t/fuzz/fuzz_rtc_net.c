/*
 * The one port: datagrams of the input, each behind two bytes of length, reach a net with a peer by a real
 * socket: first from a stranger, who is never answered, then from an address with a valid check, so that they
 * go on to STUN, OpenSSL and libsrtp2. Whatever comes, nobody is connected and nothing is left.
 */
#include <event2/event.h>
#include <netinet/in.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "be.h"
#include "log.h"
#include "rtc/peer.h"
#include "rtc/stun.h"

#define DATAGRAMS 32

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct { struct event_base *base; struct rtc_net *net; struct sockaddr_in at; } f;

static void
connected(void *ctx)
{
	abort();
}

static void
media(void *ctx, uint8_t *p, size_t n)
{
	abort();
}

static void
gone(void *ctx, const char *why)
{
	rtc_peer_free(ctx);
}

static int
socket_of(bool bound)
{
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	struct sockaddr_in sin = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(f.at);

	if (fd < 0 || (bound ? bind(fd, (struct sockaddr *)&sin, sizeof(sin)) : connect(fd, (struct sockaddr *)&f.at, len)) < 0)
		abort();
	if (bound)
		getsockname(fd, (struct sockaddr *)&f.at, &len);
	return fd;
}

static void
setup(void)
{
	static const struct rtc_limits limits = { .max_peers = 4, .max_handshakes = 4, .consent_ms = 30000,
		.max_checks = 1000, .max_queued = 100 };

	log_set_level(LOG_LEVEL_ERROR);
	f.base = event_base_new();
	f.net = rtc_net_new(f.base, socket_of(true), -1, &limits);
	if (f.net == NULL)
		abort();
}

static void
send_all(int fd, const uint8_t *data, size_t size)
{
	size_t n;

	for (int i = 0; i < DATAGRAMS && size >= 2; i++) {
		n = be_get(data, 2) % 1500;
		n = n < size - 2 ? n : size - 2;
		send(fd, data + 2, n, 0);
		data += 2 + n;
		size -= 2 + n;
	}
	event_base_loop(f.base, EVLOOP_NONBLOCK);
}

static void
send_check(int fd, const struct rtc_peer *peer)
{
	static const uint8_t id[STUN_ID] = "fuzzedfuzze";
	char user[RTC_UFRAG + 3];
	struct stun_out o;

	memcpy(user, rtc_peer_ufrag(peer), RTC_UFRAG);
	memcpy(user + RTC_UFRAG, ":x", 3);
	stun_begin(&o, STUN_REQUEST, id);
	stun_add(&o, STUN_USERNAME, user, RTC_UFRAG + 2);
	stun_add(&o, STUN_USE_CANDIDATE, NULL, 0);
	send(fd, o.p, stun_end(&o, rtc_peer_pwd(peer)), 0);
	event_base_loop(f.base, EVLOOP_NONBLOCK);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct rtc_peer_ops ops = { connected, media, media, gone };
	struct rtc_net_stats s;
	struct rtc_peer *peer;
	uint8_t p[2048];
	int fd;

	if (f.base == NULL)
		setup();
	if (size > 8192)
		return 0;
	fd = socket_of(false);
	peer = rtc_peer_new(f.net, NULL, &ops, &peer);
	send_all(fd, data, size);
	if (recv(fd, p, sizeof(p), MSG_DONTWAIT) >= 0)
		abort();
	send_check(fd, peer);
	if (recv(fd, p, sizeof(p), MSG_DONTWAIT) < STUN_HEAD)
		abort();
	send_all(fd, data, size);
	rtc_peer_free(&peer);
	event_base_loop(f.base, EVLOOP_NONBLOCK);
	rtc_net_stats(f.net, &s);
	if (s.peers != 0)
		abort();
	close(fd);
	return 0;
}
