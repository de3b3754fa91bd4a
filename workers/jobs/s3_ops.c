/*
 * s3_ops.c - the operations: which request each is, and what of its answer matters. Lists come in
 * pages; a call goes on until it has them all or its limit.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "s3_int.h"
#include "util.h"

#define IS(s) (strcmp(path, s) == 0)

static void
set_body(struct s3_call *c, const struct s3_body *b)
{
	c->body = *b;
	c->has_body = true;
}

struct s3_call *
s3_put(struct s3 *s, const char *object, const struct s3_attrs *a, const struct s3_body *b, s3_cb cb, void *ctx)
{
	struct s3_call *c = s3_call_new(s, "PUT", object, cb, ctx);

	s3_call_attrs(c, a);
	set_body(c, b);
	return s3_call_begin(c);
}

struct s3_call *
s3_head(struct s3 *s, const char *object, s3_cb cb, void *ctx)
{
	return s3_call_begin(s3_call_new(s, "HEAD", object, cb, ctx));
}

struct s3_call *
s3_delete(struct s3 *s, const char *object, s3_cb cb, void *ctx)
{
	return s3_call_begin(s3_call_new(s, "DELETE", object, cb, ctx));
}

static void
replace(char **to, const char *text)
{
	free(*to);
	*to = xstrdup(text);
}

static void
created(struct s3_call *c, const char *path, const char *text)
{
	if (IS("InitiateMultipartUploadResult/UploadId") && text[0] != '\0')
		replace(&c->result.upload_id, text);
}

struct s3_call *
s3_create(struct s3 *s, const char *object, const struct s3_attrs *a, s3_cb cb, void *ctx)
{
	struct s3_call *c = s3_call_new(s, "POST", object, cb, ctx);

	s3_call_attrs(c, a);
	s3_call_query(c, "uploads", "");
	c->element = created;
	c->once = true;
	return s3_call_begin(c);
}

struct s3_call *
s3_part(struct s3 *s, const char *object, const char *upload_id, int number, const struct s3_body *b, s3_cb cb,
    void *ctx)
{
	struct s3_call *c = s3_call_new(s, "PUT", object, cb, ctx);
	char n[16];

	snprintf(n, sizeof n, "%d", number);
	s3_call_query(c, "partNumber", n);
	s3_call_query(c, "uploadId", upload_id);
	set_body(c, b);
	return s3_call_begin(c);
}

/* Without the quotes, which some servers write as they are and some as &quot;. */
static void
bare(char *out, size_t size, const char *etag)
{
	etag += etag[0] == '"';
	str_copy(out, etag, size);
	out[strcspn(out, "\"")] = '\0';
}

/* The array grows by doubling; n is its length before. */
static void *
grown(void *array, size_t n, size_t size)
{
	return (n & (n - 1)) == 0 ? xrealloc(array, (n == 0 ? 1 : n * 2) * size) : array;
}

static int64_t
epoch_of(const char *iso)
{
	struct tm tm = { 0 };

	return strptime(iso, "%Y-%m-%dT%H:%M:%S", &tm) != NULL ? (int64_t)timegm(&tm) : 0;
}

static void
part_listed(struct s3_call *c, const char *path, const char *text)
{
	struct s3_result *r = &c->result;
	struct s3_listed_part *part = &c->part;

	if (IS("ListPartsResult/Part/PartNumber")) {
		part->number = atoi(text);
	} else if (IS("ListPartsResult/Part/Size")) {
		part->size = atoll(text);
	} else if (IS("ListPartsResult/Part/LastModified")) {
		part->modified_sec = epoch_of(text);
	} else if (IS("ListPartsResult/Part/ETag")) {
		bare(part->etag, sizeof part->etag, text);
	} else if (IS("ListPartsResult/Part")) {
		if (r->nparts < S3_PARTS_MAX && part->number >= 1 && part->number <= S3_PARTS_MAX) {
			r->parts = grown(r->parts, r->nparts, sizeof *part);
			r->parts[r->nparts++] = *part;
		}
		memset(part, 0, sizeof *part);
	} else if (IS("ListPartsResult/IsTruncated")) {
		c->truncated = strcmp(text, "true") == 0;
	} else if (IS("ListPartsResult/NextPartNumberMarker")) {
		replace(&c->next[0], text);
	}
}

/* A marker that does not move would ask for ever. */
static bool
moved(struct s3_call *c, const char *name, const char *to)
{
	for (size_t i = 0; i < c->nquery; i++)
		if (strcmp(c->query[i].name, name) == 0 && strcmp(c->query[i].value, to) == 0)
			return false;
	s3_call_query(c, name, to);
	return true;
}

static bool
more_parts(struct s3_call *c)
{
	return c->truncated && c->next[0] != NULL && c->result.nparts < S3_PARTS_MAX &&
	    moved(c, "part-number-marker", c->next[0]);
}

struct s3_call *
s3_parts(struct s3 *s, const char *object, const char *upload_id, s3_cb cb, void *ctx)
{
	struct s3_call *c = s3_call_new(s, "GET", object, cb, ctx);

	s3_call_query(c, "uploadId", upload_id);
	s3_call_query(c, "max-parts", "1000");
	c->element = part_listed;
	c->more = more_parts;
	return s3_call_begin(c);
}

static void
completed(struct s3_call *c, const char *path, const char *text)
{
	if (IS("CompleteMultipartUploadResult/ETag"))
		bare(c->result.etag, sizeof c->result.etag, text);
}

struct s3_call *
s3_complete(struct s3 *s, const char *object, const char *upload_id, const char *const *etags, int n, s3_cb cb,
    void *ctx)
{
	struct s3_call *c = s3_call_new(s, "POST", object, cb, ctx);
	size_t size = (size_t)n * (S3_ETAG + 80) + 64, at;

	c->text = xmalloc(size);
	at = (size_t)snprintf(c->text, size, "<CompleteMultipartUpload>");
	for (int i = 0; i < n; i++)
		at += (size_t)snprintf(c->text + at, size - at,
		    "<Part><PartNumber>%d</PartNumber><ETag>\"%s\"</ETag></Part>", i + 1, etags[i]);
	at += (size_t)snprintf(c->text + at, size - at, "</CompleteMultipartUpload>");
	s3_call_query(c, "uploadId", upload_id);
	set_body(c, &(struct s3_body){ .fd = -1, .text = c->text, .len = (int64_t)at,
		.content_type = "application/xml" });
	c->element = completed;
	return s3_call_begin(c);
}

struct s3_call *
s3_abort(struct s3 *s, const char *object, const char *upload_id, s3_cb cb, void *ctx)
{
	struct s3_call *c = s3_call_new(s, "DELETE", object, cb, ctx);

	s3_call_query(c, "uploadId", upload_id);
	return s3_call_begin(c);
}

/* One that is not whole, or above the limit, is dropped. */
static void
keep_upload(struct s3_call *c)
{
	struct s3_result *r = &c->result;

	if (c->upload.object != NULL && c->upload.upload_id != NULL && r->nuploads < S3_UPLOADS_MAX) {
		r->uploads = grown(r->uploads, r->nuploads, sizeof *r->uploads);
		r->uploads[r->nuploads++] = c->upload;
	} else {
		free(c->upload.object);
		free(c->upload.upload_id);
	}
	memset(&c->upload, 0, sizeof c->upload);
}

static void
upload_listed(struct s3_call *c, const char *path, const char *text)
{
	if (IS("ListMultipartUploadsResult/Upload/Key"))
		replace(&c->upload.object, text);
	else if (IS("ListMultipartUploadsResult/Upload/UploadId"))
		replace(&c->upload.upload_id, text);
	else if (IS("ListMultipartUploadsResult/Upload/Initiated"))
		c->upload.initiated_sec = epoch_of(text);
	else if (IS("ListMultipartUploadsResult/Upload"))
		keep_upload(c);
	else if (IS("ListMultipartUploadsResult/IsTruncated"))
		c->truncated = strcmp(text, "true") == 0;
	else if (IS("ListMultipartUploadsResult/NextKeyMarker"))
		replace(&c->next[0], text);
	else if (IS("ListMultipartUploadsResult/NextUploadIdMarker"))
		replace(&c->next[1], text);
}

static bool
more_uploads(struct s3_call *c)
{
	bool on;

	if (!c->truncated || c->next[0] == NULL || c->result.nuploads == S3_UPLOADS_MAX)
		return false;
	on = moved(c, "key-marker", c->next[0]);
	if (c->next[1] != NULL)
		on |= moved(c, "upload-id-marker", c->next[1]);
	return on;
}

struct s3_call *
s3_uploads(struct s3 *s, const char *prefix, s3_cb cb, void *ctx)
{
	struct s3_call *c = s3_call_new(s, "GET", NULL, cb, ctx);

	s3_call_query(c, "uploads", "");
	s3_call_query(c, "prefix", prefix);
	c->element = upload_listed;
	c->more = more_uploads;
	return s3_call_begin(c);
}
