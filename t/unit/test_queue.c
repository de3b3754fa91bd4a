/*
 * queue*.c and ledger.c against a real redis-server on a socket of its own: every move of a
 * job, leases that run out, fencing, two hosts, and kill -9 of Redis among many jobs.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <event2/event.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "board.h"
#include "log.h"
#include "util.h"
#include "workers/common/ledger.h"
#include "workers/common/queue.h"

#define P "t:"

static char dir[64];
static pid_t server;
static struct event_base *base;
static struct redis *r;
static struct queue *a, *a2, *b;	/* two workers of host A, one of host B */
static struct ledger *ledger;

/* --- Redis, and waiting for it --- */

static void
server_start(void)
{
	char sock[100];
	char *argv[] = { "redis-server", "--port", "0", "--unixsocket", sock, "--dir", dir, "--appendonly", "yes",
	    "--appendfsync", "always", "--save", "", "--logfile", "/dev/null", NULL };

	snprintf(sock, sizeof sock, "%s/s", dir);
	assert_int_equal(posix_spawnp(&server, "redis-server", NULL, NULL, argv, environ), 0);
}

static void
server_kill(void)
{
	kill(server, SIGKILL);
	waitpid(server, NULL, 0);
}

static void
turn(void)
{
	struct timeval tv = { 0, 5000 };

	event_base_loopexit(base, &tv);
	event_base_dispatch(base);
}

static void
wait_up(bool up)
{
	int64_t end = now_ms() + 20000;

	while (redis_is_up(r) != up && now_ms() < end)
		turn();
	assert_int_equal(redis_is_up(r), up);
}

static struct { int rc, n; char text[600]; bool existed; struct queue_job *job; json_t *body; } got;

static void
expect(int n)
{
	int64_t end = now_ms() + 20000;

	while (got.n < n && now_ms() < end)
		turn();
	assert_int_equal(got.n, n);
	got.n = 0;
}

static void
plain_cb(int rc, const char *error, void *ctx)
{
	got.rc = rc;
	str_copy(got.text, error ? error : "", sizeof got.text);
	got.n++;
}

static void
added_cb(int rc, const char *id, bool existed, void *ctx)
{
	got.rc = rc;
	got.existed = existed;
	str_copy(got.text, id, sizeof got.text);
	got.n++;
}

static void
taken_cb(int rc, const struct queue_job *job, void *ctx)
{
	got.rc = rc;
	got.job = job ? queue_job_copy(job) : NULL;
	got.n++;
}

static void
body_cb(int rc, json_t *body, void *ctx)
{
	got.rc = rc;
	json_decref(got.body);
	got.body = json_incref(body);
	got.n++;
}

static void
reply_cb(int rc, json_t *reply, const char *error, void *ctx)
{
	body_cb(rc, reply, ctx);
}

/* The id; "" if it existed. */
static const char *
add(struct queue *q, const char *key, const char *host, int prio)
{
	json_t *args = json_pack("{s:s, s:s}", "file", key, "stream", "alice");

	queue_add(q, "test", key, host, prio, args, added_cb, NULL);
	json_decref(args);
	expect(1);
	assert_int_equal(got.rc, 0);
	return got.existed ? "" : got.text;
}

static struct queue_job *
take(struct queue *q)
{
	queue_take(q, "other test", taken_cb, NULL);
	expect(1);
	assert_int_equal(got.rc, 0);
	return got.job;
}

/* One that must be there, with this key; freed by end(). */
static struct queue_job *
must_take(struct queue *q, const char *key)
{
	struct queue_job *job = take(q);

	assert_non_null(job);
	assert_string_equal(job->key, key);
	return job;
}

static void tend(struct queue *q);

/* Once its lease has run out and its backoff is over. */
static struct queue_job *
take_soon(struct queue *q)
{
	int64_t end = now_ms() + 5000;
	struct queue_job *job = NULL;

	while (!job && now_ms() < end) {
		tend(q);
		job = take(q);
	}
	assert_non_null(job);
	return job;
}

static void
must_be_empty(struct queue *q)
{
	assert_null(take(q));
}

static int
answered(void)
{
	expect(1);
	return got.rc;
}

static int
done(struct queue *q, struct queue_job *job)
{
	queue_done(q, job, NULL, plain_cb, NULL);
	queue_job_free(&job);
	return answered();
}

static void
tend(struct queue *q)
{
	queue_tend(q, plain_cb, NULL);
	assert_int_equal(answered(), 0);
}

static json_t *
list(const char *state)
{
	queue_list(a, state, "", body_cb, NULL);
	assert_int_equal(answered(), 0);
	assert_string_equal(json_string_value(json_object_get(got.body, "cursor")), "");
	return json_object_get(got.body, "jobs");
}

/* Its first job's field as text or number. */
static const char *
listed(const char *state, const char *field)
{
	return json_string_value(json_object_get(json_array_get(list(state), 0), field));
}

static int64_t
listed_int(const char *state, const char *field)
{
	return json_integer_value(json_object_get(json_array_get(list(state), 0), field));
}

static void
limits(struct queue *q, int64_t lease_ms, int64_t retry_ms, int attempts, int crashes)
{
	struct queue_limits l = { lease_ms, retry_ms, 4 * retry_ms, attempts, crashes, 5 };

	queue_limits(q, &l);
}

static void
wait_ms(int64_t ms)
{
	int64_t end = now_ms() + ms;

	while (now_ms() < end)
		turn();
}

static void
command(const char *one, const char *two)
{
	const char *argv[] = { one, two };

	redis_command(r, two ? 2 : 1, argv, NULL, NULL);
}

static void
up_cb(void *ctx)
{
}

static void
away_cb(const char *why, int64_t retry_ms, void *ctx)
{
}

static int
setup_group(void **state)
{
	static const struct redis_ops ops = { up_cb, away_cb };
	struct redis_url url = { .path = "" };
	char me[100];

	log_set_level(LOG_LEVEL_ERROR);
	signal(SIGPIPE, SIG_IGN);
	strcpy(dir, "/tmp/millrace-queue-XXXXXX");
	assert_non_null(mkdtemp(dir));
	snprintf(url.path, sizeof url.path, "%s/s", dir);
	server_start();
	base = event_base_new();
	r = redis_new(base, &url, 2000, 200, &ops, NULL);
	snprintf(me, sizeof me, "A:%d:%llu", (int)getpid(), (unsigned long long)board_start_ticks(getpid()));
	a = queue_new(r, P, "A", me);
	a2 = queue_new(r, P, "A", me);
	b = queue_new(r, P, "B", "B:1:1");
	ledger = ledger_new(r, P, "alpha", "A");
	wait_up(true);
	return 0;
}

static int
teardown_group(void **state)
{
	char cmd[100];

	redis_free(&r);
	queue_free(&a);
	queue_free(&a2);
	queue_free(&b);
	ledger_free(&ledger);
	json_decref(got.body);
	event_base_free(base);
	server_kill();
	snprintf(cmd, sizeof cmd, "rm -rf '%s'", dir);
	return system(cmd);
}

static int
setup(void **state)
{
	command("FLUSHALL", NULL);
	limits(a, 30000, 20, 3, 3);
	limits(a2, 30000, 20, 3, 3);
	limits(b, 30000, 20, 3, 3);
	got.n = 0;
	return 0;
}

/* --- tests --- */

static void
a_job_runs_once(void **state)
{
	struct queue_job *job;
	char id[QUEUE_ID];

	must_be_empty(a);
	str_copy(id, add(a, "k1", NULL, 1), sizeof id);
	assert_string_equal(listed(NULL, "state"), "queued");
	job = must_take(a, "k1");
	assert_string_equal(job->id, id);
	assert_string_equal(json_string_value(json_object_get(job->args, "stream")), "alice");
	must_be_empty(a2);
	queue_renew(a, job, 430, plain_cb, NULL);
	assert_int_equal(answered(), 0);
	assert_int_equal(listed_int("running", "progress"), 430);
	assert_string_equal(listed("running", "file"), "k1");
	assert_int_equal(done(a, job), 0);
	assert_int_equal(json_array_size(list(NULL)), 0);
	assert_string_equal(listed("done", "id"), id);
	must_be_empty(a);
}

static void
a_key_is_there_once(void **state)
{
	char id[QUEUE_ID];
	struct queue_job *job;

	str_copy(id, add(a, "k", NULL, 1), sizeof id);
	assert_string_equal(add(b, "k", NULL, 0), "");
	assert_string_equal(got.text, id);
	job = must_take(b, "k");
	assert_string_equal(add(a, "k", NULL, 1), "");
	assert_int_equal(done(b, job), 0);
	assert_string_not_equal(add(a, "k", NULL, 1), "");
	assert_string_not_equal(got.text, id);
}

static void
first_things_first(void **state)
{
	add(a, "late", NULL, 2);
	add(a, "mine", "A", 1);
	add(a, "any", NULL, 1);
	add(a, "first", NULL, 0);
	assert_int_equal(done(a, must_take(a, "first")), 0);
	assert_int_equal(done(a, must_take(a, "mine")), 0);
	assert_int_equal(done(a, must_take(a, "any")), 0);
	assert_int_equal(done(a, must_take(a, "late")), 0);
}

static void
hosts_do_not_mix(void **state)
{
	queue_host_name(b, "beta");
	tend(b);
	add(a, "for-b", "B", 1);
	must_be_empty(a);
	assert_string_equal(listed(NULL, "host"), "B");
	assert_string_equal(listed(NULL, "host_name"), "beta");
	assert_int_equal(done(b, must_take(b, "for-b")), 0);
	add(a, "kind", NULL, 1);
	queue_take(a, "other", taken_cb, NULL);
	expect(1);
	assert_null(got.job);
}

static void
fails_then_dies(void **state)
{
	struct queue_job *job;

	add(a, "k", NULL, 1);
	for (int i = 0; i < 3; i++) {
		job = must_take(a, "k");
		assert_int_equal(job->attempts, i);
		queue_failed(a, job, "it broke", true, plain_cb, NULL);
		assert_int_equal(answered(), 0);
		queue_job_free(&job);
		must_be_empty(a);
		assert_string_equal(listed("failed", "error") ? listed("failed", "error") : "-", i < 2 ? "-" : "it broke");
		wait_ms(20 * (i + 1) * 1.3 + 5);
		tend(a);
	}
	must_be_empty(a);
	assert_string_equal(listed("dead", "state"), "dead");
	assert_int_equal(queue_stats(a)->dead, 1);
	assert_string_equal(add(a, "k", NULL, 1), "");		/* a scan does not bring it back */
	queue_retry(a, listed("dead", "id"), plain_cb, NULL);
	assert_int_equal(answered(), 0);
	job = must_take(a, "k");
	assert_int_equal(job->attempts, 0);
	assert_int_equal(done(a, job), 0);
}

/* What was sent is of no use: listed as failed, but none that somebody has to look after; then forgotten. */
static void
refused_and_forgotten(void **state)
{
	struct queue_job *job;
	char id[QUEUE_ID];

	for (int i = 0; i < 3; i++) {	/* forgotten, tried again, cancelled */
		str_copy(id, add(a, "k", NULL, 1), sizeof id);
		job = must_take(a, "k");
		queue_forget(a, id, plain_cb, NULL);
		assert_int_equal(answered(), EALREADY);
		queue_refused(a, job, "no video", plain_cb, NULL);
		assert_int_equal(answered(), 0);
		queue_job_free(&job);
		must_be_empty(a);
		tend(a);
		assert_int_equal(queue_stats(a)->dead, 0);
		assert_int_equal(queue_stats(a)->refused, 1);
		assert_string_equal(listed("failed", "error"), "no video");
		assert_string_equal(listed("dead", "id"), id);
		assert_string_equal(add(a, "k", NULL, 1), "");
		if (i == 1) {
			queue_retry(a, id, plain_cb, NULL);
			assert_int_equal(answered(), 0);
			assert_int_equal(done(a, must_take(a, "k")), 0);
		} else if (i == 2) {
			queue_cancel(a, id, plain_cb, NULL);
			assert_int_equal(answered(), 0);
		}
		tend(a);
		assert_int_equal(queue_stats(a)->refused, i == 0);
		if (i != 1) {
			queue_forget(a, id, plain_cb, NULL);
			assert_int_equal(answered(), 0);
		}
		assert_int_equal(json_array_size(list("failed")) + json_array_size(list("cancelled")), 0);
	}
	queue_forget(a, id, plain_cb, NULL);
	assert_int_equal(answered(), ENOENT);
	tend(a);
	assert_int_equal(queue_stats(a)->refused, 0);
	assert_string_not_equal(add(a, "k", NULL, 1), "");
	assert_int_equal(done(a, must_take(a, "k")), 0);
}

/* Waiting for the other side costs no attempt, and is not at once. */
static void
later_is_no_failure(void **state)
{
	struct queue_job *job;

	add(a, "k", NULL, 1);
	for (int i = 0; i < 6; i++) {
		job = must_take(a, "k");
		assert_int_equal(job->attempts, 0);
		queue_later(a, job, "S3 is down", plain_cb, NULL);
		assert_int_equal(answered(), 0);
		queue_job_free(&job);
		must_be_empty(a);
		assert_string_equal(listed("delayed", "error"), "S3 is down");
		wait_ms(110);		/* 80 at most, +20 % */
		tend(a);
	}
	limits(a, 30000, 100000, 3, 3);
	job = must_take(a, "k");
	queue_later(a, job, "S3 is down", plain_cb, NULL);
	assert_int_equal(answered(), 0);
	queue_job_free(&job);
	tend(a);
	must_be_empty(a);
}

static void
parked_until_retry(void **state)
{
	struct queue_job *job;
	char id[QUEUE_ID];

	str_copy(id, add(a, "k", "A", 1), sizeof id);
	job = must_take(a, "k");
	queue_park(a, job, "wrong key", plain_cb, NULL);
	assert_int_equal(answered(), 0);
	queue_job_free(&job);
	assert_string_equal(listed(NULL, "state"), "parked");
	assert_string_equal(listed("failed", "error"), "wrong key");
	tend(a);
	must_be_empty(a);
	queue_retry(a, id, plain_cb, NULL);
	assert_int_equal(answered(), 0);
	queue_retry(a, id, plain_cb, NULL);
	assert_int_equal(answered(), EALREADY);
	assert_string_equal(got.text, "queued");
	assert_int_equal(done(a, must_take(a, "k")), 0);
	queue_retry(a, "nothing", plain_cb, NULL);
	assert_int_equal(answered(), ENOENT);
}

static void
handed_back(void **state)
{
	struct queue_job *job;

	add(a, "k", NULL, 1);
	job = must_take(a, "k");
	queue_back(a, job, plain_cb, NULL);
	assert_int_equal(answered(), 0);
	queue_job_free(&job);
	job = must_take(b, "k");
	assert_int_equal(job->attempts, 0);
	assert_int_equal(job->crashes, 0);
	assert_int_equal(done(b, job), 0);
}

static void
cancelled(void **state)
{
	struct queue_job *job;
	char id[QUEUE_ID];

	str_copy(id, add(a, "waits", NULL, 1), sizeof id);
	queue_cancel(a, id, plain_cb, NULL);
	assert_int_equal(answered(), 0);
	must_be_empty(a);
	str_copy(id, add(a, "runs", NULL, 1), sizeof id);
	job = must_take(a, "runs");
	queue_cancel(b, id, plain_cb, NULL);
	assert_int_equal(answered(), 0);
	queue_renew(a, job, 5, plain_cb, NULL);
	assert_int_equal(answered(), ECANCELED);
	assert_int_equal(done(a, job), ECANCELED);
	assert_int_equal(json_array_size(list("cancelled")), 2);
	assert_int_equal(json_array_size(list(NULL)), 0);
	tend(a);
	assert_int_equal(queue_stats(a)->dead, 0);	/* nobody needs to look after them */
	queue_retry(a, id, plain_cb, NULL);
	assert_int_equal(answered(), 0);
	assert_int_equal(json_array_size(list("cancelled")), 1);
	assert_int_equal(done(a, must_take(a, "runs")), 0);
}

/* A lease that runs out: another host has the job, and the first owner is told at every step. */
static void
taken_over_and_fenced(void **state)
{
	struct queue_job *slow, *job;

	limits(a, 500, 20, 3, 3);
	add(a, "k", NULL, 1);
	slow = must_take(a, "k");
	tend(b);
	must_be_empty(b);
	wait_ms(510);
	tend(b);
	job = must_take(b, "k");
	assert_int_equal(job->crashes, 1);
	assert_int_equal(job->attempts, 0);
	queue_renew(a, slow, 900, plain_cb, NULL);
	assert_int_equal(answered(), EPERM);
	queue_failed(a, slow, "no", true, plain_cb, NULL);
	assert_int_equal(answered(), EPERM);
	queue_back(a, slow, plain_cb, NULL);
	assert_int_equal(answered(), EPERM);
	assert_int_equal(done(a, slow), EPERM);
	assert_int_equal(done(b, job), 0);
	must_be_empty(a);
}

/* The answer to an end may be lost: it may be said again. Late, but nobody has begun: it counts. */
static void
an_end_may_be_repeated(void **state)
{
	struct queue_job *job;

	add(a, "k", NULL, 1);
	job = must_take(a, "k");
	queue_failed(a, job, "no", true, plain_cb, NULL);
	assert_int_equal(answered(), 0);
	queue_failed(a, job, "no", true, plain_cb, NULL);
	assert_int_equal(answered(), 0);
	assert_int_equal(listed_int("delayed", "attempts"), 1);
	queue_job_free(&job);
	job = take_soon(a);
	limits(a, 1, 20, 3, 3);
	queue_renew(a, job, 1, plain_cb, NULL);
	assert_int_equal(answered(), 0);
	wait_ms(5);
	tend(a);
	assert_string_equal(listed(NULL, "state"), "queued");
	queue_done(a, job, NULL, plain_cb, NULL);
	assert_int_equal(answered(), 0);
	assert_int_equal(done(a, job), 0);
	must_be_empty(a);
	assert_int_equal(json_array_size(list("done")), 1);
	assert_int_equal(json_array_size(list(NULL)), 0);
}

/* A renewed lease is not taken over; a host-bound job goes back to its own host. */
static void
renewed_is_kept(void **state)
{
	struct queue_job *job;

	limits(a, 1000, 20, 3, 3);
	add(a, "k", "A", 1);
	job = must_take(a, "k");
	for (int i = 0; i < 4; i++) {
		wait_ms(300);
		queue_renew(a, job, i, plain_cb, NULL);
		assert_int_equal(answered(), 0);
		tend(b);
	}
	assert_string_equal(listed(NULL, "state"), "running");
	wait_ms(1010);
	tend(b);
	must_be_empty(b);
	queue_job_free(&job);
	assert_int_equal(done(a, must_take(a, "k")), 0);
}

/* Deaths in a row kill a job, unless each time it got further than ever. */
static void
crashes_are_counted_apart(void **state)
{
	struct queue_job *job;

	limits(a, 20, 5, 3, 3);
	add(a, "k", NULL, 1);
	for (int i = 0; i < 7; i++) {
		job = take_soon(a);
		queue_renew(a, job, 100 * (i < 5 ? i + 1 : 5), plain_cb, NULL);
		assert_int_equal(answered(), 0);
		assert_int_equal(job->attempts, 0);
		queue_job_free(&job);
	}
	wait_ms(60);
	tend(a);
	must_be_empty(a);
	assert_string_equal(listed("dead", "error"), "its worker died or hung 3 times in a row");
}

/* A worker of this host whose process is gone is known without waiting for its lease. */
static void
gone_process_is_seen(void **state)
{
	char name[60];
	struct queue *gone;
	struct queue_job *job;
	pid_t pid = fork();

	if (pid == 0)
		_exit(0);
	waitpid(pid, NULL, 0);
	snprintf(name, sizeof name, "A:%d:12345", (int)pid);
	gone = queue_new(r, P, "A", name);
	add(a, "k", NULL, 1);
	job = must_take(gone, "k");
	queue_job_free(&job);
	tend(b);
	must_be_empty(b);
	tend(a);
	job = must_take(b, "k");
	assert_int_equal(job->crashes, 1);
	queue_job_free(&job);
	tend(a);		/* of another host: not our business */
	must_be_empty(a);
	queue_free(&gone);
}

/* Redis lost everything: who still works has his job again, unless it was added anew. */
static void
lost_and_restored(void **state)
{
	struct queue_job *job, *other;

	add(a, "k", "A", 2);
	add(a, "k2", NULL, 1);
	other = must_take(a, "k2");
	job = must_take(a, "k");
	command("FLUSHALL", NULL);
	queue_renew(a, job, 700, plain_cb, NULL);
	assert_int_equal(answered(), 0);
	assert_string_equal(add(a, "k", "A", 2), "");
	assert_int_equal(listed_int("running", "progress"), 700);
	assert_string_equal(listed("running", "file"), "k");
	must_be_empty(a2);
	assert_int_equal(done(a, job), 0);
	assert_string_not_equal(add(a, "k2", NULL, 1), "");
	queue_renew(a, other, 1, plain_cb, NULL);
	assert_int_equal(answered(), EPERM);
	queue_job_free(&other);
}

/* Nobody could renew while Redis was away: no lease counts as run out at once. */
static void
a_gap_renews_leases(void **state)
{
	struct queue_job *job;

	limits(a, 50, 20, 3, 3);
	limits(b, 50, 20, 3, 3);
	add(a, "k", NULL, 1);
	tend(b);
	job = must_take(a, "k");
	wait_ms(80);
	command("DEL", P "jobs:tended");
	tend(b);
	must_take(b, "k");	/* no gap is known: taken over */
	queue_job_free(&got.job);
	queue_job_free(&job);
	wait_ms(60);
	{
		const char *argv[] = { "SET", P "jobs:tended", "1000" };

		redis_command(r, 3, argv, NULL, NULL);
	}
	tend(a);
	must_be_empty(a);
	job = take_soon(a);
	queue_job_free(&job);
}

static void
lists_have_pages(void **state)
{
	char key[600], cursor[40] = "";
	int n = 0, pages = 0;

	for (int i = 0; i < 250; i++) {
		snprintf(key, sizeof key, "%0*d", 500, i);
		add(a, key, NULL, 1);
	}
	do {
		queue_list(a, NULL, cursor, body_cb, NULL);
		assert_int_equal(answered(), 0);
		for (size_t i = 0; i < json_array_size(json_object_get(got.body, "jobs")); i++, n++) {
			snprintf(key, sizeof key, "%0*d", 500, n);
			assert_string_equal(json_string_value(json_object_get(
			    json_array_get(json_object_get(got.body, "jobs"), i), "key")), key);
		}
		assert_true(json_dumpb(got.body, NULL, 0, 0) < 60000);
		str_copy(cursor, json_string_value(json_object_get(got.body, "cursor")), sizeof cursor);
	} while (cursor[0] && pages++ < 20);
	assert_int_equal(n, 250);
	assert_true(pages > 2);
}

static int64_t
host_figure(const char *id, const char *figure)
{
	const json_t *h;
	size_t i;

	queue_hosts(a, "other test", body_cb, NULL);
	assert_int_equal(answered(), 0);
	json_array_foreach(json_object_get(got.body, "hosts"), i, h)
		if (strcmp(json_string_value(json_object_get(h, "id")), id) == 0)
			return json_integer_value(json_object_get(h, figure));
	return 0;
}

static void
work_of_hosts_is_counted(void **state)
{
	struct queue_job *job, *own;

	queue_host_name(a, "alpha");
	tend(a);
	queue_host_name(b, "beta");
	tend(b);
	add(a, "shared", NULL, 1);
	add(a, "b1", "B", 0);
	add(a, "b2", "B", 2);
	assert_int_equal(host_figure("A", "waiting"), 0);
	assert_int_equal(host_figure("B", "waiting"), 2);
	assert_string_equal(json_string_value(json_object_get(json_array_get(json_object_get(got.body, "hosts"), 0),
	    "name")), "beta");
	own = must_take(b, "b1");
	job = must_take(a, "shared");
	assert_int_equal(host_figure("A", "running"), 1);
	assert_int_equal(host_figure("B", "running"), 1);
	assert_int_equal(host_figure("B", "waiting"), 1);
	done(a, job);
	done(b, own);
	assert_int_equal(host_figure("A", "running"), 0);
	assert_int_equal(host_figure("B", "waiting"), 1);
}

static void
done_ones_are_trimmed(void **state)
{
	char key[20];

	for (int i = 0; i < 9; i++) {
		snprintf(key, sizeof key, "k%d", i);
		add(a, key, NULL, 1);
		assert_int_equal(done(a, must_take(a, key)), 0);
	}
	assert_int_equal(json_array_size(list("done")), 5);
	assert_string_equal(listed("done", "key"), "k4");
}

static void
ledger_merges(void **state)
{
	char id[LEDGER_ID];
	const char *hash[] = { "GET", P "hash:abc" };
	json_t *fields = json_pack("{s:s, s:I, s:I, s:s}", "path", "/a/b \xc3\xa4", "size", (json_int_t)1 << 40, "mtime_ns",
	    (json_int_t)1763733845123456789, "error", "x");
	int64_t since;

	ledger_id(ledger, "/a/b", id);
	assert_int_equal(strlen(id), LEDGER_ID - 1);
	ledger_put(ledger, id, fields, body_cb, NULL);
	assert_int_equal(answered(), 0);
	json_decref(fields);
	ledger_get(ledger, id, body_cb, NULL);
	assert_int_equal(answered(), 0);
	assert_string_equal(json_string_value(json_object_get(got.body, "state")), "local");
	assert_string_equal(json_string_value(json_object_get(got.body, "host")), "alpha");
	since = json_integer_value(json_object_get(got.body, "since"));
	assert_in_range(since, wall_ms() - 5000, wall_ms() + 5000);
	fields = json_pack("{s:s, s:i, s:n}", "state", "uploading", "progress", 430, "error");
	wait_ms(5);
	ledger_put(ledger, id, fields, body_cb, NULL);
	assert_int_equal(answered(), 0);
	json_decref(fields);
	ledger_list(ledger, "", body_cb, NULL);
	assert_int_equal(answered(), 0);
	fields = json_array_get(json_object_get(got.body, "files"), 0);
	assert_int_equal(json_integer_value(json_object_get(fields, "mtime_ns")), 1763733845123456789);
	assert_int_equal(json_integer_value(json_object_get(fields, "size")), (json_int_t)1 << 40);
	assert_int_equal(json_integer_value(json_object_get(fields, "progress")), 430);
	assert_string_equal(json_string_value(json_object_get(fields, "path")), "/a/b \xc3\xa4");
	assert_null(json_object_get(fields, "error"));
	assert_true(json_integer_value(json_object_get(fields, "since")) > since);
	ledger_drop(ledger, id, body_cb, NULL);
	assert_int_equal(answered(), 0);
	ledger_get(ledger, id, body_cb, NULL);
	assert_int_equal(answered(), 0);
	assert_true(json_is_null(got.body));
	ledger_hash_put(ledger, "abc", id, body_cb, NULL);
	assert_int_equal(answered(), 0);
	redis_command(r, 2, hash, reply_cb, NULL);
	assert_int_equal(answered(), 0);
	assert_string_equal(json_string_value(got.body), id);
}

static void
away_is_said(void **state)
{
	json_t *none = json_object();

	server_kill();
	wait_up(false);
	queue_take(a, "test", taken_cb, NULL);
	expect(1);
	assert_int_equal(got.rc, EHOSTDOWN);
	queue_add(a, "test", "k", NULL, 1, none, added_cb, NULL);
	json_decref(none);
	expect(1);
	assert_int_equal(got.rc, EHOSTDOWN);
	server_start();
	wait_up(true);
}

/* --- what is asked in one turn of the loop goes in one call: each answer is its own --- */

#define TURN 150		/* more than one call holds */
static struct { int n, rc[TURN]; char id[TURN][QUEUE_ID]; bool existed[TURN]; struct queue_job *job[TURN]; } each;

static void
each_added_cb(int rc, const char *id, bool existed, void *ctx)
{
	int i = (int)(intptr_t)ctx;

	each.rc[i] = rc;
	each.existed[i] = existed;
	str_copy(each.id[i], id, sizeof each.id[i]);
	each.n++;
}

static void
each_taken_cb(int rc, const struct queue_job *job, void *ctx)
{
	assert_int_equal(rc, 0);
	each.job[(intptr_t)ctx] = job ? queue_job_copy(job) : NULL;
	each.n++;
}

static void
each_ended_cb(int rc, const char *error, void *ctx)
{
	each.rc[(intptr_t)ctx] = rc;
	each.n++;
}

static void
expect_each(int n)
{
	int64_t end = now_ms() + 20000;

	while (each.n < n && now_ms() < end)
		turn();
	assert_int_equal(each.n, n);
	each.n = 0;
}

static void
add_each(int from, int to, int modulo)
{
	char key[20];
	json_t *none = json_object();

	for (int i = from; i < to; i++) {
		snprintf(key, sizeof key, "%d", i % modulo);
		queue_add(a, "test", key, NULL, 1, none, each_added_cb, (void *)(intptr_t)i);
	}
	json_decref(none);
}

static void
take_each(int n)
{
	for (int i = 0; i < n; i++)
		queue_take(a, "other test", each_taken_cb, (void *)(intptr_t)i);
	expect_each(n);
}

/* Ten keys, each many times in one call and in the next ones: ten jobs. */
static void
one_key_one_job_in_a_turn(void **state)
{
	add_each(0, TURN, 10);
	expect_each(TURN);
	for (int i = 0; i < TURN; i++) {
		assert_int_equal(each.rc[i], 0);
		assert_int_equal(each.existed[i], i >= 10);
		assert_string_equal(each.id[i], each.id[i % 10]);
		for (int k = 0; k < i && k < 10; k++)
			assert_true(i % 10 == k || strcmp(each.id[i], each.id[k]) != 0);
	}
	assert_int_equal(json_array_size(list(NULL)), 10);
}

/* More are asked for than there are: those that are there go out once, in their order. */
static void
many_are_taken_in_a_turn(void **state)
{
	add_each(0, 100, TURN);
	expect_each(100);
	take_each(TURN);
	for (int i = 0; i < TURN; i++) {
		assert_true((each.job[i] != NULL) == (i < 100));
		if (i < 100)
			assert_int_equal(atoi(each.job[i]->key), i);
	}
	tend(a);
	assert_int_equal(queue_stats(a)->running, 100);
	for (int i = 0; i < 100; i++) {
		queue_renew(a, each.job[i], 500, each_ended_cb, (void *)(intptr_t)i);
		each.rc[i] = -1;
	}
	expect_each(100);
	for (int i = 0; i < 100; i++) {
		assert_int_equal(each.rc[i], 0);
		queue_done(a, each.job[i], NULL, each_ended_cb, (void *)(intptr_t)i);
		queue_job_free(&each.job[i]);
	}
	expect_each(100);
	tend(a);
	assert_int_equal(queue_stats(a)->running + queue_stats(a)->queued, 0);
	assert_int_equal(queue_stats(a)->done, 5);
}

/* Seven ways to end, and one that lost its job, in one call: no other is touched by it. */
static void
each_ends_in_its_own_way(void **state)
{
	struct queue_job *other;

	limits(a, 30000, 100000, 3, 3);
	add_each(0, 8, TURN);
	expect_each(8);
	take_each(8);
	each.job[3]->epoch--;		/* taken over meanwhile */
	queue_cancel(a, each.job[4]->id, plain_cb, NULL);
	assert_int_equal(answered(), 0);
	queue_done(a, each.job[0], NULL, each_ended_cb, (void *)0);
	queue_failed(a, each.job[1], "again", true, each_ended_cb, (void *)1);
	queue_later(a, each.job[2], "later", each_ended_cb, (void *)2);
	queue_done(a, each.job[3], NULL, each_ended_cb, (void *)3);
	queue_done(a, each.job[4], NULL, each_ended_cb, (void *)4);
	queue_park(a, each.job[5], "parked", each_ended_cb, (void *)5);
	queue_back(a, each.job[6], each_ended_cb, (void *)6);
	queue_done(a, each.job[7], NULL, each_ended_cb, (void *)7);
	expect_each(8);
	for (int i = 0; i < 8; i++) {
		assert_int_equal(each.rc[i], i == 3 ? EPERM : i == 4 ? ECANCELED : 0);
		queue_job_free(&each.job[i]);
	}
	tend(a);
	assert_int_equal(queue_stats(a)->running, 1);
	assert_int_equal(queue_stats(a)->delayed, 2);
	assert_int_equal(queue_stats(a)->queued, 1);
	assert_int_equal(queue_stats(a)->dead, 1);
	assert_int_equal(queue_stats(a)->done, 2);
	other = must_take(a, "6");
	assert_int_equal(done(a, other), 0);
	must_be_empty(a);
}

/* Adds, takes and ends of one turn, and a question behind them: as if one after the other. */
static void
verbs_keep_their_order(void **state)
{
	struct queue_job *job;

	add(a, "0", NULL, 1);
	job = must_take(a, "0");
	add_each(1, 2, TURN);
	queue_done(a, job, NULL, each_ended_cb, (void *)0);
	queue_take(a, "test", each_taken_cb, (void *)2);
	queue_cancel(a, job->id, plain_cb, NULL);
	expect_each(3);
	assert_int_equal(answered(), EALREADY);
	assert_string_equal(got.text, "done");
	assert_non_null(each.job[2]);
	assert_string_equal(each.job[2]->key, "1");
	queue_job_free(&job);
	assert_int_equal(done(a, each.job[2]), 0);
}

/* The new master has not heard of the first take; who has the job from it knows what is his. */
static void
a_take_that_a_failover_lost(void **state)
{
	static const char text[] =
		"local job = ARGV[1] .. 'job:' .. ARGV[2]\n"
		"local entry = redis.call('XADD', ARGV[1] .. 'jobs:q:shared:test:1', '*', 'job', ARGV[2])\n"
		"redis.call('HSET', job, 'state', 'queued', 'epoch', 0, 'entry', entry)\n"
		"redis.call('ZREM', ARGV[1] .. 'jobs:running', ARGV[2])\n";
	struct queue_job *first, *second;

	add(a, "k", NULL, 1);
	first = must_take(a, "k");
	const char *argv[] = { "EVAL", text, "0", P, first->id };
	redis_command(r, 5, argv, NULL, NULL);
	wait_ms(3);
	second = must_take(b, "k");
	assert_string_equal(second->id, first->id);
	queue_renew(a, first, 500, plain_cb, NULL);
	assert_int_equal(answered(), EPERM);
	assert_int_equal(done(a, first), EPERM);
	assert_int_equal(done(b, second), 0);
}

/* --- many empty jobs, Redis killed again and again --- */

#define MANY 600
static struct { int added, running, todo; bool asked[MANY], seen[MANY]; } many;

static void
many_added_cb(int rc, const char *id, bool existed, void *ctx)
{
	many.added += rc == 0;
	if (rc != 0)
		many.asked[(intptr_t)ctx] = false;	/* this key again */
	many.running--;
}

static void
many_done_cb(int rc, const char *error, void *ctx)
{
	many.running--;
}

static void
many_taken_cb(int rc, const struct queue_job *job, void *ctx)
{
	if (!job) {
		many.running--;
		return;
	}
	many.seen[atoi(job->key)] = true;
	queue_done(a, job, NULL, many_done_cb, NULL);
}

static void
many_step(json_t *none)
{
	char key[20];

	if (!redis_is_up(r))
		return;
	for (; many.running < 20; many.running += 2) {
		for (many.todo = 0; many.todo < MANY && many.asked[many.todo]; many.todo++)
			;
		if (many.todo < MANY) {
			many.asked[many.todo] = true;
			snprintf(key, sizeof key, "%d", many.todo);
			queue_add(b, "test", key, NULL, 1, none, many_added_cb, (void *)(intptr_t)many.todo);
		} else
			many.running--;
		queue_take(a, "test", many_taken_cb, NULL);
	}
}

static void
nothing_lost_by_kills(void **state)
{
	int64_t end = now_ms() + 60000, next_kill = now_ms() + 100;
	int kills = 0;
	struct queue_job *job;
	json_t *none = json_object();

	limits(a, 300, 20, 3, 1000);
	memset(&many, 0, sizeof many);
	while ((many.added < MANY || many.running > 0) && now_ms() < end) {
		many_step(none);
		turn();
		if (kills < 4 && now_ms() > next_kill) {
			server_kill();
			server_start();
			kills++;
			next_kill = now_ms() + 300;
		}
	}
	json_decref(none);
	assert_true(kills >= 1);
	/* Those whose taking was not answered come back with the end of their lease. */
	for (int i = 0; i < 100 && (i < 10 || queue_stats(a)->running + queue_stats(a)->queued > 0); i++) {
		wait_up(true);
		queue_tend(a, plain_cb, NULL);
		if (answered() == EHOSTDOWN)	/* the last kill, seen now */
			continue;
		assert_int_equal(got.rc, 0);
		while ((job = take(a))) {
			many.seen[atoi(job->key)] = true;
			assert_int_equal(done(a, job), 0);
		}
		wait_ms(50);
	}
	for (int i = 0; i < MANY; i++)
		assert_true(many.seen[i]);
	assert_int_equal(json_array_size(list(NULL)), 0);
}

static void
count_cb(int rc, int n, void *ctx)
{
	got.rc = rc;
	got.n++;
	*(int *)ctx = n;
}

static int
unpark(struct queue *q, int64_t wait, bool all)
{
	int n = -1;

	queue_unpark(q, wait, all, count_cb, &n);
	expect(1);
	assert_int_equal(got.rc, 0);
	return n;
}

static void
park(struct queue *q, const char *key)
{
	struct queue_job *job = must_take(q, key);

	queue_park(q, job, "wrong key", plain_cb, NULL);
	queue_job_free(&job);
	assert_int_equal(answered(), 0);
}

/* One is tried for all, and when it is done the others go, too. */
static void
parked_ones_go_on(void **state)
{
	add(a, "one", "A", 1);
	add(a, "two", "A", 1);
	add(a, "three", "A", 1);
	park(a, "one");
	park(a, "two");
	park(a, "three");
	assert_int_equal(unpark(a, 60000, false), 0);
	assert_int_equal(unpark(b, 0, true), 0);		/* another host's */
	wait_ms(20);
	assert_int_equal(unpark(a, 10, false), 1);
	assert_int_equal(unpark(a, 10, false), 0);		/* while the probe waits */
	park(a, "one");
	assert_int_equal(unpark(a, 60000, false), 0);		/* and rests */
	wait_ms(20);
	assert_int_equal(unpark(a, 10, false), 1);
	assert_int_equal(done(a, must_take(a, "two")), 0);
	assert_int_equal(unpark(a, 60000, false), 2);
	park(a, "three");
	assert_int_equal(unpark(a, 60000, false), 0);		/* the probe counts once */
	assert_int_equal(unpark(a, 60000, true), 1);
	assert_int_equal(done(a, must_take(a, "one")), 0);
	assert_int_equal(done(a, must_take(a, "three")), 0);
	must_be_empty(a);
}

/* More than go at once, of which none comes back twice. */
static void
many_parked_ones_go_on(void **state)
{
	char key[20];

	for (int i = 0; i < 130; i++) {
		snprintf(key, sizeof key, "%d", i);
		add(a, key, "A", 1);
		park(a, key);
	}
	wait_ms(5);
	assert_int_equal(unpark(a, 60000, true), 100);
	park(a, "0");
	assert_int_equal(unpark(a, 60000, false), 30);
	assert_int_equal(unpark(a, 60000, false), 0);
}

/* --- lanes --- */

static void
add_lane(const char *key, const char *lane)
{
	json_t *args = json_pack("{s:s, s:s}", "file", key, "lane", lane);

	queue_add(a, "test", key, NULL, 1, args, added_cb, NULL);
	json_decref(args);
	expect(1);
	assert_int_equal(got.rc, 0);
}

static const char *
state_of(const char *key)
{
	static char state[40];

	queue_find(a, key, body_cb, NULL);
	expect(1);
	if (got.rc != 0)
		return "";
	str_copy(state, json_string_value(json_object_get(got.body, "state")), sizeof state);
	return state;
}

static void
one_of_a_lane_at_a_time(void **state)
{
	struct queue_job *one, *other;

	add_lane("x1", "x");
	add_lane("x2", "x");
	add_lane("x3", "x");
	add_lane("y1", "y");
	one = must_take(a, "x1");
	other = must_take(a2, "y1");
	assert_null(take(b));
	assert_string_equal(state_of("x2"), "queued");
	assert_int_equal(done(a2, other), 0);
	assert_null(take(b));
	assert_int_equal(done(a, one), 0);
	one = must_take(b, "x2");
	assert_null(take(a));
	queue_back(b, one, plain_cb, NULL);	/* it keeps its place */
	expect(1);
	queue_job_free(&one);
	one = must_take(a, "x2");
	queue_failed(a, one, "no", false, plain_cb, NULL);
	expect(1);
	queue_job_free(&one);
	assert_string_equal(state_of("x2"), "dead");
	one = must_take(a, "x3");
	assert_int_equal(done(a, one), 0);
	assert_null(take(a));
}

static void
a_lane_goes_on_whatever_becomes_of_its_job(void **state)
{
	struct queue_job *job;

	limits(a, 30000, 100000, 10, 1000);
	add_lane("1", "z");
	add_lane("2", "z");
	add_lane("3", "z");
	job = must_take(a, "1");
	queue_later(a, job, "away", plain_cb, NULL);
	expect(1);
	queue_job_free(&job);
	assert_string_equal(state_of("1"), "delayed");
	job = must_take(a, "2");
	queue_cancel(a, job->id, plain_cb, NULL);
	expect(1);
	assert_int_equal(got.rc, 0);
	queue_job_free(&job);
	job = must_take(a, "3");
	queue_find(a, "1", body_cb, NULL);
	expect(1);
	queue_retry(a, json_string_value(json_object_get(got.body, "id")), plain_cb, NULL);
	expect(1);
	assert_string_equal(state_of("1"), "queued");
	assert_null(take(a2));
	assert_int_equal(done(a, job), 0);
	job = must_take(a2, "1");
	assert_int_equal(done(a2, job), 0);
	assert_string_equal(state_of("1"), "");
	assert_int_equal(got.rc, ENOENT);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(a_job_runs_once, setup),
		cmocka_unit_test_setup(a_key_is_there_once, setup),
		cmocka_unit_test_setup(first_things_first, setup),
		cmocka_unit_test_setup(hosts_do_not_mix, setup),
		cmocka_unit_test_setup(fails_then_dies, setup),
		cmocka_unit_test_setup(refused_and_forgotten, setup),
		cmocka_unit_test_setup(later_is_no_failure, setup),
		cmocka_unit_test_setup(parked_until_retry, setup),
		cmocka_unit_test_setup(parked_ones_go_on, setup),
		cmocka_unit_test_setup(many_parked_ones_go_on, setup),
		cmocka_unit_test_setup(handed_back, setup),
		cmocka_unit_test_setup(cancelled, setup),
		cmocka_unit_test_setup(taken_over_and_fenced, setup),
		cmocka_unit_test_setup(an_end_may_be_repeated, setup),
		cmocka_unit_test_setup(renewed_is_kept, setup),
		cmocka_unit_test_setup(crashes_are_counted_apart, setup),
		cmocka_unit_test_setup(gone_process_is_seen, setup),
		cmocka_unit_test_setup(lost_and_restored, setup),
		cmocka_unit_test_setup(a_take_that_a_failover_lost, setup),
		cmocka_unit_test_setup(a_gap_renews_leases, setup),
		cmocka_unit_test_setup(lists_have_pages, setup),
		cmocka_unit_test_setup(work_of_hosts_is_counted, setup),
		cmocka_unit_test_setup(done_ones_are_trimmed, setup),
		cmocka_unit_test_setup(ledger_merges, setup),
		cmocka_unit_test_setup(one_key_one_job_in_a_turn, setup),
		cmocka_unit_test_setup(many_are_taken_in_a_turn, setup),
		cmocka_unit_test_setup(each_ends_in_its_own_way, setup),
		cmocka_unit_test_setup(verbs_keep_their_order, setup),
		cmocka_unit_test_setup(one_of_a_lane_at_a_time, setup),
		cmocka_unit_test_setup(a_lane_goes_on_whatever_becomes_of_its_job, setup),
		cmocka_unit_test_setup(away_is_said, setup),
		cmocka_unit_test_setup(nothing_lost_by_kills, setup),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, setup_group, teardown_group);
}
