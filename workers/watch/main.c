/*
 * main.c - millrace-watch: files that are dropped into watched folders are found, waited for
 * until they are complete, and queued for upload. The order of start, reload and stop; the
 * rest is in watch.h's files.
 *
 * It reads, and writes nothing but to Redis: its sandbox lets it make, change and run no
 * file. A stop and a reload wait for the two threads, a second at most: what is under way
 * then is found again by the next scan.
 */
#include <signal.h>

#include "conf.h"
#include "landlock.h"
#include "log.h"
#include "util.h"
#include "workers/watch/watch.h"

#define STOP_MS 1000

struct watch wa;

void
watch_board(void)
{
	struct board_page *p = wa.svc->page;
	struct board_watch b = { .folders = wa.nfolders, .files = (uint64_t)wa.nfiles, .queued = wa.queued,
		.skipped = wa.skipped, .pending = (uint64_t)(wa.nfiles - wa.nknown), .hashed_bytes = wa.hashed_bytes };
	struct folder *fo;

	TAILQ_FOREACH(fo, &wa.folders, next) {
		if (!fo->missing)
			continue;
		b.missing++;
		str_copy(b.missing_dir, fo->dir, sizeof b.missing_dir);
	}
	board_begin(&p->seq);
	p->watch = b;
	board_end(&p->seq);
}

static void
read_config(void)
{
	const json_t *c = wa.svc->conf;

	wa.quiet_ms = conf_int(c, "watch_quiet");
	wa.rescan_ms = conf_int(c, "watch_rescan");
	wa.unclosed_ms = conf_int(c, "watch_unclosed");
	wa.max_files = conf_int(c, "limits.watch_files");
	wa.max_depth = (int)conf_int(c, "limits.watch_depth");
	wa.host_id = conf_str(c, "host_id");
}

static void
lock_self(void)
{
	static const struct landlock_rule rules[] = { { .path = "/" }, { .path = NULL } };

	if (landlock_restrict(rules) == -1)
		log_warn("no sandbox: landlock");
}

static int
start(struct svc *s, int argc, char **argv)
{
	signal(SIGIO, SIG_IGN);		/* of the leases that hash.c takes for a moment */
	wa.svc = s;
	read_config();
	lock_self();
	notify_start();
	check_start();
	link_start();
	folder_load_all();
	scan_start();
	board_begin(&s->page->seq);
	str_copy(s->page->state, "ready", sizeof s->page->state);
	board_end(&s->page->seq);
	watch_board();
	svc_ready(s);
	return 0;
}

static bool
is_idle(void)
{
	return scan_is_idle() && hash_is_idle() && tell_is_idle();
}

void
watch_idle(void)
{
	watch_board();
	if (wa.stopping) {
		if (is_idle())
			svc_exit(wa.svc, 0, "stopped");
	} else if (wa.reloading && is_idle()) {
		scan_stop();
		folder_free_all();
		wa.reloading = false;
		folder_load_all();
		scan_start();
	}
}

/* Other folders: all is begun anew, and what is done is found in the ledger. */
static void
config(struct svc *s)
{
	read_config();
	link_config();
	if (json_equal(conf_get(s->conf, "watch"), wa.folders_conf))
		return;
	wa.reloading = true;
	hash_stop();
	watch_idle();
}

static void
stop(struct svc *s, const char *reason, int64_t grace_ms)
{
	if (wa.stopping)
		return;
	wa.stopping = true;
	hash_stop();
	svc_exit_after(s, STOP_MS, "stopped while a file was being read");
	if (is_idle())
		svc_exit(s, 0, reason);
}

static void
cleanup(struct svc *s)
{
	link_stop();		/* answers what is under way */
	if (!scan_is_idle() || !hash_is_idle())
		return;		/* a thread still has its hands on what would be freed */
	scan_stop();
	check_stop();
	folder_free_all();
	notify_stop();
}

int
main(int argc, char **argv)
{
	static const struct svc_handler handlers[] = { { 0, NULL } };
	static const struct svc_ops ops = {
		.kind = "watch", .start = start, .handlers = handlers, .config = config,
		.stop = stop, .cleanup = cleanup,
	};

	return svc_run(argc, argv, &ops);
}
