/*
 * tree.c - the walk over recordings and raw recordings (contract in tree.h). Everything in here
 * but tree_new() may wait for the disk: house.c runs it on a thread. It touches no
 * configuration, no Redis and no log. Folders of raw recordings that are empty go.
 *
 * Whether a recording is in the bucket stands in its mark, a file of its own. A mark that is the
 * same file as at the last walk, for a recording that is, too, is not read again.
 */
#include "workers/jobs/tree.h"

#include <dirent.h>
#include <errno.h>
#include <fts.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "conf.h"
#include "stream_name.h"
#include "util.h"
#include "workers/jobs/raw.h"
#include "workers/jobs/upload_mark.h"

#define PATH_BYTES 1400

struct tree *
tree_new(const struct svc *svc)
{
	struct tree *t = xcalloc(1, sizeof(*t));

	t->data_dir = xstrdup(conf_str(svc->conf, "data_dir"));
	t->host_id = xstrdup(conf_str(svc->conf, "host_id"));
	return t;
}

void
tree_free(struct tree **tp)
{
	struct tree *t = *tp;

	*tp = NULL;
	if (t == NULL)
		return;
	tree_free(&t->before);
	for (size_t i = 0; i < t->nfiles; i++) {
		free(t->files[i].file);
		free(t->files[i].mark);
	}
	for (size_t i = 0; i < t->nraws; i++)
		free(t->raws[i].file);
	for (size_t i = 0; i < t->nlost; i++)
		free(t->lost[i]);
	free(t->files);
	free(t->raws);
	free(t->lost);
	free(t->data_dir);
	free(t->host_id);
	free(t);
}

/* A new one of n, whose room grows. */
static void *
add(void *list, size_t *n, size_t *room, size_t size)
{
	char *p = list;

	if (*n == *room) {
		*room = *room * 2 + 64;
		p = xrealloc(p, *room * size);
	}
	memset(p + *n * size, 0, size);
	(*n)++;
	return p;
}

int64_t
tree_mtime_ns(const struct stat *st)
{
	return (int64_t)st->st_mtim.tv_sec * 1000000000 + st->st_mtim.tv_nsec;
}

/* --- recordings --- */

static int
by_name(const void *a, const void *b)
{
	return strcmp(((const struct tree_file *)a)->file, ((const struct tree_file *)b)->file);
}

static const struct tree_file *
known(const struct tree *before, const struct tree_file *f)
{
	const struct tree_file *old = before == NULL || before->nfiles == 0 ? NULL :
	    bsearch(f, before->files, before->nfiles, sizeof(*f), by_name);

	return old != NULL && old->inode == f->inode && old->size == f->size &&
	    old->mtime_ns == f->mtime_ns ? old : NULL;
}

static void
look_at_mark(const struct tree *t, struct tree_file *f, const struct tree_file *old)
{
	struct stat st;
	json_t *mark;

	if (upload_mark_stat(t->data_dir, f->id, &st) == -1)
		return;
	f->mark_inode = st.st_ino;
	f->mark_mtime_ns = tree_mtime_ns(&st);
	if (old != NULL && !t->texts && old->mark_inode == f->mark_inode && old->mark_mtime_ns == f->mark_mtime_ns) {
		f->verified = old->verified;
		return;
	}
	mark = upload_mark_read(t->data_dir, f->id, f->size, f->mtime_ns);
	f->verified = mark != NULL;
	if (mark != NULL && t->texts)
		f->mark = json_dumps(mark, JSON_COMPACT);
	json_decref(mark);
}

static void
add_recording(struct tree *t, const char *path, const struct stat *st)
{
	const struct tree_file *old;
	struct tree_file *f;

	t->files = add(t->files, &t->nfiles, &t->files_room, sizeof(*f));
	f = &t->files[t->nfiles - 1];
	f->file = xstrdup(path + strlen(t->data_dir) + 1);
	f->size = st->st_size;
	f->mtime_ns = tree_mtime_ns(st);
	f->inode = st->st_ino;
	old = known(t->before, f);
	if (old != NULL) {
		memcpy(f->id, old->id, sizeof(f->id));
		f->asked_ms = old->asked_ms;
	} else
		ledger_id_of(t->host_id, path, f->id);
	look_at_mark(t, f, old);
}

static void
walk_recordings(struct tree *t)
{
	char top[PATH_BYTES];
	char *const tops[] = { top, NULL };
	FTSENT *e;
	FTS *f;

	snprintf(top, sizeof(top), "%s/recordings", t->data_dir);
	f = fts_open(tops, FTS_PHYSICAL | FTS_NOCHDIR, NULL);
	while (f != NULL && (e = fts_read(f)) != NULL)
		if (e->fts_info == FTS_F && e->fts_name[0] != '.' && e->fts_namelen > 4 &&
		    strcmp(e->fts_name + e->fts_namelen - 4, ".mp4") == 0)
			add_recording(t, e->fts_path, e->fts_statp);
	if (f != NULL)
		fts_close(f);
	if (t->nfiles > 0)
		qsort(t->files, t->nfiles, sizeof(*t->files), by_name);
}

/* --- raw recordings --- */

/*
 * A stream that is live, or may come back, has its folder below hls. Whose ingest begins just now holds a lock
 * on this one (ingest/stream.c), or will see that it is gone and make it again.
 */
static void
remove_folder(const struct tree *t, const char *name, DIR *d, const char *dir)
{
	char hls[PATH_BYTES];
	struct stat st, open;

	snprintf(hls, sizeof(hls), "%s/hls/%s", t->data_dir, name);
	if (!stream_name_ok(name, strlen(name)) || access(hls, F_OK) == 0 || errno != ENOENT ||
	    flock(dirfd(d), LOCK_EX | LOCK_NB) == -1)
		return;
	if (fstat(dirfd(d), &open) == 0 && stat(dir, &st) == 0 && st.st_ino == open.st_ino)
		rmdir(dir);
}

static void
walk_raws(struct tree *t, const char *name)
{
	char dir[PATH_BYTES], path[PATH_BYTES + 256], file[PATH_BYTES];
	bool empty = true;
	struct raw raw;
	struct dirent *e;
	DIR *d;

	snprintf(dir, sizeof(dir), "%s/rec/%s", t->data_dir, name);
	d = opendir(dir);
	while (d != NULL && (e = readdir(d)) != NULL) {
		empty = empty && (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0);
		snprintf(file, sizeof(file), "rec/%s/%.255s", name, e->d_name);
		if (raw_parse_path(file, &raw) == -1)
			continue;
		snprintf(path, sizeof(path), "%s/%.255s", dir, e->d_name);
		t->raws = add(t->raws, &t->nraws, &t->raws_room, sizeof(*t->raws));
		t->raws[t->nraws - 1] = (struct tree_raw){ xstrdup(file), raw_is_free(path) };
	}
	if (d != NULL && empty)
		remove_folder(t, name, d, dir);
	if (d != NULL)
		closedir(d);
}

static void
walk_rec(struct tree *t)
{
	char dir[PATH_BYTES];
	struct dirent *e;
	DIR *d;

	snprintf(dir, sizeof(dir), "%s/rec", t->data_dir);
	d = opendir(dir);
	t->failed = d == NULL && errno != ENOENT;
	while (d != NULL && (e = readdir(d)) != NULL)
		if (e->d_name[0] != '.')
			walk_raws(t, e->d_name);
	if (d != NULL)
		closedir(d);
}

/* --- marks --- */

/* A mark of a recording that is not there any more; others (of watched folders) are not ours. */
static void
look_for(struct tree *t, const char *name)
{
	char of[PATH_BYTES], top[PATH_BYTES];
	size_t n = (size_t)snprintf(top, sizeof(top), "%s/recordings/", t->data_dir);

	if (upload_mark_path(t->data_dir, name, of, sizeof(of)) == -1 || strncmp(of, top, n) != 0 ||
	    access(of, F_OK) == 0 || errno != ENOENT)
		return;
	t->lost = add(t->lost, &t->nlost, &t->lost_room, sizeof(*t->lost));
	t->lost[t->nlost - 1] = xstrdup(of);
}

static void
walk_marks(struct tree *t)
{
	char path[PATH_BYTES];
	struct dirent *e;
	size_t n;
	DIR *d;

	snprintf(path, sizeof(path), "%s/uploads", t->data_dir);
	d = opendir(path);
	while (d != NULL && (e = readdir(d)) != NULL) {
		n = strlen(e->d_name);
		if (n > 5 && strcmp(e->d_name + n - 5, ".done") == 0)
			look_for(t, e->d_name);
	}
	if (d != NULL)
		closedir(d);
}

void
tree_walk(struct tree *t)
{
	walk_rec(t);
	if (t->recordings)
		walk_recordings(t);
	if (t->orphans)
		walk_marks(t);
	tree_free(&t->before);
}
