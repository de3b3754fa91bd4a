/*
 * rtmp_chunk.h - RTMP chunk streams (Adobe RTMP 1.0, 5.3): bytes in, whole messages out;
 * and the writer of our replies. No socket; memory is bounded by what was received.
 */
#ifndef MILLRACE_RTMP_CHUNK_H
#define MILLRACE_RTMP_CHUNK_H

#include <stddef.h>
#include <stdint.h>

struct evbuffer;
struct rtmp_chunk;

struct rtmp_message {
	uint8_t type;
	uint32_t csid, stream_id, timestamp;	/* ms, 32 bits, wraps */
	const uint8_t *body;			/* borrowed until the callback returns */
	size_t len;
};

struct rtmp_chunk_limits {
	size_t max_message, max_buffered;	/* one message; the sum of unfinished ones */
	unsigned max_streams;
	const char *message_key, *buffered_key;	/* the config's names of the first two, for errors */
};

/* 0, or -1: stop reading (the connection is to be closed). */
typedef int (*rtmp_message_cb)(void *ctx, const struct rtmp_message *m);

/* The limits stay the caller's, who may change them. */
struct rtmp_chunk *rtmp_chunk_new(const struct rtmp_chunk_limits *l, rtmp_message_cb cb, void *ctx);
void rtmp_chunk_free(struct rtmp_chunk **r);
/* Takes all bytes; 0, or -1 with rtmp_chunk_error() saying what and where. */
int rtmp_chunk_input(struct rtmp_chunk *r, const uint8_t *in, size_t len);
const char *rtmp_chunk_error(const struct rtmp_chunk *r);
/* The peer's SetChunkSize; any value from 1 up. Applies to the next chunk. */
void rtmp_chunk_set_size(struct rtmp_chunk *r, uint32_t size);
/* The peer's Abort: forget the unfinished message of a chunk stream. */
void rtmp_chunk_abort(struct rtmp_chunk *r, uint32_t csid);
size_t rtmp_chunk_buffered(const struct rtmp_chunk *r);

/* Appends one message (fmt 0, csid 2-63, then fmt 3) cut into chunks of chunk_size. */
void rtmp_chunk_write(struct evbuffer *out, uint32_t chunk_size, uint32_t csid, uint8_t type,
    uint32_t stream_id, uint32_t timestamp, const void *body, size_t len);
#endif
