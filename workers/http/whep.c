/*
 * whep.c - players of WebRTC (draft-ietf-wish-whep): POST /whep/NAME with an offer makes a session, whose
 * URL is /whep/NAME/ID; PATCH tells its ICE something, DELETE ends it. What they say is asked of the
 * webrtc worker (verbs of CALL "webrtc" in lib/proto.h); here is what HTTP has to do with it.
 *
 * An endpoint exists while its stream is on air; a stream of another host is there (where.c).
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "conf.h"
#include "http.h"
#include "ice_server.h"
#include "obj.h"
#include "util.h"
#include "workers/http/rtc_http.h"

/* --- what comes back --- */

/*
 * "http://HOST/PREFIX", of this host, if that is the host that was asked: a proxy in front may take a prefix
 * off. Else "": some clients want a whole path, none minds one.
 */
static int
base_of(const struct conn *c, const char **base)
{
	const char *own = conf_str(http.svc->conf, "http.public_url"), *host = request_field(&c->req, FIELD_HOST);
	const char *at = strstr(own, "://");
	size_t n = host != NULL ? strlen(host) : 0, len = strlen(own);

	*base = own;
	if (at == NULL || n == 0 || strncasecmp(at + 3, host, n) != 0 || (at[3 + n] != '/' && at[3 + n] != '\0'))
		return 0;
	return (int)(len - (own[len - 1] == '/'));
}

/* 201: the answer, where the session is, and what else a player has to know. */
static void
created_cb(struct svc *s, int rc, json_t *body, void *ctx)
{
	struct rtc_question *q = ctx;
	struct conn *c = conn_find(q->conn);
	const char *sdp = obj_str(body, "sdp"), *base;
	char links[ICE_SERVER_LINKS], *lines;
	int n;

	if (c != NULL && rc != 0)
		rtc_error(c, rc, body);
	else if (c != NULL) {
		ice_server_links(conf_get(http.svc->conf, "webrtc.ice_servers"), links);
		n = base_of(c, &base);
		lines = xasprintf("Location: %.*s/whep/%s/%s\r\nETag: %s\r\nCache-Control: no-cache\r\n%s", n, base,
		    q->name, obj_str(body, "id"), obj_str(body, "etag"), links);
		answer_bytes(c, 201, RTC_SDP, lines, xstrdup(sdp), strlen(sdp), true);
		free(lines);
	}
	free(q);
}

/* --- what is asked --- */

static void
offer(struct conn *c, const char *name)
{
	const char *host = request_field(&c->req, FIELD_HOST);
	json_t *args = rtc_body(c, RTC_SDP);
	char peer[NET_TEXT], local[NET_TEXT] = "";
	struct sockaddr_storage ss;
	socklen_t len = sizeof(ss);

	if (args == NULL)
		return;
	memset(&ss, 0, sizeof(ss));
	if (getsockname(c->fd, (struct sockaddr *)&ss, &len) == 0)
		net_format((struct sockaddr *)&ss, local);
	json_object_set_new(args, "peer", json_string(net_format((struct sockaddr *)&c->client.ss, peer)));
	json_object_set_new(args, "local", json_string(local));
	json_object_set_new(args, "host", msg_text(host != NULL ? host : "", host != NULL ? strlen(host) : 0));
	rtc_ask(c, "webrtc", "offer", name, args, created_cb);
}

/* --- requests --- */

/* It is there; STUN and TURN servers have to be known before an offer is made. By the type, players know what it is. */
static void
describe(struct conn *c)
{
	char links[ICE_SERVER_LINKS], *lines;

	ice_server_links(conf_get(http.svc->conf, "webrtc.ice_servers"), links);
	lines = xasprintf("Cache-Control: no-cache\r\n%s", links);
	answer_bytes(c, 200, RTC_SDP, lines, NULL, 0, false);
	free(lines);
}

static bool
is_on_air(const char *name)
{
	const struct view_stream *v = view_find(name);

	return v != NULL && v->s.state != BOARD_STREAM_FINISHING;
}

void
whep_endpoint(struct conn *c, const struct route_match *m)
{
	const char *name = m->arg[0];

	if (!stream_name_ok(name, strlen(name)))
		answer_text(c, 404, "Not found.\n");
	else if (request_method(&c->req) == HTTP_OPTIONS)
		rtc_options(c, "OPTIONS, GET, HEAD, POST", "");
	else if (!is_on_air(name))
		where_redirect(c, name);
	else if (conf_int(http.svc->conf, "webrtc.workers") == 0)
		rtc_error(c, ENOSYS, NULL);
	else if (request_method(&c->req) == HTTP_POST)
		offer(c, name);
	else
		describe(c);
}

void
whep_session(struct conn *c, const struct route_match *m)
{
	const char *name = m->arg[0], *id = m->arg[1];

	if (!rtc_session_ok(name, id))
		rtc_error(c, ENOENT, NULL);
	else if (request_method(&c->req) == HTTP_OPTIONS)
		rtc_options(c, "OPTIONS, GET, HEAD, PATCH, DELETE", "");
	else if (request_method(&c->req) == HTTP_PATCH)
		rtc_patch(c, "webrtc", "patch", name, id);
	else
		rtc_ask(c, "webrtc", request_method(&c->req) == HTTP_DELETE ? "delete" : "stats", name,
		    json_pack("{s:s}", "id", id), rtc_done_cb);
}
