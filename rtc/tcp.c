/*
 * tcp.c - see tcp.h. Called by net.c. Each connection has one packet coming and a bounded queue going:
 * a browser that reads too slowly loses whole packets, which NACK and PLI repair as on UDP.
 */
#include "rtc/tcp.h"

#include <errno.h>
#include <event2/buffer.h>
#include <event2/event.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <unistd.h>

#include "be.h"
#include "log.h"
#include "rtc/frame.h"
#include "rtc/udp.h"
#include "util.h"

#define ACCEPTS 32		/* of one event */
#define READ_BYTES 16384	/* of one event */
#define PAUSE_MS 1000		/* without descriptors, until accept is tried again */
#define LATE_MS 1000

struct tcp_conn {
	struct tcp *tcp;
	void *owner;
	int fd;
	struct sockaddr_in6 address;
	int64_t since_ms;
	bool stranger, dirty, dead;	/* stranger: and in that list */
	struct event *readable, *writable;
	struct evbuffer *out;
	uint64_t queued, mark;			/* bytes ever queued; how many they were at mark_ms */
	int64_t mark_ms;
	struct frame in;
	TAILQ_ENTRY(tcp_conn) all, flush;
};

struct tcp {
	int fd;
	struct event_base *base;
	struct tcp_limits limits;
	const struct tcp_ops *ops;
	void *ctx;
	struct event *acceptable, *timer;	/* timer: the oldest stranger's end, or the end of a pause */
	TAILQ_HEAD(conn_list, tcp_conn) strangers, admitted;	/* oldest first */
	struct conn_list dirty;
	unsigned n, nstrangers;
	bool paused;
	struct tcp_conn *reading;	/* its memory is not freed before frame_feed is through */
};

static void
arm(struct tcp *t)
{
	const struct tcp_conn *c = TAILQ_FIRST(&t->strangers);
	int64_t ms = PAUSE_MS;

	if (c != NULL && !t->paused)
		ms = c->since_ms + t->limits.stranger_ms - now_ms();
	ms = ms < 0 ? 0 : ms;
	if (c != NULL || t->paused)
		event_add(t->timer, &(struct timeval){ ms / 1000, ms % 1000 * 1000 });
	else
		event_del(t->timer);
}

static void
conn_free(struct tcp_conn *c)
{
	event_free(c->readable);
	event_free(c->writable);
	evbuffer_free(c->out);
	close(c->fd);
	free(c);
}

/* Out of every list; its memory goes now, or when it is not being read any more. */
static void
drop(struct tcp_conn *c)
{
	struct tcp *t = c->tcp;

	TAILQ_REMOVE(c->stranger ? &t->strangers : &t->admitted, c, all);
	if (c->dirty)
		TAILQ_REMOVE(&t->dirty, c, flush);
	t->n--;
	t->nstrangers -= c->stranger;
	c->dead = true;
	event_del(c->readable);
	event_del(c->writable);
	if (t->reading != c)
		conn_free(c);
}

void
tcp_close(struct tcp_conn **cp)
{
	struct tcp_conn *c = *cp;

	*cp = NULL;
	evbuffer_write(c->out, c->fd);
	drop(c);
}

static void
lose(struct tcp_conn *c)
{
	if (!c->stranger)
		c->tcp->ops->closed(c->tcp->ctx, c);
	drop(c);
}

/* --- in --- */

static bool
packet(void *ctx, uint8_t *p, size_t n)
{
	struct tcp_conn *c = ctx;

	c->tcp->ops->input(c->tcp->ctx, c, p, n);
	return !c->dead;
}

static void
readable_cb(evutil_socket_t fd, short what, void *arg)
{
	struct tcp_conn *c = arg;
	struct tcp *t = c->tcp;
	uint8_t bytes[READ_BYTES];
	ssize_t n = recv(fd, bytes, sizeof(bytes), MSG_DONTWAIT);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	t->reading = c;
	if ((n <= 0 || frame_feed(&c->in, bytes, (size_t)n, packet, c) < 0) && !c->dead)
		lose(c);
	t->reading = NULL;
	if (c->dead)
		conn_free(c);
}

/* --- out --- */

static void
flush_one(struct tcp_conn *c)
{
	int n = 0;

	while (evbuffer_get_length(c->out) > 0 && (n = evbuffer_write(c->out, c->fd)) > 0)
		;
	if (evbuffer_get_length(c->out) == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
		event_del(c->writable);		/* what is broken is found by reading */
	else
		event_add(c->writable, NULL);
}

static void
writable_cb(evutil_socket_t fd, short what, void *arg)
{
	flush_one(arg);
}

bool
tcp_send(struct tcp_conn *c, const uint8_t *p, size_t n)
{
	uint8_t head[FRAME_HEAD];

	if (n > UINT16_MAX || evbuffer_get_length(c->out) + FRAME_HEAD + n > c->tcp->limits.max_queued)
		return false;
	be_put(head, FRAME_HEAD, n);
	evbuffer_add(c->out, head, FRAME_HEAD);
	evbuffer_add(c->out, p, n);
	c->queued += FRAME_HEAD + n;
	if (!c->dirty) {
		c->dirty = true;
		TAILQ_INSERT_TAIL(&c->tcp->dirty, c, flush);
	}
	return true;
}

bool
tcp_is_late(struct tcp_conn *c)
{
	int64_t now = now_ms();

	if (c->queued - evbuffer_get_length(c->out) >= c->mark) {
		c->mark = c->queued;
		c->mark_ms = now;
	}
	return now - c->mark_ms > LATE_MS;
}

void
tcp_flush(struct tcp *t)
{
	struct tcp_conn *c;

	while ((c = TAILQ_FIRST(&t->dirty)) != NULL) {
		TAILQ_REMOVE(&t->dirty, c, flush);
		c->dirty = false;
		flush_one(c);
	}
}

/* --- connections --- */

static void
conn_new(struct tcp *t, int fd, const struct sockaddr *from)
{
	struct tcp_conn *c = xcalloc(1, sizeof(*c));
	int on = 1;

	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	c->tcp = t;
	c->fd = fd;
	c->stranger = true;
	c->since_ms = now_ms();
	udp_canonical(&c->address, from);
	c->out = evbuffer_new();
	c->readable = event_new(t->base, fd, EV_READ | EV_PERSIST, readable_cb, c);
	c->writable = event_new(t->base, fd, EV_WRITE | EV_PERSIST, writable_cb, c);
	if (c->out == NULL || c->readable == NULL || c->writable == NULL || event_add(c->readable, NULL) == -1)
		fatal("webrtc: a TCP connection has no place in the event loop");
	TAILQ_INSERT_TAIL(&t->strangers, c, all);
	t->n++;
	if (++t->nstrangers > t->limits.max_strangers)
		drop(TAILQ_FIRST(&t->strangers));
}

/* A lack of descriptors or memory passes; until then the loop is not to be woken by who waits. */
static void
pause_accept(struct tcp *t)
{
	t->paused = true;
	event_del(t->acceptable);
}

static void
acceptable_cb(evutil_socket_t fd, short what, void *arg)
{
	struct tcp *t = arg;
	struct sockaddr_storage ss;
	socklen_t len;
	int got;

	for (int i = 0; i < ACCEPTS && !t->paused; i++) {
		len = sizeof(ss);
		got = accept4(fd, (struct sockaddr *)&ss, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);
		if (got >= 0)
			conn_new(t, got, (struct sockaddr *)&ss);
		else if (errno == EAGAIN)
			break;
		else if (errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS)
			pause_accept(t);
	}
	arm(t);
}

static void
timer_cb(evutil_socket_t fd, short what, void *arg)
{
	struct tcp *t = arg;
	struct tcp_conn *c;

	if (t->paused)
		event_add(t->acceptable, NULL);
	t->paused = false;
	while ((c = TAILQ_FIRST(&t->strangers)) != NULL && now_ms() - c->since_ms >= t->limits.stranger_ms)
		drop(c);
	arm(t);
}

/* --- what others ask --- */

void
tcp_admit(struct tcp_conn *c, void *owner)
{
	struct tcp *t = c->tcp;

	c->owner = owner;
	if (!c->stranger)
		return;
	TAILQ_REMOVE(&t->strangers, c, all);
	TAILQ_INSERT_TAIL(&t->admitted, c, all);
	t->nstrangers--;
	c->stranger = false;
}

void *
tcp_owner(const struct tcp_conn *c)
{
	return c->owner;
}

const struct sockaddr_in6 *
tcp_address(const struct tcp_conn *c)
{
	return &c->address;
}

unsigned
tcp_count(const struct tcp *t)
{
	return t->n;
}

void
tcp_set_limits(struct tcp *t, const struct tcp_limits *limits)
{
	t->limits = *limits;
	arm(t);
}

struct tcp *
tcp_new(struct event_base *base, int fd, const struct tcp_limits *limits, const struct tcp_ops *ops, void *ctx)
{
	struct tcp *t = xcalloc(1, sizeof(*t));

	t->fd = fd;
	t->base = base;
	t->limits = *limits;
	t->ops = ops;
	t->ctx = ctx;
	TAILQ_INIT(&t->strangers);
	TAILQ_INIT(&t->admitted);
	TAILQ_INIT(&t->dirty);
	t->acceptable = event_new(base, fd, EV_READ | EV_PERSIST, acceptable_cb, t);
	t->timer = evtimer_new(base, timer_cb, t);
	errno = ENOMEM;
	if (t->acceptable == NULL || t->timer == NULL || event_add(t->acceptable, NULL) == -1)
		tcp_free(&t);
	return t;
}

void
tcp_free(struct tcp **tp)
{
	struct tcp *t = *tp;
	int saved = errno;

	*tp = NULL;
	if (t == NULL)
		return;
	while (!TAILQ_EMPTY(&t->strangers))
		drop(TAILQ_FIRST(&t->strangers));
	while (!TAILQ_EMPTY(&t->admitted))
		drop(TAILQ_FIRST(&t->admitted));
	if (t->acceptable != NULL)
		event_free(t->acceptable);
	if (t->timer != NULL)
		event_free(t->timer);
	close(t->fd);
	free(t);
	errno = saved;
}
