/*
 * spare.c - ingests started before anybody connects: a new publisher finds a process that
 * is up already, and its set-up costs no start of one. accept.c takes them; what it takes
 * is replaced once the connection has claimed its stream, or after a moment: a start holds
 * up the loop for as long as the kernel needs to exec, and the publisher waits for it.
 *
 * A spare has seen not one foreign byte: if one dies that is our own fault, and the next
 * comes with the backoff of a worker. It is no connection and no handshake to any limit.
 * After a reload all are replaced: so each has today's limits
 * and config. The supervisor does without whenever there is none.
 *
 * Called by main.c, accept.c (also of deaths), route.c (a claim), child_work.c (reload).
 */
#include <errno.h>
#include <string.h>
#include <sys/random.h>

#include "conf.h"
#include "log.h"
#include "supervisor/supervisor.h"

#define SPARE_MAX 64
#define SPARE_LATER_MS 20	/* for a connection that does not claim at once */

static struct child *spares[SPARE_MAX];
static unsigned nspares, failures;
static struct event *timer;
static bool waiting;		/* for the backoff: nobody may be started before */

static void
refill_in(int64_t ms)
{
	struct timeval tv = { ms / 1000, ms % 1000 * 1000 };

	if (timer != NULL && !waiting)
		evtimer_add(timer, &tv);
}

static void
back_off(void)
{
	uint32_t random = 0;
	int64_t delay;

	if (getrandom(&random, sizeof(random), GRND_NONBLOCK) == -1)
		random = 0;	/* only spreads the tries */
	delay = backoff_delay_ms(KIND_REGISTRY, ++failures, random);	/* as any worker */
	refill_in(delay);
	waiting = true;
	log_debug("the next spare ingest is started in %lld ms", (long long)delay);
}

/* One a turn: other events come in between. */
static void
timer_cb(evutil_socket_t fd, short what, void *ctx)
{
	struct child *c;

	waiting = false;
	if (sv.stopping || nspares >= (unsigned)conf_int(sv.conf, "limits.spare"))
		return;
	c = child_start(KIND_INGEST, NULL);
	if (c == NULL) {
		log_warn("no spare ingest can be started");
		back_off();
		return;
	}
	c->spare = true;
	spares[nspares++] = c;
	refill_in(0);
}

static void
forget(unsigned i)
{
	spares[i]->spare = false;
	spares[i] = spares[--nspares];
}

void
spare_start(void)
{
	timer = evtimer_new(sv.base, timer_cb, NULL);
	if (timer == NULL)
		fatalx("out of memory");
	refill_in(0);
}

void
spare_stop(void)
{
	if (timer != NULL)
		event_free(timer);
	timer = NULL;
	while (nspares > 0)
		forget(0);
}

struct child *
spare_take(void)
{
	struct child *c;
	unsigned i, best = 0;

	if (nspares == 0)
		return NULL;
	/* One that is just starting is still sooner there than one that is not. */
	for (i = 0; i < nspares; i++)
		if (spares[i]->state == CHILD_READY)
			best = i;
	c = spares[best];
	if (c->state == CHILD_READY)
		failures = 0;
	forget(best);
	refill_in(SPARE_LATER_MS);
	return c;
}

void
spare_refill(void)
{
	if (timer != NULL && evtimer_pending(timer, NULL))
		refill_in(0);
}

void
spare_gone(struct child *c)
{
	unsigned i;

	for (i = 0; i < nspares && spares[i] != c; i++)
		;
	if (i == nspares)
		return;
	forget(i);
	if (timer != NULL)
		back_off();
}

void
spare_renew(void)
{
	struct child *c;

	while (nspares > 0) {
		c = spares[0];
		forget(0);
		child_stop(c, "replaced by one with the new config");
	}
	refill_in(0);
}
