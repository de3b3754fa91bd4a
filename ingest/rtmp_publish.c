/*
 * rtmp_publish.c - publishing by RTMP as a row of protocol.h: between session.c and
 * rtmp_session.c, which knows no config and no stream.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "conf.h"
#include "protocol.h"
#include "rtmp_session.h"
#include "url.h"
#include "util.h"

#define SAID_MAX 2048
#define URL_SHOWN 400
#define NAME_SHOWN 200

struct protocol {
	struct protocol_env env;
	struct rtmp_session *rtmp;
};

/* tcUrl for the log: no query, where a key may be, and no user:password@. */
static void
show_url(const char *url, char *out, size_t size)
{
	const char *slashes = strstr(url, "://"), *host;
	size_t n;

	host = url_host(url, &n);
	snprintf(out, size, "%.*s%.*s", slashes != NULL ? (int)(slashes + 3 - url) : 0, url, (int)strcspn(host, "?"),
	    host);
}

/* Behind a '=' is a key that was put into the name, or the path, instead of behind a '?'. */
static void
hide_key(char *s)
{
	size_t name = strcspn(s, "="), n = strlen(s + name);

	if (n > 1)
		str_copy(s + name, "=***", n < 5 ? n + 1 : 5);
}

static void
refuse_url(struct protocol *p, const struct rtmp_publish *wish, const char *why)
{
	const json_t *patterns = conf_get(p->env.svc->conf, "authorize.patterns");
	char hint[400], url[URL_SHOWN], name[NAME_SHOWN], said[SAID_MAX], told[SAID_MAX];
	char *text = json_dumps(patterns, JSON_COMPACT);

	show_url(wish->tc_url, url, sizeof(url));
	hide_key(url);
	str_copy(name, wish->name, sizeof(name));
	hide_key(name);
	publish_url_hint(patterns, url, wish->name, hint, sizeof(hint));
	snprintf(said, sizeof(said), "%s: url %s name \"%s\", patterns %s%s", why, url, name, text, hint);
	free(text);
	snprintf(told, sizeof(told), "%s%s", why, hint);
	rtmp_session_refuse(p->rtmp, "NetStream.Publish.Denied", told);
	p->env.ev->denied(p->env.ctx, "pattern", said, why);
}

static void
on_publish(void *ctx, const struct rtmp_publish *wish)
{
	struct protocol *p = ctx;
	struct publish_match match;
	char why[160];

	if (publish_url_match(conf_get(p->env.svc->conf, "authorize.patterns"), wish->path, wish->name, &match, why,
	    sizeof(why)) < 0)
		refuse_url(p, wish, why);
	else
		p->env.ev->publish(p->env.ctx, &match, wish->query);
}

static void
on_metadata(void *ctx, json_t *data)
{
	struct protocol *p = ctx;

	p->env.ev->metadata(p->env.ctx, data);
}

static void
on_media(void *ctx, enum flv_type type, uint32_t ts, const uint8_t *body, size_t len)
{
	struct protocol *p = ctx;

	p->env.ev->media(p->env.ctx, type, ts, body, len);
}

static void
on_ended(void *ctx, const char *how)
{
	struct protocol *p = ctx;
	char text[96];

	snprintf(text, sizeof(text), "the publisher ended the stream (%s)", how);
	p->env.ev->ended(p->env.ctx, text, NULL);
}

static void
on_play(void *ctx, const char *name, char *buf, size_t size)
{
	const struct protocol *p = ctx;

	publish_url_watch(p->env.svc->conf, p->env.conn->local, name, buf, size);
}

static struct protocol *
rtmp_new(const struct protocol_env *env)
{
	static const struct rtmp_ops ops = {
		.publish = on_publish, .media = on_media, .metadata = on_metadata, .ended = on_ended, .play = on_play,
	};
	struct protocol *p = xcalloc(1, sizeof(*p));
	struct rtmp_limits limits;

	p->env = *env;
	rtmp_limits_read(&limits, env->svc->conf);
	p->rtmp = rtmp_session_new(&limits, &ops, p, env->conn->out);
	return p;
}

static void
rtmp_free(struct protocol **p)
{
	rtmp_session_free(&(*p)->rtmp);
	free(*p);
	*p = NULL;
}

static int
rtmp_input(struct protocol *p, const uint8_t *in, size_t n)
{
	return rtmp_session_input(p->rtmp, in, n);
}

static const char *
rtmp_error(const struct protocol *p)
{
	return rtmp_session_error(p->rtmp);
}

static void
rtmp_accept(struct protocol *p, const char *name)
{
	rtmp_session_accept(p->rtmp);
}

static void
rtmp_refuse(struct protocol *p, const char *code, const char *text)
{
	static const struct { const char *code, *status; } words[] = {
		{ "duplicate", "NetStream.Publish.BadName" }, { "elsewhere", "NetStream.Publish.BadName" },
		{ "place", "NetStream.Publish.Failed" }, { "media", "NetStream.Publish.Rejected" },
		{ "timeout", "NetStream.Publish.Rejected" },
	};
	const char *status = "NetStream.Publish.Denied";

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (strcmp(code, words[i].code) == 0)
			status = words[i].status;
	rtmp_session_refuse(p->rtmp, status, text);
}

static void
rtmp_unpublish(struct protocol *p, const char *text)
{
	rtmp_session_unpublish(p->rtmp, text);
}

static void
rtmp_ping(struct protocol *p, int64_t now)
{
	rtmp_session_ping(p->rtmp, (uint32_t)now);
}

const struct protocol_ops rtmp_publish_ops = {
	.route = "rtmp", .name = "rtmp", .handshake = "rtmp.handshake_timeout",
	.first_media = "rtmp.first_media_timeout", .ping_interval = "rtmp.ping_interval",
	.ping_timeout = "rtmp.ping_timeout", .by_tick = true, .new = rtmp_new, .free = rtmp_free,
	.input = rtmp_input, .error = rtmp_error, .accept = rtmp_accept, .refuse = rtmp_refuse,
	.unpublish = rtmp_unpublish, .ping = rtmp_ping,
};
