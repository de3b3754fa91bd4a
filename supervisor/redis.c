/*
 * redis.c - the embedded redis-server as a child: started through millrace-exec with its
 * data in data_dir/redis and its socket in run_dir, its log in ours.
 *
 * It inherits an flock on data_dir/redis/lock, so it can never run twice on the same
 * files (a second one starts and serves happily, and ruins them). One that was left by a
 * killed millraced still holds that lock: it is taken over as it runs, watched by a pidfd,
 * unless its configuration is no longer ours; then it is ended and ours follows.
 * No Redis protocol in here: the registry speaks it. Called by child_work.c and main.c.
 */
#include <errno.h>
#include <event2/buffer.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "conf.h"
#include "log.h"
#include "supervisor/child.h"
#include "supervisor/redis.h"
#include "util.h"

#define LOG_LINE_MAX 4096
#define LOG_READ_MAX 65536	/* of one turn */

static struct child *server;
static struct event *log_event, *pidfd_event;
static struct evbuffer *log_buffer;
static char last_line[120];	/* what it said last before it died */

static void
log_line(const char *line)
{
	static bool overcommit_said;
	enum log_level level;
	const char *text = redis_log_line(line, server->state == CHILD_READY, &level);

	if (redis_log_is_overcommit(text) && !overcommit_said) {
		overcommit_said = true;
		log_info("vm.overcommit_memory is not 1: when memory is short the embedded Redis may fail to"
		    " rewrite its file; `sysctl vm.overcommit_memory=1` helps");
	}
	log_foreign(level, "redis-server", text, (int)strlen(text));
	str_copy(last_line, text, sizeof(last_line));
	if (strcasestr(text, "ready to accept connections") != NULL)
		child_ready(server);
}

static void
log_close(void)
{
	int fd;

	if (log_event == NULL)
		return;
	fd = event_get_fd(log_event);
	event_free(log_event);
	close(fd);
	evbuffer_free(log_buffer);
	log_event = NULL;
	log_buffer = NULL;
}

static void
log_cb(evutil_socket_t fd, short what, void *ctx)
{
	int n = evbuffer_read(log_buffer, fd, LOG_READ_MAX);
	char *line;

	while ((line = evbuffer_readln(log_buffer, NULL, EVBUFFER_EOL_ANY)) != NULL) {
		log_line(line);
		free(line);
	}
	if (evbuffer_get_length(log_buffer) > LOG_LINE_MAX)
		evbuffer_drain(log_buffer, evbuffer_get_length(log_buffer));
	if (n == 0 || (n == -1 && errno != EAGAIN && errno != EINTR))
		log_close();
}

/* The pipe that its log comes through: the write end, or -1. */
static int
log_open_pipe(void)
{
	int fds[2];

	log_close();
	if (pipe2(fds, O_CLOEXEC) == -1)
		return -1;
	/* Only our end: redis-server may wait a moment, it writes little. */
	fcntl(fds[0], F_SETFL, O_NONBLOCK);
	log_buffer = evbuffer_new();
	log_event = event_new(sv.base, fds[0], EV_READ | EV_PERSIST, log_cb, NULL);
	if (log_buffer == NULL || log_event == NULL)
		fatalx("out of memory");
	event_add(log_event, NULL);
	return fds[1];
}

/* --- one that runs already --- */

static void
pidfd_close(void)
{
	int fd;

	if (pidfd_event == NULL)
		return;
	fd = event_get_fd(pidfd_event);
	event_free(pidfd_event);
	close(fd);
	pidfd_event = NULL;
}

static void
pidfd_cb(evutil_socket_t fd, short what, void *ctx)
{
	pid_t pid = server->pid;

	pidfd_close();
	child_reaped(pid, 0);
}

static bool
is_redis_server(pid_t pid)
{
	char path[40], *comm;
	bool yes;

	snprintf(path, sizeof(path), "/proc/%d/comm", (int)pid);
	comm = file_read(path, 64, NULL);
	yes = comm != NULL && strcmp(comm, "redis-server\n") == 0;
	free(comm);
	return yes;
}

static pid_t
left_behind(const char *dir)
{
	char path[512], *text;
	pid_t pid = 0;

	if (path_join(path, sizeof(path), dir, "redis.pid") == -1)
		return 0;
	text = file_read(path, 32, NULL);
	if (text != NULL)
		pid = (pid_t)strtol(text, NULL, 10);
	free(text);
	return pid > 1 && is_redis_server(pid) ? pid : 0;
}

/* Its configuration on disk is the one we would write: same socket, same settings. */
static bool
same_conf(const char *path, const char *wanted)
{
	char *text = file_read(path, 65536, NULL);
	bool same = text != NULL && strcmp(text, wanted) == 0;

	free(text);
	return same;
}

static int
take_over(struct child *c, const char *dir, bool as_it_is)
{
	pid_t pid = left_behind(dir);
	int fd = pid > 0 ? (int)syscall(SYS_pidfd_open, pid, 0) : -1;

	if (fd == -1) {
		snprintf(c->reason, sizeof(c->reason), "%.100s/lock is held by an unknown process", dir);
		return -1;
	}
	if (!as_it_is) {
		snprintf(c->reason, sizeof(c->reason),
		    "an older one (pid %d) with other settings is asked to end", (int)pid);
		kill(pid, SIGTERM);
		close(fd);
		return -1;
	}
	pidfd_close();
	pidfd_event = event_new(sv.base, fd, EV_READ, pidfd_cb, NULL);
	if (pidfd_event == NULL)
		fatalx("out of memory");
	event_add(pidfd_event, NULL);
	child_started(c, pid);
	c->adopted = true;
	child_ready(c);
	log_info("the redis-server (pid %d) of an earlier millraced runs on and is taken over", (int)pid);
	return 0;
}

/* --- a new one --- */

static int
launch(struct child *c, const char *dir, const char *conf_path, int lock)
{
	char program[] = "redis-server";
	char *argv[] = { program, (char *)conf_path, NULL };
	int out = log_open_pipe(), err = out != -1 ? fcntl(out, F_DUPFD_CLOEXEC, 3) : -1;
	int fds[4] = { -1, out, err, lock };
	/* its socket is in run_dir */
	const struct child_box box = { .profile = "redis", .writable = dir, .second = conf_str(sv.conf, "run_dir") };

	c->adopted = false;
	last_line[0] = '\0';
	if (child_launch_foreign(c, argv, fds, &box) == 0)
		return 0;
	snprintf(c->reason, sizeof(c->reason), "cannot start: %s", strerror(errno));
	return -1;
}

static int
launch_in(struct child *c, const char *dir, const char *conf_path, const char *lock_path,
    const char *text)
{
	int lock = open(lock_path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);

	if (lock == -1) {
		snprintf(c->reason, sizeof(c->reason), "cannot open its lock: %s", strerror(errno));
		return -1;
	}
	if (flock(lock, LOCK_EX | LOCK_NB) == -1) {
		close(lock);
		return take_over(c, dir, same_conf(conf_path, text));
	}
	if (file_replace(conf_path, text, strlen(text)) == -1) {
		snprintf(c->reason, sizeof(c->reason), "cannot write its config: %s", strerror(errno));
		close(lock);
		return -1;
	}
	return launch(c, dir, conf_path, lock);
}

int
redis_launch(struct child *c)
{
	char dir[480], conf_path[512], lock_path[512], *text;
	int rc;

	if (path_join(dir, sizeof(dir), conf_str(sv.conf, "data_dir"), "redis") == -1 ||
	    path_join(conf_path, sizeof(conf_path), dir, "redis.conf") == -1 ||
	    path_join(lock_path, sizeof(lock_path), dir, "lock") == -1 ||
	    (text = redis_conf_text(dir, conf_str(sv.conf, "run_dir"))) == NULL) {
		str_copy(c->reason, "run_dir or data_dir is too long for its socket", sizeof(c->reason));
		return -1;
	}
	rc = launch_in(c, dir, conf_path, lock_path, text);
	free(text);
	return rc;
}

int
redis_start(void)
{
	server = child_new(KIND_REDIS, NULL);
	child_relaunch(server);
	return server->state == CHILD_BACKOFF ? -1 : 0;
}

void
redis_child_gone(struct child *c)
{
	if (log_event != NULL)
		log_cb(event_get_fd(log_event), EV_READ, NULL);
	log_close();
	pidfd_close();
	/* Its own words explain an exit, not a signal from outside. */
	if (!c->asked && c->reason[0] == '\0' && WIFEXITED(c->status) && last_line[0] != '\0')
		snprintf(c->reason, sizeof(c->reason), "it said: %s", last_line);
}

int
redis_check_switch(void)
{
	char dir[512], *files;
	int rc = 0;

	if (strcmp(conf_str(sv.conf, "redis.url"), "embedded") == 0 ||
	    conf_bool(sv.conf, "redis.abandon_embedded") ||
	    path_join(dir, sizeof(dir), conf_str(sv.conf, "data_dir"), "redis") == -1)
		return 0;
	files = redis_data_files(dir);
	if (files[0] != '\0') {
		log_errorx("redis.url is no longer \"embedded\", but the embedded Redis left data in "
		    "%s: %s. Set redis.url back to embedded, or move these files away, or set "
		    "redis.abandon_embedded: true to go on without them", dir, files);
		rc = -1;
	}
	free(files);
	return rc;
}
