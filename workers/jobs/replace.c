/*
 * replace.c - the raw object goes once its MP4 is in the bucket (contract in replace.h).
 *
 *   link -> is its MP4 verified here? -> HEAD: is it there now? -> what is under way of the raw file
 *   is given up -> DELETE of the raw object -> its ledger entry goes -> mark and link go
 *
 * Each step may be done twice; the link goes last, so that a kill leaves the next pass the same
 * work. An MP4 that was deleted here by streams.record.keep was verified, or was never to go up:
 * then the bucket is asked. Without its MP4 there the raw object stays for good, and so it does in
 * a bucket that is not ours any more. Which links there are, and what of them is due, a thread reads
 * (replace_links.c): there may be thousands that wait for their MP4. Called by bucket.c.
 */
#include "workers/jobs/replace.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "conf.h"
#include "log.h"
#include "slow.h"
#include "util.h"
#include "workers/jobs/bucket.h"
#include "workers/jobs/follow.h"
#include "workers/jobs/replace_links.h"
#include "workers/jobs/upload_check.h"
#include "workers/jobs/upload_conn.h"
#include "workers/jobs/upload_mark.h"

#define FAILURES_MAX 5		/* of one pass: S3 is in trouble, not this or that object */

/* One pass over the links. */
static struct {
	struct slow *reading;		/* the disk is looked at */
	struct replace_links *links;	/* NULL: none is under way */
	size_t at, first;		/* at: so many behind the first one of this pass */
	int failures;
	json_t *link, *mark;		/* of the one it is at; mark: of the raw file, may be NULL */
	int64_t size;			/* of the MP4, -1: it is not here any more */
	struct s3_call *call;
	struct upload *discard;
	int lock;
} rp = { .lock = -1 };

static bool forgotten;			/* by the ledger */
static char behind[LEDGER_ID];		/* where the next pass begins: the last one that S3 would not have */
static unsigned pass;			/* an answer of Redis to one that was stopped is nobody's */

static void next(void);

static json_t *
read_small(const char *id, const char *suffix)
{
	return replace_small(conf_str(bk.svc->conf, "data_dir"), id, suffix);
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

/* --- the pass --- */

static const char *
id_now(void)
{
	return rp.links->list[(rp.first + rp.at) % rp.links->n].id;
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
	replace_links_free(rp.links);
	rp.links = NULL;
	pass++;
}

static void
skip(void)
{
	leave();
	rp.at++;
	next();
}

/* S3 would not: the others have their turn, this one again in a later pass. */
static void
put_off(void)
{
	str_copy(behind, id_now(), sizeof(behind));
	if (++rp.failures < FAILURES_MAX)
		skip();
	else
		end();
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
	if ((unsigned)(uintptr_t)ctx != pass || rp.links == NULL)
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
		put_off();
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
		put_off();
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
		put_off();
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

/* Goes on until something has to be waited for. What the thread has read may be otherwise by now. */
static void
next(void)
{
	const char *mp4;

	for (; rp.links != NULL && rp.at < rp.links->n; rp.at++) {
		if (!rp.links->list[(rp.first + rp.at) % rp.links->n].due)
			continue;
		leave();
		rp.link = read_small(id_now(), "link");
		rp.mark = read_small(id_now(), "done");
		mp4 = upload_check_str(rp.link, "mp4");
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
	end();
}

static void
told_cb(int rc, json_t *body, void *ctx)
{
	forgotten = forgotten || rc != 0;
}

static void
tell(const char *id, json_t *fields)
{
	json_object_set_new(fields, "kind", json_string("raw"));
	json_object_set_new(fields, "state", json_string("verified"));
	json_object_set_new(fields, "progress", json_integer(1000));
	json_object_set_new(fields, "error", json_null());
	ledger_put(bk.ledger, id, fields, told_cb, NULL);
}

static void
read_cb(int rc, void *ctx)
{
	struct replace_links *l = ctx;

	rp.reading = NULL;
	rp.links = l;
	rp.at = rp.first = 0;
	rp.failures = 0;
	for (size_t i = 0; i < l->n; i++) {
		if (strcmp(l->list[i].id, behind) <= 0)
			rp.first = i + 1;
		if (l->list[i].mark != NULL)
			tell(l->list[i].id, l->list[i].mark);
	}
	next();
}

void
replace_run(void)
{
	const char *why;
	struct s3 *s3 = bucket_s3(&why);
	struct replace_links *l;

	if (s3 == NULL || rp.reading != NULL || rp.links != NULL)
		return;
	l = replace_links_new(conf_str(bk.svc->conf, "data_dir"), conf_str(bk.svc->conf, "host_id"), s3_bucket(s3));
	l->marks = forgotten;
	rp.reading = slow_run(bk.svc->base, replace_links_read, read_cb, l);
	if (rp.reading == NULL)
		replace_links_free(l);
	else
		forgotten = false;
}

void
replace_stop(void)
{
	if (rp.reading != NULL)
		slow_forget(&rp.reading, replace_links_free);
	if (rp.links == NULL)
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
	tell(id, fields);
	json_decref(fields);
}
