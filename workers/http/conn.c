/*
 * conn.c - the table of connections: who may come in, who must go, what each waits for.
 * At the limits an old quiet connection makes room; else the new one is told so in proper
 * HTTP. What travels over a connection is conn_io.c's. Called by main.c.
 */
#include <linux/sockios.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "client.h"
#include "http.h"
#include "log.h"
#include "util.h"
#include "workers/common/address.h"

#define LINGER_MS 1000
#define HANDOFF_MS 15000	/* only a supervisor that hangs needs so long: closed without a word */
#define QUIET_MS 500		/* younger ones are not given up for others */
#define REFUSED_MAX 64		/* connections over the limit that are told so at once */

static uint64_t next_id;

void
conn_set_quiet(struct conn *c, bool quiet)
{
	if (quiet == c->quiet)
		return;
	c->quiet = quiet;
	if (quiet)
		TAILQ_INSERT_TAIL(&http.quiet, c, quiet_entry);
	else
		TAILQ_REMOVE(&http.quiet, c, quiet_entry);
}

static struct conn *
conn_make(int fd, const struct net_addr *peer)
{
	struct conn *c = xcalloc(1, sizeof(*c));
	int on = 1;

	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	c->id = ++next_id;
	c->fd = fd;
	c->file = -1;
	c->peer = *peer;
	c->since_ms = now_ms();
	request_init(&c->req, (size_t)http.limits.max_header, (size_t)http.limits.max_body);
	c->req.at_head = handoff_wanted;
	c->ev = event_new(http.svc->base, fd, EV_READ | EV_PERSIST, conn_event_cb, c);
	TAILQ_INSERT_TAIL(&http.conns, c, entry);
	http.nconns++;
	http.count.connections++;
	event_add(c->ev, NULL);
	conn_set_quiet(c, true);
	return c;
}

void
conn_end(struct conn *c)
{
	conn_io_drop(c);
	conn_set_quiet(c, false);
	TAILQ_REMOVE(&http.conns, c, entry);
	http.nconns--;
	if (c->counted)
		address_give((const struct sockaddr *)&c->peer.ss);
	event_free(c->ev);
	close(c->fd);
	request_free(&c->req);
	free(c);
}

void
conn_refuse(struct conn *c, int status, const char *text)
{
	c->closing = true;
	/* a page that would publish may read why it can't */
	c->flags = c->route != NULL && strcmp(c->route, "whip") == 0 ? ROUTE_CORS : 0;
	conn_set_quiet(c, false);
	answer_text(c, status, text);
}

/* A trusted proxy's connections are many people's. */
bool
conn_count_address(struct conn *c)
{
	const struct sockaddr *sa = (const struct sockaddr *)&c->peer.ss;

	if (client_trusted(&c->peer, http.limits.trusted))
		return true;
	c->counted = address_take(sa, http.limits.max_per_address);
	return c->counted;
}

/* The connection that has been quiet for longest goes, if that is long enough. */
static bool
make_room(void)
{
	struct conn *c = TAILQ_FIRST(&http.quiet);

	if (c == NULL || now_ms() - c->since_ms < QUIET_MS)
		return false;
	conn_end(c);
	return true;
}

void
conn_new(int fd, const struct net_addr *peer, bool want_proxy)
{
	bool full = http.nconns >= http.limits.max_connections && !make_room();
	struct conn *c;

	if (http.nconns >= http.limits.max_connections + REFUSED_MAX) {
		close(fd);
		return;
	}
	c = conn_make(fd, peer);
	c->want_proxy = want_proxy;
	if (full)
		conn_refuse(c, 503, "This server has too many connections; try again soon.\n");
	else if (!want_proxy && !conn_count_address(c))
		conn_refuse(c, 429, "Too many connections from your address.\n");
}

struct conn *
conn_find(uint64_t id)
{
	struct conn *c;

	TAILQ_FOREACH(c, &http.conns, entry)
		if (c->id == id)
			return c;
	return NULL;
}

/*
 * A reader is slow, not dead, while the kernel's send queue gets shorter: sendfile() may have
 * filled it with megabytes and only takes more when a third is free.
 */
static void
look_at_queue(struct conn *c, int64_t now)
{
	int queued;

	if (ioctl(c->fd, SIOCOUTQ, &queued) < 0)
		return;
	if (c->queued > 0 && queued < c->queued)
		c->since_ms = now;
	c->queued = queued;
}

static bool
overdue(struct conn *c, int64_t now)
{
	if (c->linger)
		return now - c->since_ms > LINGER_MS;
	if (c->handoff != 0)
		return now - c->since_ms > HANDOFF_MS;
	if (c->waiting)
		return false;		/* its own deadline answers it */
	if (c->writing) {
		if (now - c->since_ms > http.limits.send_ms / 2)
			look_at_queue(c, now);
		return now - c->since_ms > http.limits.send_ms;
	}
	return now - c->since_ms > (c->idle ? http.limits.idle_ms : http.limits.header_ms);
}

void
conn_sweep(int64_t now)
{
	struct conn *c, *next;

	for (c = TAILQ_FIRST(&http.conns); c != NULL; c = next) {
		next = TAILQ_NEXT(c, entry);
		if (!overdue(c, now))
			continue;
		http.count.timeouts += !c->linger && !c->idle;
		if (c->handoff == 0 && !c->writing && !c->idle && !c->linger && c->req.head_bytes > 0)
			conn_refuse(c, 408, "The request took too long.\n");
		else
			conn_end(c);
	}
}

void
conn_stop(void)
{
	struct conn *c, *next;

	for (c = TAILQ_FIRST(&http.conns); c != NULL; c = next) {
		next = TAILQ_NEXT(c, entry);
		c->closing = true;
		if (!c->writing && !c->waiting && !c->linger)
			conn_end(c);
	}
}
