/*
 * style.c - which style has which words, and what answers mean (contract in style.h). Pure; the
 * words themselves are in style_nginx.c, style_srs.c, style_mediamtx.c and style_livekit.c.
 */
#include "style.h"

#include <stdlib.h>
#include <string.h>

#include "obj.h"
#include "style_parts.h"
#include "util.h"

static void native_event(const char *, enum event_kind, const json_t *, struct style_request *);
static void native_ask(const char *, const json_t *, struct style_request *);

#define HAS(k) (1u << (k))
#define ALL (HAS(EVENT_NONE) - 1)
#define LIFE (HAS(EVENT_PUBLISH) | HAS(EVENT_UNPUBLISH))
#define WATCHED (HAS(EVENT_PLAY) | HAS(EVENT_STOP))

static const struct {
	const char *name;
	unsigned has;
	void (*event)(const char *url, enum event_kind k, const json_t *event, struct style_request *out);
	void (*ask)(const char *url, const json_t *ask, struct style_request *out);
} styles[STYLE_COUNT] = {
	[STYLE_NATIVE] = { "native", ALL, native_event, native_ask },
	[STYLE_NGINX] = { "nginx-rtmp", LIFE | WATCHED | HAS(EVENT_RECORD), style_nginx_event, style_nginx_ask },
	[STYLE_SRS] = { "srs", LIFE | WATCHED | HAS(EVENT_RECORD) | HAS(EVENT_SEGMENT), style_srs_event,
	    style_srs_ask },
	[STYLE_MEDIAMTX] = { "mediamtx", LIFE | WATCHED | HAS(EVENT_RECORD), style_mediamtx_event,
	    style_mediamtx_ask },
	[STYLE_LIVEKIT] = { "livekit", LIFE, style_livekit_event, NULL },
	[STYLE_INGRESS] = { "livekit-ingress", LIFE, style_ingress_event, NULL },
};

const char *
style_name(enum style s)
{
	return styles[s].name;
}

enum style
style_find(const char *name)
{
	enum style s;

	for (s = 0; s < STYLE_COUNT; s++)
		if (strcmp(styles[s].name, name) == 0)
			break;
	return s;
}

/* Of a recording the others tell the end alone, with its file. */
bool
style_has(enum style s, enum event_kind k, const json_t *event)
{
	if (k == EVENT_NONE || (styles[s].has & HAS(k)) == 0)
		return false;
	return s == STYLE_NATIVE || k != EVENT_RECORD || strcmp(obj_str(event, "state"), "finished") == 0;
}

void
style_event(enum style s, const char *url, enum event_kind k, const json_t *event, struct style_request *out)
{
	styles[s].event(url, k, event, out);
}

void
style_ask(enum style s, const char *url, const json_t *ask, struct style_request *out)
{
	styles[styles[s].ask ? s : STYLE_NATIVE].ask(url, ask, out);
}

void
style_request_free(struct style_request *r)
{
	free(r->url);
	free(r->body);
	memset(r, 0, sizeof *r);
}

bool
style_taken(enum style s, int status, const char *body)
{
	if (s == STYLE_SRS)
		return status == 200 && style_srs_fine(body);
	return status >= 200 && status < 300;
}

enum style_verdict
style_verdict(enum style s, int status, const char *body)
{
	if (status < 200 || status >= 500 || status == 429)
		return STYLE_NO_VERDICT;
	return style_taken(s, status, body) ? STYLE_ALLOW : STYLE_DENY;
}

/* --- shared by the styles --- */

const char *
style_host(const char *peer, char buf[STYLE_HOST])
{
	const char *colon = strrchr(peer, ':');
	bool bare6 = peer[0] != '[' && colon && strchr(peer, ':') != colon;	/* a viewer's has no port */
	size_t n = colon && !bare6 ? (size_t)(colon - peer) : strlen(peer);

	if (peer[0] == '[' && n >= 2 && peer[n - 1] == ']') {
		peer++;
		n -= 2;
	}
	snprintf(buf, STYLE_HOST, "%.*s", (int)(n < STYLE_HOST ? n : STYLE_HOST - 1), peer);
	return buf;
}

uint32_t
style_client(const json_t *event)
{
	static const char *const keys[] = { "name", "viewer", "peer" };
	uint32_t h = 2166136261u;	/* FNV-1a */

	for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++)
		for (const char *p = obj_str(event, keys[i]); *p != '\0'; p++)
			h = (h ^ (unsigned char)*p) * 16777619u;
	return h;
}

const char *
style_param(const char *query, const char *name, char buf[STYLE_PARAM])
{
	size_t want = strlen(name), n = 0, len;
	const char *p, *end;

	buf[0] = '\0';
	for (p = query + (*query == '?'); *p != '\0'; p += len + (p[len] == '&')) {
		len = strcspn(p, "&");
		if (len <= want || p[want] != '=' || strncmp(p, name, want) != 0)
			continue;
		for (end = p + len, p += want + 1; p < end && n + 1 < STYLE_PARAM; n++) {
			bool escaped = *p == '%' && end - p >= 3 && hex_value(p[1]) >= 0 && hex_value(p[2]) >= 0;

			buf[n] = escaped ? (char)(hex_value(p[1]) << 4 | hex_value(p[2])) : *p;
			p += escaped ? 3 : 1;
		}
		buf[n] = '\0';
		return buf;
	}
	return buf;
}

void
style_json(struct style_request *out, const char *url, const char *type, json_t *json)
{
	char *text = json_dumps(json, JSON_COMPACT);

	*out = (struct style_request){ .method = "POST", .type = type, .url = xstrdup(url),
		.body = text ? text : xstrdup("{}") };
	json_decref(json);
}

/* --- native --- */

static void
native_event(const char *url, enum event_kind k, const json_t *event, struct style_request *out)
{
	style_json(out, url, "application/json", json_deep_copy(event));
}

static void
native_ask(const char *url, const json_t *ask, struct style_request *out)
{
	static const char *const keys[] = { "name", "app", "peer", "protocol", "query", "host" };
	json_t *o = json_pack("{s:s}", "action", "publish");

	for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++)
		json_object_set_new(o, keys[i], json_string(obj_str(ask, keys[i])));
	style_json(out, url, "application/json", o);
}
