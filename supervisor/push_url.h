/*
 * push_url.h - URLs of push targets as text: what can be one, its variables, and how it is shown
 * without what lets others publish there. Pure; conf_push.c, push.c and output_push.c use it.
 */
#ifndef MILLRACE_PUSH_URL_H
#define MILLRACE_PUSH_URL_H

#include <stddef.h>

#define PUSH_URL_MAX 1024	/* bytes with NUL, also once its variables are replaced */
#define PUSH_ID_MAX 25		/* of a target's id, with NUL */

struct push_vars { const char *stream, *app, *host; };

/* NULL if it can be a target's, {stream}, {app} and {host} in its path included; else what is wrong. */
const char *push_url_wrong(const char *url);
const char *push_id_wrong(const char *id);
/* 0, or -1: longer than size. An app's odd characters are percent-encoded. */
int push_url_expand(const char *url, const struct push_vars *v, char *out, size_t size);
/* "rtmp://host/app/KEY?x" as "rtmp://host/app/" and three stars. Never longer than url. */
void push_url_show(const char *url, char *out, size_t size);
#endif
