/*
 * upload_tus.c - a file by the tus protocol 1.0.0 over HTTP: one request per connection, which is
 * closed behind its answer. Core, creation (with upload, with a length that is told later),
 * termination, expiration, checksum. What a head must have is checked by tus_head.c.
 *
 * A PATCH that breaks leaves what came, unless it has a checksum, which nobody can check then.
 * Called by upload_session.c as struct upload_face.
 */
#include <event2/buffer.h>
#include <nettle/md5.h>
#include <nettle/memops.h>
#include <nettle/sha1.h>
#include <nettle/sha2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "conf.h"
#include "http_status.h"
#include "log.h"
#include "upload_parts.h"
#include "util.h"
#include "ws_head.h"

#define EXTENSIONS "creation,creation-with-upload,creation-defer-length,termination,expiration,checksum"
#define EXPOSED "Location, Upload-Offset, Upload-Length, Upload-Defer-Length, Upload-Metadata, Upload-Expires, " \
	"Tus-Version, Tus-Resumable, Tus-Max-Size, Tus-Extension, Tus-Checksum-Algorithm"
#define ALLOWED "Authorization, Content-Type, Tus-Resumable, Upload-Length, Upload-Offset, Upload-Metadata, " \
	"Upload-Defer-Length, Upload-Checksum, X-HTTP-Method-Override, X-Requested-With"
#define STATUS_CHECKSUM 460	/* of the checksum extension */

/* Of the body that comes now. */
static struct {
	struct sha1_ctx sha1;
	struct sha256_ctx sha256;
	struct md5_ctx md5;
	bool ended;			/* the whole body has come */
	bool created;			/* its answer is 201 */
	bool waits;			/* ... as soon as all is on the disk */
} body;

/* --- answers --- */

/* Pages of other origins may use it if ws.origins has them. */
static void
add_cors(struct upload_session *s)
{
	const char *origin = request_field(&s->req, FIELD_ORIGIN);

	if (origin == NULL)
		return;
	evbuffer_add_printf(s->conn.out, "Access-Control-Allow-Origin: %s\r\nVary: Origin\r\n"
	    "Access-Control-Expose-Headers: " EXPOSED "\r\n", origin);
	if (s->tus.method == TUS_OPTIONS)
		evbuffer_add_printf(s->conn.out, "Access-Control-Allow-Methods: POST, HEAD, PATCH, DELETE, OPTIONS\r\n"
		    "Access-Control-Allow-Headers: " ALLOWED "\r\nAccess-Control-Max-Age: 86400\r\n");
}

static void
add_expires(struct upload_session *s)
{
	int64_t at = upload_store_touched_ms(&s->store) + conf_int(s->svc->conf, "upload.expire");
	time_t sec = (time_t)(at / 1000);
	char date[40];
	struct tm tm;

	gmtime_r(&sec, &tm);
	strftime(date, sizeof(date), "%a, %d %b %Y %H:%M:%S GMT", &tm);
	evbuffer_add_printf(s->conn.out, "Upload-Expires: %s\r\n", date);
}

static void
begin_answer(struct upload_session *s, int status)
{
	evbuffer_add_printf(s->conn.out, "HTTP/1.1 %d %s\r\n" TUS_VERSION_FIELD "Cache-Control: no-store\r\n", status,
	    http_status_text(status));
	add_cors(s);
	if (status == 412)
		evbuffer_add_printf(s->conn.out, "Tus-Version: " TUS_VERSION "\r\n");
}

/* text: what was wrong, for people; "" if nothing. */
static void
end_answer(struct upload_session *s, int status, const char *text)
{
	bool no_body = status == 204 || s->tus.method == TUS_HEAD;
	size_t n = strlen(text);
	bool newline = n > 0 && text[n - 1] != '\n';

	if (n > 0)
		evbuffer_add_printf(s->conn.out, "Content-Type: text/plain; charset=utf-8\r\n");
	if (status != 204)
		evbuffer_add_printf(s->conn.out, "Content-Length: %zu\r\n", n + newline);
	evbuffer_add_printf(s->conn.out, "Connection: close\r\n\r\n%s%s", no_body ? "" : text,
	    newline && !no_body ? "\n" : "");
	upload_end(s, n > 0 ? text : "answered");
}

static void
refuse(struct upload_session *s, int status, const char *why)
{
	begin_answer(s, status);
	end_answer(s, status, why);
}

static void
answer_offset(struct upload_session *s, int status)
{
	begin_answer(s, status);
	evbuffer_add_printf(s->conn.out, "Upload-Offset: %lld\r\n", (long long)s->store.written);
	if (s->store.in.state == INTAKE_RECEIVING)
		add_expires(s);
	end_answer(s, status, "");
}

/* "upload/ID" as seen from /upload, "ID" as seen from /upload/ANYTHING: behind a proxy's prefix, too. */
static void
answer_created(struct upload_session *s)
{
	begin_answer(s, 201);
	evbuffer_add_printf(s->conn.out, "Location: %s%s\r\nUpload-Offset: %lld\r\n",
	    strcmp(request_path(&s->req), "/upload") == 0 ? "upload/" : "", s->store.in.id,
	    (long long)s->store.written);
	if (s->store.in.state == INTAKE_RECEIVING)
		add_expires(s);
	end_answer(s, 201, "");
}

static void
answer_options(struct upload_session *s)
{
	begin_answer(s, 204);
	evbuffer_add_printf(s->conn.out, "Tus-Version: " TUS_VERSION "\r\nTus-Extension: " EXTENSIONS "\r\n"
	    "Tus-Max-Size: %lld\r\nTus-Checksum-Algorithm: sha1,sha256,md5\r\n",
	    (long long)conf_int(s->svc->conf, "upload.max_size"));
	end_answer(s, 204, "");
}

static void
answer_head(struct upload_session *s)
{
	const struct intake *in = &s->store.in;

	begin_answer(s, 200);
	evbuffer_add_printf(s->conn.out, "Upload-Offset: %lld\r\n", (long long)s->store.written);
	if (in->size >= 0)
		evbuffer_add_printf(s->conn.out, "Upload-Length: %lld\r\n", (long long)in->size);
	else
		evbuffer_add_printf(s->conn.out, "Upload-Defer-Length: 1\r\n");
	if (in->meta[0] != '\0')
		evbuffer_add_printf(s->conn.out, "Upload-Metadata: %s\r\n", in->meta);
	if (in->state == INTAKE_RECEIVING)
		add_expires(s);
	end_answer(s, 200, "");
}

/* --- the body --- */

static void
sum_begin(void)
{
	sha1_init(&body.sha1);
	sha256_init(&body.sha256);
	md5_init(&body.md5);
}

static void
sum_add(enum tus_sum sum, const uint8_t *p, size_t n)
{
	if (sum == TUS_SUM_SHA1)
		sha1_update(&body.sha1, n, p);
	else if (sum == TUS_SUM_SHA256)
		sha256_update(&body.sha256, n, p);
	else if (sum == TUS_SUM_MD5)
		md5_update(&body.md5, n, p);
}

static bool
sum_right(const struct tus_head *h)
{
	uint8_t digest[TUS_DIGEST];

	if (h->sum == TUS_SUM_NONE)
		return true;
	if (h->sum == TUS_SUM_SHA1)
		sha1_digest(&body.sha1, h->digest_len, digest);
	else if (h->sum == TUS_SUM_SHA256)
		sha256_digest(&body.sha256, h->digest_len, digest);
	else
		md5_digest(&body.md5, h->digest_len, digest);
	return memeql_sec(digest, h->digest, h->digest_len);
}

static void
on_body(void *ctx, const uint8_t *p, size_t n)
{
	struct upload_session *s = ctx;

	if (s->phase != UP_RECEIVING)
		return;
	sum_add(s->tus.sum, p, n);
	upload_data(s, p, n);
}

static void
answer(struct upload_session *s)
{
	if (body.created)
		answer_created(s);
	else
		answer_offset(s, 204);
}

/* All of this request has come; the answer waits until it is on the disk. */
static void
body_ended(struct upload_session *s)
{
	body.ended = true;
	if (!sum_right(&s->tus)) {
		upload_store_rewind(&s->store, s->begun);
		refuse(s, STATUS_CHECKSUM, "the body is not what Upload-Checksum says; nothing of it was kept");
	} else if (s->store.in.size >= 0 && s->store.written == s->store.in.size)
		upload_finish(s);
	else if (s->store.written == s->store.synced && s->store.in.unchecked == -1)
		answer(s);
	else {
		body.waits = true;
		upload_store_checked(&s->store);
	}
}

static void
upload_tus_input(struct upload_session *s, const uint8_t *p, size_t n)
{
	if (s->phase != UP_RECEIVING || body.ended)
		return;
	request_feed(&s->req, p, n);
	if (s->phase != UP_RECEIVING)
		return;
	if (s->req.state == REQUEST_BAD)
		refuse(s, 400, s->req.why);
	else if (s->req.state == REQUEST_DONE)
		body_ended(s);
}

static void
begin_body(struct upload_session *s)
{
	sum_begin();
	if (s->req.want_continue) {
		evbuffer_add_printf(s->conn.out, "HTTP/1.1 100 Continue\r\n\r\n");
		s->req.want_continue = false;
	}
	request_take_body(&s->req, on_body, s);
	if (s->req.state == REQUEST_DONE)
		body_ended(s);
}

/* --- from its head --- */

static void
upload_tus_head(struct upload_session *s)
{
	const char *why;
	int status = tus_head_parse(&s->req, &s->tus, &why);

	if (!ws_head_origin_ok(&s->req, conf_get(s->svc->conf, "ws.origins")))
		refuse(s, 403, "pages of this origin may not upload here (ws.origins)");
	else if (status != 0)
		refuse(s, status, why);
	else if (s->tus.method == TUS_OPTIONS)
		answer_options(s);
	else if (s->tus.length > conf_int(s->svc->conf, "upload.max_size"))
		refuse(s, 413, "it is longer than upload.max_size allows");
	else if (s->tus.method != TUS_CREATE) {
		str_copy(s->in.id, s->tus.id, sizeof(s->in.id));
		upload_begin_open(s, s->tus.method == TUS_HEAD || s->tus.method == TUS_PATCH);
	} else {
		str_copy(s->in.name, s->tus.name, sizeof(s->in.name));
		str_copy(s->in.file, s->tus.file, sizeof(s->in.file));
		str_copy(s->in.meta, s->tus.meta, sizeof(s->in.meta));
		s->in.size = s->tus.length;
		s->in.unchecked = s->tus.sum != TUS_SUM_NONE ? 0 : -1;
		body.created = true;
		upload_begin_create(s);
	}
}

/* A PATCH that ends nothing and adds nothing may come after the end, too. */
static void
begin_patch(struct upload_session *s)
{
	const struct tus_head *h = &s->tus;
	struct intake *in = &s->store.in;
	int64_t unchecked = h->sum != TUS_SUM_NONE ? s->store.written : -1;

	if (h->offset != s->store.written)
		refuse(s, 409, "Upload-Offset is not where this upload is; HEAD says where");
	else if (h->length >= 0 && in->size >= 0 && h->length != in->size)
		refuse(s, 400, "Upload-Length is another one than before");
	else if (h->length >= 0 && h->length < s->store.written)
		refuse(s, 400, "Upload-Length is less than what has come");
	else if (in->state != INTAKE_RECEIVING) {
		if (h->has_body)
			refuse(s, 413, "the upload is complete: nothing can be added");
		else
			answer_offset(s, 204);
	} else if ((h->length >= 0 && in->size < 0) || in->unchecked != unchecked) {
		in->size = h->length >= 0 ? h->length : in->size;
		in->unchecked = unchecked;
		upload_store_update(&s->store);		/* opened() follows again */
	} else
		begin_body(s);
}

static void
delete(struct upload_session *s)
{
	if (upload_store_drop(&s->store) == -1) {
		refuse(s, 500, "the server cannot delete it");
		return;
	}
	log_info("upload %s is deleted by its sender", s->store.in.id);
	begin_answer(s, 204);
	end_answer(s, 204, "");
}

static void
upload_tus_opened(struct upload_session *s, enum upload_fault fault, const char *why)
{
	if (fault != UPLOAD_OK)
		refuse(s, upload_status(fault), why);
	else if (s->tus.method == TUS_HEAD)
		answer_head(s);
	else if (s->tus.method == TUS_DELETE)
		delete(s);
	else if (s->tus.method == TUS_PATCH)
		begin_patch(s);
	else
		begin_body(s);
}

static void
upload_tus_acked(struct upload_session *s, int64_t offset)
{
	if (body.waits && offset >= s->store.written && !s->store.dirty && s->phase == UP_RECEIVING)
		answer(s);
}

static void
upload_tus_complete(struct upload_session *s)
{
	answer(s);
}

static void
upload_tus_failed(struct upload_session *s, enum upload_fault fault, const char *why)
{
	if (s->tus.sum != TUS_SUM_NONE && s->has_store && !body.ended)
		upload_store_rewind(&s->store, s->begun);
	refuse(s, upload_status(fault), why);
}

static void
upload_tus_gone(struct upload_session *s)
{
	if (s->tus.sum != TUS_SUM_NONE && s->phase == UP_RECEIVING && !body.ended)
		upload_store_rewind(&s->store, s->begun);
}

const struct upload_face upload_tus = {
	.head = upload_tus_head, .opened = upload_tus_opened, .input = upload_tus_input, .acked = upload_tus_acked,
	.complete = upload_tus_complete, .failed = upload_tus_failed, .gone = upload_tus_gone,
};
