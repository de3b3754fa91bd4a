/*
 * rtmp_call.c - the commands a publisher calls (Adobe RTMP 1.0, 7.2, and what encoders call
 * besides): connect, publish, their ends, by table. Contract in rtmp_call.h; called by
 * rtmp_session.c for every command message. A call nobody knows gets an empty result, so
 * that no encoder waits for it.
 */
#include "rtmp_call.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "amf0.h"
#include "util.h"

#define TEXT_MAX 2048		/* tcUrl, names: longer ones are refused */

static void
replace(char **where, const char *text)
{
	free(*where);
	*where = xstrdup(text);
}

static const char *
text_of(json_t *object, const char *key)
{
	const char *k;
	json_t *v;

	json_object_foreach(object, k, v)
		if (strcasecmp(k, key) == 0 && json_is_string(v))
			return json_string_value(v);
	return "";
}

/* "rtmp://host:1935/live/?k=v" -> path "/live", query "k=v"; quotes around it and a trailing slash go. */
static void
split_tc_url(struct rtmp_session *s)
{
	const char *p = s->tc_url + (s->tc_url[0] == '"'), *slash = strstr(p, "://");
	char *end;

	slash = slash != NULL ? strchr(slash + 3, '/') : NULL;
	free(s->path);
	s->path = slash != NULL ? xstrdup(slash) : xasprintf("/%s", s->app);
	end = s->path + strcspn(s->path, "?\"");
	replace(&s->tc_query, *end == '?' ? end + 1 : "");
	s->tc_query[strcspn(s->tc_query, "\"")] = '\0';
	*end = '\0';
	while (end > s->path + 1 && end[-1] == '/')
		*--end = '\0';
}

static int
cmd_connect(struct rtmp_session *s, double tx, json_t *args)
{
	json_t *o = json_array_get(args, 2), *encoding;
	const char *tc_url = text_of(o, "tcUrl"), *app = text_of(o, "app");
	bool asks;

	if (s->phase != PHASE_CONNECT)
		return rtmp_session_fail(s, "a second connect");
	if (strlen(tc_url) > TEXT_MAX || strlen(app) > TEXT_MAX)
		return rtmp_session_fail(s, "connect: a tcUrl or app longer than %d bytes", TEXT_MAX);
	replace(&s->tc_url, tc_url);
	replace(&s->app, app);
	split_tc_url(s);
	if (strstr(app, "authmod=") != NULL || strstr(tc_url, "authmod=") != NULL) {
		rtmp_cmd_error(&s->out, tx, "NetConnection.Connect.Rejected",
		    "user and password are not used here: put NAME?key=... into the Stream Key");
		return rtmp_session_fail(s, "RTMP user and password (authmod) instead of ?key= in the stream key");
	}
	encoding = json_object_get(o, "objectEncoding");
	asks = json_object_get(o, "fourCcList") != NULL || json_object_get(o, "capsEx") != NULL ||
	    json_object_get(o, "videoFourCcInfoMap") != NULL || json_object_get(o, "audioFourCcInfoMap") != NULL;
	rtmp_cmd_control(&s->out, RTMP_WINDOW_ACK, s->limits.ack_window);
	rtmp_cmd_peer_bandwidth(&s->out, s->limits.ack_window);
	rtmp_cmd_control(&s->out, RTMP_SET_CHUNK_SIZE, s->limits.chunk_size);
	rtmp_cmd_connected(&s->out, tx, json_is_number(encoding) ? json_number_value(encoding) : 0,
	    asks);
	rtmp_cmd_bandwidth_done(&s->out);
	s->phase = PHASE_PUBLISH;
	return 0;
}

/* --- publish and its end --- */

static int
need_connect(struct rtmp_session *s, const char *what)
{
	return s->phase == PHASE_CONNECT ? rtmp_session_fail(s, "%s before connect", what) : 0;
}

static int
cmd_create_stream(struct rtmp_session *s, double tx, json_t *args)
{
	if (need_connect(s, "createStream") < 0)
		return -1;
	rtmp_cmd_result_number(&s->out, tx, RTMP_STREAM_ID);
	return 0;
}

static int
cmd_null_result(struct rtmp_session *s, double tx, json_t *args)
{
	if (tx != 0)
		rtmp_cmd_result_null(&s->out, tx);
	return 0;
}

static int
cmd_fcpublish(struct rtmp_session *s, double tx, json_t *args)
{
	if (need_connect(s, "FCPublish") < 0)
		return -1;
	if (tx != 0)
		rtmp_cmd_result_null(&s->out, tx);
	rtmp_cmd_status(&s->out, "onFCPublish", tx, 0, "status", "NetStream.Publish.Start", "ready");
	return 0;
}

static int
cmd_publish(struct rtmp_session *s, double tx, json_t *args)
{
	const char *name = json_string_value(json_array_get(args, 3)), *q;
	struct rtmp_publish p;

	if (need_connect(s, "publish") < 0)
		return -1;
	if (s->phase != PHASE_PUBLISH)
		return rtmp_session_fail(s, "a second publish on one connection");
	if (name == NULL)
		name = "";
	if (strlen(name) > TEXT_MAX)
		return rtmp_session_fail(s, "publish: a name longer than %d bytes", TEXT_MAX);
	replace(&s->name, name);
	q = strchr(name, '?');
	if (q != NULL)
		s->name[q - name] = '\0';
	replace(&s->query, q != NULL ? q + 1 : s->tc_query);
	s->phase = PHASE_ASKED;
	p = (struct rtmp_publish){ .tc_url = s->tc_url, .path = s->path, .app = s->app, .name = s->name,
	    .query = s->query };
	s->ops->publish(s->ctx, &p);
	return 0;
}

static int
ended(struct rtmp_session *s, const char *how)
{
	if (s->phase == PHASE_LIVE || s->phase == PHASE_ASKED) {
		s->phase = PHASE_OVER;
		s->ops->ended(s->ctx, how);
	}
	return 0;
}

static int
cmd_fcunpublish(struct rtmp_session *s, double tx, json_t *args)
{
	if (tx != 0)
		rtmp_cmd_result_null(&s->out, tx);
	return ended(s, "FCUnpublish");
}

static int
cmd_delete_stream(struct rtmp_session *s, double tx, json_t *args)
{
	return ended(s, "deleteStream");
}

static int
cmd_close_stream(struct rtmp_session *s, double tx, json_t *args)
{
	return ended(s, "closeStream");
}

static int
cmd_play(struct rtmp_session *s, double tx, json_t *args)
{
	const char *name = json_string_value(json_array_get(args, 3));
	char text[512] = "this server does not serve RTMP";

	if (need_connect(s, "play") < 0)
		return -1;
	s->ops->play(s->ctx, name != NULL ? name : "", text, sizeof(text));
	rtmp_cmd_status(&s->out, "onStatus", 0, s->stream_id, "error", "NetStream.Play.Failed", text);
	return rtmp_session_fail(s, "a player: RTMP play is not served");
}

static const struct {
	const char *name;
	int (*run)(struct rtmp_session *s, double tx, json_t *args);
} commands[] = {
	{ "connect", cmd_connect },
	{ "releaseStream", cmd_null_result },
	{ "FCPublish", cmd_fcpublish },
	{ "createStream", cmd_create_stream },
	{ "publish", cmd_publish },
	{ "FCUnpublish", cmd_fcunpublish },
	{ "deleteStream", cmd_delete_stream },
	{ "closeStream", cmd_close_stream },
	{ "play", cmd_play },
	{ "play2", cmd_play },
};

/* A known command must be whole; what else clients call may hold what we can't read. */
static int
run(struct rtmp_session *s, const struct rtmp_message *m, const char *name, json_t *args, bool whole)
{
	double tx = json_number_value(json_array_get(args, 1));

	for (unsigned i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
		if (strcmp(name, commands[i].name) != 0)
			continue;
		if (!whole)
			return rtmp_session_fail(s, "chunk stream %u: %s with torn or unknown AMF", m->csid, name);
		return commands[i].run(s, tx, args);
	}
	/* replies (_result, _error, onStatus) carry nothing that we asked for */
	if (strcmp(name, "_result") == 0 || strcmp(name, "_error") == 0)
		return 0;
	return cmd_null_result(s, tx, args);
}

int
rtmp_call(struct rtmp_session *s, const struct rtmp_message *m, const uint8_t *body, size_t len)
{
	int whole, rc;
	json_t *args = amf0_read(body, len, &whole);
	const char *name = json_string_value(json_array_get(args, 0));

	if (m->stream_id != 0)
		s->stream_id = m->stream_id;
	if (name != NULL)
		rc = run(s, m, name, args, whole);
	else
		rc = rtmp_session_fail(s, "chunk stream %u: a command that is not AMF0", m->csid);
	json_decref(args);
	return rc;
}
