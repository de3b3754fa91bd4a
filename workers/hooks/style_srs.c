/*
 * style_srs.c - the words of SRS's HTTP callbacks (sources in style.h). Pure.
 *
 * There is one vhost here, which they call __defaultVhost__. cwd and file of on_dvr and on_hls
 * together are the path on this host.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "obj.h"
#include "style_parts.h"
#include "util.h"

static json_t *
common(const json_t *event, const char *action)
{
	const char *app = obj_str(event, "app"), *name = obj_str(event, "name"), *query = obj_str(event, "query");
	char host[STYLE_HOST], client[16];
	json_t *o;

	snprintf(client, sizeof client, "%08x", style_client(event));
	o = json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s}", "server_id", obj_str(event, "host"), "service_id",
	    "millrace", "action", action, "client_id", client, "ip", style_host(obj_str(event, "peer"), host),
	    "vhost", "__defaultVhost__", "app", app, "stream", name);
	/* Theirs begins with it. */
	json_object_set_new(o, "param", json_sprintf("%s%s", query[0] != '\0' && query[0] != '?' ? "?" : "", query));
	json_object_set_new(o, "tcUrl", json_sprintf("rtmp://%s/%s", obj_str(event, "host"), app));
	json_object_set_new(o, "stream_url", json_sprintf("/%s/%s", app, name));
	json_object_set_new(o, "stream_id", json_sprintf("vid-%s-%s", app, name));
	return o;
}

static void
add_file(json_t *o, const json_t *event)
{
	const char *path = obj_str(event, "path"), *file = obj_str(event, "file");
	size_t n = strlen(path), m = strlen(file);

	if (n > m && strcmp(path + n - m, file) == 0)
		json_object_set_new(o, "cwd", json_stringn(path, n - m > 1 ? n - m - 1 : 1));
	else
		json_object_set_new(o, "cwd", json_string("/"));
	json_object_set_new(o, "file", json_sprintf("./%s", file));
}

static void
add_segment(json_t *o, const json_t *event)
{
	const char *name = obj_str(event, "name"), *file = strrchr(obj_str(event, "file"), '/');

	file = file ? file + 1 : obj_str(event, "file");
	json_object_set_new(o, "duration", json_real((double)obj_int(event, "duration_ms") / 1000));
	json_object_set_new(o, "url", json_sprintf("stream/%s/%s", name, file));
	json_object_set_new(o, "m3u8", json_sprintf("./hls/%s/live.m3u8", name));
	json_object_set_new(o, "m3u8_url", json_sprintf("stream/%s/live.m3u8", name));
	json_object_set_new(o, "seq_no", json_integer(obj_int(event, "sequence")));
}

void
style_srs_event(const char *url, enum event_kind k, const json_t *event, struct style_request *out)
{
	static const char *const actions[] = { [EVENT_PUBLISH] = "on_publish", [EVENT_UNPUBLISH] = "on_unpublish",
		[EVENT_PLAY] = "on_play", [EVENT_STOP] = "on_stop", [EVENT_RECORD] = "on_dvr",
		[EVENT_SEGMENT] = "on_hls" };
	json_t *o = common(event, actions[k]);

	if (k == EVENT_RECORD || k == EVENT_SEGMENT)
		add_file(o, event);
	if (k == EVENT_SEGMENT)
		add_segment(o, event);
	if (k == EVENT_PLAY)
		json_object_set_new(o, "pageUrl", json_string(""));
	style_json(out, url, "application/json", o);
}

void
style_srs_ask(const char *url, const json_t *ask, struct style_request *out)
{
	style_json(out, url, "application/json", common(ask, "on_publish"));
}

bool
style_srs_fine(const char *body)
{
	json_t *o = json_loads(body, JSON_DECODE_ANY, NULL), *code = json_is_object(o) ? json_object_get(o, "code") : o;
	bool fine = json_is_integer(code) && json_integer_value(code) == 0;

	json_decref(o);
	return fine;
}
