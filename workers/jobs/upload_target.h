/* upload_target.h - where the file of an upload job goes, as the configuration has it now. */
#ifndef MILLRACE_UPLOAD_TARGET_H
#define MILLRACE_UPLOAD_TARGET_H

#include <jansson.h>

#include "workers/jobs/s3.h"

struct upload_target {
	char bucket[256], object[S3_OBJECT_MAX + 1];
};

/* conf: all of it; args: the job's. 0, or -1: the names are none, or too long. */
int upload_target(const json_t *conf, const json_t *args, struct upload_target *out);
#endif
