/*
 * request.h - one HTTP/1.x request from bytes: (parser, bytes in) -> (consumed, request).
 * No sockets, no files, no clock. The http worker's conn_io.c feeds it, and who takes a connection
 * over from it (ws_head.h); the unit test feeds it byte by byte.
 *
 * What is kept: method, version, path, query and the few headers of enum request_field,
 * copied into one buffer of at most max_header bytes; and the body of a POST or PATCH. Other bodies
 * are counted and dropped, unless request_take_body() was called.
 */
#ifndef MILLRACE_REQUEST_H
#define MILLRACE_REQUEST_H

#include <http_parser.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum request_state { REQUEST_MORE, REQUEST_DONE, REQUEST_BAD, REQUEST_HEAD };

enum request_field { FIELD_NONE, FIELD_ACCEPT, FIELD_AUTHORIZATION, FIELD_CONNECTION, FIELD_CONTENT_TYPE,
	FIELD_COOKIE, FIELD_EXPECT, FIELD_FORWARDED, FIELD_HOST, FIELD_IF_MATCH, FIELD_IF_MODIFIED_SINCE,
	FIELD_IF_NONE_MATCH, FIELD_IF_RANGE, FIELD_ORIGIN, FIELD_RANGE, FIELD_SEC_WEBSOCKET_KEY,
	FIELD_SEC_WEBSOCKET_VERSION, FIELD_TUS_RESUMABLE, FIELD_UPLOAD_CHECKSUM, FIELD_UPLOAD_DEFER_LENGTH,
	FIELD_UPLOAD_LENGTH,
	FIELD_UPLOAD_METADATA, FIELD_UPLOAD_OFFSET, FIELD_X_HTTP_METHOD_OVERRIDE, FIELD_CONTENT_LENGTH,
	FIELD_TRANSFER_ENCODING, FIELD_UPGRADE, FIELD_USER_AGENT, FIELD_VIA,
	FIELD_X_FORWARDED_FOR, FIELD_X_REAL_IP, FIELD_COUNT };

#define REQUEST_NAME_MAX 32	/* longest header name of interest, with NUL */

struct request {
	struct http_parser parser;
	enum request_state state;
	int status;		/* REQUEST_BAD: the answer's status */
	const char *why;	/* REQUEST_BAD: the answer's text */
	bool keep_alive;	/* REQUEST_DONE */
	bool want_continue;	/* "Expect: 100-continue" stands unanswered; the caller clears it */
	size_t max_header, max_body;
	size_t head_bytes, body_bytes;
	bool head_done;
	char *text;		/* NUL-terminated strings, offsets below; byte 0 is unused */
	size_t used, cap;
	char *kept;		/* of a POST or PATCH: see request_body() */
	size_t url;		/* offset of the request target, 0 = absent */
	size_t query;		/* offset behind its '?', 0 = none */
	size_t field[FIELD_COUNT];
	char name[REQUEST_NAME_MAX];
	size_t name_len, value;	/* header being read; value 0 = none open */
	enum request_field current;
	bool in_url;
	/* At the head's end: true leaves it at REQUEST_HEAD, with the body unread. May be NULL. */
	bool (*at_head)(struct request *r);
	void (*body)(void *ctx, const uint8_t *p, size_t n);	/* request_take_body() */
	void *body_ctx;
};

void request_init(struct request *r, size_t max_header, size_t max_body);
/* Ready for the next request of the same connection. */
void request_reset(struct request *r);
void request_free(struct request *r);

/*
 * Takes bytes until the request is complete or wrong; returns how many were used. State
 * REQUEST_DONE leaves the rest (the next, pipelined request) to the caller, REQUEST_HEAD what
 * follows the head; REQUEST_BAD takes no more.
 */
size_t request_feed(struct request *r, const void *in, size_t len);
/*
 * At REQUEST_HEAD: its body, of any length, chunked or not, goes to body() as it is fed from now
 * on. The state is REQUEST_MORE then, or REQUEST_DONE if there is none.
 */
void request_take_body(struct request *r, void (*body)(void *ctx, const uint8_t *p, size_t n), void *ctx);

unsigned request_method(const struct request *r);	/* enum http_method */
bool request_http10(const struct request *r);
/* The target up to '?', still percent-encoded: "/stream/a/live.m3u8", or "*". */
const char *request_path(const struct request *r);
const char *request_query(const struct request *r);	/* "" if none */
const char *request_field(const struct request *r, enum request_field f); /* NULL if absent */
const char *request_body(const struct request *r);	/* body_bytes of a POST or PATCH; never NULL */
/* Value of a query parameter, percent-decoded: 0; -1 if absent, too long or not decodable. */
int request_param(const struct request *r, const char *key, char *out, size_t size);
/* Percent-decoding of len bytes: 0; -1 for a bad escape, a NUL, or more than fits. */
int request_decode(const char *in, size_t len, char *out, size_t size);
#endif
