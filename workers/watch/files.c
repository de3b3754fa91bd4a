/*
 * files.c - the table of files in watched folders, by folder and path, and the lists of those
 * that wait for something. Bounded by limits.watch_files: what is beyond is left on disk and
 * found by a later scan. Decides nothing; called by everybody here.
 */
#include <search.h>
#include <stdlib.h>
#include <string.h>

#include "log.h"
#include "util.h"
#include "workers/watch/watch.h"

static struct file_list lists[FILE_KNOWN] = {
	TAILQ_HEAD_INITIALIZER(lists[0]), TAILQ_HEAD_INITIALIZER(lists[1]), TAILQ_HEAD_INITIALIZER(lists[2]),
	TAILQ_HEAD_INITIALIZER(lists[3]), TAILQ_HEAD_INITIALIZER(lists[4]),
};
static bool said_full;

static int
by_rel(const void *a, const void *b)
{
	return strcmp(((const struct file *)a)->rel, ((const struct file *)b)->rel);
}

static struct file *
make_file(struct folder *fo, const char *rel)
{
	size_t n = strlen(rel) + 1;
	struct file *f;

	if (wa.nfiles >= wa.max_files) {
		if (!said_full)
			log_warnx("%lld files are known, as many as limits.watch_files lets: others wait until"
			    " some are removed: file=%s/%s", (long long)wa.nfiles, fo->dir, rel);
		said_full = true;
		return NULL;
	}
	f = xcalloc(1, sizeof *f + n);
	memcpy(f->rel, rel, n);
	f->folder = fo;
	f->generation = fo->generation;
	if (tsearch(f, &fo->tree, by_rel) == NULL)
		fatalx("out of memory");
	TAILQ_INSERT_TAIL(&fo->files, f, all);
	wa.nfiles++;
	f->state = FILE_SETTLING;
	f->due_ms = now_ms();
	TAILQ_INSERT_TAIL(&lists[FILE_SETTLING], f, turn);
	return f;
}

struct file *
files_get(struct folder *fo, const char *rel, bool make)
{
	union {
		struct file f;
		char room[sizeof(struct file) + WATCH_PATH];
	} key;
	struct file **found;

	str_copy(key.f.rel, rel, WATCH_PATH);
	found = tfind(&key.f, &fo->tree, by_rel);
	return found != NULL ? *found : make ? make_file(fo, rel) : NULL;
}

static void
leave_list(struct file *f)
{
	if (f->state == FILE_KNOWN)
		wa.nknown--;
	else
		TAILQ_REMOVE(&lists[f->state], f, turn);
}

void
files_state(struct file *f, enum file_state state)
{
	leave_list(f);
	f->state = state;
	if (state == FILE_KNOWN)
		wa.nknown++;
	else
		TAILQ_INSERT_TAIL(&lists[state], f, turn);
}

struct file *
files_first(enum file_state state)
{
	return TAILQ_FIRST(&lists[state]);
}

static void
free_file(struct file *f)
{
	leave_list(f);
	tdelete(f, &f->folder->tree, by_rel);
	TAILQ_REMOVE(&f->folder->files, f, all);
	wa.nfiles--;
	said_full = false;
	free(f);
}

void
files_gone(struct file *f)
{
	char path[WATCH_PATH], id[LEDGER_ID];

	if (f->state == FILE_ASKING || f->state == FILE_HASHING) {
		f->gone = true;
		return;
	}
	files_log_path(f, path);
	log_debug("gone: file=%s", path);
	if (f->waits && redis_is_up(wa.redis)) {
		/* It was never queued, so nobody else will say that it is gone. */
		ledger_id(wa.ledger, path, id);
		ledger_drop(wa.ledger, id, NULL, NULL);
	}
	free_file(f);
}

static bool
is_below(const char *rel, const char *dir)
{
	size_t n = strlen(dir);

	return n == 0 || (strncmp(rel, dir, n) == 0 && rel[n] == '/');
}

void
files_gone_below(struct folder *fo, const char *rel)
{
	struct file *f, *next;

	for (f = TAILQ_FIRST(&fo->files); f != NULL; f = next) {
		next = TAILQ_NEXT(f, all);
		if (is_below(f->rel, rel))
			files_gone(f);
	}
}

void
files_sweep(struct folder *fo)
{
	struct file *f, *next;

	for (f = TAILQ_FIRST(&fo->files); f != NULL; f = next) {
		next = TAILQ_NEXT(f, all);
		if (f->generation != fo->generation)
			files_gone(f);
	}
}

void
files_free_all(struct folder *fo)
{
	struct file *f;

	while ((f = TAILQ_FIRST(&fo->files)) != NULL)
		free_file(f);
}

bool
files_overtaken(struct file *f)
{
	if (!f->gone && !f->again)
		return false;
	/* What was removed may have come back since: the next look says. */
	f->gone = f->again = false;
	files_state(f, FILE_SETTLING);
	check_at(f, now_ms());
	return true;
}

void
files_doubt_all(void)
{
	struct folder *fo;
	struct file *f;

	TAILQ_FOREACH(fo, &wa.folders, next)
		TAILQ_FOREACH(f, &fo->files, all)
			if (f->state == FILE_KNOWN) {
				f->known = (struct settle_id){ 0 };
				files_state(f, FILE_READY);
			}
}

void
files_log_path(const struct file *f, char out[WATCH_PATH])
{
	if (folder_path(f->folder, f->rel, out) == -1)
		str_copy(out, f->rel, WATCH_PATH);
}
