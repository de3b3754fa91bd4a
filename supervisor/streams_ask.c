/*
 * streams_ask.c - CLAIM, its first half: may this publisher be NAME at all? In this order, each step
 * once: the name; key or signature, of authorize.keys or made by /v1/createIngress (on a shared Redis
 * it is asked for those, since another host may have made one a moment ago); authorize.hook. Then
 * streams_claim.c sees whether the name is free.
 *
 * Nothing in here fails open: without Redis redis.when_down says, with what this host knows of keys;
 * without a verdict of the hook authorize.hook_fail. A question that waits is known by number, as
 * its connection may die meanwhile. Called by route.c (streams_claim) and streams_claim.c.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "conf.h"
#include "log.h"
#include "stream_name.h"
#include "supervisor/ingress.h"
#include "supervisor/streams.h"
#include "util.h"

#define HOOK_MORE_MS 1000	/* for the way there and back, beside authorize.hook_timeout */

struct ask {
	struct ask *next;
	struct child *c;
	uint32_t number, id;	/* ours; the CLAIM message's */
	json_t *body;		/* of CLAIM */
	const char *name, *query;	/* in body */
};

static struct ask *asks;
static uint32_t next_number;

static void
ask_free(struct ask *ask)
{
	struct ask **p;

	for (p = &asks; *p != ask; p = &(*p)->next)
		;
	*p = ask->next;
	json_decref(ask->body);
	free(ask);
}

static struct ask *
find(void *ctx)
{
	struct ask *ask;

	for (ask = asks; ask != NULL && ask->number != (uint32_t)(uintptr_t)ctx; ask = ask->next)
		;
	return ask;
}

static void
ask_refuse(struct ask *ask, const char *code, const char *text)
{
	claim_say_refused(ask->c, ask->id, ask->name, code, text, NULL);
	ask_free(ask);
}

/* Who it says it is, and its key, were right. */
static void
permit(struct ask *ask)
{
	struct msg m = { .type = MSG_CLAIM, .id = ask->id, .body = ask->body };
	struct child *c = ask->c;

	if (json_is_false(json_object_get(ask->body, "stream"))) {
		if (msg_send(c->control, MSG_GRANT, ask->id, json_pack("{s:s, s:b}", "name", ask->name, "resume", 0),
		    NULL, 0) == -1)
			child_kill(c, "it takes no answer");
	} else
		claim_begin(c, &m, ask->name, ask->query);
	ask_free(ask);
}

/* --- authorize.hook --- */

static void
hook_cb(int rc, json_t *body, void *ctx)
{
	const char *verdict = json_string_value(json_object_get(body, "verdict"));
	const char *why = json_string_value(json_object_get(body, "text"));
	struct ask *ask = find(ctx);
	char text[400];

	if (ask == NULL)
		return;
	if (rc == 0 && verdict != NULL && strcmp(verdict, "allow") == 0) {
		permit(ask);
		return;
	}
	if (rc == 0 && verdict != NULL && strcmp(verdict, "deny") == 0) {
		ask_refuse(ask, "key", "authorize.hook does not let this publisher in");
		return;
	}
	if (rc == EBUSY) {	/* whoever brings so many at once is not let in by that */
		ask_refuse(ask, "busy", "authorize.hook is being asked about too many publishers "
		    "(authorize.hook_max_asked); try again");
		return;
	}
	if (rc != 0 || why == NULL)
		why = rc == ENOTCONN || rc == EPIPE ? "its worker is not up" : rc != 0 ? strerror(rc) : "no verdict";
	log_warnx("authorize.hook gives no verdict about %s (%.250s): %s", ask->name, why,
	    conf_str(sv.conf, "authorize.hook_fail"));
	if (strcmp(conf_str(sv.conf, "authorize.hook_fail"), "allow") == 0) {
		permit(ask);
		return;
	}
	/* Where the back end is, and how it fails, is nobody's business outside. */
	snprintf(text, sizeof(text), "authorize.hook gives no verdict (%.250s), and authorize.hook_fail is deny", why);
	claim_say_refused(ask->c, ask->id, ask->name, "busy", "it cannot be found out now whether this publisher "
	    "may publish; try again later", text);
	ask_free(ask);
}

static void
ask_hook(struct ask *ask)
{
	json_t *args;

	if (conf_str(sv.conf, "authorize.hook")[0] == '\0') {
		permit(ask);
		return;
	}
	args = json_pack("{s:s, s:s, s:O*, s:O*, s:O*}", "name", ask->name, "query", ask->query, "app",
	    json_object_get(ask->body, "app"), "peer", json_object_get(ask->body, "peer"), "protocol",
	    json_object_get(ask->body, "protocol"));
	json_object_set_new(args, "host", msg_text(sv.host, strlen(sv.host)));
	route_call(KIND_HOOKS, "authorize", args, (int)conf_int(sv.conf, "authorize.hook_timeout") + HOOK_MORE_MS,
	    hook_cb, (void *)(uintptr_t)ask->number);
}

/* --- keys --- */

static void
check_key(struct ask *ask)
{
	static const struct { const char *code, *text; } answers[] = {
		[AUTH_NO_KEY] = { "key", "this stream wants a key (NAME?key=...) or a signed URL" },
		[AUTH_BAD_KEY] = { "key", "the key is wrong" },
		[AUTH_BAD_SIGNATURE] = { "signature", "the signature is wrong" },
		[AUTH_EXPIRED] = { "expired", "this signed URL has expired" },
	};
	enum auth_verdict v = auth_check(conf_get(sv.conf, "authorize.keys"), ingress_hashes(ask->name),
	    conf_str(sv.conf, "authorize.secret"), ask->name, ask->query, wall_ms() / 1000);

	if (v != AUTH_OK)
		ask_refuse(ask, answers[v].code, answers[v].text);
	else
		ask_hook(ask);
}

static void
hashes_cb(int rc, json_t *body, void *ctx)
{
	const json_t *hashes = json_object_get(body, "hashes");
	struct ask *ask = find(ctx);

	if (ask == NULL)
		return;
	if (rc == 0 && json_is_array(hashes))
		ingress_learn(ask->name, hashes);
	else if (strcmp(conf_str(sv.conf, "redis.when_down"), "allow") != 0) {
		ask_refuse(ask, "redis", "Redis does not answer, and redis.when_down is refuse");
		return;
	}
	check_key(ask);
}

static void
ask_keys(struct ask *ask)
{
	if (strcmp(conf_str(sv.conf, "redis.url"), "embedded") == 0)
		check_key(ask);		/* nobody else makes keys */
	else
		route_call(KIND_REGISTRY, "ingress_get", json_pack("{s:s}", "name", ask->name),
		    (int)conf_int(sv.conf, "redis.claim_wait"), hashes_cb, (void *)(uintptr_t)ask->number);
}

/* --- the message --- */

static bool
is_asking(const struct child *c)
{
	const struct ask *ask;

	for (ask = asks; ask != NULL; ask = ask->next)
		if (ask->c == c)
			return true;
	return false;
}

static struct ask *
ask_new(struct child *c, struct msg *m, const char *name, const char *query)
{
	struct ask *ask = xcalloc(1, sizeof(*ask));

	ask->c = c;
	ask->id = m->id;
	ask->number = ++next_number;
	ask->body = json_incref(m->body);
	ask->name = name;
	ask->query = query;
	ask->next = asks;
	asks = ask;
	return ask;
}

void
streams_claim(struct child *c, struct msg *m)
{
	const char *name = msg_str(m, "name"), *query = msg_str(m, "query");
	struct ask *ask;

	if (name == NULL || query == NULL || !stream_name_ok(name, strlen(name)))
		claim_say_refused(c, m->id, "", "pattern", "not a name a stream can have", NULL);
	else if (claim_of(c) || is_asking(c))
		claim_say_refused(c, m->id, name, "busy", "this connection has claimed a stream already", NULL);
	else if (sv.stopping)
		claim_say_refused(c, m->id, name, "stopping", "this server is stopping", NULL);
	else {
		ask = ask_new(c, m, name, query);
		/* resumed: an upload that was begun with a key, and is known by an id that nobody guesses */
		if (json_is_true(json_object_get(m->body, "resume")) &&
		    json_is_false(json_object_get(m->body, "stream")))
			permit(ask);
		else
			ask_keys(ask);
	}
}

void
ask_child_gone(const struct child *c)
{
	struct ask *ask, *next;

	for (ask = asks; ask != NULL; ask = next) {
		next = ask->next;
		if (ask->c == c)
			ask_free(ask);
	}
}

void
ask_refuse_all(const char *code, const char *text)
{
	while (asks != NULL)
		ask_refuse(asks, code, text);
}
