/* conn.c - the publisher's socket (contract in conn.h). Called by session.c only. */
#include "conn.h"

#include <errno.h>
#include <event2/buffer.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "log.h"
#include "util.h"

#define READ_BYTES (64 * 1024)
#define READS_PER_TURN 32
#define RECEIVE_BUFFER (1024 * 1024)	/* more than two ticks at 20 Mbit/s */
#define RMEM_MAX "/proc/sys/net/core/rmem_max"
#define PROXY_MAX 2200

void
conn_init(struct conn *c, const struct conn_ops *ops, void *ctx)
{
	memset(c, 0, sizeof(*c));
	c->ops = ops;
	c->ctx = ctx;
	c->fd = -1;
	c->out = evbuffer_new();
	c->proxy = evbuffer_new();
	c->buf = xmalloc(READ_BYTES);
}

void
conn_free(struct conn *c)
{
	conn_close(c);
	evbuffer_free(c->out);
	evbuffer_free(c->proxy);
	free(c->buf);
}

/* -1: it is no PROXY head, or what came behind it was refused. */
static int
proxy_head(struct conn *c, const uint8_t *p, size_t n)
{
	struct net_addr src;
	size_t have;
	int used, rc = 0;

	evbuffer_add(c->proxy, p, n);
	have = evbuffer_get_length(c->proxy);
	p = evbuffer_pullup(c->proxy, -1);
	used = net_proxy_parse(p, have, &src);
	if (used < 0 || (used == 0 && have > PROXY_MAX)) {
		log_warnx("closing %s: it sent no PROXY head", c->peer);
		c->ops->over(c->ctx, "no PROXY protocol, but rtmp.listen says proxy_protocol: true");
		return -1;
	}
	if (used == 0)
		return 0;
	c->want_proxy = false;
	if (src.len > 0)
		net_format((struct sockaddr *)&src.ss, c->peer);
	log_set_peer(c->peer);
	if (have > (size_t)used)
		rc = c->ops->input(c->ctx, p + used, have - (size_t)used);
	evbuffer_drain(c->proxy, have);
	return rc;
}

void
conn_read(struct conn *c)
{
	ssize_t n;
	int rc = 0;

	for (int i = 0; i < READS_PER_TURN && rc == 0 && c->fd >= 0; i++) {
		n = recv(c->fd, c->buf, READ_BYTES, MSG_DONTWAIT);
		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			break;
		if (n <= 0) {
			c->ops->over(c->ctx, n == 0 ? "the publisher closed the connection" : strerror(errno));
			break;
		}
		if (c->closing)
			continue;
		c->last_byte_ms = now_ms();
		rc = c->want_proxy ? proxy_head(c, c->buf, (size_t)n) : c->ops->input(c->ctx, c->buf, (size_t)n);
		conn_write(c);
		if (c->fd >= 0 && rc == 0 && evbuffer_get_length(c->out) > c->max_unread) {
			c->ops->over(c->ctx, "it does not read what it is told, for more than rtmp.max_unread");
			break;
		}
		if (n < READ_BYTES / 2)
			break;
	}
}

void
conn_write(struct conn *c)
{
	while (c->fd >= 0 && evbuffer_get_length(c->out) > 0)
		if (evbuffer_write(c->out, c->fd) <= 0) {
			if (errno != EAGAIN && errno != EINTR)
				evbuffer_drain(c->out, evbuffer_get_length(c->out));
			return;
		}
}

static void
read_cb(evutil_socket_t fd, short what, void *ctx)
{
	conn_read(ctx);
}

/*
 * Asking for a size ends the kernel's own growing of it, and gives no more than rmem_max: only
 * where that is enough. Elsewhere the kernel sees that a tick's reads empty it, and grows it.
 */
static void
receive_buffer(int fd)
{
	char *text = file_read(RMEM_MAX, 32, NULL);
	int size = RECEIVE_BUFFER;

	if (text != NULL && atoi(text) >= size)
		setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
	free(text);
}

void
conn_open(struct conn *c, struct event_base *base, int fd, int user_timeout_ms)
{
	c->fd = fd;
	fd_cloexec_nonblock(fd);
	net_tune(fd, user_timeout_ms);
	receive_buffer(fd);
	c->last_byte_ms = now_ms();
	c->rd = event_new(base, fd, EV_READ | EV_PERSIST, read_cb, c);
	event_add(c->rd, NULL);
}

void
conn_by_tick(struct conn *c)
{
	if (c->rd != NULL)
		event_free(c->rd);
	c->rd = NULL;
}

void
conn_half_close(struct conn *c)
{
	conn_write(c);
	c->closing = true;
	if (c->fd >= 0)
		shutdown(c->fd, SHUT_WR);
}

void
conn_close(struct conn *c)
{
	conn_by_tick(c);
	if (c->fd >= 0)
		close(c->fd);
	c->fd = -1;
}
