/*
 * job.h - the contract between millrace-jobs and the kinds of jobs it can do. A kind is one
 * struct job_kind (in a file named after it) and one line in the table of kinds.c.
 *
 * One job at a time runs in a process. It was taken from the queue and is leased: the lease
 * is renewed by run.c while the kind works, for as long as the loop turns. Whatever a kind
 * does may be done a second time by another worker, and must do no harm then. Nothing blocks
 * the loop for long: big reads, hashes and copies go in slices or a thread.
 *
 * Redis may go away while a job runs: the job goes on, its end is told once Redis is back.
 */
#ifndef MILLRACE_JOB_H
#define MILLRACE_JOB_H

#include <jansson.h>
#include <stdbool.h>

#include "svc.h"
#include "workers/common/ledger.h"
#include "workers/common/queue.h"
#include "workers/common/redis.h"

struct job {
	const struct queue_job *q;	/* id, kind, args, attempts, crashes */
	struct svc *svc;		/* loop, config, control channel */
	struct redis *redis;
	struct queue *queue;
	struct ledger *ledger;
	void *state;			/* the kind's own; NULL at start */
};

/* Why a job is to stop. */
enum job_stop {
	JOB_STOP_BACK,		/* millraced stops: it is handed back, somebody takes it up again */
	JOB_STOP_TAKEN,		/* the lease was lost, it is somebody else's now: touch nothing any more */
	JOB_STOP_CANCELLED,	/* the user does not want it: undo what is half done where that is cheap */
};

/* Which workers take a kind, so that no kind keeps all of them busy. */
enum job_pool {
	JOB_ANY,		/* all but those for pushes */
	JOB_UPLOAD,		/* the first jobs.uploads of these */
	JOB_CONVERT,		/* the last jobs.converts of these */
	JOB_PUSH,		/* jobs.pushes workers besides, which take nothing else */
};

struct job_kind {
	const char *name;	/* "finalise": as in queue_add() */
	enum job_pool pool;
	/*
	 * Begins; job->q->args is not to be trusted to hold what it should. The job ends by exactly
	 * one of job_done, job_failed, job_later, job_fails, job_park (perhaps before start returns), before
	 * which the kind frees its state; then job is gone.
	 */
	void (*start)(struct job *job);
	/*
	 * Lets go at once: frees the state, ends its ffmpeg (OUTPUT_DOWN) and timers; calls none of
	 * them. Then job is gone.
	 */
	void (*stop)(struct job *job, enum job_stop why);
	/* SPAWNED or EXITED, if the kind has an ffmpeg; may be NULL. Descriptors: msg_take_fd(). */
	void (*message)(struct job *job, struct msg *m);
};

/* The table of kinds.c; NULL if there is none of that name. */
const struct job_kind *job_kind_find(const char *name);
/* Names of those that this worker may take (-1: of all), with spaces between. */
void job_kinds_list(const json_t *conf, int worker, char *out, size_t size);

/* The lease was renewed in time; if not, another worker may have the job and its own word of it. */
bool job_is_leased(void);
/* 0..1000; call it as often as you like. */
void job_progress(struct job *job, int permille);
/* For the board: what this process' requests to S3 have come to so far. */
void job_s3_figures(struct job *job, const struct board_s3 *figures);
/* Over and done. result (stolen, may be NULL) is kept in the job: a small object. */
void job_done(struct job *job, json_t *result);
/* error: for people, one line. again: tried again after the backoff, jobs.attempts times; else dead. */
void job_failed(struct job *job, const char *error, bool again);
/* The other side is away (S3 down, disk full): tried again after the backoff, without end. */
void job_later(struct job *job, const char *error);
/*
 * One of these, by what a failure is taken for: the text is the same. REFUSED: what was sent to this server is
 * of no use (a stranger's file without a picture): dead, but no trouble of ours.
 */
enum job_verdict { JOB_AGAIN, JOB_LATER, JOB_DEAD, JOB_REFUSED };
void job_fails(struct job *job, enum job_verdict v, const char *error);
/* Of an errno: a full disk is nobody's fault. */
enum job_verdict job_verdict_of(int error);
/* Only a person can change what is wrong (credentials, bucket): put aside, tried again now and then. */
void job_park(struct job *job, const char *error);
/* For status, before its end: "" some of an upload is in the bucket; else why it has to wait (S3 away, wrong keys). */
void job_upload_waits(struct job *job, const char *why);
#endif
