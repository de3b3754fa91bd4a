/*
 * whip_http.h - the POST that begins a WHIP session (RFC 9725 4.2), and its answers. The request comes
 * with the connection, from http; the answer is the last thing that is said on it.
 */
#ifndef MILLRACE_WHIP_HTTP_H
#define MILLRACE_WHIP_HTTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "request.h"
#include "stream_name.h"
#include "svc.h"

struct evbuffer;

struct whip_http {
	struct request req;
	const struct svc *svc;		/* its configuration */
	char name[STREAM_NAME_MAX + 1];
	char *query;			/* as CLAIM has it: Bearer KEY is key=KEY; else the URL's own */
	bool credentials;		/* it said something that could let it in */
};

void whip_http_init(struct whip_http *h, const struct svc *svc);
void whip_http_free(struct whip_http *h);
/*
 * 0: there is more to come; 201: it is whole, name, query and request_body(&h->req) are there; else
 * the status that refuses it, and *why, a sentence. It is to be fed no more then.
 */
int whip_http_feed(struct whip_http *h, struct evbuffer *out, const uint8_t *in, size_t n, const char **why);
/* code: REFUSE's, "place" or "media". */
int whip_http_status(const struct whip_http *h, const char *code);
void whip_http_refuse(const struct whip_http *h, struct evbuffer *out, int status, const char *text);
/* 201. sdp: the answer; etag without quotes. */
void whip_http_created(const struct whip_http *h, struct evbuffer *out, const char *id, const char *etag,
    const char *sdp);
#endif
