/*
 * ask.c - authorize.hook: may this publisher publish? The supervisor's CALL "authorize", answered by
 * {verdict: "allow"|"deny"|"none", text}: none is no verdict, and the supervisor decides what then.
 *
 * Allow comes from the receiver's own words alone (style.h), fresh or at most authorize.hook_cache
 * old, given for exactly the same publisher, query and all, by the receiver that is set now. Bounded:
 * authorize.hook_max_asked questions at once, authorize.hook_max_cached verdicts; what is beyond is
 * refused (EBUSY), or asked again.
 */
#include <errno.h>
#include <nettle/sha2.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include "conf.h"
#include "hooks.h"
#include "log.h"
#include "obj.h"
#include "sign.h"
#include "util.h"

struct ask {
	LIST_ENTRY(ask) entry;
	uint32_t call;
	uint8_t who[SHA256_DIGEST_SIZE];
	enum style style;
	bool old;			/* of a receiver that may be another one now: not kept */
	struct send_call *send;
};
struct verdict {
	TAILQ_ENTRY(verdict) entry;	/* the newest last */
	uint8_t who[SHA256_DIGEST_SIZE];
	bool allow;
	int64_t until_ms;
};
static LIST_HEAD(, ask) asks = LIST_HEAD_INITIALIZER(asks);
static TAILQ_HEAD(verdicts, verdict) verdicts = TAILQ_HEAD_INITIALIZER(verdicts);
static int64_t nasks, nverdicts;

static void
verdict_free(struct verdict *v)
{
	TAILQ_REMOVE(&verdicts, v, entry);
	nverdicts--;
	free(v);
}

static void
forget_all(void)
{
	while (!TAILQ_EMPTY(&verdicts))
		verdict_free(TAILQ_FIRST(&verdicts));
}

static struct verdict *
find(const uint8_t *who)
{
	struct verdict *v;

	TAILQ_FOREACH(v, &verdicts, entry)
		if (memcmp(v->who, who, sizeof v->who) == 0)
			break;
	if (v && now_ms() >= v->until_ms) {
		verdict_free(v);
		v = NULL;
	}
	return v;
}

static void
keep(const uint8_t *who, bool allow)
{
	int64_t keep_ms = conf_int(hk.svc->conf, "authorize.hook_cache");
	struct verdict *v = find(who);

	if (v)
		verdict_free(v);
	if (keep_ms == 0)
		return;
	while (nverdicts >= conf_int(hk.svc->conf, "authorize.hook_max_cached"))
		verdict_free(TAILQ_FIRST(&verdicts));
	v = xcalloc(1, sizeof *v);
	memcpy(v->who, who, sizeof v->who);
	v->allow = allow;
	v->until_ms = now_ms() + keep_ms;
	TAILQ_INSERT_TAIL(&verdicts, v, entry);
	nverdicts++;
}

/* Of all that the receiver is told but the port, which is another one with each connection. */
static void
who_is(const json_t *args, uint8_t who[SHA256_DIGEST_SIZE])
{
	static const char *const keys[] = { "name", "app", "protocol", "query" };
	const char *peer = obj_str(args, "peer"), *colon = strrchr(peer, ':');
	struct sha256_ctx ctx;

	sha256_init(&ctx);
	for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++)
		sha256_update(&ctx, strlen(obj_str(args, keys[i])) + 1, (const uint8_t *)obj_str(args, keys[i]));
	sha256_update(&ctx, colon ? (size_t)(colon - peer) : strlen(peer), (const uint8_t *)peer);
	sha256_digest(&ctx, SHA256_DIGEST_SIZE, who);
}

static void
answer(uint32_t id, const char *verdict, const char *text)
{
	struct msg call = { .type = MSG_CALL, .id = id };

	svc_reply(hk.svc, &call, 0, json_pack("{s:s, s:o}", "verdict", verdict, "text", msg_text(text, strlen(text))));
}

static void
ask_free(struct ask *a)
{
	LIST_REMOVE(a, entry);
	nasks--;
	send_cancel(&a->send);
	free(a);
}

static void
answer_cb(const struct send_result *r, void *ctx)
{
	struct ask *a = ctx;
	enum style_verdict v = r->status > 0 ? style_verdict(a->style, r->status, r->body) : STYLE_NO_VERDICT;
	char text[300];

	a->send = NULL;
	if (r->status > 0)
		snprintf(text, sizeof text, "it answered with status %d", r->status);
	else
		snprintf(text, sizeof text, "%.250s", r->error);
	if (v != STYLE_NO_VERDICT && !a->old)
		keep(a->who, v == STYLE_ALLOW);
	answer(a->call, v == STYLE_ALLOW ? "allow" : v == STYLE_DENY ? "deny" : "none",
	    v == STYLE_NO_VERDICT ? text : "");
	ask_free(a);
}

static void
start(struct ask *a, const char *url, const json_t *args)
{
	const char *secret = conf_str(hk.svc->conf, "hooks.secret");
	struct send_job job = { .timeout_ms = conf_int(hk.svc->conf, "authorize.hook_timeout") };
	struct style_request q = { .url = NULL };
	char *proof = NULL, *line = NULL;

	style_ask(a->style, url, args, &q);
	if (secret[0] != '\0') {
		proof = sign_header(secret, wall_ms() / 1000, q.body, strlen(q.body));
		line = xasprintf(SIGN_HEADER ": %s", proof);
		job.headers[0] = line;
	}
	job.method = q.method;
	job.url = q.url;
	job.type = q.type;
	job.body = q.body;
	a->send = send_start(hk.send, &job, answer_cb, a);
	free(proof);
	free(line);
	style_request_free(&q);
}

void
ask_call(const struct msg *call, const json_t *args)
{
	const char *url = conf_str(hk.svc->conf, "authorize.hook");
	uint8_t who[SHA256_DIGEST_SIZE];
	struct verdict *v;
	struct ask *a;

	who_is(args, who);
	v = find(who);
	if (v) {
		answer(call->id, v->allow ? "allow" : "deny", "");
		return;
	}
	/* No fault of the receiver's: hook_fail does not count. */
	if (nasks >= conf_int(hk.svc->conf, "authorize.hook_max_asked")) {
		calls_answer(call->id, EBUSY, NULL);
		return;
	}
	if (url[0] == '\0') {
		answer(call->id, "none", "it is not known yet");
		return;
	}
	a = xcalloc(1, sizeof *a);
	a->call = call->id;
	memcpy(a->who, who, sizeof a->who);
	a->style = style_find(conf_str(hk.svc->conf, "authorize.hook_style"));
	LIST_INSERT_HEAD(&asks, a, entry);
	nasks++;
	start(a, url, args);
}

/* Another URL may think otherwise. */
void
ask_config(void)
{
	struct ask *a;

	forget_all();
	LIST_FOREACH(a, &asks, entry)
		a->old = true;
}

void
ask_stop(void)
{
	while (!LIST_EMPTY(&asks))
		ask_free(LIST_FIRST(&asks));
	forget_all();
}
