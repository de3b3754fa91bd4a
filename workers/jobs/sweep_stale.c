/*
 * sweep_stale.c - uploads that are open in the bucket, below the names that Millrace gives there,
 * for longer than storage.s3.stale_after, of which no host has said that it is its own, and to which
 * no part has come for as long: a disk that was lost, a host that will not come back. They cost
 * money and nobody sees them.
 *
 * Nothing is done while it is not certain whose they are: Redis away, new, or having lost what it
 * knew. Any host may do this, also several at once: an upload that is gone is gone. Called by
 * sweep.c once this host has said what is its own.
 */
#include <event2/event.h>
#include <stdlib.h>
#include <string.h>

#include "conf.h"
#include "log.h"
#include "obj.h"
#include "util.h"
#include "workers/common/keys.h"
#include "workers/jobs/bucket.h"
#include "workers/jobs/s3.h"
#include "workers/jobs/sweep_int.h"
#include "workers/jobs/upload_conn.h"

#define EVERY_MAX_MS 3600000

struct found {
	char *object, *upload_id;
	int64_t age_sec;
};

static struct {
	struct event *turn;		/* to the next target; NULL: no pass is under way */
	struct s3 *s3;
	size_t target;
	struct s3_call *call;
	struct found *list;		/* stale ones of this target */
	size_t n, asked, at;
	json_t *owned;
	int64_t begun_ms;
} st;

static void next_target(void);
static void next_abort(void);

static void
found_free(void)
{
	for (size_t i = 0; i < st.n; i++) {
		free(st.list[i].object);
		free(st.list[i].upload_id);
	}
	free(st.list);
	json_decref(st.owned);
	st.list = NULL;
	st.owned = NULL;
	st.n = st.asked = st.at = 0;
}

static void
aborted_cb(const struct s3_result *r, void *ctx)
{
	const struct found *f = &st.list[st.at];

	st.call = NULL;
	if (r->verdict == S3_OK) {
		sweep_count();
		BUCKET_LOG("", "", log_info, "a stale upload of %s in bucket %s is aborted: open for %lld s, and of no "
		    "host", f->object, s3_bucket(st.s3), (long long)f->age_sec);
	} else if (r->verdict != S3_GONE)
		BUCKET_LOG("", "", log_warnx, "a stale upload of %s in bucket %s can't be aborted: %s; tried again "
		    "later", f->object, s3_bucket(st.s3), r->error);
	st.at++;
	next_abort();
}

/* Somebody may be at it whom this Redis does not know: then a part is young. */
static void
parts_cb(const struct s3_result *r, void *ctx)
{
	const struct found *f = &st.list[st.at];
	int64_t since = wall_ms() / 1000 - sweep_stale_ms() / 1000;
	bool stale = r->verdict == S3_OK;

	st.call = NULL;
	for (size_t i = 0; stale && i < r->nparts; i++)
		stale = r->parts[i].modified_sec != 0 && r->parts[i].modified_sec < since;
	if (stale) {
		st.call = s3_abort(st.s3, f->object, f->upload_id, aborted_cb, NULL);
		return;
	}
	st.at++;
	next_abort();
}

static void
next_abort(void)
{
	for (; st.at < st.n; st.at++)
		if (json_integer_value(json_array_get(st.owned, st.at)) == 0) {
			st.call = s3_parts(st.s3, st.list[st.at].object, st.list[st.at].upload_id, parts_cb, NULL);
			return;
		}
	next_target();
}

/* --- whose are they? --- */

static void ask(void);

static void
owned_cb(const json_t *owned)
{
	if (json_array_size(owned) == 0) {
		log_debug("open uploads are left alone: Redis does not know whose they are yet");
		next_target();
		return;
	}
	json_array_extend(st.owned, (json_t *)(uintptr_t)owned);
	ask();
}

static void
ask(void)
{
	const char *ids[SWEEP_ASK];
	int n = 0;

	if (st.asked == st.n) {
		next_abort();
		return;
	}
	while (st.asked < st.n && n < SWEEP_ASK)
		ids[n++] = st.list[st.asked++].upload_id;
	sweep_ask(ids, n, owned_cb);
}

/* --- what is open --- */

static void
listed_cb(const struct s3_result *r, void *ctx)
{
	int64_t now = wall_ms() / 1000, stale = sweep_stale_ms() / 1000;
	struct found *f;

	st.call = NULL;
	if (r->verdict != S3_OK) {
		log_debug("open uploads of bucket %s can't be listed: %s", s3_bucket(st.s3), r->error);
		next_target();
		return;
	}
	st.list = xcalloc(r->nuploads + 1, sizeof(*st.list));
	for (size_t i = 0; i < r->nuploads; i++) {
		if (r->uploads[i].initiated_sec == 0 || now - r->uploads[i].initiated_sec <= stale)
			continue;
		f = &st.list[st.n++];
		f->object = xstrdup(r->uploads[i].object);
		f->upload_id = xstrdup(r->uploads[i].upload_id);
		f->age_sec = now - r->uploads[i].initiated_sec;
	}
	st.owned = json_array();
	ask();
}

/* The n-th place where Millrace puts objects: of recordings, then of each watched folder. NULL: no more. */
static json_t *
target(size_t n)
{
	const json_t *c = bk.svc->conf, *watch = json_array_get(conf_get(c, "watch"), n - 1);
	char *prefix;
	json_t *o;

	if (n > 0)
		return watch != NULL ? json_copy((json_t *)(uintptr_t)watch) : NULL;
	prefix = xasprintf("%srecordings/", conf_str(c, "storage.s3.prefix"));
	o = json_pack("{s:s, s:s}", "bucket", "", "prefix", prefix);
	free(prefix);
	return o;
}

/* False: nothing can be looked for there. A folder that has the bucket to itself is no place of ours alone. */
static bool
begin(const json_t *where)
{
	const char *why = "";

	if (obj_str(where, "prefix")[0] == '\0')
		return false;
	st.s3 = upload_connect(bk.svc, obj_str(where, "bucket"), &why);
	if (st.s3 == NULL)
		return false;
	st.call = s3_uploads(st.s3, obj_str(where, "prefix"), listed_cb, NULL);
	return true;
}

static void
turn_cb(evutil_socket_t fd, short what, void *ctx)
{
	json_t *where;
	bool begun = false;

	s3_free(&st.s3);
	while (!begun && (where = target(st.target)) != NULL) {
		begun = begin(where);
		st.target++;
		json_decref(where);
	}
	if (!begun)
		sweep_stale_stop();
}

/* On the loop's next turn: a callback of the connection may be above us. */
static void
next_target(void)
{
	found_free();
	event_add(st.turn, &(struct timeval){ 0, 0 });
}

void
sweep_stale_run(void)
{
	int64_t every = sweep_stale_ms() / 24;

	if (st.turn != NULL || every == 0 || (st.begun_ms != 0 &&
	    now_ms() - st.begun_ms < (every < EVERY_MAX_MS ? every : EVERY_MAX_MS)))
		return;
	st.begun_ms = now_ms();
	st.target = 0;
	st.turn = evtimer_new(bk.svc->base, turn_cb, NULL);
	if (st.turn != NULL)
		event_add(st.turn, &(struct timeval){ 0, 0 });
}

void
sweep_stale_stop(void)
{
	s3_cancel(&st.call);
	found_free();
	s3_free(&st.s3);
	if (st.turn != NULL)
		event_free(st.turn);
	st.turn = NULL;
}
