/*
 * tus_head.c - see tus_head.h; the MUSTs of the protocol's core and of creation, termination,
 * checksum and expiration, as far as a head can break them. Called by upload_tus.c.
 */
#include "tus_head.h"

#include <nettle/base64.h>
#include <string.h>
#include <strings.h>

#include "stream_name.h"
#include "util.h"

#define BODY_TYPE "application/offset+octet-stream"

static const struct { const char *name; enum tus_method method; unsigned number; } methods[] = {
	{ "OPTIONS", TUS_OPTIONS, HTTP_OPTIONS }, { "POST", TUS_CREATE, HTTP_POST }, { "HEAD", TUS_HEAD, HTTP_HEAD },
	{ "PATCH", TUS_PATCH, HTTP_PATCH }, { "DELETE", TUS_DELETE, HTTP_DELETE },
};
#define NMETHODS (sizeof(methods) / sizeof(methods[0]))

/* For clients behind something that knows GET and POST only, the override is what counts. */
static int
find_method(const struct request *r, enum tus_method *out)
{
	const char *override = request_field(r, FIELD_X_HTTP_METHOD_OVERRIDE);

	for (size_t i = 0; i < NMETHODS; i++)
		if (override != NULL ? strcasecmp(override, methods[i].name) == 0 :
		    request_method(r) == methods[i].number) {
			*out = methods[i].method;
			return 0;
		}
	return -1;
}

/* -1: absent; -2: no such number. */
static int64_t
number(const struct request *r, enum request_field f)
{
	const char *s = request_field(r, f);
	int64_t n = 0;

	if (s == NULL)
		return -1;
	if (*s == '\0' || strlen(s) > 18 || strspn(s, "0123456789") != strlen(s))
		return -2;
	for (; *s != '\0'; s++)
		n = n * 10 + (*s - '0');
	return n;
}

/* /upload, /upload/, /upload/NAME, /upload/ID: what stands behind. */
static const char *
behind(const struct request *r)
{
	const char *path = request_path(r) + strlen("/upload");

	return *path == '/' ? path + 1 : path;
}

/* One value of Upload-Metadata, decoded, made fit to be shown. */
static void
show_value(const char *text, size_t len, char *out, size_t size)
{
	struct base64_decode_ctx ctx;
	uint8_t raw[INTAKE_META];
	size_t n = sizeof(raw), used, at = 0;

	base64_decode_init(&ctx);
	if (BASE64_DECODE_LENGTH(len) > sizeof(raw) || base64_decode_update(&ctx, &n, raw, len, text) != 1 ||
	    base64_decode_final(&ctx) != 1)
		return;
	for (size_t i = 0; i < n; i += used) {
		used = utf8_sequence(raw + i, n - i);
		if (used == 0 || raw[i] < ' ' || raw[i] == 127) {
			used = used == 0 ? 1 : used;
			continue;
		}
		if (at + used >= size)
			break;
		memcpy(out + at, raw + i, used);
		at += used;
	}
	out[at] = '\0';
}

/* "key base64,key base64,key": keys are ASCII, each once. */
static int
read_meta(const char *meta, struct tus_head *out)
{
	size_t pair, key;

	if (strlen(meta) >= sizeof(out->meta))
		return -1;
	str_copy(out->meta, meta, sizeof(out->meta));
	for (const char *p = meta; *p != '\0'; p += pair + (p[pair] == ',')) {
		p += strspn(p, " ");
		pair = strcspn(p, ",");
		key = strcspn(p, " ,");
		if (key == 0)
			return -1;
		for (size_t i = 0; i < pair; i++)
			if ((unsigned char)p[i] <= ' ' ? p[i] != ' ' : (unsigned char)p[i] > 126)
				return -1;
		if (key < pair && ((key == 8 && strncmp(p, "filename", 8) == 0) ||
		    (key == 4 && strncmp(p, "name", 4) == 0 && out->file[0] == '\0')))
			show_value(p + key + 1, pair - key - 1, out->file, sizeof(out->file));
	}
	return 0;
}

static int
read_checksum(const char *text, struct tus_head *out)
{
	static const struct { const char *name; enum tus_sum sum; size_t len; } sums[] = {
		{ "sha1 ", TUS_SUM_SHA1, 20 }, { "sha256 ", TUS_SUM_SHA256, 32 }, { "md5 ", TUS_SUM_MD5, 16 },
	};
	struct base64_decode_ctx ctx;
	uint8_t raw[64];
	size_t n = sizeof(raw), i, name;

	for (i = 0; i < 3 && strncmp(text, sums[i].name, strlen(sums[i].name)) != 0; i++)
		;
	if (i == 3)
		return -1;
	name = strlen(sums[i].name);
	base64_decode_init(&ctx);
	if (strlen(text + name) > 60 || base64_decode_update(&ctx, &n, raw, strlen(text + name), text + name) != 1 ||
	    base64_decode_final(&ctx) != 1 || n != sums[i].len)
		return -1;
	out->sum = sums[i].sum;
	out->digest_len = n;
	memcpy(out->digest, raw, n);
	return 0;
}

static bool
has_body(const struct request *r)
{
	return request_field(r, FIELD_TRANSFER_ENCODING) != NULL || number(r, FIELD_CONTENT_LENGTH) > 0;
}

static bool
is_body_type(const struct request *r)
{
	const char *type = request_field(r, FIELD_CONTENT_TYPE);

	return type != NULL && strncasecmp(type, BODY_TYPE, strlen(BODY_TYPE)) == 0 &&
	    strchr(" \t;", type[strlen(BODY_TYPE)]) != NULL;
}

static int
check_lengths(const struct request *r, struct tus_head *out, const char **why)
{
	const char *defer = request_field(r, FIELD_UPLOAD_DEFER_LENGTH);

	out->length = number(r, FIELD_UPLOAD_LENGTH);
	out->deferred = defer != NULL;
	*why = "Upload-Length is not a number of bytes.\n";
	if (out->length == -2)
		return 400;
	*why = "Upload-Defer-Length can only be 1, and not beside Upload-Length.\n";
	if (defer != NULL && (strcmp(defer, "1") != 0 || out->length >= 0))
		return 400;
	return 0;
}

static int
check_create(const struct request *r, struct tus_head *out, const char **why)
{
	const char *name = behind(r), *meta = request_field(r, FIELD_UPLOAD_METADATA);
	int rc = check_lengths(r, out, why);

	if (rc != 0)
		return rc;
	*why = "An upload begins with Upload-Length, or Upload-Defer-Length: 1.\n";
	if (out->length < 0 && !out->deferred)
		return 400;
	*why = "The name behind /upload/ is not one a stream can have: A-Z a-z 0-9 . _ -, at most 64.\n";
	if (name[0] != '\0' && !stream_name_ok(name, strlen(name)))
		return 400;
	str_copy(out->name, name, sizeof(out->name));
	*why = "Upload-Metadata is not a list of ASCII keys and base64 values, of at most 2047 bytes in all.\n";
	if (meta != NULL && read_meta(meta, out) < 0)
		return 400;
	*why = "A body of an upload has the Content-Type " BODY_TYPE ".\n";
	return out->has_body && !is_body_type(r) ? 415 : 0;
}

static int
check_patch(const struct request *r, struct tus_head *out, const char **why)
{
	*why = "A body of an upload has the Content-Type " BODY_TYPE ".\n";
	if (!is_body_type(r))
		return 415;
	out->offset = number(r, FIELD_UPLOAD_OFFSET);
	*why = "A PATCH has an Upload-Offset, which is a number of bytes.\n";
	if (out->offset < 0)
		return 400;
	return check_lengths(r, out, why);
}

static int
check_id(const struct request *r, struct tus_head *out, const char **why)
{
	*why = "There is no such upload here.\n";
	if (!intake_id_ok(behind(r)))
		return 404;
	str_copy(out->id, behind(r), sizeof(out->id));
	return 0;
}

int
tus_head_parse(const struct request *r, struct tus_head *out, const char **why)
{
	const char *version = request_field(r, FIELD_TUS_RESUMABLE), *sum = request_field(r, FIELD_UPLOAD_CHECKSUM);
	int rc;

	memset(out, 0, sizeof(*out));
	out->length = out->offset = -1;
	*why = "Uploads know OPTIONS, POST, HEAD, PATCH and DELETE.\n";
	if (find_method(r, &out->method) < 0)
		return 405;
	if (out->method == TUS_OPTIONS)		/* its version is none of ours to look at */
		return 0;
	*why = "This server speaks tus " TUS_VERSION ": Tus-Resumable: " TUS_VERSION "\n";
	if (version == NULL || strcmp(version, TUS_VERSION) != 0)
		return 412;
	out->has_body = has_body(r);
	*why = "Upload-Checksum is sha1, sha256 or md5 and the digest in base64.\n";
	if (sum != NULL && read_checksum(sum, out) < 0)
		return 400;
	if (out->method == TUS_CREATE)
		return check_create(r, out, why);
	rc = check_id(r, out, why);
	return rc != 0 || out->method != TUS_PATCH ? rc : check_patch(r, out, why);
}
