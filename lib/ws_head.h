/*
 * ws_head.h - the head of a WebSocket (RFC 6455 section 4.2): what has to be checked, and the two
 * answers. Also the plain HTTP answers of who took a connection over. Pure.
 */
#ifndef MILLRACE_WS_HEAD_H
#define MILLRACE_WS_HEAD_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "request.h"

struct evbuffer;

/* Does it ask for a WebSocket: "Upgrade: websocket", named by Connection? */
bool ws_head_wants(const struct request *r);
/*
 * 0: answer with ws_head_accept(). Else the HTTP status that refuses it, and *why. origins: a list as
 * ws.origins has it, "*" for any; no Origin at all (no browser) and the page's own host always may.
 */
int ws_head_check(const struct request *r, const json_t *origins, const char **why);
/* What origins it may have. */
bool ws_head_origin_ok(const struct request *r, const json_t *origins);
/* Who speaks, for people: "Chrome/156.0.0.0" of a browser's long User-Agent, else as that begins; "" without. */
void ws_head_agent(const struct request *r, char *buf, size_t size);
void ws_head_accept(const struct request *r, struct evbuffer *out);	/* 101 */
/* A whole answer with this text, and Connection: close. fields: complete lines, or NULL. */
void ws_head_refuse(struct evbuffer *out, int status, const char *fields, const char *text);

/*
 * Reads the head of a connection that came with all its bytes (HANDOFF): bytes of the head, what
 * follows belongs to what it asks for; -1: this is none. request_free() either way.
 */
int ws_head_read(struct request *r, const uint8_t *raw, size_t len);
#endif
