/*
 * events.c - what happened, told to the world: every event gets an id, is appended to
 * data_dir/spool as one line of JSON and, if a registry is there, sent to it. What the
 * registry has not confirmed by then stays in the spool, which it replays; it deletes the
 * files it has sent, but never the newest, which is ours to write.
 *
 * Never waits and never fails: what the disk does not take is dropped and counted. The
 * spool is bounded by events.spool_max; its size is looked up when a file is begun.
 *
 * A new file is begun beyond 256 KiB, and for every new registry, so that the one before
 * can be deleted. Called by streams*.c, output.c, child*.c; started and stopped by main.c.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "conf.h"
#include "log.h"
#include "supervisor/supervisor.h"
#include "util.h"

#define EVENTS_FILE_BYTES (256 << 10)
#define EVENTS_SAY_MS 60000	/* dropped events are told of this often */

static struct {
	int fd;
	char dir[400];
	int64_t epoch, written, others;	/* bytes in our file, in the others */
	int64_t full_ms, said_ms;	/* when the spool was last looked at, found full; told so */
	uint64_t counter, dropped;
	pid_t registry;			/* for which the file was begun */
} ev = { .fd = -1 };

/* Bytes in the spool, but for the file now open. At most a few hundred names. */
static int64_t
spool_bytes(void)
{
	struct dirent *entry;
	int64_t total = 0;
	struct stat st;
	DIR *dir = opendir(ev.dir);

	if (dir == NULL)
		return 0;
	while ((entry = readdir(dir)) != NULL)
		if (strncmp(entry->d_name, "events-", 7) == 0 &&
		    fstatat(dirfd(dir), entry->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0)
			total += st.st_size;
	closedir(dir);
	return total;
}

static void
begin_file(void)
{
	char path[512];

	if (ev.fd != -1)
		close(ev.fd);
	ev.others = spool_bytes();
	ev.written = 0;
	snprintf(path, sizeof(path), "%s/events-%lld.jsonl", ev.dir, (long long)wall_ms());
	ev.fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0640);
	if (ev.fd == -1)
		log_warn("%s: events are sent, but not kept", path);
}

static void
dropped(const char *why)
{
	int64_t now = now_ms();

	ev.dropped++;
	if (ev.said_ms != 0 && now - ev.said_ms < EVENTS_SAY_MS)
		return;
	ev.said_ms = now;
	log_warnx("events do not fit into the spool (%s): %llu dropped so far", why,
	    (unsigned long long)ev.dropped);
}

/* The registry deletes files as it sends them, so a full spool may have room again. */
static bool
spool_is_full(int64_t more)
{
	int64_t max = conf_int(sv.conf, "events.spool_max"), now = now_ms();

	if (ev.others + ev.written + more <= max)
		return false;
	if (ev.full_ms == 0 || now - ev.full_ms >= 1000) {
		ev.full_ms = now;
		ev.others = spool_bytes() - ev.written;
	}
	return ev.others + ev.written + more > max;
}

static void
append(const char *line, size_t len)
{
	ssize_t n;

	if (ev.fd == -1 || ev.written + (int64_t)len > EVENTS_FILE_BYTES)
		begin_file();
	if (ev.fd == -1)
		return;
	if (spool_is_full((int64_t)len)) {
		dropped("events.spool_max");
		return;
	}
	n = write(ev.fd, line, len);
	if (n > 0)
		ev.written += n;
	if (n == (ssize_t)len)
		return;
	/* Half a line would spoil the next one. */
	if (n > 0 && ftruncate(ev.fd, ev.written - n) == 0)
		ev.written -= n;
	dropped(n == -1 ? strerror(errno) : "no space left on the disk");
}

static void
stamp(json_t *body)
{
	char id[96], time[32];

	snprintf(id, sizeof(id), "%s-%lld-%llu", sv.host_id, (long long)ev.epoch,
	    (unsigned long long)++ev.counter);
	json_object_set_new(body, "id", json_string(id));
	json_object_set_new(body, "time", json_string(wall_format(wall_ms(), time)));
	json_object_set_new(body, "host", msg_text(sv.host, strlen(sv.host)));
}

/* They look for it a moment sooner; one that does not hear it looks anyway. */
static void
tell_hooks(void)
{
	struct child *hooks = child_first(KIND_HOOKS);

	if (hooks != NULL && hooks->control != NULL && msg_chan_queued(hooks->control) == 0)
		msg_send(hooks->control, MSG_EVENT, 0, json_pack("{s:s}", "event", "events"), NULL, 0);
}

void
events_emit(json_t *body)
{
	struct child *registry = child_first(KIND_REGISTRY);
	char *text;

	if (body == NULL || ev.epoch == 0) {
		json_decref(body);
		return;
	}
	stamp(body);
	if (registry != NULL && registry->pid != ev.registry) {
		ev.registry = registry->pid;
		if (ev.written > 0)
			begin_file();
	}
	text = json_dumps(body, JSON_COMPACT);
	if (text != NULL) {
		char *line = xasprintf("%s\n", text);

		append(line, strlen(line));
		free(line);
	}
	free(text);
	if (registry == NULL || registry->control == NULL)
		json_decref(body);
	else if (msg_send(registry->control, MSG_EVENT, 0, body, NULL, 0) == -1)
		log_debug("the registry reads this event from the spool later");
	else
		tell_hooks();
}

void
events_start(void)
{
	if (path_join(ev.dir, sizeof(ev.dir), conf_str(sv.conf, "data_dir"), "spool") == -1)
		fatalx("data_dir is too long");
	if (dir_ensure(ev.dir, 0750) == -1)
		log_warn("%s", ev.dir);
	ev.epoch = wall_ms();
	begin_file();
}

void
events_stop(void)
{
	if (ev.fd != -1)
		close(ev.fd);
	ev.fd = -1;
	ev.epoch = 0;
}
