/*
 * queue.c - empty jobs through the queue against a redis-server of its own: added, taken, done.
 *
 *   queue [-n JOBS (20000)] [-w UNDER WAY (200)] [-f always|everysec|no (always)] [-k KILLS (0)]
 *
 * One process adds, takes and ends, so many at a time under way on one connection: Redis
 * answers what it read at once with one fsync. With -k redis-server is killed (-9) so often
 * meanwhile; what was not answered is asked again. At the end one line of JSON: jobs/s, jobs per
 * second of CPU (this process and Redis together), CPU of each per job. Exit status 1 unless each
 * job was seen and none is left.
 */
#include <event2/event.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "board.h"
#include "log.h"
#include "util.h"
#include "workers/common/queue.h"

static struct {
	int jobs, window, kills;
	const char *fsync;
	char dir[64];
	pid_t server;
	struct event_base *base;
	struct redis *r;
	struct queue *q;
	json_t *none;
	int next, added, adding, taking, ending, seen, twice, empty;
	int *again, nagain;		/* keys whose adding was not answered */
	bool *was_seen;
	int64_t server_cpu_ms, own_cpu_us;	/* own: before the first job */
} b = { .jobs = 20000, .window = 200, .fsync = "always" };

static void
server_start(void)
{
	char sock[100];
	char *argv[] = { "redis-server", "--port", "0", "--unixsocket", sock, "--dir", b.dir, "--appendonly", "yes",
	    "--appendfsync", (char *)(uintptr_t)b.fsync, "--save", "", "--logfile", "/dev/null", NULL };

	snprintf(sock, sizeof sock, "%s/s", b.dir);
	if (posix_spawnp(&b.server, "redis-server", NULL, NULL, argv, environ) != 0)
		fatalx("redis-server cannot be started");
}

static void
server_kill(void)
{
	struct rusage ru;

	kill(b.server, SIGKILL);
	wait4(b.server, NULL, 0, &ru);
	b.server_cpu_ms += (ru.ru_utime.tv_sec + ru.ru_stime.tv_sec) * 1000 +
	    (ru.ru_utime.tv_usec + ru.ru_stime.tv_usec) / 1000;
}

static void
added_cb(int rc, const char *id, bool existed, void *ctx)
{
	b.adding--;
	if (rc == 0)
		b.added++;
	else
		b.again[b.nagain++] = (int)(intptr_t)ctx;
}

static void
done_cb(int rc, const char *error, void *ctx)
{
	b.ending--;
}

static void
taken_cb(int rc, const struct queue_job *job, void *ctx)
{
	int key;

	b.taking--;
	b.empty = job ? 0 : b.empty + 1;
	if (!job)
		return;
	key = atoi(job->key);
	b.seen += !b.was_seen[key];
	b.twice += b.was_seen[key];
	b.was_seen[key] = true;
	b.ending++;
	queue_done(b.q, job, NULL, done_cb, NULL);
}

static void
add(void)
{
	char text[20];
	int key = b.nagain > 0 ? b.again[--b.nagain] : b.next++;

	snprintf(text, sizeof text, "%d", key);
	b.adding++;
	queue_add(b.q, "empty", text, NULL, 1, b.none, added_cb, (void *)(intptr_t)key);
}

static void
fill(void)
{
	while (redis_is_up(b.r) && b.adding + b.taking + b.ending < b.window) {
		if ((b.next < b.jobs || b.nagain > 0) && b.adding + (b.window == 1) * (b.added - b.seen) <= b.taking)
			add();
		else if (b.taking < (b.window + 1) / 2 && (b.empty < 20 || b.taking == 0)) {
			b.taking++;
			queue_take(b.q, "empty", taken_cb, NULL);
		} else
			return;
	}
}

static void
turn(int ms)
{
	struct timeval tv = { 0, ms * 1000 };

	event_base_loopexit(b.base, &tv);
	event_base_loop(b.base, EVLOOP_ONCE);
}

static void
up_cb(void *ctx)
{
}

static void
away_cb(const char *why, int64_t retry_ms, void *ctx)
{
}

static void
tended_cb(int rc, const char *error, void *ctx)
{
	*(bool *)ctx = true;
}

/* What was taken without an answer comes back when its lease is over. */
static void
tend(void)
{
	bool done = false;

	queue_tend(b.q, tended_cb, &done);
	while (!done)
		turn(5);
}

static void
begin(void)
{
	static const struct redis_ops ops = { up_cb, away_cb };
	struct redis_url url = { .path = "" };
	struct queue_limits l = { 2000, 10, 10, 3, 1000, 100 };
	char me[100];

	signal(SIGPIPE, SIG_IGN);
	strcpy(b.dir, "/tmp/millrace-bench-XXXXXX");
	if (!mkdtemp(b.dir))
		fatal("mkdtemp");
	snprintf(url.path, sizeof url.path, "%s/s", b.dir);
	b.again = xcalloc((size_t)b.jobs, sizeof *b.again);
	b.was_seen = xcalloc((size_t)b.jobs, sizeof *b.was_seen);
	b.none = json_object();
	server_start();
	b.base = event_base_new();
	b.r = redis_new(b.base, &url, 5000, 200, &ops, NULL);
	snprintf(me, sizeof me, "A:%d:%llu", (int)getpid(), (unsigned long long)board_start_ticks(getpid()));
	b.q = queue_new(b.r, "{b}:", "A", me);
	queue_limits(b.q, &l);
	while (!redis_is_up(b.r))
		turn(5);
}

static int64_t
own_cpu_us(void)
{
	struct rusage ru;

	getrusage(RUSAGE_SELF, &ru);
	return (ru.ru_utime.tv_sec + ru.ru_stime.tv_sec) * 1000000 + ru.ru_utime.tv_usec + ru.ru_stime.tv_usec;
}

static int
report(int64_t ms)
{
	long long left = queue_stats(b.q)->queued + queue_stats(b.q)->running;
	double own = (double)(own_cpu_us() - b.own_cpu_us), redis;

	server_kill();
	redis = (double)b.server_cpu_ms * 1000;
	printf("{\"jobs\": %d, \"fsync\": \"%s\", \"window\": %d, \"kills\": %d, \"jobs_per_s\": %.0f, \"jobs_per_cpu_s\": %.0f, "
	    "\"own_us\": %.1f, \"redis_us\": %.1f, \"seen\": %d, \"twice\": %d, \"left\": %lld}\n", b.jobs, b.fsync, b.window,
	    b.kills, b.jobs * 1000.0 / (double)ms, b.jobs / (own + redis) * 1e6, own / b.jobs, redis / b.jobs, b.seen,
	    b.twice, left);
	return b.seen == b.jobs && left == 0 ? 0 : 1;
}

int
main(int argc, char **argv)
{
	int64_t t0, kill_every, next_tend = 0;
	char cmd[100];
	int ch, kills = 0, rc;

	while ((ch = getopt(argc, argv, "n:w:f:k:")) != -1) {
		if (ch == 'f')
			b.fsync = optarg;
		else if (ch == 'n' || ch == 'w' || ch == 'k')
			*(ch == 'n' ? &b.jobs : ch == 'w' ? &b.window : &b.kills) = atoi(optarg);
		else
			return 2;
	}
	begin();
	b.own_cpu_us = own_cpu_us();
	t0 = now_ms();
	kill_every = 300;
	while (b.seen < b.jobs || b.ending > 0 || queue_stats(b.q)->running + queue_stats(b.q)->queued > 0 || next_tend == 0) {
		fill();
		turn(20);
		if (kills < b.kills && now_ms() - t0 > kill_every * (kills + 1)) {
			server_kill();
			server_start();
			kills++;
		}
		if (b.seen == b.jobs || now_ms() > next_tend) {
			tend();
			next_tend = now_ms() + 500;
		}
	}
	rc = report(now_ms() - t0);
	redis_free(&b.r);
	snprintf(cmd, sizeof cmd, "rm -rf '%s'", b.dir);
	return system(cmd) != 0 || rc != 0;
}
