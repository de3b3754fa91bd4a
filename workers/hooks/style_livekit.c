/*
 * style_livekit.c - the words of LiveKit's webhooks about an ingress (sources in style.h). Pure.
 *
 * JSON as protobuf writes it (protojson): lowerCamelCase names, enums by name, 64-bit numbers as
 * strings. The ingress is the stream's name; its id is that of /v1/createIngress (lib/ingress_id.h).
 */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "ingress_id.h"
#include "obj.h"
#include "style_parts.h"

/* Seconds since the epoch of "2026-11-21T07:00:00.123Z"; 0: it is none. */
static long long
seconds(const char *time)
{
	struct tm tm = { .tm_year = 0 };

	return strptime(time, "%Y-%m-%dT%H:%M:%S", &tm) ? (long long)timegm(&tm) : 0;
}

static json_t *
info(const json_t *event, bool begins, long long at)
{
	const char *name = obj_str(event, "name");
	bool whip = strcmp(obj_str(event, "protocol"), "whip") == 0;
	char id[INGRESS_ID];
	json_t *state = json_pack("{s:s}", "status", begins ? "ENDPOINT_PUBLISHING" : "ENDPOINT_INACTIVE");

	json_object_set_new(state, begins ? "startedAt" : "endedAt", json_sprintf("%lld000000000", at));
	return json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:o}", "ingressId", ingress_id(name, id), "name", name,
	    "inputType", whip ? "WHIP_INPUT" : "RTMP_INPUT", "roomName", name, "participantIdentity", name,
	    "participantName", name, "state", state);
}

void
style_livekit_event(const char *url, enum event_kind k, const json_t *event, struct style_request *out)
{
	bool begins = k == EVENT_PUBLISH;
	long long at = seconds(obj_str(event, "time"));
	json_t *o = json_pack("{s:s, s:o}", "event", begins ? "ingress_started" : "ingress_ended", "ingressInfo",
	    info(event, begins, at));

	json_object_set_new(o, "id", json_string(obj_str(event, "id")));
	json_object_set_new(o, "createdAt", json_sprintf("%lld", at));
	style_json(out, url, "application/webhook+json", o);
}

void
style_ingress_event(const char *url, enum event_kind k, const json_t *event, struct style_request *out)
{
	char id[INGRESS_ID];

	style_json(out, url, "application/json", json_pack("{s:{s:s, s:s}}", "event", "event",
	    k == EVENT_PUBLISH ? "ingress_started" : "ingress_ended", "ingressId",
	    ingress_id(obj_str(event, "name"), id)));
}
