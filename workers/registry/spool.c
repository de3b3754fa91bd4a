/*
 * spool.c - events on disk, read in the order in which they were written, from where we
 * last were (contract in spool.h).
 *
 * It touches nothing but data_dir/spool, writes only spool/offset, and deletes what has
 * been sent. The order is that of the names, which are times; but a file that somebody has
 * open for writing comes last whatever it is called, since the clock may have been set
 * back. Called by events.c; the rest of the registry never sees the spool.
 */
#include "spool.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "log.h"
#include "util.h"

#define FILES_MAX 4096

bool
spool_is_file(const char *name)
{
	size_t digits;

	if (strncmp(name, "events-", 7) != 0)
		return false;
	digits = strspn(name + 7, "0123456789");
	return digits > 0 && digits < 20 && strcmp(name + 7 + digits, ".jsonl") == 0;
}

int
spool_pos_parse(const char *text, struct spool_pos *out)
{
	long long offset;
	int end = 0;

	memset(out, 0, sizeof *out);
	if (sscanf(text, "%63s %19lld%n", out->file, &offset, &end) == 2 && offset >= 0 &&
	    strcmp(text + end, "\n") == 0 && spool_is_file(out->file)) {
		out->offset = offset;
		return 0;
	}
	memset(out, 0, sizeof *out);
	errno = EBADMSG;
	return -1;
}

int
spool_pos_print(const struct spool_pos *p, char *out, size_t size)
{
	return snprintf(out, size, "%s %lld\n", p->file, (long long)p->offset);
}

void
spool_open(struct spool *s, const char *dir)
{
	char path[512], *text;

	memset(s, 0, sizeof *s);
	str_copy(s->dir, dir, sizeof s->dir);
	if (path_join(path, sizeof path, dir, "offset") < 0)
		return;
	text = file_read(path, 256, NULL);
	if (!text)
		return;
	if (spool_pos_parse(text, &s->pos) < 0)
		log_warnx("%s is damaged: events are sent from the start; known ones are not doubled",
		    path);
	free(text);
}

struct file {
	char name[SPOOL_NAME];
	bool written;		/* somebody has it open for writing */
};

/* A read lease is given only on a file that nobody has open for writing (fcntl(2)). */
static bool
being_written(int dirfd_, const char *name)
{
	int fd = openat(dirfd_, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	bool written;

	if (fd < 0)
		return false;
	written = fcntl(fd, F_SETLEASE, F_RDLCK) < 0 && errno == EAGAIN;
	if (!written)
		fcntl(fd, F_SETLEASE, F_UNLCK);
	close(fd);
	return written;
}

static int
file_compare(const void *a, const void *b)
{
	const struct file *x = a, *y = b;
	size_t nx = strlen(x->name), ny = strlen(y->name);

	if (x->written != y->written)
		return x->written ? 1 : -1;
	if (nx != ny)
		return nx < ny ? -1 : 1;
	return strcmp(x->name, y->name);
}

/* Names in the order of reading; *out is free()d. -1 + errno. */
static int
list_files(const char *path, struct file **out)
{
	DIR *dir = opendir(path);
	struct dirent *e;
	struct file *list = NULL;
	int n = 0;

	*out = NULL;
	if (!dir)
		return -1;
	while (n < FILES_MAX && (e = readdir(dir)) != NULL) {
		if (!spool_is_file(e->d_name))
			continue;
		if (n % 64 == 0)
			list = xrealloc(list, sizeof *list * (size_t)(n + 64));
		str_copy(list[n++].name, e->d_name, SPOOL_NAME);
	}
	for (int i = 0; i < n; i++)
		list[i].written = n > 1 && being_written(dirfd(dir), list[i].name);
	closedir(dir);
	if (n > 1)
		qsort(list, (size_t)n, sizeof *list, file_compare);
	*out = list;
	return n;
}

size_t
spool_split(char *bytes, size_t len, struct spool_batch *b)
{
	size_t used = 0;

	b->nlines = 0;
	while (b->nlines < SPOOL_BATCH) {
		char *line = bytes + used, *nl = memchr(line, '\n', len - used);

		if (!nl)
			break;
		*nl = '\0';
		used = (size_t)(nl + 1 - bytes);
		if (nl > line)
			b->lines[b->nlines++] = line;
	}
	return used;
}

/* 1: lines, or a position moved; 0: at the file's end. */
static int
read_lines(struct spool *s, const char *name, int64_t offset, struct spool_batch *b)
{
	char path[512];
	ssize_t n = -1;
	size_t used;
	int fd;

	if (path_join(path, sizeof path, s->dir, name) < 0)
		return -1;
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return -1;
	b->bytes = xmalloc(SPOOL_READ_BYTES);
	n = pread(fd, b->bytes, SPOOL_READ_BYTES, offset);
	close(fd);
	used = n > 0 ? spool_split(b->bytes, (size_t)n, b) : 0;
	if (used == 0 && n == SPOOL_READ_BYTES) {
		log_warnx("%s: a line of over %d bytes at %lld is skipped", path, SPOOL_READ_BYTES,
		    (long long)offset);
		used = SPOOL_READ_BYTES;
	}
	str_copy(b->next.file, name, sizeof b->next.file);
	b->next.offset = offset + (int64_t)used;
	if (used == 0)
		spool_batch_free(b);
	return n < 0 ? -1 : used > 0;
}

static void
remove_file(const struct spool *s, const char *name)
{
	char path[512];

	if (path_join(path, sizeof path, s->dir, name) == 0 && unlink(path) < 0)
		log_warn("%s", path);
}

int
spool_next(struct spool *s, struct spool_batch *b)
{
	struct file *list;
	int n = list_files(s->dir, &list), rc = 0;

	memset(b, 0, sizeof *b);
	for (int i = 0; i < n && rc == 0; i++) {
		bool same = strcmp(list[i].name, s->pos.file) == 0;

		rc = read_lines(s, list[i].name, same ? s->pos.offset : 0, b);
		/* What is left at the end of an old file is a line torn by a crash. */
		if (rc == 0 && i + 1 < n && !list[i].written)
			remove_file(s, list[i].name);
	}
	free(list);
	return n < 0 ? -1 : rc;
}

void
spool_batch_free(struct spool_batch *b)
{
	free(b->bytes);
	b->bytes = NULL;
	b->nlines = 0;
}

int
spool_done(struct spool *s, const struct spool_batch *b)
{
	char path[512], text[SPOOL_NAME + 32];

	s->pos = b->next;
	if (path_join(path, sizeof path, s->dir, "offset") < 0)
		return -1;
	return file_replace(path, text, (size_t)spool_pos_print(&s->pos, text, sizeof text));
}
