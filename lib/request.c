/*
 * request.c - http-parser's callbacks turned into a struct request.
 * Bounds come first: the head may take max_header bytes on the wire (so the copies here can never
 * be larger), the body max_body. What http-parser lets through but must not be served is refused
 * here: HTTP/0.9 and 2.0, two or no Host fields; trailers are dropped. No sockets, and it knows no
 * routes.
 */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "request.h"
#include "util.h"

static const char *const field_names[FIELD_COUNT] = {
	[FIELD_ACCEPT] = "accept", [FIELD_AUTHORIZATION] = "authorization", [FIELD_CONNECTION] = "connection",
	[FIELD_CONTENT_TYPE] = "content-type", [FIELD_COOKIE] = "cookie", [FIELD_EXPECT] = "expect",
	[FIELD_FORWARDED] = "forwarded", [FIELD_HOST] = "host",
	[FIELD_IF_MATCH] = "if-match",
	[FIELD_IF_MODIFIED_SINCE] = "if-modified-since", [FIELD_IF_NONE_MATCH] = "if-none-match",
	[FIELD_IF_RANGE] = "if-range", [FIELD_ORIGIN] = "origin", [FIELD_RANGE] = "range",
	[FIELD_SEC_WEBSOCKET_KEY] = "sec-websocket-key", [FIELD_SEC_WEBSOCKET_VERSION] = "sec-websocket-version",
	[FIELD_TUS_RESUMABLE] = "tus-resumable", [FIELD_UPLOAD_CHECKSUM] = "upload-checksum",
	[FIELD_UPLOAD_DEFER_LENGTH] = "upload-defer-length", [FIELD_UPLOAD_LENGTH] = "upload-length",
	[FIELD_UPLOAD_METADATA] = "upload-metadata", [FIELD_UPLOAD_OFFSET] = "upload-offset",
	[FIELD_X_HTTP_METHOD_OVERRIDE] = "x-http-method-override", [FIELD_CONTENT_LENGTH] = "content-length",
	[FIELD_TRANSFER_ENCODING] = "transfer-encoding",
	[FIELD_UPGRADE] = "upgrade", [FIELD_USER_AGENT] = "user-agent", [FIELD_VIA] = "via",
	[FIELD_X_FORWARDED_FOR] = "x-forwarded-for",
	[FIELD_X_REAL_IP] = "x-real-ip",
};

static int
refuse(struct request *r, int status, const char *why)
{
	if (r->state != REQUEST_BAD) {
		r->state = REQUEST_BAD;
		r->status = status;
		r->why = why;
	}
	return -1;
}

/* The copies of a head are bounded by the head's own bound plus a NUL for each value. */
static int
text_add(struct request *r, const char *at, size_t len)
{
	size_t need = r->used + len;

	if (need > 2 * r->max_header)
		return refuse(r, 431, "request header too large");
	if (need > r->cap) {
		r->cap = need < 512 ? 512 : need * 2;
		r->text = xrealloc(r->text, r->cap);
	}
	memcpy(r->text + r->used, at, len);
	r->used += len;
	return 0;
}

static enum request_field
field_find(const char *name, size_t len)
{
	for (int f = 1; f < FIELD_COUNT; f++)
		if (strlen(field_names[f]) == len && strncasecmp(field_names[f], name, len) == 0)
			return f;
	return FIELD_NONE;
}

/* Ends the value being read: spaces off its end, a NUL behind it. */
static int
value_end(struct request *r)
{
	size_t start = r->value;

	if (!start)
		return 0;
	r->value = 0;
	while (r->used > start && (r->text[r->used - 1] == ' ' || r->text[r->used - 1] == '\t'))
		r->used--;
	r->field[r->current] = start;
	return text_add(r, "", 1);
}

/* A repeated field is one list (RFC 9110 5.3); a second Host is an attack on routing. */
static int
value_begin(struct request *r)
{
	size_t old = r->field[r->current];
	const char *sep = r->current == FIELD_COOKIE ? "; " : ", ";

	r->value = r->used;
	if (!old)
		return 0;
	if (r->current == FIELD_HOST)
		return refuse(r, 400, "more than one Host");
	for (size_t len = strlen(r->text + old), done = 0; done < len;) {
		char part[256];		/* text may move while it grows */
		size_t n = len - done < sizeof(part) ? len - done : sizeof(part);

		memcpy(part, r->text + old + done, n);
		if (text_add(r, part, n) < 0)
			return -1;
		done += n;
	}
	return text_add(r, sep, 2);
}

static int
url_end(struct request *r)
{
	char *q;

	if (!r->in_url)
		return 0;
	r->in_url = false;
	if (text_add(r, "", 1) < 0)
		return -1;
	r->text[r->url + strcspn(r->text + r->url, "#")] = '\0';
	if ((q = strchr(r->text + r->url, '?')) != NULL) {
		*q = '\0';
		r->query = q + 1 - r->text;
	}
	return 0;
}

static int
on_url(struct http_parser *p, const char *at, size_t len)
{
	struct request *r = p->data;

	if (!r->in_url) {
		r->in_url = true;
		r->used = 0;
		if (text_add(r, "", 1) < 0)
			return -1;
		r->url = r->used;
	}
	return text_add(r, at, len);
}

/*
 * What comes behind a body is not part of the head (RFC 9110 6.5.1): a proxy in front looks at heads only, so
 * a client could name itself there by the fields in which the proxy says whom it asks for.
 */
static int
trailer_drop(struct request *r, size_t len)
{
	r->head_bytes += len;
	return r->head_bytes > r->max_header ? refuse(r, 431, "request trailer too large") : 0;
}

static int
on_header_field(struct http_parser *p, const char *at, size_t len)
{
	struct request *r = p->data;

	if (r->head_done)
		return trailer_drop(r, len);
	if (url_end(r) < 0 || value_end(r) < 0)
		return -1;
	if (r->current != FIELD_NONE || r->name_len == SIZE_MAX) {
		r->current = FIELD_NONE;
		r->name_len = 0;
	}
	for (size_t i = 0; i < len && r->name_len < REQUEST_NAME_MAX; i++)
		r->name[r->name_len++] = at[i];
	return 0;
}

static int
on_header_value(struct http_parser *p, const char *at, size_t len)
{
	struct request *r = p->data;

	if (r->head_done)
		return trailer_drop(r, len);
	if (r->name_len != SIZE_MAX) {	/* the name is complete: first part of its value */
		r->current = field_find(r->name, r->name_len);
		r->name_len = SIZE_MAX;
		if (r->current != FIELD_NONE && value_begin(r) < 0)
			return -1;
	}
	if (!r->value)
		return 0;
	for (size_t i = 0; i < len; i++)	/* http-parser misses a value's first byte */
		if (iscntrl((unsigned char)at[i]) && at[i] != '\t')
			return refuse(r, 400, "this is not an HTTP request");
	return text_add(r, at, len);
}

/* An absolute target ("GET http://host/path") counts by its path. */
static int
target_check(struct request *r)
{
	struct http_parser_url u;
	const char *url = r->text + r->url;

	if (url[0] == '/' || strcmp(url, "*") == 0)
		return 0;
	http_parser_url_init(&u);
	if (http_parser_parse_url(url, strlen(url), 0, &u) != 0)
		return refuse(r, 400, "bad request target");
	if (u.field_set & 1 << UF_PATH)
		r->url += u.field_data[UF_PATH].off;
	else
		r->url += strlen(url);	/* "http://host": the empty path is the root */
	return 0;
}

static int
on_headers_complete(struct http_parser *p)
{
	struct request *r = p->data;
	const char *expect;
	bool body = (p->content_length != UINT64_MAX && p->content_length > 0) ||
	    p->uses_transfer_encoding;

	if (url_end(r) < 0 || value_end(r) < 0)
		return -1;
	r->head_done = true;
	if (p->http_major != 1)
		return refuse(r, 505, "HTTP/1.1 or 1.0, please");
	if (p->method == HTTP_CONNECT)
		return refuse(r, 405, "this is no proxy");
	if (target_check(r) < 0)
		return -1;
	if (p->http_minor >= 1 && !r->field[FIELD_HOST])
		return refuse(r, 400, "Host is missing");
	expect = request_field(r, FIELD_EXPECT);
	r->want_continue = body && expect && strcasecmp(expect, "100-continue") == 0;
	r->keep_alive = http_should_keep_alive(p);
	p->upgrade = 0;		/* an offer to switch protocols may be ignored (RFC 9110 7.8) */
	if (r->at_head != NULL && r->at_head(r)) {
		r->state = REQUEST_HEAD;
		http_parser_pause(p, 1);
		return 0;
	}
	if (p->content_length != UINT64_MAX && p->content_length > r->max_body)
		return refuse(r, 413, "request body too large");
	return 0;
}

static int
on_body(struct http_parser *p, const char *at, size_t len)
{
	struct request *r = p->data;

	r->body_bytes += len;
	if (r->body != NULL) {
		r->body(r->body_ctx, (const uint8_t *)at, len);
		return 0;
	}
	if (r->body_bytes > r->max_body)
		return refuse(r, 413, "request body too large");
	if (p->method == HTTP_POST || p->method == HTTP_PATCH) {
		r->kept = xrealloc(r->kept, r->body_bytes);
		memcpy(r->kept + r->body_bytes - len, at, len);
	}
	return 0;
}

static int
on_message_complete(struct http_parser *p)
{
	struct request *r = p->data;

	r->state = REQUEST_DONE;
	r->want_continue = false;
	http_parser_pause(p, 1);
	return 0;
}

static const struct http_parser_settings settings = {
	.on_url = on_url,
	.on_header_field = on_header_field,
	.on_header_value = on_header_value,
	.on_headers_complete = on_headers_complete,
	.on_body = on_body,
	.on_message_complete = on_message_complete,
};

void
request_init(struct request *r, size_t max_header, size_t max_body)
{
	memset(r, 0, sizeof(*r));
	r->max_header = max_header;
	r->max_body = max_body;
	request_reset(r);
}

void
request_reset(struct request *r)
{
	http_parser_init(&r->parser, HTTP_REQUEST);
	r->parser.data = r;
	r->state = REQUEST_MORE;
	r->keep_alive = r->want_continue = r->head_done = r->in_url = false;
	r->head_bytes = r->body_bytes = 0;
	r->body = NULL;
	r->used = r->url = r->query = r->value = 0;
	free(r->kept);
	r->kept = NULL;
	memset(r->field, 0, sizeof(r->field));
	r->name_len = 0;
	r->current = FIELD_NONE;
	if (r->cap > 4096)	/* an idle connection keeps little */
		request_free(r);
}

void
request_free(struct request *r)
{
	free(r->text);
	free(r->kept);
	r->text = r->kept = NULL;
	r->cap = r->used = 0;
}

static void
parser_error(struct request *r)
{
	switch (HTTP_PARSER_ERRNO(&r->parser)) {
	case HPE_INVALID_METHOD:
		refuse(r, 400, "unknown method");
		break;
	case HPE_INVALID_VERSION:
		refuse(r, 505, "HTTP/1.1 or 1.0, please");
		break;
	case HPE_HEADER_OVERFLOW:
		refuse(r, 431, "request header too large");
		break;
	default:
		refuse(r, 400, "this is not an HTTP request");
		break;
	}
}

size_t
request_feed(struct request *r, const void *in, size_t len)
{
	size_t done = 0, n, used;

	while (done < len && r->state == REQUEST_MORE) {
		n = len - done;
		if (!r->head_done && n > r->max_header - r->head_bytes)
			n = r->max_header - r->head_bytes;
		if (n == 0) {
			if (r->in_url)
				refuse(r, 414, "request target too long");
			else
				refuse(r, 431, "request header too large");
			break;
		}
		used = http_parser_execute(&r->parser, &settings, (const char *)in + done, n);
		if (r->state == REQUEST_HEAD)
			used++;		/* paused there, http-parser leaves the head's last byte for later */
		done += used;
		if (!r->head_done)
			r->head_bytes += used;
		if (r->state == REQUEST_MORE && HTTP_PARSER_ERRNO(&r->parser) != HPE_OK)
			parser_error(r);
	}
	return done;
}

void
request_take_body(struct request *r, void (*body)(void *ctx, const uint8_t *p, size_t n), void *ctx)
{
	r->body = body;
	r->body_ctx = ctx;
	r->state = REQUEST_MORE;
	http_parser_pause(&r->parser, 0);
	http_parser_execute(&r->parser, &settings, "\n", 1);	/* the byte that it left */
}
