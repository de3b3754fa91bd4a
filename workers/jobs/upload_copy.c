/*
 * upload_copy.c - a checkpoint as a hash in Redis (contract in upload_copy.h): one field per part,
 * written when the part is done. The disk's is the one that counts; this is read where that is
 * not there. Called by upload_kind.c.
 */
#include "workers/jobs/upload_copy.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "util.h"
#include "workers/common/keys.h"
#include "workers/jobs/s3.h"
#include "workers/jobs/upload_check.h"
#include "workers/jobs/upload_plan.h"

#define COMMON 5

static const char *const numbers[COMMON - 1] = { "size", "mtime_ns", "inode", "part_size" };

struct upload_copy {
	upload_copy_cb cb;		/* NULL: forgotten */
	void *ctx;
	bool *answered;			/* before upload_copy_get() returned */
};

void
upload_copy_part(struct redis *r, const char *prefix, const char *id, const json_t *check, int n)
{
	const json_t *part = upload_check_find(check, n);
	char key[KEY_BYTES], values[COMMON - 1][24], field[16], what[S3_ETAG + S3_SHA256_HEX + 32];
	const char *argv[4 + 2 * (COMMON + 1)] = { "HSET", key_make(key, prefix, KEY_UPLOAD, id) };
	int argc = 2;

	for (int i = 0; i < COMMON - 1; i++) {
		snprintf(values[i], sizeof(values[i]), "%lld", (long long)upload_check_int(check, numbers[i]));
		argv[argc++] = numbers[i];
		argv[argc++] = values[i];
	}
	argv[argc++] = "object";
	argv[argc++] = upload_check_str(check, "object");
	argv[argc++] = "upload_id";
	argv[argc++] = upload_check_str(check, "upload_id");
	if (part != NULL) {
		snprintf(field, sizeof(field), "%d", n);
		snprintf(what, sizeof(what), "%s %lld %s", upload_check_str(part, "etag"),
		    (long long)upload_check_int(part, "size"), upload_check_str(part, "sha256"));
		argv[argc++] = field;
		argv[argc++] = what;
	}
	redis_command(r, argc, argv, NULL, NULL);
}

void
upload_copy_drop(struct redis *r, const char *prefix, const char *id)
{
	char key[KEY_BYTES];
	const char *argv[] = { "DEL", key_make(key, prefix, KEY_UPLOAD, id) };

	redis_command(r, 2, argv, NULL, NULL);
}

static void
add_part(json_t *check, int n, const char *text)
{
	char etag[S3_ETAG], sha256[S3_SHA256_HEX];
	long long size;

	if (sscanf(text, "%127s %lld %64s", etag, &size, sha256) == 3)
		upload_check_part(check, n, etag, size, sha256);
}

/* reply: {field, value, field, value, ...}. NULL: it is none. */
static json_t *
check_of(const json_t *reply)
{
	json_t *check = json_pack("{s:{}}", "parts"), *valid;
	const char *field, *value;
	int n;

	for (size_t i = 0; i + 1 < json_array_size(reply); i += 2) {
		field = json_string_value(json_array_get(reply, i));
		value = json_string_value(json_array_get(reply, i + 1));
		if (field == NULL || value == NULL)
			continue;
		n = atoi(field);
		if (n > 0 && n <= UPLOAD_PARTS_MAX)
			add_part(check, n, value);
		else if (strcmp(field, "object") == 0 || strcmp(field, "upload_id") == 0)
			json_object_set_new(check, field, json_string(value));
		else
			json_object_set_new(check, field, json_integer(strtoll(value, NULL, 10)));
	}
	valid = upload_check_valid(check);
	json_decref(check);
	return valid;
}

static void
got_cb(int rc, json_t *reply, const char *error, void *ctx)
{
	struct upload_copy *c = ctx;
	json_t *check = rc == 0 ? check_of(reply) : NULL;

	if (c->answered != NULL)
		*c->answered = true;
	if (c->cb != NULL)
		c->cb(check, c->ctx);
	json_decref(check);
	free(c);
}

struct upload_copy *
upload_copy_get(struct redis *r, const char *prefix, const char *id, upload_copy_cb cb, void *ctx)
{
	struct upload_copy *c = xcalloc(1, sizeof(*c));
	char key[KEY_BYTES];
	const char *argv[] = { "HGETALL", key_make(key, prefix, KEY_UPLOAD, id) };
	bool answered = false;

	*c = (struct upload_copy){ cb, ctx, &answered };
	redis_command(r, 2, argv, got_cb, c);
	if (answered)
		return NULL;
	c->answered = NULL;
	return c;
}

void
upload_copy_forget(struct upload_copy **cp)
{
	if (*cp != NULL)
		(*cp)->cb = NULL;
	*cp = NULL;
}
