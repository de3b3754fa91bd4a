/*
 * jobs.h - what millrace-jobs' files know of each other. One process, one loop, one struct
 * jobs; each file owns what is named after it. The kinds of jobs know job.h only.
 *
 *   main.c     order of start and stop, messages
 *   link.c     Redis up and away
 *   run.c      the one job at a time: taken, leased, its end told
 *   show.c     board and log
 *   house.c    the first worker's duties: tends the queue, looks on the disk for work
 *   bucket.c   the first worker's duties in the bucket (recordings that grow, stale uploads)
 *   unpark.c   tries parked jobs again
 *   calls.c    verbs of CALL
 *   kinds.c    the table of kinds
 */
#ifndef MILLRACE_JOBS_H
#define MILLRACE_JOBS_H

#include <stdbool.h>

#include "svc.h"
#include "workers/common/ledger.h"
#include "workers/common/queue.h"
#include "workers/common/redis.h"

struct jobs {
	struct svc *svc;
	struct redis *redis;
	struct queue *queue;
	struct ledger *ledger;
	int worker;		/* 0: keeps house and answers calls */
	bool stopping;
};

extern struct jobs jw;	/* one process, one worker */

/* --- link.c --- */
void link_start(void);		/* begins to connect; makes redis, queue and ledger */
void link_stop(void);
void link_config(void);

/* --- run.c --- */
void run_start(void);
void run_wake(void);		/* there may be a job now */
void run_up(void);		/* Redis is back */
void run_message(struct msg *m);	/* SPAWNED, EXITED */
/* Hands the job back, then jobs_stopped(); in bounded time even without Redis. */
void run_stop(const char *reason);
void run_free(void);

/* --- show.c --- */
enum run_end { END_DONE, END_FAILED, END_DEAD, END_REFUSED, END_LATER, END_PARK, END_BACK };
void show_job(const struct queue_job *q);	/* begun; NULL: nothing runs */
void show_progress(int permille);
void show_s3(const struct board_s3 *s3);
/* text: the error, or why it is handed back. */
void show_end(const struct queue_job *q, enum run_end end, const char *text);
/* For webhooks, if any wants it. */
void show_event(const struct queue_job *q, enum run_end end, const char *text, const json_t *result);
void show_lost(const struct queue_job *q, bool taken_over);	/* else cancelled */
void show_upload(const char *waits_for);

/* --- house.c --- */
void house_start(void);
void house_up(void);		/* Redis is back; it may have forgotten */
void house_free(void);

/* --- unpark.c --- */
void unpark_tick(void);		/* each second, while Redis is there */
void unpark_config(void);	/* a reload: all that is parked is tried again */

/* --- calls.c --- */
void calls_handle(struct svc *s, struct msg *m);
#endif
