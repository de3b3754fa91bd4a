/*
 * main.c - millrace-webrtc: live streams to browsers. Each of these has one UDP port and one TCP
 * port of its own, and the streams whose NAME falls to it (lib/stream_name.h). Knows streams only
 * by what the supervisor brings (FEED), and viewers by CALL and by the sockets of rooms.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#include "calls.h"
#include "conf.h"
#include "feed.h"
#include "log.h"
#include "room.h"
#include "workers/webrtc/signal.h"	/* not the system's */
#include "util.h"
#include "viewer.h"
#include "webrtc.h"

#define SHOW_MS 1000

struct webrtc webrtc;

static struct event *tick_ev, *stop_timer;
static int64_t shown_ms, wall_offset_us;

static int64_t
clock_us(clockid_t id)
{
	struct timespec ts;

	clock_gettime(id, &ts);
	return (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

int64_t
webrtc_wall_us(void)
{
	return clock_us(CLOCK_MONOTONIC) + wall_offset_us;
}

static void
config(struct svc *s)
{
	const json_t *c = s->conf;
	const struct rtc_limits limits = {
		.max_peers = (unsigned)conf_int(c, "webrtc.max_viewers"),
		.max_handshakes = (unsigned)conf_int(c, "webrtc.max_handshakes"),
		.consent_ms = (int)conf_int(c, "webrtc.consent"),
		.max_checks = (unsigned)conf_int(c, "webrtc.max_checks"),
		.max_queued = (unsigned)conf_int(c, "webrtc.max_queued"),
	};

	webrtc.limits = (struct webrtc_limits){ .max_viewers = conf_int(c, "webrtc.max_viewers"),
		.max_per_address = conf_int(c, "webrtc.max_per_address"),
		.max_sdp = conf_int(c, "webrtc.max_sdp"), .linger_ms = conf_int(c, "webrtc.linger"),
		.ring_bytes = conf_int(c, "webrtc.ring") };
	webrtc.rtc_limits = limits;
	if (webrtc.net != NULL)
		rtc_net_limits(webrtc.net, &limits);
}

static void
tick_cb(evutil_socket_t fd, short what, void *ctx)
{
	int64_t now = now_ms();

	room_tick(now);
	if (now - shown_ms < SHOW_MS)
		return;
	shown_ms = now;
	show_page();
}

static void
stop_cb(evutil_socket_t fd, short what, void *ctx)
{
	svc_exit(webrtc.svc, 0, "stopped");
}

/* At once, but for rooms to hear of it: viewers connect again by themselves, to whoever comes after us. */
static void
stop(struct svc *s, const char *reason, int64_t grace_ms)
{
	struct timeval soon = { 0, 50 * 1000 };

	signal_stop();
	event_add(stop_timer, &soon);
}

static unsigned
port_of(int fd)
{
	struct sockaddr_storage ss;
	socklen_t len = sizeof(ss);

	if (getsockname(fd, (struct sockaddr *)&ss, &len) < 0)
		return 0;
	return ntohs(ss.ss_family == AF_INET6 ? ((struct sockaddr_in6 *)&ss)->sin6_port :
	    ((struct sockaddr_in *)&ss)->sin_port);
}

static int
start(struct svc *s, int argc, char **argv)
{
	struct timeval tv = { 0, WEBRTC_TICK_MS * 1000 };
	int tcp = s->nlisteners > 1 ? PROTO_FD_LISTEN + 1 : -1;

	if (s->nlisteners < 1) {
		log_errorx("no UDP socket: this program is started by millraced only");
		return -1;
	}
	webrtc.svc = s;
	wall_offset_us = clock_us(CLOCK_REALTIME) - clock_us(CLOCK_MONOTONIC);
	config(s);
	webrtc.port = port_of(PROTO_FD_LISTEN);
	webrtc.tcp = tcp >= 0;
	webrtc.net = rtc_net_new(s->base, PROTO_FD_LISTEN, tcp, &webrtc.rtc_limits);
	if (webrtc.net == NULL)
		return -1;
	viewer_start();
	stop_timer = evtimer_new(s->base, stop_cb, NULL);
	tick_ev = event_new(s->base, -1, EV_PERSIST, tick_cb, NULL);
	event_add(tick_ev, &tv);
	show_page();
	svc_ready(s);
	return 0;
}

static void
cleanup(struct svc *s)
{
	if (webrtc.net == NULL)
		return;
	calls_free();
	signal_free();
	room_free_all();
	viewer_stop();
	rtc_net_free(&webrtc.net);
	event_free(tick_ev);
	event_free(stop_timer);
}

int
main(int argc, char **argv)
{
	static const struct svc_handler handlers[] = {
		{ MSG_FEED, feed_take }, { MSG_CALL, calls_take }, { MSG_CONN, signal_take }, { 0, NULL },
	};
	static const struct svc_ops ops = {
		.kind = "webrtc", .start = start, .handlers = handlers, .config = config, .stop = stop,
		.cleanup = cleanup,
	};

	return svc_run(argc, argv, &ops);
}
