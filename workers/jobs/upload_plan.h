/*
 * upload_plan.h - how a file is cut into parts: all alike, or, while nobody knows how long it will
 * be, in steps: a tenth of the allowed parts of one size, the next tenth of twice that. Pure.
 */
#ifndef MILLRACE_UPLOAD_PLAN_H
#define MILLRACE_UPLOAD_PLAN_H

#include <stdbool.h>
#include <stdint.h>

#define UPLOAD_PART_MIN ((int64_t)5 << 20)	/* S3's, for every part but the last */
#define UPLOAD_PART_MAX ((int64_t)5 << 30)	/* S3's */
#define UPLOAD_PARTS_MAX 10000			/* S3's; many servers allow 1000 only */

struct upload_plan {
	int64_t part_size;
	int parts;		/* 1 for an empty file, too: one object of 0 bytes; while it grows: as many as may be */
	int step;		/* parts of one size, the next ones are twice as big; 0: all are alike */
};

/*
 * configured: storage.s3.part_size; grown by whole MiB until max_parts of them hold the file.
 * 0, or -1 EFBIG.
 */
int upload_plan(int64_t size, int64_t configured, int max_parts, struct upload_plan *out);
/*
 * Of a file that grows. With ended its parts are counted, and the last takes all the rest: what the
 * steps before gave is where it was. 0, or -1 EFBIG.
 */
int upload_plan_steps(int64_t size, bool ended, int64_t configured, int max_parts, struct upload_plan *out);
/* Part n counts from 1. */
int64_t upload_plan_offset(const struct upload_plan *p, int n);
int64_t upload_plan_size(const struct upload_plan *p, int64_t size, int n);
#endif
