/* conn.c - the publisher's socket (contract in conn.h). Called by the rows of routes.h. */
#include "conn.h"

#include <errno.h>
#include <event2/buffer.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "conf.h"
#include "log.h"
#include "util.h"

#define READ_BYTES (64 * 1024)
#define READS_PER_TURN 32
#define RECEIVE_BUFFER (1024 * 1024)	/* more than two ticks at 20 Mbit/s */
#define RMEM_MAX "/proc/sys/net/core/rmem_max"
#define PROXY_MAX 2200
#define EARLY_MAX (2 << 20)		/* http's longest head and what came behind it */

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
	free(c->early);
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

static void
end(struct conn *c, const char *why)
{
	conn_close(c);
	c->ops->over(c->ctx, why);
}

void
conn_read(struct conn *c)
{
	ssize_t n;
	int rc = 0;

	for (int i = 0; i < READS_PER_TURN && rc == 0 && c->fd >= 0 && (!c->paused || c->closing); i++) {
		n = recv(c->fd, c->buf, READ_BYTES, MSG_DONTWAIT);
		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			break;
		if (n <= 0) {
			end(c, n == 0 ? "the publisher closed the connection" : strerror(errno));
			break;
		}
		if (c->closing)
			continue;
		c->last_byte_ms = now_ms();
		rc = c->want_proxy ? proxy_head(c, c->buf, (size_t)n) : c->ops->input(c->ctx, c->buf, (size_t)n);
		conn_write(c);
		if (c->fd >= 0 && rc == 0 && evbuffer_get_length(c->out) > c->max_unread) {
			snprintf(c->why, sizeof(c->why), "it does not read what it is told, for more than %s",
			    c->unread_key);
			c->ops->over(c->ctx, c->why);
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

static void
read_at_once(struct conn *c)
{
	c->rd = event_new(c->base, c->fd, EV_READ | EV_PERSIST, read_cb, c);
	event_add(c->rd, NULL);
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

static int
take_early(struct conn *c, int fd)
{
	struct stat st;
	int rc = -1;

	if (fstat(fd, &st) == 0 && st.st_size <= EARLY_MAX) {
		c->early_len = (size_t)st.st_size;
		c->early = xmalloc(c->early_len + 1);
		rc = pread(fd, c->early, c->early_len, 0) == (ssize_t)c->early_len ? 0 : -1;
	}
	close(fd);
	return rc;
}

int
conn_take(struct conn *c, struct event_base *base, struct msg *m, const json_t *conf)
{
	int fd = msg_take_fd(m, 0), early = msg_take_fd(m, 1);

	if (early >= 0 && take_early(c, early) < 0)
		return -1;
	if (fd < 0 || c->fd >= 0)
		return -1;
	c->base = base;
	c->fd = fd;
	str_copy(c->peer, msg_str_or(m, "peer", "?"), sizeof(c->peer));
	str_copy(c->local, msg_str_or(m, "local", ""), sizeof(c->local));
	c->unread_key = early >= 0 ? "ws.max_unread" : "rtmp.max_unread";
	c->max_unread = (size_t)conf_int(conf, c->unread_key);
	c->want_proxy = json_is_true(json_object_get(m->body, "proxy_protocol"));
	log_set_peer(c->peer);
	fd_cloexec_nonblock(fd);
	net_tune(fd, (int)conf_int(conf, "rtmp.user_timeout"));
	receive_buffer(fd);
	c->last_byte_ms = now_ms();
	read_at_once(c);
	return 0;
}

void
conn_early(struct conn *c)
{
	if (c->early == NULL)
		return;
	c->ops->input(c->ctx, c->early, c->early_len);
	conn_write(c);
	free(c->early);
	c->early = NULL;
}

void
conn_pause(struct conn *c, bool pause)
{
	if (pause == c->paused)
		return;
	c->paused = pause;
	c->last_byte_ms = now_ms();
	if (c->rd == NULL || c->closing)
		return;
	if (pause)
		event_del(c->rd);
	else
		event_add(c->rd, NULL);
}

void
conn_by_tick(struct conn *c)
{
	if (c->rd != NULL)
		event_free(c->rd);
	c->rd = NULL;
}

static void
linger_cb(evutil_socket_t fd, short what, void *ctx)
{
	end(ctx, "the publisher did not close the connection");
}

/* A close with input unread is a reset, and that destroys what the peer has not read yet: the last words. */
static void
say_end(struct conn *c)
{
	c->closing = true;
	conn_write(c);
	shutdown(c->fd, SHUT_WR);
	if (c->rd == NULL)
		read_at_once(c);
	else
		event_add(c->rd, NULL);		/* it may be paused */
	c->linger = evtimer_new(c->base, linger_cb, c);
}

void
conn_linger(struct conn *c, int64_t ms)
{
	struct timeval tv = { ms / 1000, ms % 1000 * 1000 };
	int64_t until = now_ms() + ms;

	if (c->fd < 0 || (c->closing && c->linger_ms <= until))
		return;
	if (!c->closing)
		say_end(c);
	c->linger_ms = until;
	event_add(c->linger, &tv);
}

void
conn_close(struct conn *c)
{
	conn_by_tick(c);
	if (c->linger != NULL)
		event_free(c->linger);
	c->linger = NULL;
	if (c->fd >= 0)
		close(c->fd);
	c->fd = -1;
}
