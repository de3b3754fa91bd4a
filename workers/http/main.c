/*
 * main.c - millrace-http: serves HLS, pages, API and metrics. N of these accept on the same
 * listeners. Knows media only as files, streams only from the board.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "cond.h"
#include "conf.h"
#include "http.h"
#include "log.h"
#include "util.h"

#define ACCEPT_PER_TURN 32
#define PAUSE_MS 1000			/* without descriptors */

struct http http = {
	.conns = TAILQ_HEAD_INITIALIZER(http.conns), .quiet = TAILQ_HEAD_INITIALIZER(http.quiet),
};

const struct route http_routes[] = {
	{ "/stream/@/live.m3u8", ROUTE_GET, ROUTE_CORS, hls_live },
	{ "/stream/@/@", ROUTE_GET, ROUTE_CORS, hls_file },
	{ "/hls/@/@", ROUTE_GET, ROUTE_CORS, hls_alias },
	{ "/whep/@", ROUTE_GET | ROUTE_POST | ROUTE_OPTIONS, ROUTE_CORS, whep_endpoint },
	{ "/whep/@/@", ROUTE_GET | ROUTE_PATCH | ROUTE_DELETE | ROUTE_OPTIONS, ROUTE_CORS, whep_session },
	{ "/whip/@", ROUTE_POST | ROUTE_OPTIONS, ROUTE_CORS, whip_endpoint },
	{ "/whip/@/@", ROUTE_PATCH | ROUTE_DELETE | ROUTE_OPTIONS, ROUTE_CORS, whip_session },
	{ "/recordings", ROUTE_GET, ROUTE_CORS, recordings_list },
	{ "/recordings/*", ROUTE_GET, ROUTE_CORS, recordings_file },
	{ "/", ROUTE_GET, 0, page_home },
	{ "/watch/@", ROUTE_GET, 0, page_watch },
	{ "/web/@", ROUTE_GET, 0, page_asset },
	{ "/api/v1/streams", ROUTE_GET, ROUTE_CORS, api_streams },
	{ "/api/v1/streams/@", ROUTE_GET, ROUTE_CORS, api_stream },
	{ "/api/v1/streams/@/kick", ROUTE_POST, 0, api_kick },
	{ "/api/v1/streams/@/push", ROUTE_GET | ROUTE_POST, 0, api_push },
	{ "/api/v1/streams/@/push/@", ROUTE_DELETE, 0, api_push_remove },
	{ "/api/v1/jobs/@", ROUTE_GET, ROUTE_CORS, api_job },
	{ "/api/v1/recordings", ROUTE_GET, ROUTE_CORS, recordings_api },
	{ "/ws", ROUTE_GET, ROUTE_CORS, rooms_ws },
	{ "/ws/@", ROUTE_GET, ROUTE_CORS, rooms_ws },
	{ "/v1/ws", ROUTE_GET, ROUTE_CORS, rooms_signal },
	{ "/v1/health", ROUTE_GET, ROUTE_CORS, api_ready },
	{ "/v1/createIngress", ROUTE_POST | ROUTE_DELETE, 0, api_create_ingress },
	{ "/v1/registerWebhook", ROUTE_POST | ROUTE_DELETE, 0, api_register_webhook },
	{ "/streams", ROUTE_GET, ROUTE_CORS, rooms_list },
	{ "/publish", ROUTE_GET, 0, page_publish },
	{ "/healthz", ROUTE_GET, 0, api_health },
	{ "/health", ROUTE_GET, 0, api_alive },
	{ "/metrics", ROUTE_GET, 0, metrics_get },
	{ NULL, 0, 0, NULL },
};

static struct listener { struct event *ev; bool proxy; } *listeners;
static struct event *second, *unpause, *stop_timer;
static bool stopping;

static void
config(struct svc *s)
{
	const json_t *c = s->conf;
	struct http_limits *l = &http.limits;

	l->max_connections = conf_int(c, "http.max_connections");
	l->max_per_address = conf_int(c, "http.max_per_address");
	l->header_ms = conf_int(c, "http.header_timeout");
	l->idle_ms = conf_int(c, "http.idle_timeout");
	l->send_ms = conf_int(c, "http.send_timeout");
	l->max_header = conf_int(c, "http.max_header");
	l->max_body = conf_int(c, "http.max_body");
	l->viewer_targets = conf_int(c, "http.viewer_targets");
	l->max_viewers = conf_int(c, "http.max_viewers");
	l->max_recordings = conf_int(c, "http.max_recordings");
	l->max_lookups = conf_int(c, "http.max_lookups");
	l->max_waiting = conf_int(c, "http.max_waiting");
	l->segment_ms = conf_int(c, "streams.hls.segment");
	l->cors = conf_str(c, "http.cors");
	l->api_token = conf_str(c, "http.api_token");
	l->data_dir = conf_str(c, "data_dir");
	l->trusted = conf_get(c, "http.trusted_proxies");
	l->alone = json_is_true(json_object_get(c, "alone"));
}

static void
pause_accept(void)
{
	struct timeval tv = { PAUSE_MS / 1000, 0 };

	log_warn("cannot accept; trying again in %d s", PAUSE_MS / 1000);
	for (int i = 0; i < http.svc->nlisteners; i++)
		event_del(listeners[i].ev);
	event_add(unpause, &tv);
}

static void
unpause_cb(evutil_socket_t fd, short what, void *ctx)
{
	for (int i = 0; i < http.svc->nlisteners && !stopping; i++)
		event_add(listeners[i].ev, NULL);
}

static void
accept_cb(evutil_socket_t listen_fd, short what, void *ctx)
{
	struct listener *l = ctx;
	struct net_addr peer;
	int fd;

	for (int i = 0; i < ACCEPT_PER_TURN; i++) {
		memset(&peer, 0, sizeof(peer));
		peer.len = sizeof(peer.ss);
		fd = accept4(listen_fd, (struct sockaddr *)&peer.ss, &peer.len, SOCK_NONBLOCK | SOCK_CLOEXEC);
		if (fd < 0) {
			if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM)
				pause_accept();
			return;
		}
		conn_new(fd, &peer, l->proxy);
	}
}

/* At full seconds, so that all workers see a viewer's cookie grow old at the same time. */
static void
next_second(int64_t now)
{
	int64_t ms = 1000 - now % 1000 + (now % 1000 > 500 ? 1000 : 0);
	struct timeval tv = { ms / 1000, ms % 1000 * 1000 };

	event_add(second, &tv);
}

static void
second_cb(evutil_socket_t fd, short what, void *ctx)
{
	struct board_page *p = http.svc->page;
	int64_t now = now_ms();

	next_second(now);
	http_date(wall_ms() / 1000, http.date);
	conn_sweep(now);
	viewers_tick(now);
	http.count.connections_open = http.nconns;
	board_begin(&p->seq);
	p->http = http.count;
	board_end(&p->seq);
	if (stopping && http.nconns == 0)
		svc_exit(http.svc, 0, "stopped");
}

static void
stop_cb(evutil_socket_t fd, short what, void *ctx)
{
	svc_exit(http.svc, 0, "stopped");
}

static void
stop(struct svc *s, const char *reason, int64_t grace_ms)
{
	int64_t ms = grace_ms > 2000 ? 2000 : grace_ms / 2;
	struct timeval tv = { ms / 1000, ms % 1000 * 1000 };

	stopping = true;
	for (int i = 0; i < s->nlisteners; i++)
		event_del(listeners[i].ev);
	conn_stop();
	if (http.nconns == 0)
		svc_exit(s, 0, reason);
	else
		event_add(stop_timer, &tv);
}

static int
start(struct svc *s, int argc, char **argv)
{
	json_t *list = conf_get(s->conf, "http.listen");

	http.svc = s;
	config(s);
	http_date(wall_ms() / 1000, http.date);
	if (page_start() < 0)
		log_warnx("the pages (folder web) are not there: / and /watch answer 404; streams are served");
	listeners = xcalloc((size_t)s->nlisteners + 1, sizeof(*listeners));
	for (int i = 0; i < s->nlisteners; i++) {
		listeners[i].proxy = json_is_true(json_object_get(
		    json_array_get(list, (size_t)i), "proxy_protocol"));
		listeners[i].ev = event_new(s->base, PROTO_FD_LISTEN + i, EV_READ | EV_PERSIST,
		    accept_cb, &listeners[i]);
		event_add(listeners[i].ev, NULL);
	}
	second = evtimer_new(s->base, second_cb, NULL);
	unpause = evtimer_new(s->base, unpause_cb, NULL);
	stop_timer = evtimer_new(s->base, stop_cb, NULL);
	next_second(now_ms());
	svc_ready(s);
	return 0;
}

static void
cleanup(struct svc *s)
{
	while (!TAILQ_EMPTY(&http.conns))
		conn_end(TAILQ_FIRST(&http.conns));
	for (int i = 0; i < s->nlisteners; i++)
		event_free(listeners[i].ev);
	free(listeners);
	event_free(second);
	event_free(unpause);
	event_free(stop_timer);
	conn_io_free();
	viewers_free();
	view_free();
	page_free();
	recordings_free();
	below_free();
}

int
main(int argc, char **argv)
{
	static const struct svc_handler handlers[] = {
		{ MSG_TAKEN, handoff_taken }, { MSG_REFUSED, handoff_refused }, { 0, NULL },
	};
	static const struct svc_ops ops = {
		.kind = "http", .start = start, .handlers = handlers, .config = config, .stop = stop,
		.cleanup = cleanup,
	};

	return svc_run(argc, argv, &ops);
}
