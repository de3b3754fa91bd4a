/*
 * record_scan.c - see record_scan.h. Runs on a thread: touches its struct only, logs nothing.
 * Memory stays bounded however many files there are: at twice the limit the older half goes.
 * A file's duration is read from it once; then it is known from the list before.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "siphash.h"
#include "util.h"
#include "workers/http/record_scan.h"

#define DEPTH_MAX 8		/* folders in folders */

int
record_order(int64_t ms, const char *file, const struct record *r)
{
	if (ms != r->started_ms)
		return ms > r->started_ms ? -1 : 1;
	return strcmp(file, r->file);
}

static int
compare(const void *a, const void *b)
{
	const struct record *x = a;

	return record_order(x->started_ms, x->file, b);
}

static void
sort_and_cut(struct record_list *l, size_t max)
{
	if (l->n > 1)
		qsort(l->r, l->n, sizeof(*l->r), compare);
	while (l->n > max)
		free(l->r[--l->n].file);
}

static void
add(struct record_scan *s, enum record_place place, const char *file, const struct stat *st)
{
	struct record_list *l = s->list;
	struct record *r;

	if (l->n == 2 * s->max)
		sort_and_cut(l, s->max);
	if (l->n == l->cap) {
		l->cap = l->cap == 0 ? 64 : 2 * l->cap;
		l->r = xrealloc(l->r, l->cap * sizeof(*l->r));
	}
	r = &l->r[l->n++];
	r->file = xstrdup(file);
	r->place = place;
	r->size = st->st_size;
	r->mtime_ms = (int64_t)st->st_mtim.tv_sec * 1000 + st->st_mtim.tv_nsec / 1000000;
	r->duration_ms = -1;
	r->started_ms = place == RECORD_RECORDINGS ? record_describe(s->pattern, file, r->stream) :
	    record_describe_media(file, r->stream);
	if (r->started_ms < 0)
		r->started_ms = r->mtime_ms;
	l->total++;
}

/* fd is taken. */
static int
walk(struct record_scan *s, enum record_place place, int fd, const char *folder, int depth)
{
	DIR *d = fd >= 0 ? fdopendir(fd) : NULL;
	char file[RECORD_FILE_MAX];
	struct dirent *e;
	struct stat st;

	if (d == NULL)
		return -1;
	while ((e = readdir(d)) != NULL) {
		if ((size_t)snprintf(file, sizeof(file), "%s%s%s", folder, folder[0] != '\0' ? "/" : "", e->d_name) >=
		    sizeof(file) || !record_file_ok(file) || fstatat(fd, e->d_name, &st, AT_SYMLINK_NOFOLLOW) == -1)
			continue;
		if (S_ISDIR(st.st_mode) && depth < DEPTH_MAX)
			walk(s, place, openat(fd, e->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC), file,
			    depth + 1);
		else if (S_ISREG(st.st_mode) && record_type_of(file) != NULL)
			add(s, place, file, &st);
	}
	closedir(d);
	return 0;
}

static int64_t
duration(int top, const char *file)
{
	uint8_t head[RECORD_HEAD_BYTES];
	int fd = openat(top, file, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	ssize_t n = fd >= 0 ? pread(fd, head, sizeof(head), 0) : -1;

	if (fd >= 0)
		close(fd);
	return n < 4 ? -1 : memcmp(head, "RIFF", 4) == 0 ? record_wav_ms(head, (size_t)n) :
	    record_mp4_ms(head, (size_t)n);
}

static void
durations(struct record_scan *s, const int tops[RECORD_PLACES])
{
	const struct record_list *old = s->old;
	struct record *r, *was;

	for (r = s->list->r; r < s->list->r + s->list->n; r++) {
		was = old != NULL && old->n > 0 ? bsearch(r, old->r, old->n, sizeof(*r), compare) : NULL;
		r->duration_ms = was != NULL && was->size == r->size && was->mtime_ms == r->mtime_ms ?
		    was->duration_ms : duration(tops[r->place], r->file);
	}
}

static void
write_text(struct record_list *l, const struct record_list *old)
{
	static const uint8_t key[16];
	json_t *video = json_array(), *audio = json_array(), *o;
	char *text;
	size_t len;
	bool same;

	for (const struct record *r = l->r; r < l->r + l->n; r++)
		json_array_append_new(record_type_of(r->file)->audio ? audio : video, json_string(r->file));
	o = json_pack("{s:o, s:o}", "video", video, "audio", audio);
	text = json_dumps(o, JSON_COMPACT);
	json_decref(o);
	if (text == NULL)
		return;
	len = strlen(text);
	l->text_hash = siphash(key, text, len);
	/* unchanged it stays the same file, with its ETag */
	same = old != NULL && old->text_fd >= 0 && old->text_hash == l->text_hash;
	l->text_fd = same ? fcntl(old->text_fd, F_DUPFD_CLOEXEC, 3) : memfd_create("recordings", MFD_CLOEXEC);
	if (!same && l->text_fd >= 0 && write(l->text_fd, text, len) != (ssize_t)len) {
		close(l->text_fd);
		l->text_fd = -1;
	}
	free(text);
}

/* -1 in place of a folder that is not there. 0, or -1 + errno. */
static int
open_tops(const char *data_dir, int tops[RECORD_PLACES])
{
	static const char *const names[] = { "recordings", "media/video", "media/audio" };
	char path[PATH_MAX + 16];
	int rc = 0;

	for (int i = 0; i < RECORD_PLACES; i++) {
		snprintf(path, sizeof(path), "%s/%s", data_dir, names[i]);
		tops[i] = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (tops[i] < 0 && errno != ENOENT)
			rc = errno;
	}
	errno = rc;
	return rc == 0 ? 0 : -1;
}

static void
close_tops(int tops[RECORD_PLACES])
{
	for (int i = 0; i < RECORD_PLACES; i++)
		if (tops[i] >= 0)
			close(tops[i]);
}

int
record_scan(void *ctx)
{
	struct record_scan *s = ctx;
	int tops[RECORD_PLACES], rc = open_tops(s->data_dir, tops), error = errno;

	s->list = xcalloc(1, sizeof(*s->list));
	s->list->text_fd = -1;
	if (rc < 0) {
		record_list_free(&s->list);
		close_tops(tops);
		errno = error;
		return -1;
	}
	for (int i = 0; i < RECORD_PLACES; i++)
		if (tops[i] >= 0)
			walk(s, (enum record_place)i, fcntl(tops[i], F_DUPFD_CLOEXEC, 3), "",
			    i == RECORD_RECORDINGS ? 1 : DEPTH_MAX);
	sort_and_cut(s->list, s->max);
	durations(s, tops);
	close_tops(tops);
	write_text(s->list, s->old);
	return 0;
}

void
record_list_free(struct record_list **lp)
{
	struct record_list *l = *lp;

	*lp = NULL;
	if (l == NULL)
		return;
	for (size_t i = 0; i < l->n; i++)
		free(l->r[i].file);
	if (l->text_fd >= 0)
		close(l->text_fd);
	free(l->r);
	free(l);
}
