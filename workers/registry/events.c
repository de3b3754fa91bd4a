/*
 * events.c - the spool goes to Redis: batch by batch, one under way, each remembered on
 * disk before the next is sent. An event is in Redis once, however often we or Redis die
 * in between (scripts.c tells what came before).
 *
 * The supervisor's EVENT message is only the word that there is something new: the spool
 * alone is read. What Redis refuses (full memory) stays and is tried again with the next
 * renewal. Called by link.c and main.c.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "conf.h"
#include "log.h"
#include "util.h"
#include "workers/common/keys.h"
#include "workers/registry/registry.h"
#include "workers/registry/scripts.h"
#include "workers/registry/spool.h"

static struct {
	struct spool spool;
	struct spool_batch batch;
	json_t *parsed[SPOOL_BATCH];	/* hold what the arguments point into */
	int nparsed;
	bool busy, refused;
} ev;

static void
board_events(uint64_t sent, int64_t waiting)
{
	struct board_page *p = rg.svc->page;

	board_begin(&p->seq);
	p->registry.events_sent += sent;
	if (waiting < 0)
		p->registry.events_waiting++;
	else
		p->registry.events_waiting = (uint64_t)waiting;
	board_end(&p->seq);
}

static void
batch_end(void)
{
	while (ev.nparsed > 0)
		json_decref(ev.parsed[--ev.nparsed]);
	spool_batch_free(&ev.batch);
	ev.busy = false;
}

static void
sent_cb(int rc, json_t *reply, const char *error, void *ctx)
{
	uint64_t waiting = rg.svc->page->registry.events_waiting, n = (uint64_t)ev.nparsed;

	if (rc == 0) {
		if (spool_done(&ev.spool, &ev.batch) < 0)
			log_warn("%s/offset: events are sent again after a restart", ev.spool.dir);
		board_events(n, (int64_t)(waiting > n ? waiting - n : 0));
	} else if (rc == EIO && !ev.refused) {
		log_warnx("Redis takes no events (%s): they stay in the spool, next try in %d s", error,
		    KEY_RENEW_MS / 1000);
	}
	ev.refused = rc == EIO;
	batch_end();
	if (rc == 0)
		events_pump();
	else
		registry_drained();	/* for now: a stop waits no longer */
}

/* id, event and data of each line behind argv's n; lines that are no event are left out. */
static int
add_arguments(const char **argv, int n)
{
	for (int i = 0; i < ev.batch.nlines; i++) {
		json_t *o = json_loads(ev.batch.lines[i], 0, NULL);
		const char *id = json_string_value(json_object_get(o, "id"));
		const char *event = json_string_value(json_object_get(o, "event"));

		if (!id || !event) {
			log_warnx("%s/%s: a line that is no event is skipped", ev.spool.dir,
			    ev.batch.next.file);
			json_decref(o);
			continue;
		}
		ev.parsed[ev.nparsed++] = o;
		argv[n++] = id;
		argv[n++] = event;
		argv[n++] = ev.batch.lines[i];
	}
	return n;
}

static void
send_batch(void)
{
	char events[KEY_BYTES], last[KEY_BYTES], in[KEY_BYTES], registered[KEY_BYTES], lost[KEY_BYTES], max[16],
	    hooks_max[24];
	json_t *wanted = json_object_get(rg.svc->conf, "wanted_events");
	const char *argv[9 + 3 * SPOOL_BATCH] = {
		key_make(events, rg.prefix, KEY_EVENTS, ""), key_make(last, rg.prefix, KEY_EVENTS_LAST, ""),
		key_make(in, rg.prefix, KEY_HOOKS_IN, ""), key_make(registered, rg.prefix, KEY_HOOKS_REGISTERED, ""),
		key_make(lost, rg.prefix, KEY_HOOKS_LOST, ""), rg.host_id, max,
		json_object_size(wanted) > 0 ? "1" : "0", hooks_max,
	};
	int argc;

	snprintf(max, sizeof max, "%d", KEY_EVENTS_MAX);
	snprintf(hooks_max, sizeof hooks_max, "%lld", (long long)conf_int(rg.svc->conf, "hooks.max_waiting"));
	ev.busy = true;
	argc = add_arguments(argv, 9);
	if (ev.nparsed > 0)
		redis_run(rg.redis, &script_events, 5, argc, argv, sent_cb, NULL);
	else
		sent_cb(0, NULL, NULL, NULL);
}

void
events_pump(void)
{
	int rc;

	if (ev.busy || !ev.spool.dir[0] || !redis_is_up(rg.redis))
		return;
	rc = spool_next(&ev.spool, &ev.batch);
	if (rc > 0) {
		send_batch();
		return;
	}
	if (rc < 0 && errno != ENOENT)
		log_warn("%s", ev.spool.dir);
	board_events(0, 0);
	registry_drained();
}

void
events_came(void)
{
	board_events(0, -1);
	events_pump();
}

void
events_start(void)
{
	char dir[400];

	if (path_join(dir, sizeof dir, conf_str(rg.svc->conf, "data_dir"), "spool") < 0)
		fatalx("data_dir is too long");
	spool_open(&ev.spool, dir);
}

void
events_free(void)
{
	batch_end();
}
