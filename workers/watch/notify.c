/*
 * notify.c - inotify: which folders the system tells about, and what each event means. An
 * event says only "look at this": check.c decides by what is on disk then, so that a lost, a
 * late or a doubled event does no harm. Whether a writer has closed the file since he wrote is
 * remembered for hash.c, in case nothing else can tell. What the queue of the system did not hold
 * (IN_Q_OVERFLOW) is found by whole scans. Watches are added by scan.c.
 */
#include <errno.h>
#include <limits.h>
#include <search.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "log.h"
#include "util.h"
#include "workers/watch/name.h"
#include "workers/watch/watch.h"

struct watched {
	int wd;
	struct folder *fo;
	unsigned generation;
	TAILQ_ENTRY(watched) next;
	char *rel;
};

static struct {
	int fd;			/* -1: none */
	struct event *ev;
	void *tree;		/* by wd */
	TAILQ_HEAD(, watched) all;
} no = { .fd = -1, .all = TAILQ_HEAD_INITIALIZER(no.all) };

static int
by_wd(const void *a, const void *b)
{
	int x = ((const struct watched *)a)->wd, y = ((const struct watched *)b)->wd;

	return (x > y) - (x < y);
}

static struct watched *
find(int wd)
{
	const struct watched key = { .wd = wd };
	struct watched **found = tfind(&key, &no.tree, by_wd);

	return found != NULL ? *found : NULL;
}

static void
forget(struct watched *w)
{
	tdelete(w, &no.tree, by_wd);
	TAILQ_REMOVE(&no.all, w, next);
	free(w->rel);
	free(w);
}

int
notify_fd(void)
{
	return no.fd;
}

/* A folder that was renamed inside has the same wd and another path. */
void
notify_added(struct folder *fo, const char *rel, int wd)
{
	struct watched *w = find(wd);

	if (w == NULL) {
		w = xcalloc(1, sizeof *w);
		w->wd = wd;
		if (tsearch(w, &no.tree, by_wd) == NULL)
			fatalx("out of memory");
		TAILQ_INSERT_TAIL(&no.all, w, next);
	}
	free(w->rel);
	w->rel = xstrdup(rel);
	w->fo = fo;
	w->generation = fo->generation;
}

static void
drop(struct watched *w)
{
	inotify_rm_watch(no.fd, w->wd);
	forget(w);
}

void
notify_sweep(struct folder *fo)
{
	struct watched *w, *next;

	for (w = TAILQ_FIRST(&no.all); w != NULL; w = next) {
		next = TAILQ_NEXT(w, next);
		if (w->fo == fo && w->generation != fo->generation)
			drop(w);
	}
}

static bool
is_at_or_below(const char *rel, const char *top)
{
	size_t n = strlen(top);

	return n == 0 || (strncmp(rel, top, n) == 0 && (rel[n] == '\0' || rel[n] == '/'));
}

void
notify_drop(struct folder *fo, const char *rel)
{
	struct watched *w, *next;

	for (w = TAILQ_FIRST(&no.all); w != NULL; w = next) {
		next = TAILQ_NEXT(w, next);
		if (w->fo == fo && is_at_or_below(w->rel, rel))
			drop(w);
	}
}

static void
scan_all(void)
{
	struct folder *fo;

	TAILQ_FOREACH(fo, &wa.folders, next)
		scan_whole(fo);
}

/* --- events --- */

static void
dir_event(struct folder *fo, const char *rel, uint32_t mask)
{
	if (!fo->recursive)
		return;
	if (mask & (IN_MOVED_FROM | IN_DELETE)) {
		notify_drop(fo, rel);
		files_gone_below(fo, rel);
	} else if (mask & (IN_CREATE | IN_MOVED_TO) && name_depth(rel) < wa.max_depth) {
		scan_part(fo, rel);
	}
}

static void
file_event(struct folder *fo, const char *rel, const char *name, uint32_t mask)
{
	uint32_t begun = mask & (IN_CREATE | IN_MODIFY);
	bool comes = begun != 0 || mask & (IN_CLOSE_WRITE | IN_MOVED_TO);
	struct file *f;

	if (!name_has_extension(name, fo->extensions))
		return;
	f = files_get(fo, rel, comes);
	if (f == NULL)
		return;
	f->generation = fo->generation;
	f->unclosed = begun != 0 ? f->unclosed | begun : 0;
	/* One that is still written is looked at in its turn, not at each write. */
	if (mask != IN_MODIFY || f->state != FILE_SETTLING)
		check_event(f);		/* gone or not: the disk says */
}

static void
named_event(const struct watched *w, const struct inotify_event *e)
{
	char rel[WATCH_PATH], path[WATCH_PATH];
	int n = snprintf(rel, sizeof rel, "%s%s%s", w->rel, *w->rel ? "/" : "", e->name);

	if (name_is_temporary(e->name) || n < 0 || (size_t)n >= sizeof rel || folder_path(w->fo, rel, path) == -1 ||
	    !name_is_text(path))
		return;
	if (e->mask & IN_ISDIR)
		dir_event(w->fo, rel, e->mask);
	else
		file_event(w->fo, rel, e->name, e->mask);
}

static void
on_event(const struct inotify_event *e)
{
	struct watched *w = find(e->wd);

	if (e->mask & IN_Q_OVERFLOW) {
		log_warnx("more happened in watched folders than the system could tell: all are looked through");
		scan_all();
	} else if (w == NULL) {
		if (!(e->mask & IN_IGNORED))
			scan_again();
	} else if (e->mask & (IN_DELETE_SELF | IN_MOVE_SELF | IN_UNMOUNT)) {
		if (*w->rel == '\0')
			scan_whole(w->fo);
	} else if (e->mask & IN_IGNORED) {
		forget(w);
	} else if (e->len > 0) {
		named_event(w, e);
	}
}

static void
read_cb(evutil_socket_t fd, short what, void *ctx)
{
	char buf[65536] __attribute__((aligned(__alignof__(struct inotify_event))));
	ssize_t n = read(no.fd, buf, sizeof buf);
	const struct inotify_event *e;

	if (wa.stopping || wa.reloading)
		return;
	for (char *p = buf; n > 0 && p < buf + n; p += sizeof *e + e->len) {
		e = (const struct inotify_event *)(const void *)p;
		on_event(e);
	}
}

void
notify_start(void)
{
	no.fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	if (no.fd == -1) {
		log_warn("no inotify%s: watched folders are looked through every %.0f s", errno == EMFILE ?
		    " (raise fs.inotify.max_user_instances)" : "", (double)wa.rescan_ms / 1000);
		return;
	}
	no.ev = event_new(wa.svc->base, no.fd, EV_READ | EV_PERSIST, read_cb, NULL);
	if (no.ev == NULL || event_add(no.ev, NULL) == -1)
		fatalx("out of memory");
}

void
notify_stop(void)
{
	struct watched *w;

	while ((w = TAILQ_FIRST(&no.all)) != NULL)
		forget(w);
	if (no.ev != NULL)
		event_free(no.ev);
	no.ev = NULL;
	if (no.fd != -1)
		close(no.fd);
	no.fd = -1;
}
