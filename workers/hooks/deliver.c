/*
 * deliver.c - one event to one URL: the request in the words of its style, signed; what the answer
 * means; what then.
 *
 * A receiver that is down as a whole (no answer, 429, 502 to 504) is tried with one request at a
 * time until it takes one, then all that waits for it is due at once. Any other answer is about
 * that one event: its stream's next ones wait for it, others do not. Called by outbox.c.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/random.h>

#include "conf.h"
#include "hooks.h"
#include "log.h"
#include "msg.h"
#include "obj.h"
#include "sign.h"
#include "util.h"
#include "workers/common/backoff.h"

#define SAY_AGAIN_MS 60000	/* a URL may fail for one stream only, again and again */

struct delivery {
	LIST_ENTRY(delivery) entry;
	char id[TARGET_ID];		/* the target's */
	char *lane, *at, *data;		/* at: the entry */
	int64_t age_ms;			/* when it was begun */
	unsigned tries;			/* that failed before */
	struct send_call *call;
};
static LIST_HEAD(, delivery) under_way = LIST_HEAD_INITIALIZER(under_way);

static void
delivery_free(struct delivery *d)
{
	struct target *t = target_find(d->id);

	LIST_REMOVE(d, entry);
	hk.under_way--;
	if (t)
		t->busy--;
	send_cancel(&d->call);
	free(d->lane);
	free(d->at);
	free(d->data);
	free(d);
}

static int64_t
backoff(unsigned failures)
{
	uint32_t random = 512;

	if (getrandom(&random, sizeof random, GRND_NONBLOCK) < 0)
		random = 512;	/* only a jitter */
	return backoff_ms(failures, conf_int(hk.svc->conf, "hooks.retry_min"),
	    conf_int(hk.svc->conf, "hooks.retry_max"), random);
}

/* --- what then --- */

static void
taken(struct delivery *d, struct target *t)
{
	bool was_down = t->failures > 0;

	if (was_down && t->said_ms != 0) {
		log_info("webhook %s takes events again", t->id);
		t->said_ms = 0;
	}
	t->failures = 0;
	t->error[0] = '\0';
	t->delivered++;
	link_count(1, 0, 0);
	outbox_done(d->id, d->lane, d->at);
	if (was_down)
		outbox_wake(t->id);
}

static void
say_failed(struct target *t, const struct delivery *d, const char *why)
{
	char *url = send_url_show(t->url);

	log_warnx("webhook %s (%s) does not take event %s: %s; it is tried again for %lld s", t->id, url, d->at, why,
	    (long long)conf_int(hk.svc->conf, "hooks.retry") / 1000);
	t->said_ms = now_ms();
	free(url);
}

static bool
is_down(int status)
{
	return status == 0 || status == 429 || (status >= 502 && status <= 504);
}

static void
not_taken(struct delivery *d, struct target *t, const struct send_result *r)
{
	int64_t again = backoff(d->tries + 1);
	char why[200], *tries;
	json_t *o;

	if (r->status > 0)
		snprintf(why, sizeof why, "status %d%s", r->status, t->style == STYLE_SRS && r->status == 200 ?
		    ", and no code 0" : "");
	else
		snprintf(why, sizeof why, "%.199s", r->error);
	if (t->said_ms == 0 || now_ms() - t->said_ms >= SAY_AGAIN_MS)
		say_failed(t, d, why);
	str_copy(t->error, why, sizeof t->error);
	t->failed++;
	if (is_down(r->status))
		t->next_ms = now_ms() + backoff(++t->failures);
	o = json_pack("{s:i, s:o}", "n", (int)d->tries + 1, "error", msg_text(why, strlen(why)));
	tries = json_dumps(o, JSON_COMPACT);
	json_decref(o);
	if (d->age_ms + r->took_ms + again <= conf_int(hk.svc->conf, "hooks.retry")) {
		link_count(0, 1, 0);
		outbox_failed(d->id, d->lane, tries, again);
	} else {
		log_warnx("webhook %s: event %s is a dead letter after %u tries: %s", t->id, d->at, d->tries + 1, why);
		link_count(0, 1, 1);
		outbox_dead(d->id, d->lane, d->at, why, tries, d->data);
	}
	free(tries);
}

static void
answer_cb(const struct send_result *r, void *ctx)
{
	struct delivery *d = ctx;
	struct target *t = target_find(d->id);

	d->call = NULL;
	if (t && r->status > 0 && style_taken(t->style, r->status, r->body))
		taken(d, t);
	else if (t)
		not_taken(d, t, r);
	delivery_free(d);
	hooks_idle();
}

/* --- the request --- */

struct headers {
	char *list[SEND_HEADERS + 1];
	int n;
};

static void
add_header(struct headers *h, const char *name, char *value)
{
	h->list[h->n++] = xasprintf("%s: %s", name, value);
	free(value);
}

static void
make_headers(struct headers *h, const struct target *t, const struct style_request *q, const json_t *event)
{
	const char *secret = target_secret(t);
	int64_t now = wall_ms() / 1000;
	char *target = send_url_target(q->url);
	const char *proved = q->type ? q->body : target;
	json_t *id = json_object_get(event, "id");

	if (json_is_string(id) && strpbrk(json_string_value(id), "\r\n") == NULL)
		add_header(h, "Millrace-Event", xstrdup(json_string_value(id)));
	if (secret[0] != '\0')
		add_header(h, SIGN_HEADER, sign_header(secret, now, proved, strlen(proved)));
	if (t->style == STYLE_LIVEKIT && secret[0] != '\0')
		add_header(h, "Authorization", sign_jwt(t->key, secret, now, q->body, strlen(q->body)));
	free(target);
}

static void
start(struct delivery *d, struct target *t, const json_t *event)
{
	struct style_request q = { .url = NULL };
	struct headers h = { .n = 0 };
	struct send_job job = { .timeout_ms = conf_int(hk.svc->conf, "hooks.timeout") };

	style_event(t->style, t->url, event_find(obj_str(event, "event")), event, &q);
	make_headers(&h, t, &q, event);
	job.method = q.method;
	job.url = q.url;
	job.type = q.type;
	job.body = q.body;
	for (int i = 0; i < h.n; i++)
		job.headers[i] = h.list[i];
	d->call = send_start(hk.send, &job, answer_cb, d);
	while (h.n > 0)
		free(h.list[--h.n]);
	style_request_free(&q);
}

void
deliver(struct target *t, const char *lane, const char *entry, int64_t age_ms, const char *tries, const char *data)
{
	struct delivery *d = xcalloc(1, sizeof *d);
	json_t *event = json_loads(data, 0, NULL), *before = tries ? json_loads(tries, 0, NULL) : NULL;

	str_copy(d->id, t->id, sizeof d->id);
	d->lane = xstrdup(lane);
	d->at = xstrdup(entry);
	d->data = xstrdup(data);
	d->age_ms = age_ms;
	d->tries = (unsigned)obj_int(before, "n");
	LIST_INSERT_HEAD(&under_way, d, entry);
	t->busy++;
	hk.under_way++;
	/* Its style may be another one since: then there may be no word for it. */
	if (style_has(t->style, event_find(obj_str(event, "event")), event))
		start(d, t, event);
	else {
		outbox_done(d->id, d->lane, d->at);
		delivery_free(d);
	}
	json_decref(event);
	json_decref(before);
}

void
deliver_forget(const char *hook)
{
	struct delivery *d, *next;

	for (d = LIST_FIRST(&under_way); d; d = next) {
		next = LIST_NEXT(d, entry);
		if (strcmp(d->id, hook) == 0)
			delivery_free(d);
	}
}

void
deliver_stop(void)
{
	while (!LIST_EMPTY(&under_way))
		delivery_free(LIST_FIRST(&under_way));
}
