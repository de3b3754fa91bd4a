/*
 * upload_store.c - one upload being received (contract in upload_store.h). Bytes are written on the
 * loop, which costs next to nothing; syncs are a thread's, one at a time, so a busy disk makes the
 * acks rarer and nothing else. Called by upload_session.c.
 */
#include "upload_store.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "conf.h"
#include "log.h"
#include "slow.h"
#include "upload_task.h"
#include "util.h"

#define TICK_MS 100
#define SYNC_MS 200		/* between two syncs of one that goes on */
#define SYNC_BYTES (8 << 20)	/* unless so much has come */
#define SPACE_MS 1000		/* between two looks at the disk's free space */
#define LET_GO_MS 5000		/* what another connection may take for it */

static void begin_finish(struct upload_store *s);

static struct upload_task *
task_new(struct upload_store *s)
{
	struct upload_task *t = xcalloc(1, sizeof(*t));

	t->store = s;
	t->in = s->in;
	t->fd = s->fd;
	t->offset = s->written;
	t->max_uploads = conf_int(s->svc->conf, "upload.max_uploads");
	t->max_own = conf_int(s->svc->conf, "upload.max_per_address");
	t->reserve = conf_int(s->svc->conf, "disk.reserve");
	t->look_only = s->find;
	str_copy(t->data_dir, conf_str(s->svc->conf, "data_dir"), sizeof(t->data_dir));
	return t;
}

/* --- it goes no further --- */

static const char *
explain(const struct upload_store *s, enum upload_fault fault, int error, char *buf, size_t size)
{
	static const char *const words[] = {
		[UPLOAD_NONE] = "there is no such upload here: it was finished and forgotten, deleted, or never begun",
		[UPLOAD_OVER] = "the upload is complete: nothing can be added",
		[UPLOAD_BUSY] = "another connection is sending this upload and does not let go; try again in a moment",
		[UPLOAD_TOO_MANY] = "as many are here as upload.max_uploads or max_per_address allows; try later",
		[UPLOAD_NO_SPACE] = "the server has no space left (disk.reserve); what was received is kept, "
		    "try again later",
	};

	if (words[fault] != NULL)
		return words[fault];
	snprintf(buf, size, "the server cannot store it: %s", strerror(error));
	return buf;
}

static void
fail(struct upload_store *s, enum upload_fault fault, const char *why)
{
	if (s->broken)
		return;
	s->broken = true;
	s->ops->failed(s->ctx, fault, why);
}

/* --- threads are done --- */

static void
opened(struct upload_store *s, struct upload_task *t)
{
	char buf[160];

	if (t->fault == UPLOAD_BUSY && now_ms() < s->wait_until_ms)
		return;			/* tick_cb() tries again */
	s->wait_until_ms = 0;
	s->in = t->in;
	s->fd = t->fd;
	s->written = s->synced = t->offset;
	s->ops->opened(s->ctx, t->fault, t->fault == UPLOAD_OK ? "" : explain(s, t->fault, t->error, buf, sizeof(buf)));
}

static void
synced(struct upload_store *s, struct upload_task *t)
{
	char buf[160];

	if (t->fault != UPLOAD_OK) {
		fail(s, t->fault, explain(s, t->fault, t->error, buf, sizeof(buf)));
		return;
	}
	if (t->offset > s->synced)
		s->synced = t->offset;
	if (t->writes)
		s->dirty = false;
	s->ops->acked(s->ctx, s->synced);
}

static void
finished(struct upload_store *s, struct upload_task *t)
{
	char buf[160];

	if (t->fault != UPLOAD_OK) {
		fail(s, t->fault, explain(s, t->fault, t->error, buf, sizeof(buf)));
		return;
	}
	s->in = t->in;
	s->synced = s->written;
	close(s->fd);			/* its lock, too: a jobs worker may have it */
	s->fd = -1;
	s->ops->complete(s->ctx);
}

static struct upload_task *
task_done(void *ctx, struct upload_store **s)
{
	struct upload_task *t = ctx;

	*s = t->store;
	(*s)->slow = NULL;
	(*s)->task = NULL;
	return t;
}

/* upload_store_close() waits for it, and nobody else does any more. */
static bool
is_closed(const struct upload_store *s)
{
	return s->tick == NULL;
}

static void
opened_cb(int rc, void *ctx)
{
	struct upload_store *s;
	struct upload_task *t = task_done(ctx, &s);

	if (is_closed(s))
		s->fd = t->fd;
	else
		opened(s, t);
	free(t);
}

static void
synced_cb(int rc, void *ctx)
{
	struct upload_store *s;
	struct upload_task *t = task_done(ctx, &s);

	if (!is_closed(s))
		synced(s, t);
	free(t);
	if (!is_closed(s) && s->finishing && !s->broken && s->task == NULL)
		begin_finish(s);
}

static void
finished_cb(int rc, void *ctx)
{
	struct upload_store *s;
	struct upload_task *t = task_done(ctx, &s);

	if (!is_closed(s))
		finished(s, t);
	free(t);
}

static void
run(struct upload_store *s, int (*work)(void *ctx), void (*done)(int rc, void *ctx), struct upload_task *t)
{
	s->slow = slow_run(s->svc->base, work, done, t);
	if (s->slow == NULL)
		fatalx("no thread for an upload");	/* of an ingest: its one connection */
	s->task = t;
}

/* --- on the loop --- */

static void
sync_if_due(struct upload_store *s)
{
	int64_t waiting = s->written - s->synced, now = now_ms();
	struct upload_task *t;

	if (s->task != NULL || s->fd < 0 || s->finishing || s->broken || (waiting == 0 && !s->flush))
		return;
	if (!s->flush && waiting < SYNC_BYTES && now - s->synced_ms < SYNC_MS)
		return;
	s->flush = false;
	s->synced_ms = now;
	t = task_new(s);
	t->writes = s->dirty;
	run(s, t->writes ? upload_task_finish : upload_task_sync, synced_cb, t);
}

static bool
is_knocked(const struct upload_store *s)
{
	char path[INTAKE_PATH];

	return access(intake_path(conf_str(s->svc->conf, "data_dir"), s->in.id, "knock", path), F_OK) == 0;
}

static void
tick_cb(evutil_socket_t fd, short what, void *ctx)
{
	struct upload_store *s = ctx;

	if (s->wait_until_ms != 0 && s->task == NULL) {
		run(s, upload_task_open, opened_cb, task_new(s));
		return;
	}
	sync_if_due(s);
	if (s->fd >= 0 && !s->finishing && !s->broken && is_knocked(s))
		s->ops->wanted(s->ctx);
}

void
upload_store_init(struct upload_store *s, const struct svc *svc, const struct upload_store_ops *ops, void *ctx)
{
	static const struct timeval tv = { TICK_MS / 1000, TICK_MS % 1000 * 1000 };

	memset(s, 0, sizeof(*s));
		s->svc = svc;
	s->ops = ops;
	s->ctx = ctx;
	s->fd = -1;
	s->tick = event_new(svc->base, -1, EV_PERSIST, tick_cb, s);
	if (s->tick == NULL || event_add(s->tick, &tv) < 0)
		fatalx("out of memory");
}

/* A thread's work on a descriptor of ours is waited for: a disk that hangs is ended by SIGKILL. */
void
upload_store_close(struct upload_store *s)
{
	if (s->tick == NULL)
		return;
	event_free(s->tick);
	s->tick = NULL;
	while (s->task != NULL && event_base_loop(s->svc->base, EVLOOP_ONCE) == 0)
		;
	if (s->fd >= 0)
		close(s->fd);
	s->fd = -1;
}

void
upload_store_create(struct upload_store *s, const struct intake *in)
{
	s->in = *in;
	run(s, upload_task_create, opened_cb, task_new(s));
}

void
upload_store_open(struct upload_store *s, const char *id)
{
	str_copy(s->in.id, id, sizeof(s->in.id));
	s->wait_until_ms = now_ms() + LET_GO_MS;
	run(s, upload_task_open, opened_cb, task_new(s));
}

void
upload_store_find(struct upload_store *s, const char *id)
{
	s->find = true;
	upload_store_open(s, id);
}

/* Why so many more bytes can't come, or UPLOAD_OK. */
static enum upload_fault
check(struct upload_store *s, size_t len, const char **why)
{
	int64_t left, now = now_ms();

	*why = "it is longer than upload.max_size allows";
	if (s->written + (int64_t)len > conf_int(s->svc->conf, "upload.max_size"))
		return UPLOAD_TOO_BIG;
	*why = "more comes than was announced";
	if (s->in.size >= 0 && s->written + (int64_t)len > s->in.size)
		return UPLOAD_TOO_BIG;
	*why = "the server has less than disk.reserve left; what was received is kept, try again later";
	if (now - s->looked_ms < SPACE_MS)
		return UPLOAD_OK;
	s->looked_ms = now;
	left = disk_free_bytes(conf_str(s->svc->conf, "data_dir"));
	return left != -1 && left < conf_int(s->svc->conf, "disk.reserve") ? UPLOAD_NO_SPACE : UPLOAD_OK;
}

int
upload_store_write(struct upload_store *s, const void *p, size_t len)
{
	enum upload_fault fault;
	const char *why;
	char buf[160];
	ssize_t n;

	if (s->broken || s->fd < 0 || s->finishing)
		return -1;
	fault = check(s, len, &why);
	if (fault != UPLOAD_OK) {
		fail(s, fault, why);
		return -1;
	}
	for (size_t done = 0; done < len; done += (size_t)n) {
		n = pwrite(s->fd, (const char *)p + done, len - done, s->written);
		if (n < 0) {
			fault = errno == ENOSPC || errno == EDQUOT ? UPLOAD_NO_SPACE : UPLOAD_IO;
			fail(s, fault, explain(s, fault, errno, buf, sizeof(buf)));
			return -1;
		}
		s->written += n;
	}
	sync_if_due(s);
	return 0;
}

int64_t
upload_store_unsynced(const struct upload_store *s)
{
	return s->written - s->synced;
}

static void
flush(struct upload_store *s)
{
	s->flush = true;	/* no more will come now: acked() follows for all that is written, soon */
	sync_if_due(s);
}

static void
begin_finish(struct upload_store *s)
{
	struct upload_task *t = task_new(s);

	t->in.state = INTAKE_RECEIVED;
	t->in.size = s->written;
	t->in.unchecked = -1;
	t->in.changed_ms = wall_ms();
	run(s, upload_task_finish, finished_cb, t);
}

void
upload_store_finish(struct upload_store *s)
{
	if (s->finishing || s->broken || s->fd < 0)
		return;
	s->finishing = true;
	if (s->task == NULL)	/* else when that is done */
		begin_finish(s);
}

int
upload_store_rewind(struct upload_store *s, int64_t offset)
{
	if (s->fd < 0 || offset > s->written || ftruncate(s->fd, offset) == -1)
		return -1;
	s->written = offset;
	if (s->synced > offset)
		s->synced = offset;
	return 0;
}

void
upload_store_checked(struct upload_store *s)
{
	s->dirty |= s->in.unchecked != -1;
	s->in.unchecked = -1;
	flush(s);
}

int64_t
upload_store_touched_ms(const struct upload_store *s)
{
	struct stat st;

	return s->fd >= 0 && fstat(s->fd, &st) == 0 ? (int64_t)st.st_mtime * 1000 : wall_ms();
}

void
upload_store_update(struct upload_store *s)
{
	run(s, upload_task_finish, opened_cb, task_new(s));
}

int
upload_store_drop(struct upload_store *s)
{
	return intake_drop(conf_str(s->svc->conf, "data_dir"), s->in.id);
}
