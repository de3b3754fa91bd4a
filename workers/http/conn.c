/*
 * conn.c - one HTTP connection: bytes to requests, one answer at a time in their order.
 * A request is read with as few system calls as there can be and its answer tried at once;
 * only what the socket does not take waits for EV_WRITE. While an answer is under way
 * nothing more is read, so a client that pipelines without reading holds only its own bytes.
 */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "http.h"
#include "log.h"
#include "util.h"

#define READ_BYTES (64 * 1024)
#define SENDFILE_BYTES (1024 * 1024)
#define REQUESTS_PER_TURN 16

static uint64_t next_id;
static const struct conn *taking;	/* whose requests take() is at */

static void resume(struct conn *c);

static void
wait_for(struct conn *c, short what)
{
	event_del(c->ev);
	event_assign(c->ev, http.svc->base, c->fd, what | EV_PERSIST, event_get_callback(c->ev), c);
	event_add(c->ev, NULL);
	c->writing = what == EV_WRITE;
}

static void
answer_drop(struct conn *c)
{
	if (c->body_owned)
		free(c->body);
	if (c->file >= 0)
		close(c->file);
	c->body = NULL;
	c->body_owned = false;
	c->file = -1;
	c->head_len = c->head_off = c->body_len = c->body_off = 0;
}

void
conn_close(struct conn *c)
{
	answer_drop(c);
	if (c->prev != NULL)
		c->prev->next = c->next;
	else
		http.conns = c->next;
	if (c->next != NULL)
		c->next->prev = c->prev;
	http.nconns--;
	event_free(c->ev);
	close(c->fd);
	request_free(&c->req);
	free(c->in);
	free(c);
}

/* 1: all went out; 0: the socket is full; -1: it is broken. */
static int
push(struct conn *c)
{
	struct iovec iov[2];
	struct msghdr mh = { .msg_iov = iov };
	ssize_t n;

	while (c->head_off < c->head_len || c->body_off < c->body_len) {
		mh.msg_iovlen = 0;
		if (c->head_off < c->head_len)
			iov[mh.msg_iovlen++] = (struct iovec){ c->head + c->head_off, c->head_len - c->head_off };
		if (c->body_off < c->body_len)
			iov[mh.msg_iovlen++] = (struct iovec){ c->body + c->body_off, c->body_len - c->body_off };
		n = sendmsg(c->fd, &mh, MSG_NOSIGNAL | (c->file >= 0 ? MSG_MORE : 0));
		if (n < 0)
			return errno == EAGAIN || errno == EINTR ? 0 : -1;
		http.count.bytes_out += (uint64_t)n;
		c->since_ms = now_ms();
		if ((size_t)n < c->head_len - c->head_off)
			c->head_off += (size_t)n;
		else {
			c->body_off += (size_t)n - (c->head_len - c->head_off);
			c->head_off = c->head_len;
		}
	}
	while (c->file >= 0 && c->file_off < c->file_end) {
		size_t want = (size_t)(c->file_end - c->file_off);
		off_t off = c->file_off;

		n = sendfile(c->fd, c->file, &off, want < SENDFILE_BYTES ? want : SENDFILE_BYTES);
		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			return 0;
		if (n <= 0)
			return -1;	/* the file is shorter than it was: only closing is honest */
		http.count.bytes_out += (uint64_t)n;
		c->since_ms = now_ms();
		c->file_off = off;
	}
	return 1;
}

/* The answer is out: the next request, pipelined or to come. */
static void
next_request(struct conn *c)
{
	answer_drop(c);
	if (c->closing) {
		/* what the client still sends must not turn our last words into a reset */
		shutdown(c->fd, SHUT_WR);
		c->linger = true;
		c->since_ms = now_ms();
		if (c->writing)
			wait_for(c, EV_READ);
		return;
	}
	request_reset(&c->req);
	c->idle = true;
	c->since_ms = now_ms();
	if (c->writing)
		wait_for(c, EV_READ);
	else
		event_add(c->ev, NULL);
}

void
conn_send(struct conn *c)
{
	int rc = push(c);

	c->waiting = false;
	if (rc < 0)
		c->closing = c->linger = true, shutdown(c->fd, SHUT_RDWR);
	else if (rc == 0 && !c->writing)
		wait_for(c, EV_WRITE);
	else if (rc > 0) {
		next_request(c);
		if (taking != c)	/* an answer that came later */
			resume(c);
	}
}

struct conn *
conn_find(uint64_t id)
{
	struct conn *c;

	for (c = http.conns; c != NULL && c->id != id; c = c->next)
		;
	return c;
}

static void
keep(struct conn *c, const uint8_t *p, size_t n)
{
	uint8_t *rest = n > 0 ? xmalloc(n) : NULL;

	if (n > 0)
		memcpy(rest, p, n);
	free(c->in);
	c->in = rest;
	c->in_len = n;
}

/* Bytes of the client's, in order: as many requests as are whole and answered at once. */
static void
take(struct conn *c, const uint8_t *p, size_t n)
{
	size_t used;

	taking = c;
	for (int i = 0; n > 0 && !c->linger; i++) {
		if (i == REQUESTS_PER_TURN) {	/* others first */
			event_active(c->ev, EV_READ, 0);
			break;
		}
		used = request_feed(&c->req, p, n);
		p += used;
		n -= used;
		if (c->req.want_continue && c->req.state == REQUEST_MORE) {
			c->req.want_continue = false;
			if (send(c->fd, "HTTP/1.1 100 Continue\r\n\r\n", 25, MSG_NOSIGNAL) < 0)
				break;
		}
		if (c->req.state == REQUEST_MORE) {
			if (c->idle)
				c->since_ms = now_ms();
			c->idle = false;
			break;
		}
		if (c->req.state == REQUEST_BAD) {
			c->closing = true;
			c->flags = 0;
			answer_text(c, c->req.status, c->req.why);
		} else {
			c->waiting = true;	/* until somebody answers */
			dispatch_request(c);
		}
		if (c->waiting || c->writing)
			break;		/* the rest waits for its turn */
	}
	taking = NULL;
	keep(c, p, c->linger ? 0 : n);
}

static void
proxy_head(struct conn *c, const uint8_t *p, size_t n)
{
	struct net_addr src;
	int used = net_proxy_parse(p, n, &src);

	if (used > 0) {
		c->want_proxy = false;
		if (src.len > 0)
			c->peer = src;
		take(c, p + used, n - (size_t)used);
	} else if (used == 0 && n < 2200)
		keep(c, p, n);
	else
		conn_close(c);
}

static void
readable(struct conn *c)
{
	static uint8_t buf[READ_BYTES];
	size_t have = c->in_len;
	ssize_t n;

	if (have >= sizeof(buf) / 2) {	/* pipelined requests wait in `in`; no more of them now */
		event_del(c->ev);
		return;
	}
	if (have > 0)
		memcpy(buf, c->in, have);
	n = recv(c->fd, buf + have, sizeof(buf) - have, MSG_DONTWAIT);
	if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR)) {
		conn_close(c);
		return;
	}
	if (n < 0)
		n = 0;		/* woken for what was kept */
	if (c->linger || have + (size_t)n == 0)
		return;
	if (c->waiting) {		/* an answer comes later: only keep what was said */
		keep(c, buf, have + (size_t)n);
		return;
	}
	keep(c, NULL, 0);
	if (c->want_proxy)
		proxy_head(c, buf, have + (size_t)n);
	else
		take(c, buf, have + (size_t)n);
}

/* After a late or slow answer: what was pipelined behind it. */
static void
resume(struct conn *c)
{
	uint8_t *in = c->in;
	size_t n = c->in_len;

	c->in = NULL;
	c->in_len = 0;
	if (n > 0 && !c->linger)
		take(c, in, n);
	free(in);
}

static void
event_cb(evutil_socket_t fd, short what, void *ctx)
{
	struct conn *c = ctx;
	int rc;

	if (!c->writing) {
		readable(c);
		return;
	}
	rc = push(c);
	if (rc < 0)
		conn_close(c);
	else if (rc > 0) {
		next_request(c);
		resume(c);
	}
}

void
conn_new(int fd, const struct net_addr *peer, bool want_proxy)
{
	struct conn *c = xcalloc(1, sizeof(*c));
	int on = 1;

	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	c->id = ++next_id;
	c->fd = fd;
	c->file = -1;
	c->peer = *peer;
	c->want_proxy = want_proxy;
	c->since_ms = now_ms();
	request_init(&c->req, (size_t)http.limits.max_header, (size_t)http.limits.max_body);
	c->ev = event_new(http.svc->base, fd, EV_READ | EV_PERSIST, event_cb, c);
	c->next = http.conns;
	if (c->next != NULL)
		c->next->prev = c;
	http.conns = c;
	http.nconns++;
	http.count.connections++;
	event_add(c->ev, NULL);
}

static bool
overdue(const struct conn *c, int64_t now)
{
	int64_t age = now - c->since_ms;

	if (c->linger)
		return age > 1000;
	if (c->waiting)
		return false;		/* its own deadline answers it */
	if (c->writing)
		return age > http.limits.send_ms;
	return age > (c->idle ? http.limits.idle_ms : http.limits.header_ms);
}

void
conn_sweep(int64_t now)
{
	struct conn *c, *next;

	for (c = http.conns; c != NULL; c = next) {
		next = c->next;
		if (!overdue(c, now))
			continue;
		http.count.timeouts += !c->linger && !c->idle;
		if (!c->writing && !c->idle && !c->linger && c->req.head_bytes > 0) {
			c->closing = true;
			answer_text(c, 408, "The request took too long.\n");
		} else
			conn_close(c);
	}
}

void
conn_stop(void)
{
	struct conn *c, *next;

	for (c = http.conns; c != NULL; c = next) {
		next = c->next;
		c->closing = true;
		if (!c->writing && !c->waiting)
			conn_close(c);
	}
}
