/*
 * scan.c - looks watched folders through: at the start, every watch_rescan (or poll), after
 * each new watch, and after an overflow. One folder at a time; the reading is scan_read.c's,
 * on a thread.
 *
 * The watch on a folder is added before it is read: what comes later is told, what was there
 * is read, what is both is one. A whole scan that missed nothing tells what is gone.
 */
#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "log.h"
#include "util.h"
#include "slow.h"
#include "workers/watch/name.h"
#include "workers/watch/scan_read.h"
#include "workers/watch/watch.h"

#define TICK_MS 100		/* least time between two looks at what is due */
#define MISSING_MS 5000		/* a folder that is not there is looked for this often at least */

struct request {
	TAILQ_ENTRY(request) next;
	struct folder *fo;
	bool whole;		/* of a whole scan */
	char rel[];
};

static struct {
	TAILQ_HEAD(, request) requests;
	int64_t nrequests;
	struct request *now;	/* being read */
	struct slow *thread;
	struct event *timer;
	bool again;		/* what is read now has to be read once more */
	struct scan_chunk chunk;	/* the thread's, while there is one */
} sc = { .requests = TAILQ_HEAD_INITIALIZER(sc.requests) };

static void next_request(void);
static void arm(void);

/* --- requests --- */

/* More than there may be files: what is left out is found by the next whole scan, nothing counts as gone. */
static void
too_many(struct folder *fo, const char *rel)
{
	static bool said;

	if (!said)
		log_warnx("%lld folders wait to be looked through, as many as limits.watch_files lets: file=%s/%s",
		    (long long)sc.nrequests, fo->dir, rel);
	said = true;
	fo->failed = true;
}

static void
push(struct folder *fo, const char *rel, bool whole)
{
	size_t n = strlen(rel) + 1;
	struct request *r;

	if (sc.nrequests >= wa.max_files) {
		too_many(fo, rel);
		return;
	}
	sc.nrequests++;
	r = xcalloc(1, sizeof *r + n);
	r->fo = fo;
	r->whole = whole;
	memcpy(r->rel, rel, n);
	fo->scanning += whole;
	TAILQ_INSERT_TAIL(&sc.requests, r, next);
}

void
scan_whole(struct folder *fo)
{
	/* One that runs is not begun again: the next comes soon. */
	fo->due_ms = now_ms() + (fo->scanning > 0 ? TICK_MS : fo->poll_ms > 0 ? fo->poll_ms : wa.rescan_ms);
	if (fo->scanning > 0) {
		arm();
		return;
	}
	fo->generation++;
	fo->failed = false;
	link_doubt();
	push(fo, "", true);
	next_request();
}

void
scan_part(struct folder *fo, const char *rel)
{
	push(fo, rel, false);
	next_request();
}

void
scan_again(void)
{
	sc.again = sc.now != NULL;
}

/* --- what was found, on the loop --- */

static void
found_dir(const struct request *r, const char *rel)
{
	static bool said;

	if (name_depth(rel) < wa.max_depth) {
		push(r->fo, rel, r->whole);
		return;
	}
	if (!said)
		log_warnx("folders deeper than limits.watch_depth (%d) are not looked into: file=%s/%s", wa.max_depth,
		    r->fo->dir, rel);
	said = true;
}

static void
bad_name(const struct folder *fo, const char *rel)
{
	static bool said;

	if (!said)
		log_warnx("a name with control characters, without UTF-8 or too long is not looked at, as all like it: "
		    "file=%s/%s", fo->dir, rel);
	said = true;
}

static void
apply(const struct request *r, const struct scan_found *found)
{
	char rel[WATCH_PATH], path[WATCH_PATH];
	struct file *f;
	int n = snprintf(rel, sizeof rel, "%s%s%s", r->rel, *r->rel ? "/" : "", found->name);

	if (n < 0 || (size_t)n >= sizeof rel || folder_path(r->fo, rel, path) == -1 || !name_is_text(path)) {
		bad_name(r->fo, rel);
		return;
	}
	if (found->is_dir) {
		found_dir(r, rel);
		return;
	}
	f = files_get(r->fo, rel, true);
	if (f == NULL)
		return;
	if (f->settle.since_ms == 0)
		check_at(f, now_ms());
	check_seen(f, &found->id);
}

static void
no_watch(const struct request *r)
{
	static int said;

	if (sc.chunk.wd_error == 0 || said == sc.chunk.wd_error)
		return;
	said = errno = sc.chunk.wd_error;
	log_warn("no inotify watch%s, what happens there is found every %.0f s: file=%s/%s",
	    sc.chunk.wd_error == ENOSPC ? " (raise fs.inotify.max_user_watches)" : "", (double)wa.rescan_ms / 1000,
	    r->fo->dir, r->rel);
}

static void
missing(const struct request *r)
{
	struct folder *fo = r->fo;

	if (*r->rel != '\0') {
		if (sc.chunk.error == ENOENT || sc.chunk.error == ENOTDIR || sc.chunk.error == ELOOP)
			return;		/* removed, or a link by now */
		fo->failed = true;
		errno = sc.chunk.error;
		if (!fo->scanned)
			log_warn("cannot look through %s/%s", fo->dir, r->rel);
		return;
	}
	fo->failed = true;
	if (sc.chunk.error == ENOENT || sc.chunk.error == ENOTDIR) {
		notify_drop(fo, "");
		files_gone_below(fo, "");
	}
	if (!fo->missing) {
		errno = sc.chunk.error;
		log_warn("cannot look through %s, tried again every %.0f s", fo->dir,
		    (double)(wa.rescan_ms < MISSING_MS ? wa.rescan_ms : MISSING_MS) / 1000);
	}
	fo->missing = true;
}

static void
whole_ends(struct folder *fo)
{
	if (!fo->failed) {
		files_sweep(fo);
		notify_sweep(fo);
	}
	if (fo->missing) {
		if (wa.rescan_ms > MISSING_MS)
			fo->due_ms = now_ms() + MISSING_MS;
		arm();
		return;
	}
	if (!fo->scanned)
		log_info("%s looked through, %lld files known in all", fo->dir, (long long)wa.nfiles);
	fo->scanned = true;
}

static void
done_cb(int rc, void *ctx)
{
	struct request *r = sc.now;
	bool again;

	sc.thread = NULL;
	if (rc == -1) {
		missing(r);
	} else if (*r->rel == '\0' && r->fo->missing) {
		log_info("%s is there again", r->fo->dir);
		r->fo->missing = false;
	}
	if (rc == 0 && sc.chunk.error != 0)
		r->fo->failed = true;
	if (sc.chunk.wd != -1)
		notify_added(r->fo, r->rel, sc.chunk.wd);
	no_watch(r);
	sc.chunk.wd = -1;
	sc.chunk.wd_error = 0;
	for (int i = 0; i < sc.chunk.n && !wa.stopping && !wa.reloading; i++)
		apply(r, &sc.chunk.found[i]);
	if (sc.chunk.end) {
		again = sc.again;
		sc.again = false;
		sc.now = NULL;
		if (again)
			push(r->fo, r->rel, false);
		if (r->whole && --r->fo->scanning == 0)
			whole_ends(r->fo);
		free(r);
	}
	next_request();
	watch_idle();
}

static void
next_request(void)
{
	if (sc.thread != NULL || wa.stopping || wa.reloading)
		return;
	if (sc.now == NULL) {
		sc.now = TAILQ_FIRST(&sc.requests);
		if (sc.now == NULL)
			return;
		TAILQ_REMOVE(&sc.requests, sc.now, next);
		sc.nrequests--;
	}
	sc.chunk.fo = sc.now->fo;
	sc.chunk.rel = sc.now->rel;
	sc.thread = slow_run(wa.svc->base, scan_read, done_cb, &sc.chunk);
	if (sc.thread == NULL)
		log_warn("no thread to read folders with, tried again");
}

static void
arm(void)
{
	int64_t ms = wa.rescan_ms, now = now_ms();
	struct timeval tv;
	struct folder *fo;

	TAILQ_FOREACH(fo, &wa.folders, next)
		if (fo->due_ms - now < ms)
			ms = fo->due_ms - now;
	ms = ms < TICK_MS ? TICK_MS : ms;
	tv = (struct timeval){ ms / 1000, ms % 1000 * 1000 };
	evtimer_add(sc.timer, &tv);
}

static void
timer_cb(evutil_socket_t fd, short what, void *ctx)
{
	int64_t now = now_ms();
	struct folder *fo;

	if (wa.stopping || wa.reloading)
		return;
	TAILQ_FOREACH(fo, &wa.folders, next)
		if (fo->due_ms <= now)
			scan_whole(fo);
	next_request();		/* after a thread that could not be made */
	arm();
}

void
scan_start(void)
{
	struct folder *fo;

	if (sc.timer == NULL)
		sc.timer = evtimer_new(wa.svc->base, timer_cb, NULL);
	if (sc.timer == NULL)
		fatalx("out of memory");
	TAILQ_FOREACH(fo, &wa.folders, next)
		scan_whole(fo);
	arm();
}

void
scan_stop(void)
{
	struct request *r;

	if (sc.timer != NULL)
		event_free(sc.timer);
	sc.timer = NULL;
	if (sc.thread != NULL)
		return;		/* the process ends with it */
	if (sc.now != NULL)
		TAILQ_INSERT_TAIL(&sc.requests, sc.now, next);
	sc.now = NULL;
	while ((r = TAILQ_FIRST(&sc.requests)) != NULL) {
		TAILQ_REMOVE(&sc.requests, r, next);
		free(r);
	}
	if (sc.chunk.d != NULL)
		closedir(sc.chunk.d);
	sc.chunk.d = NULL;
	sc.again = false;
	sc.nrequests = 0;
}

bool
scan_is_idle(void)
{
	return sc.thread == NULL;
}
