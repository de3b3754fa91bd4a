/*
 * task.c - one ffmpeg that works on a file for a jobs worker: SPAWN asks for it, SPAWNED hands
 * over the ends of its stderr and progress, EXITED says how it ended. Nothing is started
 * again: when a job is tried again is the queue's business. Nothing of an unfinished one is wanted: it is killed.
 *
 * The file to read is opened here and is its stdin, so it needs no path of it; it may write
 * in the one folder of its output only. A worker has one at a time.
 * Called by route.c (SPAWN, OUTPUT_DOWN), child.c (deaths).
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "conf.h"
#include "log.h"
#include "supervisor/supervisor.h"
#include "supervisor/task_argv.h"
#include "util.h"

enum { OURS_STDERR, OURS_PROGRESS, OURS_FDS };

static int
make_pair(int *ours, int *theirs)
{
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) == -1)
		return -1;
	*ours = pair[0];
	*theirs = pair[1];
	return fcntl(*ours, F_SETFL, O_NONBLOCK);
}

static void
close_all(int *fds, int n)
{
	for (int i = 0; i < n; i++)
		if (fds[i] != -1)
			close(fds[i]);
}

static struct child *
start(const struct task_params *p, int ours[OURS_FDS])
{
	char input[600], output[600], dir[600];
	int fds[4] = { -1, -1, -1, -1 };
	struct child *c = NULL;
	char **argv;
	int saved;

	ours[OURS_STDERR] = ours[OURS_PROGRESS] = -1;
	snprintf(input, sizeof(input), "%s/%s", conf_str(sv.conf, "data_dir"), p->input);
	snprintf(output, sizeof(output), "%s/%s", conf_str(sv.conf, "data_dir"), p->output);
	str_copy(dir, output, sizeof(dir));
	*strrchr(dir, '/') = '\0';
	fds[0] = open(input, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fds[0] == -1 || make_pair(&ours[OURS_STDERR], &fds[2]) == -1 ||
	    make_pair(&ours[OURS_PROGRESS], &fds[3]) == -1) {
		saved = errno;
		close_all(fds, 4);
	} else {
		argv = task_argv(p, conf_str(sv.conf, "ffmpeg.path"), output);
		c = child_start_foreign(KIND_FFMPEG, argv, fds, "ffmpeg", dir);
		saved = errno;
		task_argv_free(&argv);
	}
	if (c == NULL)
		close_all(ours, OURS_FDS);
	errno = saved;
	return c;
}

static void
say_exited(struct child *worker, int64_t task, pid_t pid, int status, const char *reason)
{
	json_t *body;

	if (worker->control == NULL)
		return;
	body = json_pack("{s:s, s:I, s:i, s:i, s:i, s:i, s:o}", "output", "job", "task", (json_int_t)task, "pid",
	    (int)pid, "code", WIFEXITED(status) ? WEXITSTATUS(status) : -1, "signal",
	    WIFSIGNALED(status) ? WTERMSIG(status) : 0, "retry_ms", -1, "reason", msg_text(reason, strlen(reason)));
	msg_send(worker->control, MSG_EXITED, 0, body, NULL, 0);
}

/* Its ffmpeg, if it has one, dies and nobody hears of it. */
static void
forget(struct child *worker, const char *why)
{
	if (worker->partner == NULL)
		return;
	worker->partner->partner = NULL;
	child_kill(worker->partner, why);
	worker->partner = NULL;
}

void
task_spawn(struct child *worker, struct msg *m)
{
	json_t *params = json_object_get(m->body, "params");
	int64_t task = msg_int_or(m, "task", 0);
	struct task_params p;
	const char *why;
	int ours[OURS_FDS];
	struct child *c;

	forget(worker, "its worker wants another");	/* of a job that was cancelled */
	if (task_params_parse(msg_str_or(m, "kind", ""), params, &p, &why) == -1) {
		log_warnx("a jobs worker asks for an ffmpeg with a bad \"%s\": dropped", why);
		say_exited(worker, task, 0, W_EXITCODE(127, 0), "it was not asked for as it should");
		return;
	}
	c = start(&p, ours);
	if (c == NULL) {
		say_exited(worker, task, 0, W_EXITCODE(127, 0), strerror(errno));
		return;
	}
	c->task = task;
	c->partner = worker;
	worker->partner = c;
	if (msg_send(worker->control, MSG_SPAWNED, 0, json_pack("{s:s, s:I, s:i}", "output", "job", "task",
	    (json_int_t)task, "pid", (int)c->pid), ours, OURS_FDS) == -1)
		child_stop(c, "its worker does not hear of it");
}

void
task_down(struct child *worker, struct msg *m)
{
	forget(worker, msg_str_or(m, "reason", "the job does not want it any more"));
}

void
task_worker_gone(struct child *worker)
{
	forget(worker, "its worker is gone");
}

void
task_ffmpeg_gone(struct child *ffmpeg)
{
	char reason[160];

	if (ffmpeg->partner == NULL)
		return;
	say_exited(ffmpeg->partner, ffmpeg->task, ffmpeg->pid, ffmpeg->status,
	    child_status_text(ffmpeg->status, reason, sizeof(reason)));
	ffmpeg->partner->partner = NULL;
	ffmpeg->partner = NULL;
}
