/*
 * conf.h - reading the normalised config a process was handed.
 *
 * supervisor/conf* checks the YAML once and gives every kind a JSON object with the
 * sections it may see, nested as in the YAML, every key present (defaults filled in):
 * durations are integers in ms, sizes in bytes, lists arrays. So a missing key here is a
 * bug of ours and fatal. Paths are dotted: conf_int(c, "streams.hls.segment").
 * Listeners are arrays of {address, proxy_protocol}. `host_id` and `host` are added at the top.
 */
#ifndef MILLRACE_CONF_H
#define MILLRACE_CONF_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#define CONF_HOOKS_MAX 64		/* entries of hooks.urls */
#define CONF_REGISTERED_MAX 150		/* the most that hooks.max_registered may be */

json_t *conf_read_fd(int fd);			/* new reference, or NULL + errno */
int conf_write_memfd(const json_t *conf);	/* sealed CLOEXEC memfd, or -1 */

int64_t conf_int(const json_t *conf, const char *path);
bool conf_bool(const json_t *conf, const char *path);
const char *conf_str(const json_t *conf, const char *path);
json_t *conf_get(const json_t *conf, const char *path);	/* borrowed; NULL if absent */
/* Section log, as far as conf has it: format, level, how many lines of others. */
void conf_apply_log(const json_t *conf);
/* The first of storage.s3.endpoint, bucket, access_key and secret_key that is given, or NULL. */
const char *conf_s3_given(const json_t *conf);
/* Does any of hooks.urls want events of this name ("segment")? Of a child's config. */
bool conf_event_wanted(const json_t *conf, const char *event);
#endif
