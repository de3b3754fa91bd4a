/*
 * main.c - millrace-jobs N: takes jobs from the queue in Redis and runs them, one at a time.
 *
 * The order of start and stop, and who gets which message; the rest is in jobs.h's files.
 */
#include "svc.h"
#include "util.h"

static int
start(struct svc *s, int argc, char **argv)
{
	board_begin(&s->page->seq);
	str_copy(s->page->state, "ready", sizeof s->page->state);
	board_end(&s->page->seq);
	svc_ready(s);
	return 0;
}

static void
stop(struct svc *s, const char *reason, int64_t grace_ms)
{
	svc_exit(s, 0, reason);
}

int
main(int argc, char **argv)
{
	static const struct svc_handler handlers[] = { { 0, NULL } };
	static const struct svc_ops ops = { .kind = "jobs", .start = start, .handlers = handlers, .stop = stop };

	return svc_run(argc, argv, &ops);
}
