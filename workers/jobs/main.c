/*
 * main.c - millrace-jobs N: takes jobs from the queue in Redis and runs them, one at a time.
 *
 * The order of start and stop, and who gets which message. Redis being away is no fault of
 * this process: it is ready at once. A stop hands the running job back, in two seconds at
 * most; a job that could not be handed back is taken by others when its lease runs out.
 */
#include <stdlib.h>
#include <string.h>

#include "conf.h"
#include "log.h"
#include "util.h"
#include "workers/jobs/bucket.h"
#include "workers/jobs/finalise.h"
#include "workers/jobs/frames.h"
#include "workers/jobs/intake_scan.h"
#include "workers/jobs/jobs.h"
#include "workers/jobs/keep_tell.h"
#include "workers/jobs/upload_kind.h"

struct jobs jw;

static int
start(struct svc *s, int argc, char **argv)
{
	jw.svc = s;
	jw.worker = argc > 1 ? atoi(argv[1]) - 1 : 0;
	log_set_worker(argc > 1 ? argv[1] : "1");
	board_begin(&s->page->seq);
	str_copy(s->page->state, "ready", sizeof s->page->state);
	board_end(&s->page->seq);
	link_start();
	run_start();
	house_start();
	if (jw.worker == 0)
		bucket_start(s, jw.redis, jw.ledger);
	svc_ready(s);
	return 0;
}

static void
config(struct svc *s)
{
	link_config();
	unpark_config();
	upload_kind_config();
	bucket_config();
	run_wake();
}

/* A raw recording, an upload, or what a frames session sent is complete, says its ingest. */
static void
on_event(struct svc *s, struct msg *m)
{
	const char *event = msg_str_or(m, "event", "");

	if (strcmp(event, "recorded") == 0) {
		finalise_recorded(s, jw.queue, msg_str_or(m, "file", ""));
		bucket_recorded(msg_str_or(m, "file", ""));
		frames_recorded(s, jw.queue, msg_str_or(m, "file", ""));
	} else if (strcmp(event, "uploaded") == 0)
		intake_uploaded(s, jw.queue, msg_str_or(m, "id", ""));
	run_wake();
}

static void
on_run(struct svc *s, struct msg *m)
{
	run_message(m);
}

static void
stop(struct svc *s, const char *reason, int64_t grace_ms)
{
	if (jw.stopping)
		return;
	jw.stopping = true;
	run_stop(reason);
}

static void
cleanup(struct svc *s)
{
	house_free();
	bucket_free();
	link_stop();
	keep_tell_free();
	run_free();
	upload_kind_free();
}

int
main(int argc, char **argv)
{
	static const struct svc_handler handlers[] = {
		{ MSG_CALL, calls_handle },
		{ MSG_EVENT, on_event },
		{ MSG_SPAWNED, on_run },
		{ MSG_EXITED, on_run },
		{ 0, NULL },
	};
	static const struct svc_ops ops = {
		.kind = "jobs", .start = start, .handlers = handlers, .config = config,
		.stop = stop, .cleanup = cleanup,
	};

	return svc_run(argc, argv, &ops);
}
