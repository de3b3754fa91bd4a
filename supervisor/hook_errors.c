/*
 * hook_errors.c - what is wrong with a stream, as webhooks are told it: an "error" when it begins
 * or is another, one that it works again, between the publish and the unpublish of the stream.
 *
 * What comes and goes, or fails at each of its retries, is told at most once per
 * hooks.error_interval; what is over by then was never told and need not be. Each trouble has a
 * code and, if there may be several, what it is about; it is over, and told so at once, when that is
 * removed. Called by output.c, output_push.c, push.c, streams.c and streams_event.c.
 */
#include <stdlib.h>
#include <string.h>

#include "conf.h"
#include "log.h"
#include "supervisor/streams.h"
#include "util.h"

#define TROUBLES_MAX (BOARD_OUTPUTS + 2)	/* of a stream: of each output, a push too; media; recording */

struct trouble {
	struct trouble *next;
	struct stream *stream;
	char code[16], what[64];
	char reason[256], told[256];	/* "": it works */
	int64_t due_ms;			/* not told again before */
	struct event *timer;
};

/* Each try of a push may fail in other words. */
static bool
is_told(const struct trouble *t)
{
	if (strcmp(t->code, HOOK_ERROR_PUSH) == 0)
		return (t->reason[0] == '\0') == (t->told[0] == '\0');
	return strcmp(t->reason, t->told) == 0;
}

static void
tell(struct trouble *t)
{
	json_t *body = stream_event(t->stream, "error");

	str_copy(t->told, t->reason, sizeof(t->told));
	t->due_ms = now_ms() + conf_int(sv.conf, "hooks.error_interval");
	json_object_set_new(body, "code", json_string(t->code));
	json_object_set_new(body, "what", msg_text(t->what, strlen(t->what)));
	json_object_set_new(body, "reason", msg_text(t->reason, strlen(t->reason)));
	json_object_set_new(body, "works", json_boolean(t->reason[0] == '\0'));
	events_emit(body);
}

static void
settle(struct trouble *t)
{
	int64_t wait = t->due_ms - now_ms();
	struct timeval tv = { wait / 1000, wait % 1000 * 1000 };

	evtimer_del(t->timer);
	if (is_told(t) || !t->stream->was_live)
		return;
	if (wait > 0)
		evtimer_add(t->timer, &tv);
	else
		tell(t);
}

static void
timer_cb(evutil_socket_t fd, short what, void *ctx)
{
	settle(ctx);
}

/* Where it hangs, or would. */
static struct trouble **
place_of(struct stream *s, const char *code, const char *what)
{
	struct trouble **p = &s->troubles;

	while (*p != NULL && (strcmp((*p)->code, code) != 0 || strcmp((*p)->what, what) != 0))
		p = &(*p)->next;
	return p;
}

static struct trouble *
trouble_of(struct stream *s, const char *code, const char *what)
{
	struct trouble **p = place_of(s, code, what), *t;
	unsigned n = 0;

	if (*p != NULL)
		return *p;
	for (t = s->troubles; t != NULL; t = t->next)
		n++;
	if (n >= TROUBLES_MAX)
		return NULL;
	t = *p = xcalloc(1, sizeof(*t));
	t->stream = s;
	str_copy(t->code, code, sizeof(t->code));
	str_copy(t->what, what, sizeof(t->what));
	t->timer = evtimer_new(sv.base, timer_cb, t);
	if (t->timer == NULL)
		fatalx("out of memory");
	return t;
}

void
hook_error(struct stream *s, const char *code, const char *what, const char *reason)
{
	struct trouble *t = s != NULL ? trouble_of(s, code, what) : NULL;

	if (t == NULL)
		return;
	str_copy(t->reason, reason, sizeof(t->reason));
	settle(t);
}

static void
forget(struct trouble **p)
{
	struct trouble *t = *p;

	*p = t->next;
	event_free(t->timer);
	free(t);
}

void
hook_error_removed(struct stream *s, const char *code, const char *what)
{
	struct trouble **p = place_of(s, code, what);

	if (*p == NULL)
		return;
	(*p)->reason[0] = '\0';
	if (!is_told(*p))
		tell(*p);
	forget(p);
}

void
hook_errors_live(struct stream *s)
{
	for (struct trouble *t = s->troubles; t != NULL; t = t->next)
		settle(t);
}

void
hook_errors_forget(struct stream *s)
{
	while (s->troubles != NULL)
		forget(&s->troubles);
}
