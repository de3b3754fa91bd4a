/* lines.c - reads a child's stderr or list by lines (contract in lines.h). Called by owners of an ffmpeg. */
#include "lines.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "util.h"

/* Hands on whole lines, and a full buffer as it is. */
static void
split(struct lines *l)
{
	char *nl;

	while ((nl = memchr(l->buf, '\n', l->len)) != NULL || l->len == sizeof(l->buf) - 1) {
		size_t used = nl != NULL ? (size_t)(nl - l->buf) + 1 : l->len;

		if (nl != NULL)
			*nl = '\0';
		l->line(l->ctx, l->buf);
		memmove(l->buf, l->buf + used, l->len - used);
		l->len -= used;
		l->buf[l->len] = '\0';
	}
}

/* false: there will be no more. */
static bool
take(struct lines *l)
{
	ssize_t n;

	while ((n = read(l->fd, l->buf + l->len, sizeof(l->buf) - 1 - l->len)) > 0) {
		l->len += (size_t)n;
		l->buf[l->len] = '\0';
		split(l);
	}
	return n < 0 && (errno == EAGAIN || errno == EINTR);
}

static void
read_cb(evutil_socket_t fd, short what, void *ctx)
{
	struct lines *l = ctx;

	if (take(l))
		return;
	event_del(l->ev);
	if (l->end != NULL)
		l->end(l->ctx);
}

void
lines_open(struct lines *l, struct event_base *base, int fd)
{
	fd_cloexec_nonblock(fd);
	l->fd = fd;
	l->len = 0;
	l->ev = event_new(base, fd, EV_READ | EV_PERSIST, read_cb, l);
	event_add(l->ev, NULL);
}

void
lines_drain(struct lines *l)
{
	if (l->fd >= 0)
		take(l);
}

void
lines_close(struct lines *l)
{
	if (l->ev != NULL)
		event_free(l->ev);
	if (l->fd >= 0)
		close(l->fd);
	l->ev = NULL;
	l->fd = -1;
	l->len = 0;
}
