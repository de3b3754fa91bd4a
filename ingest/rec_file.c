/*
 * rec_file.c - a raw recording's file (contract in rec_file.h). Called by sink_rec.c, which knows
 * when a new one begins.
 *
 * Plain appends on the loop: a write into the page cache takes 0.1 ms, and what was written
 * survives the process. fdatasync(2) is another thread's: it took 80 ms beside a busy disk.
 * The lock tells others, also after a crash, that nobody writes any more.
 */
#include "rec_file.h"

#include <errno.h>
#include <event2/buffer.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <time.h>
#include <unistd.h>

#include "framing.h"
#include "util.h"

#define TAGS_PER_WRITE 64
#define NAME_TRIES 100

static void
make_name(char *buf, size_t size, int64_t wall_ms, bool matroska)
{
	time_t sec = (time_t)(wall_ms / 1000);
	char day[24];
	struct tm tm;

	gmtime_r(&sec, &tm);
	strftime(day, sizeof(day), "%Y%m%dT%H%M%S", &tm);
	snprintf(buf, size, "%s.%03dZ.%s", day, (int)(wall_ms % 1000), matroska ? "mkv" : "flv");
}

/* A name that neither suffix has: both become the same MP4. */
static int
take_name(struct rec_file *f, const char *dir, const char *hidden, int64_t wall_ms)
{
	char path[600], other[40];

	for (int i = 0; i < NAME_TRIES; i++) {
		make_name(other, sizeof(other), wall_ms + i, !f->matroska);
		snprintf(path, sizeof(path), "%s/%s", dir, other);
		if (access(path, F_OK) == 0)
			continue;
		make_name(f->name, sizeof(f->name), wall_ms + i, f->matroska);
		snprintf(path, sizeof(path), "%s/%s", dir, f->name);
		if (link(hidden, path) == 0)
			return 0;
		if (errno != EEXIST)
			return -1;
	}
	errno = EEXIST;
	return -1;
}

/* Locked before it has its name: nobody else ever sees it free. */
static int
make_file(struct rec_file *f, const char *dir, int64_t wall_ms)
{
	char hidden[600];
	int rc;

	snprintf(hidden, sizeof(hidden), "%s/.new", dir);
	unlink(hidden);		/* of a crash: without its name it has no media */
	f->fd = open(hidden, O_WRONLY | O_CREAT | O_EXCL | O_APPEND | O_CLOEXEC, 0640);
	if (f->fd < 0)
		return -1;
	rc = flock(f->fd, LOCK_EX | LOCK_NB);
	if (rc == 0)
		rc = take_name(f, dir, hidden, wall_ms);
	unlink(hidden);
	return rc;
}

/* All of it, or the file is as it was. */
static int
append(struct rec_file *f, struct iovec *iov, int n, size_t len)
{
	ssize_t done = writev(f->fd, iov, n);

	if (done == (ssize_t)len) {
		f->bytes += done;
		return 0;
	}
	if (done >= 0)
		errno = ENOSPC;
	done = errno;
	if (ftruncate(f->fd, f->bytes) < 0 && errno != EROFS)
		done = errno;
	errno = (int)done;
	return -1;
}

int
rec_file_open(struct rec_file *f, const char *dir, const struct tag *first, int64_t frame_ms)
{
	struct evbuffer *head = evbuffer_new();
	struct iovec iov;
	int rc;

	memset(f, 0, sizeof(*f));
	f->gen = first->gen;
	f->matroska = ring_gen_enhanced(first->gen);
	f->base_ms = first->dts_ms;
	framing_headers(head, first->gen, FRAMING_ALL, f->matroska, frame_ms);
	iov = (struct iovec){ evbuffer_pullup(head, -1), evbuffer_get_length(head) };
	rc = make_file(f, dir, first->wall_ms);
	if (rc == 0)
		rc = append(f, &iov, 1, iov.iov_len);
	evbuffer_free(head);
	if (rc < 0 && f->fd >= 0) {
		char path[600];
		int why = errno;

		snprintf(path, sizeof(path), "%s/%s", dir, f->name);
		unlink(path);
		close(f->fd);
		f->fd = -1;
		errno = why;
	}
	return rc;
}

int
rec_file_write(struct rec_file *f, struct tag **next, const struct tag *stop)
{
	struct framing g[TAGS_PER_WRITE];
	struct iovec iov[FRAMING_PIECES * TAGS_PER_WRITE];

	while (*next != NULL && *next != stop && (*next)->gen == f->gen) {
		struct tag *t = *next;
		size_t len = 0;
		int n = 0;

		for (int i = 0; i < TAGS_PER_WRITE && t != NULL && t != stop && t->gen == f->gen; i++, t = t->next) {
			n += framing_tag(f->matroska, t, f->base_ms, true, &g[i], iov + n);
			len += framing_bytes(f->matroska, t);
		}
		if (append(f, iov, n, len) < 0)
			return -1;
		*next = t;
	}
	return 0;
}

void
rec_file_close(struct rec_file *f, struct rec_sync *s)
{
	if (f->fd < 0)
		return;
	flock(f->fd, LOCK_UN);
	rec_sync_give(s, f->fd, true, 0);
	f->fd = -1;
}
