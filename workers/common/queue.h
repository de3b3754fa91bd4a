/*
 * queue.h - the job queue in Redis: Redis Streams with one consumer group, a lease per job that
 * is running, and a fencing token. Asynchronous on redis.h; every step that changes more than
 * one key is one Lua script (queue_scripts.c). Names of keys: workers/common/keys.h.
 *
 * A job runs at least once and is over once: who takes it gets its epoch, and what is said of
 * it later (progress, end) counts only with the newest epoch (EPERM: it was taken over).
 * What is asked of jobs in one turn of the loop goes out together when it is over, in one call of
 * a script for each verb: adds, then renewals, then ends, then takes.
 * Used by jobs (takes and adds) and watch (adds).
 */
#ifndef MILLRACE_QUEUE_H
#define MILLRACE_QUEUE_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "workers/common/redis.h"

#define QUEUE_ID 40		/* bytes of a job's id with its NUL */

struct queue;

/* host_id: of this host, whose own queue is read besides the shared one. worker: "HOST_ID:PID:START". */
struct queue *queue_new(struct redis *r, const char *prefix, const char *host_id, const char *worker);
/* After redis_free(), which answers what is still under way. */
void queue_free(struct queue **q);

/* The host's name for people, which lists show; known to all once this host has tended the queue. */
void queue_host_name(struct queue *q, const char *name);

struct queue_limits {
	int64_t lease_ms;			/* renewed each third of it */
	int64_t retry_min_ms, retry_max_ms;	/* of the backoff, doubled each time, +-20 % */
	int attempts;				/* then it is dead */
	int crashes;				/* of its worker, in a row without progress; then it is dead */
	int keep;				/* jobs that are over and still listed */
};
void queue_limits(struct queue *q, const struct queue_limits *l);

/*
 * rc: 0, EIO (Redis refused, error says why), EHOSTDOWN (away: ask again later), EPERM (fenced
 * off: it was taken over), ECANCELED (the user does not want it).
 */
typedef void (*queue_cb)(int rc, const char *error, void *ctx);
/* existed: a job of this key is not over yet (or was given up: dead, parked, cancelled); its id. */
typedef void (*queue_added_cb)(int rc, const char *id, bool existed, void *ctx);

/*
 * key: idempotence. host NULL: the shared queue. prio 0 (first) .. 2. args borrowed; of those with
 * the same "lane" in it one at a time is given to a worker, the oldest first. cb may be NULL.
 */
void queue_add(struct queue *q, const char *kind, const char *key, const char *host, int prio, const json_t *args,
    queue_added_cb cb, void *ctx);

struct queue_job {
	char id[QUEUE_ID], kind[32], host[40];
	char *key;
	int64_t epoch;
	int prio, attempts, crashes;	/* before this one */
	json_t *args;			/* an object */
};
/*
 * The next job of one of these kinds ("finalise upload"): by prio, then by kind in this order.
 * job NULL: there is none now.
 * job is the callee's until the callback returns; queue_job_copy() keeps it.
 */
typedef void (*queue_taken_cb)(int rc, const struct queue_job *job, void *ctx);
void queue_take(struct queue *q, const char *kinds, queue_taken_cb cb, void *ctx);
struct queue_job *queue_job_copy(const struct queue_job *job);
void queue_job_free(struct queue_job **job);

/*
 * Each with the job's epoch; EPERM: somebody else has it now. progress 0..1000. A job that Redis
 * lost altogether is written again as it was, unless another of its key was added meanwhile.
 */
void queue_renew(struct queue *q, const struct queue_job *job, int progress, queue_cb cb, void *ctx);
void queue_done(struct queue *q, const struct queue_job *job, const json_t *result, queue_cb cb, void *ctx);
/* Again after the backoff, or dead. again false: dead at once. */
void queue_failed(struct queue *q, const struct queue_job *job, const char *error, bool again, queue_cb cb, void *ctx);
/* Dead at once, and no fault of this server: what was sent is of no use. Counted by itself. */
void queue_refused(struct queue *q, const struct queue_job *job, const char *error, queue_cb cb, void *ctx);
/* Again after the backoff, without end: not the job's fault. */
void queue_later(struct queue *q, const struct queue_job *job, const char *error, queue_cb cb, void *ctx);
/* Put aside until queue_unpark() or somebody's retry: wrong credentials are not tried a thousand times. */
void queue_park(struct queue *q, const struct queue_job *job, const char *error, queue_cb cb, void *ctx);
/* A graceful stop: handed back as if never taken. */
void queue_back(struct queue *q, const struct queue_job *job, queue_cb cb, void *ctx);

/*
 * Housekeeping, one worker per host, about once a second: due jobs go back to their queue, and
 * so do those whose lease has run out, or whose worker was a process of this host that is gone.
 */
void queue_tend(struct queue *q, queue_cb cb, void *ctx);
/*
 * One parked job of this host (or of none) that rests for wait_ms goes as a probe; when it is done, or with
 * `all`, those that were parked before go, too, a hundred at a time: call it every few seconds. n: how many.
 */
typedef void (*queue_count_cb)(int rc, int n, void *ctx);
void queue_unpark(struct queue *q, int64_t wait_ms, bool all, queue_count_cb cb, void *ctx);
/* What the last queue_tend() saw, of all hosts. dead: with parked ones, without refused ones. */
struct queue_stats {
	int64_t queued, running, delayed, dead, done, refused;
	int64_t oldest_ms;		/* how long the oldest of the queued ones waits */
};
const struct queue_stats *queue_stats(const struct queue *q);

/*
 * {jobs: [{id, kind, key, host, host_name, stream, file, state, prio, attempts, crashes, error, progress,
 * worker, added, taken, ended, due}], cursor}
 */
typedef void (*queue_list_cb)(int rc, json_t *body, void *ctx);
/*
 * state NULL: all that are not over, parked ones too; "failed": dead or parked; "done" "dead"
 * "running" ...: those. cursor "" at first and at the end. A page is at most about 40 KiB.
 */
void queue_list(struct queue *q, const char *state, const char *cursor, queue_list_cb cb, void *ctx);
/* One job as queue_list() has it, by its id, or the key of one that is not done; ENOENT: none. */
void queue_find(struct queue *q, const char *id_or_key, queue_list_cb cb, void *ctx);
/* kinds as queue_take(); {hosts: [{id, name, running, waiting}]}, those with any; waiting: only that host can. */
void queue_hosts(struct queue *q, const char *kinds, queue_list_cb cb, void *ctx);
/* ENOENT: no such job. EALREADY: not possible in its state, which error names. */
void queue_retry(struct queue *q, const char *id, queue_cb cb, void *ctx);
void queue_cancel(struct queue *q, const char *id, queue_cb cb, void *ctx);
/* A dead or cancelled one, as if it had never been. */
void queue_forget(struct queue *q, const char *id, queue_cb cb, void *ctx);
#endif
