/*
 * rtc_http.c - see rtc_http.h. Called by whep.c and whip.c; the answers come from the webrtc worker, or from a
 * publisher's ingest.
 */
#include "workers/http/rtc_http.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "conf.h"
#include "http.h"
#include "obj.h"
#include "util.h"

#define ASK_MS 3000
#define ID_CHARS 32

static void
say(struct conn *c, int status, const char *text)
{
	char *line = xasprintf("%s.\n", text);

	answer_text(c, status, line);
	free(line);
}

void
rtc_error(struct conn *c, int rc, const json_t *body)
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

bool
rtc_session_ok(const char *name, const char *id)
{
	return stream_name_ok(name, strlen(name)) && strlen(id) == ID_CHARS &&
	    strspn(id, "0123456789abcdef") == ID_CHARS;
}

/* 204 for candidates, 200 with ours after an ICE restart. */
static void
patched_cb(struct svc *s, int rc, json_t *body, void *ctx)
{
	struct rtc_question *q = ctx;
	struct conn *c = conn_find(q->conn);
	const char *sdp = obj_str(body, "sdp");
	char line[128];

	free(q);
	if (c == NULL)
		return;
	snprintf(line, sizeof(line), "ETag: %s\r\nCache-Control: no-cache\r\n", obj_str(body, "etag"));
	if (rc != 0)
		rtc_error(c, rc, body);
	else if (sdp[0] == '\0')
		answer_bytes(c, 204, NULL, NULL, NULL, 0, false);
	else
		answer_bytes(c, 200, RTC_FRAGMENT, line, xstrdup(sdp), strlen(sdp), true);
}

void
rtc_done_cb(struct svc *s, int rc, json_t *body, void *ctx)
{
	struct rtc_question *q = ctx;
	struct conn *c = conn_find(q->conn);

	free(q);
	if (c == NULL)
		return;
	if (rc != 0)
		rtc_error(c, rc, body);
	else
		answer_bytes(c, request_method(&c->req) == HTTP_DELETE ? 200 : 204, NULL, NULL, NULL, 0, false);
}

void
rtc_ask(struct conn *c, const char *to, const char *verb, const char *name, json_t *args, svc_reply_cb cb)
{
	struct rtc_question *q = xcalloc(1, sizeof(*q));

	q->conn = c->id;
	str_copy(q->name, name, sizeof(q->name));
	json_object_set_new(args, "name", json_string(name));
	svc_call(http.svc, to, verb, args, ASK_MS, cb, q);
}

json_t *
rtc_body(struct conn *c, const char *type)
{
	const char *given = request_field(&c->req, FIELD_CONTENT_TYPE);
	size_t n = given != NULL ? strcspn(given, "; \t") : 0;
	json_t *sdp;

	if (n != strlen(type) || strncasecmp(given, type, n) != 0) {
		say(c, 415, strcmp(type, RTC_SDP) == 0 ? "Content-Type is not application/sdp" :
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

void
rtc_patch(struct conn *c, const char *to, const char *verb, const char *name, const char *id)
{
	const char *match = request_field(&c->req, FIELD_IF_MATCH);
	json_t *args = rtc_body(c, RTC_FRAGMENT);

	if (args == NULL)
		return;
	json_object_set_new(args, "id", json_string(id));
	json_object_set_new(args, "method", json_string("PATCH"));
	json_object_set_new(args, "if_match", msg_text(match != NULL ? match : "",
	    match != NULL ? strlen(match) : 0));
	rtc_ask(c, to, verb, name, args, patched_cb);
}

void
rtc_options(struct conn *c, const char *methods, const char *lines)
{
	char *all = xasprintf("Access-Control-Allow-Methods: %s\r\nAllow: %s\r\n"
	    "Access-Control-Allow-Headers: Authorization, Content-Type, If-Match\r\nAccess-Control-Max-Age: 86400\r\n"
	    "Accept-Post: " RTC_SDP "\r\nAccept-Patch: " RTC_FRAGMENT "\r\n%s", methods, methods, lines);

	answer_bytes(c, 200, NULL, all, NULL, 0, false);
	free(all);
}
