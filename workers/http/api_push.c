/*
 * api_push.c - /api/v1/streams/NAME/push: the servers that a stream is sent on to, listed (GET),
 * added (POST {"id", "url", "transcode", "verify"}) and removed (DELETE .../push/ID). All of it
 * is for those who may change something, the list, too: it names other people's servers. The
 * supervisor does it (push_call.c); no key ever comes back from it.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "http.h"
#include "util.h"

#define ASK_MS 2000

static void
answer_error(struct conn *c, int rc, const json_t *body)
{
	const char *text = json_string_value(json_object_get(body, "text"));
	int status = rc == ENOENT ? 404 : rc == EINVAL ? 400 : rc == EEXIST || rc == ENOSPC ? 409 : 503;

	answer_json(c, status, json_pack("{s:o}", "error", text != NULL ? msg_text(text, strlen(text)) :
	    json_sprintf("the supervisor did not do it: %s", strerror(rc))));
}

static void
reply_cb(struct svc *s, int rc, json_t *body, void *ctx)
{
	uint64_t *id = ctx;
	struct conn *c = conn_find(*id);
	unsigned method;

	free(id);
	if (c == NULL)
		return;
	method = request_method(&c->req);
	if (rc != 0)
		answer_error(c, rc, body);
	else if (method == HTTP_DELETE)
		answer_json(c, 200, json_pack("{s:b, s:O?}", "removed", 1, "config", json_object_get(body, "config")));
	else
		answer_json(c, method == HTTP_POST ? 201 : 200, json_incref(body));
}

/* args stolen. */
static void
ask(struct conn *c, const char *verb, const struct route_match *m, json_t *args)
{
	uint64_t *id;

	if (!stream_name_ok(m->arg[0], strlen(m->arg[0]))) {
		json_decref(args);
		answer_json(c, 404, json_pack("{s:s}", "error", "not a stream's name"));
		return;
	}
	json_object_set_new(args, "name", json_string(m->arg[0]));
	id = xmalloc(sizeof(*id));
	*id = c->id;
	svc_call(http.svc, "supervisor", verb, args, ASK_MS, reply_cb, id);
}

/* Only what is known, so that nothing else gets into a message; NULL: it is no such object. */
static json_t *
read_target(const struct conn *c)
{
	json_t *in = json_loadb(request_body(&c->req), c->req.body_bytes, JSON_REJECT_DUPLICATES, NULL), *out = NULL;
	const json_t *id = json_object_get(in, "id"), *url = json_object_get(in, "url");
	json_t *transcode = json_object_get(in, "transcode"), *verify = json_object_get(in, "verify");

	if (json_is_string(id) && json_is_string(url) && (transcode == NULL || json_is_boolean(transcode)) &&
	    (verify == NULL || json_is_boolean(verify)))
		out = json_pack("{s:O, s:O, s:O*, s:O*}", "id", id, "url", url, "transcode", transcode, "verify",
		    verify);
	json_decref(in);
	return out;
}

void
api_push(struct conn *c, const struct route_match *m)
{
	char cursor[32] = "";
	json_t *args;

	if (!api_allowed(c))
		return;
	if (request_method(&c->req) != HTTP_POST) {
		if (request_param(&c->req, "cursor", cursor, sizeof(cursor)) < 0)
			cursor[0] = '\0';
		args = json_pack("{s:s}", "cursor", cursor);
		if (args == NULL)
			answer_json(c, 400, json_pack("{s:s}", "error", "what is that cursor?"));
		else
			ask(c, "push_list", m, args);
		return;
	}
	args = read_target(c);
	if (args == NULL)
		answer_json(c, 400, json_pack("{s:s}", "error", "want a JSON object: {\"id\": \"youtube\", \"url\": "
		    "\"rtmp://HOST/APP/KEY\", \"transcode\": false, \"verify\": true}; the last two may be left out"));
	else
		ask(c, "push_add", m, args);
}

void
api_push_remove(struct conn *c, const struct route_match *m)
{
	json_t *args;

	if (!api_allowed(c))
		return;
	args = json_pack("{s:s}", "id", m->arg[1]);
	if (args == NULL)
		answer_json(c, 404, json_pack("{s:s}", "error", "it has no push of this id"));
	else
		ask(c, "push_remove", m, args);
}
