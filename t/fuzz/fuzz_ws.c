/*
 * WebSocket frames and the containers in them: a connection's bytes, whole and in pieces, give the
 * same messages and the same end; every byte of a container passes, once and in order; FLV gives
 * the same tags. The first byte says how.
 */
#include <event2/buffer.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "flv_read.h"
#include "ingest/container.h"
#include "ws.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uint64_t
mix(uint64_t hash, const void *p, size_t n)
{
	const uint8_t *b = p;

	for (size_t i = 0; i < n; i++)
		hash = (hash ^ b[i]) * 0x100000001b3;
	return hash;
}

static void
on_message(void *ctx, bool text, const uint8_t *p, size_t n)
{
	uint64_t *hash = ctx;

	if (p[n] != 0)
		abort();
	*hash = mix(mix(*hash, &text, 1), p, n);
}

static void
on_piece(void *ctx, const uint8_t *p, size_t n, bool last)
{
	uint64_t *hash = ctx;

	*hash = mix(*hash, p, n);
	if (last)
		*hash = mix(*hash, "|", 1);
}

/* How a Close is split decides what of its reason wslay looks at, so it is not compared; nothing follows it. */
static void
on_closed(void *ctx, unsigned code, const char *reason)
{
	if (code < 1000 || code > 4999 || strlen(reason) > 123)
		abort();
}

static uint64_t
run_ws(const uint8_t *p, size_t n, size_t step, bool pieces)
{
	const struct ws_ops ops = { .message = on_message, .piece = pieces ? on_piece : NULL, .closed = on_closed };
	struct evbuffer *out = evbuffer_new();
	uint64_t hash = 0xcbf29ce484222325;
	struct ws *w = ws_new(1000, &ops, &hash, out);
	size_t had;
	int rc = 0;

	for (size_t at = 0; at < n && rc == 0; at += step)
		rc = ws_input(w, p + at, n - at < step ? n - at : step);
	had = evbuffer_get_length(out);
	ws_text(w, "x", 1);
	if ((rc < 0) != (evbuffer_get_length(out) == had))	/* nothing after a Close */
		abort();
	ws_free(&w);
	evbuffer_free(out);
	return hash;
}

struct passed { const uint8_t *p; size_t n, at; uint64_t hash; };

static void
on_bytes(void *ctx, enum container_what what, const uint8_t *p, size_t n)
{
	struct passed *s = ctx;

	if (n > s->n - s->at || memcmp(s->p + s->at, p, n) != 0)
		abort();
	if (what == CONTAINER_POINT || what == CONTAINER_NEW)
		s->hash = mix(mix(s->hash, &s->at, sizeof(s->at)), &what, sizeof(what));
	s->at += n;
}

static uint64_t
run_container(const uint8_t *p, size_t n, size_t step, enum container_kind kind)
{
	struct passed s = { .p = p, .n = n };
	struct container c;

	container_begin(&c, kind, on_bytes, &s);
	for (size_t at = 0; at < n; at += step)
		container_feed(&c, p + at, n - at < step ? n - at : step);
	container_end(&c);
	if (s.at != n)
		abort();
	return mix(s.hash, (bool[]){ c.h264, c.aac, c.lost, c.begun }, 4 * sizeof(bool));
}

static void
on_media(void *ctx, enum flv_type type, uint32_t ts, const uint8_t *body, size_t n)
{
	uint64_t *hash = ctx;

	*hash = mix(mix(mix(*hash, &type, sizeof(type)), &ts, sizeof(ts)), body, n);
}

static void
on_script(void *ctx, const uint8_t *body, size_t n)
{
	uint64_t *hash = ctx;

	*hash = mix(mix(*hash, &n, sizeof(n)), body, n);
}

static uint64_t
run_flv(const uint8_t *p, size_t n, size_t step)
{
	static const struct flv_read_ops ops = { on_media, on_script };
	uint64_t hash = 0;
	struct flv_read r;
	int rc = 0;

	flv_read_init(&r, 4096, &ops, &hash);
	for (size_t at = 0; at < n && rc == 0; at += step)
		rc = flv_read_feed(&r, p + at, n - at < step ? n - at : step);
	if ((rc < 0) != (r.error != NULL))
		abort();
	flv_read_free(&r);
	return mix(hash, &rc, sizeof(rc));
}

static uint64_t
run(const uint8_t *p, size_t n, size_t step, unsigned how)
{
	if (how < 2)
		return run_ws(p, n, step, how == 1);
	if (how == 2)
		return run_flv(p, n, step);
	return run_container(p, n, step, how == 3 ? CONTAINER_MATROSKA : how == 4 ? CONTAINER_MP4 : how == 5 ?
	    CONTAINER_MPEGTS : container_sniff(p, n, true));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	unsigned how = size > 0 ? data[0] % 7 : 0;

	if (size < 2 || size > 1 << 15)
		return 0;
	if (run(data + 1, size - 1, size, how) != run(data + 1, size - 1, 1 + data[0] / 7 % 8, how))
		abort();
	return 0;
}
