/*
 * bucket.c - the clock and the connection of those who deal with the bucket beside the jobs
 * (contract in bucket.h). Twice a second recordings that grow are looked at, each jobs.scan
 * what is to be tidied up. Nothing in here is a job: it takes no place of one, however long it
 * lasts, and all of it is found again on the disk after a crash. Called by main.c and link.c.
 */
#include "workers/jobs/bucket.h"

#include <event2/event.h>
#include <stdio.h>
#include <string.h>

#include "board.h"
#include "conf.h"
#include "log.h"
#include "util.h"
#include "workers/jobs/follow.h"
#include "workers/jobs/jobs.h"
#include "workers/jobs/replace.h"
#include "workers/jobs/sweep.h"
#include "workers/jobs/upload_check.h"
#include "workers/jobs/upload_conn.h"
#include "workers/jobs/upload_kind.h"

#define TICK_MS 500

struct bucket bk;

static struct s3 *s3;
static struct event *tick;
static int64_t tidied_ms;

struct s3 *
bucket_s3(const char **why)
{
	if (s3 == NULL)
		s3 = upload_connect(bk.svc, "", why);
	return s3;
}

void
bucket_file(char out[BUCKET_PATH], const char *id, const char *suffix)
{
	snprintf(out, BUCKET_PATH, "%s/uploads/%s.%s", conf_str(bk.svc->conf, "data_dir"), id, suffix);
}

int
bucket_lock(const char *id)
{
	char dir[BUCKET_PATH];

	snprintf(dir, sizeof(dir), "%s/uploads", conf_str(bk.svc->conf, "data_dir"));
	return upload_check_lock(dir, id);
}

void
bucket_ledger(const char *id, json_t *fields)
{
	ledger_put(bk.ledger, id, fields, NULL, NULL);
	json_decref(fields);
}

void
bucket_waits(const char *why)
{
	show_upload(why);
}

static void
show(void)
{
	struct board_page *p = bk.svc->page;

	board_begin(&p->seq);
	p->jobs.s3 = *upload_conn_figures();
	p->jobs.growing_wait = follow_waiting();
	board_end(&p->seq);
}

static void
tick_cb(evutil_socket_t fd, short what, void *ctx)
{
	follow_tick();
	show();
	if (!upload_wanted(bk.svc) || now_ms() - tidied_ms < conf_int(bk.svc->conf, "jobs.scan"))
		return;
	if (!redis_is_up(bk.redis))
		return;
	tidied_ms = now_ms();
	replace_run();
	sweep_run();
}

void
bucket_start(struct svc *svc, struct redis *r, struct ledger *l)
{
	bk = (struct bucket){ .svc = svc, .redis = r, .ledger = l };
	tick = event_new(svc->base, -1, EV_PERSIST, tick_cb, NULL);
	if (tick == NULL || event_add(tick, &(struct timeval){ TICK_MS / 1000, TICK_MS % 1000 * 1000 }) < 0)
		fatalx("out of memory");
	event_active(tick, EV_TIMEOUT, 0);
}

/* Nobody uses the connection any more. */
static void
stop_all(void)
{
	follow_stop();
	replace_stop();
	sweep_stop();
	upload_orphans_stop();
	s3_free(&s3);
}

void
bucket_config(void)
{
	if (tick != NULL)
		stop_all();
}

void
bucket_up(void)
{
	if (tick == NULL)
		return;
	follow_up();
	replace_up();
}

void
bucket_recorded(const char *file)
{
	if (tick != NULL)
		follow_recorded(file);
}

void
bucket_free(void)
{
	if (tick == NULL)
		return;
	stop_all();
	event_free(tick);
	tick = NULL;
}
