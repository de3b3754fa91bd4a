/*
 * where.c - streams that are not here (contract in http.h): they may be on another host, so the registry
 * is asked, once in two seconds, unless this host is alone (redis.url: embedded). Who asked is sent
 * there with the same path and query, a POST as a POST (307), or told that nobody has it.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include "http.h"
#include "util.h"

#define WHERE_MS 300			/* for the registry's answer */
#define WHERE_FRESH_MS 2000
#define WHERE_MAX 256
#define NOBODYS "No such stream here. Is it being published?\n"
#define TOO_MANY "This server asks for too many other streams at once (http.max_lookups); try again soon.\n"

struct place {			/* where a stream is, as the registry said */
	char name[BOARD_NAME], url[256];
	int64_t asked_ms;
};
static struct place places[WHERE_MAX];

/* One under way: everybody who wants that stream meanwhile waits for the same answer. */
struct question {
	LIST_ENTRY(question) link;
	char name[BOARD_NAME];
	uint64_t *conns;
	size_t nconns;
};
static LIST_HEAD(, question) questions = LIST_HEAD_INITIALIZER(questions);
static int64_t nquestions;

static void
missing(struct conn *c, const char *url)
{
	char to[512];

	if (url[0] == '\0') {
		answer_bytes(c, 404, "text/plain; charset=utf-8", "Cache-Control: no-cache\r\nRetry-After: 5\r\n",
		    xstrdup(NOBODYS), sizeof(NOBODYS) - 1, true);
		return;
	}
	http.count.redirects++;
	snprintf(to, sizeof(to), "%.250s%.255s", url, request_path(&c->req));
	answer_redirect(c, to);
}

static struct place *
place_of(const char *name)
{
	struct place *oldest = &places[0];

	for (unsigned i = 0; i < WHERE_MAX; i++) {
		if (strcmp(places[i].name, name) == 0)
			return &places[i];
		if (places[i].asked_ms < oldest->asked_ms)
			oldest = &places[i];
	}
	str_copy(oldest->name, name, sizeof(oldest->name));
	oldest->asked_ms = 0;
	oldest->url[0] = '\0';
	return oldest;
}

static void
where_cb(struct svc *s, int rc, json_t *body, void *ctx)
{
	struct question *q = ctx;
	struct place *p = place_of(q->name);
	const char *url = json_string_value(json_object_get(body, "url"));
	struct conn *c;

	LIST_REMOVE(q, link);
	nquestions--;
	p->asked_ms = now_ms();
	str_copy(p->url, rc == 0 && url != NULL ? url : "", sizeof(p->url));
	for (size_t i = 0; i < q->nconns; i++)
		if ((c = conn_find(q->conns[i])) != NULL)
			missing(c, p->url);
	free(q->conns);
	free(q);
}

/* NULL: too many are under way. */
static struct question *
question_of(const char *name)
{
	struct question *q;

	LIST_FOREACH(q, &questions, link)
		if (strcmp(q->name, name) == 0)
			return q;
	if (nquestions >= http.limits.max_lookups)
		return NULL;
	q = xcalloc(1, sizeof(*q));
	str_copy(q->name, name, sizeof(q->name));
	LIST_INSERT_HEAD(&questions, q, link);
	nquestions++;
	svc_call(http.svc, "registry", "where", json_pack("{s:s}", "name", name), WHERE_MS, where_cb, q);
	return q;
}

void
where_redirect(struct conn *c, const char *name)
{
	struct place *p;
	struct question *q;

	if (http.limits.alone) {
		missing(c, "");
		return;
	}
	p = place_of(name);
	if (now_ms() - p->asked_ms < WHERE_FRESH_MS && p->asked_ms != 0) {
		missing(c, p->url);
		return;
	}
	q = question_of(name);
	if (q == NULL) {
		answer_text(c, 503, TOO_MANY);
		return;
	}
	q->conns = xrealloc(q->conns, (q->nconns + 1) * sizeof(*q->conns));
	q->conns[q->nconns++] = c->id;
}
