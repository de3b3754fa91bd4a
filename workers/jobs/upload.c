/*
 * upload.c - the life of one upload: parameters, retries, restarts when the file changes, and
 * its one end. The requests themselves are in upload_step.c and upload_parts.c.
 *
 * Every request goes through a struct upload_try, so that retry with backoff, parking and giving up
 * are decided in one place (upload_failed).
 */
#include <errno.h>
#include <event2/util.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "log.h"
#include "upload_int.h"
#include "util.h"

#define TROUBLE 2		/* failures in a row of one request that are worth telling */
#define REPORT_MS 500

/* Cancelled, their callers gone, still busy with the server. */
static LIST_HEAD(, upload) orphans = LIST_HEAD_INITIALIZER(orphans);

static uint32_t
random32(void)
{
	uint32_t r;

	evutil_secure_rng_get_bytes(&r, sizeof r);
	return r;
}

int64_t
upload_backoff_ms(int n, int64_t min_ms, int64_t max_ms, uint32_t random)
{
	int64_t ms = min_ms > 0 ? min_ms : 1;

	for (; n > 1 && ms < max_ms; n--)
		ms *= 2;
	ms = ms < max_ms ? ms : max_ms;
	return ms * 4 / 5 + ms * 2 / 5 * (random % 1000) / 1000;
}

static void
try_stop(struct upload_try *t)
{
	s3_cancel(&t->call);
	evtimer_del(t->timer);
	t->part = 0;
	t->attempts = 0;
}

/* Cancels all parts in flight. */
static void
ground(struct upload *u)
{
	for (int i = 0; i < u->p.concurrency; i++)
		try_stop(&u->flights[i]);
	u->flying = 0;
}

static void
upload_free(struct upload *u)
{
	for (int i = 0; i < u->p.concurrency; i++) {
		try_stop(&u->flights[i]);
		event_free(u->flights[i].timer);
	}
	try_stop(&u->step);
	event_free(u->step.timer);
	event_free(u->tick);
	for (int n = 0; n < u->slots; n++)
		free(u->etags[n]);
	free(u->etags);
	for (size_t i = 0; i < u->nstale; i++) {
		free(u->stale[i].object);
		free(u->stale[i].upload_id);
	}
	free(u->stale);
	json_decref(u->check);
	free(u->metadata);
	if (u->done == NULL)
		LIST_REMOVE(u, orphan);
	if (u->fd != -1)
		close(u->fd);
	free(u->path);
	free(u->object);
	free(u->sha256);
	free(u->content_type);
	free(u->check_path);
	free(u->file_id);
	free(u->owner);
	free(u->stream);
	free(u);
}

void
upload_end(struct upload *u, enum upload_end end, const char *error)
{
	struct upload_result *r = &u->result;

	r->end = end;
	str_copy(r->error, error, sizeof r->error);
	str_copy(r->etag, u->etag, sizeof r->etag);
	r->size = u->file.size;
	r->mtime_ns = u->file.mtime_ns;
	r->parts = u->plan.parts;
	r->resumed_parts = u->resumed;
	if (u->done != NULL)
		u->done(r, u->ctx);
	upload_free(u);
}

static void
again_cb(evutil_socket_t fd, short what, void *ctx)
{
	struct upload_try *t = ctx;

	t->go(t);
}

static void report(struct upload *u, int part, const char *trouble);

static void
given_up(struct upload *u)
{
	char error[S3_ERROR];

	str_copy(error, u->result.error, sizeof error);
	upload_end(u, UPLOAD_FAILED, error);
}

static void
retry(struct upload_try *t, const struct s3_result *r)
{
	struct upload *u = t->u;
	char part[32] = "";
	int64_t ms;

	if (++t->attempts >= u->p.attempts)
		return upload_end(u, UPLOAD_LATER, r->error);
	ms = upload_backoff_ms(t->attempts, u->p.retry_min_ms, u->p.retry_max_ms, random32());
	if (t->part > 0)
		snprintf(part, sizeof part, "part %d of ", t->part);
	UPLOAD_LOG(u, log_warnx, "upload: %s%s: %s: retry in %lld ms", part, u->object, r->error, (long long)ms);
	event_add(t->timer, &(struct timeval){ ms / 1000, ms % 1000 * 1000 });
	if (t->attempts >= TROUBLE)
		report(u, 0, r->error);
}

void
upload_failed(struct upload_try *t, const struct s3_result *r)
{
	struct upload *u = t->u;

	switch (r->verdict) {
	case S3_RETRY:
		return retry(t, r);
	case S3_REFUSED:
		return upload_end(u, UPLOAD_PARK, r->error);
	case S3_GONE:
		return upload_restart(u, "the server knows the upload no more");
	case S3_CHANGED:
		if (upload_changed(u))
			return upload_restart(u, "the file changes");
		return upload_end(u, UPLOAD_LATER, r->error);
	default:
		if (u->after == given_up)
			return given_up(u);
		upload_give_up(u, r->error);
	}
}

void
upload_give_up(struct upload *u, const char *error)
{
	str_copy(u->result.error, error, sizeof u->result.error);
	u->sending = false;
	ground(u);
	upload_abort(u, given_up);
}

void
upload_step(struct upload *u, void (*go)(struct upload_try *))
{
	try_stop(&u->step);
	u->step.go = go;
	go(&u->step);
}

/* Under another name or in another inode it is another file. */
bool
upload_changed(const struct upload *u)
{
	struct stat open_one, named;

	if (u->p.grows)
		return upload_grown_otherwise(u);
	return fstat(u->fd, &open_one) == -1 || stat(u->path, &named) == -1 ||
	    open_one.st_ino != named.st_ino || open_one.st_dev != named.st_dev || named.st_size != u->file.size ||
	    (int64_t)named.st_mtim.tv_sec * 1000000000 + named.st_mtim.tv_nsec != u->file.mtime_ns;
}

static void
begin_again(struct upload_try *t)
{
	upload_begin(t->u);
}

/* Not at once: who writes now will write for some time yet. */
static void
restart_later(struct upload *u)
{
	int64_t ms = upload_backoff_ms(u->restarts, u->p.retry_min_ms, u->p.retry_max_ms, random32());

	u->step.go = begin_again;
	event_add(u->step.timer, &(struct timeval){ ms / 1000, ms % 1000 * 1000 });
}

void
upload_restart(struct upload *u, const char *why)
{
	ground(u);
	u->sending = false;
	if (++u->restarts > u->p.restarts)
		return upload_end(u, UPLOAD_LATER, why);
	UPLOAD_LOG(u, log_warnx, "upload: %s: %s: it starts again", u->object, why);
	upload_abort(u, restart_later);
}

static void
report(struct upload *u, int part, const char *trouble)
{
	struct upload_progress p = { .safe_bytes = u->safe_bytes, .sent_bytes = u->safe_bytes, .size = u->file.size,
		.part = part, .parts = u->growing ? 0 : u->plan.parts, .checkpoint = u->check,
		.trouble = trouble };

	for (int i = 0; i < u->p.concurrency; i++)
		if (u->flights[i].call != NULL)
			p.sent_bytes += s3_call_sent(u->flights[i].call);
	if (u->progress != NULL)
		u->progress(&p, u->ctx);
}

void
upload_report(struct upload *u, int part)
{
	report(u, part, NULL);
}

static void
tick_cb(evutil_socket_t fd, short what, void *ctx)
{
	struct upload *u = ctx;

	if (u->flying > 0)
		upload_report(u, 0);
}

int
upload_save(struct upload *u)
{
	char error[S3_ERROR];

	if (upload_check_save(u->check_path, u->check) == 0)
		return 0;
	snprintf(error, sizeof error, "%s can't be written: %s", u->check_path, strerror(errno));
	upload_end(u, UPLOAD_LATER, error);
	return -1;
}

void
upload_forget(struct upload *u)
{
	if (unlink(u->check_path) == -1 && errno != ENOENT)
		log_warn("upload: %s", u->check_path);
	json_decref(u->check);
	u->check = NULL;
}

static void
start_cb(struct upload_try *t)
{
	upload_begin(t->u);
}

static void
try_init(struct upload *u, struct upload_try *t)
{
	t->u = u;
	t->timer = evtimer_new(u->base, again_cb, t);
}

struct upload *
upload_new(struct event_base *base, struct s3 *s3, const struct upload_params *p, upload_progress_cb progress,
    upload_done_cb done, void *ctx)
{
	struct upload *u = xcalloc(1, sizeof *u);

	u->base = base;
	u->s3 = s3;
	u->progress = progress;
	u->done = done;
	u->ctx = ctx;
	u->fd = -1;
	u->path = xstrdup(p->path != NULL ? p->path : "");
	u->object = xstrdup(p->object != NULL ? p->object : "");
	u->sha256 = xstrdup(p->sha256 != NULL ? p->sha256 : "");
	u->content_type = xstrdup(p->content_type != NULL ? p->content_type : "");
	u->owner = xstrdup(p->owner != NULL ? p->owner : "");
	u->stream = p->stream != NULL ? xstrdup(p->stream) : NULL;
	u->growing = p->grows && !p->ended;
	u->file_id = xstrdup(p->file_id);
	u->check_path = xasprintf("%s/%s.json", p->dir, p->file_id);
	u->p = *p;
	u->p.concurrency = p->concurrency < 1 ? 1 : p->concurrency;
	if (u->p.concurrency > UPLOAD_FLIGHT_MAX)
		u->p.concurrency = UPLOAD_FLIGHT_MAX;
	u->check = upload_check_load(u->check_path);
	if (u->check == NULL && p->checkpoint != NULL)
		u->check = upload_check_valid(p->checkpoint);
	try_init(u, &u->step);
	for (int i = 0; i < u->p.concurrency; i++)
		try_init(u, &u->flights[i]);
	u->tick = event_new(base, -1, EV_PERSIST, tick_cb, u);
	event_add(u->tick, &(struct timeval){ 0, REPORT_MS * 1000 });
	return u;
}

void
upload_soon(struct upload *u, void (*go)(struct upload_try *))
{
	u->step.go = go;
	event_add(u->step.timer, &(struct timeval){ 0, 0 });
}

struct upload *
upload_start(struct event_base *base, struct s3 *s3, const struct upload_params *p, upload_progress_cb progress,
    upload_done_cb done, void *ctx)
{
	struct upload *u = upload_new(base, s3, p, progress, done, ctx);

	upload_soon(u, start_cb);
	return u;
}

void
upload_stop(struct upload **u)
{
	if (*u != NULL)
		upload_free(*u);
	*u = NULL;
}

static void
cancelled(struct upload *u)
{
	upload_end(u, UPLOAD_FAILED, "cancelled");
}

void
upload_cancel(struct upload **up)
{
	struct upload *u = *up;

	*up = NULL;
	if (u == NULL)
		return;
	u->done = NULL;
	u->progress = NULL;
	LIST_INSERT_HEAD(&orphans, u, orphan);
	ground(u);
	upload_abort(u, cancelled);
}

void
upload_orphans_stop(void)
{
	while (!LIST_EMPTY(&orphans))
		upload_free(LIST_FIRST(&orphans));
}
