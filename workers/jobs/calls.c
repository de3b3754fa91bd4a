/*
 * calls.c - the questions people ask of jobs and files (verbs in proto.h), by a table.
 *
 * Each is answered once: with EHOSTDOWN while Redis is away, else when Redis has spoken. The
 * supervisor asks the first worker only. Called by main.c.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "intake.h"
#include "log.h"
#include "util.h"
#include "workers/jobs/intake_tell.h"
#include "workers/jobs/job.h"
#include "workers/jobs/jobs.h"

#define PAGE_BYTES 50000	/* of an answer: it must fit into a packet */
#define KINDS_BYTES 512
#define LONG_TEXT 300		/* what a text is cut to in an answer that would not */

static void
answer(void *ctx, int rc, json_t *body)
{
	struct msg call = { .type = MSG_CALL, .id = (uint32_t)(uintptr_t)ctx };

	svc_reply(jw.svc, &call, rc, body);
}

static void
page_cb(int rc, json_t *body, void *ctx)
{
	answer(ctx, rc, rc == 0 ? json_incref(body) : NULL);
}

static void
changed_cb(int rc, const char *error, void *ctx)
{
	answer(ctx, rc, error ? json_pack("{s:o}", "text", msg_text(error, strlen(error))) : NULL);
	run_wake();
}

static const char *
arg(const json_t *args, const char *key)
{
	return json_string_value(json_object_get(args, key));
}

static void
list_cb(int rc, json_t *body, void *ctx)
{
	json_t *job;
	size_t i;

	json_array_foreach(json_object_get(body, "jobs"), i, job)
		intake_describe(jw.svc, job);
	page_cb(rc, body, ctx);
}

static void
call_list(const json_t *args, void *ctx)
{
	queue_list(jw.queue, arg(args, "state"), arg(args, "cursor"), list_cb, ctx);
}

static void
call_job(const json_t *args, void *ctx)
{
	if (arg(args, "id"))
		intake_job(jw.svc, jw.queue, arg(args, "id"), page_cb, ctx);
	else
		answer(ctx, EINVAL, NULL);
}

struct change {
	void (*how)(struct queue *q, const char *id, queue_cb cb, void *ctx);
	void *ctx;
};

/* An upload's job by now, if it is one's turn: before, and after the last, there is none. */
static void
upload_cb(int rc, json_t *body, void *ctx)
{
	struct change c = *(struct change *)ctx;
	const char *job = arg(body, "job");

	free(ctx);
	if (rc == 0 && job != NULL)
		c.how(jw.queue, job, changed_cb, c.ctx);
	else
		changed_cb(rc == 0 ? EALREADY : rc, arg(body, "state"), c.ctx);
}

/* id: a job's, or that of an upload of this host, which is what its sender knows. */
static void
change(const json_t *args, void (*how)(struct queue *q, const char *id, queue_cb cb, void *ctx), void *ctx)
{
	const char *id = arg(args, "id");
	struct change *c;

	if (id == NULL)
		answer(ctx, EINVAL, NULL);
	else if (!intake_id_ok(id))
		how(jw.queue, id, changed_cb, ctx);
	else {
		c = xcalloc(1, sizeof *c);
		*c = (struct change){ how, ctx };
		intake_job(jw.svc, jw.queue, id, upload_cb, c);
	}
}

static void
call_retry(const json_t *args, void *ctx)
{
	change(args, queue_retry, ctx);
}

static void
call_cancel(const json_t *args, void *ctx)
{
	change(args, queue_cancel, ctx);
}

static void
call_hosts(const json_t *args, void *ctx)
{
	char kinds[KINDS_BYTES];

	job_kinds_list(jw.svc->conf, -1, kinds, sizeof kinds);
	queue_hosts(jw.queue, kinds, page_cb, ctx);
}

/* Redis says how many are a page; should their names be very long, they are cut. */
static json_t *
shortened(json_t *file)
{
	json_t *copy = json_object(), *v;
	const char *key;

	json_object_foreach(file, key, v) {
		if (json_string_length(v) > LONG_TEXT)
			json_object_set_new(copy, key, msg_text(json_string_value(v), LONG_TEXT));
		else
			json_object_set(copy, key, v);
	}
	return copy;
}

static void
files_cb(int rc, json_t *body, void *ctx)
{
	json_t *files = json_object_get(body, "files");

	if (rc == 0 && json_dumpb(body, NULL, 0, 0) > PAGE_BYTES)
		for (size_t i = 0; i < json_array_size(files); i++)
			json_array_set_new(files, i, shortened(json_array_get(files, i)));
	page_cb(rc, body, ctx);
}

static void
call_files(const json_t *args, void *ctx)
{
	const char *cursor = arg(args, "cursor");

	if (cursor && (strlen(cursor) > 20 || strspn(cursor, "0123456789") != strlen(cursor)))
		answer(ctx, EINVAL, NULL);
	else
		ledger_list(jw.ledger, cursor, files_cb, ctx);
}

static const struct verb {
	const char *name;
	void (*call)(const json_t *args, void *ctx);
} verbs[] = {
	{ "list", call_list },
	{ "job", call_job },
	{ "retry", call_retry },
	{ "cancel", call_cancel },
	{ "files", call_files },
	{ "hosts", call_hosts },
};

void
calls_handle(struct svc *s, struct msg *m)
{
	const char *verb = msg_str(m, "verb");
	void *ctx = (void *)(uintptr_t)m->id;

	for (size_t i = 0; verb && i < sizeof verbs / sizeof verbs[0]; i++)
		if (strcmp(verbs[i].name, verb) == 0) {
			verbs[i].call(json_object_get(m->body, "args"), ctx);
			return;
		}
	answer(ctx, ENOSYS, NULL);
}
