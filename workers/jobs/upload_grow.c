/*
 * upload_grow.c - what is different while the file is still being written: it is only appended to,
 * so parts that are whole can go; how many there will be is known at its end. Its name may be
 * taken away once it has ended: it stays open. Called by the other upload*.c and who follows it.
 */
#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "log.h"
#include "upload_int.h"

static int64_t
mtime_ns(const struct stat *st)
{
	return (int64_t)st->st_mtim.tv_sec * 1000000000 + st->st_mtim.tv_nsec;
}

bool
upload_grown_otherwise(const struct upload *u)
{
	struct stat st;

	return fstat(u->fd, &st) == -1 || st.st_size < u->file.size ||
	    (!u->growing && (st.st_size != u->file.size || mtime_ns(&st) != u->file.mtime_ns));
}

/* A crash may have cost the file some of its end. */
bool
upload_is_written(const struct upload *u, int n)
{
	return upload_plan_offset(&u->plan, n) + upload_plan_size(&u->plan, u->file.size, n) <= u->file.size;
}

/* The last one that is allowed takes all the rest, and so waits for the end. */
bool
upload_is_whole(const struct upload *u, int n)
{
	return !u->growing || (n < u->plan.parts &&
	    upload_plan_offset(&u->plan, n) + upload_plan_size(&u->plan, u->file.size, n) <= u->file.size);
}

bool
upload_count_parts(struct upload *u)
{
	char error[S3_ERROR];

	if (u->counted || u->growing)
		return true;
	u->counted = true;
	if (upload_plan_steps(u->file.size, true, u->plan.part_size, u->plan.parts, &u->plan) == 0)
		return true;
	snprintf(error, sizeof error, "%s: it became too big for one object", u->path);
	upload_give_up(u, error);
	return false;
}

void
upload_grown(struct upload *u, bool ended)
{
	struct stat st;

	if (u->fd == -1) {		/* it has not begun */
		u->growing = u->growing && !ended;
		return;
	}
	if (!u->growing || fstat(u->fd, &st) == -1)
		return;
	if (st.st_size < u->file.size) {
		u->file.size = st.st_size;
		u->growing = !ended;
		return upload_restart(u, "the file became shorter");
	}
	u->file.size = st.st_size;
	u->growing = !ended;
	if (ended)
		u->file.mtime_ns = mtime_ns(&st);
	if (u->sending)
		upload_pump(u);
}
