/*
 * s3_call.c - the life of one call: wait until less than S3_CALLS_MAX are under way, hash its body
 * a slice per turn of the loop, send, judge what came back (status, S3's <Error>, also in a 200),
 * go on to the next page, call back, free.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "log.h"
#include "s3_error.h"
#include "s3_int.h"
#include "s3_xml.h"
#include "util.h"

static void
begin(struct s3_call *c)
{
	c->begun = true;
	c->s->ncalls++;
	event_add(c->turn, &(struct timeval){ 0, 0 });
}

/* It is not under way any more, or will never be. */
static void
make_room(struct s3_call *c)
{
	struct s3 *s = c->s;
	struct s3_call *first;

	if (!c->begun) {
		TAILQ_REMOVE(&s->waiting, c, turn_of);
		return;
	}
	s->ncalls--;
	first = TAILQ_FIRST(&s->waiting);
	if (first != NULL) {
		TAILQ_REMOVE(&s->waiting, first, turn_of);
		begin(first);
	}
}

static void
call_free(struct s3_call *c)
{
	LIST_REMOVE(c, entry);
	make_room(c);
	s3_request_end(c);
	event_free(c->turn);
	for (size_t i = 0; i < c->nquery; i++)
		free((char *)c->query[i].value);
	for (size_t i = 0; i < c->result.nuploads; i++) {
		free(c->result.uploads[i].object);
		free(c->result.uploads[i].upload_id);
	}
	free(c->result.uploads);
	free(c->upload.object);
	free(c->upload.upload_id);
	free(c->result.parts);
	free(c->result.upload_id);
	free(c->next[0]);
	free(c->next[1]);
	free(c->object);
	free(c->content_type);
	free(c->sha256);
	free(c->token);
	free(c->text);
	free(c->in);
	free(c);
}

static void
count(struct s3_call *c)
{
	struct board_s3 *f = c->s->figures;
	enum s3_verdict verdict = c->result.verdict;

	f->requests++;
	f->retries += verdict == S3_RETRY;
	f->refused += verdict == S3_REFUSED;
	if (verdict != S3_OK)
		f->lost_bytes += (uint64_t)c->at;
	else if (c->has_body && c->body.fd != -1)
		board_latency_add(&f->part, now_ms() - c->begun_ms);
}

static void
finish(struct s3_call *c)
{
	count(c);
	s3_request_end(c);
	c->cb(&c->result, c->ctx);
	call_free(c);
}

static void
fail(struct s3_call *c, enum s3_verdict verdict, const char *what)
{
	struct s3_result *r = &c->result;

	r->verdict = verdict;
	snprintf(r->error, sizeof r->error, "S3 at %s, bucket %s: %s", c->s->endpoint, c->s->bucket, what);
	for (char *p = r->error; *p != '\0'; p++)
		if ((unsigned char)*p < ' ')
			*p = ' ';
}

/* One slice. 1: more to do, 0: the payload is known, -1: the file is shorter than it was or can't be read. */
static int
hash_slice(struct s3_call *c)
{
	struct s3_body *b = &c->body;
	uint8_t digest[SHA256_DIGEST_SIZE];
	size_t want = (size_t)(b->len - c->hashed) < S3_SLICE ? (size_t)(b->len - c->hashed) : S3_SLICE;
	ssize_t got = 0;

	if (b->fd == -1) {
		s3_sha256_hex(b->text, (size_t)b->len, c->payload);
		return 0;
	}
	if (want > 0 && (got = pread(b->fd, c->s->slice, want, b->offset + c->hashed)) <= 0)
		return -1;
	sha256_update(&c->hash, (size_t)got, c->s->slice);
	c->hashed += got;
	if (c->hashed < b->len)
		return 1;
	sha256_digest(&c->hash, sizeof digest, digest);
	hex_format(c->payload, digest, sizeof digest);
	return 0;
}

/* An object remembers its hash; one that is said to have another hash is not what was meant. */
static bool
remember_hash(struct s3_call *c)
{
	if (c->token == NULL || c->body.fd == -1)
		return true;
	if (c->sha256 == NULL)
		c->sha256 = xstrdup(c->payload);
	return strcmp(c->sha256, c->payload) == 0;
}

static void
turn_cb(evutil_socket_t fd, short what, void *ctx)
{
	struct s3_call *c = ctx;
	int rc = c->payload[0] != '\0' ? 0 : hash_slice(c);

	if (rc == 1) {
		event_add(c->turn, &(struct timeval){ 0, 0 });
		return;
	}
	if (rc == -1) {
		fail(c, S3_CHANGED, "the file became shorter or can't be read");
	} else if (!remember_hash(c)) {
		fail(c, S3_CHANGED, "the file's SHA-256 is not the one that was given");
	} else if (s3_request_start(c) == -1) {
		fail(c, S3_RETRY, "out of memory");
	} else {
		return;
	}
	finish(c);
}

struct s3_call *
s3_call_new(struct s3 *s, const char *method, const char *object, s3_cb cb, void *ctx)
{
	struct s3_call *c = xcalloc(1, sizeof *c);

	c->s = s;
	c->method = method;
	c->object = object != NULL ? xstrdup(object) : NULL;
	c->cb = cb;
	c->ctx = ctx;
	c->body.fd = -1;
	c->body.text = "";
	sha256_init(&c->hash);
	c->turn = evtimer_new(s->base, turn_cb, c);
	LIST_INSERT_HEAD(&s->calls, c, entry);
	return c;
}

void
s3_call_query(struct s3_call *c, const char *name, const char *value)
{
	for (size_t i = 0; i < c->nquery; i++) {
		if (strcmp(c->query[i].name, name) != 0)
			continue;
		free((char *)c->query[i].value);
		c->query[i].value = xstrdup(value);
		return;
	}
	if (c->nquery == S3_QUERY_MAX)
		fatalx("s3: more than %d query parameters", S3_QUERY_MAX);
	c->query[c->nquery++] = (struct s3_pair){ name, xstrdup(value) };
}

static char *
copy(const char *s)
{
	return s != NULL && s[0] != '\0' ? xstrdup(s) : NULL;
}

void
s3_call_attrs(struct s3_call *c, const struct s3_attrs *a)
{
	c->content_type = copy(a->content_type);
	c->sha256 = copy(a->sha256);
	c->token = copy(a->token);
}

struct s3_call *
s3_call_begin(struct s3_call *c)
{
	if (c->has_body && c->body.content_type != NULL)
		c->content_type = xstrdup(c->body.content_type);
	if (c->s->ncalls < S3_CALLS_MAX)
		begin(c);
	else
		TAILQ_INSERT_TAIL(&c->s->waiting, c, turn_of);
	return c;
}

static void
element_cb(const char *path, const char *text, void *ctx)
{
	struct s3_call *c = ctx;

	if (strcmp(path, "Error/Code") == 0)
		str_copy(c->result.code, text, sizeof c->result.code);
	else if (strcmp(path, "Error/Message") == 0)
		str_copy(c->message, text, sizeof c->message);
	else if (strcmp(path, "Error") == 0)
		c->body_error = true;
	else if (c->element != NULL)
		c->element(c, path, text);
}

/* A refusal in words: status, code, S3's own message, how far the clocks are apart, what to do. */
static void
explain(struct s3_call *c)
{
	struct s3_result *r = &c->result;
	bool denied = r->code[0] == '\0' && (r->status == 401 || r->status == 403);	/* without a reason: a HEAD */
	const char *hint = s3_error_hint(denied ? "AccessDenied" : r->code);
	char text[448], clock[96] = "";
	int64_t ahead = wall_ms() / 1000 - c->server_sec;

	if (strcmp(r->code, "RequestTimeTooSkewed") == 0 && c->server_sec > 0)
		snprintf(clock, sizeof clock, ": this clock is %lld s %s the server's",
		    (long long)(ahead < 0 ? -ahead : ahead), ahead < 0 ? "behind" : "ahead of");
	snprintf(text, sizeof text, "%s %d%s%s%s%.200s%s%s%s%s", c->method, r->status, r->code[0] ? " " : "", r->code,
	    c->message[0] ? ": " : "", c->message, clock, hint ? " (" : "", hint ? hint : "", hint ? ")" : "");
	fail(c, s3_error_verdict(r->status, r->code, c->body_error), text);
}

/* What libcurl, HTTP and the body say. */
static void
judge(struct s3_call *c, CURLcode rc)
{
	struct s3_result *r = &c->result;
	curl_off_t length = -1;
	long status = 0;
	bool well;

	if (rc != CURLE_OK) {
		const char *why = c->why[0] != '\0' ? c->why : curl_easy_strerror(rc);

		return fail(c, s3_error_transport(rc), c->too_long ? "its answer is too long" : why);
	}
	curl_easy_getinfo(c->easy, CURLINFO_RESPONSE_CODE, &status);
	curl_easy_getinfo(c->easy, CURLINFO_CONTENT_LENGTH_DOWNLOAD_T, &length);
	r->status = (int)status;
	r->size = length;
	r->verdict = S3_OK;
	well = c->in_len == 0 || s3_xml_parse(c->in, c->in_len, element_cb, c) == 0;
	if (s3_error_verdict(r->status, r->code, c->body_error) != S3_OK)
		explain(c);
	else if (c->element != NULL && (!well || c->in_len == 0))
		fail(c, S3_RETRY, "its answer is no XML");
	else if (c->once && r->upload_id == NULL)
		fail(c, S3_RETRY, "its answer has no upload id");
	else if (c->has_body && c->body.fd != -1)
		str_copy(r->sha256, c->payload, sizeof r->sha256);
}

void
s3_call_ended(struct s3_call *c, CURLcode rc)
{
	judge(c, rc);
	if (c->result.verdict == S3_OK && c->more != NULL && c->more(c)) {
		s3_request_end(c);
		event_add(c->turn, &(struct timeval){ 0, 0 });
		return;
	}
	finish(c);
}

void
s3_cancel(struct s3_call **cp)
{
	if (*cp == NULL)
		return;
	(*cp)->s->figures->lost_bytes += (uint64_t)(*cp)->at;
	call_free(*cp);
	*cp = NULL;
}

int64_t
s3_call_sent(const struct s3_call *c)
{
	return c->at;
}
