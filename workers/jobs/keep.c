/*
 * keep.c - deletes recordings as streams.record.keep says (keep_plan.c decides which).
 *
 * Only MP4 files below data_dir/recordings, never raw ones; none whose raw recording is still
 * there (its job is not over), none that a worker of this host has in hand. With a bucket, only
 * what has its mark (upload_mark.h: verified there), unless keep.only_uploaded is false; so, too,
 * where half of a bucket is given, or where one was: data_dir/uploads/bucket says so, and that
 * it is missing now may be a variable that was not set. Redis may be away: what stands on the
 * disk decides. Between begin and say a round is a thread's, which knows no configuration but
 * what the round brought along. Called by house.c.
 */
#include "workers/jobs/keep.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "board.h"
#include "conf.h"
#include "log.h"
#include "util.h"
#include "workers/common/fs.h"
#include "workers/jobs/keep_plan.h"
#include "workers/jobs/keep_tell.h"
#include "workers/jobs/raw.h"
#include "workers/jobs/upload_check.h"
#include "workers/jobs/upload_kind.h"

#define PATH_BYTES 1400

struct keep_round {
	struct keep_limits limit;
	bool only_uploaded, has_bucket;
	char *pattern, *board;
	struct board_jobs own;		/* what this worker has in hand */
	json_t *busy;			/* files in hand: a set */
	/* the answer */
	struct keep_sum sum;
	struct keep_file *list;		/* as keep_plan() has sorted it; names are the tree's */
	int *errors;			/* errno of each that was to go */
	size_t n;
};

static enum blocked { NOT_BLOCKED, BLOCKED, BLOCKED_WITHOUT_BUCKET } said_blocked;

/* Did recordings go to a bucket from here, or do they? The latter is noted, once. */
static bool
had_bucket(const char *data_dir, bool has_bucket)
{
	static bool noted;
	char dir[PATH_BYTES - 8], path[PATH_BYTES];
	int fd;

	snprintf(dir, sizeof(dir), "%s/uploads", data_dir);
	snprintf(path, sizeof(path), "%s/bucket", dir);
	if (noted || !has_bucket)
		return noted || access(path, F_OK) == 0;
	fd = fs_make_dirs(dir, 0750) == 0 ? open(path, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0640) : -1;
	noted = fd != -1 && fsync(fd) == 0 && fs_sync_dir_of(path) == 0;
	if (!noted)
		log_warn("%s: that recordings go to a bucket can't be noted", path);
	if (fd != -1)
		close(fd);
	return true;
}

static bool
only_uploaded(const struct svc *svc)
{
	const json_t *c = svc->conf;

	return conf_bool(c, "streams.record.upload") &&
	    (had_bucket(conf_str(c, "data_dir"), upload_wanted(svc)) || conf_s3_given(c) != NULL) &&
	    conf_bool(c, "streams.record.keep.only_uploaded");
}

struct keep_round *
keep_begin(const struct svc *svc)
{
	const json_t *c = svc->conf;
	struct keep_limits l = {
		.now_ns = wall_ms() * 1000000, .days = conf_int(c, "streams.record.keep.days"),
		.count = conf_int(c, "streams.record.keep.count"), .bytes = conf_int(c, "streams.record.keep.bytes"),
		.free_space = conf_int(c, "streams.record.keep.free_space"),
	};
	struct keep_round *k;
	bool uploaded = only_uploaded(svc);

	if (l.days == 0 && l.count == 0 && l.bytes == 0 && l.free_space == 0)
		return NULL;
	k = xcalloc(1, sizeof(*k));
	k->limit = l;
	k->only_uploaded = uploaded;
	k->has_bucket = upload_wanted(svc);
	k->pattern = xstrdup(conf_str(c, "streams.record.path"));
	k->board = xasprintf("%s/board", conf_str(c, "run_dir"));
	k->own = svc->page->jobs;
	return k;
}

void
keep_free(struct keep_round **kp)
{
	struct keep_round *k = *kp;

	*kp = NULL;
	if (k == NULL)
		return;
	json_decref(k->busy);
	free(k->list);
	free(k->errors);
	free(k->pattern);
	free(k->board);
	free(k);
}

/* --- what is in hand --- */

/* The MP4s of raw recordings that are still there: being written or made. */
static void
add_unfinished(struct keep_round *k, const struct tree *t)
{
	char mp4[PATH_BYTES];
	struct raw raw;

	for (size_t i = 0; i < t->nraws; i++)
		if (raw_parse_path(t->raws[i].file, &raw) == 0 &&
		    raw_mp4_path(&raw, k->pattern, mp4, sizeof(mp4)) == 0)
			json_object_set_new(k->busy, mp4, json_true());
}

static void
add_job(struct keep_round *k, const struct tree *t, const struct board_jobs *j)
{
	size_t n = strlen(t->data_dir);

	if (j->id[0] != '\0' && strncmp(j->file, t->data_dir, n) == 0 && j->file[n] == '/')
		json_object_set_new(k->busy, j->file + n + 1, json_true());
}

/* And what this host's workers have, from the board. 0, or -1: it can't be read. */
static int
find_busy(struct keep_round *k, const struct tree *t)
{
	struct board_proc p;
	struct board *b;

	k->busy = json_object();
	add_unfinished(k, t);
	add_job(k, t, &k->own);
	b = t->failed ? NULL : board_open(k->board);
	if (b == NULL)
		return -1;
	for (unsigned i = 0; i < BOARD_PROCS; i++)
		if (board_read_proc(b, i, &p) == 0 && strcmp(p.kind, "jobs") == 0)
			add_job(k, t, &p.page.jobs);
	board_close(&b);
	return 0;
}

static bool
may_go(struct keep_file *f, void *ctx)
{
	const struct keep_round *k = ctx;

	return json_object_get(k->busy, f->file) == NULL && (f->verified || !k->only_uploaded);
}

/* --- deleting --- */

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
delete(const struct tree *t, const struct tree_file *f)
{
	char path[PATH_BYTES], uploads[PATH_BYTES];
	int lock, rc = 0;

	/* the board is a second old: who uploads it by now has its lock */
	snprintf(uploads, sizeof(uploads), "%s/uploads", t->data_dir);
	lock = upload_check_lock(uploads, f->id);
	if (lock == -1 && errno != ENOENT)
		return errno;
	snprintf(path, sizeof(path), "%s/%s", t->data_dir, f->file);
	if (unlink(path) == -1)
		rc = errno;
	else
		remove_folders(path, strlen(t->data_dir) + strlen("/recordings"));
	if (lock != -1) {
		close(lock);
		upload_check_lock_remove(uploads, f->id);
	}
	return rc;
}

static int
by_name(const void *name, const void *file)
{
	return strcmp(name, ((const struct tree_file *)file)->file);
}

static void
delete_due(struct keep_round *k, struct tree *t)
{
	struct tree_file *f;

	k->errors = xcalloc(k->n, sizeof(*k->errors));
	for (size_t i = 0; i < k->n; i++) {
		if (k->list[i].why == KEEP_STAYS)
			continue;
		f = bsearch(k->list[i].file, t->files, t->nfiles, sizeof(*f), by_name);
		k->errors[i] = delete(t, f);
		f->gone = k->errors[i] == 0 || k->errors[i] == ENOENT;
	}
}

void
keep_work(struct keep_round *k, struct tree *t)
{
	if (t->nfiles == 0 || find_busy(k, t) == -1)
		return;
	k->n = t->nfiles;
	k->list = xcalloc(k->n, sizeof(*k->list));
	for (size_t i = 0; i < k->n; i++) {
		k->list[i] = (struct keep_file){ .file = t->files[i].file, .size = t->files[i].size,
		    .mtime_ns = t->files[i].mtime_ns, .verified = t->files[i].verified };
		keep_stream(k->pattern, k->list[i].file, k->list[i].stream, sizeof(k->list[i].stream));
	}
	k->limit.free_now = disk_free_bytes(t->data_dir);
	k->sum = keep_plan(k->list, k->n, &k->limit, may_go, k);
	if (k->sum.deleted > 0)
		delete_due(k, t);
}

/* --- what people are told --- */

/* Once each time it begins. */
static void
say_blocked(const struct keep_round *k)
{
	const struct keep_sum *s = &k->sum;
	bool is = s->blocked > 0 && k->only_uploaded;
	enum blocked now = !is ? NOT_BLOCKED : k->has_bucket ? BLOCKED : BLOCKED_WITHOUT_BUCKET;

	if (is && now != said_blocked)
		log_warnx("%zu recordings (%lld MiB) should go by streams.record.keep, but are not verified in the "
		    "bucket%s: they stay (keep.only_uploaded)", s->blocked, (long long)(s->blocked_bytes >> 20),
		    k->has_bucket ? "" : ", and storage.s3.endpoint or storage.s3.bucket is empty now");
	said_blocked = now;
}

void
keep_say(const struct keep_round *k, const struct tree *t)
{
	const struct keep_file *f;

	if (k->list == NULL)
		return;
	say_blocked(k);
	for (size_t i = 0; k->errors != NULL && i < k->n; i++) {
		f = &k->list[i];
		if (f->why == KEEP_STAYS || k->errors[i] == EWOULDBLOCK)
			continue;
		if (k->errors[i] != 0) {
			log_warnx("cannot delete %s: %s", f->file, strerror(k->errors[i]));
			continue;
		}
		log_info("%s is deleted (%lld bytes, %s): %s", f->file, (long long)f->size, f->verified ?
		    "verified in the bucket" : "not in a bucket", keep_why_text(f->why));
		keep_note(t->data_dir, f);
	}
}
