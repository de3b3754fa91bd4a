/*
 * upload_kind.c - a file goes to S3 (job kind "upload" {path, object, kind, stream, layout, sha256}).
 *
 * The engine is upload.c; here it gets its configuration, the ledger learns how far it is, and
 * the end is made durable: data_dir/uploads/FILEID.done and the ledger's entry before the job is
 * over. One connection per process, made at the first upload.
 */
#include "workers/jobs/upload_kind.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "conf.h"
#include "log.h"
#include "util.h"
#include "workers/common/fs.h"
#include "workers/jobs/upload.h"
#include "workers/jobs/upload_check.h"
#include "workers/jobs/upload_conn.h"
#include "workers/jobs/upload_copy.h"
#include "workers/jobs/upload_mark.h"
#include "workers/jobs/upload_target.h"
#include "workers/jobs/upload_tell.h"

#define PATH_BYTES 600
#define LEDGER_MS 1000		/* progress goes to the ledger at most so often */

struct sending {
	struct job *job;
	struct upload *upload;
	struct upload_copy *copy;	/* being asked for */
	struct upload_tell *tell;	/* it is there, Redis is being told */
	json_t *mark;			/* then: the job's result */
	char id[LEDGER_ID], path[1024], object[S3_OBJECT_MAX + 1], sha256[S3_SHA256_HEX];
	int64_t told_ms;
	bool troubled;			/* status says that it waits for S3 */
	int lock;			/* of the file's id: two jobs of one path take turns */
};

static struct s3 *s3;		/* one process, one connection pool */
static bool stale;		/* its configuration is not the newest */

static const char *
arg(const struct job *job, const char *key)
{
	const char *s = json_string_value(json_object_get(job->q->args, key));

	return s != NULL ? s : "";
}

static void
put(const struct sending *u, json_t *fields)
{
	ledger_put(u->job->ledger, u->id, fields, NULL, NULL);
	json_decref(fields);
}

static const char *
prefix_of(const struct sending *u)
{
	return conf_str(u->job->svc->conf, "redis.prefix");
}

static void
sending_free(struct sending *u)
{
	if (u->job->state == u)
		u->job->state = NULL;
	if (u->lock != -1)
		close(u->lock);
	json_decref(u->mark);
	free(u);
}

static struct s3 *
connection(struct job *job, const char *bucket, const char **why)
{
	if (stale || (s3 != NULL && strcmp(s3_bucket(s3), bucket) != 0))
		upload_kind_free();	/* no job uses it: this is the only one */
	stale = false;
	if (s3 == NULL)
		s3 = upload_connect(job->svc, bucket, why);
	return s3;
}

/* --- how it goes --- */

/* Status and the ledger say so while it is tried again, not only when this job has given up for now. */
static void
tell_trouble(struct sending *u, const struct upload_progress *p)
{
	if (p->trouble == NULL && (!u->troubled || p->part == 0))
		return;
	u->troubled = p->trouble != NULL;
	job_upload_waits(u->job, u->troubled ? p->trouble : "");
	if (job_is_leased())
		put(u, json_pack("{s:o}", "error", u->troubled ? json_string(p->trouble) : json_null()));
}

static void
progress_cb(const struct upload_progress *p, void *ctx)
{
	struct sending *u = ctx;
	int permille = p->size > 0 ? (int)(p->sent_bytes * 1000 / p->size) : 0;
	int64_t now = now_ms();

	job_progress(u->job, permille);
	tell_trouble(u, p);
	job_s3_figures(u->job, upload_conn_figures());
	if (p->part > 0)
		log_info("%s: part %d of %d is in the bucket", u->path, p->part, p->parts);
	if (p->part > 0) {
		job_upload_waits(u->job, "");
		upload_copy_part(u->job->redis, prefix_of(u), u->id, p->checkpoint, p->part);
	}
	if (now - u->told_ms < LEDGER_MS)
		return;
	u->told_ms = now;
	if (job_is_leased())
		put(u, json_pack("{s:s, s:i}", "state", "uploading", "progress", permille));
}

/* Else the ledger would not know: the next run finds the object there, and tells again. */
static void
told_cb(int rc, void *ctx)
{
	struct sending *u = ctx;
	struct job *job = u->job;
	json_t *mark = json_incref(u->mark);

	sending_free(u);
	if (rc == 0) {
		job_done(job, mark);
		return;
	}
	json_decref(mark);
	job_later(job, "it is in the bucket, but Redis could not be told so");
}

static void
done(struct sending *u, const struct upload_result *r)
{
	const char *bucket = s3_bucket(s3);
	struct job *job = u->job;
	json_t *mark = json_pack("{s:s, s:I, s:I, s:s, s:s, s:s}", "path", u->path, "size", (json_int_t)r->size,
	    "mtime_ns", (json_int_t)r->mtime_ns, "bucket", bucket, "object", u->object, "etag", r->etag), *fields;
	char before[40] = "";

	if (upload_mark_write(conf_str(job->svc->conf, "data_dir"), u->id, mark) == -1) {
		log_warn("%s is in the bucket, but that can't be noted", u->path);
		job_upload_waits(job, "what is in the bucket can't be noted in data_dir/uploads");
		json_decref(mark);
		sending_free(u);
		job_later(job, "it is in the bucket, but that can't be noted in data_dir/uploads");
		return;
	}
	fields = json_copy(mark);
	json_object_set_new(fields, "state", json_string("verified"));
	json_object_set_new(fields, "progress", json_integer(1000));
	json_object_set_new(fields, "error", json_null());
	if (r->resumed_parts > 0)
		snprintf(before, sizeof(before), ", %d of them from before", r->resumed_parts);
	log_info("%s is verified in the bucket: %s/%s, %lld bytes in %d part%s%s", u->path, bucket, u->object,
	    (long long)r->size, r->parts, r->parts == 1 ? "" : "s", before);
	job_upload_waits(job, "");
	u->mark = mark;
	upload_tell(&u->tell, job->ledger, u->id, fields, u->sha256, told_cb, u);
	json_decref(fields);
}

/* The file itself is why it came to no end, not S3. */
static bool
has_changed(const struct sending *u, const struct upload_result *r)
{
	struct stat st;

	return stat(u->path, &st) == -1 || st.st_size != r->size ||
	    (int64_t)st.st_mtim.tv_sec * 1000000000 + st.st_mtim.tv_nsec != r->mtime_ns;
}

static void
done_cb(const struct upload_result *r, void *ctx)
{
	struct sending *u = ctx;
	struct job *job = u->job;

	u->upload = NULL;
	if (r->end == UPLOAD_DONE || r->end == UPLOAD_FAILED)
		upload_copy_drop(job->redis, prefix_of(u), u->id);
	job_s3_figures(job, upload_conn_figures());
	if (r->end == UPLOAD_DONE) {
		done(u, r);
		return;
	}
	if (job_is_leased())
		put(u, json_pack("{s:s, s:s}", "state", r->end == UPLOAD_LATER ? "queued" :
		    access(u->path, F_OK) == -1 ? "gone" : "failed", "error", r->error));
	if (r->end != UPLOAD_FAILED && !has_changed(u, r))
		job_upload_waits(job, r->error);
	sending_free(u);
	if (r->end == UPLOAD_LATER)
		job_later(job, r->error);
	else if (r->end == UPLOAD_PARK)
		job_park(job, r->error);
	else
		job_failed(job, r->error, false);
}

/* --- start and stop --- */

static int
checkpoint_dir(const struct job *job, char *dir, size_t size)
{
	snprintf(dir, size, "%s/uploads", conf_str(job->svc->conf, "data_dir"));
	return fs_make_dirs(dir, 0750);
}

static void
begin(struct sending *u, const char *dir, const json_t *checkpoint)
{
	struct upload_params p = upload_conn_params(u->job->svc);

	p.path = u->path;
	p.file_id = u->id;
	p.object = u->object;
	p.dir = dir;
	p.sha256 = u->sha256;
	p.checkpoint = checkpoint;
	p.owner = u->job->q->id;
	p.content_type = strcmp(arg(u->job, "kind"), "recording") == 0 ? "video/mp4" : "";
	p.layout = strcmp(arg(u->job, "layout"), "chunks") == 0 ? UPLOAD_CHUNKS : UPLOAD_OBJECT;
	if (u->sha256[0] != '\0')
		p.restarts = 0;		/* with a hash it would be another's: then it is queued anew */
	log_info("uploading %s to %s/%s", u->path, s3_bucket(s3), u->object);
	put(u, json_pack("{s:s, s:s, s:s, s:s, s:s}", "path", u->path, "kind", arg(u->job, "kind"), "state",
	    "uploading", "bucket", s3_bucket(s3), "object", u->object));
	u->upload = upload_start(u->job->svc->base, s3, &p, progress_cb, done_cb, u);
}

static void
copy_cb(const json_t *check, void *ctx)
{
	struct sending *u = ctx;
	char dir[PATH_BYTES];

	u->copy = NULL;
	snprintf(dir, sizeof(dir), "%s/uploads", conf_str(u->job->svc->conf, "data_dir"));
	if (check != NULL)
		log_info("%s: its checkpoint is not on the disk, Redis has it", u->path);
	begin(u, dir, check);
}

static bool
has_checkpoint(const struct sending *u, const char *dir)
{
	char path[PATH_BYTES + LEDGER_ID + 8];

	snprintf(path, sizeof(path), "%s/%s.json", dir, u->id);
	return access(path, F_OK) == 0;
}

/* Whoever queued it said which content he means, and the file has another by now. */
static bool
is_superseded(const struct job *job, const char *path)
{
	const json_t *size = json_object_get(job->q->args, "size"), *mtime = json_object_get(job->q->args, "mtime_ns");
	struct stat st;

	return json_is_integer(size) && json_is_integer(mtime) && stat(path, &st) == 0 &&
	    (json_integer_value(size) != st.st_size || json_integer_value(mtime) !=
	    (json_int_t)st.st_mtim.tv_sec * 1000000000 + st.st_mtim.tv_nsec);
}

/* keep.c may delete recordings that are not in the bucket, if it was told so by name. */
static bool
is_given_up(const struct job *job, const char *path)
{
	return strcmp(arg(job, "kind"), "recording") == 0 && access(path, F_OK) == -1 && errno == ENOENT &&
	    !json_is_true(conf_get(job->svc->conf, "streams.record.keep.only_uploaded"));
}

static void
upload_job_start(struct job *job)
{
	const char *path = arg(job, "path"), *sha256 = arg(job, "sha256"), *why = "";
	char dir[PATH_BYTES], id[LEDGER_ID];
	struct upload_target to;
	struct sending *u;
	int lock;

	if (path[0] != '/' || strlen(path) >= sizeof(u->path) ||
	    upload_target(job->svc->conf, job->q->args, &to) == -1 || strlen(sha256) >= S3_SHA256_HEX) {
		job_failed(job, "the job names no file and object", false);
		return;
	}
	if (connection(job, to.bucket, &why) == NULL) {
		job_upload_waits(job, why);
		job_park(job, why);
		return;
	}
	if (checkpoint_dir(job, dir, sizeof(dir)) == -1) {
		log_warn("%s", dir);
		job_later(job, "data_dir/uploads can't be made");
		return;
	}
	/* Two jobs of one path (it changed meanwhile) would race for the object: the later looks what is there. */
	ledger_id(job->ledger, path, id);
	lock = upload_check_lock(dir, id);
	if (lock == -1) {
		job_later(job, errno == EWOULDBLOCK ? "another job uploads this file" :
		    "its lock in data_dir/uploads can't be made");
		return;
	}
	if (is_superseded(job, path)) {
		close(lock);
		log_info("%s has changed since it was queued: its new content is another job's", path);
		job_done(job, NULL);
		return;
	}
	if (is_given_up(job, path)) {
		close(lock);
		log_warnx("%s was deleted before it was uploaded, as keep.only_uploaded: false allows", path);
		job_done(job, NULL);
		return;
	}
	u = job->state = xcalloc(1, sizeof(*u));
	u->job = job;
	u->lock = lock;
	str_copy(u->path, path, sizeof(u->path));
	str_copy(u->object, to.object, sizeof(u->object));
	str_copy(u->sha256, sha256, sizeof(u->sha256));
	str_copy(u->id, id, sizeof(u->id));
	if (has_checkpoint(u, dir))
		begin(u, dir, NULL);
	else
		u->copy = upload_copy_get(job->redis, prefix_of(u), u->id, copy_cb, u);
}

static void
upload_job_stop(struct job *job, enum job_stop why)
{
	struct sending *u = job->state;

	upload_copy_forget(&u->copy);
	upload_tell_forget(&u->tell);
	if (why == JOB_STOP_CANCELLED) {
		upload_copy_drop(job->redis, prefix_of(u), u->id);
		put(u, json_pack("{s:s, s:s}", "state", "local", "error", "the upload was cancelled"));
		upload_cancel(&u->upload);
	} else
		upload_stop(&u->upload);
	sending_free(u);
}

void
upload_kind_config(void)
{
	stale = true;
}

void
upload_kind_free(void)
{
	upload_orphans_stop();
	s3_free(&s3);
}

const struct job_kind upload_kind = {
	.name = "upload", .pool = JOB_UPLOAD, .start = upload_job_start, .stop = upload_job_stop,
};
