/*
 * api_ingress.c - what a back end of rooms asks for:
 *
 *   POST   /v1/createIngress?roomId=NAME -> {"data": {"ingressId", "url", "streamKey", "whipUrl", "whipToken"}}:
 *          where an encoder publishes as NAME, in the fields that OBS has for RTMP and WHIP; the same answer
 *          each time. From then on NAME wants that key. DELETE: it wants it no more, and the next one is another.
 *   POST   /v1/registerWebhook {"webhookURL": "https://.."} -> {"data": {"webhookId", "webhookURL"}}: it is
 *          told ingress_started and ingress_ended. DELETE ...?webhookURL=..: no more.
 *
 * For those who may change something. The registry says which keys there are, the supervisor makes one, the
 * registry tells it to Redis before it is given away, so that every host knows it.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "conf.h"
#include "http.h"
#include "log.h"
#include "obj.h"
#include "url.h"
#include "util.h"

#define ASK_MS 3000
#define URL_MAX 1024

struct making {
	uint64_t conn;
	char name[BOARD_NAME];
	json_t *made;		/* {id, key, hashes}; NULL: the key is being removed */
};

static void
fail(struct conn *c, int rc, const json_t *body, const char *who)
{
	const char *text = obj_str(body, "text");
	int status = rc == EINVAL ? 400 : rc == ENOENT ? 404 : rc == ENOSPC ? 409 : 503;

	answer_json(c, status, json_pack("{s:o}", "error", text[0] != '\0' ? msg_text(text, strlen(text)) :
	    rc == EHOSTDOWN ? json_string("Redis is away; ask again in a moment") :
	    json_sprintf("%s did not do it: %s", who, strerror(rc))));
}

/* --- where to publish --- */

/* What stands before the name in the first pattern that has no other variable. */
static const char *
before_name(char out[300])
{
	const json_t *patterns = conf_get(http.svc->conf, "authorize.patterns"), *p;
	size_t i;

	json_array_foreach(patterns, i, p) {
		const char *text = json_string_value(p), *brace = text != NULL ? strchr(text, '{') : NULL;

		if (brace == NULL || strcmp(brace, "{username}") != 0)
			continue;
		snprintf(out, 300, "%.*s", (int)(brace - text), text);
		return out;
	}
	return "/live/";
}

/* The name by which the asker knows this host, without a port. */
static void
host_of(const struct conn *c, char *out, size_t size)
{
	const char *own = conf_str(http.svc->conf, "http.public_url"), *host = request_field(&c->req, FIELD_HOST);
	size_t n;

	host = url_host(own[0] != '\0' ? own : host != NULL ? host : "localhost", &n);
	snprintf(out, size, "%.*s", (int)url_host_name(host, n), host);
}

static void
give(struct conn *c, const struct making *k)
{
	char host[256], path[300], own[300];
	json_t *data;

	rooms_own_url(c, own, sizeof(own));
	host_of(c, host, sizeof(host));
	data = json_pack("{s:s}", "ingressId", obj_str(k->made, "id"));
	json_object_set_new(data, "url", json_sprintf("rtmp://%s:%d%s", host, api_rtmp_port(), before_name(path)));
	json_object_set_new(data, "streamKey", json_sprintf("%s?key=%s", k->name, obj_str(k->made, "key")));
	json_object_set_new(data, "whipUrl", json_sprintf("%s/whip/%s", own, k->name));
	json_object_set_new(data, "whipToken", json_string(obj_str(k->made, "key")));
	/* a Host that is no text */
	if (json_object_get(data, "url") == NULL || json_object_get(data, "whipUrl") == NULL) {
		json_decref(data);
		answer_json(c, 400, json_pack("{s:s}", "error", "that is no host name"));
		return;
	}
	answer_json(c, 200, json_pack("{s:o}", "data", data));
}

/* --- createIngress --- */

static void
making_free(struct making *k)
{
	json_decref(k->made);
	free(k);
}

static void
told_cb(struct svc *s, int rc, json_t *body, void *ctx)
{
	struct making *k = ctx;
	struct conn *c = conn_find(k->conn);

	if (c != NULL && rc != 0)
		fail(c, rc, body, "the registry");
	else if (c != NULL && k->made == NULL)
		answer_json(c, 200, json_pack("{s:b}", "removed", 1));
	else if (c != NULL)
		give(c, k);
	making_free(k);
}

static void
tell_registry(struct making *k)
{
	json_t *hashes = k->made != NULL ? json_incref(json_object_get(k->made, "hashes")) : json_array();

	svc_call(http.svc, "registry", "ingress_put", json_pack("{s:s, s:o}", "name", k->name, "hashes", hashes),
	    ASK_MS, told_cb, k);
}

static void
made_cb(struct svc *s, int rc, json_t *body, void *ctx)
{
	struct making *k = ctx;
	struct conn *c = conn_find(k->conn);

	if (c != NULL && rc == 0) {
		k->made = json_incref(body);
		tell_registry(k);
		return;
	}
	if (c != NULL)
		fail(c, rc, body, "the supervisor");
	making_free(k);
}

/* Another host may have removed the one that this host knows. */
static void
known_cb(struct svc *s, int rc, json_t *body, void *ctx)
{
	struct making *k = ctx;
	struct conn *c = conn_find(k->conn);
	json_t *hashes = json_object_get(body, "hashes");

	if (c != NULL && rc == 0 && hashes != NULL) {
		svc_call(http.svc, "supervisor", "ingress", json_pack("{s:s, s:O}", "name", k->name, "hashes", hashes),
		    ASK_MS, made_cb, k);
		return;
	}
	if (c != NULL)
		fail(c, rc, body, "the registry");
	making_free(k);
}

/* Redis may know one that this host has forgotten. */
static void
removed_cb(struct svc *s, int rc, json_t *body, void *ctx)
{
	struct making *k = ctx;
	struct conn *c = conn_find(k->conn);

	if (c != NULL && rc != 0 && rc != ENOENT) {
		fail(c, rc, body, "the supervisor");
		c = NULL;
	}
	if (c != NULL)
		tell_registry(k);
	else
		making_free(k);
}

void
api_create_ingress(struct conn *c, const struct route_match *m)
{
	bool removes = request_method(&c->req) == HTTP_DELETE;
	struct making *k;
	json_t *args;

	if (!api_allowed(c))
		return;
	k = xcalloc(1, sizeof(*k));
	k->conn = c->id;
	if (request_param(&c->req, "roomId", k->name, sizeof(k->name)) < 0 &&
	    request_param(&c->req, "roomID", k->name, sizeof(k->name)) < 0)
		k->name[0] = '\0';
	if (!stream_name_ok(k->name, strlen(k->name))) {
		making_free(k);
		answer_json(c, 400, json_pack("{s:s}", "error", "want ?roomId=NAME: 1 to 64 letters, digits, . _ or -, "
		    "the first no dot"));
		return;
	}
	args = json_pack("{s:s}", "name", k->name);
	if (removes)
		svc_call(http.svc, "supervisor", "ingress_remove", args, ASK_MS, removed_cb, k);
	else
		svc_call(http.svc, "registry", "ingress_get", args, ASK_MS, known_cb, k);
}

/* --- registerWebhook --- */

struct registering {
	uint64_t conn;
	bool removes;
	char url[URL_MAX];
};

static void
registered_cb(struct svc *s, int rc, json_t *body, void *ctx)
{
	struct registering *r = ctx;
	struct conn *c = conn_find(r->conn);

	if (c != NULL && rc != 0)
		fail(c, rc, body, "the worker of webhooks");
	else if (c != NULL && r->removes)
		answer_json(c, 200, json_pack("{s:b}", "removed", 1));
	else if (c != NULL)
		answer_json(c, 200, json_pack("{s:{s:s, s:s}}", "data", "webhookId", obj_str(body, "id"),
		    "webhookURL", r->url));
	free(r);
}

void
api_register_webhook(struct conn *c, const struct route_match *m)
{
	struct registering *r;
	json_t *in, *args;

	if (!api_allowed(c))
		return;
	r = xcalloc(1, sizeof(*r));
	r->conn = c->id;
	r->removes = request_method(&c->req) == HTTP_DELETE;
	in = json_loadb(request_body(&c->req), c->req.body_bytes, JSON_REJECT_DUPLICATES, NULL);
	if (str_copy(r->url, obj_str(in, "webhookURL"), sizeof(r->url)) >= sizeof(r->url))
		r->url[0] = '\0';
	json_decref(in);
	if (r->url[0] == '\0' && request_param(&c->req, "webhookURL", r->url, sizeof(r->url)) < 0)
		r->url[0] = '\0';
	args = r->url[0] != '\0' ? json_pack("{s:s}", "url", r->url) : NULL;
	if (args == NULL) {
		free(r);
		answer_json(c, 400, json_pack("{s:s}", "error", "want {\"webhookURL\": \"https://HOST/PATH\"}, of at "
		    "most 1023 characters"));
		return;
	}
	svc_call(http.svc, "hooks", r->removes ? "unregister" : "register", args, ASK_MS, registered_cb, r);
}
