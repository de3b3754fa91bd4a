/*
 * rooms.c - live rooms as their viewers ask for them: GET /ws?role=viewer, /streams. A publisher's /ws
 * and everybody's /v1/ws are WebSockets and go elsewhere (handoff.c). Shapes: man page millraced(8).
 */
#include <stdio.h>
#include <string.h>

#include "conf.h"
#include "http.h"
#include "log.h"
#include "util.h"

#define LOST_EVERY_MS 60000

void
rooms_own_url(const struct conn *c, char *out, size_t size)
{
	const char *host = request_field(&c->req, FIELD_HOST), *own = conf_str(http.svc->conf, "http.public_url");

	if (own[0] != '\0')
		str_copy(out, own, size);
	else
		snprintf(out, size, "http://%s", host != NULL ? host : "localhost");
}

/* ws.hls_url is one stream's playlist: its last part is replaced. What stands before is ws.hls_base_url, or it. */
static json_t *
hls_url(const struct conn *c, const char *name)
{
	const char *one = conf_str(http.svc->conf, "ws.hls_url"), *base = conf_str(http.svc->conf, "ws.hls_base_url");
	const char *slash = strrchr(one, '/');
	char url[700], own[300];
	size_t n = strlen(base);

	rooms_own_url(c, own, sizeof(own));
	if (n == 0) {
		base = one;
		n = slash != NULL && strstr(slash, ".m3u8") != NULL ? (size_t)(slash - one) : strlen(one);
	}
	if (n > 0)
		snprintf(url, sizeof(url), "%.*s/%s.m3u8", (int)n, base, name);
	else
		snprintf(url, sizeof(url), "%s/stream/%s/live.m3u8", own, name);
	return msg_text(url, strlen(url));
}

/*
 * Without Upgrade no WebSocket came here. One that lost it on its way says so by its key: whoever runs the
 * server is told, as a browser tells its page nothing.
 */
static void
no_upgrade(struct conn *c, const char *want)
{
	static int64_t said_ms;
	char peer[NET_TEXT], *text;
	bool lost = request_field(&c->req, FIELD_SEC_WEBSOCKET_KEY) != NULL;

	if (lost && (said_ms == 0 || now_ms() - said_ms >= LOST_EVERY_MS)) {
		said_ms = now_ms();
		net_format((const struct sockaddr *)&c->peer.ss, peer);
		log_warnx("a WebSocket came from %s without \"Upgrade: websocket\" and \"Connection: Upgrade\" (%s): "
		    "the proxy in front has to pass them on", peer, request_path(&c->req));
	}
	text = xasprintf("%s%s", lost ? "The proxy in front does not pass on \"Upgrade: websocket\" and "
	    "\"Connection: Upgrade\".\n" : "", want);
	answer_bytes(c, 426, "text/plain; charset=utf-8", "Upgrade: websocket\r\nConnection: Upgrade\r\n",
	    text, strlen(text), true);
}

/* The page that publishes asks without Upgrade when its WebSocket failed: 426, it may. */
static void
no_publisher(struct conn *c, const char *role)
{
	if (strcmp(role, "publisher") == 0 && !handoff_is_open(c, "ws"))
		return;
	no_upgrade(c, "Publishing here is a WebSocket: ws://HOST/ws?role=publisher&streamKey=NAME\n");
}

void
rooms_ws(struct conn *c, const struct route_match *m)
{
	char role[16] = "", name[ROUTE_ARG_MAX] = "";
	const struct view_stream *v;

	request_param(&c->req, "role", role, sizeof(role));
	if (strcmp(role, "viewer") != 0) {
		no_publisher(c, role);
		return;
	}
	if (strncmp(request_path(&c->req), "/ws/", 4) == 0)
		str_copy(name, m->arg[0], sizeof(name));
	else if (request_param(&c->req, "streamKey", name, sizeof(name)) < 0)
		request_param(&c->req, "streamId", name, sizeof(name));
	v = stream_name_ok(name, strlen(name)) ? view_find(name) : NULL;
	if (v == NULL)
		answer_text(c, 404, "room not found\n");
	else
		answer_json(c, 200, json_pack("{s:o, s:s}", "hlsUrl", hls_url(c, name), "message", "Room found"));
}

/* As a WebSocket it goes to a webrtc worker (handoff.c). */
void
rooms_signal(struct conn *c, const struct route_match *m)
{
	no_upgrade(c, "A room is a WebSocket: ws://HOST/v1/ws?clientID=..&roomID=NAME&clientName=..\n");
}

void
rooms_list(struct conn *c, const struct route_match *m)
{
	const struct view *v = view_get();
	json_t *list = json_array();
	char created[32];

	for (unsigned i = 0; v != NULL && i < v->n; i++)
		json_array_append_new(list, json_pack("{s:o, s:s}", "streamKey",
		    msg_text(v->streams[i].s.name, strlen(v->streams[i].s.name)), "createdAt",
		    wall_format(v->streams[i].s.created_wall_ms, created)));
	answer_json(c, 200, json_pack("{s:i, s:o}", "count", (int)json_array_size(list), "streams", list));
}
