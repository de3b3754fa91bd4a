/*
 * upload_plan.c - how a file is cut into parts: as configured while max_parts of those hold it,
 * in greater ones above. Called by upload.c. Pure: a second run of the same file with
 * the same configuration cuts it in the same places, which resuming relies on.
 */
#include <errno.h>

#include "upload_plan.h"

#define MIB ((int64_t)1 << 20)

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
	out->parts = size == 0 ? 1 : (int)((size + part - 1) / part);
	return 0;
}

int64_t
upload_plan_offset(const struct upload_plan *p, int n)
{
	return (n - 1) * p->part_size;
}

int64_t
upload_plan_size(const struct upload_plan *p, int64_t size, int n)
{
	return n < p->parts ? p->part_size : size - upload_plan_offset(p, n);
}
