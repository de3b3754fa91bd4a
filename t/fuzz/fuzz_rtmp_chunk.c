/*
 * Chunk streams: any bytes, whole and in pieces, give the same messages and the same end,
 * and never hold more than rtmp.max_buffered. SetChunkSize and Abort act as in a session.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "ingest/rtmp_chunk.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct rtmp_chunk_limits limits = { 1 << 18, 1 << 19, 16, "rtmp.max_message", "rtmp.max_buffered" };

struct sum { struct rtmp_chunk *r; uint64_t hash; unsigned messages; };

static void
mix(struct sum *s, const void *p, size_t n)
{
	const uint8_t *b = p;

	for (size_t i = 0; i < n; i++)
		s->hash = (s->hash ^ b[i]) * 0x100000001b3;
}

static int
on_message(void *ctx, const struct rtmp_message *m)
{
	struct sum *s = ctx;
	uint32_t facts[] = { m->type, m->csid, m->stream_id, m->timestamp, (uint32_t)m->len }, v = 0;

	mix(s, facts, sizeof(facts));
	mix(s, m->body, m->len);
	for (unsigned i = 0; m->len >= 4 && i < 4; i++)
		v = v << 8 | m->body[i];
	if (m->len >= 4 && m->type == 1)
		rtmp_chunk_set_size(s->r, v);
	if (m->len >= 4 && m->type == 2)
		rtmp_chunk_abort(s->r, v);
	return ++s->messages > 5000 ? -1 : 0;
}

static int
run(const uint8_t *data, size_t size, size_t piece, struct sum *s)
{
	int rc = 0;

	*s = (struct sum){ .r = rtmp_chunk_new(&limits, on_message, s), .hash = 0xcbf29ce484222325 };
	for (size_t at = 0, n; at < size && rc == 0; at += n) {
		uint8_t *exact;

		n = size - at < piece ? size - at : piece;
		exact = malloc(n);
		memcpy(exact, data + at, n);
		rc = rtmp_chunk_input(s->r, exact, n);
		free(exact);
		if (rtmp_chunk_buffered(s->r) > limits.max_buffered)
			abort();
	}
	if (rc < 0 && s->messages <= 5000)
		mix(s, rtmp_chunk_error(s->r), strlen(rtmp_chunk_error(s->r)));
	rtmp_chunk_free(&s->r);
	return rc;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct sum whole, parts;
	int rc;

	if (size < 2 || size > 1 << 16)
		return 0;
	rc = run(data + 1, size - 1, size, &whole);
	if (run(data + 1, size - 1, 1 + data[0] % 24, &parts) != rc || whole.hash != parts.hash)
		abort();
	return 0;
}
