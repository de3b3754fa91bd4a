/*
 * s3_request.c - the HTTP of one attempt: URL, signed headers, the body's bytes at the allowed
 * pace, what comes back into memory up to a limit. It judges nothing: that is s3_call.c's.
 */
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "log.h"
#include "s3_int.h"
#include "util.h"

#define SEND_BUFFER (512L * 1024)

struct headers {
	struct s3_pair list[8];
	size_t n;
};

static void
add(struct headers *h, const char *name, const char *value)
{
	if (value != NULL && value[0] != '\0')
		h->list[h->n++] = (struct s3_pair){ name, value };
}

/* A slice of the file for libcurl, as much as the bandwidth allows. */
static size_t
read_cb(char *out, size_t size, size_t n, void *ctx)
{
	struct s3_call *c = ctx;
	struct s3 *s = c->s;
	size_t want = size * n, left = (size_t)(c->body.len - c->at);
	ssize_t got;

	want = want < left ? want : left;
	if (want == 0)
		return 0;
	want = s3_rate_take(&s->rate, want, now_ms() * 1000);
	if (want == 0) {
		int64_t ms = s3_rate_wait_ms(&s->rate);

		ms += random() % (ms + 1) - ms / 2;	/* who shares it is not always the first */
		c->paused = true;
		if (!evtimer_pending(s->refill, NULL))
			event_add(s->refill, &(struct timeval){ ms / 1000, ms % 1000 * 1000 });
		return CURL_READFUNC_PAUSE;
	}
	if (c->body.fd == -1) {
		memcpy(out, c->body.text + c->at, want);
		got = (ssize_t)want;
	} else if ((got = pread(c->body.fd, out, want, c->body.offset + c->at)) <= 0) {
		return CURL_READFUNC_ABORT;
	}
	c->at += got;
	s->figures->sent_bytes += (uint64_t)got;
	return (size_t)got;
}

/* libcurl sends again from the start on a fresh connection when a kept one turns out dead. */
static int
seek_cb(void *ctx, curl_off_t offset, int origin)
{
	struct s3_call *c = ctx;

	if (origin != SEEK_SET || offset < 0 || offset > c->body.len)
		return CURL_SEEKFUNC_CANTSEEK;
	if (offset < c->at)
		c->s->figures->lost_bytes += (uint64_t)(c->at - offset);
	c->at = offset;
	return CURL_SEEKFUNC_OK;
}

static size_t
write_cb(char *in, size_t size, size_t n, void *ctx)
{
	struct s3_call *c = ctx;

	n *= size;
	if (n > S3_ANSWER_MAX - c->in_len) {
		c->too_long = true;
		return 0;
	}
	c->in = xrealloc(c->in, c->in_len + n);
	memcpy(c->in + c->in_len, in, n);
	c->in_len += n;
	return n;
}

static void
keep(char *out, size_t size, const char *value, size_t len)
{
	while (len > 0 && strchr(" \t\r\n\"", *value) != NULL)
		value++, len--;
	while (len > 0 && strchr(" \t\r\n\"", value[len - 1]) != NULL)
		len--;
	len = len < size - 1 ? len : size - 1;
	memcpy(out, value, len);
	out[len] = '\0';
}

/* The name and value of one line of the answer's head. */
static void
take_header(struct s3_call *c, const char *line, size_t len)
{
	const char *colon = memchr(line, ':', len);
	struct s3_result *r = &c->result;
	char date[64];
	size_t name;

	if (colon == NULL)
		return;
	name = (size_t)(colon - line);
	len -= name + 1;
#define IS(s) (name == sizeof s - 1 && strncasecmp(line, s, name) == 0)
	if (IS("ETag")) {
		keep(r->etag, sizeof r->etag, colon + 1, len);
	} else if (IS("x-amz-meta-sha256") && strcmp(c->method, "HEAD") == 0) {
		keep(r->sha256, sizeof r->sha256, colon + 1, len);
	} else if (IS("x-amz-meta-millrace")) {
		keep(r->token, sizeof r->token, colon + 1, len);
	} else if (IS("Date")) {
		keep(date, sizeof date, colon + 1, len);
		c->server_sec = curl_getdate(date, NULL);
	}
#undef IS
}

static size_t
header_cb(char *line, size_t size, size_t n, void *ctx)
{
	struct s3_call *c = ctx;
	long status = 0;

	take_header(c, line, size * n);
	curl_easy_getinfo(c->easy, CURLINFO_RESPONSE_CODE, &status);
	/* Swift sends a last chunk after the 404 to a HEAD: nobody may find it on this connection. */
	if (status >= 300 && strcmp(c->method, "HEAD") == 0)
		curl_easy_setopt(c->easy, CURLOPT_FORBID_REUSE, 1L);
	return size * n;
}

/* Signs what will be sent: URL and headers. */
static char *
sign(struct s3_call *c, struct headers *h, const char *path, const char *date)
{
	struct s3 *s = c->s;
	struct s3_sign r = { .method = c->method, .host = s->host, .path = path, .query = c->query,
		.nquery = c->nquery, .payload = c->payload, .date = date, .region = s->region, .service = "s3",
		.access_key = s->access_key, .secret_key = s->secret_key };

	add(h, "content-type", c->content_type);
	add(h, "x-amz-content-sha256", c->payload);
	add(h, "x-amz-date", date);
	add(h, "x-amz-meta-millrace", c->token);
	add(h, "x-amz-meta-sha256", c->sha256);
	add(h, "x-amz-security-token", s->session_token);
	r.headers = h->list;
	r.nheaders = h->n;
	return s3_authorization(&r);
}

static void
append(struct s3_call *c, const char *name, const char *value)
{
	char *line = xasprintf("%s: %s", name, value);

	c->headers = curl_slist_append(c->headers, line);
	free(line);
}

static void
head(struct s3_call *c, const char *path)
{
	struct headers h = { .n = 0 };
	char date[S3_DATE], *authorization;

	s3_date(wall_ms() / 1000, date);
	authorization = sign(c, &h, path, date);
	for (size_t i = 0; i < h.n; i++)
		append(c, h.list[i].name, h.list[i].value);
	append(c, "Host", c->s->host);
	append(c, "Authorization", authorization);
	/* Without a type libcurl would add a form's. */
	if (c->content_type == NULL)
		c->headers = curl_slist_append(c->headers, "Content-Type:");
	free(authorization);
	curl_easy_setopt(c->easy, CURLOPT_HTTPHEADER, c->headers);
}

static void
body(struct s3_call *c)
{
	CURL *e = c->easy;

	if (strcmp(c->method, "HEAD") == 0) {
		curl_easy_setopt(e, CURLOPT_NOBODY, 1L);
	} else if (strcmp(c->method, "POST") == 0) {
		curl_easy_setopt(e, CURLOPT_POST, 1L);
		curl_easy_setopt(e, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)c->body.len);
		curl_easy_setopt(e, CURLOPT_POSTFIELDS, c->has_body ? c->body.text : "");
	} else if (c->has_body) {
		curl_easy_setopt(e, CURLOPT_UPLOAD, 1L);
		curl_easy_setopt(e, CURLOPT_INFILESIZE_LARGE, (curl_off_t)c->body.len);
		curl_easy_setopt(e, CURLOPT_UPLOAD_BUFFERSIZE, SEND_BUFFER);
		curl_easy_setopt(e, CURLOPT_READFUNCTION, read_cb);
		curl_easy_setopt(e, CURLOPT_READDATA, c);
		curl_easy_setopt(e, CURLOPT_SEEKFUNCTION, seek_cb);
		curl_easy_setopt(e, CURLOPT_SEEKDATA, c);
	} else if (strcmp(c->method, "GET") != 0) {
		curl_easy_setopt(e, CURLOPT_CUSTOMREQUEST, c->method);
	}
}

static void
transport(struct s3_call *c)
{
	struct s3 *s = c->s;
	CURL *e = c->easy;
	long stall_sec = (long)((s->timeout_ms + 999) / 1000);

	curl_easy_setopt(e, CURLOPT_PRIVATE, c);
	curl_easy_setopt(e, CURLOPT_ERRORBUFFER, c->why);
	curl_easy_setopt(e, CURLOPT_NOSIGNAL, 1L);
	/* A name server that does not answer: libcurl would wait for its thread, and the loop with it. */
	curl_easy_setopt(e, CURLOPT_QUICK_EXIT, 1L);
	curl_easy_setopt(e, CURLOPT_PATH_AS_IS, 1L);
	curl_easy_setopt(e, CURLOPT_PROXY, "");
	curl_easy_setopt(e, CURLOPT_PROTOCOLS_STR, "http,https");
	/* On a kept connection that turns out dead libcurl silently sends again: not what must be done once. */
	curl_easy_setopt(e, CURLOPT_FRESH_CONNECT, c->once ? 1L : 0L);
	curl_easy_setopt(e, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
	curl_easy_setopt(e, CURLOPT_CONNECTTIMEOUT_MS, (long)s->connect_timeout_ms);
	curl_easy_setopt(e, CURLOPT_LOW_SPEED_LIMIT, 1L);
	curl_easy_setopt(e, CURLOPT_LOW_SPEED_TIME, stall_sec > 0 ? stall_sec : 1L);
	curl_easy_setopt(e, CURLOPT_HEADERFUNCTION, header_cb);
	curl_easy_setopt(e, CURLOPT_HEADERDATA, c);
	curl_easy_setopt(e, CURLOPT_WRITEFUNCTION, write_cb);
	curl_easy_setopt(e, CURLOPT_WRITEDATA, c);
	if (s->ca_file[0] != '\0')
		curl_easy_setopt(e, CURLOPT_CAINFO, s->ca_file);
}

int
s3_request_start(struct s3_call *c)
{
	struct s3 *s = c->s;
	char *path, *encoded, *query, *url;

	if ((c->easy = curl_easy_init()) == NULL)
		return -1;
	path = c->object == NULL ? xasprintf("%s%s", s->root, s->root[0] == '\0' ? "/" : "") :
	    xasprintf("%s/%s", s->root, c->object);
	encoded = s3_uri_encode(path, true);
	query = s3_query(c->query, c->nquery);
	url = xasprintf("%s://%s%s%s%s", s->scheme, s->host, encoded, c->nquery > 0 ? "?" : "", query);
	transport(c);
	curl_easy_setopt(c->easy, CURLOPT_URL, url);
	head(c, path);
	body(c);
	free(path);
	free(encoded);
	free(query);
	free(url);
	c->at = 0;
	c->begun_ms = now_ms();
	c->in_len = 0;
	c->paused = false;
	return curl_multi_add_handle(s->multi.curl, c->easy) == CURLM_OK ? 0 : -1;
}

void
s3_request_end(struct s3_call *c)
{
	if (c->easy == NULL)
		return;
	curl_multi_remove_handle(c->s->multi.curl, c->easy);
	curl_easy_cleanup(c->easy);
	curl_slist_free_all(c->headers);
	c->easy = NULL;
	c->headers = NULL;
	c->paused = false;
}
