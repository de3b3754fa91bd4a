/*
 * sweep.c - this host's own uploads: each pass says in Redis that they are ours (sorted set
 * `uploads`), so that no host takes them for stale, and gives those up that nobody will go on
 * with (contract in sweep.h).
 *
 * What is ours is what has a checkpoint in data_dir/uploads, read on a thread. Given up: its job is
 * dead, cancelled, or done by another host; or its file is gone and no job is to come that would
 * find that out. A parked job only waits for a person: its upload stays. Called by bucket.c.
 */
#include "workers/jobs/sweep.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "board.h"
#include "conf.h"
#include "log.h"
#include "util.h"
#include "workers/common/keys.h"
#include "slow.h"
#include "workers/jobs/bucket.h"
#include "workers/jobs/follow.h"
#include "workers/jobs/sweep_int.h"
#include "workers/jobs/upload_check.h"
#include "workers/jobs/upload_conn.h"
#include "workers/jobs/upload_copy.h"

#define OWN_MAX 10000		/* of one pass; the others' turn comes when these are done */
#define GAP_MS 600000		/* at least: nobody spoke for so long, Redis was away */

struct own {
	char id[LEDGER_ID];
	char *upload_id, *owner, *object, *bucket;
	bool gone;			/* the file */
	bool linked;			/* replace.c sees to it */
};

/* What the thread works on. */
struct owns {
	char *dir;
	struct own *list;
	size_t n;
};

static struct slow *reading;
static struct owns *owns;		/* of the pass under way */
static size_t asked, at;		/* told to Redis; looked at */
static json_t *states;			/* of their jobs */
static struct upload *discard;
static struct s3 *other;		/* a bucket of a watched folder: one each pass */
static int lock = -1;
static unsigned pass, stops;		/* an answer to what was stopped is nobody's */

/*
 * KEYS uploads uploads:since; ARGV prefix gap_ms, then upload id and job id of each -> the jobs' states. When
 * nobody spoke for a while Redis was away for all: what was said before that has no weight.
 */
static struct redis_script script_own = { .text =
	"local t = redis.call('TIME')\n"
	"local now = t[1] * 1000 + math.floor(t[2] / 1000)\n"
	"local out = {}\n"
	"local last = redis.call('HGET', KEYS[2], 'last')\n"
	"if not last or now - last > tonumber(ARGV[2]) then redis.call('HSET', KEYS[2], 'since', now) end\n"
	"redis.call('HSET', KEYS[2], 'last', now)\n"
	"for i = 3, #ARGV, 2 do\n"
	"  if ARGV[i] ~= '' then redis.call('ZADD', KEYS[1], now, ARGV[i]) end\n"
	"  out[#out + 1] = ARGV[i + 1] ~= '' and redis.call('HGET', ARGV[1] .. 'job:' .. ARGV[i + 1], 'state') or ''\n"
	"end\n"
	"redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now - 2592000000)\n"
	"return out\n" };

/*
 * KEYS uploads uploads:since; ARGV ms, ids -> for each 1: somebody said so in the last ms, else 0. Nothing
 * if it is not that long that anybody could: this Redis is new, or has lost what it knew.
 */
static struct redis_script script_owned = { .text =
	"local t = redis.call('TIME')\n"
	"local since = t[1] * 1000 + math.floor(t[2] / 1000) - ARGV[1]\n"
	"local first = redis.call('HGET', KEYS[2], 'since')\n"
	"if not first or tonumber(first) > since then return {} end\n"
	"local out = {}\n"
	"for i = 2, #ARGV do\n"
	"  local said = redis.call('ZSCORE', KEYS[1], ARGV[i])\n"
	"  out[#out + 1] = said and tonumber(said) > since and 1 or 0\n"
	"end\n"
	"return out\n" };

/* A host speaks each jobs.scan: less than some of those says nothing. */
int64_t
sweep_stale_ms(void)
{
	int64_t scan = conf_int(bk.svc->conf, "jobs.scan"), ms = conf_int(bk.svc->conf, "storage.s3.stale_after");

	return ms == 0 || ms >= 3 * scan ? ms : 3 * scan;
}

static void
keys(char uploads[KEY_BYTES], char since[KEY_BYTES])
{
	const char *prefix = conf_str(bk.svc->conf, "redis.prefix");

	key_make(uploads, prefix, KEY_UPLOADS, "");
	key_make(since, prefix, KEY_UPLOADS_SINCE, "");
}

/* --- for sweep_stale.c --- */

struct question { sweep_owned_cb cb; unsigned asked; };

static void
owned_cb(int rc, json_t *reply, const char *error, void *ctx)
{
	struct question *q = ctx;

	if (q->asked == stops)
		q->cb(rc == 0 ? reply : NULL);
	free(q);
}

void
sweep_ask(const char *const *ids, int n, sweep_owned_cb cb)
{
	char uploads[KEY_BYTES], since[KEY_BYTES], ms[24];
	const char *argv[3 + SWEEP_ASK] = { uploads, since, ms };
	struct question *q = xcalloc(1, sizeof(*q));

	*q = (struct question){ cb, stops };
	keys(uploads, since);
	snprintf(ms, sizeof(ms), "%lld", (long long)sweep_stale_ms());
	memcpy(argv + 3, ids, (size_t)n * sizeof(*ids));
	redis_run(bk.redis, &script_owned, 2, 3 + n, argv, owned_cb, q);
}

void
sweep_count(void)
{
	struct board_page *p = bk.svc->page;

	board_begin(&p->seq);
	p->jobs.swept++;
	board_end(&p->seq);
}

/* --- what is there --- */

static void
owns_free(void *ctx)
{
	struct owns *o = ctx;

	for (size_t i = 0; o != NULL && i < o->n; i++) {
		free(o->list[i].upload_id);
		free(o->list[i].owner);
		free(o->list[i].object);
		free(o->list[i].bucket);
	}
	if (o != NULL) {
		free(o->list);
		free(o->dir);
	}
	free(o);
}

static void
read_one(struct owns *o, const char *name)
{
	char *path = xasprintf("%s/%s", o->dir, name), *link;
	json_t *check = upload_check_load(path);
	const char *file = upload_check_str(check, "path");
	struct own *own;

	free(path);
	if (check == NULL)
		return;
	if ((o->n & (o->n - 1)) == 0)
		o->list = xrealloc(o->list, (o->n == 0 ? 1 : o->n * 2) * sizeof(*o->list));
	own = &o->list[o->n++];
	memset(own, 0, sizeof(*own));
	snprintf(own->id, sizeof(own->id), "%.*s", LEDGER_ID - 1, name);
	own->upload_id = xstrdup(upload_check_str(check, "upload_id"));
	own->owner = xstrdup(upload_check_str(check, "owner"));
	own->object = xstrdup(upload_check_str(check, "object"));
	own->bucket = xstrdup(upload_check_str(check, "bucket"));
	own->gone = file[0] == '/' && access(file, F_OK) == -1 && errno == ENOENT;
	link = xasprintf("%s/%s.link", o->dir, own->id);
	own->linked = access(link, F_OK) == 0;
	free(link);
	json_decref(check);
}

static int
read_all(void *ctx)
{
	struct owns *o = ctx;
	struct dirent *e;
	DIR *d = opendir(o->dir);

	while (d != NULL && (e = readdir(d)) != NULL && o->n < OWN_MAX)
		if (strlen(e->d_name) == LEDGER_ID - 1 + strlen(".json") &&
		    strcmp(e->d_name + LEDGER_ID - 1, ".json") == 0)
			read_one(o, e->d_name);
	if (d != NULL)
		closedir(d);
	return 0;
}

/* --- the pass --- */

static void
end(void)
{
	owns_free(owns);
	owns = NULL;
	json_decref(states);
	states = NULL;
	if (lock != -1)
		close(lock);
	lock = -1;
	pass++;
}

static bool
is_upload(const char *id)
{
	return strcmp(id, UPLOAD_IS_CHUNKS) != 0 && strcmp(id, UPLOAD_IS_WHOLE) != 0;
}

static bool
is_given_up(const struct own *o, const char *state)
{
	if (strcmp(state, "dead") == 0 || strcmp(state, "cancelled") == 0)
		return true;
	if (o->linked || follow_has(o->id))
		return false;
	/* done, and still a checkpoint: by another host, which took the job over; its chunks have the same names */
	return (strcmp(state, "done") == 0 && is_upload(o->upload_id)) || (o->gone && state[0] == '\0');
}

static void look(void);

static void
discarded_cb(const struct upload_result *r, void *ctx)
{
	const struct own *o = &owns->list[at];

	discard = NULL;
	if (r->end == UPLOAD_DONE) {
		sweep_count();
		upload_copy_drop(bk.redis, conf_str(bk.svc->conf, "redis.prefix"), o->id);
		BUCKET_LOG("", "", log_info, "what was in the bucket of the upload of %s is removed: it was given up",
		    o->object);
	} else
		log_debug("the upload of %s is still open: %s", o->object, r->error);
	if (r->end == UPLOAD_LATER) {		/* S3 is away: others are waiting for our word meanwhile */
		end();
		return;
	}
	close(lock);
	lock = -1;
	at++;
	look();
}

/* To its own bucket; NULL: another pass may. Not freed here: a callback of it may be above us. */
static struct s3 *
connection(const struct own *o)
{
	const char *why;
	struct s3 *s3 = bucket_s3(&why);

	if (s3 == NULL || o->bucket[0] == '\0' || strcmp(o->bucket, s3_bucket(s3)) == 0)
		return s3;
	if (other == NULL)
		other = upload_connect(bk.svc, o->bucket, &why);
	return other != NULL && strcmp(o->bucket, s3_bucket(other)) == 0 ? other : NULL;
}

/* Takes the file's lock: a job that is retried just now has it, and goes on with it. */
static bool
give_up(const struct own *o)
{
	struct upload_params p = upload_conn_params(bk.svc);
	struct s3 *s3 = connection(o);

	if (s3 == NULL || (lock = bucket_lock(o->id)) == -1)
		return false;
	p.file_id = o->id;
	p.dir = owns->dir;
	discard = upload_discard(bk.svc->base, s3, &p, discarded_cb, NULL);
	return true;
}

static void
look(void)
{
	const char *state;

	for (; at < owns->n; at++) {
		state = json_string_value(json_array_get(states, at));
		if (state != NULL && is_given_up(&owns->list[at], state) && give_up(&owns->list[at]))
			return;
	}
	end();
	sweep_stale_run();
}

static void say(void);

static void
said_cb(int rc, json_t *reply, const char *error, void *ctx)
{
	if ((unsigned)(uintptr_t)ctx != pass || owns == NULL)
		return;
	if (rc != 0) {
		log_debug("Redis is not told of open uploads: %s", error);
		end();
		return;
	}
	json_array_extend(states, reply);
	if (asked < owns->n)
		say();
	else
		look();
}

/* Also if there are none: the time from which on hosts are heard begins with the first. */
static void
say(void)
{
	char uploads[KEY_BYTES], since[KEY_BYTES];
	int64_t scan = conf_int(bk.svc->conf, "jobs.scan");
	const char *argv[4 + 2 * SWEEP_ASK];
	char gap[24];
	int argc = 4;

	keys(uploads, since);
	snprintf(gap, sizeof(gap), "%lld", (long long)(3 * scan > GAP_MS ? 3 * scan : GAP_MS));
	argv[0] = uploads;
	argv[1] = since;
	argv[2] = conf_str(bk.svc->conf, "redis.prefix");
	argv[3] = gap;
	for (; asked < owns->n && argc < 4 + 2 * SWEEP_ASK; asked++) {
		const struct own *o = &owns->list[asked];

		argv[argc++] = is_upload(o->upload_id) ? o->upload_id : "";
		argv[argc++] = o->owner;
	}
	redis_run(bk.redis, &script_own, 2, argc, argv, said_cb, (void *)(uintptr_t)pass);
}

static void
read_cb(int rc, void *ctx)
{
	reading = NULL;
	owns = ctx;
	asked = at = 0;
	states = json_array();
	say();
}

void
sweep_run(void)
{
	struct owns *o;

	if (reading != NULL || owns != NULL)
		return;
	s3_free(&other);
	o = xcalloc(1, sizeof(*o));
	o->dir = xasprintf("%s/uploads", conf_str(bk.svc->conf, "data_dir"));
	reading = slow_run(bk.svc->base, read_all, read_cb, o);
	if (reading == NULL)
		owns_free(o);
}

void
sweep_stop(void)
{
	stops++;
	if (reading != NULL)
		slow_forget(&reading, owns_free);
	upload_stop(&discard);
	if (owns != NULL)
		end();
	s3_free(&other);
	sweep_stale_stop();
}
