/* intake_queue.c - see intake_queue.h. Bounded by who fills it: ws_publish.c stops reading. */
#include "intake_queue.h"

#include <event2/buffer.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "util.h"

#define POINT_GAP 4096		/* bytes between two points that are remembered */

void
intake_queue_init(struct intake_queue *q)
{
	memset(q, 0, sizeof(*q));
	q->bytes = evbuffer_new();
}

void
intake_queue_free(struct intake_queue *q)
{
	evbuffer_free(q->bytes);
	free(q->init);
}

void
intake_queue_reset(struct intake_queue *q)
{
	evbuffer_drain(q->bytes, evbuffer_get_length(q->bytes));
	q->init_len = q->init_off = 0;
	q->in = q->out = 0;
	q->npoints = 0;
	q->skipping = false;
}

size_t
intake_queue_bytes(const struct intake_queue *q)
{
	return evbuffer_get_length(q->bytes) + q->init_len - q->init_off;
}

void
intake_queue_add_init(struct intake_queue *q, const uint8_t *p, size_t n)
{
	if (n > INTAKE_INIT_MAX - q->init_len)
		n = INTAKE_INIT_MAX - q->init_len;
	q->init = xrealloc(q->init, q->init_len + n + 1);
	memcpy(q->init + q->init_len, p, n);
	q->init_len += n;
}

static void
forget_points(struct intake_queue *q)
{
	unsigned n = 0;

	while (n < q->npoints && q->points[n] < q->out)
		n++;
	memmove(q->points, q->points + n, (q->npoints - n) * sizeof(q->points[0]));
	q->npoints -= n;
}

static void
remember_point(struct intake_queue *q)
{
	if (q->npoints > 0 && q->in - q->points[q->npoints - 1] < POINT_GAP)
		return;
	forget_points(q);
	if (q->npoints < INTAKE_POINTS)
		q->points[q->npoints++] = q->in;
}

void
intake_queue_add(struct intake_queue *q, const uint8_t *p, size_t n, bool point)
{
	if (point) {
		q->skipping = false;
		remember_point(q);
	}
	if (q->skipping)
		return;
	evbuffer_add(q->bytes, p, n);
	q->in += n;
}

ssize_t
intake_queue_write(struct intake_queue *q, int fd)
{
	ssize_t n;

	if (intake_queue_bytes(q) == 0)
		return 0;
	if (q->init_off < q->init_len) {
		n = send(fd, q->init + q->init_off, q->init_len - q->init_off, MSG_NOSIGNAL | MSG_DONTWAIT);
		q->init_off += n > 0 ? (size_t)n : 0;
		return n;
	}
	n = evbuffer_write(q->bytes, fd);
	q->out += n > 0 ? (uint64_t)n : 0;
	return n;
}

void
intake_queue_rewind(struct intake_queue *q)
{
	uint64_t from;

	forget_points(q);
	from = q->npoints > 0 ? q->points[0] : q->in;
	q->skipping = q->npoints == 0 && q->in > 0;
	evbuffer_drain(q->bytes, (size_t)(from - q->out));
	q->out = from;
	q->init_off = 0;
}
