/*
 * publish_url.h - authorize.patterns: from what a publisher asked for to a stream's name.
 * Pure. Patterns are "/live/{app}/{username}": literal segments and variables, each a
 * whole path segment; {username} is the stream's NAME.
 */
#ifndef MILLRACE_PUBLISH_URL_H
#define MILLRACE_PUBLISH_URL_H

#include <jansson.h>
#include <stddef.h>

#include "stream_name.h"

struct publish_match {
	char name[STREAM_NAME_MAX + 1];
	char app[STREAM_NAME_MAX + 1];	/* {app}, else the first literal segment */
};

/*
 * Tries every pattern on path and on path + "/" + name (encoders split differently).
 * {username} must equal the publishing name. 0; or -1 with why (a sentence for the publisher).
 */
int publish_url_match(const json_t *patterns, const char *path, const char *name,
    struct publish_match *out, char *why, size_t size);
/*
 * What would match the simplest pattern, at the host of the tcUrl, to be put behind why:
 * "; this would match: Server rtmp://h/live, Stream Key johndoe"; "" if the name could be none.
 * Without a name it is taken from the tcUrl ("rtmp://h/johndoe"), else it is NAME.
 */
void publish_url_hint(const json_t *patterns, const char *tc_url, const char *name, char *buf, size_t size);
/* What to say to a player that came by RTMP to our address `local`: its playlist's URL. */
void publish_url_watch(const json_t *conf, const char *local, const char *name, char *buf, size_t size);
#endif
