/*
 * queue_list.c - what people ask the queue: which jobs there are, one of them again, one of
 * them not at all. Answers are JSON as queue.h says, a page at a time: one must fit into a
 * packet of lib/proto.h. Called by the jobs worker's calls.c.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "util.h"
#include "workers/common/queue_parts.h"
#include "workers/common/queue_scripts.h"

#define PAGE_JOBS "100"
#define PAGE_BYTES 40000
#define KINDS_MAX 16

static const struct { const char *name; bool number; } fields[] = {
	{ "host", false }, { "kind", false }, { "key", false }, { "stream", false }, { "file", false },
	{ "state", false }, { "error", false }, { "worker", false }, { "prio", true }, { "attempts", true },
	{ "crashes", true }, { "progress", true }, { "added", true }, { "taken", true }, { "ended", true },
	{ "due", true },
};
#define NFIELDS (sizeof fields / sizeof fields[0])

struct list {
	queue_list_cb cb;
	void *ctx;
};

/* entry: {cursor behind it, value..., id, name of the host} */
static json_t *
job_json(const json_t *entry)
{
	json_t *job = json_object();

	json_object_set(job, "id", json_array_get(entry, NFIELDS + 1));
	json_object_set(job, "host_name", json_array_get(entry, NFIELDS + 2));
	for (size_t f = 0; f < NFIELDS; f++) {
		if (!fields[f].number)
			json_object_set(job, fields[f].name, json_array_get(entry, f + 1));
		else if (queue_str(entry, f + 1)[0])
			json_object_set_new(job, fields[f].name, json_integer(queue_int(entry, f + 1)));
	}
	return job;
}

static void
list_cb(int rc, json_t *reply, const char *error, void *ctx)
{
	struct list *l = ctx;
	json_t *jobs = json_array(), *body, *job;
	const char *cursor = queue_str(reply, 0);
	size_t bytes = 0;

	for (size_t i = 1; i < json_array_size(reply); i++) {
		job = job_json(json_array_get(reply, i));
		json_array_append_new(jobs, job);
		bytes += json_dumpb(job, NULL, 0, 0) + 2;
		if (bytes > PAGE_BYTES) {
			cursor = queue_str(json_array_get(reply, i), 0);
			break;
		}
	}
	body = json_pack("{s:o, s:s}", "jobs", jobs, "cursor", cursor);
	l->cb(rc, body, l->ctx);
	json_decref(body);
	free(l);
}

void
queue_list(struct queue *q, const char *state, const char *cursor, queue_list_cb cb, void *ctx)
{
	const char *argv[5 + NFIELDS] = { q->keys, q->prefix, state ? state : "", cursor ? cursor : "", PAGE_JOBS };
	struct list *l = xcalloc(1, sizeof *l);

	*l = (struct list){ cb, ctx };
	for (size_t f = 0; f < NFIELDS; f++)
		argv[5 + f] = fields[f].name;
	queue_batch_send(q);
	redis_run(q->r, &queue_script_list, 1, 5 + NFIELDS, argv, list_cb, l);
}

static void
find_cb(int rc, json_t *reply, const char *error, void *ctx)
{
	struct list *l = ctx;
	json_t *job = rc == 0 && json_array_size(reply) > 0 ? job_json(reply) : NULL;

	l->cb(rc == 0 && job == NULL ? ENOENT : rc, job, l->ctx);
	json_decref(job);
	free(l);
}

void
queue_find(struct queue *q, const char *id_or_key, queue_list_cb cb, void *ctx)
{
	const char *argv[3 + NFIELDS] = { q->keys, q->prefix, id_or_key };
	struct list *l = xcalloc(1, sizeof *l);

	*l = (struct list){ cb, ctx };
	for (size_t f = 0; f < NFIELDS; f++)
		argv[3 + f] = fields[f].name;
	queue_batch_send(q);
	redis_run(q->r, &queue_script_find, 1, 3 + NFIELDS, argv, find_cb, l);
}

static void
hosts_cb(int rc, json_t *reply, const char *error, void *ctx)
{
	struct list *l = ctx;
	json_t *hosts = json_array(), *body;

	for (size_t i = 0; i + 3 < json_array_size(reply); i += 4)
		json_array_append_new(hosts, json_pack("{s:s, s:s, s:I, s:I}", "id", queue_str(reply, i), "name",
		    queue_str(reply, i + 1), "running", (json_int_t)queue_int(reply, i + 2), "waiting",
		    (json_int_t)queue_int(reply, i + 3)));
	body = json_pack("{s:o}", "hosts", hosts);
	l->cb(rc, body, l->ctx);
	json_decref(body);
	free(l);
}

void
queue_hosts(struct queue *q, const char *kinds, queue_list_cb cb, void *ctx)
{
	const char *argv[2 + KINDS_MAX] = { q->keys, q->prefix };
	char *copy = xstrdup(kinds), *rest = copy, *kind;
	struct list *l = xcalloc(1, sizeof *l);
	int argc = 2;

	*l = (struct list){ cb, ctx };
	while (argc < 2 + KINDS_MAX && (kind = strsep(&rest, " ")) != NULL)
		argv[argc++] = kind;
	queue_batch_send(q);
	redis_run(q->r, &queue_script_hosts, 1, argc, argv, hosts_cb, l);
	free(copy);
}

struct change {
	queue_cb cb;
	void *ctx;
};

/* reply: 1, 0 no such job, or the state in which it is not possible */
static void
change_cb(int rc, json_t *reply, const char *error, void *ctx)
{
	struct change *c = ctx;

	if (rc == 0 && json_is_string(reply)) {
		rc = EALREADY;
		error = json_string_value(reply);
	} else if (rc == 0 && json_integer_value(reply) != 1)
		rc = ENOENT;
	if (c->cb)
		c->cb(rc, error, c->ctx);
	free(c);
}

static void
change(struct queue *q, struct redis_script *script, const char *id, queue_cb cb, void *ctx)
{
	const char *argv[] = { q->keys, q->prefix, id };
	struct change *c = xcalloc(1, sizeof *c);

	*c = (struct change){ cb, ctx };
	queue_batch_send(q);
	redis_run(q->r, script, 1, 3, argv, change_cb, c);
}

void
queue_retry(struct queue *q, const char *id, queue_cb cb, void *ctx)
{
	change(q, &queue_script_retry, id, cb, ctx);
}

void
queue_cancel(struct queue *q, const char *id, queue_cb cb, void *ctx)
{
	change(q, &queue_script_cancel, id, cb, ctx);
}

void
queue_forget(struct queue *q, const char *id, queue_cb cb, void *ctx)
{
	change(q, &queue_script_forget, id, cb, ctx);
}
