/*
 * scan.c - looks watched folders through: at the start, every watch_rescan (or poll), after
 * each new watch, and after an overflow. One folder at a time, in chunks, on a thread, so
 * that a slow disk or a dead network file system never stops the loop.
 *
 * The watch on a folder is added before it is read: what comes later is told, what was there
 * is read, what is both is one. A whole scan that missed nothing tells what is gone.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "log.h"
#include "util.h"
#include "workers/common/slow.h"
#include "workers/watch/name.h"
#include "workers/watch/watch.h"

#define CHUNK 256		/* names */
#define TICK_MS 100		/* least time between two looks at what is due */
#define MISSING_MS 5000		/* a folder that is not there is looked for this often at least */

struct request {
	TAILQ_ENTRY(request) next;
	struct folder *fo;
	bool whole;		/* of a whole scan */
	char rel[];
};

struct found {
	char name[NAME_MAX + 1];
	bool is_dir;
	struct settle_id id;
};

static struct {
	TAILQ_HEAD(, request) requests;
	struct request *now;	/* being read */
	struct slow *thread;
	struct event *timer;
	bool again;		/* what is read now has to be read once more */
	/* the thread's: */
	DIR *d;
	int wd, error;		/* wd -1: no watch, perhaps why in wd_error */
	int wd_error;
	bool end;
	int n;
	struct found found[CHUNK];
} sc = { .requests = TAILQ_HEAD_INITIALIZER(sc.requests) };

static void next_request(void);
static void arm(void);

/* --- on the thread --- */

static int
open_dir(const struct folder *fo, const char *rel)
{
	int fd = folder_open(fo->dir, rel, O_RDONLY | O_DIRECTORY);
	char proc[40];

	sc.wd = -1;
	sc.wd_error = 0;
	if (fd == -1)
		return -1;
	if (fo->poll_ms == 0 && notify_fd() != -1) {
		/* By the descriptor: the path may lead elsewhere by now. */
		snprintf(proc, sizeof proc, "/proc/self/fd/%d", fd);
		sc.wd = inotify_add_watch(notify_fd(), proc, NOTIFY_MASK);
		if (sc.wd == -1)
			sc.wd_error = errno;
	}
	sc.d = fdopendir(fd);
	if (sc.d == NULL)
		close(fd);
	return sc.d != NULL ? 0 : -1;
}

static void
take_name(const struct folder *fo, const struct dirent *e)
{
	struct found *f = &sc.found[sc.n];
	struct stat st;

	if (name_is_temporary(e->d_name) || fstatat(dirfd(sc.d), e->d_name, &st, AT_SYMLINK_NOFOLLOW) == -1)
		return;
	f->is_dir = S_ISDIR(st.st_mode);
	if (f->is_dir ? !fo->recursive : !S_ISREG(st.st_mode) || !name_has_extension(e->d_name, fo->extensions))
		return;
	str_copy(f->name, e->d_name, sizeof f->name);
	f->id = settle_id_of(&st);
	sc.n++;
}

static int
work(void *ctx)
{
	const struct request *r = sc.now;
	struct dirent *e = NULL;

	sc.error = 0;
	sc.n = 0;
	sc.end = true;
	if (sc.d == NULL && open_dir(r->fo, r->rel) == -1) {
		sc.error = errno;
		return -1;
	}
	while (sc.n < CHUNK && (errno = 0, e = readdir(sc.d)) != NULL)
		take_name(r->fo, e);
	sc.end = e == NULL;
	sc.error = e == NULL ? errno : 0;
	if (sc.end) {
		closedir(sc.d);
		sc.d = NULL;
	}
	return 0;
}

/* --- requests --- */

static void
push(struct folder *fo, const char *rel, bool whole)
{
	size_t n = strlen(rel) + 1;
	struct request *r = xcalloc(1, sizeof *r + n);

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
	if (fo->scanning > 0)
		return;
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
apply(const struct request *r, const struct found *found)
{
	char rel[WATCH_PATH], path[WATCH_PATH];
	struct file *f;
	int n = snprintf(rel, sizeof rel, "%s%s%s", r->rel, *r->rel ? "/" : "", found->name);

	if (n < 0 || (size_t)n >= sizeof rel || folder_path(r->fo, rel, path) == -1 || !name_is_text(path)) {
		log_debug("too long a path or no UTF-8, not looked at: file=%s/%s", r->fo->dir, rel);
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

	if (sc.wd_error == 0 || said == sc.wd_error)
		return;
	said = errno = sc.wd_error;
	log_warn("no inotify watch%s, what happens there is found every %.0f s: file=%s/%s",
	    sc.wd_error == ENOSPC ? " (raise fs.inotify.max_user_watches)" : "", (double)wa.rescan_ms / 1000,
	    r->fo->dir, r->rel);
}

static void
missing(const struct request *r)
{
	struct folder *fo = r->fo;

	if (*r->rel != '\0') {
		if (sc.error == ENOENT || sc.error == ENOTDIR || sc.error == ELOOP)
			return;		/* removed, or a link by now */
		fo->failed = true;
		errno = sc.error;
		if (!fo->scanned)
			log_warn("cannot look through %s/%s", fo->dir, r->rel);
		return;
	}
	fo->failed = true;
	if (sc.error == ENOENT || sc.error == ENOTDIR) {
		notify_drop(fo, "");
		files_gone_below(fo, "");
	}
	if (!fo->missing) {
		errno = sc.error;
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
	if (rc == 0 && sc.error != 0)
		r->fo->failed = true;
	if (sc.wd != -1)
		notify_added(r->fo, r->rel, sc.wd);
	no_watch(r);
	sc.wd = -1;
	sc.wd_error = 0;
	for (int i = 0; i < sc.n && !wa.stopping && !wa.reloading; i++)
		apply(r, &sc.found[i]);
	if (sc.end) {
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
	}
	sc.thread = slow_run(wa.svc->base, work, done_cb, NULL);
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
	if (sc.d != NULL)
		closedir(sc.d);
	sc.d = NULL;
	sc.again = false;
}

bool
scan_is_idle(void)
{
	return sc.thread == NULL;
}
