/*
 * queue_batch.c - what is asked of many jobs in one turn of the loop goes to Redis in one call.
 *
 * A call of a script costs Redis, the disk (an fsync each with appendfsync always) and us far more
 * than one job in it does. So questions are gathered by verb until the turn is over; adds go
 * before renewals, those before ends, and takes last. Each job's part in a script is whole in
 * itself: what happens to one is no matter of the others. Called by queue.c.
 */
#include <errno.h>
#include <event2/event.h>
#include <stdlib.h>
#include <string.h>

#include "log.h"
#include "util.h"
#include "workers/common/queue_parts.h"
#include "workers/common/queue_scripts.h"

#define BATCH_MAX 64		/* jobs of a call */
#define HEAD_ARGS 8		/* at most, before those of the jobs */

struct queue_batch {
	enum queue_verb verb;
	struct queue_ask asks[BATCH_MAX];
	int n, argc;
	char *text;		/* the arguments, a NUL behind each */
	size_t used, room;
};

static void
put(struct queue_batch *b, const char *s)
{
	size_t n = strlen(s) + 1;

	if (b->room - b->used < n) {
		b->room = 2 * b->room + n;
		b->text = xrealloc(b->text, b->room);
	}
	memcpy(b->text + b->used, s, n);
	b->used += n;
	b->argc++;
}

static void
batch_free(struct queue_batch *b)
{
	free(b->text);
	free(b);
}

static void
answer_all(struct queue_batch *b, int rc, const json_t *reply, const char *error)
{
	for (int i = 0; i < b->n; i++)
		queue_answer(b->verb, &b->asks[i], rc, json_array_get(reply, (size_t)i), error);
	batch_free(b);
}

static void
answered_cb(int rc, json_t *reply, const char *error, void *ctx)
{
	answer_all(ctx, rc, reply, error);
}

/* What the jobs of a call have in common; numbers in bufs. How many. */
static int
head(const struct queue *q, const struct queue_batch *b, const char **argv, char bufs[4][QUEUE_NUMBER])
{
	const struct queue_limits *l = &q->limits;
	int n = 0;

	argv[n++] = q->keys;
	argv[n++] = q->prefix;
	switch (b->verb) {
	case QUEUE_RENEW:
		argv[n++] = queue_number(l->lease_ms, bufs[0]);
		argv[n++] = q->worker;
		break;
	case QUEUE_END:
		argv[n++] = queue_number(l->attempts, bufs[0]);
		argv[n++] = queue_number(l->retry_min_ms, bufs[1]);
		argv[n++] = queue_number(l->retry_max_ms, bufs[2]);
		argv[n++] = queue_number(l->keep, bufs[3]);
		break;
	case QUEUE_TAKE:
		argv[n++] = q->host_id;
		argv[n++] = q->worker;
		argv[n++] = queue_number(l->lease_ms, bufs[0]);
		argv[n++] = queue_number(b->n, bufs[1]);
		break;
	default:
		break;
	}
	return n;
}

static void
send_batch(struct queue *q, enum queue_verb verb)
{
	static struct redis_script *const scripts[] = {
		[QUEUE_ADD] = &queue_script_add, [QUEUE_RENEW] = &queue_script_renew,
		[QUEUE_END] = &queue_script_end, [QUEUE_TAKE] = &queue_script_take,
	};
	struct queue_batch *b = q->open[verb];
	char bufs[4][QUEUE_NUMBER];
	const char *argv[REDIS_ARGS_MAX], *p = b->text;
	int n = head(q, b, argv, bufs);

	q->open[verb] = NULL;
	for (int i = 0; i < b->argc; i++, p += strlen(p) + 1)
		argv[n++] = p;
	redis_run(q->r, scripts[verb], 1, n, argv, answered_cb, b);
}

void
queue_batch_send(struct queue *q)
{
	for (int v = 0; v < QUEUE_VERBS; v++)
		if (q->open[v])
			send_batch(q, (enum queue_verb)v);
}

static void
turn_over_cb(evutil_socket_t fd, short what, void *ctx)
{
	queue_batch_send(ctx);
}

/* Those that take ask for the same kinds. */
static bool
has_kinds(const struct queue_batch *b, int argc, const char *const *argv)
{
	const char *p = b->text;

	if (b->argc != argc)
		return false;
	for (int i = 0; i < argc; i++, p += strlen(p) + 1)
		if (strcmp(p, argv[i]) != 0)
			return false;
	return true;
}

void
queue_batch(struct queue *q, enum queue_verb verb, int argc, const char *const *argv, const struct queue_ask *ask)
{
	struct queue_batch *b = q->open[verb];

	if (b && (b->n == BATCH_MAX || b->argc + argc > REDIS_ARGS_MAX - HEAD_ARGS ||
	    (verb == QUEUE_TAKE && !has_kinds(b, argc, argv)))) {
		queue_batch_send(q);
		b = NULL;
	}
	if (!q->turn_over && !(q->turn_over = event_new(redis_base(q->r), -1, 0, turn_over_cb, q)))
		fatalx("out of memory");
	if (!b) {
		b = q->open[verb] = xcalloc(1, sizeof *b);
		b->verb = verb;
		event_active(q->turn_over, EV_TIMEOUT, 0);
	}
	b->asks[b->n++] = *ask;
	for (int i = 0; i < argc && (verb != QUEUE_TAKE || b->n == 1); i++)
		put(b, argv[i]);
}

void
queue_batch_free(struct queue *q)
{
	struct queue_batch *b;

	if (q->turn_over)
		event_free(q->turn_over);
	q->turn_over = NULL;
	for (int v = 0; v < QUEUE_VERBS; v++) {
		b = q->open[v];
		q->open[v] = NULL;
		if (b)
			answer_all(b, EHOSTDOWN, NULL, "Redis is away");
	}
}
