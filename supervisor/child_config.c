/*
 * child_config.c - what a child is handed besides its channel: its view of the config, as
 * a sealed memfd, and its limits.
 *
 * One memfd per kind is made and kept until a reload, so that a start costs no JSON.
 * Called by child.c for every launch, by child_work.c after a reload, by control.c for a log level.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "conf.h"
#include "log.h"
#include "supervisor/child.h"
#include "supervisor/conf_table.h"
#include "util.h"

static int cached[KIND_COUNT];	/* descriptor + 1; 0 = not made yet */
static char level[8];		/* what `millrace loglevel` has set; "" = the config's */

static int
make(enum child_kind kind)
{
	json_t *view = conf_view(sv.conf, child_kind_name(kind));
	int fd, webrtc[2];

	if (view == NULL) {
		log_warnx("no config for a %s", child_kind_name(kind));
		errno = EINVAL;
		return -1;
	}
	json_object_set_new(view, "listeners", json_integer(kind == KIND_HTTP ? sv.nlisten_http :
	    kind == KIND_WEBRTC ? listen_webrtc_fds(0, webrtc) : 0));
	json_object_set_new(view, "alone", json_boolean(strcmp(conf_str(sv.conf, "redis.url"), "embedded") == 0));
	json_object_set_new(view, "wanted_events", conf_wanted_events(sv.conf));
	json_object_set_new(view, "host_id", json_string(sv.host_id));
	json_object_set_new(view, "host", json_string(sv.host));
	if (level[0] != '\0')
		conf_set(view, "log.level", json_string(level));
	fd = conf_write_memfd(view);
	json_decref(view);
	return fd;
}

int
child_config_fd(enum child_kind kind)
{
	int fd;

	if (cached[kind] == 0) {
		fd = make(kind);
		if (fd == -1)
			return -1;
		cached[kind] = fd + 1;
	}
	return fcntl(cached[kind] - 1, F_DUPFD_CLOEXEC, 3);
}

static void
forget(void)
{
	int kind;

	for (kind = 0; kind < KIND_COUNT; kind++) {
		if (cached[kind] != 0)
			close(cached[kind] - 1);
		cached[kind] = 0;
	}
}

void
child_config_reset(void)
{
	level[0] = '\0';
	forget();
}

void
child_config_level(const char *name)
{
	str_copy(level, name, sizeof(level));
	forget();
}

static void
limit(pid_t pid, enum __rlimit_resource what, int64_t value)
{
	struct rlimit r;

	if (value <= 0 || prlimit(pid, what, NULL, &r) == -1)
		return;
	if (r.rlim_max != RLIM_INFINITY && (rlim_t)value > r.rlim_max)
		return;		/* it has less already */
	r.rlim_cur = r.rlim_max = (rlim_t)value;
	if (prlimit(pid, what, &r, NULL) == -1)
		log_debug("cannot limit pid %d", (int)pid);
}

#if !defined(__SANITIZE_ADDRESS__)
/* A webrtc worker has the rings of all its streams; with limits.worker_memory for the rest. */
static int64_t
worker_memory(enum child_kind kind)
{
	int64_t bytes = conf_int(sv.conf, "limits.worker_memory");
	int64_t workers = conf_int(sv.conf, "webrtc.workers");

	if (kind == KIND_WEBRTC && workers > 0)
		bytes += (conf_int(sv.conf, "streams.max") + workers - 1) / workers * conf_int(sv.conf, "webrtc.ring");
	return bytes;
}
#endif

void
child_limits(const struct child *c)
{
	/* An http worker has a descriptor per connection and one per file it sends; a webrtc worker one per
	 * viewer's TCP connection, one per WebSocket, and those of its streams. */
	if (c->kind == KIND_HTTP)
		limit(c->pid, RLIMIT_NOFILE, 2 * conf_int(sv.conf, "http.max_connections") + 128);
	else if (c->kind == KIND_WEBRTC)
		limit(c->pid, RLIMIT_NOFILE, 2 * (conf_int(sv.conf, "webrtc.max_viewers") +
		    conf_int(sv.conf, "webrtc.max_handshakes")) + 3 * BOARD_STREAMS);
	else
		limit(c->pid, RLIMIT_NOFILE, conf_int(sv.conf, "limits.files"));
#if !defined(__SANITIZE_ADDRESS__)	/* whose shadow memory is terabytes of address space */
	if (c->kind == KIND_INGEST)
		limit(c->pid, RLIMIT_AS, conf_int(sv.conf, "limits.ingest_memory"));
	else	/* not address space: each thread's arena reserves 64 MiB of it that are never used */
		limit(c->pid, RLIMIT_DATA, worker_memory(c->kind));
#endif
}
