/*
 * unpark.c - the first worker of a host has parked jobs tried again: one now and then, all after a
 * reload (queue.h says which). Called by house.c and main.c.
 */
#include "conf.h"
#include "log.h"
#include "util.h"
#include "workers/jobs/jobs.h"

#define EVERY_MS 5000

static bool asking, all;
static int64_t asked_ms;

static void
unparked_cb(int rc, int n, void *ctx)
{
	asking = false;
	if (n > 0)
		log_info("%d parked job%s tried again", n, n == 1 ? " is" : "s are");
}

void
unpark_tick(void)
{
	if (asking || (!all && now_ms() - asked_ms < EVERY_MS))
		return;
	asked_ms = now_ms();
	asking = true;
	queue_unpark(jw.queue, conf_int(jw.svc->conf, "jobs.retry_max"), all, unparked_cb, NULL);
	all = false;
}

void
unpark_config(void)
{
	all = true;
}
