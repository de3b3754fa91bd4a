/*
 * ws.h - one WebSocket (RFC 6455), the server's side, after its head: bytes in, messages out,
 * replies into an evbuffer. No sockets, no clock. ws_head.h has the head and the 101.
 *
 * wslay reads the frames (and is used in ws.c only): masking, reserved bits, fragments, control
 * frames in between, UTF-8. Pings are answered and the closing handshake is carried out here. What
 * is wrong is answered with the Close that RFC 6455 section 7.4.1 has for it, once; then it is over.
 * Extensions are not offered: no compression.
 */
#ifndef MILLRACE_WS_H
#define MILLRACE_WS_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct evbuffer;
struct ws;

/* Status codes of a Close (RFC 6455 7.4.1 and IANA's registry). */
enum ws_code {
	WS_NORMAL = 1000, WS_GOING_AWAY = 1001, WS_PROTOCOL = 1002, WS_UNSUPPORTED = 1003, WS_NO_CODE = 1005,
	WS_BAD_DATA = 1007, WS_POLICY = 1008, WS_TOO_BIG = 1009, WS_INTERNAL = 1011, WS_RESTART = 1012,
	WS_TRY_LATER = 1013,
};

struct ws_ops {
	/* A whole message of at most max_message bytes. Text is valid UTF-8 and ends with a NUL behind len. */
	void (*message)(void *ctx, bool text, const uint8_t *p, size_t len);
	/*
	 * If set: binary messages come here instead, in pieces as they arrive, of any length in all and
	 * never kept; last: the message's end (len may be 0).
	 */
	void (*piece)(void *ctx, const uint8_t *p, size_t len, bool last);
	/*
	 * If set: a message that would be longer than max_message, of this length or more. true: it is passed
	 * over, and the next one is taken again; else (or if not set) it ends the connection.
	 */
	bool (*too_big)(void *ctx, bool text, uint64_t len);
	/* The peer closed: its code (WS_NO_CODE: none) and reason, valid UTF-8. It was answered. May be NULL. */
	void (*closed)(void *ctx, unsigned code, const char *reason);
	/* The answer is held back: who hears closed() gives it by ws_close(), at once or when it is true. */
	bool hold_close;
};

/* out: where replies go, the caller's. Callbacks may call ws_close() and ws_text(), not ws_free(). */
struct ws *ws_new(size_t max_message, const struct ws_ops *ops, void *ctx, struct evbuffer *out);
void ws_free(struct ws **w);
/* Takes all bytes. 0, or -1: it is over, a Close is in out; close the connection after it was sent. */
int ws_input(struct ws *w, const uint8_t *in, size_t len);
const char *ws_error(const struct ws *w);	/* what was wrong, "" if nothing */

/* To the peer; nothing after a Close. */
void ws_text(struct ws *w, const char *text, size_t len);
void ws_json(struct ws *w, json_t *body);	/* stolen */
void ws_ping(struct ws *w);
/* Once: further calls do nothing. reason: at most 123 bytes are sent. ws_input() gives -1 from now on. */
void ws_close(struct ws *w, unsigned code, const char *reason);
bool ws_is_held(const struct ws *w);	/* the peer closed, and waits for the answer */
#endif
