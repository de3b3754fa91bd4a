/*
 * msg.c - packets over a SOCK_SEQPACKET socket (contract in msg.h, format in proto.h).
 *
 * The outgoing queue decides the event mask in one place (chan_rearm). A peer that sends
 * garbage is warned about and the packet dropped; only EOF or a socket error ends a channel.
 * Descriptors belong to the packet from msg_send() on and are closed with it, whatever
 * becomes of it; received ones are closed behind the callback unless it took them.
 *
 * Called by every process: svc.c for children, child.c and control.c in the supervisor, the
 * blocking pair by the CLI. What the bodies say is msg_body.c's and the handlers' business.
 */
#include "msg.h"

#include <errno.h>
#include <event2/event.h>
#include <poll.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "log.h"
#include "msg_packet.h"
#include "util.h"

#define MSG_PER_TURN 32		/* so that one noisy peer can't flood the loop */
#define MSG_LATER_MS 20

struct msg_chan {
	int fd;
	struct event *rd, *wr, *again;
	bool dead;		/* sending failed for good: the reader sees EOF soon */
	msg_cb cb;
	void *ctx;
	struct packet *head, **tail;
	size_t queued;
	bool *gone;		/* set while in the callback: freed under our feet */
};

/*
 * Waits for room or, where the kernel has no memory or too many descriptors are under way
 * (which it would report as writable at once, for ever), for a moment.
 */
static void
chan_rearm(struct msg_chan *c, bool later)
{
	struct timeval moment = { 0, MSG_LATER_MS * 1000 };

	event_del(c->wr);
	event_del(c->again);
	if (c->head != NULL && later)
		event_add(c->again, &moment);
	else if (c->head != NULL)
		event_add(c->wr, NULL);
}

static void
chan_drop(struct msg_chan *c)
{
	struct packet *p;

	while ((p = c->head) != NULL) {
		c->head = p->next;
		packet_free(p);
	}
	c->tail = &c->head;
	c->queued = 0;
}

/* Sends what the kernel takes. A broken peer's queue is dropped: the reader sees the EOF. */
static void
chan_push(struct msg_chan *c)
{
	struct packet *p;
	bool later = false;

	while ((p = c->head) != NULL) {
		if (packet_send(c->fd, p) < 0 && errno != EMSGSIZE) {
			later = errno == ETOOMANYREFS || errno == ENOBUFS || errno == ENOMEM;
			if (later || errno == EAGAIN || errno == EINTR)
				break;
			c->dead = true;
			chan_drop(c);
			break;
		}
		c->head = p->next;
		if (c->head == NULL)
			c->tail = &c->head;
		c->queued--;
		packet_free(p);
	}
	chan_rearm(c, later);
}

static void
chan_write_cb(evutil_socket_t fd, short what, void *ctx)
{
	chan_push(ctx);
}

static void
chan_read_cb(evutil_socket_t fd, short what, void *ctx)
{
	static uint8_t buf[PROTO_MSG_MAX];
	struct msg_chan *c = ctx;
	bool gone = false;
	struct msg m;
	int rc = 1;

	c->gone = &gone;
	for (int i = 0; i < MSG_PER_TURN && rc > 0 && !gone; i++) {
		rc = packet_recv(c->fd, buf, &m);
		if (rc > 0 && m.body != NULL) {
			c->cb(c, &m, c->ctx);
			packet_close_fds(&m);
			json_decref(m.body);
		}
	}
	if (gone)
		return;
	c->gone = NULL;
	if (rc < 0) {
		event_del(c->rd);
		c->cb(c, NULL, c->ctx);
	}
}

struct msg_chan *
msg_chan_new(struct event_base *base, int fd, msg_cb cb, void *ctx)
{
	struct msg_chan *c;

	if (fd_cloexec_nonblock(fd) < 0)
		return NULL;
	c = xcalloc(1, sizeof(*c));
	c->fd = fd;
	c->cb = cb;
	c->ctx = ctx;
	c->tail = &c->head;
	c->rd = event_new(base, fd, EV_READ | EV_PERSIST, chan_read_cb, c);
	c->wr = event_new(base, fd, EV_WRITE, chan_write_cb, c);
	c->again = evtimer_new(base, chan_write_cb, c);
	if (c->rd == NULL || c->wr == NULL || c->again == NULL)
		fatalx("out of memory: control channel");
	event_add(c->rd, NULL);
	return c;
}

void
msg_chan_free(struct msg_chan **cp)
{
	struct msg_chan *c = *cp;

	if (c == NULL)
		return;
	*cp = NULL;
	if (c->gone != NULL)
		*c->gone = true;
	chan_drop(c);
	event_free(c->rd);
	event_free(c->wr);
	event_free(c->again);
	close(c->fd);
	free(c);
}

int64_t
msg_chan_stuck_ms(const struct msg_chan *c)
{
	return c->head != NULL ? now_ms() - c->head->queued_ms : 0;
}

size_t
msg_chan_queued(const struct msg_chan *c)
{
	return c->queued;
}

int
msg_send(struct msg_chan *c, uint16_t type, uint32_t id, json_t *body, const int *fds, int nfds)
{
	struct packet *p = NULL;

	if (c == NULL || c->dead)
		errno = EPIPE;
	else if (c->queued >= PROTO_QUEUE_MAX)
		errno = ENOBUFS;
	else
		p = packet_new(type, id, body);
	json_decref(body);
	if (p == NULL) {
		for (int i = 0; i < nfds; i++)
			close(fds[i]);
		return -1;
	}
	p->nfds = nfds;
	if (nfds > 0)
		memcpy(p->fds, fds, sizeof(int) * (size_t)nfds);
	*c->tail = p;
	c->tail = &p->next;
	c->queued++;
	chan_push(c);
	return 0;
}

void
msg_flush(struct msg_chan *c, int timeout_ms)
{
	struct pollfd pfd = { .fd = c->fd, .events = POLLOUT };
	int64_t end = now_ms() + timeout_ms, left;

	while (c->head != NULL && (left = end - now_ms()) > 0) {
		if (poll(&pfd, 1, (int)left) <= 0 || (pfd.revents & (POLLERR | POLLHUP)))
			return;
		chan_push(c);
	}
}

int
msg_take_fd(struct msg *m, int i)
{
	int fd;

	if (i >= m->nfds)
		return -1;
	fd = m->fds[i];
	m->fds[i] = -1;
	return fd;
}
