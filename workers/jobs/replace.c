/*
 * replace.c - the raw object goes once its MP4 is in the bucket (contract in replace.h).
 *
 *   link -> is its MP4 verified here? -> HEAD: is it there now? -> what is under way of the raw file
 *   is given up -> DELETE of the raw object -> its ledger entry goes -> mark and link go
 *
 * Each step may be done twice; the link goes last, so that a kill leaves the next pass the same
 * work. An MP4 that was deleted here by streams.record.keep was verified, or was never to go up:
 * then the bucket is asked. Without its MP4 there the raw object stays for good, and so it does in
 * a bucket that is not ours any more. Called by bucket.c and finalise.c.
 */
#include "workers/jobs/replace.h"

#include <dirent.h>
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
#include "workers/jobs/bucket.h"
#include "workers/jobs/follow.h"
#include "workers/jobs/upload_check.h"
#include "workers/jobs/upload_conn.h"
#include "workers/jobs/upload_mark.h"

#define SMALL_MAX 8192

/* One pass over the links. */
static struct {
	json_t *ids;			/* NULL: none is under way */
	size_t at;
	json_t *link, *mark;		/* of the one it is at; mark: of the raw file, may be NULL */
	int64_t size;			/* of the MP4, -1: it is not here any more */
	struct s3_call *call;
	struct upload *discard;
	int lock;
} rp = { .lock = -1 };

static bool forgotten;			/* by the ledger */
static unsigned pass;			/* an answer of Redis to one that was stopped is nobody's */

static void next(void);

static json_t *
read_small(const char *id, const char *suffix)
{
	char path[BUCKET_PATH], *text;
	json_t *o;

	bucket_file(path, id, suffix);
	text = file_read(path, SMALL_MAX, NULL);
	o = text != NULL ? json_loads(text, 0, NULL) : NULL;
	free(text);
	return o;
}

static bool
is_there(const char *id, const char *suffix)
{
	char path[BUCKET_PATH];

	bucket_file(path, id, suffix);
	return access(path, F_OK) == 0;
}

static void
unlink_of(const char *id, const char *suffix)
{
	char path[BUCKET_PATH];

	bucket_file(path, id, suffix);
	if (unlink(path) == -1 && errno != ENOENT)
		log_warn("cannot remove %s", path);
}

/* --- the link --- */

/* 0 also if nothing of it is in the bucket. */
static int
note(const struct svc *svc, const struct ledger *l, const char *file, const char *mp4)
{
	static const char *const suffixes[] = { "json", "done" };
	const char *data_dir = conf_str(svc->conf, "data_dir");
	char raw[BUCKET_PATH], path[BUCKET_PATH], dir[BUCKET_PATH], id[LEDGER_ID];
	bool wanted = conf_bool(svc->conf, "streams.record.upload_while_recording");
	json_t *link;
	int rc;

	snprintf(dir, sizeof(dir), "%s/uploads", data_dir);
	snprintf(raw, sizeof(raw), "%s/%s", data_dir, file);
	ledger_id(l, raw, id);
	for (size_t i = 0; i < 2 && !wanted; i++) {
		snprintf(path, sizeof(path), "%.900s/%s.%s", dir, id, suffixes[i]);
		wanted = access(path, F_OK) == 0;
	}
	if (!wanted)
		return 0;
	if (fs_make_dirs(dir, 0750) == -1)
		return -1;
	snprintf(path, sizeof(path), "%.900s/%s.link", dir, id);
	link = json_pack("{s:s, s:s}", "raw", raw, "mp4", mp4);
	rc = upload_check_save(path, link);
	json_decref(link);
	return rc;
}

/* On a full disk the raw file makes the room for the note; what a kill in between costs is some bytes in the bucket. */
int
replace_raw(const struct svc *svc, const struct ledger *l, const char *file, const char *mp4)
{
	char path[BUCKET_PATH];
	int rc = note(svc, l, file, mp4);

	if (rc == -1 && errno != ENOSPC && errno != EDQUOT)
		return -1;
	snprintf(path, sizeof(path), "%s/%s", conf_str(svc->conf, "data_dir"), file);
	if (unlink(path) == -1 && errno != ENOENT)
		return -1;
	if (rc == -1 && note(svc, l, file, mp4) == -1)
		log_warn("what went up of %s while it was recorded stays in the bucket: that can't be noted", file);
	return 0;
}

/* --- the pass --- */

static const char *
id_now(void)
{
	return json_string_value(json_array_get(rp.ids, rp.at));
}

static void
leave(void)
{
	json_decref(rp.link);
	json_decref(rp.mark);
	rp.link = rp.mark = NULL;
	if (rp.lock != -1)
		close(rp.lock);
	rp.lock = -1;
}

static void
end(void)
{
	leave();
	json_decref(rp.ids);
	rp.ids = NULL;
	pass++;
}

static void
skip(void)
{
	leave();
	rp.at++;
	next();
}

/* Nothing of the raw file is anywhere but in its MP4. */
static void
all_gone(void)
{
	const char *id = id_now();

	unlink_of(id, "done");
	unlink_of(id, "link");
	skip();
}

static void
dropped_cb(int rc, json_t *body, void *ctx)
{
	if ((unsigned)(uintptr_t)ctx != pass || rp.ids == NULL)
		return;
	if (rc == 0)
		all_gone();
	else
		end();		/* Redis is away */
}

static void
drop(void)
{
	ledger_drop(bk.ledger, id_now(), dropped_cb, (void *)(uintptr_t)pass);
}

static void
deleted_cb(const struct s3_result *r, void *ctx)
{
	rp.call = NULL;
	if (r->verdict != S3_OK && r->verdict != S3_GONE) {
		log_debug("%s is not removed yet: %s", upload_check_str(rp.mark, "object"), r->error);
		end();
		return;
	}
	BUCKET_LOG("", "", log_info, "%s is removed from the bucket: its MP4 is verified there",
	    upload_check_str(rp.mark, "object"));
	drop();
}

static void
discarded_cb(const struct upload_result *r, void *ctx)
{
	rp.discard = NULL;
	if (r->end == UPLOAD_DONE)
		drop();
	else
		end();
}

/* Its MP4 is in the bucket: what there is of the raw file goes. */
static void
replace(void)
{
	struct upload_params p = upload_conn_params(bk.svc);
	const char *id = id_now(), *why;
	char dir[BUCKET_PATH];

	if (follow_has(id)) {		/* takes its time: the next pass finds it done */
		follow_cancel(id);
		skip();
	} else if (rp.mark != NULL) {
		rp.call = s3_delete(bucket_s3(&why), upload_check_str(rp.mark, "object"), deleted_cb, NULL);
	} else if (!is_there(id, "json")) {
		drop();
	} else if ((rp.lock = bucket_lock(id)) == -1) {
		skip();
	} else {
		snprintf(dir, sizeof(dir), "%s/uploads", conf_str(bk.svc->conf, "data_dir"));
		p.file_id = id;
		p.dir = dir;
		rp.discard = upload_discard(bk.svc->base, bucket_s3(&why), &p, discarded_cb, NULL);
	}
}

static void
head_cb(const struct s3_result *r, void *ctx)
{
	const char *mp4 = upload_check_str(rp.link, "mp4");

	rp.call = NULL;
	if (r->verdict == S3_OK && (rp.size < 0 || rp.size == r->size)) {
		replace();
	} else if (r->verdict == S3_OK || r->verdict == S3_GONE) {
		BUCKET_LOG("", "", log_warnx, "%s is not in the bucket%s: what was recorded of it stays there as it "
		    "came", mp4, rp.size < 0 ? ", nor here any more" : " as it was sent");
		unlink_of(id_now(), "link");
		skip();
	} else {
		log_debug("%s: %s", mp4, r->error);
		end();
	}
}

/* Verified, says the disk; the bucket is asked all the same. False: not yet. */
static bool
ask(const char *mp4)
{
	const char *data_dir = conf_str(bk.svc->conf, "data_dir"), *why;
	char path[BUCKET_PATH], object[BUCKET_PATH], id[LEDGER_ID];
	struct stat st;
	json_t *mark;

	snprintf(path, sizeof(path), "%s/%s", data_dir, mp4);
	snprintf(object, sizeof(object), "%s%s", conf_str(bk.svc->conf, "storage.s3.prefix"), mp4);
	rp.size = -1;
	if (stat(path, &st) == 0) {
		ledger_id(bk.ledger, path, id);
		mark = upload_mark_read(data_dir, id, st.st_size, (int64_t)st.st_mtim.tv_sec * 1000000000 +
		    st.st_mtim.tv_nsec);
		if (mark == NULL)
			return false;
		str_copy(object, upload_check_str(mark, "object"), sizeof(object));
		json_decref(mark);
		rp.size = st.st_size;
	} else if (errno != ENOENT)
		return false;
	rp.call = s3_head(bucket_s3(&why), object, head_cb, NULL);
	return true;
}

static bool
is_elsewhere(void)
{
	const char *why;

	return rp.mark != NULL && strcmp(upload_check_str(rp.mark, "bucket"), s3_bucket(bucket_s3(&why))) != 0;
}

/* Goes on until something has to be waited for. */
static void
next(void)
{
	const char *mp4;

	for (; rp.ids != NULL && rp.at < json_array_size(rp.ids); rp.at++) {
		leave();
		rp.link = read_small(id_now(), "link");
		rp.mark = read_small(id_now(), "done");
		mp4 = upload_check_str(rp.link, "mp4");
		if (forgotten)
			replace_tell(id_now());
		if (rp.link == NULL)
			continue;
		if (is_elsewhere()) {
			unlink_of(id_now(), "link");
			continue;
		}
		if (rp.mark == NULL && !is_there(id_now(), "json") && !follow_has(id_now())) {
			drop();		/* nothing of it ever went up */
			return;
		}
		if (mp4[0] == '\0') {
			replace();
			return;
		}
		if (ask(mp4))
			return;
	}
	forgotten = false;
	end();
}

void
replace_run(void)
{
	const char *why;
	char path[BUCKET_PATH];
	struct dirent *e;
	json_t *ids;
	size_t n;
	DIR *d;

	snprintf(path, sizeof(path), "%s/uploads", conf_str(bk.svc->conf, "data_dir"));
	d = rp.ids == NULL ? opendir(path) : NULL;
	if (d == NULL)
		return;
	ids = json_array();
	while ((e = readdir(d)) != NULL) {
		n = strlen(e->d_name);
		if (n == LEDGER_ID - 1 + strlen(".link") && strcmp(e->d_name + LEDGER_ID - 1, ".link") == 0)
			json_array_append_new(ids, json_stringn(e->d_name, LEDGER_ID - 1));
	}
	closedir(d);
	if (json_array_size(ids) == 0 || bucket_s3(&why) == NULL) {
		json_decref(ids);
		return;
	}
	rp.ids = ids;
	rp.at = 0;
	next();
}

void
replace_stop(void)
{
	if (rp.ids == NULL)
		return;
	s3_cancel(&rp.call);
	upload_stop(&rp.discard);
	end();
}

void
replace_up(void)
{
	forgotten = true;
}

void
replace_tell(const char *id)
{
	json_t *fields = read_small(id, "done");

	if (fields == NULL)
		return;
	json_object_set_new(fields, "local", json_boolean(access(upload_check_str(fields, "path"), F_OK) == 0));
	json_object_set_new(fields, "kind", json_string("raw"));
	json_object_set_new(fields, "state", json_string("verified"));
	json_object_set_new(fields, "progress", json_integer(1000));
	json_object_set_new(fields, "error", json_null());
	bucket_ledger(id, fields);
}
