/*
 * style.h - an event, or the question whether somebody may publish, as the receiver of another
 * project knows it; and what its answer means. Pure.
 *
 * What each receiver was promised, and where that is written:
 *   native      POST application/json, event.h's object; any 2xx is fine. Asked: {action: "publish",
 *               name, app, peer, protocol, query}; 2xx allows, anything else below 500 denies.
 *   nginx-rtmp  POST application/x-www-form-urlencoded: app flashver swfurl tcurl pageurl addr clientid
 *               call=publish|play|publish_done|play_done|record_done name, then type, start duration reset,
 *               or recorder path, and, when asked, the publisher's own arguments; 2xx is fine, only the
 *               first digit is read (nginx-rtmp-module wiki, Directives, "Notify";
 *               ngx_rtmp_notify_module.c). A redirect, which there renames the stream, denies here.
 *   srs         POST JSON {server_id, service_id, action: on_publish|on_unpublish|on_play|on_stop|on_dvr|
 *               on_hls, client_id, ip, vhost, app, stream, param, stream_url, ...}; fine is only 200 with
 *               the body 0 or {"code": 0} (ossrs.io, "HTTP Callback", v5; conf/full.conf, http_hooks).
 *   mediamtx    its hooks are commands, whose documented form is
 *               curl http://HOST/webhook?path=P&source_type=T&source_id=I (runOnReady, runOnNotReady),
 *               reader_type and reader_id (runOnRead, runOnUnread), segment_path
 *               (runOnRecordSegmentComplete): a GET with these; event= tells them apart at one URL.
 *               Asked: POST JSON {user, password, token, ip, action: "publish", path, protocol, id, query};
 *               2xx allows (mediamtx.org docs, "Hooks" and "Authentication", authHTTPAddress).
 *   livekit     POST application/webhook+json {event: ingress_started|ingress_ended, id, createdAt,
 *               ingressInfo {...}}, protobuf's JSON form (docs.livekit.io "Webhooks";
 *               livekit_webhook.proto, livekit_ingress.proto); signed as sign.h says. 2xx is fine.
 *   livekit-ingress  POST JSON {"event": {"event": "ingress_started"|"ingress_ended", "ingressId"}}: what a
 *               URL of /v1/registerWebhook gets.
 */
#ifndef MILLRACE_HOOKS_STYLE_H
#define MILLRACE_HOOKS_STYLE_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "event.h"

enum style { STYLE_NATIVE, STYLE_NGINX, STYLE_SRS, STYLE_MEDIAMTX, STYLE_LIVEKIT, STYLE_INGRESS, STYLE_COUNT };

struct style_request {
	const char *method, *type;	/* type NULL: no body */
	char *url, *body;		/* style_request_free(); body "" for a GET */
};

const char *style_name(enum style s);
enum style style_find(const char *name);	/* STYLE_COUNT: no such one */
/* Does it have a word for this event (translated, event.h)? */
bool style_has(enum style s, enum event_kind k, const json_t *event);
void style_event(enum style s, const char *url, enum event_kind k, const json_t *event, struct style_request *out);
/* ask: {name, app, peer, protocol, query, host, id}. Not for the livekit ones. */
void style_ask(enum style s, const char *url, const json_t *ask, struct style_request *out);
void style_request_free(struct style_request *r);
/* Is the event delivered? body is NUL-terminated, perhaps cut. */
bool style_taken(enum style s, int status, const char *body);

enum style_verdict { STYLE_ALLOW, STYLE_DENY, STYLE_NO_VERDICT };
/* 5xx, 429 and what is no HTTP answer of its contract give no verdict. */
enum style_verdict style_verdict(enum style s, int status, const char *body);
#endif
