/*
 * upload_step.c - the requests that an upload makes once, in their order:
 *
 *	look (HEAD: is it there already?) -> what is left of an earlier run: list its parts, or abort it
 *	-> create -> parts (upload_parts.c) -> complete -> verify (HEAD) -> done
 *
 * A file of one part, if it does not grow, goes by a single PUT instead. Chunks are never created nor completed, but
 * described by metadata.json, which comes last and so says that all is there.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "log.h"
#include "upload_int.h"
#include "util.h"

/* The object that says that all is there. free() */
static char *
last_object(const struct upload *u)
{
	return u->p.layout == UPLOAD_CHUNKS ? xasprintf("%s/metadata.json", u->object) : xstrdup(u->object);
}

static struct s3_attrs
attrs(const struct upload *u)
{
	return (struct s3_attrs){ .content_type = u->content_type, .sha256 = u->sha256, .token = u->token };
}

/* Ours, and this content: by its hash where both know it, else by the token. */
static bool
is_ours(const struct upload *u, const struct s3_result *r)
{
	if (u->p.layout == UPLOAD_CHUNKS)
		return strcmp(r->token, u->token) == 0;
	if (r->size != u->file.size)
		return false;
	if (u->sha256[0] != '\0' && r->sha256[0] != '\0')
		return strcmp(u->sha256, r->sha256) == 0;
	return strcmp(r->token, u->token) == 0;
}

/* What we were told at the end of sending is what lies there; some servers tell nothing then. */
static bool
same_etag(const struct upload *u, const struct s3_result *r)
{
	return u->etag[0] == '\0' || r->etag[0] == '\0' || strcmp(u->etag, r->etag) == 0;
}

static void
verified(struct upload *u, const struct s3_result *r)
{
	str_copy(u->etag, r->etag, sizeof u->etag);
	if (upload_changed(u))
		return upload_restart(u, "the file changes");
	if (!u->p.grows)		/* else its owner notes that it is there, and then forgets */
		upload_forget(u);
	u->safe_bytes = u->file.size;
	upload_report(u, 0);
	upload_end(u, UPLOAD_DONE, "");
}

static void
verify_cb(const struct s3_result *r, void *ctx)
{
	struct upload_try *t = ctx;
	struct upload *u = t->u;

	t->call = NULL;
	if (r->verdict == S3_OK && is_ours(u, r) && same_etag(u, r))
		verified(u, r);
	else if (r->verdict == S3_OK || r->verdict == S3_GONE)
		upload_restart(u, "what is in the bucket is not what was sent");
	else
		upload_failed(t, r);
}

static void
verify_go(struct upload_try *t)
{
	char *object = last_object(t->u);

	t->call = s3_head(t->u->s3, object, verify_cb, t);
	free(object);
}

static void
verify(struct upload *u)
{
	upload_step(u, verify_go);
}

/* NoSuchUpload after a complete whose answer was lost: it may well have worked. */
static void
complete_cb(const struct s3_result *r, void *ctx)
{
	struct upload_try *t = ctx;

	t->call = NULL;
	str_copy(t->u->etag, r->etag, sizeof t->u->etag);
	if (r->verdict == S3_OK || (r->verdict == S3_GONE && strcmp(r->code, "InvalidPart") != 0))
		verify(t->u);
	else
		upload_failed(t, r);
}

static void
complete_go(struct upload_try *t)
{
	struct upload *u = t->u;
	struct s3_attrs json = { .content_type = "application/json", .token = u->token };
	struct s3_body body = { .fd = -1 };
	char *object;

	if (u->p.layout == UPLOAD_OBJECT) {
		t->call = s3_complete(u->s3, u->object, upload_check_str(u->check, "upload_id"),
		    (const char *const *)u->etags, u->plan.parts, complete_cb, t);
		return;
	}
	object = last_object(u);
	free(u->metadata);
	body.text = u->metadata = upload_chunk_metadata(u);
	body.len = (int64_t)strlen(u->metadata);
	t->call = s3_put(u->s3, object, &json, &body, complete_cb, t);
	free(object);
}

void
upload_complete(struct upload *u)
{
	u->sending = false;
	if (upload_changed(u))
		return upload_restart(u, "the file changes");
	upload_step(u, complete_go);
}

/* The whole file in one request. */
static void
whole_cb(const struct s3_result *r, void *ctx)
{
	struct upload_try *t = ctx;

	t->call = NULL;
	str_copy(t->u->etag, r->etag, sizeof t->u->etag);
	if (r->verdict == S3_OK)
		verify(t->u);
	else
		upload_failed(t, r);
}

static void
whole_go(struct upload_try *t)
{
	struct upload *u = t->u;
	struct s3_body body = { .fd = u->fd, .len = u->file.size };
	struct s3_attrs a = attrs(u);

	t->call = s3_put(u->s3, u->object, &a, &body, whole_cb, t);
}

static void fresh(struct upload *u);

static void
create_again(struct upload_try *t)
{
	upload_abort(t->u, fresh);
}

static void
create_cb(const struct s3_result *r, void *ctx)
{
	struct upload_try *t = ctx;
	struct upload *u = t->u;

	t->call = NULL;
	/* It may have worked although the answer was lost: what is open is looked for before the next try. */
	t->go = create_again;
	if (r->verdict == S3_RETRY && ++u->creates >= u->p.attempts)
		return upload_end(u, UPLOAD_LATER, r->error);
	if (r->verdict != S3_OK)
		return upload_failed(t, r);
	json_object_set_new(u->check, "upload_id", json_string(r->upload_id));
	if (upload_save(u) == 0)
		upload_pump(u);
}

static void
create_go(struct upload_try *t)
{
	struct upload *u = t->u;
	struct s3_attrs a = attrs(u);

	t->call = s3_create(u->s3, u->object, &a, create_cb, t);
}

/* Whose it is, and where; one that is gone on with may be from before, or from Redis. */
static void
sign(const struct upload *u, json_t *check)
{
	json_object_set_new(check, "path", json_string(u->path));
	json_object_set_new(check, "owner", json_string(u->owner));
	json_object_set_new(check, "endpoint", json_string(s3_endpoint(u->s3)));
	json_object_set_new(check, "bucket", json_string(s3_bucket(u->s3)));
}

static json_t *
new_check(const struct upload *u, const char *upload_id)
{
	struct upload_file f = { .inode = u->file.inode };
	json_t *check = upload_check_new(u->object, upload_id, u->p.grows ? &f : &u->file, u->plan.part_size);

	if (u->p.grows)
		json_object_set_new(check, "grows", json_integer(u->p.max_parts));
	sign(u, check);
	return check;
}

/* The checkpoint comes before the upload: a kill between the two leaves a hint, not a secret. */
static void
fresh(struct upload *u)
{
	bool chunks = u->p.layout == UPLOAD_CHUNKS, whole = u->counted && u->plan.parts == 1 && !chunks;

	if (whole && !u->p.grows)
		return upload_step(u, whole_go);
	json_decref(u->check);
	u->check = new_check(u, whole ? UPLOAD_IS_WHOLE : chunks ? UPLOAD_IS_CHUNKS : "");
	if (upload_save(u) == -1)
		return;
	if (whole)
		return upload_step(u, whole_go);
	if (chunks)
		upload_pump(u);
	else
		upload_step(u, create_go);
}

/* A part counts if the server has it as the checkpoint says. */
static void
take_over(struct upload *u, const struct s3_result *r)
{
	for (size_t i = 0; i < r->nparts; i++) {
		const struct s3_listed_part *p = &r->parts[i];
		const json_t *known = upload_check_find(u->check, p->number);

		if (p->number <= u->plan.parts && upload_is_written(u, p->number) && known != NULL &&
		    strcmp(upload_check_str(known, "etag"), p->etag) == 0 &&
		    upload_check_int(known, "size") == p->size &&
		    p->size == upload_plan_size(&u->plan, u->file.size, p->number))
			upload_part_known(u, p->number, p->etag);
	}
	u->resumed = u->finished;
	UPLOAD_LOG(u, log_info, "upload: %s goes on: %d parts are there", u->object, u->finished);
	upload_pump(u);
}

static void
list_cb(const struct s3_result *r, void *ctx)
{
	struct upload_try *t = ctx;

	t->call = NULL;
	if (r->verdict == S3_OK)
		return take_over(t->u, r);
	if (r->verdict != S3_GONE)
		return upload_failed(t, r);
	upload_forget(t->u);
	fresh(t->u);
}

static void
list_go(struct upload_try *t)
{
	t->call = s3_parts(t->u->s3, t->u->object, upload_check_str(t->u->check, "upload_id"), list_cb, t);
}

/* Chunks are objects: what was answered is there. */
static void
take_over_chunks(struct upload *u)
{
	const json_t *known;

	for (int n = 1; n <= u->plan.parts; n++)
		if ((known = upload_check_find(u->check, n)) != NULL)
			upload_part_known(u, n, upload_check_str(known, "etag"));
	u->resumed = u->finished;
	upload_pump(u);
}

static void
go_on(struct upload *u)
{
	if (u->check == NULL)
		return fresh(u);
	if (!upload_fits(u) || upload_check_str(u->check, "upload_id")[0] == '\0' ||
	    u->plan.part_size != upload_check_int(u->check, "part_size"))
		return upload_abort(u, fresh);
	sign(u, u->check);
	if (u->p.layout == UPLOAD_CHUNKS)
		take_over_chunks(u);
	else if (strcmp(upload_check_str(u->check, "upload_id"), UPLOAD_IS_WHOLE) == 0)
		fresh(u);
	else
		upload_step(u, list_go);
}

/* It may be there since a run whose end nobody heard of. */
static void
look_cb(const struct s3_result *r, void *ctx)
{
	struct upload_try *t = ctx;
	struct upload *u = t->u;

	t->call = NULL;
	if (r->verdict == S3_OK && is_ours(u, r)) {
		str_copy(u->etag, r->etag, sizeof u->etag);
		u->resumed = u->plan.parts;
		if (u->p.layout == UPLOAD_CHUNKS || u->p.grows)
			verify(u);
		else
			upload_abort(u, verify);
	} else if (r->verdict == S3_OK || r->verdict == S3_GONE || (r->status == 403 && r->code[0] == '\0')) {
		/* AWS says 403 where there is nothing and the key may not list; and a HEAD has no reason in it. */
		go_on(u);
	} else {
		upload_failed(t, r);
	}
}

static void
look_go(struct upload_try *t)
{
	char *object = last_object(t->u);

	t->call = s3_head(t->u->s3, object, look_cb, t);
	free(object);
}

void
upload_look(struct upload *u)
{
	upload_step(u, look_go);
}
