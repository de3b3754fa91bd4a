/*
 * style_mediamtx.c - the words of MediaMTX' hooks and of its HTTP authentication (sources in
 * style.h). Pure.
 *
 * A path is what stands behind the host of a publisher's URL, without its key: APP/NAME.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "form.h"
#include "msg.h"
#include "obj.h"
#include "style_parts.h"
#include "util.h"

/* Our word for a protocol, and theirs for who publishes or reads by it. */
static const struct { const char *ours, *source, *reader; } types[] = {
	{ "rtmp", "rtmpConn", "rtmpConn" }, { "whip", "webRTCSession", "webRTCSession" },
	{ "webrtc", "webRTCSession", "webRTCSession" }, { "hls", "hlsMuxer", "hlsMuxer" },
};

static char *
path_of(const json_t *event)
{
	const char *app = obj_str(event, "app");

	return xasprintf("%s%s%s", app, app[0] != '\0' ? "/" : "", obj_str(event, "name"));
}

static const char *
type_of(const json_t *event, bool reader)
{
	const char *protocol = obj_str(event, "protocol");

	for (size_t i = 0; i < sizeof types / sizeof types[0]; i++)
		if (strcmp(types[i].ours, protocol) == 0)
			return reader ? types[i].reader : types[i].source;
	return protocol;
}

void
style_mediamtx_event(const char *url, enum event_kind k, const json_t *event, struct style_request *out)
{
	static const char *const words[] = { [EVENT_PUBLISH] = "ready", [EVENT_UNPUBLISH] = "notReady",
		[EVENT_PLAY] = "read", [EVENT_STOP] = "unread", [EVENT_RECORD] = "recordSegmentComplete" };
	bool reader = k == EVENT_PLAY || k == EVENT_STOP;
	char id[16], *path = path_of(event), *form = NULL;

	snprintf(id, sizeof id, "%08x", style_client(event));
	form_add(&form, "path", path);
	if (k == EVENT_RECORD)
		form_add(&form, "segment_path", obj_str(event, "path"));
	else {
		form_add(&form, reader ? "reader_type" : "source_type", type_of(event, reader));
		form_add(&form, reader ? "reader_id" : "source_id", id);
	}
	form_add(&form, "event", words[k]);
	*out = (struct style_request){ .method = "GET", .url = form_url(url, form), .body = xstrdup("") };
	free(form);
	free(path);
}

/* What a publisher wrote may be anything. */
static json_t *
text(const char *s)
{
	return msg_text(s, strlen(s));
}

void
style_mediamtx_ask(const char *url, const json_t *ask, struct style_request *out)
{
	const char *query = obj_str(ask, "query"), *protocol = obj_str(ask, "protocol");
	char user[STYLE_PARAM], password[STYLE_PARAM], token[STYLE_PARAM], host[STYLE_HOST], id[16];
	char *path = path_of(ask);
	json_t *o;

	query += query[0] == '?';
	if (style_param(query, "token", token)[0] == '\0')
		style_param(query, "jwt", token);
	if (token[0] == '\0' && strcmp(protocol, "whip") == 0)
		style_param(query, "key", token);	/* its bearer, as whip_http.c writes it */
	snprintf(id, sizeof id, "%08x", style_client(ask));
	o = json_pack("{s:s, s:s}", "ip", style_host(obj_str(ask, "peer"), host), "action", "publish");
	json_object_set_new(o, "user", text(style_param(query, "user", user)));
	json_object_set_new(o, "password", text(style_param(query, "pass", password)));
	json_object_set_new(o, "token", text(token));
	json_object_set_new(o, "path", json_string(path));
	json_object_set_new(o, "protocol", json_string(strcmp(protocol, "whip") == 0 ? "webrtc" : protocol));
	json_object_set_new(o, "id", json_string(id));
	json_object_set_new(o, "query", json_string(query));
	free(path);
	style_json(out, url, "application/json", o);
}
