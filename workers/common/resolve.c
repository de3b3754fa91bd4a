/*
 * resolve.c - names to addresses beside the loop, by libc's own resolver (getaddrinfo_a).
 *
 * libc asks in a thread of its own and is looked at every 20 ms while a question is open,
 * at no other time. A question can't be taken back once a thread has it, so a slow one is
 * kept and its answer used by whoever asks next. Called by redis.c.
 */
#include "resolve.h"

#include <event2/event.h>
#include <netdb.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "log.h"
#include "net.h"
#include "util.h"

#define LOOK_MS 20
#define LEAVE_SEC 3		/* how long an open question may hold up the end */

struct resolve {
	struct gaicb q;
	struct addrinfo hints;
	char host[256];
	unsigned nth;
	bool open;		/* libc has it */
	struct event *look;
	resolve_cb cb;
	void *ctx;
};

static void
look_later(struct resolve *r)
{
	static const struct timeval tv = { 0, LOOK_MS * 1000 };

	evtimer_add(r->look, &tv);
}

static const struct sockaddr *
pick(const struct addrinfo *list, unsigned nth)
{
	const struct addrinfo *a;
	unsigned n = 0;

	for (a = list; a != NULL; a = a->ai_next)
		n++;
	for (nth %= n; nth > 0; nth--)
		list = list->ai_next;
	return list->ai_addr;
}

static void
look_cb(evutil_socket_t fd, short what, void *ctx)
{
	struct resolve *r = ctx;
	char text[NET_TEXT];
	int rc = gai_error(&r->q);

	if (rc == EAI_INPROGRESS) {
		look_later(r);
		return;
	}
	r->open = false;
	if (rc != 0) {
		r->cb(NULL, gai_strerror(rc), r->ctx);
		return;
	}
	net_format_host(pick(r->q.ar_result, r->nth), text);
	freeaddrinfo(r->q.ar_result);
	r->q.ar_result = NULL;
	r->cb(text, NULL, r->ctx);
}

struct resolve *
resolve_new(struct event_base *base, resolve_cb cb, void *ctx)
{
	struct resolve *r = xcalloc(1, sizeof *r);

	r->cb = cb;
	r->ctx = ctx;
	r->look = evtimer_new(base, look_cb, r);
	if (!r->look)
		fatalx("out of memory");
	return r;
}

void
resolve_ask(struct resolve *r, const char *host, unsigned nth)
{
	struct gaicb *list[1] = { &r->q };

	r->nth = nth;
	if (!r->open) {
		str_copy(r->host, host, sizeof r->host);
		r->hints = (struct addrinfo){ .ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM };
		r->q = (struct gaicb){ .ar_name = r->host, .ar_request = &r->hints };
		r->open = getaddrinfo_a(GAI_NOWAIT, list, 1, NULL) == 0;
	}
	look_later(r);
}

void
resolve_free(struct resolve **rp)
{
	struct resolve *r = *rp;
	const struct gaicb *list[1] = { &r->q };
	struct timespec leave = { LEAVE_SEC, 0 };

	*rp = NULL;
	event_free(r->look);
	/* A thread of libc may still write into r: better left to the end of the process. */
	if (r->open && gai_cancel(&r->q) == EAI_NOTCANCELED &&
	    gai_suspend(list, 1, &leave) == EAI_AGAIN)
		return;
	if (r->q.ar_result)
		freeaddrinfo(r->q.ar_result);
	free(r);
}
