/*
 * calls.c - verbs of CALL (contract in calls.h, lib/proto.h): a session is one WHEP player, from the
 * offer it was answered to its DELETE, or until its peer is gone. What it has is a viewer; its id is the
 * secret in its URL, so nobody is told it but who made it.
 *
 * The state of ICE is named by an entity-tag, our ice-ufrag: it is new after every restart (WHEP,
 * "HTTP PATCH Request Usage"). Candidates of the other end are of no use to an ICE-lite agent.
 */
#include "workers/webrtc/calls.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/random.h>

#include "conf.h"
#include "log.h"
#include "obj.h"
#include "rtc/etag.h"
#include "util.h"
#include "workers/webrtc/describe.h"
#include "workers/webrtc/webrtc.h"

#define ID_BYTES 16
#define PAGE 100

struct session {
	TAILQ_ENTRY(session) link;
	char id[2 * ID_BYTES + 1];
	struct viewer *viewer;
	bool connected;
	char ufrag[SDP_ICE_MAX + 1], pwd[SDP_ICE_MAX + 1];	/* the player's, of its last offer or restart */
	char local[NET_TEXT];					/* address that it asked at */
	char host[NET_TEXT];
};

static TAILQ_HEAD(, session) sessions = TAILQ_HEAD_INITIALIZER(sessions);

/* --- sessions --- */

static void
session_end(struct session *s)
{
	TAILQ_REMOVE(&sessions, s, link);
	viewer_free(&s->viewer);
	free(s);
}

static void
on_connected(void *ctx)
{
	((struct session *)ctx)->connected = true;
}

/* Who never came is counted (show.c): anybody can ask for a thousand sessions. */
static void
on_gone(void *ctx, const char *why)
{
	struct session *s = ctx;

	if (s->connected)
		log_info("a viewer of %s is gone: %s", room_name(viewer_room(s->viewer)), why);
	else
		log_debug("a viewer of %s never came: %s", room_name(viewer_room(s->viewer)), why);
	session_end(s);
}

static const struct viewer_ops viewer_ops = { .connected = on_connected, .gone = on_gone };

static struct session *
session_find(const json_t *args)
{
	const char *id = obj_str(args, "id"), *name = obj_str(args, "name");
	struct session *s;

	TAILQ_FOREACH(s, &sessions, link)
		if (strcmp(s->id, id) == 0 && strcmp(room_name(viewer_room(s->viewer)), name) == 0)
			return s;
	return NULL;
}

static void
new_id(char *out)
{
	uint8_t raw[ID_BYTES];

	if (getrandom(raw, sizeof(raw), 0) != sizeof(raw))
		fatal("no random numbers");
	hex_format(out, raw, ID_BYTES);
}

static json_t *
etag_of(const struct session *s)
{
	return json_sprintf("\"%s\"", rtc_peer_ufrag(viewer_peer(s->viewer)));
}

static void
remember_ice(struct session *s, const struct sdp_ice *ice)
{
	str_copy(s->ufrag, ice->ufrag, sizeof(s->ufrag));
	str_copy(s->pwd, ice->pwd, sizeof(s->pwd));
}

/* --- offer --- */

static int
text_of(json_t **body, int rc, const char *why)
{
	*body = json_pack("{s:o}", "text", msg_text(why, strlen(why)));
	return rc;
}

/* The viewer of what was picked; rc and *body as for reply. */
static int
session_new(const json_t *args, const struct sdp_pick *p, struct session **out, json_t **body)
{
	struct viewer_codecs codecs = describe_codecs(p);
	struct session *s = xcalloc(1, sizeof(*s));
	struct room *room = room_get(obj_str(args, "name"));
	int rc;

	s->viewer = viewer_new(room, obj_str(args, "peer"), p->fingerprint, &codecs, &viewer_ops, s);
	rc = s->viewer != NULL ? 0 : errno;
	room_put(&room);
	if (rc != 0) {
		free(s);
		return text_of(body, rc, viewer_refusal(rc));
	}
	new_id(s->id);
	remember_ice(s, &p->ice);
	str_copy(s->local, obj_str(args, "local"), sizeof(s->local));
	str_copy(s->host, obj_str(args, "host"), sizeof(s->host));
	TAILQ_INSERT_TAIL(&sessions, s, link);
	*out = s;
	return 0;
}

static int
answer(const json_t *args, const struct sdp *sdp, json_t **body)
{
	struct sdp_want want = describe_want(room_find(obj_str(args, "name")));
	struct session *s = NULL;
	struct sdp_pick p;
	struct describe d;
	char why[SDP_WHY], *text;
	int rc;

	if (sdp_pick(sdp, &want, &p, why) < 0)
		return text_of(body, errno, why);
	rc = session_new(args, &p, &s, body);
	if (rc != 0)
		return rc;
	describe(&d, s->viewer, s->local, s->host);
	text = sdp_answer(sdp, &p, &d.local);
	*body = json_pack("{s:s, s:s, s:o}", "id", s->id, "sdp", text, "etag", etag_of(s));
	free(text);
	log_debug("%s, asked by %.60s: H.264 is %d, Opus %d", obj_str(args, "name"), obj_str(args, "peer"),
	    p.video.format != NULL ? p.video.format->pt : -1, p.audio.format != NULL ? p.audio.format->pt : -1);
	return 0;
}

/* NULL: rc and *body say why. */
static struct sdp *
read_sdp(const json_t *args, enum sdp_type type, int *rc, json_t **body)
{
	const json_t *text = json_object_get(args, "sdp");
	char why[SDP_WHY] = "there is no SDP";
	struct sdp *s = NULL;

	if (json_string_length(text) > (size_t)webrtc.limits.max_sdp)
		snprintf(why, sizeof(why), "it is longer than webrtc.max_sdp, %lld bytes",
		    (long long)webrtc.limits.max_sdp);
	else if (json_is_string(text))
		s = sdp_parse(type, json_string_value(text), json_string_length(text), why);
	if (s == NULL)
		*rc = text_of(body, EINVAL, why);
	return s;
}

static int
call_offer(const json_t *args, json_t **body)
{
	const char *name = obj_str(args, "name");
	struct sdp *sdp;
	int rc = 0;

	if (!stream_name_ok(name, strlen(name)))
		return text_of(body, EINVAL, "no stream can have this name");
	sdp = read_sdp(args, SDP_OFFER, &rc, body);
	if (sdp == NULL)
		return rc;
	rc = answer(args, sdp, body);
	sdp_free(&sdp);
	return rc;
}

/* --- patch --- */

static json_t *
restart(struct session *s, const struct sdp *sdp, const struct sdp_ice *ice)
{
	struct describe d;
	json_t *body;
	char *text;

	rtc_peer_restart(viewer_peer(s->viewer));
	remember_ice(s, ice);
	describe(&d, s->viewer, s->local, s->host);
	text = sdp_fragment(sdp, &d.local);
	body = json_pack("{s:s, s:o}", "sdp", text, "etag", etag_of(s));
	free(text);
	return body;
}

static int
call_patch(const json_t *args, json_t **body)
{
	struct session *s = session_find(args);
	struct sdp_ice ice;
	struct sdp *sdp;
	int rc;

	if (s == NULL)
		return ENOENT;
	sdp = read_sdp(args, SDP_FRAGMENT, &rc, body);
	if (sdp == NULL)
		return rc;
	rc = etag_match(obj_str(args, "if_match"), rtc_peer_ufrag(viewer_peer(s->viewer)));
	if (rc == 0 && sdp_ice(sdp, &ice) && (strcmp(ice.ufrag, s->ufrag) != 0 || strcmp(ice.pwd, s->pwd) != 0))
		*body = restart(s, sdp, &ice);
	else if (rc == 0)
		*body = json_pack("{s:s}", "sdp", "");
	sdp_free(&sdp);
	return rc;
}

static int
call_delete(const json_t *args, json_t **body)
{
	struct session *s = session_find(args);

	if (s == NULL)
		return ENOENT;
	viewer_gave_up(s->viewer);
	session_end(s);
	return 0;
}

/* --- stats --- */

static json_t *
session_stats(const struct session *s)
{
	struct viewer_stats v;
	struct rtc_peer_stats p;
	json_t *o = json_object();

	viewer_get_stats(s->viewer, &v);
	rtc_peer_stats(viewer_peer(s->viewer), &p);
	json_object_set_new(o, "address", json_string(p.address));
	json_object_set_new(o, "connected", json_boolean(v.connected));
	json_object_set_new(o, "transport", json_string(p.tcp ? "tcp" : "udp"));
	json_object_set_new(o, "srtp", json_string(p.srtp));
	json_object_set_new(o, "age_ms", json_integer(v.since_ms > 0 ? now_ms() - v.since_ms : 0));
	json_object_set_new(o, "setup_ms", json_integer(p.setup_ms));
	json_object_set_new(o, "sent_bytes", json_integer((json_int_t)v.sent_bytes));
	json_object_set_new(o, "sent_packets", json_integer((json_int_t)v.sent_packets));
	json_object_set_new(o, "dropped", json_integer((json_int_t)p.dropped));
	json_object_set_new(o, "retransmitted", json_integer((json_int_t)v.retransmitted));
	json_object_set_new(o, "nacks", json_integer((json_int_t)v.nacks));
	json_object_set_new(o, "plis", json_integer((json_int_t)v.plis));
	json_object_set_new(o, "lost", json_integer(v.lost));
	json_object_set_new(o, "loss", json_real(v.fraction_lost / 256.0));
	json_object_set_new(o, "jitter_us", json_integer(v.jitter_us));
	json_object_set_new(o, "rtt_us", json_integer(v.rtt_us));
	json_object_set_new(o, "behind_ms", json_integer(v.behind_ms));
	return o;
}

/*
 * {name, id}: {session: ..}. {name, cursor}: {live, viewers, sessions: at most PAGE, cursor: "" after the last}:
 * without ids, since who has one can end it.
 */
static int
call_stats(const json_t *args, json_t **body)
{
	const char *name = obj_str(args, "name");
	const struct room *room = room_find(name);
	unsigned from = (unsigned)strtoul(obj_str(args, "cursor"), NULL, 10), n = 0;
	json_t *list;
	char cursor[16] = "";
	struct session *s = obj_str(args, "id")[0] != '\0' ? session_find(args) : NULL;

	if (s != NULL)
		*body = json_pack("{s:o}", "session", session_stats(s));
	if (obj_str(args, "id")[0] != '\0')
		return s != NULL ? 0 : ENOENT;
	list = json_array();
	TAILQ_FOREACH(s, &sessions, link) {
		if (strcmp(room_name(viewer_room(s->viewer)), name) != 0 || n++ < from)
			continue;
		if (json_array_size(list) == PAGE) {
			snprintf(cursor, sizeof(cursor), "%u", n - 1);
			break;
		}
		json_array_append_new(list, session_stats(s));
	}
	*body = json_pack("{s:b, s:i, s:o, s:s}", "live", room != NULL && room_is_live(room), "viewers",
	    room != NULL ? (int)room_viewers(room) : 0, "sessions", list, "cursor", cursor);
	return 0;
}

/* --- */

static const struct { const char *verb; int (*handle)(const json_t *args, json_t **body); } verbs[] = {
	{ "offer", call_offer }, { "patch", call_patch }, { "delete", call_delete }, { "stats", call_stats },
};

void
calls_take(struct svc *svc, struct msg *m)
{
	const char *verb = msg_str_or(m, "verb", "");
	json_t *body = NULL;
	int rc = ENOSYS;

	for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++)
		if (strcmp(verbs[i].verb, verb) == 0)
			rc = verbs[i].handle(json_object_get(m->body, "args"), &body);
	svc_reply(svc, m, rc, body);
}

void
calls_free(void)
{
	while (!TAILQ_EMPTY(&sessions))
		session_end(TAILQ_FIRST(&sessions));
}
