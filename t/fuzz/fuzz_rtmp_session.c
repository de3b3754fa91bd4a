/*
 * A publisher's session: any bytes behind (or instead of) a handshake, whole and in pieces,
 * with the claim granted, refused or left open; the same events in the same order both
 * times, media only while live, the end said once.
 */
#include <event2/buffer.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "ingest/rtmp_session.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define HANDSHAKE_BYTES 3073

enum answer { GRANT, REFUSE, NONE };

struct run { struct rtmp_session *s; enum answer answer; uint64_t hash; unsigned ended; bool live; };

static void
mix(struct run *r, const void *p, size_t n)
{
	const uint8_t *b = p;

	for (size_t i = 0; i < n; i++)
		r->hash = (r->hash ^ b[i]) * 0x100000001b3;
}

static void
on_publish(void *ctx, const struct rtmp_publish *p)
{
	struct run *r = ctx;
	const char *const texts[] = { p->tc_url, p->path, p->app, p->name, p->query };

	for (unsigned i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		mix(r, texts[i], strlen(texts[i]) + 1);
	if (p->path[0] != '/' || strchr(p->path, '?') != NULL || strchr(p->name, '?') != NULL)
		abort();
	r->live = r->answer == GRANT;
	if (r->live)
		rtmp_session_accept(r->s);
	else if (r->answer == REFUSE)
		rtmp_session_refuse(r->s, "NetStream.Publish.BadName", "no");
}

static void
on_media(void *ctx, enum flv_type type, uint32_t ts, const uint8_t *body, size_t len)
{
	struct run *r = ctx;

	if (!r->live || (type != FLV_AUDIO && type != FLV_VIDEO) || len == 0)
		abort();
	mix(r, &type, sizeof(type));
	mix(r, &ts, sizeof(ts));
	mix(r, body, len);
}

static void
on_metadata(void *ctx, json_t *data)
{
	char *text = json_dumps(data, JSON_COMPACT | JSON_SORT_KEYS);

	if (text == NULL)
		abort();
	mix(ctx, text, strlen(text));
	free(text);
}

static void
on_ended(void *ctx, const char *how)
{
	struct run *r = ctx;

	mix(r, how, strlen(how));
	r->live = false;	/* no media after that */
	if (++r->ended > 1)
		abort();
}

static void
on_play(void *ctx, const char *name, char *buf, size_t size)
{
	mix(ctx, name, strlen(name));
	memset(buf, 'x', size - 1);
	buf[size - 1] = '\0';
}

static const struct rtmp_ops ops = { on_publish, on_media, on_metadata, on_ended, on_play };

static int
feed(struct run *r, struct evbuffer *out, const uint8_t *data, size_t size, size_t piece)
{
	int rc = 0;

	for (size_t at = 0, n; at < size && rc == 0; at += n) {
		n = size - at < piece ? size - at : piece;
		rc = rtmp_session_input(r->s, data + at, n);
		evbuffer_drain(out, evbuffer_get_length(out));
	}
	return rc;
}

static uint64_t
run(const uint8_t *data, size_t size, size_t piece, uint8_t how)
{
	static const struct rtmp_limits limits = { .max_message = 1 << 18, .max_buffered = 1 << 19,
		.max_metadata = 4096, .max_chunk_streams = 16, .chunk_size = 4096, .ack_window = 2500000, .max_unpublished = 65536 };
	static const uint8_t handshake[HANDSHAKE_BYTES] = { 3 };
	struct evbuffer *out = evbuffer_new();
	struct run r = { .answer = how % 3, .hash = 0xcbf29ce484222325 };
	int rc = 0;

	r.s = rtmp_session_new(&limits, &ops, &r, out);
	if (how & 128)
		rc = feed(&r, out, handshake, sizeof(handshake), sizeof(handshake));
	if (rc == 0)
		rc = feed(&r, out, data, size, piece);
	mix(&r, &rc, sizeof(rc));
	mix(&r, rtmp_session_error(r.s), strlen(rtmp_session_error(r.s)));
	rtmp_session_ping(r.s, 1);
	rtmp_session_unpublish(r.s, "end");
	rtmp_session_free(&r.s);
	evbuffer_free(out);
	return r.hash;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size < 3 || size > 1 << 16)
		return 0;
	if (run(data + 2, size - 2, size, data[0]) != run(data + 2, size - 2, 1 + data[1] % 40, data[0]))
		abort();
	return 0;
}
