/*
 * plays.c - a viewer that came or went, told to the supervisor for webhooks, if any wants it.
 *
 * The numbers that everybody sees are room.c's; this costs nothing where nobody asked for it.
 * Called by viewer.c.
 */
#include <string.h>
#include <unistd.h>

#include "conf.h"
#include "util.h"
#include "viewer_int.h"
#include "webrtc.h"

static void
tell(const struct viewer *v, const char *event)
{
	char id[40], host[NET_TEXT];
	const char *colon = strrchr(v->address, ':');
	bool v6 = v->address[0] == '[';

	snprintf(host, sizeof host, "%.*s", colon ? (int)(colon - v->address) - 2 * v6 : NET_TEXT - 1, v->address + v6);
	snprintf(id, sizeof id, "w%d-%llu", (int)getpid(), (unsigned long long)v->number);
	svc_send(webrtc.svc, MSG_EVENT, 0, json_pack("{s:s, s:[{s:s, s:s, s:s, s:s}]}", "event", event, "list", "name",
	    room_name(v->room), "viewer", id, "peer", host, "protocol", "webrtc"));
}

void
plays_came(struct viewer *v)
{
	struct rtc_peer_stats stats;

	v->number = 0;
	if (webrtc.svc == NULL || (!conf_event_wanted(webrtc.svc->conf, "play") &&
	    !conf_event_wanted(webrtc.svc->conf, "stop")))
		return;
	rtc_peer_stats(v->peer, &stats);
	v->number = webrtc.viewers_total;
	str_copy(v->address, stats.address, sizeof v->address);
	tell(v, "play");
}

void
plays_gone(const struct viewer *v)
{
	if (v->number != 0)
		tell(v, "stop");
}
