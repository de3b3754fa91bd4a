/*
 * answer.c - the ways to answer a request (contract in http.h). Every answer has its length,
 * so connections live on; heads are put together in the connection's own buffer.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cond.h"
#include "http.h"
#include "util.h"

bool
answer_is_head(const struct conn *c)
{
	return c->req.state == REQUEST_DONE && request_method(&c->req) == HTTP_HEAD;
}

static void
begin(struct conn *c, struct head *h, int status)
{
	head_begin(h, c->head, sizeof(c->head), status, http.date);
	if (status >= 500)
		http.count.responses_5xx++;
	else if (status >= 400)
		http.count.responses_4xx++;
	if ((c->flags & ROUTE_CORS) && http.limits.cors[0] != '\0') {
		head_field(h, "Access-Control-Allow-Origin", http.limits.cors);
		head_lines(h, "Access-Control-Expose-Headers: Content-Length, Content-Range, Date, ETag, Link, "
		    "Location, Retry-After\r\n");
	}
	if (c->closing)
		head_lines(h, "Connection: close\r\n");
	else if (c->req.state == REQUEST_DONE && request_http10(&c->req))
		head_lines(h, "Connection: keep-alive\r\n");
}

static void
end(struct conn *c, struct head *h)
{
	c->head_len = head_end(h);
	c->head_off = c->body_off = 0;
	if (c->head_len == 0)
		c->closing = true;	/* can't be: our own fields are bounded */
	conn_send(c);
}

void
answer_bytes(struct conn *c, int status, const char *type, const char *extra, char *body,
    size_t len, bool owned)
{
	struct head h;

	begin(c, &h, status);
	if (type != NULL)
		head_field(&h, "Content-Type", type);
	head_lines(&h, extra);
	if (status != 204 && status != 304)
		head_number(&h, "Content-Length", (int64_t)len);
	if (answer_is_head(c) || len == 0) {
		if (owned)
			free(body);
		body = NULL;
		len = 0;
		owned = false;
	}
	c->body = body;
	c->body_len = len;
	c->body_owned = owned;
	end(c, &h);
}

void
answer_text(struct conn *c, int status, const char *text)
{
	bool later = status == 503 || status == 429;

	answer_bytes(c, status, "text/plain; charset=utf-8", later ? "Cache-Control: no-cache\r\nRetry-After: 5\r\n" :
	    "Cache-Control: no-cache\r\n", xstrdup(text), strlen(text), true);
}

/* 25.217, not 25.216999999999999 */
#define REAL_DIGITS 15

void
answer_json(struct conn *c, int status, json_t *body)
{
	char *text = json_dumps(body, JSON_COMPACT | JSON_REAL_PRECISION(REAL_DIGITS));

	json_decref(body);
	if (text == NULL)
		answer_text(c, 500, "The answer can't be written as JSON.\n");
	else
		answer_bytes(c, status, "application/json", "Cache-Control: no-cache\r\n", text, strlen(text), true);
}

#define LOCATION_MAX 1536	/* bytes of HEAD_BYTES: the rest of a redirect's head has room beside it */

void
answer_redirect(struct conn *c, const char *to)
{
	const char *query = request_query(&c->req);
	char line[LOCATION_MAX];

	if ((size_t)snprintf(line, sizeof(line), "Location: %s%s%s\r\nCache-Control: no-cache\r\n", to,
	    query[0] != '\0' ? "?" : "", query) >= sizeof(line))
		answer_text(c, 414, "What follows the question mark is too long to be sent elsewhere with it.\n");
	else
		answer_bytes(c, 307, NULL, line, NULL, 0, false);
}

static void
file_head(struct conn *c, struct head *h, const char *etag, const char *modified, const char *extra)
{
	head_field(h, "ETag", etag);
	head_field(h, "Last-Modified", modified);
	head_lines(h, extra);
}

/* The whole of a small file goes with its head in one packet; a larger one by sendfile. */
#define SMALL_FILE 16384

static void
attach(struct conn *c, int fd, int64_t from, int64_t to)
{
	if (to - from <= SMALL_FILE && to > from) {
		c->body = xmalloc((size_t)(to - from));
		c->body_owned = true;
		c->body_len = (size_t)(to - from);
		if (pread(fd, c->body, c->body_len, from) != (ssize_t)c->body_len)
			c->closing = true, c->body_len = 0;
		close(fd);
		return;
	}
	c->file = fd;
	c->file_off = from;
	c->file_end = to;
}

void
answer_file(struct conn *c, int fd, const char *type, const char *extra)
{
	char etag[64], modified[HTTP_DATE_MAX], range[96];
	int64_t from = 0, to;
	enum range_result r = RANGE_NONE;
	struct head h;
	struct stat st;

	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode)) {
		close(fd);
		answer_text(c, 404, "Not found.\n");
		return;
	}
	to = st.st_size;
	snprintf(etag, sizeof(etag), "\"%llx-%llx-%llx\"", (unsigned long long)st.st_ino,
	    (unsigned long long)st.st_mtim.tv_sec * 1000 + (unsigned long long)st.st_mtim.tv_nsec / 1000000,
	    (unsigned long long)st.st_size);
	http_date(st.st_mtime, modified);
	if (cond_not_modified(etag, st.st_mtime, request_field(&c->req, FIELD_IF_NONE_MATCH),
	    request_field(&c->req, FIELD_IF_MODIFIED_SINCE))) {
		close(fd);
		begin(c, &h, 304);
		file_head(c, &h, etag, modified, extra);
		end(c, &h);
		return;
	}
	if (!answer_is_head(c) && cond_if_range(etag, st.st_mtime, request_field(&c->req, FIELD_IF_RANGE)))
		r = range_parse(request_field(&c->req, FIELD_RANGE), st.st_size, &from, &to);
	begin(c, &h, r == RANGE_OK ? 206 : r == RANGE_BAD ? 416 : 200);
	if (r == RANGE_BAD) {
		from = to = 0;
		snprintf(range, sizeof(range), "bytes */%lld", (long long)st.st_size);
	} else
		snprintf(range, sizeof(range), "bytes %lld-%lld/%lld", (long long)from, (long long)to - 1,
		    (long long)st.st_size);
	head_field(&h, "Content-Type", type);
	if (r != RANGE_NONE)
		head_field(&h, "Content-Range", range);
	head_lines(&h, "Accept-Ranges: bytes\r\n");
	file_head(c, &h, etag, modified, extra);
	head_number(&h, "Content-Length", to - from);
	if (answer_is_head(c) || from == to)
		close(fd);
	else
		attach(c, fd, from, to);
	end(c, &h);
}
