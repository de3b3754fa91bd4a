/*
 * event.c - events as receivers know them (contract in event.h). Pure: JSON in, JSON out.
 */
#include "event.h"

#include <fnmatch.h>
#include <string.h>

#include "obj.h"

static const char *const names[] = {
	[EVENT_PUBLISH] = "publish", [EVENT_UNPUBLISH] = "unpublish", [EVENT_ENDED] = "ended", [EVENT_PLAY] = "play",
	[EVENT_STOP] = "stop", [EVENT_RECORD] = "record", [EVENT_SEGMENT] = "segment", [EVENT_JOB] = "job",
	[EVENT_ERROR] = "error", [EVENT_NONE] = "",
};

/* What the supervisor calls otherwise. */
static const struct { const char *spool; enum event_kind kind; } other[] = {
	{ "stream_started", EVENT_PUBLISH }, { "stream_interrupted", EVENT_UNPUBLISH }, { "stream_ended", EVENT_ENDED },
};

enum event_kind
event_find(const char *name)
{
	enum event_kind k;

	for (k = 0; k < EVENT_NONE; k++)
		if (strcmp(names[k], name) == 0)
			break;
	return k;
}

enum event_kind
event_translate(json_t *event)
{
	const char *name = obj_str(event, "event");
	enum event_kind kind = event_find(name);

	for (size_t i = 0; i < sizeof other / sizeof other[0] && kind == EVENT_NONE; i++) {
		if (strcmp(other[i].spool, name) != 0)
			continue;
		kind = other[i].kind;
		json_object_set_new(event, "event", json_string(names[kind]));
	}
	return kind;
}

bool
event_wanted(enum event_kind k, const json_t *event, const json_t *events, const json_t *streams)
{
	const char *stream = obj_str(event, "name");
	const json_t *v;
	bool named = false;
	size_t i;

	if (k == EVENT_NONE)
		return false;
	json_array_foreach(events, i, v)
		named |= json_is_string(v) && strcmp(json_string_value(v), names[k]) == 0;
	json_array_foreach(streams, i, v)
		if (named && json_is_string(v) && fnmatch(json_string_value(v), stream, 0) == 0)
			return true;
	return false;
}
