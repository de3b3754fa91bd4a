/*
 * signal_room.c - the rooms protocol (millrace-internals(7), WEBRTC SIGNALLING): we offer, the page answers;
 * all of a room chat; all are told whether it is on air. Messages are {type, data, fromClientID}.
 *
 *   we:  getOffer {type, sdp} · getCandidate {candidate, sdpMid, sdpMLineIndex} · isPublishing "true" or
 *        "false" · getChat text, with timestamp · error text
 *   it:  answer · candidate (not needed: we are ICE-lite) · chat
 *
 * Who waits is connected already when the publisher comes: the offer names both tracks in any case.
 * Chat is for those who are there: nothing is kept.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "conf.h"
#include "log.h"
#include "obj.h"
#include "util.h"
#include "workers/webrtc/describe.h"
#include "workers/webrtc/signal_parts.h"
#include "workers/webrtc/webrtc.h"

#define BURST 5			/* messages at once of those that a rate allows */

/* The clients of one room, as they chat. */
struct hall {
	TAILQ_ENTRY(hall) link;
	struct room *room;		/* each member holds it */
	TAILQ_HEAD(, signal) mates;
	int64_t chat_due_ms;
};
static TAILQ_HEAD(, hall) halls = TAILQ_HEAD_INITIALIZER(halls);

/* At most rate a second on average, BURST at once; 0: never. */
static bool
may(int64_t *due_ms, int64_t rate)
{
	int64_t now = now_ms(), cost = rate > 0 ? 1000 / rate : 0;

	if (rate <= 0 || *due_ms > now)
		return false;
	if (*due_ms < now - (BURST - 1) * cost)
		*due_ms = now - (BURST - 1) * cost;
	*due_ms += cost;
	return true;
}

static void
say_error(struct signal *s, const char *what)
{
	if (may(&s->error_due_ms, 1))
		signal_say(s, "error", msg_text(what, strlen(what)), "server");
}

/* --- coming and going --- */

static struct hall *
hall_of(struct room *r)
{
	struct hall *h;

	TAILQ_FOREACH(h, &halls, link)
		if (h->room == r)
			return h;
	h = xcalloc(1, sizeof(*h));
	h->room = r;
	TAILQ_INIT(&h->mates);
	TAILQ_INSERT_TAIL(&halls, h, link);
	return h;
}

void
signal_leave(struct signal *s)
{
	struct hall *h = s->hall;

	viewer_free(&s->viewer);
	if (h == NULL)
		return;
	s->hall = NULL;
	TAILQ_REMOVE(&h->mates, s, mates);
	if (TAILQ_EMPTY(&h->mates)) {
		TAILQ_REMOVE(&halls, h, link);
		free(h);
	}
	room_leave(&s->member);
}

static void
on_connected(void *ctx)
{
	((struct signal *)ctx)->connected = true;
}

/*
 * Who was connected, or had to make room, is closed: pages connect again by that. Who never could (no
 * route for UDP or TCP to us) may stay to chat.
 */
static void
on_gone(void *ctx, const char *why)
{
	struct signal *s = ctx;

	if (s->connected)
		log_info("a viewer of room %s is gone: %s", room_name(s->hall->room), why);
	viewer_free(&s->viewer);
	if (!s->connected && strcmp(why, RTC_GONE_NO_ICE) == 0)
		say_error(s, "no media connection came about: is the port of webrtc.listen reachable, UDP and TCP?");
	else
		signal_end(s, WS_GOING_AWAY, why);
}

static void
on_live(void *ctx, bool live)
{
	struct signal *s = ctx;

	signal_say(s, "isPublishing", json_string(live ? "true" : "false"), room_name(s->member.room));
}

int
signal_enter(struct signal *s, const char *name)
{
	static const struct viewer_ops ops = { .connected = on_connected, .gone = on_gone };
	static const struct viewer_codecs none_yet;
	struct room *room = room_get(name);
	int error;

	s->viewer = viewer_new(room, s->peer, NULL, &none_yet, &ops, s);
	error = errno;
	if (s->viewer != NULL) {
		/* The first one in a room need not wait for its FEED, which answers the room's WANT. */
		if (s->live)
			room_set_live(room, true);
		s->member.live = on_live;
		s->member.ctx = s;
		room_join(room, &s->member);
		s->hall = hall_of(room);
		TAILQ_INSERT_TAIL(&s->hall->mates, s, mates);
	}
	room_put(&room);
	errno = error;
	return s->viewer != NULL ? 0 : -1;
}

/* --- offer and answer --- */

static void
say_candidates(struct signal *s, const struct sdp_local *local)
{
	char line[128];

	for (unsigned i = 0; sdp_candidate(local, i, line, sizeof(line)) > 0; i++)
		signal_say(s, "getCandidate", json_pack("{s:s, s:s, s:i, s:s}", "candidate", line, "sdpMid", "0",
		    "sdpMLineIndex", 0, "usernameFragment", local->ufrag), "server");
}

void
signal_offer(struct signal *s)
{
	struct describe d;
	char *text;

	describe(&d, s->viewer, s->local, s->host);
	text = sdp_offer(&d.local, true, true);
	signal_say(s, "getOffer", json_pack("{s:s, s:s}", "type", "offer", "sdp", text), "server");
	free(text);
	say_candidates(s, &d.local);
	if (!s->over)
		on_live(s, room_is_live(s->member.room));
}

/* data is {type, sdp}, a JSON string of that, or the SDP itself; new reference to the SDP's string, or NULL. */
static json_t *
sdp_of(const json_t *data)
{
	json_t *parsed = NULL, *sdp = NULL;

	if (json_is_string(data) && json_string_value(data)[0] == '{')
		data = parsed = json_loads(json_string_value(data), 0, NULL);
	if (json_is_object(data))
		sdp = json_object_get(data, "sdp");
	else if (json_is_string(data))
		sdp = (json_t *)data;
	sdp = json_is_string(sdp) ? json_incref(sdp) : NULL;
	json_decref(parsed);
	return sdp;
}

static void
take_answer(struct signal *s, const struct sdp *sdp)
{
	struct sdp_want want = describe_want(s->member.room);
	struct viewer_codecs codecs;
	struct sdp_pick p;
	char why[SDP_WHY], text[SDP_WHY + 40];

	if (sdp_pick(sdp, &want, &p, why) < 0) {
		snprintf(text, sizeof(text), "this answer cannot be used: %s", why);
		say_error(s, text);
		return;
	}
	codecs = describe_codecs(&p);
	viewer_set_codecs(s->viewer, &codecs);
	if (rtc_peer_set_fingerprint(viewer_peer(s->viewer), p.fingerprint) < 0)
		say_error(s, "the fingerprint of this answer is none");
	else
		s->answered = true;
}

static void
on_answer(struct signal *s, const json_t *message)
{
	json_t *text = sdp_of(json_object_get(message, "data"));
	char why[SDP_WHY] = "an answer's data is {\"type\": \"answer\", \"sdp\": \"v=0..\"}, of at most webrtc.max_sdp";
	struct sdp *sdp = NULL;

	if (s->answered || s->viewer == NULL) {
		json_decref(text);
		say_error(s, s->answered ? "the offer was answered before; connect again for a new one" :
		    "the offer is too old; connect again for a new one");
		return;
	}
	if (text != NULL && json_string_length(text) <= (size_t)webrtc.limits.max_sdp)
		sdp = sdp_parse(SDP_ANSWER, json_string_value(text), json_string_length(text), why);
	if (sdp != NULL)
		take_answer(s, sdp);
	else
		say_error(s, why);
	sdp_free(&sdp);
	json_decref(text);
}

/* Nothing to do: where it is shows in its checks. */
static void
on_candidate(struct signal *s, const json_t *message)
{
}

/* --- chat --- */

static void
tell_all(struct hall *h, const char *text, size_t len)
{
	struct signal *s, *next;

	for (s = TAILQ_FIRST(&h->mates); s != NULL; s = next) {
		next = TAILQ_NEXT(s, mates);
		signal_text(s, text, len);	/* it may leave */
	}
}

static void
on_chat(struct signal *s, const json_t *message)
{
	const json_t *conf = webrtc.svc->conf, *data = json_object_get(message, "data");
	json_t *body;
	char *text, when[32];

	if (!json_is_string(data) || json_string_length(data) > (size_t)conf_int(conf, "webrtc.max_chat")) {
		say_error(s, "a chat message's data is a string of at most webrtc.max_chat bytes");
		return;
	}
	if (json_string_length(data) == 0)
		return;
	if (!may(&s->chat_due_ms, conf_int(conf, "webrtc.chat_rate")) ||
	    !may(&s->hall->chat_due_ms, conf_int(conf, "webrtc.room_chat_rate"))) {
		say_error(s, "too many chat messages: this one was not sent on");
		return;
	}
	body = json_pack("{s:s, s:O, s:o, s:s}", "type", "getChat", "data", data, "fromClientID",
	    msg_text(s->name, strlen(s->name)), "timestamp", wall_format(wall_ms(), when));
	text = json_dumps(body, JSON_COMPACT);
	json_decref(body);
	if (text != NULL)
		tell_all(s->hall, text, strlen(text));
	free(text);
}

/* --- */

static const struct { const char *type; void (*handle)(struct signal *s, const json_t *message); } messages[] = {
	{ "answer", on_answer }, { "candidate", on_candidate }, { "chat", on_chat },
};

static void
on_message(void *ctx, bool text, const uint8_t *p, size_t len)
{
	struct signal *s = ctx;
	json_t *message = json_loadb((const char *)p, len, 0, NULL);
	const char *type = obj_str(message, "type");
	bool known = false;

	for (size_t i = 0; i < sizeof(messages) / sizeof(messages[0]) && !known && !s->over; i++)
		if (strcmp(messages[i].type, type) == 0) {
			known = true;
			messages[i].handle(s, message);
		}
	if (!known)
		say_error(s, "want {\"type\": \"answer\", \"candidate\" or \"chat\", \"data\": ..}");
	json_decref(message);
}

const struct ws_ops signal_ops = { .message = on_message };
