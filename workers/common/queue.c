/*
 * queue.c - a job's way through the queue as a worker sees it: add, take, renew, and its end.
 *
 * Each is a part of one script (queue_scripts.c, called by queue_batch.c) whose answer becomes an
 * rc. Nothing is kept here of a job but what the caller holds. Contract in queue.h; housekeeping
 * is queue_tend.c's, what people ask is queue_list.c's.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "log.h"
#include "util.h"
#include "workers/common/queue_parts.h"

#define KINDS_MAX 32
#define ERROR_MAX 500		/* bytes of an error that are kept */

struct queue *
queue_new(struct redis *r, const char *prefix, const char *host_id, const char *worker)
{
	struct queue *q = xcalloc(1, sizeof *q);

	q->r = r;
	q->prefix = xstrdup(prefix);
	q->host_id = xstrdup(host_id);
	q->host_name = xstrdup("");
	q->worker = xstrdup(worker);
	key_make(q->keys, prefix, KEY_JOBS_KEYS, "");
	q->limits = (struct queue_limits){ 30000, 1000, 300000, 10, 10, 1000 };
	return q;
}

void
queue_free(struct queue **qp)
{
	struct queue *q = *qp;

	*qp = NULL;
	if (!q)
		return;
	queue_batch_free(q);
	free(q->prefix);
	free(q->host_id);
	free(q->host_name);
	free(q->worker);
	free(q);
}

void
queue_host_name(struct queue *q, const char *name)
{
	free(q->host_name);
	q->host_name = xstrdup(name);
}

void
queue_limits(struct queue *q, const struct queue_limits *l)
{
	q->limits = *l;
}

const char *
queue_number(int64_t n, char buf[QUEUE_NUMBER])
{
	snprintf(buf, QUEUE_NUMBER, "%lld", (long long)n);
	return buf;
}

const char *
queue_random(char buf[QUEUE_NUMBER])
{
	uint32_t random = 0;

	if (getrandom(&random, sizeof random, GRND_NONBLOCK) != sizeof random)
		random = (uint32_t)now_ms();	/* only a jitter */
	return queue_number(random % 1001, buf);
}

int64_t
queue_int(const json_t *reply, size_t i)
{
	const json_t *v = json_array_get(reply, i);

	return json_is_string(v) ? strtoll(json_string_value(v), NULL, 10) : json_integer_value(v);
}

const char *
queue_str(const json_t *reply, size_t i)
{
	const char *s = json_string_value(json_array_get(reply, i));

	return s ? s : "";
}

/* --- add --- */

/* What a list shows of a job, from its args. */
static const char *
arg_str(const json_t *args, const char *key, const char *other)
{
	const char *s = json_string_value(json_object_get(args, key));

	if (!s)
		s = json_string_value(json_object_get(args, other));
	return s ? s : "";
}

void
queue_add(struct queue *q, const char *kind, const char *key, const char *host, int prio, const json_t *args,
    queue_added_cb cb, void *ctx)
{
	char prio_text[2] = { (char)('0' + (prio < 0 ? 0 : prio > 2 ? 2 : prio)), '\0' };
	char *text = json_dumps(args, JSON_COMPACT);
	const char *argv[] = {
		kind, key, host ? host : "", prio_text, text ? text : "{}",
		arg_str(args, "file", "path"), arg_str(args, "stream", "name"), arg_str(args, "lane", "lane"),
	};

	queue_batch(q, QUEUE_ADD, 8, argv, &(struct queue_ask){ .added_cb = cb, .ctx = ctx });
	free(text);
}

/* --- take --- */

/* reply: {id kind host epoch attempts crashes prio key args} */
static struct queue_job *
job_of(const json_t *reply)
{
	struct queue_job *job = xcalloc(1, sizeof *job);

	str_copy(job->id, queue_str(reply, 0), sizeof job->id);
	str_copy(job->kind, queue_str(reply, 1), sizeof job->kind);
	str_copy(job->host, queue_str(reply, 2), sizeof job->host);
	job->epoch = queue_int(reply, 3);
	job->attempts = (int)queue_int(reply, 4);
	job->crashes = (int)queue_int(reply, 5);
	job->prio = (int)queue_int(reply, 6);
	job->key = xstrdup(queue_str(reply, 7));
	job->args = json_loads(queue_str(reply, 8), 0, NULL);
	if (!json_is_object(job->args)) {
		json_decref(job->args);
		job->args = json_object();
	}
	return job;
}

static void
answer_taken(const struct queue_ask *a, int rc, const json_t *reply, const char *error)
{
	struct queue_job *job = rc == 0 && json_array_size(reply) == 9 ? job_of(reply) : NULL;

	if (rc == EIO)
		log_debug("Redis gives no job: %s", error);
	a->taken_cb(rc, job, a->ctx);
	if (job)
		queue_job_free(&job);
}

/* The words of kinds into argv, in buf; how many. */
static int
split(const char *kinds, char *buf, size_t size, const char **argv, int max)
{
	char *word, *save = NULL;
	int n = 0;

	str_copy(buf, kinds, size);
	for (word = strtok_r(buf, " ", &save); word && n < max; word = strtok_r(NULL, " ", &save))
		argv[n++] = word;
	return n;
}

void
queue_take(struct queue *q, const char *kinds, queue_taken_cb cb, void *ctx)
{
	char buf[KINDS_MAX * 33];
	const char *argv[KINDS_MAX];
	int n = split(kinds, buf, sizeof buf, argv, KINDS_MAX);

	queue_batch(q, QUEUE_TAKE, n, argv, &(struct queue_ask){ .taken_cb = cb, .ctx = ctx });
}

struct queue_job *
queue_job_copy(const struct queue_job *job)
{
	struct queue_job *copy = xmalloc(sizeof *copy);

	*copy = *job;
	copy->key = xstrdup(job->key);
	copy->args = json_deep_copy(job->args);
	return copy;
}

void
queue_job_free(struct queue_job **jp)
{
	struct queue_job *job = *jp;

	*jp = NULL;
	if (!job)
		return;
	free(job->key);
	json_decref(job->args);
	free(job);
}

/* --- renew, end --- */

/* reply: 1 ours, 0 somebody else's now, -1 cancelled */
static void
answer_mine(const struct queue_ask *a, int rc, const json_t *reply, const char *error)
{
	if (rc == 0 && json_integer_value(reply) != 1)
		rc = json_integer_value(reply) == -1 ? ECANCELED : EPERM;
	if (a->cb)
		a->cb(rc, rc == EPERM ? "it was taken over" : rc == ECANCELED ? "it was cancelled" : error, a->ctx);
}

void
queue_answer(enum queue_verb verb, const struct queue_ask *a, int rc, json_t *reply, const char *error)
{
	if (verb == QUEUE_TAKE)
		answer_taken(a, rc, reply, error);
	else if (verb != QUEUE_ADD)
		answer_mine(a, rc, reply, error);
	else if (a->added_cb)
		a->added_cb(rc, queue_str(reply, 0), queue_int(reply, 1) == 1, a->ctx);
}

void
queue_renew(struct queue *q, const struct queue_job *job, int progress, queue_cb cb, void *ctx)
{
	char epoch[QUEUE_NUMBER], permille[QUEUE_NUMBER], prio[QUEUE_NUMBER];
	char *args = json_dumps(job->args, JSON_COMPACT);
	const char *argv[] = {
		job->id, queue_number(job->epoch, epoch),
		queue_number(progress < 0 ? 0 : progress > 1000 ? 1000 : progress, permille),
		job->kind, job->key, job->host, queue_number(job->prio, prio), args ? args : "{}",
		arg_str(job->args, "file", "path"), arg_str(job->args, "stream", "name"),
		arg_str(job->args, "lane", "lane"),
	};

	queue_batch(q, QUEUE_RENEW, 11, argv, &(struct queue_ask){ .cb = cb, .ctx = ctx });
	free(args);
}

static void
end(struct queue *q, const struct queue_job *job, const char *verb, const char *text, queue_cb cb, void *ctx)
{
	char epoch[QUEUE_NUMBER], random[QUEUE_NUMBER];
	const char *argv[] = {
		job->id, queue_number(job->epoch, epoch), job->key, verb, text, queue_random(random),
	};

	queue_batch(q, QUEUE_END, 6, argv, &(struct queue_ask){ .cb = cb, .ctx = ctx });
}

/* Cut at a character's end, so that it stays UTF-8. */
static void
end_with_error(struct queue *q, const struct queue_job *job, const char *verb, const char *error, queue_cb cb,
    void *ctx)
{
	char text[ERROR_MAX + 1];
	size_t n = str_copy(text, error, sizeof text);

	if (n > ERROR_MAX) {
		for (n = ERROR_MAX; n > 0 && ((unsigned char)text[n - 1] & 0xc0) == 0x80; n--)
			;
		text[n > 0 ? n - 1 : 0] = '\0';
	}
	end(q, job, verb, text, cb, ctx);
}

void
queue_done(struct queue *q, const struct queue_job *job, const json_t *result, queue_cb cb, void *ctx)
{
	char *text = result ? json_dumps(result, JSON_COMPACT) : NULL;

	end(q, job, "done", text ? text : "{}", cb, ctx);
	free(text);
}

void
queue_failed(struct queue *q, const struct queue_job *job, const char *error, bool again, queue_cb cb, void *ctx)
{
	end_with_error(q, job, again ? "failed" : "dead", error, cb, ctx);
}

void
queue_refused(struct queue *q, const struct queue_job *job, const char *error, queue_cb cb, void *ctx)
{
	end_with_error(q, job, "refuse", error, cb, ctx);
}

void
queue_later(struct queue *q, const struct queue_job *job, const char *error, queue_cb cb, void *ctx)
{
	end_with_error(q, job, "later", error, cb, ctx);
}

void
queue_park(struct queue *q, const struct queue_job *job, const char *error, queue_cb cb, void *ctx)
{
	end_with_error(q, job, "park", error, cb, ctx);
}

void
queue_back(struct queue *q, const struct queue_job *job, queue_cb cb, void *ctx)
{
	end(q, job, "back", "", cb, ctx);
}
