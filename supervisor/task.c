/*
 * task.c - one ffmpeg that works on a file for a jobs worker: SPAWN asks for it, SPAWNED hands
 * over the ends of its stderr and progress, EXITED says how it ended. Nothing is started
 * again: when a job is tried again is the queue's business. Nothing of an unfinished one is wanted: it is killed.
 *
 * A file of ours is opened here and is its stdin, and it may write in the one folder of its output;
 * of a stranger's file it sees nothing else, and it writes nowhere but to its stdout. A push may
 * connect; to where is the config's to say. A worker has one at a time, and so has an ingest, for
 * playback (route.c lets it ask for nothing else).
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
#include "supervisor/args_media.h"
#include "supervisor/supervisor.h"
#include "supervisor/task_argv.h"
#include "target.h"
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

/* What of it is made where; of the config, and absolute. */
struct place {
	struct task_place at;
	char input[600], output[1100], dir[600];
};

static void
place(const struct task_params *p, struct place *w)
{
	const char *data_dir = conf_str(sv.conf, "data_dir");

	w->at = (struct task_place){ .ffmpeg = conf_str(sv.conf, "ffmpeg.path"), .input = w->input, .output = w->output,
		.max_kbps = conf_int(sv.conf, "upload.max_kbps") };
	if (p->kind == TASK_PLAYBACK && p->input[0] == '\0')
		str_copy(w->input, conf_str(sv.conf, "frames.playback_file"), sizeof(w->input));
	else
		snprintf(w->input, sizeof(w->input), "%s/%s", data_dir, p->input);
	if (p->kind == TASK_PUSH) {
		target_expand(sv.conf, p->name, w->output, sizeof(w->output));
		w->at.ca_file = args_ca_file(w->output, conf_bool(sv.conf, "upload.verify"),
		    conf_str(sv.conf, "upload.ca_file"));
	} else
		snprintf(w->output, sizeof(w->output), "%s/%s", data_dir, p->output != NULL ? p->output : "-");
	str_copy(w->dir, w->output, sizeof(w->dir));
	*strrchr(w->dir, '/') = '\0';
}

/*
 * A file of ours is its stdin (its beginning alone: read by path), and it writes in one folder; a
 * stranger's is read by path, and it writes its stdout.
 */
static struct child *
start_boxed(const struct task_params *p, const struct place *w, char *const argv[], int fds[4])
{
	static const struct { const char *profile, *memory; bool own, stays; } boxes[] = {
		[TASK_REMUX] = { "ffmpeg", "limits.ffmpeg_memory", true, true },
		[TASK_CHECK] = { "ffmpeg", "limits.ffmpeg_memory", true, true },
		/* what encodes stands behind everything live */
		[TASK_FRAMES] = { "convert", "frames.ffmpeg_memory", true, false },
		[TASK_PLAYBACK] = { "ffmpeg", "limits.ffmpeg_memory", false, false },
		[TASK_PROBE] = { "convert", "upload.memory", false, false },
		[TASK_CONVERT] = { "convert", "upload.memory", false, false },
		[TASK_PUSH] = { "push", "limits.ffmpeg_memory", false, false },
	};
	bool own = boxes[p->kind].own, converts = p->kind == TASK_CONVERT;
	struct child_box box = { .profile = boxes[p->kind].profile, .memory = conf_int(sv.conf, boxes[p->kind].memory),
		.writable = own ? w->dir : NULL, .readable = { own && p->bytes == 0 ? NULL : w->input, w->at.ca_file },
		.fsize = converts ? conf_int(sv.conf, "upload.max_size") : 0, .dies_with_us = !boxes[p->kind].stays };

	if (own)
		fds[0] = open(w->input, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	else if (converts)
		fds[1] = open(w->output, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0640);
	else if (p->kind == TASK_PLAYBACK) {	/* its stdout is the ingest's */
		fds[1] = fds[3];
		fds[3] = -1;
	}
	if ((own && fds[0] == -1) || (converts && fds[1] == -1)) {
		close_all(fds, 4);
		return NULL;
	}
	return child_start_foreign(KIND_FFMPEG, argv, fds, &box);
}

static struct child *
start(const struct task_params *p, int ours[OURS_FDS])
{
	int fds[4] = { -1, -1, -1, -1 }, saved;
	struct child *c = NULL;
	struct place w;
	char **argv;

	ours[OURS_STDERR] = ours[OURS_PROGRESS] = -1;
	place(p, &w);
	if (make_pair(&ours[OURS_STDERR], &fds[2]) == -1 || make_pair(&ours[OURS_PROGRESS], &fds[3]) == -1) {
		saved = errno;
		close_all(fds, 4);
	} else {
		argv = task_argv(p, &w.at);
		c = start_boxed(p, &w, argv, fds);
		saved = errno;
		args_free(&argv);
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
