/*
 * upload_task.c - an upload's steps that wait for the disk (contract in upload_task.h). Their
 * order makes that nothing is promised that a crash takes away: bytes first, then the word of them.
 *
 * Two connections that want the same upload: the later one is the sender's newer one, so it leaves
 * ID.knock, and who has the lock finishes what it got and goes.
 */
#include "upload_task.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "conf.h"
#include "util.h"

static int
end(struct upload_task *t, enum upload_fault fault, int error)
{
	t->fault = fault;
	t->error = error;
	return 0;
}

static enum upload_fault
fault_of(int error)
{
	return error == ENOSPC || error == EDQUOT ? UPLOAD_NO_SPACE : UPLOAD_IO;
}

int
upload_task_create(void *ctx)
{
	struct upload_task *t = ctx;
	struct intake *in = &t->in;
	int64_t left, own;

	if (intake_count(t->data_dir, in->from, &own) >= t->max_uploads || own >= t->max_own)
		return end(t, UPLOAD_TOO_MANY, 0);
	left = disk_free_bytes(t->data_dir);
	if (left != -1 && left < t->reserve + (in->size > 0 ? in->size : 0))
		return end(t, UPLOAD_NO_SPACE, 0);
	if (intake_new_id(in->id) == -1)
		return end(t, UPLOAD_IO, errno);
	in->state = INTAKE_RECEIVING;
	in->created_ms = in->changed_ms = wall_ms();
	t->fd = intake_lock(t->data_dir, in->id, true);
	if (t->fd < 0 || intake_write(t->data_dir, in) == -1) {
		int error = errno;

		if (t->fd >= 0)
			close(t->fd);
		t->fd = -1;
		intake_drop(t->data_dir, in->id);
		return end(t, fault_of(error), error);
	}
	t->offset = 0;
	return end(t, UPLOAD_OK, 0);
}

/* Who has it looks for this file. */
static void
knock(const struct upload_task *t)
{
	char path[INTAKE_PATH];
	int fd;

	intake_path(t->data_dir, t->in.id, "knock", path);
	fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0640);
	if (fd >= 0)
		close(fd);
}

/* Who received them was killed before the end of the request, so nobody knows whether they are right. */
static int
drop_unchecked(struct upload_task *t)
{
	struct stat st;

	if (fstat(t->fd, &st) == -1 || (st.st_size > t->in.unchecked && ftruncate(t->fd, t->in.unchecked) == -1) ||
	    fsync(t->fd) == -1)
		return -1;
	t->in.unchecked = -1;
	return intake_write(t->data_dir, &t->in);
}

static int
open_locked(struct upload_task *t)
{
	char path[INTAKE_PATH];
	struct stat st;

	unlink(intake_path(t->data_dir, t->in.id, "knock", path));
	/* who had it may have finished it before it let go */
	if (intake_read(t->data_dir, t->in.id, &t->in) == -1)
		return end(t, UPLOAD_NONE, errno);
	if (t->in.state != INTAKE_RECEIVING)
		return end(t, t->look_only ? UPLOAD_OK : UPLOAD_OVER, 0);
	if (t->in.unchecked >= 0 && drop_unchecked(t) == -1)
		return end(t, fault_of(errno), errno);
	if (fdatasync(t->fd) == -1 || fstat(t->fd, &st) == -1)
		return end(t, fault_of(errno), errno);
	t->offset = st.st_size;
	return end(t, UPLOAD_OK, 0);
}

int
upload_task_open(void *ctx)
{
	struct upload_task *t = ctx;

	if (intake_read(t->data_dir, t->in.id, &t->in) == -1)
		return end(t, UPLOAD_NONE, errno);
	if (t->in.state != INTAKE_RECEIVING) {
		t->offset = t->in.size;
		return end(t, t->look_only ? UPLOAD_OK : UPLOAD_OVER, 0);
	}
	t->fd = intake_lock(t->data_dir, t->in.id, false);
	if (t->fd < 0 && errno == EWOULDBLOCK) {
		knock(t);
		return end(t, UPLOAD_BUSY, 0);
	}
	if (t->fd < 0)
		return end(t, UPLOAD_NONE, errno);
	open_locked(t);
	if (t->fault != UPLOAD_OK || t->in.state != INTAKE_RECEIVING) {
		t->offset = t->in.size;
		close(t->fd);
		t->fd = -1;
	}
	return 0;
}

int
upload_task_sync(void *ctx)
{
	struct upload_task *t = ctx;

	return fdatasync(t->fd) == 0 ? end(t, UPLOAD_OK, 0) : end(t, fault_of(errno), errno);
}

int
upload_task_finish(void *ctx)
{
	struct upload_task *t = ctx;

	if (fsync(t->fd) == -1 || intake_write(t->data_dir, &t->in) == -1)
		return end(t, fault_of(errno), errno);
	return end(t, UPLOAD_OK, 0);
}
