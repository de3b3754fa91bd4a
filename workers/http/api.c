/*
 * api.c - /api/v1 and /healthz (contract in http.h), all from the board. Calls that change
 * something answer loopback peers only, unless http.api_token is set and given as Bearer.
 */
#include <errno.h>
#include <nettle/memops.h>
#include <nettle/sha2.h>
#include <stdlib.h>
#include <string.h>

#include "conf.h"
#include "http.h"
#include "util.h"

#define PAGE 100
#define KICK_MS 2000

static json_t *
text(const char *s)
{
	return msg_text(s, strlen(s));
}

/* What its encoder should change, or else which output does not work. */
static json_t *
warning(const struct view_stream *v)
{
	const struct board_output *o = v->s.outputs;
	char *s, name[BOARD_OUTPUT_NAME];
	json_t *out = NULL;

	for (; v->m.warning[0] == '\0' && o < v->s.outputs + v->s.noutputs && out == NULL; o++)
		if (o->failures > 1 || strcmp(o->state, "failed") == 0) {
			s = xasprintf("output %s does not work: %s", board_output_name(o, name), o->reason);
			out = text(s);
			free(s);
		}
	return out != NULL ? out : text(v->m.warning);
}

static json_t *
stream_json(const struct view_stream *v)
{
	char since[32];
	json_t *o = json_object();

	json_object_set_new(o, "name", text(v->s.name));
	json_object_set_new(o, "app", text(v->s.app));
	json_object_set_new(o, "protocol", text(v->s.protocol));
	json_object_set_new(o, "state", json_string(board_stream_state_name(v->s.state)));
	json_object_set_new(o, "since", v->s.since_wall_ms > 0 ?
	    json_string(wall_format(v->s.since_wall_ms, since)) : json_null());
	json_object_set_new(o, "viewers", json_integer(v->s.viewers));
	json_object_set_new(o, "bitrate_bps", json_integer(v->m.bitrate_bps));
	json_object_set_new(o, "fps", json_real(v->m.fps_milli / 1000.0));
	json_object_set_new(o, "gop_ms", json_integer(v->m.gop_ms));
	json_object_set_new(o, "video", json_string(board_codec_name(v->m.video_codec)));
	json_object_set_new(o, "audio", json_string(board_codec_name(v->m.audio_codec)));
	json_object_set_new(o, "width", json_integer(v->m.width));
	json_object_set_new(o, "height", json_integer(v->m.height));
	json_object_set_new(o, "warning", warning(v));
	return o;
}

int
api_rtmp_port(void)
{
	const char *listen = json_string_value(json_object_get(json_array_get(
	    conf_get(http.svc->conf, "rtmp.listen"), 0), "address"));
	const char *colon = listen != NULL ? strrchr(listen, ':') : NULL;

	return colon != NULL ? atoi(colon + 1) : 1935;
}

void
api_streams(struct conn *c, const struct route_match *m)
{
	const struct view *v = view_get();
	json_t *list = json_array();
	char cursor[32] = "";
	unsigned from = 0, i;

	if (request_param(&c->req, "cursor", cursor, sizeof(cursor)) == 0)
		from = (unsigned)strtoul(cursor, NULL, 10);
	for (i = from; v != NULL && i < v->n && i - from < PAGE; i++)
		json_array_append_new(list, stream_json(&v->streams[i]));
	cursor[0] = '\0';
	if (v != NULL && i < v->n)
		snprintf(cursor, sizeof(cursor), "%u", i);
	answer_json(c, 200, json_pack("{s:o, s:s, s:i}", "streams", list, "cursor", cursor,
	    "rtmp_port", api_rtmp_port()));
}

void
api_stream(struct conn *c, const struct route_match *m)
{
	const struct view_stream *v = view_find(m->arg[0]);

	if (v == NULL)
		answer_json(c, 404, json_pack("{s:s}", "error", "no such stream on this host"));
	else
		answer_json(c, 200, stream_json(v));
}

static bool
is_hung(const struct view *v)
{
	return v == NULL || now_ms() - v->h.beat_ms > 15000;
}

/* "ok" as long as this host can serve, without a word about the rest. */
void
api_alive(struct conn *c, const struct route_match *m)
{
	if (is_hung(view_get()))
		answer_text(c, 503, "the supervisor gives no sign of life\n");
	else
		answer_bytes(c, 200, "text/plain; charset=utf-8", "Cache-Control: no-cache\r\n", xstrdup("ok"), 2,
		    true);
}

/* /v1/health */
void
api_ready(struct conn *c, const struct route_match *m)
{
	bool hung = is_hung(view_get());

	answer_json(c, hung ? 503 : 200, json_pack("{s:s}", "status", hung ? "down" : "ready"));
}

/* 200 as long as this host can serve; what is wrong with the rest is told, not hidden. */
void
api_health(struct conn *c, const struct route_match *m)
{
	const struct view *v = view_get();
	bool hung = is_hung(v);
	const char *health = v == NULL ? "no board" : hung ? "the supervisor gives no sign of life" : v->h.health;

	answer_json(c, hung ? 503 : 200, json_pack("{s:s, s:o}",
	    "status", hung ? "down" : health[0] ? "degraded" : "ok", "health", text(health)));
}

/* --- what changes something --- */

/* Hashes are compared, so that neither length nor content can be timed. */
static bool
same_secret(const char *a, const char *b)
{
	struct sha256_ctx ctx;
	uint8_t x[SHA256_DIGEST_SIZE], y[SHA256_DIGEST_SIZE];

	sha256_init(&ctx);
	sha256_update(&ctx, strlen(a), (const uint8_t *)a);
	sha256_digest(&ctx, sizeof(x), x);
	sha256_update(&ctx, strlen(b), (const uint8_t *)b);
	sha256_digest(&ctx, sizeof(y), y);
	return memeql_sec(x, y, sizeof(x));
}

bool
api_allowed(struct conn *c)
{
	static const char want[] = "{\"error\":\"this call wants http.api_token as a Bearer token\"}";
	const char *given = request_field(&c->req, FIELD_AUTHORIZATION);

	if (http.limits.api_token[0] != '\0') {
		if (given != NULL && strncmp(given, "Bearer ", 7) == 0 && same_secret(given + 7, http.limits.api_token))
			return true;
		answer_bytes(c, 401, "application/json", "WWW-Authenticate: Bearer\r\n", xstrdup(want), strlen(want),
		    true);
		return false;
	}
	/* a page in a local browser is no local user: it carries an Origin */
	if (net_is_loopback((const struct sockaddr *)&c->client.ss) && !c->masked &&
	    request_field(&c->req, FIELD_ORIGIN) == NULL)
		return true;
	answer_json(c, 403, json_pack("{s:s}", "error", "without http.api_token this call is for local users only"));
	return false;
}

static void
kick_cb(struct svc *s, int rc, json_t *body, void *ctx)
{
	uint64_t *id = ctx;
	struct conn *c = conn_find(*id);

	free(id);
	if (c == NULL)
		return;
	if (rc == 0)
		answer_json(c, 200, json_pack("{s:b}", "kicked", 1));
	else if (rc == ENOENT)
		answer_json(c, 404, json_pack("{s:s}", "error", "no stream of that name here"));
	else
		answer_json(c, 503, json_pack("{s:s+}", "error", "the supervisor did not do it: ", strerror(rc)));
}

void
api_kick(struct conn *c, const struct route_match *m)
{
	uint64_t *id;

	if (!api_allowed(c))
		return;
	if (!stream_name_ok(m->arg[0], strlen(m->arg[0]))) {
		answer_json(c, 404, json_pack("{s:s}", "error", "not a stream's name"));
		return;
	}
	id = xmalloc(sizeof(*id));
	*id = c->id;
	svc_call(http.svc, "supervisor", "kick", json_pack("{s:s}", "name", m->arg[0]), KICK_MS, kick_cb, id);
}
