/*
 * plays.c - viewers that came and went, told to the supervisor once a second for webhooks, if any
 * wants it (contract in http.h). viewers.c decides who is a viewer.
 *
 * At most PLAYS_MAX of each in one message; what does not fit is told a second later, so a crowd
 * costs neither memory nor the channel anything.
 */
#include "conf.h"
#include "http.h"

#define PLAYS_MAX 200		/* as lib/proto.h has it */

static json_t *lists[2];	/* play, stop */

bool
plays_wanted(void)
{
	return conf_event_wanted(http.svc->conf, "play") || conf_event_wanted(http.svc->conf, "stop");
}

bool
plays_add(bool stop, const char *name, uint64_t id, const char *peer)
{
	char viewer[20];

	if (lists[stop] == NULL)
		lists[stop] = json_array();
	if (json_array_size(lists[stop]) >= PLAYS_MAX)
		return false;
	snprintf(viewer, sizeof(viewer), "%016llx", (unsigned long long)id);
	json_array_append_new(lists[stop], json_pack("{s:s, s:s, s:s, s:s}", "name", name, "viewer", viewer, "peer",
	    peer, "protocol", "hls"));
	return true;
}

void
plays_flush(void)
{
	for (int stop = 0; stop < 2; stop++) {
		if (json_array_size(lists[stop]) > 0)
			svc_send(http.svc, MSG_EVENT, 0, json_pack("{s:s, s:O}", "event", stop ? "stop" : "play",
			    "list", lists[stop]));
		json_decref(lists[stop]);
		lists[stop] = NULL;
	}
}
