/*
 * follow_send.c - the upload of one recording that grows: begun, its progress told, its end noted,
 * put off when S3 is in trouble. Refused (keys, bucket) they are all put off, and one at a time
 * tries again: no storm. Called by follow.c.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "conf.h"
#include "log.h"
#include "util.h"
#include "workers/common/fs.h"
#include "workers/jobs/follow_int.h"
#include "workers/jobs/replace.h"
#include "workers/jobs/upload_conn.h"
#include "workers/jobs/upload_mark.h"

#define LEDGER_MS 1000
#define SAY(fn, ...) BUCKET_LOG(f->stream, f->file, fn, __VA_ARGS__)

static int64_t parked_until_ms;		/* somebody has to change something: seldom, and one at a time */
static bool doubtful;			/* since it was parked nothing has gone well */

static void
progress_cb(const struct upload_progress *p, void *ctx)
{
	struct follow *f = ctx;
	int permille = p->size > 0 ? (int)(p->sent_bytes * 1000 / p->size) : 0;

	if (p->part > 0) {
		SAY(log_info, "%s: part %d is in the bucket%s", f->file, p->part,
		    f->ended ? "" : " while it is recorded");
		f->failures = 0;
		doubtful = false;
		bucket_waits("");
	}
	if (now_ms() - f->told_ms < LEDGER_MS)
		return;
	f->told_ms = now_ms();
	bucket_ledger(f->id, json_pack("{s:s, s:s, s:s, s:s, s:i, s:I}", "path", f->path, "kind", "raw", "stream",
	    f->stream, "state", "uploading", "progress", permille, "size", (json_int_t)p->size));
}

static void
put_off(struct follow *f, const char *state, const char *error)
{
	uint32_t random = 0;

	if (getrandom(&random, sizeof(random), GRND_NONBLOCK) != sizeof(random))
		random = (uint32_t)now_ms();
	if (f->lock != -1)
		close(f->lock);
	f->lock = -1;
	f->again_ms = now_ms() + upload_backoff_ms(++f->failures, conf_int(bk.svc->conf, "jobs.retry_min"),
	    conf_int(bk.svc->conf, "jobs.retry_max"), random);
	bucket_waits(error);
	bucket_ledger(f->id, json_pack("{s:s, s:s}", "state", state, "error", error));
}

static void
park(struct follow *f, const char *error)
{
	parked_until_ms = now_ms() + conf_int(bk.svc->conf, "jobs.retry_max");
	if (!doubtful)
		SAY(log_warnx, "recordings are not uploaded while they are written: %s; tried again each "
		    "jobs.retry_max, and when the configuration is reloaded", error);
	doubtful = true;
	put_off(f, "failed", error);
}

static void
arrived(struct follow *f, const struct upload_result *r)
{
	const char *why, *data_dir = conf_str(bk.svc->conf, "data_dir");
	char check[BUCKET_PATH];
	json_t *mark = json_pack("{s:s, s:I, s:I, s:s, s:s, s:s}", "path", f->path, "size", (json_int_t)r->size,
	    "mtime_ns", (json_int_t)r->mtime_ns, "bucket", s3_bucket(bucket_s3(&why)), "object", f->object, "etag",
	    r->etag);

	if (upload_mark_write(data_dir, f->id, mark) == -1) {
		SAY(log_warn, "%s is in the bucket, but that can't be noted", f->file);
		put_off(f, "queued", "it is in the bucket, but that can't be noted in data_dir/uploads");
		json_decref(mark);
		return;
	}
	SAY(log_info, "%s is verified in the bucket as recorded: %s, %lld bytes in %d parts, %d of them from "
	    "before", f->file, f->object, (long long)r->size, r->parts, r->resumed_parts);
	replace_tell(f->id);
	json_decref(mark);
	bucket_file(check, f->id, "json");
	if (unlink(check) == -1 && errno != ENOENT)
		log_warn("cannot remove %s", check);
	follow_over(f);
}

static void
done_cb(const struct upload_result *r, void *ctx)
{
	struct follow *f = ctx;

	f->upload = NULL;
	switch (r->end) {
	case UPLOAD_DONE:
		arrived(f, r);
		break;
	case UPLOAD_LATER:
		SAY(log_warnx, "%s waits on its way to the bucket: %s", f->file, r->error);
		put_off(f, "queued", r->error);
		break;
	case UPLOAD_PARK:
		park(f, r->error);
		break;
	case UPLOAD_FAILED:
		SAY(log_warnx, "%s is not uploaded as recorded, its MP4 will be: %s", f->file, r->error);
		bucket_ledger(f->id, json_pack("{s:s, s:s}", "state", "failed", "error", r->error));
		follow_over(f);
	}
}

void
follow_send(struct follow *f)
{
	struct upload_params p = upload_conn_params(bk.svc);
	char dir[BUCKET_PATH];
	const char *why = "";
	struct s3 *s3;

	if (now_ms() < parked_until_ms || (doubtful && follow_any_under_way()))
		return;
	s3 = bucket_s3(&why);
	if (s3 == NULL) {
		park(f, why);
		return;
	}
	snprintf(dir, sizeof(dir), "%s/uploads", conf_str(bk.svc->conf, "data_dir"));
	if (fs_make_dirs(dir, 0750) == -1 || (f->lock = bucket_lock(f->id)) == -1)
		return;
	p.path = f->path;
	p.file_id = f->id;
	p.object = f->object;
	p.dir = dir;
	p.content_type = strcmp(f->path + strlen(f->path) - 4, ".mkv") == 0 ? "video/x-matroska" : "video/x-flv";
	p.stream = f->stream;
	p.grows = true;
	p.ended = f->ended;
	SAY(log_info, "uploading %s while it is recorded, to %s/%s", f->file, s3_bucket(s3), f->object);
	bucket_ledger(f->id, json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:n}", "path", f->path, "kind", "raw", "stream",
	    f->stream, "state", "uploading", "bucket", s3_bucket(s3), "object", f->object, "error"));
	f->upload = upload_start(bk.svc->base, s3, &p, progress_cb, done_cb, f);
}

void
follow_send_anew(void)
{
	parked_until_ms = 0;
	doubtful = false;
}
