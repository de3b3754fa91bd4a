/*
 * upload_parts.c - the parts: `concurrency` of them in flight, each tried on its own. A part counts
 * once its answer is in the checkpoint, on disk. The file is looked at before and after each.
 * Of a file that grows only whole parts go, until it has ended; then the rest is the last one.
 */
#include <stdlib.h>
#include <string.h>

#include "log.h"
#include "upload_int.h"
#include "util.h"

static void part_go(struct upload_try *t);

void
upload_part_known(struct upload *u, int n, const char *etag)
{
	if (u->etags[n - 1] != NULL)
		return;
	u->etags[n - 1] = xstrdup(etag);
	u->finished++;
	u->safe_bytes += upload_plan_size(&u->plan, u->file.size, n);
}

static void
part_done(struct upload_try *t, const struct s3_result *r)
{
	struct upload *u = t->u;
	int n = t->part;

	if (upload_changed(u))
		return upload_restart(u, "the file changes");
	upload_part_known(u, n, r->etag);
	upload_check_part(u->check, n, r->etag, upload_plan_size(&u->plan, u->file.size, n), r->sha256);
	t->part = 0;
	t->attempts = 0;
	u->flying--;
	if (upload_save(u) == -1)
		return;
	if (u->growing)
		UPLOAD_LOG(u, log_info, "upload: part %d of %s is done, it grows", n, u->object);
	else
		UPLOAD_LOG(u, log_info, "upload: part %d of %d of %s is done", n, u->plan.parts, u->object);
	upload_report(u, n);
	upload_pump(u);
}

static void
part_cb(const struct s3_result *r, void *ctx)
{
	struct upload_try *t = ctx;

	t->call = NULL;
	if (r->verdict == S3_OK)
		part_done(t, r);
	else
		upload_failed(t, r);
}

static void
part_go(struct upload_try *t)
{
	struct upload *u = t->u;
	struct s3_body body = { .fd = u->fd, .offset = upload_plan_offset(&u->plan, t->part),
		.len = upload_plan_size(&u->plan, u->file.size, t->part) };
	char *chunk;

	if (u->p.layout == UPLOAD_OBJECT) {
		t->call = s3_part(u->s3, u->object, upload_check_str(u->check, "upload_id"), t->part, &body,
		    part_cb, t);
		return;
	}
	chunk = upload_chunk_name(u->object, t->part);
	t->call = s3_put(u->s3, chunk, &(struct s3_attrs){ .token = u->token }, &body, part_cb, t);
	free(chunk);
}

static int
next_part(struct upload *u)
{
	while (u->next <= u->plan.parts && u->etags[u->next - 1] != NULL)
		u->next++;
	return u->next <= u->plan.parts && upload_is_whole(u, u->next) ? u->next++ : 0;
}

/* Fills free places; after the last part the whole is completed. */
void
upload_pump(struct upload *u)
{
	u->sending = true;
	if (!upload_count_parts(u))
		return;
	if (!u->growing && u->finished == u->plan.parts)
		return upload_complete(u);
	if (upload_changed(u))
		return upload_restart(u, "the file changes");
	for (int i = 0; i < u->p.concurrency; i++) {
		struct upload_try *t = &u->flights[i];

		if (t->part != 0)
			continue;
		if ((t->part = next_part(u)) == 0)
			return;
		u->flying++;
		t->go = part_go;
		part_go(t);
	}
}
