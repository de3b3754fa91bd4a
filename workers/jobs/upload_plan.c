/*
 * upload_plan.c - how a file is cut into parts: as configured while max_parts of those hold it,
 * in greater ones above. Called by upload.c. Pure: a second run of the same file with
 * the same configuration cuts it in the same places, which resuming relies on.
 */
#include <errno.h>

#include "upload_plan.h"

#define MIB ((int64_t)1 << 20)
#define STEPS 10	/* 16 MiB and 1000 parts: up to 1.2 TiB */

int
upload_plan(int64_t size, int64_t configured, int max_parts, struct upload_plan *out)
{
	int64_t part = configured < UPLOAD_PART_MIN ? UPLOAD_PART_MIN : configured, least;

	if (max_parts < 1 || max_parts > UPLOAD_PARTS_MAX)
		max_parts = UPLOAD_PARTS_MAX;
	least = size / max_parts + (size % max_parts != 0);
	if (part < least)
		part = (least + MIB - 1) / MIB * MIB;
	if (size < 0 || part > UPLOAD_PART_MAX) {
		errno = EFBIG;
		return -1;
	}
	out->part_size = part;
	out->step = 0;
	out->parts = size == 0 ? 1 : (int)((size + part - 1) / part);
	return 0;
}

/* Of a part that is not the last. */
static int64_t
step_size(const struct upload_plan *p, int n)
{
	int64_t size = p->part_size;

	for (int k = p->step > 0 ? (n - 1) / p->step : 0; k > 0 && size < UPLOAD_PART_MAX; k--)
		size *= 2;
	return size < UPLOAD_PART_MAX ? size : UPLOAD_PART_MAX;
}

int
upload_plan_steps(int64_t size, bool ended, int64_t configured, int max_parts, struct upload_plan *out)
{
	if (max_parts < 1 || max_parts > UPLOAD_PARTS_MAX)
		max_parts = UPLOAD_PARTS_MAX;
	out->part_size = configured < UPLOAD_PART_MIN ? UPLOAD_PART_MIN : configured;
	out->step = max_parts < STEPS ? 1 : max_parts / STEPS;
	out->parts = max_parts;
	if (!ended)
		return 0;
	for (out->parts = 1; out->parts < max_parts; out->parts++)
		if (upload_plan_offset(out, out->parts + 1) >= size)
			break;
	if (size - upload_plan_offset(out, out->parts) <= UPLOAD_PART_MAX)
		return 0;
	errno = EFBIG;
	return -1;
}

int64_t
upload_plan_offset(const struct upload_plan *p, int n)
{
	int64_t at = 0;
	int done = 0;

	if (p->step == 0)
		return (n - 1) * p->part_size;
	for (; done + p->step < n; done += p->step)
		at += p->step * step_size(p, done + 1);
	return at + (n - 1 - done) * step_size(p, done + 1);
}

int64_t
upload_plan_size(const struct upload_plan *p, int64_t size, int n)
{
	return n < p->parts ? step_size(p, n) : size - upload_plan_offset(p, n);
}
