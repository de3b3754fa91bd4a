/*
 * push.h - push targets: those of the config and those added while live, and which of them a
 * stream has. A target is an object {stream, app, id, url, transcode, verify}.
 */
#ifndef MILLRACE_PUSH_H
#define MILLRACE_PUSH_H

#include <jansson.h>

struct stream;

void push_start(void);		/* reads what was added before the last stop */
void push_stop(void);
/* This stream's targets as they are now; its ingest is told. After GRANT, and whenever they may have changed. */
void push_update(struct stream *s);
void push_reload(const json_t *from, const json_t *to);	/* sv.conf is `to` */
/* The stream's target `id` with its URL's variables replaced, or NULL. Borrowed. */
const json_t *push_find(const struct stream *s, const char *id);
/* "push_add" {name, id, url, ...}, "push_remove" {name, id}, "push_list" {name, cursor}: an rc, *body for REPLY. */
int push_call(const char *verb, const json_t *args, json_t **body);
#endif
