/*
 * frames_proto.h - what a frames client says: JSON messages (a JPEG or PCM each, in base64), and the
 * binary form of the same, taken apart and checked. No sockets, no files: messages in, calls out.
 *
 *   {"eventType":"CONNECT", "id", "mux", "live"}
 *   {"eventType":"STREAM", "mediaSourceType":"VIDEO"|"AUDIO", "encodedMediaChunk": base64, "timestamp"}
 *   {"eventType":"REQUEST_AUDIO_STREAM_PLAYBACK", "file"}          {"eventType":"CLOSE"}
 *   binary: 'V' or 'A', the timestamp as a big-endian double (NaN: none), then the JPEG or the PCM
 *
 * PCM is s16le of 44.1 kHz, mono. timestamp: ms on the client's own clock, any origin. id, mux, live, timestamp
 * and file may be left out. A message that is wrong is answered with
 *   {"eventType":"ERROR", "field", "error", "message": its number, from 1}
 * and has no other effect.
 */
#ifndef MILLRACE_FRAMES_PROTO_H
#define MILLRACE_FRAMES_PROTO_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct frames_connect {
	const char *id;		/* as it came; NULL: none */
	size_t id_len;
	bool mux, live;
	bool extended;		/* it names more than its id: it knows of answers that the first version had not */
};

struct frames_media {
	const uint8_t *data;
	size_t len;
	bool timed;
	double time_ms;		/* if timed */
	int width, height;	/* of a JPEG */
};

struct frames_ops {
	void (*connect)(void *ctx, const struct frames_connect *c);
	void (*video)(void *ctx, const struct frames_media *m);
	void (*audio)(void *ctx, const struct frames_media *m);
	void (*play)(void *ctx, const char *file, size_t len);	/* NULL: which one is not said */
	void (*close)(void *ctx);
	/* To the client. */
	void (*say)(void *ctx, const char *text, size_t len);
};

struct frames_proto {
	const struct frames_ops *ops;
	void *ctx;
	int64_t max_pixels;
	uint64_t messages;		/* until now */
	uint64_t errors, unsaid;	/* unsaid: since the last that was said */
	int64_t credit, credit_ms;	/* of errors that may be said */
	const char *chunk;		/* encodedMediaChunk of the message being taken, NULL: it is in the JSON */
	size_t chunk_len;
	uint8_t *buf;			/* of decoded base64 */
	size_t size;
};

void frames_proto_init(struct frames_proto *p, const struct frames_ops *ops, void *ctx, int64_t max_pixels);
void frames_proto_free(struct frames_proto *p);
/* One whole message of the WebSocket. */
void frames_proto_message(struct frames_proto *p, const void *data, size_t len, bool binary, int64_t now);
/* ERROR to the client, a few a second at most. field: what is wrong in its message, "" if nothing in particular. */
void frames_proto_error(struct frames_proto *p, const char *field, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/* {"eventType": TYPE, ...}; body is stolen, NULL: nothing more. */
void frames_proto_say(struct frames_proto *p, const char *type, json_t *body);
#endif
