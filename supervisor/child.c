/*
 * child.c - the table of processes. A child is born by child_start() (one of our programs,
 * with the descriptors of lib/proto.h) or child_start_foreign() (child_foreign.c), becomes
 * READY, is stopped by a ladder (child_stop.c), and is over only when it was reaped AND its
 * control channel has reached its end, in either order: so its last messages are read.
 *
 * Then it gets its obituary (child_obituary.c), those who care are told, and it is
 * either freed or, if it is wanted, waits in backoff for the next try (child_work.c).
 * Nothing in here waits for a child: a connection is handed to one that has not run yet.
 */
#include "supervisor/child.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "log.h"
#include "util.h"

struct child *child_list;
static bool slot_used[BOARD_PROCS];

static const struct { const char *name; bool foreign, wanted; } kinds[KIND_COUNT] = {
	[KIND_HTTP] = { "http", false, true },
	[KIND_WEBRTC] = { "webrtc", false, true },
	[KIND_REGISTRY] = { "registry", false, true },
	[KIND_INGEST] = { "ingest", false, false },
	[KIND_FINISH] = { "finish", false, false },
	[KIND_REDIS] = { "redis", true, true },
	[KIND_FFMPEG] = { "ffmpeg", true, false },
	[KIND_JOBS] = { "jobs", false, true },
	[KIND_WATCH] = { "watch", false, true },
	[KIND_PUSH] = { "push", true, false },
	[KIND_HOOKS] = { "hooks", false, true },
};

static void end_if_done(struct child *c);

const char *
child_kind_name(enum child_kind kind)
{
	return kinds[kind].name;
}

const char *
child_state_name(const struct child *c)
{
	static const char *const names[] = { "starting", "ready", "stopping", "backoff" };

	/* Somebody who fails again and again is not merely between two tries. */
	if (c->state == CHILD_BACKOFF && c->failures >= 3)
		return "failing";
	return names[c->state];
}

int
child_null_fd(void)
{
	static int fd = -1;

	if (fd == -1)
		fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	return fd;
}

static unsigned
slot_take(void)
{
	unsigned i;

	for (i = 0; i < BOARD_PROCS; i++)
		if (!slot_used[i]) {
			slot_used[i] = true;
			return i;
		}
	return CHILD_NO_SLOT;
}

static void
slot_give(unsigned slot)
{
	struct board_proc *p;

	if (slot == CHILD_NO_SLOT)
		return;
	slot_used[slot] = false;
	p = board_proc(sv.board, slot);
	board_begin(&p->seq);
	memset((char *)p + sizeof(p->seq), 0, sizeof(*p) - sizeof(p->seq));
	board_end(&p->seq);
}

static void
timer_cb(evutil_socket_t fd, short what, void *ctx)
{
	struct child *c = ctx;

	switch (c->state) {
	case CHILD_STARTING:
		child_kill(c, "not ready in time");
		break;
	case CHILD_READY:
		break;
	case CHILD_STOPPING:
		child_stop_timer(c);
		break;
	case CHILD_BACKOFF:
		child_relaunch(c);
		break;
	}
}

struct child *
child_new(enum child_kind kind, const char *name)
{
	struct child *c = xcalloc(1, sizeof(*c));

	c->kind = kind;
	c->wanted = kinds[kind].wanted;
	str_copy(c->name, name != NULL ? name : "", sizeof(c->name));
	c->timer = evtimer_new(sv.base, timer_cb, c);
	if (c->timer == NULL)
		fatalx("out of memory");
	c->board_slot = slot_take();
	c->next = child_list;
	child_list = c;
	return c;
}

void
child_free(struct child *c)
{
	struct child **p;

	for (p = &child_list; *p != NULL; p = &(*p)->next)
		if (*p == c) {
			*p = c->next;
			break;
		}
	if (c->control != NULL) {
		route_forget(c->control);
		msg_chan_free(&c->control);
	}
	board_page_unmap(&c->page);
	slot_give(c->board_slot);
	event_free(c->timer);
	free(c);
}

void
child_started(struct child *c, pid_t pid)
{
	struct timeval limit = { PROTO_READY_MS / 1000, 0 };

	c->pid = pid;
	c->state = CHILD_STARTING;
	c->start_ticks = 0;	/* report.c reads it when it first shows the process */
	c->started_ms = now_ms();
	c->ready_ms = 0;
	c->reaped = false;
	c->pipes_closed = kinds[c->kind].foreign;
	c->asked = c->said_bye = false;
	c->reason[0] = '\0';
	c->stop_rung = 0;
	c->status = 0;
	/* A foreign program says no READY: its owner judges it. */
	if (kinds[c->kind].foreign)
		evtimer_del(c->timer);
	else
		evtimer_add(c->timer, &limit);
}

void
child_ready(struct child *c)
{
	if (c->state != CHILD_STARTING)
		return;
	c->state = CHILD_READY;
	c->ready_ms = now_ms();
	evtimer_del(c->timer);
	log_debug("%s (pid %d) is ready after %lld ms", child_kind_name(c->kind), (int)c->pid,
	    (long long)(c->ready_ms - c->started_ms));
}

static void
control_cb(struct msg_chan *chan, struct msg *m, void *ctx)
{
	struct child *c = ctx;
	struct timeval soon = { 1, 0 };

	if (m != NULL) {
		route_message(c, m);
		return;
	}
	route_forget(chan);
	msg_chan_free(&c->control);
	c->pipes_closed = true;
	/* A process that closed its channel and lives on is of no use to anybody. */
	if (!c->reaped && c->state != CHILD_STOPPING) {
		c->state = CHILD_STOPPING;
		c->stop_rung = 1;
		evtimer_add(c->timer, &soon);
	}
	end_if_done(c);
}

/* Places the descriptors of proto.h; their number, at most 6 + listeners. */
static int
own_fds(const struct child *c, int control, int page, int config, struct spawn_fd *fds, int max)
{
	int i, n = 0, webrtc[2], nwebrtc = c->kind == KIND_WEBRTC ? listen_webrtc_fds(c->worker, webrtc) : 0;

	fds[n++] = (struct spawn_fd){ child_null_fd(), 0 };
	fds[n++] = (struct spawn_fd){ child_null_fd(), 1 };
	fds[n++] = (struct spawn_fd){ STDERR_FILENO, PROTO_FD_LOG };
	fds[n++] = (struct spawn_fd){ control, PROTO_FD_CONTROL };
	fds[n++] = (struct spawn_fd){ page, PROTO_FD_BOARD };
	fds[n++] = (struct spawn_fd){ config, PROTO_FD_CONFIG };
	if (c->kind == KIND_HTTP)
		for (i = 0; i < sv.nlisten_http && n < max; i++)
			fds[n++] = (struct spawn_fd){ sv.listen_http[i], PROTO_FD_LISTEN + i };
	for (i = 0; i < nwebrtc; i++)
		fds[n++] = (struct spawn_fd){ webrtc[i], PROTO_FD_LISTEN + i };
	return n;
}

static pid_t
launch_with(struct child *c, int control, int page, int config)
{
	struct spawn_fd fds[40];
	char path[320], title[32], room[BOARD_NAME];	/* room: where ps will show a stream's name */
	char *argv[] = { title, c->name[0] != '\0' ? c->name : c->kind == KIND_INGEST ? room : NULL, NULL };

	snprintf(title, sizeof(title), "millrace-%s", c->program != NULL ? c->program : child_kind_name(c->kind));
	snprintf(room, sizeof(room), "%*s", BOARD_NAME - 1, "");
	if (path_join(path, sizeof(path), sv.libexec, title) == -1)
		return -1;
	return spawn_program(path, argv, environ, fds, own_fds(c, control, page, config, fds, 40));
}

int
child_launch(struct child *c)
{
	int pair[2], page, config, saved;
	pid_t pid = -1;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) == -1)
		return -1;
	board_page_unmap(&c->page);
	page = board_page_create(&c->page);
	config = page == -1 ? -1 : child_config_fd(c->kind);
	if (config != -1)
		pid = launch_with(c, pair[1], page, config);
	saved = errno;
	close(pair[1]);
	if (page != -1)
		close(page);
	if (config != -1)
		close(config);
	if (pid == -1) {
		close(pair[0]);
		errno = saved;
		return -1;
	}
	child_started(c, pid);
	child_limits(c);
	c->control = msg_chan_new(sv.base, pair[0], control_cb, c);
	if (c->control == NULL) {	/* out of memory: it dies of EOF, and is reaped */
		c->pipes_closed = true;
		child_kill(c, "no control channel");
	}
	return 0;
}

static struct child *
start(struct child *c)
{
	enum child_kind kind = c->kind;
	char next[64];
	int saved;

	if (child_launch(c) == 0)
		return c;
	saved = errno;
	if (kind != KIND_INGEST)	/* accept.c says it, but not for each */
		log_warn("cannot start millrace-%s", child_kind_name(kind));
	if (c->wanted) {
		snprintf(c->reason, sizeof(c->reason), "cannot start: %s", strerror(saved));
		child_again(c, next, sizeof(next));
		return c;
	}
	child_free(c);
	errno = saved;
	return NULL;
}

struct child *
child_start(enum child_kind kind, const char *name)
{
	return start(child_new(kind, name));
}

struct child *
child_start_ingest(const char *program)
{
	struct child *c = child_new(KIND_INGEST, NULL);

	c->program = program;
	return start(c);
}

/* Those who held something of this child let go of it. */
static void
tell_others(struct child *c)
{
	switch (c->kind) {
	case KIND_HTTP:
		streams_forget_viewers(c);
		break;
	case KIND_WEBRTC:
		streams_forget_viewers(c);
		feeds_worker_gone(c);
		break;
	case KIND_INGEST:
		accept_gone(c);
		feeds_ingest_gone(c);
		output_owner_gone(c);
		task_worker_gone(c);
		streams_child_gone(c);
		break;
	case KIND_JOBS:
		task_worker_gone(c);
		break;
	case KIND_FINISH:
		streams_child_gone(c);
		break;
	case KIND_FFMPEG:
		output_child_gone(c, c->status);
		task_ffmpeg_gone(c);
		break;
	case KIND_PUSH:
		output_child_gone(c, c->status);
		break;
	case KIND_REDIS:
		redis_child_gone(c);
		break;
	case KIND_REGISTRY:
	case KIND_WATCH:
	case KIND_HOOKS:
	case KIND_COUNT:
		break;
	}
}

/* Reaped and pipes closed: obituary, then what follows. */
static void
end_if_done(struct child *c)
{
	char next[64] = "";
	bool quiet;

	if (!c->reaped || !c->pipes_closed)
		return;
	quiet = c->kind == KIND_INGEST ? c->stream == NULL : c->kind == KIND_FFMPEG && c->output == NULL;
	evtimer_del(c->timer);
	tell_others(c);
	if (c->wanted && !sv.stopping)
		child_again(c, next, sizeof(next));
	else if (c->kind == KIND_INGEST && !quiet && !c->said_bye)
		str_copy(next, "its publisher must reconnect", sizeof(next));
	if (c->kind != KIND_PUSH)	/* output_push.c says more, and less often */
		child_obituary(c, next, quiet);
	if (!c->wanted || sv.stopping)
		child_free(c);
}

void
child_reaped(pid_t pid, int status)
{
	struct child *c;

	for (c = child_list; c != NULL; c = c->next)
		if (c->pid == pid && !c->reaped && c->state != CHILD_BACKOFF)
			break;
	if (c == NULL) {
		log_debug("reaped pid %d, which is not in the table", (int)pid);
		return;
	}
	c->reaped = true;
	c->status = status;
	end_if_done(c);
}
