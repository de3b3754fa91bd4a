/*
 * check.c - has a file stopped changing? Looks at each one that settles when its time has
 * come; what has been quiet for watch_quiet is READY for tell.c. A growing file costs one
 * look per quiet time. Told by scan.c and notify.c that something happened.
 */
#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "log.h"
#include "util.h"
#include "workers/watch/watch.h"

#define LOOKS_MAX 256		/* files per turn of the loop */
#define REST_MS 20		/* least time between two turns with nothing left over */

static struct event *timer;
static int64_t timer_due;	/* 0: not set */

static void
arm(int64_t due)
{
	int64_t ms = due - now_ms();
	struct timeval tv;

	if (timer == NULL || (timer_due != 0 && timer_due <= due))
		return;
	timer_due = due;
	ms = ms < 0 ? 0 : ms;
	tv = (struct timeval){ ms / 1000, ms % 1000 * 1000 };
	evtimer_add(timer, &tv);
}

void
check_at(struct file *f, int64_t ms)
{
	f->due_ms = ms;
	arm(ms);
}

void
check_announce(struct file *f)
{
	char path[WATCH_PATH];

	if (f->announced)
		return;
	f->announced = true;
	files_log_path(f, path);
	log_info("picked up: size=%lld file=%s", (long long)f->settle.id.size, path);
}

static void
look(struct file *f, int64_t now)
{
	char path[WATCH_PATH];
	struct settle_id id;
	struct stat st = { .st_mode = 0 };

	files_log_path(f, path);
	if (lstat(path, &st) == -1 && errno != ENOENT && errno != ENOTDIR) {
		check_at(f, now + wa.rescan_ms);	/* not to be seen is not gone */
		return;
	}
	if (st.st_mode == 0 || !S_ISREG(st.st_mode)) {
		files_gone(f);
		return;
	}
	id = settle_id_of(&st);
	settle_see(&f->settle, &id, now);
	if (settle_same(&f->known, &id)) {
		files_state(f, FILE_KNOWN);
		return;
	}
	/* What was there at our start may be known to the ledger: tell.c says when it isn't. */
	if (f->folder->scanned)
		check_announce(f);
	if (settle_is_quiet(&f->settle, now, wa.quiet_ms))
		files_state(f, FILE_READY);
	else
		check_at(f, settle_due(&f->settle, wa.quiet_ms));
}

static void
timer_cb(evutil_socket_t fd, short what, void *ctx)
{
	struct file *f, *next;
	int64_t now = now_ms(), first = 0;
	int looks = 0;

	timer_due = 0;
	for (f = files_first(FILE_SETTLING); f != NULL && !wa.reloading && !wa.stopping; f = next) {
		next = TAILQ_NEXT(f, turn);
		if (f->due_ms <= now && looks < LOOKS_MAX) {
			looks++;
			look(f, now);
		} else if (first == 0 || f->due_ms < first) {
			first = f->due_ms;
		}
	}
	if (first != 0)
		arm(first < now ? now : first < now + REST_MS ? now + REST_MS : first);
	tell_pump();
	watch_board();
}

void
check_event(struct file *f)
{
	if (f->state == FILE_ASKING || f->state == FILE_HASHING) {
		f->again = true;
		return;
	}
	if (f->state != FILE_SETTLING)
		files_state(f, FILE_SETTLING);
	check_at(f, now_ms());
}

void
check_seen(struct file *f, const struct settle_id *id)
{
	f->generation = f->folder->generation;
	if (f->state == FILE_KNOWN ? !settle_same(&f->known, id) :
	    f->state != FILE_SETTLING && !settle_same(&f->settle.id, id))
		check_event(f);
}

void
check_start(void)
{
	timer = evtimer_new(wa.svc->base, timer_cb, NULL);
	if (timer == NULL)
		fatalx("out of memory");
}

void
check_stop(void)
{
	if (timer != NULL)
		event_free(timer);
	timer = NULL;
}
