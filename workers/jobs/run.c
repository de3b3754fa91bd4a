/*
 * run.c - the one job at a time of this worker: taken from the queue, started by its kind, its
 * lease renewed at a third, stopped when it is somebody else's by then, its end told.
 *
 *   IDLE -take-> RUNNING -the kind says its end-> ENDING -Redis has it-> IDLE
 *
 * Redis away: a running job goes on, and an end waits until Redis can be told. Between two
 * jobs the queue is asked every half second, which costs a script that reads nothing. Kinds
 * call the job_* functions; main.c and link.c the rest.
 */
#include <errno.h>
#include <string.h>

#include "conf.h"
#include "log.h"
#include "util.h"
#include "workers/jobs/job.h"
#include "workers/jobs/jobs.h"

#define TICK_MS 500
#define PROGRESS_MS 1000	/* progress goes to Redis at most so often */
#define STOP_MS 2000		/* for handing back */
#define KINDS_BYTES 512

enum run_state { IDLE, RUNNING, ENDING };

static struct {
	enum run_state state;
	struct event *tick, *stop_timer;
	struct queue_job *q;
	const struct job_kind *kind;
	struct job job;
	bool asking;			/* a take, renew or end is under way */
	int progress, told;		/* progress now, and as Redis has it */
	int64_t renewed_ms;
	enum run_end end;
	json_t *result;
	char error[512];
	char stop_reason[128];
} run;

static void ask(void);

/* --- from state to state --- */

static void
become_idle(void)
{
	run.state = IDLE;
	queue_job_free(&run.q);
	json_decref(run.result);
	run.result = NULL;
	memset(&run.job, 0, sizeof run.job);
	show_job(NULL);
	if (jw.stopping)
		svc_exit(jw.svc, 0, run.stop_reason);
}

/* The job is not ours any more. */
static void
let_go(enum job_stop why)
{
	if (run.state == RUNNING)
		run.kind->stop(&run.job, why);
	show_lost(run.q, why == JOB_STOP_TAKEN);
	become_idle();
}

static void
end_cb(int rc, const char *error, void *ctx)
{
	static bool said;

	run.asking = false;
	if (run.state != ENDING)
		return;
	if (rc == 0) {
		show_end(run.q, run.end, run.end == END_BACK ? run.stop_reason : run.error);
		show_event(run.q, run.end, run.error, run.result);
		said = false;
		become_idle();
		ask();
	} else if (rc == EPERM || rc == ECANCELED)
		let_go(rc == EPERM ? JOB_STOP_TAKEN : JOB_STOP_CANCELLED);
	else if (rc == EIO && !said) {
		said = true;
		log_warnx("Redis refuses the end of job %s: %s; said again until it takes it", run.q->id, error);
	}
}

static void
tell_end(void)
{
	run.asking = true;
	switch (run.end) {
	case END_DONE:
		queue_done(jw.queue, run.q, run.result, end_cb, NULL);
		break;
	case END_FAILED:
	case END_DEAD:
		queue_failed(jw.queue, run.q, run.error, run.end == END_FAILED, end_cb, NULL);
		break;
	case END_REFUSED:
		queue_refused(jw.queue, run.q, run.error, end_cb, NULL);
		break;
	case END_LATER:
		queue_later(jw.queue, run.q, run.error, end_cb, NULL);
		break;
	case END_PARK:
		queue_park(jw.queue, run.q, run.error, end_cb, NULL);
		break;
	case END_BACK:
		queue_back(jw.queue, run.q, end_cb, NULL);
		break;
	}
}

static void
renew_cb(int rc, const char *error, void *ctx)
{
	run.asking = false;
	if (rc == 0)
		run.renewed_ms = now_ms();
	if (run.state == ENDING)
		ask();
	else if (run.state == RUNNING && (rc == EPERM || rc == ECANCELED)) {
		let_go(rc == EPERM ? JOB_STOP_TAKEN : JOB_STOP_CANCELLED);
		ask();
	}
}

static void
renew(void)
{
	int64_t age = now_ms() - run.renewed_ms;

	if (age < conf_int(jw.svc->conf, "jobs.lease") / 3 && (run.progress == run.told || age < PROGRESS_MS))
		return;
	run.asking = true;
	run.told = run.progress;
	queue_renew(jw.queue, run.q, run.progress, renew_cb, NULL);
}

static void
begin(const struct queue_job *job)
{
	run.state = RUNNING;
	run.q = queue_job_copy(job);
	run.kind = job_kind_find(job->kind);
	run.job = (struct job){ .q = run.q, .svc = jw.svc, .redis = jw.redis, .queue = jw.queue, .ledger = jw.ledger };
	run.progress = run.told = 0;
	run.renewed_ms = now_ms();
	show_job(run.q);
	if (run.kind)
		run.kind->start(&run.job);
	else		/* it was not asked for: a version of ours that knows less */
		job_failed(&run.job, "this version knows no such kind of job", true);
}

static void
taken_cb(int rc, const struct queue_job *job, void *ctx)
{
	run.asking = false;
	if (!job) {
		if (jw.stopping && run.state == IDLE)
			svc_exit(jw.svc, 0, run.stop_reason);
		return;
	}
	if (!jw.stopping) {
		begin(job);
		return;
	}
	run.q = queue_job_copy(job);
	run.state = ENDING;
	run.end = END_BACK;
	ask();
}

static void
take(void)
{
	char kinds[KINDS_BYTES];

	if (jw.stopping)
		return;
	job_kinds_list(jw.svc->conf, jw.worker, kinds, sizeof kinds);
	if (!kinds[0])
		return;
	run.asking = true;
	queue_take(jw.queue, kinds, taken_cb, NULL);
}

/* The next question to Redis that this state has, if there is one. */
static void
ask(void)
{
	if (run.asking || !redis_is_up(jw.redis))
		return;
	switch (run.state) {
	case IDLE:
		take();
		break;
	case RUNNING:
		renew();
		break;
	case ENDING:
		tell_end();
		break;
	}
}

static void
tick_cb(evutil_socket_t fd, short what, void *ctx)
{
	ask();
}

/* --- what kinds say --- */

bool
job_is_leased(void)
{
	return now_ms() - run.renewed_ms < conf_int(jw.svc->conf, "jobs.lease");
}

void
job_progress(struct job *job, int permille)
{
	run.progress = permille < 0 ? 0 : permille > 1000 ? 1000 : permille;
	show_progress(run.progress);
}

void
job_s3_figures(struct job *job, const struct board_s3 *figures)
{
	show_s3(figures);
}

static void
over(enum run_end end, const char *error)
{
	run.state = ENDING;
	run.end = end;
	str_copy(run.error, error, sizeof run.error);
	ask();
}

void
job_done(struct job *job, json_t *result)
{
	run.result = result;
	over(END_DONE, "");
}

void
job_failed(struct job *job, const char *error, bool again)
{
	over(again ? END_FAILED : END_DEAD, error);
}

void
job_later(struct job *job, const char *error)
{
	over(END_LATER, error);
}

void
job_fails(struct job *job, enum job_verdict v, const char *error)
{
	if (v == JOB_LATER)
		job_later(job, error);
	else if (v == JOB_REFUSED)
		over(END_REFUSED, error);
	else
		job_failed(job, error, v == JOB_AGAIN);
}

enum job_verdict
job_verdict_of(int error)
{
	return error == ENOSPC || error == EDQUOT ? JOB_LATER : JOB_AGAIN;
}

void
job_park(struct job *job, const char *error)
{
	over(END_PARK, error);
}

void
job_upload_waits(struct job *job, const char *why)
{
	show_upload(why);
}

/* --- what main.c and link.c say --- */

void
run_wake(void)
{
	ask();
}

/* Leases may have run out meanwhile, and Redis may have lost everything. */
void
run_up(void)
{
	run.renewed_ms = 0;
	ask();
}

void
run_message(struct msg *m)
{
	if (run.state == RUNNING && run.kind->message)
		run.kind->message(&run.job, m);
}

static void
stop_timer_cb(evutil_socket_t fd, short what, void *ctx)
{
	svc_exit(jw.svc, 0, "stopped before Redis had answered");
}

void
run_stop(const char *reason)
{
	static const struct timeval tv = { STOP_MS / 1000, STOP_MS % 1000 * 1000 };

	str_copy(run.stop_reason, reason, sizeof run.stop_reason);
	if (run.state == RUNNING) {
		run.kind->stop(&run.job, JOB_STOP_BACK);
		over(END_BACK, "");
	} else if (run.state == IDLE && !run.asking) {
		svc_exit(jw.svc, 0, reason);
		return;
	}
	if (!redis_is_up(jw.redis)) {
		svc_exit(jw.svc, 0, reason);
		return;
	}
	run.stop_timer = evtimer_new(jw.svc->base, stop_timer_cb, NULL);
	if (!run.stop_timer || evtimer_add(run.stop_timer, &tv) < 0)
		svc_exit(jw.svc, 0, reason);
}

void
run_start(void)
{
	static const struct timeval tv = { TICK_MS / 1000, TICK_MS % 1000 * 1000 };

	run.tick = event_new(jw.svc->base, -1, EV_PERSIST, tick_cb, NULL);
	if (!run.tick || event_add(run.tick, &tv) < 0)
		fatalx("out of memory");
}

void
run_free(void)
{
	if (run.tick)
		event_free(run.tick);
	if (run.stop_timer)
		event_free(run.stop_timer);
	queue_job_free(&run.q);
	json_decref(run.result);
}
