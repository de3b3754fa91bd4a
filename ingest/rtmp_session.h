/*
 * rtmp_session.h - one RTMP publisher as a state machine without a socket: bytes in,
 * events out, replies into an evbuffer. ingest/session.c owns the socket and the order.
 *
 * Sources: Adobe RTMP 1.0 (chunks 5.3, commands 7), AMF0, Enhanced RTMP v2.
 */
#ifndef MILLRACE_RTMP_SESSION_H
#define MILLRACE_RTMP_SESSION_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "flv.h"

struct evbuffer;
struct rtmp_session;

struct rtmp_limits {
	size_t max_message, max_buffered, max_metadata;
	size_t max_unpublished;			/* of both before publish is accepted */
	unsigned max_chunk_streams;
	uint32_t chunk_size, ack_window;	/* what we announce */
};

void rtmp_limits_read(struct rtmp_limits *l, const json_t *conf);

/* What a publisher asked for; strings live until the callback returns. */
struct rtmp_publish {
	const char *tc_url;	/* as sent */
	const char *path;	/* path of the tcUrl (or "/" + app if it has none), no query, "/live" */
	const char *app;	/* connect's app */
	const char *name;	/* publishing name without its query */
	const char *query;	/* of the publishing name, else of the tcUrl; "" if none */
};

struct rtmp_ops {
	/* Answer now or later by rtmp_session_accept() or _refuse(). Media before that is the client's error. */
	void (*publish)(void *ctx, const struct rtmp_publish *p);
	/* A whole message of type 8 or 9. ts is the 32-bit RTMP timestamp in ms. body is borrowed. */
	void (*media)(void *ctx, enum flv_type type, uint32_t ts, const uint8_t *body, size_t len);
	/* onMetaData as a flat object of numbers, bools and strings (bounded by max_metadata); borrowed. */
	void (*metadata)(void *ctx, json_t *data);
	/* The publisher says it is done (FCUnpublish, deleteStream, closeStream). */
	void (*ended)(void *ctx, const char *how);
	/* A player: text for the refusal, e.g. "play http://host:8080/watch/x by HLS"; written to buf. */
	void (*play)(void *ctx, const char *name, char *buf, size_t size);
};

struct rtmp_session *rtmp_session_new(const struct rtmp_limits *l, const struct rtmp_ops *ops,
    void *ctx, struct evbuffer *out);
void rtmp_session_free(struct rtmp_session **s);
/* Takes all bytes. 0, or -1: the connection must be closed after `out` was flushed; see error. */
int rtmp_session_input(struct rtmp_session *s, const uint8_t *in, size_t len);
const char *rtmp_session_error(const struct rtmp_session *s);	/* what was wrong, where ("" if nothing) */
void rtmp_session_accept(struct rtmp_session *s);	/* NetStream.Publish.Start */
/* code e.g. "NetStream.Publish.BadName"; description is shown by OBS and ffmpeg. */
void rtmp_session_refuse(struct rtmp_session *s, const char *code, const char *description);
void rtmp_session_unpublish(struct rtmp_session *s, const char *description);	/* server ends it */
void rtmp_session_ping(struct rtmp_session *s, uint32_t ts);
#endif
