/* target.h - the RTMP URL that a sent file is pushed to, from upload.target and upload.target_base. Pure. */
#ifndef MILLRACE_TARGET_H
#define MILLRACE_TARGET_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#define TARGET_URL 1024		/* bytes of an expanded one */
#define TARGET_CONF_MAX 512	/* of a configured one */
#define TARGET_LANE 20

/* rtmp:// or rtmps:// with a host and a path, nothing that a URL can't hold. */
bool target_ok(const char *url);
/* The URL for this name: target_base/NAME, or target with {name} in it replaced. */
void target_expand(const json_t *conf, const char *name, char *out, size_t size);
/*
 * One word for one target: pushes to it wait for each other. It tells nobody the URL. A target
 * called localhost is another one on each host.
 */
void target_lane(const json_t *conf, const char *name, const char *host_id, char out[TARGET_LANE]);
#endif
