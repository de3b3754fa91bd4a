/*
 * slow.c - a thread for one slow thing (contract in slow.h). The end comes back through a
 * pipe, so that everything else stays on the loop. Used by jobs, watch, http and ingest.
 */
#include "slow.h"

#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

#include "util.h"

struct slow {
	int (*work)(void *ctx);
	void (*done)(int rc, void *ctx);	/* NULL: forgotten */
	void (*free_ctx)(void *ctx);
	void *ctx;
	int rc, pipe[2];
	struct event *ev;
	pthread_t thread;
};

static void *
run(void *arg)
{
	struct slow *s = arg;

	s->rc = s->work(s->ctx);
	close(s->pipe[1]);	/* EOF is the word */
	return NULL;
}

static void
over_cb(evutil_socket_t fd, short what, void *arg)
{
	struct slow *s = arg;
	void (*done)(int, void *) = s->done;
	void *ctx = s->ctx;
	int rc;

	pthread_join(s->thread, NULL);
	rc = s->rc;
	event_free(s->ev);
	close(s->pipe[0]);
	if (done == NULL && s->free_ctx != NULL)
		s->free_ctx(ctx);
	free(s);
	if (done != NULL)
		done(rc, ctx);
}

struct slow *
slow_run(struct event_base *base, int (*work)(void *ctx), void (*done)(int rc, void *ctx), void *ctx)
{
	struct slow *s = xcalloc(1, sizeof(*s));

	s->work = work;
	s->done = done;
	s->ctx = ctx;
	if (pipe2(s->pipe, O_CLOEXEC) == -1) {
		free(s);
		return NULL;
	}
	s->ev = event_new(base, s->pipe[0], EV_READ, over_cb, s);
	errno = s->ev == NULL ? ENOMEM : pthread_create(&s->thread, NULL, run, s);
	if (errno == 0 && event_add(s->ev, NULL) == 0)
		return s;
	if (s->ev != NULL)
		event_free(s->ev);
	close(s->pipe[0]);
	close(s->pipe[1]);
	free(s);
	return NULL;
}

void
slow_forget(struct slow **sp, void (*free_ctx)(void *ctx))
{
	struct slow *s = *sp;

	*sp = NULL;
	s->done = NULL;
	s->free_ctx = free_ctx;
}
