/*
 * where.c - streams that are not here (contract in http.h): they may be on another host, so the registry
 * is asked, once in two seconds, unless this host is alone (redis.url: embedded). Who asked is sent
 * there with the same path, a POST as a POST (307), or told that nobody has it.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "http.h"
#include "util.h"

#define WHERE_MS 300			/* for the registry's answer */
#define WHERE_FRESH_MS 2000
#define WHERE_MAX 256
#define ASK_MAX 32			/* questions under way: the registry has more to do */
#define NOBODYS "No such stream here. Is it being published?\n"

struct place {			/* where a stream is, as the registry said */
	char name[BOARD_NAME], url[256];
	int64_t asked_ms;
};
static struct place places[WHERE_MAX];

struct asking { uint64_t conn; char name[BOARD_NAME]; char path[256]; };
static unsigned nasking;

static void
missing(struct conn *c, const char *url, const char *path)
{
	char to[600];

	if (url[0] == '\0') {
		answer_bytes(c, 404, "text/plain; charset=utf-8", "Cache-Control: no-cache\r\nRetry-After: 5\r\n",
		    xstrdup(NOBODYS), sizeof(NOBODYS) - 1, true);
		return;
	}
	snprintf(to, sizeof(to), "%.250s%.255s", url, path);
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
	struct asking *a = ctx;
	struct conn *c = conn_find(a->conn);
	struct place *p = place_of(a->name);
	const char *url = json_string_value(json_object_get(body, "url"));

	nasking--;
	p->asked_ms = now_ms();
	str_copy(p->url, rc == 0 && url != NULL ? url : "", sizeof(p->url));
	if (c != NULL)
		missing(c, p->url, a->path);
	free(a);
}

void
where_redirect(struct conn *c, const char *name)
{
	struct place *p;
	struct asking *a;

	if (http.limits.alone || nasking >= ASK_MAX) {
		missing(c, "", NULL);
		return;
	}
	p = place_of(name);
	if (now_ms() - p->asked_ms < WHERE_FRESH_MS && p->asked_ms != 0) {
		missing(c, p->url, request_path(&c->req));
		return;
	}
	nasking++;
	a = xcalloc(1, sizeof(*a));
	a->conn = c->id;
	str_copy(a->name, name, sizeof(a->name));
	str_copy(a->path, request_path(&c->req), sizeof(a->path));
	svc_call(http.svc, "registry", "where", json_pack("{s:s}", "name", name), WHERE_MS, where_cb, a);
}
