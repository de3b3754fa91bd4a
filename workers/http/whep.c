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
#include "util.h"

#define ASK_MS 3000
#define SDP_TYPE "application/sdp"
#define FRAGMENT_TYPE "application/trickle-ice-sdpfrag"
#define ID_CHARS 32

struct question {
	uint64_t conn;
	char name[STREAM_NAME_MAX + 1];
};

/* --- what comes back --- */

static void
say(struct conn *c, int status, const char *text)
{
	char *line = xasprintf("%s.\n", text);

	answer_bytes(c, status, "text/plain; charset=utf-8", status == 503 ? "Cache-Control: no-cache\r\n"
	    "Retry-After: 5\r\n" : "Cache-Control: no-cache\r\n", line, strlen(line), true);
}

static void
answer_error(struct conn *c, int rc, const json_t *body)
{
	static const struct { int rc, status; const char *text; } all[] = {
		{ EINVAL, 400, "This SDP is malformed" },
		{ EMSGSIZE, 413, "This SDP is too long" },
		{ ENOENT, 404, "There is no such session (any more)" },
		{ ENOTSUP, 406, "Nothing in this offer can be served" },
		{ ESTALE, 412, "If-Match does not name this session's ICE: it was restarted since" },
		{ ENODATA, 428, "If-Match is missing: send the ETag of the 201, or * to restart ICE" },
		{ ENOSYS, 404, "WebRTC is off here (webrtc.workers is 0)" },
		{ ENOSPC, 503, "This server has too many viewers" },
		{ 0, 503, "WebRTC does not answer; try again soon" },
	};
	const char *text = json_string_value(json_object_get(body, "text"));
	size_t i = 0;

	while (all[i].rc != rc && all[i].rc != 0)
		i++;
	say(c, all[i].status, text != NULL ? text : all[i].text);
}

static const char *
string_of(const json_t *body, const char *key)
{
	const char *s = json_string_value(json_object_get(body, key));

	return s != NULL ? s : "";
}

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
	struct question *q = ctx;
	struct conn *c = conn_find(q->conn);
	const char *sdp = string_of(body, "sdp"), *base;
	char links[ICE_SERVER_LINKS], *lines;
	int n;

	if (c != NULL && rc != 0)
		answer_error(c, rc, body);
	else if (c != NULL) {
		ice_server_links(conf_get(http.svc->conf, "webrtc.ice_servers"), links);
		n = base_of(c, &base);
		lines = xasprintf("Location: %.*s/whep/%s/%s\r\nETag: %s\r\nCache-Control: no-cache\r\n%s", n, base,
		    q->name, string_of(body, "id"), string_of(body, "etag"), links);
		answer_bytes(c, 201, SDP_TYPE, lines, xstrdup(sdp), strlen(sdp), true);
		free(lines);
	}
	free(q);
}

/* 204 for candidates, 200 with ours after an ICE restart. */
static void
patched_cb(struct svc *s, int rc, json_t *body, void *ctx)
{
	struct question *q = ctx;
	struct conn *c = conn_find(q->conn);
	const char *sdp = string_of(body, "sdp");
	char line[128];

	free(q);
	if (c == NULL)
		return;
	snprintf(line, sizeof(line), "ETag: %s\r\nCache-Control: no-cache\r\n", string_of(body, "etag"));
	if (rc != 0)
		answer_error(c, rc, body);
	else if (sdp[0] == '\0')
		answer_bytes(c, 204, NULL, NULL, NULL, 0, false);
	else
		answer_bytes(c, 200, FRAGMENT_TYPE, line, xstrdup(sdp), strlen(sdp), true);
}

/* A GET or DELETE: nothing but whether it was there. */
static void
done_cb(struct svc *s, int rc, json_t *body, void *ctx)
{
	struct question *q = ctx;
	struct conn *c = conn_find(q->conn);

	free(q);
	if (c == NULL)
		return;
	if (rc != 0)
		answer_error(c, rc, body);
	else
		answer_bytes(c, request_method(&c->req) == HTTP_DELETE ? 200 : 204, NULL, NULL, NULL, 0, false);
}

/* --- what is asked --- */

/* args stolen; the name is checked. */
static void
ask(struct conn *c, const char *verb, const char *name, json_t *args, svc_reply_cb cb)
{
	struct question *q = xcalloc(1, sizeof(*q));

	q->conn = c->id;
	str_copy(q->name, name, sizeof(q->name));
	json_object_set_new(args, "name", json_string(name));
	svc_call(http.svc, "webrtc", verb, args, ASK_MS, cb, q);
}

/* {sdp} of the body, if it is of this type; else it was answered: NULL. */
static json_t *
take_body(struct conn *c, const char *type)
{
	const char *given = request_field(&c->req, FIELD_CONTENT_TYPE);
	size_t n = given != NULL ? strcspn(given, "; \t") : 0;
	json_t *sdp;

	if (n != strlen(type) || strncasecmp(given, type, n) != 0) {
		say(c, 415, strcmp(type, SDP_TYPE) == 0 ? "Content-Type is not application/sdp" :
		    "Content-Type is not application/trickle-ice-sdpfrag");
		return NULL;
	}
	if (c->req.body_bytes > (size_t)conf_int(http.svc->conf, "webrtc.max_sdp")) {
		say(c, 413, "This SDP is longer than webrtc.max_sdp");
		return NULL;
	}
	sdp = json_stringn(request_body(&c->req), c->req.body_bytes);
	if (sdp == NULL)
		say(c, 400, "This SDP is not UTF-8");
	return sdp != NULL ? json_pack("{s:o}", "sdp", sdp) : NULL;
}

static void
offer(struct conn *c, const char *name)
{
	const char *host = request_field(&c->req, FIELD_HOST);
	json_t *args = take_body(c, SDP_TYPE);
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
	ask(c, "offer", name, args, created_cb);
}

static void
patch(struct conn *c, const char *name, const char *id)
{
	const char *match = request_field(&c->req, FIELD_IF_MATCH);
	json_t *args = take_body(c, FRAGMENT_TYPE);

	if (args == NULL)
		return;
	json_object_set_new(args, "id", json_string(id));
	json_object_set_new(args, "if_match", msg_text(match != NULL ? match : "",
	    match != NULL ? strlen(match) : 0));
	ask(c, "patch", name, args, patched_cb);
}

/* --- requests --- */

/* It is there; STUN and TURN servers have to be known before an offer is made. By the type, players know what it is. */
static void
describe(struct conn *c)
{
	char links[ICE_SERVER_LINKS], *lines;

	ice_server_links(conf_get(http.svc->conf, "webrtc.ice_servers"), links);
	lines = xasprintf("Cache-Control: no-cache\r\n%s", links);
	answer_bytes(c, 200, SDP_TYPE, lines, NULL, 0, false);
	free(lines);
}

/* CORS (Fetch, "CORS-preflight request"), and what can be done with it. */
static void
options(struct conn *c, const char *methods)
{
	char *lines = xasprintf("Access-Control-Allow-Methods: %s\r\nAllow: %s\r\n"
	    "Access-Control-Allow-Headers: Authorization, Content-Type, If-Match\r\nAccess-Control-Max-Age: 86400\r\n"
	    "Accept-Post: " SDP_TYPE "\r\nAccept-Patch: " FRAGMENT_TYPE "\r\n", methods, methods);

	answer_bytes(c, 200, NULL, lines, NULL, 0, false);
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
		options(c, "OPTIONS, GET, HEAD, POST");
	else if (!is_on_air(name))
		where_redirect(c, name);
	else if (conf_int(http.svc->conf, "webrtc.workers") == 0)
		answer_error(c, ENOSYS, NULL);
	else if (request_method(&c->req) == HTTP_POST)
		offer(c, name);
	else
		describe(c);
}

void
whep_session(struct conn *c, const struct route_match *m)
{
	const char *name = m->arg[0], *id = m->arg[1];

	if (!stream_name_ok(name, strlen(name)) || strlen(id) != ID_CHARS ||
	    strspn(id, "0123456789abcdef") != ID_CHARS)
		answer_error(c, ENOENT, NULL);
	else if (request_method(&c->req) == HTTP_OPTIONS)
		options(c, "OPTIONS, GET, HEAD, PATCH, DELETE");
	else if (request_method(&c->req) == HTTP_PATCH)
		patch(c, name, id);
	else
		ask(c, request_method(&c->req) == HTTP_DELETE ? "delete" : "stats", name, json_pack("{s:s}", "id", id),
		    done_cb);
}
