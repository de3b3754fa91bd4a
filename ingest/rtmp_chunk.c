/*
 * rtmp_chunk.c - chunk streams to messages (contract in rtmp_chunk.h). Called by
 * rtmp_session.c with whatever the socket gave, in any pieces.
 *
 * A message that lies whole in one chunk and in the bytes at hand is handed on in place;
 * any other is gathered in a buffer that grows with what was received, never with what
 * was announced.
 */
#include "rtmp_chunk.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "be.h"
#include "util.h"

#define FIRST_BYTES (64 * 1024)	/* of a message's buffer: most need no second allocation */
#define HEAD_MAX 18		/* basic 3, message 11, extended timestamp 4 */
#define EXTENDED 0xffffffU	/* the 24 bit field's mark */
#define DELTA_OF_TYPE0_MAX_MS 10000	/* see new_message() */

struct chunk_stream {
	uint32_t csid, timestamp, delta, stream_id, extended;
	size_t len;		/* of the message */
	uint8_t type;
	bool has_extended, seen;
	uint8_t *buf;		/* unfinished message */
	size_t have, size;
	bool open;		/* a message is unfinished (also one of no bytes yet) */
};

struct rtmp_chunk {
	const struct rtmp_chunk_limits *limits;
	rtmp_message_cb cb;
	void *ctx;
	struct chunk_stream *streams;
	unsigned nstreams;
	uint32_t chunk_size;
	size_t buffered;
	uint8_t head[HEAD_MAX];		/* a header that came in pieces */
	size_t head_len;
	struct chunk_stream *current;	/* a chunk's payload is being read */
	size_t chunk_left;
	char error[160];
};

struct head {
	unsigned fmt;
	uint32_t csid, time, extended, stream_id;
	size_t size;			/* bytes */
	size_t len;
	uint8_t type;
	bool has_extended;
};

static int __attribute__((format(printf, 2, 3)))
fail(struct rtmp_chunk *r, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(r->error, sizeof(r->error), fmt, ap);
	va_end(ap);
	return -1;
}

struct rtmp_chunk *
rtmp_chunk_new(const struct rtmp_chunk_limits *l, rtmp_message_cb cb, void *ctx)
{
	struct rtmp_chunk *r = xcalloc(1, sizeof(*r));

	r->limits = l;
	r->cb = cb;
	r->ctx = ctx;
	r->chunk_size = 128;
	return r;
}

void
rtmp_chunk_free(struct rtmp_chunk **rp)
{
	struct rtmp_chunk *r = *rp;

	if (r == NULL)
		return;
	for (unsigned i = 0; i < r->nstreams; i++)
		free(r->streams[i].buf);
	free(r->streams);
	free(r);
	*rp = NULL;
}

const char *
rtmp_chunk_error(const struct rtmp_chunk *r)
{
	return r->error;
}

void
rtmp_chunk_set_size(struct rtmp_chunk *r, uint32_t size)
{
	r->chunk_size = size & 0x7fffffff ? size & 0x7fffffff : 1;
}

size_t
rtmp_chunk_buffered(const struct rtmp_chunk *r)
{
	return r->buffered;
}

static struct chunk_stream *
find(struct rtmp_chunk *r, uint32_t csid)
{
	for (unsigned i = 0; i < r->nstreams; i++)
		if (r->streams[i].csid == csid)
			return &r->streams[i];
	return NULL;
}

static void
forget(struct rtmp_chunk *r, struct chunk_stream *cs)
{
	r->buffered -= cs->size;
	free(cs->buf);
	cs->buf = NULL;
	cs->have = cs->size = 0;
	cs->open = false;
}

void
rtmp_chunk_abort(struct rtmp_chunk *r, uint32_t csid)
{
	struct chunk_stream *cs = find(r, csid);

	if (cs != NULL)
		forget(r, cs);
}

/*
 * Type 3 repeats the extended timestamp with most clients and not with some: the four
 * bytes count as one only if they are the value that was sent before. The first byte that
 * differs decides, so that the last bytes of a message never wait for the next one's.
 */
static int
repeats_extended(const struct chunk_stream *cs, const uint8_t *p, size_t n)
{
	for (unsigned i = 0; i < n && i < 4; i++)
		if (p[i] != (uint8_t)(cs->extended >> (24 - 8 * i)))
			return 0;
	return n < 4 ? -1 : 1;
}

static int
head_extended(struct rtmp_chunk *r, const uint8_t *p, size_t n, struct head *h)
{
	const struct chunk_stream *cs;
	int rc;

	if (h->fmt < 3) {
		if (h->time != EXTENDED)
			return 1;
		if (n < h->size + 4)
			return 0;
		h->extended = be_get(p + h->size, 4);
		h->has_extended = true;
		h->size += 4;
		return 1;
	}
	cs = find(r, h->csid);
	if (cs == NULL || !cs->has_extended)
		return 1;
	rc = repeats_extended(cs, p + h->size, n - h->size);
	h->size += rc == 1 ? 4 : 0;
	return rc >= 0;
}

/* 1: h is whole; 0: needs more bytes. */
static int
head_parse(struct rtmp_chunk *r, const uint8_t *p, size_t n, struct head *h)
{
	static const size_t fields[] = { 11, 7, 3, 0 };
	size_t basic;

	memset(h, 0, sizeof(*h));
	if (n < 1)
		return 0;
	h->fmt = p[0] >> 6;
	h->csid = p[0] & 63;
	basic = h->csid < 2 ? h->csid + 2 : 1;
	if (n < basic + fields[h->fmt])
		return 0;
	if (basic == 2)
		h->csid = 64U + p[1];
	else if (basic == 3)
		h->csid = 64U + p[1] + 256U * p[2];
	p += basic;
	h->size = basic + fields[h->fmt];
	if (h->fmt < 3)
		h->time = be_get(p, 3);
	if (h->fmt < 2) {
		h->len = be_get(p + 3, 3);
		h->type = p[6];
	}
	if (h->fmt == 0)
		h->stream_id = (uint32_t)p[7] | (uint32_t)p[8] << 8 | (uint32_t)p[9] << 16 | (uint32_t)p[10] << 24;
	return head_extended(r, p - basic, n, h);
}

static struct chunk_stream *
stream_get(struct rtmp_chunk *r, uint32_t csid)
{
	struct chunk_stream *cs = find(r, csid);

	if (cs != NULL)
		return cs;
	if (r->nstreams >= r->limits->max_streams) {
		fail(r, "chunk stream %u: more than rtmp.max_chunk_streams %u are open", csid, r->limits->max_streams);
		return NULL;
	}
	r->streams = xrealloc(r->streams, (r->nstreams + 1) * sizeof(*cs));
	cs = &r->streams[r->nstreams++];
	memset(cs, 0, sizeof(*cs));
	cs->csid = csid;
	return cs;
}

/*
 * The time of a message that begins here. A type 3 after a type 0 means, by Adobe, that
 * the type 0's timestamp is the delta; others mean "the same time". No two messages of one
 * chunk stream are ten seconds apart, so above that it can't be a delta.
 */
static void
new_message(struct chunk_stream *cs, const struct head *h)
{
	uint32_t time = h->has_extended ? h->extended : h->time;

	if (h->fmt < 3) {
		cs->has_extended = h->has_extended;
		cs->extended = h->extended;
	}
	if (h->fmt == 0) {
		cs->timestamp = time;
		cs->delta = time <= DELTA_OF_TYPE0_MAX_MS ? time : 0;
		cs->stream_id = h->stream_id;
	} else {
		if (h->fmt < 3)
			cs->delta = time;
		cs->timestamp += cs->delta;
	}
	if (h->fmt < 2) {
		cs->len = h->len;
		cs->type = h->type;
	}
	cs->open = true;
	cs->seen = true;
}

/* Size of a buffer with room for n bytes more. */
static size_t
grown(const struct chunk_stream *cs, size_t n)
{
	size_t size = cs->size;

	while (size < cs->have + n)
		size = size == 0 ? FIRST_BYTES : size * 2;
	return size < cs->len ? size : cs->len;
}

static int
chunk_begin(struct rtmp_chunk *r, const struct head *h)
{
	struct chunk_stream *cs = stream_get(r, h->csid);

	if (cs == NULL)
		return -1;
	if (h->fmt >= 2 && !cs->seen)
		return fail(r, "chunk stream %u: starts with a type %u header", h->csid, h->fmt);
	if (h->fmt < 3 && cs->open)
		forget(r, cs);		/* a new message begins: the old one will never end */
	if (!cs->open)
		new_message(cs, h);
	if (cs->len > r->limits->max_message)
		return fail(r, "chunk stream %u: message of %zu bytes exceeds %s %zu", cs->csid, cs->len,
		    r->limits->message_key, r->limits->max_message);
	r->current = cs;
	r->chunk_left = cs->len - cs->have < r->chunk_size ? cs->len - cs->have : r->chunk_size;
	/* also what may need no buffer, so that it does not depend on how the bytes come */
	if (r->buffered - cs->size + grown(cs, r->chunk_left) > r->limits->max_buffered)
		return fail(r, "chunk stream %u: unfinished messages exceed %s %zu", cs->csid,
		    r->limits->buffered_key, r->limits->max_buffered);
	return 0;
}

static int
deliver(struct rtmp_chunk *r, struct chunk_stream *cs, const uint8_t *body)
{
	struct rtmp_message m = { .type = cs->type, .csid = cs->csid, .stream_id = cs->stream_id,
	    .timestamp = cs->timestamp, .body = body, .len = cs->len };
	uint8_t *buf = cs->buf;
	int rc;

	/* the callback may abort this very stream: let go of it first */
	cs->buf = NULL;
	forget(r, cs);
	r->current = NULL;
	rc = r->cb(r->ctx, &m);
	free(buf);
	return rc;
}

static void
gather(struct rtmp_chunk *r, struct chunk_stream *cs, const uint8_t *in, size_t n)
{
	size_t size = grown(cs, n);

	if (size != cs->size)
		cs->buf = xrealloc(cs->buf, size);
	r->buffered += size - cs->size;
	cs->size = size;
	memcpy(cs->buf + cs->have, in, n);
	cs->have += n;
}

/* Payload of the current chunk; bytes taken, or -1. */
static ssize_t
payload(struct rtmp_chunk *r, const uint8_t *in, size_t len)
{
	struct chunk_stream *cs = r->current;
	size_t n = len < r->chunk_left ? len : r->chunk_left;

	if (cs->have == 0 && n == cs->len)
		return deliver(r, cs, in) < 0 ? -1 : (ssize_t)n;
	gather(r, cs, in, n);
	r->chunk_left -= n;
	if (cs->have == cs->len && deliver(r, cs, cs->buf) < 0)
		return -1;
	if (r->chunk_left == 0)
		r->current = NULL;
	return (ssize_t)n;
}

/* Header bytes; taken, or -1. Completes r->head from `in` when it came in pieces. */
static ssize_t
header(struct rtmp_chunk *r, const uint8_t *in, size_t len)
{
	uint8_t rest[HEAD_MAX];
	struct head h;
	size_t old = r->head_len, n;

	if (old == 0 && head_parse(r, in, len, &h)) {
		if (chunk_begin(r, &h) < 0)
			return -1;
		return (ssize_t)h.size;
	}
	n = len < HEAD_MAX - old ? len : HEAD_MAX - old;
	memcpy(r->head + old, in, n);
	if (!head_parse(r, r->head, old + n, &h)) {
		r->head_len = old + n;
		return (ssize_t)n;
	}
	r->head_len = 0;
	if (chunk_begin(r, &h) < 0)
		return -1;
	if (h.size >= old)
		return (ssize_t)(h.size - old);
	/* bytes kept for an extended timestamp turned out to be payload */
	n = old - h.size;
	memcpy(rest, r->head + h.size, n);
	if (rtmp_chunk_input(r, rest, n) < 0)
		return -1;
	return 0;
}

int
rtmp_chunk_input(struct rtmp_chunk *r, const uint8_t *in, size_t len)
{
	ssize_t n;

	while (len > 0 || (r->current != NULL && r->chunk_left == 0)) {
		n = r->current != NULL ? payload(r, in, len) : header(r, in, len);
		if (n < 0)
			return -1;
		in += n;
		len -= (size_t)n;
	}
	return 0;
}
