/*
 * keep.c - deletes recordings as streams.record.keep says (keep_plan.c decides which).
 *
 * Only MP4 files below data_dir/recordings, never raw ones; none whose raw recording is still
 * there (its job is not over), none that a worker of this host has in hand. With a bucket, only
 * what has its mark (upload_mark.h: verified there), unless keep.only_uploaded is false. Redis
 * may be away: what stands on the disk decides. Files are unlinked on a thread, for a file
 * system may take its time with big ones. Called by house.c in the host's first worker.
 */
#include "workers/jobs/keep.h"

#include <dirent.h>
#include <errno.h>
#include <fts.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "board.h"
#include "conf.h"
#include "log.h"
#include "util.h"
#include "slow.h"
#include "workers/jobs/keep_plan.h"
#include "workers/jobs/keep_tell.h"
#include "workers/jobs/raw.h"
#include "workers/jobs/upload_kind.h"
#include "workers/jobs/upload_mark.h"

#define PATH_BYTES 1400

struct files {
	struct keep_file *list;
	size_t n, room;
};

/* What the thread works on. */
struct doomed {
	char *data_dir;
	struct files f;
	int *errors;			/* errno of each */
};

struct look {
	const struct svc *svc;
	const struct ledger *ledger;
	json_t *busy;			/* files in hand: a set */
	bool only_uploaded;
};

static struct slow *deleting;
static bool said_blocked;

static void
files_free(struct files *f)
{
	for (size_t i = 0; i < f->n; i++)
		free(f->list[i].file);
	free(f->list);
	*f = (struct files){ 0 };
}

static struct keep_file *
files_add(struct files *f, const char *file)
{
	if (f->n == f->room) {
		f->room = f->room * 2 + 64;
		f->list = xrealloc(f->list, f->room * sizeof(*f->list));
	}
	f->list[f->n] = (struct keep_file){ .file = xstrdup(file) };
	return &f->list[f->n++];
}

/* --- what is there --- */

static void
find_files(const struct svc *svc, struct files *out)
{
	const char *data_dir = conf_str(svc->conf, "data_dir"), *pattern = conf_str(svc->conf, "streams.record.path");
	char top[PATH_BYTES];
	char *const tops[] = { top, NULL };
	struct keep_file *k;
	FTSENT *e;
	FTS *f;

	snprintf(top, sizeof(top), "%s/recordings", data_dir);
	f = fts_open(tops, FTS_PHYSICAL | FTS_NOCHDIR, NULL);
	while (f != NULL && (e = fts_read(f)) != NULL) {
		if (e->fts_info != FTS_F || e->fts_name[0] == '.' || e->fts_namelen <= 4 ||
		    strcmp(e->fts_name + e->fts_namelen - 4, ".mp4") != 0)
			continue;
		k = files_add(out, e->fts_path + strlen(data_dir) + 1);
		keep_stream(pattern, k->file, k->stream, sizeof(k->stream));
		k->size = e->fts_statp->st_size;
		k->mtime_ns = (int64_t)e->fts_statp->st_mtim.tv_sec * 1000000000 + e->fts_statp->st_mtim.tv_nsec;
	}
	if (f != NULL)
		fts_close(f);
}

/* The MP4s of raw recordings that are still there: being written or made. */
static void
add_unfinished(struct look *k, const char *name)
{
	char dir[PATH_BYTES], file[PATH_BYTES], mp4[PATH_BYTES];
	struct raw raw;
	struct dirent *e;
	DIR *d;

	snprintf(dir, sizeof(dir), "%s/rec/%s", conf_str(k->svc->conf, "data_dir"), name);
	d = opendir(dir);
	while (d != NULL && (e = readdir(d)) != NULL) {
		snprintf(file, sizeof(file), "rec/%s/%s", name, e->d_name);
		if (raw_parse_path(file, &raw) == 0 &&
		    raw_mp4_path(&raw, conf_str(k->svc->conf, "streams.record.path"), mp4, sizeof(mp4)) == 0)
			json_object_set_new(k->busy, mp4, json_true());
	}
	if (d != NULL)
		closedir(d);
}

static void
add_job(struct look *k, const struct board_jobs *j)
{
	const char *data_dir = conf_str(k->svc->conf, "data_dir");
	size_t n = strlen(data_dir);

	if (j->id[0] != '\0' && strncmp(j->file, data_dir, n) == 0 && j->file[n] == '/')
		json_object_set_new(k->busy, j->file + n + 1, json_true());
}

/* What this host's workers have in hand, from the board. 0, or -1: it can't be read. */
static int
add_jobs(struct look *k)
{
	char path[PATH_BYTES];
	struct board_proc p;
	struct board *b;

	add_job(k, &k->svc->page->jobs);
	snprintf(path, sizeof(path), "%s/board", conf_str(k->svc->conf, "run_dir"));
	b = board_open(path);
	if (b == NULL)
		return -1;
	for (unsigned i = 0; i < BOARD_PROCS; i++)
		if (board_read_proc(b, i, &p) == 0 && strcmp(p.kind, "jobs") == 0)
			add_job(k, &p.page.jobs);
	board_close(&b);
	return 0;
}

static int
find_busy(struct look *k)
{
	char dir[PATH_BYTES];
	struct dirent *e;
	DIR *d;

	snprintf(dir, sizeof(dir), "%s/rec", conf_str(k->svc->conf, "data_dir"));
	d = opendir(dir);
	if (d == NULL && errno != ENOENT)
		return -1;
	while (d != NULL && (e = readdir(d)) != NULL)
		if (e->d_name[0] != '.')
			add_unfinished(k, e->d_name);
	if (d != NULL)
		closedir(d);
	return add_jobs(k);
}

static bool
may_go(struct keep_file *f, void *ctx)
{
	const struct look *k = ctx;
	const char *data_dir = conf_str(k->svc->conf, "data_dir");
	char path[PATH_BYTES], id[LEDGER_ID];
	json_t *mark;

	if (json_object_get(k->busy, f->file) != NULL)
		return false;
	snprintf(path, sizeof(path), "%s/%s", data_dir, f->file);
	ledger_id(k->ledger, path, id);
	mark = upload_mark_read(data_dir, id, f->size, f->mtime_ns);
	f->verified = mark != NULL;
	json_decref(mark);
	return f->verified || !k->only_uploaded;
}

/* --- deleting --- */

static void
doomed_free(void *ctx)
{
	struct doomed *d = ctx;

	files_free(&d->f);
	free(d->errors);
	free(d->data_dir);
	free(d);
}

/* The folders that are empty now, up to recordings. */
static void
remove_folders(char *path, size_t top)
{
	char *slash;

	while ((slash = strrchr(path, '/')) != NULL && (size_t)(slash - path) > top) {
		*slash = '\0';
		if (rmdir(path) == -1)
			return;
	}
}

static int
delete_work(void *ctx)
{
	struct doomed *d = ctx;
	char path[PATH_BYTES];

	for (size_t i = 0; i < d->f.n; i++) {
		snprintf(path, sizeof(path), "%s/%s", d->data_dir, d->f.list[i].file);
		d->errors[i] = unlink(path) == 0 ? 0 : errno;
		if (d->errors[i] == 0)
			remove_folders(path, strlen(d->data_dir) + strlen("/recordings"));
	}
	return 0;
}

static void
deleted_cb(int rc, void *ctx)
{
	struct doomed *d = ctx;
	const struct keep_file *f;

	deleting = NULL;
	for (size_t i = 0; i < d->f.n; i++) {
		f = &d->f.list[i];
		if (d->errors[i] != 0) {
			log_warnx("cannot delete %s: %s", f->file, strerror(d->errors[i]));
			continue;
		}
		log_info("%s is deleted (%lld bytes, %s): %s", f->file, (long long)f->size, f->verified ?
		    "verified in the bucket" : "not in a bucket", keep_why_text(f->why));
		keep_note(d->data_dir, f);
	}
	doomed_free(d);
}

static void
delete_them(struct svc *svc, struct files *f)
{
	struct doomed *d = xcalloc(1, sizeof(*d));
	struct keep_file *k;

	d->data_dir = xstrdup(conf_str(svc->conf, "data_dir"));
	for (size_t i = 0; i < f->n; i++)
		if (f->list[i].why != KEEP_STAYS) {
			k = files_add(&d->f, f->list[i].file);
			free(k->file);
			*k = f->list[i];
			f->list[i].file = NULL;
		}
	d->errors = xcalloc(d->f.n, sizeof(*d->errors));
	deleting = slow_run(svc->base, delete_work, deleted_cb, d);
	if (deleting == NULL)
		doomed_free(d);
}

/* --- the whole --- */

/* Once each time it begins. */
static void
say_blocked(const struct keep_sum *s, bool only_uploaded)
{
	bool is = s->blocked > 0 && only_uploaded;

	if (is && !said_blocked)
		log_warnx("%zu recordings (%lld MiB) should go by streams.record.keep, but are not verified in the "
		    "bucket: they stay (keep.only_uploaded)", s->blocked, (long long)(s->blocked_bytes >> 20));
	said_blocked = is;
}

static struct keep_limits
limits(const struct svc *svc)
{
	return (struct keep_limits){ .now_ns = wall_ms() * 1000000,
	    .days = conf_int(svc->conf, "streams.record.keep.days"),
	    .count = conf_int(svc->conf, "streams.record.keep.count"),
	    .bytes = conf_int(svc->conf, "streams.record.keep.bytes"),
	    .free_space = conf_int(svc->conf, "streams.record.keep.free_space"),
	    .free_now = disk_free_bytes(conf_str(svc->conf, "data_dir")) };
}

void
keep_run(struct svc *svc, struct ledger *l, bool redis_up)
{
	struct keep_limits limit = limits(svc);
	struct look k = { .svc = svc, .ledger = l, .only_uploaded = upload_wanted(svc) &&
	    json_is_true(conf_get(svc->conf, "streams.record.upload")) &&
	    json_is_true(conf_get(svc->conf, "streams.record.keep.only_uploaded")) };
	struct files f = { 0 };
	struct keep_sum sum;

	if (redis_up)
		keep_tell(svc, l);
	if (deleting != NULL || (limit.days == 0 && limit.count == 0 && limit.bytes == 0 && limit.free_space == 0))
		return;
	k.busy = json_object();
	find_files(svc, &f);
	if (find_busy(&k) == 0) {
		sum = keep_plan(f.list, f.n, &limit, may_go, &k);
		say_blocked(&sum, k.only_uploaded);
		if (sum.deleted > 0)
			delete_them(svc, &f);
	}
	json_decref(k.busy);
	files_free(&f);
}

void
keep_free(void)
{
	if (deleting != NULL)
		slow_forget(&deleting, doomed_free);
	keep_tell_free();
}
