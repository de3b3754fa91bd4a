/*
 * api_jobs.c - /api/v1/jobs/ID: what has become of an upload or a job (contract in http.h). The
 * first jobs worker of this host knows. An upload's id is guessed by nobody, so this is answered
 * to all who have it.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "http.h"
#include "util.h"

#define ASK_MS 5000

static void
job_cb(struct svc *s, int rc, json_t *body, void *ctx)
{
	uint64_t *id = ctx;
	struct conn *c = conn_find(*id);

	free(id);
	if (c == NULL)
		return;
	if (rc == 0)
		answer_json(c, 200, json_incref(body));
	else if (rc == ENOENT)
		answer_json(c, 404, json_pack("{s:s}", "error", "no such job, and no upload of this host"));
	else if (rc == EHOSTDOWN)
		answer_json(c, 503, json_pack("{s:s}", "error", "Redis is away; ask again in a moment"));
	else
		answer_json(c, 503, json_pack("{s:s+}", "error", "no jobs worker answers: ", strerror(rc)));
}

void
api_job(struct conn *c, const struct route_match *m)
{
	size_t n = strlen(m->arg[0]);
	uint64_t *id;

	if (n > 40 || strspn(m->arg[0], "0123456789abcdef-") != n) {
		answer_json(c, 404, json_pack("{s:s}", "error", "not a job's id"));
		return;
	}
	id = xmalloc(sizeof(*id));
	*id = c->id;
	svc_call(http.svc, "jobs", "job", json_pack("{s:s}", "id", m->arg[0]), ASK_MS, job_cb, id);
}
