/*
 * output_push.c - what is different about outputs that go to another server: their ffmpeg may
 * connect, its argv has a URL that nobody else is shown, and why it ends is told by its
 * target, by way of its stderr, which the stream's ingest reads.
 *
 * A target that is away for hours would fill the log: the first failures are told, then those
 * with a new reason, then every SAY_EVERY'th. Called by output.c and output_start.c.
 */
#include "supervisor/output.h"

#include <stdlib.h>
#include <string.h>

#include "conf.h"
#include "log.h"
#include "push_scrub.h"
#include "supervisor/args_media.h"
#include "supervisor/push.h"
#include "supervisor/push_url.h"
#include "supervisor/streams.h"
#include "util.h"

#define SAY_ALWAYS 3
#define SAY_EVERY 20

const json_t *
output_push_target(const struct output *o)
{
	return o->owner != NULL && o->owner->stream != NULL ?
	    push_find(o->owner->stream, o->name + strlen(OUTPUT_PUSH)) : NULL;
}

static const char *
url_of(const json_t *target)
{
	return json_string_value(json_object_get(target, "url"));
}

const char *
output_push_ca_file(const struct output *o)
{
	const json_t *target = output_push_target(o);

	return args_ca_file(url_of(target), json_is_true(json_object_get(target, "verify")),
	    conf_str(sv.conf, "push_ca_file"));
}

char **
output_push_argv(const struct output *o, const char *ffmpeg)
{
	const json_t *target = output_push_target(o);

	return push_argv(&o->wish.to, ffmpeg, url_of(target), output_push_ca_file(o),
	    conf_int(sv.conf, "push_stuck") / 2);
}

bool
output_push_waits(const struct output *o)
{
	const struct output *other;

	for (other = output_list; other != NULL; other = other->next)
		if (other->owner == NULL && other->ffmpeg != NULL && strcmp(other->name, o->name) == 0 &&
		    strcmp(other->ffmpeg->name, o->owner->name) == 0)
			return true;
	return false;
}

void
output_push_said(struct output *o, const char *text)
{
	const json_t *target = output_push_target(o);
	double wait = (double)(o->due_ms - now_ms()) / 1000;
	char shown[PUSH_URL_MAX], said[512];

	if (target == NULL || o->failures == 0 || o->stop || o->state != OUTPUT_BACKOFF)
		return;
	str_copy(said, text, sizeof(said));
	push_scrub(url_of(target), said);
	if (said[0] != '\0' && !o->asked_down)
		str_copy(o->reason, said, sizeof(o->reason));
	hook_error(o->owner->stream, HOOK_ERROR_PUSH, o->name + strlen(OUTPUT_PUSH), o->reason);
	push_url_show(url_of(target), shown, sizeof(shown));
	o->said++;
	if (o->failures > SAY_ALWAYS && o->said < SAY_EVERY && strcmp(o->reason, o->said_reason) == 0)
		return;
	log_warnx("push %s of %s to %s: %s; again in %.1f s", o->name + strlen(OUTPUT_PUSH), o->owner->name, shown,
	    o->reason, wait > 0 ? wait : 0);
	o->said = 0;
	str_copy(o->said_reason, o->reason, sizeof(o->said_reason));
}
