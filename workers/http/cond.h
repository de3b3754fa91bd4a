/*
 * cond.h - conditional and range requests (RFC 9110 sections 8.8, 13 and 14) and HTTP
 * dates. Pure: strings in, verdict out.
 */
#ifndef MILLRACE_HTTP_COND_H
#define MILLRACE_HTTP_COND_H

#include <stdbool.h>
#include <stdint.h>
#include <time.h>

#define HTTP_DATE_MAX 32
const char *http_date(time_t t, char out[HTTP_DATE_MAX]);	/* "Sun, 06 Nov 1994 08:49:37 GMT" */
time_t http_date_parse(const char *s);		/* any of the three forms; -1 if none */

/* May the answer be 304? Either field NULL if absent; If-None-Match wins. */
bool cond_not_modified(const char *etag, time_t mtime, const char *if_none_match,
    const char *if_modified_since);
/* Does If-Range (NULL = absent) still name this version, so that Range counts? */
bool cond_if_range(const char *etag, time_t mtime, const char *if_range);

enum range_result { RANGE_NONE, RANGE_OK, RANGE_BAD };
/*
 * "bytes=a-b" of a body of size bytes: OK fills the half-open [*from, *to). NONE: no single
 * byte range, so serve the whole (several ranges may be answered so, RFC 9110 14.2);
 * BAD: 416.
 */
enum range_result range_parse(const char *range, int64_t size, int64_t *from, int64_t *to);
#endif
