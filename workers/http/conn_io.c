/*
 * conn_io.c - one HTTP connection: bytes to requests, one answer at a time in their order.
 * A request is read with as few system calls as there can be and its answer tried at once;
 * only what the socket does not take waits for EV_WRITE. While an answer is under way
 * nothing more is read, so a client that pipelines without reading holds only its own bytes;
 * one that pipelines and reads gives way to the others every REQUESTS_PER_TURN.
 */
#include <errno.h>
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
#define SENDS_PER_TURN 4
#define REQUESTS_PER_TURN 16
#define PROXY_HEAD_MAX 2200

static const struct conn *taking;	/* whose requests take() is at */
static struct conn_list turns = TAILQ_HEAD_INITIALIZER(turns);
static struct event *turn_ev;

static void resume(struct conn *c);

static void
wait_for(struct conn *c, short what)
{
	event_del(c->ev);
	event_assign(c->ev, http.svc->base, c->fd, what | EV_PERSIST, conn_event_cb, c);
	event_add(c->ev, NULL);
	c->writing = what == EV_WRITE;
	c->queued = 0;
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
conn_io_drop(struct conn *c)
{
	answer_drop(c);
	if (c->in_turns)
		TAILQ_REMOVE(&turns, c, turn_entry);
	free(c->in);
	free(c->raw);
}

void
conn_io_free(void)
{
	if (turn_ev != NULL)
		event_free(turn_ev);
	turn_ev = NULL;
}

/* --- who has had his share is continued after everybody else had a look-in --- */

static void
turn_cb(evutil_socket_t fd, short what, void *ctx)
{
	struct conn *last = TAILQ_LAST(&turns, conn_list), *c;

	do {
		c = TAILQ_FIRST(&turns);
		TAILQ_REMOVE(&turns, c, turn_entry);
		c->in_turns = false;
		event_add(c->ev, NULL);
		resume(c);
	} while (c != last && !TAILQ_EMPTY(&turns));
	if (!TAILQ_EMPTY(&turns))
		event_add(turn_ev, &(struct timeval){ 0, 0 });
}

/* Nothing is read from it before. */
static void
wait_turn(struct conn *c)
{
	if (turn_ev == NULL)
		turn_ev = evtimer_new(http.svc->base, turn_cb, NULL);
	event_del(c->ev);
	c->in_turns = true;
	TAILQ_INSERT_TAIL(&turns, c, turn_entry);
	event_add(turn_ev, &(struct timeval){ 0, 0 });
}

/* --- out --- */

static void
sent(struct conn *c, size_t n)
{
	size_t head = c->head_len - c->head_off;

	http.count.bytes_out += n;
	c->since_ms = now_ms();
	c->queued = 0;
	if (n < head) {
		c->head_off += n;
		return;
	}
	c->head_off = c->head_len;
	c->body_off += n - head;
}

/* 1: head and body went out; 0: the socket is full; -1: it is broken. */
static int
push_bytes(struct conn *c)
{
	while (c->head_off < c->head_len || c->body_off < c->body_len) {
		struct iovec iov[2] = {
			{ c->head + c->head_off, c->head_len - c->head_off },
			{ c->body ? c->body + c->body_off : NULL, c->body_len - c->body_off },
		};
		struct msghdr mh = { .msg_iov = iov, .msg_iovlen = 2 };
		ssize_t n = sendmsg(c->fd, &mh, MSG_NOSIGNAL | (c->file >= 0 ? MSG_MORE : 0));

		if (n < 0)
			return errno == EAGAIN || errno == EINTR ? 0 : -1;
		sent(c, (size_t)n);
	}
	return 1;
}

/* The same for the file; a reader faster than our disk gives way after SENDS_PER_TURN. */
static int
push_file(struct conn *c)
{
	for (int i = 0; c->file >= 0 && c->file_off < c->file_end; i++) {
		size_t want = (size_t)(c->file_end - c->file_off);
		off_t off = c->file_off;
		ssize_t n;

		if (i == SENDS_PER_TURN)
			return 0;
		n = sendfile(c->fd, c->file, &off, want < SENDFILE_BYTES ? want : SENDFILE_BYTES);
		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			return 0;
		if (n <= 0)
			return -1;	/* the file is shorter than it was: only closing is honest */
		c->file_off = off;
		http.count.bytes_out += (uint64_t)n;
		c->since_ms = now_ms();
		c->queued = 0;
	}
	return 1;
}

static int
push(struct conn *c)
{
	int rc = push_bytes(c);

	return rc > 0 ? push_file(c) : rc;
}

/* The answer is out: the next request, pipelined or to come. */
static void
next_request(struct conn *c)
{
	answer_drop(c);
	c->since_ms = now_ms();
	if (c->closing) {
		/* what the client still sends must not turn our last words into a reset */
		shutdown(c->fd, SHUT_WR);
		c->linger = true;
	} else {
		request_reset(&c->req);
		c->idle = true;
		conn_set_quiet(c, true);
	}
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
	if (rc < 0) {		/* its end is read from the loop, where it can be closed */
		c->closing = c->linger = true;
		shutdown(c->fd, SHUT_RDWR);
		event_add(c->ev, NULL);
	} else if (rc == 0) {
		wait_for(c, EV_WRITE);
	} else {
		next_request(c);
		if (taking != c)	/* an answer that came later */
			resume(c);
	}
}

/* --- in --- */

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

static void
begun(struct conn *c)
{
	if (c->idle)
		c->since_ms = now_ms();	/* from its first byte on the head's time runs */
	c->idle = false;
	if (c->req.want_continue) {
		c->req.want_continue = false;
		send(c->fd, "HTTP/1.1 100 Continue\r\n\r\n", 25, MSG_NOSIGNAL);
	}
}

/* Bytes of the client's, in order: as many requests as are whole and answered at once. */
static void
take(struct conn *c, const uint8_t *p, size_t n)
{
	const struct conn *outer = taking;
	size_t used;

	taking = c;
	for (int i = 0; n > 0 && !c->linger && !c->waiting && !c->writing; i++) {
		if (i == REQUESTS_PER_TURN) {
			wait_turn(c);
			break;
		}
		used = request_feed(&c->req, p, n);
		if (c->req.state == REQUEST_HEAD) {
			handoff_start(c, p, n);
			n = 0;
			break;
		}
		handoff_keep(c, p, used);
		p += used;
		n -= used;
		if (c->req.state == REQUEST_MORE) {
			begun(c);
		} else if (c->req.state == REQUEST_BAD) {
			conn_refuse(c, c->req.status, c->req.why);
		} else {
			c->waiting = true;	/* until somebody answers */
			dispatch_request(c);
		}
	}
	taking = outer;
	keep(c, p, c->linger ? 0 : n);
}

static void
proxy_head(struct conn *c, const uint8_t *p, size_t n)
{
	struct net_addr src;
	int used = net_proxy_parse(p, n, &src);

	if (used == 0 && n < PROXY_HEAD_MAX) {
		keep(c, p, n);
		return;
	}
	if (used <= 0) {
		conn_end(c);
		return;
	}
	c->want_proxy = false;
	if (src.len > 0)
		c->peer = src;
	if (conn_count_address(c))
		take(c, p + used, n - (size_t)used);
	else
		conn_refuse(c, 429, "Too many connections from your address.\n");
}

static void
readable(struct conn *c)
{
	static uint8_t buf[READ_BYTES];
	size_t have = c->in_len;
	ssize_t n;

	if (have >= sizeof(buf) / 2) {	/* enough is waiting; reading goes on with the next request */
		event_del(c->ev);
		return;
	}
	if (have > 0)
		memcpy(buf, c->in, have);
	n = recv(c->fd, buf + have, sizeof(buf) - have, MSG_DONTWAIT);
	if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR)) {
		conn_end(c);
		return;
	}
	if (n < 0 || c->linger)
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

/* After a late or slow answer, or at its turn: what was pipelined. */
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

void
conn_event_cb(evutil_socket_t fd, short what, void *ctx)
{
	struct conn *c = ctx;
	int rc;

	if (!c->writing) {
		readable(c);
		return;
	}
	rc = push(c);
	if (rc < 0)
		conn_end(c);
	else if (rc > 0) {
		next_request(c);
		resume(c);
	}
}
