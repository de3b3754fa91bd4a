/*
 * upload_abort.c - takes off the server what an upload left there, by its checkpoint, then goes
 * on with `after`: a multipart upload is aborted, chunks are deleted. A checkpoint without an
 * upload id means that a create may have worked: then whatever is open for this key is ours. Of a
 * file that grows the object goes, too, and last: it may have been completed, and nobody lived to
 * note it. What is in another bucket than this one is not touched: the same names may be there.
 * The checkpoint goes last, so that a kill in between leaves the next run the same work.
 */
#include <stdlib.h>
#include <string.h>

#include "log.h"
#include "upload_int.h"
#include "util.h"

static void next_stale(struct upload *u);

static void
over(struct upload *u)
{
	upload_forget(u);
	u->after(u);
}

static void
stale_cb(const struct s3_result *r, void *ctx)
{
	struct upload_try *t = ctx;
	struct upload *u = t->u;

	t->call = NULL;
	if (r->verdict != S3_OK && r->verdict != S3_GONE)
		return upload_failed(t, r);
	u->nstale--;
	free(u->stale[u->nstale].object);
	free(u->stale[u->nstale].upload_id);
	next_stale(u);
}

/* Without an upload id it is an object: a chunk. */
static void
stale_go(struct upload_try *t)
{
	struct upload *u = t->u;
	const struct s3_listed_upload *s = &u->stale[u->nstale - 1];

	t->call = s->upload_id != NULL ? s3_abort(u->s3, s->object, s->upload_id, stale_cb, t) :
	    s3_delete(u->s3, s->object, stale_cb, t);
}

static void
next_stale(struct upload *u)
{
	if (u->nstale == 0)
		over(u);
	else
		upload_step(u, stale_go);
}

static void
add_stale(struct upload *u, char *object, char *upload_id)
{
	u->stale = xrealloc(u->stale, (u->nstale + 1) * sizeof *u->stale);
	u->stale[u->nstale++] = (struct s3_listed_upload){ .object = object, .upload_id = upload_id };
}

static void
found_cb(const struct s3_result *r, void *ctx)
{
	struct upload_try *t = ctx;
	struct upload *u = t->u;

	t->call = NULL;
	if (r->verdict != S3_OK && r->verdict != S3_GONE)
		return upload_failed(t, r);
	for (size_t i = 0; i < r->nuploads; i++)
		if (strcmp(r->uploads[i].object, upload_check_str(u->check, "object")) == 0)
			add_stale(u, xstrdup(r->uploads[i].object), xstrdup(r->uploads[i].upload_id));
	next_stale(u);
}

static void
find_go(struct upload_try *t)
{
	t->call = s3_uploads(t->u->s3, upload_check_str(t->u->check, "object"), found_cb, t);
}

static void
elsewhere_cb(const struct s3_result *r, void *ctx)
{
	struct upload_try *t = ctx;
	struct upload *u = t->u;

	t->call = NULL;
	if (r->verdict == S3_RETRY || strcmp(r->code, "NoSuchBucket") == 0)
		return upload_failed(t, r);
	UPLOAD_LOG(u, log_warnx, "upload: what went up of %s to bucket %s at %s stays there: another is configured",
	    upload_check_str(u->check, "object"), upload_check_str(u->check, "bucket"),
	    upload_check_str(u->check, "endpoint"));
	over(u);
}

/* If this one is there at all: else it is a mistake that will be mended, and the other is gone on with. */
static void
elsewhere_go(struct upload_try *t)
{
	t->call = s3_uploads(t->u->s3, upload_check_str(t->u->check, "object"), elsewhere_cb, t);
}

static void
add_chunks(struct upload *u)
{
	const char *object = upload_check_str(u->check, "object"), *n;
	json_t *part;

	json_object_foreach(json_object_get(u->check, "parts"), n, part)
		add_stale(u, upload_chunk_name(object, atoi(n)), NULL);
}

void
upload_abort(struct upload *u, void (*after)(struct upload *))
{
	const char *id = upload_check_str(u->check, "upload_id");

	u->after = after;
	if (u->check == NULL)
		return after(u);
	if (upload_is_elsewhere(u))
		return upload_step(u, elsewhere_go);
	if (id[0] == '\0')
		return upload_step(u, find_go);
	/* the last of the list goes first */
	if (upload_check_int(u->check, "grows") > 0)
		add_stale(u, xstrdup(upload_check_str(u->check, "object")), NULL);
	if (strcmp(id, UPLOAD_IS_CHUNKS) == 0)
		add_chunks(u);
	else if (strcmp(id, UPLOAD_IS_WHOLE) != 0)
		add_stale(u, xstrdup(upload_check_str(u->check, "object")), xstrdup(id));
	next_stale(u);
}

static void
discarded(struct upload *u)
{
	upload_end(u, UPLOAD_DONE, "");
}

static void
discard_cb(struct upload_try *t)
{
	upload_abort(t->u, discarded);
}

struct upload *
upload_discard(struct event_base *base, struct s3 *s3, const struct upload_params *p, upload_done_cb done, void *ctx)
{
	struct upload *u = upload_new(base, s3, p, NULL, done, ctx);

	upload_soon(u, discard_cb);
	return u;
}
