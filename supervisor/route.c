/*
 * route.c - every message of every child: a table by type, which says who may send it and
 * who handles it; and the relay of questions (CALL/REPLY) between kinds.
 *
 * A message from a child that may not send it is warned about and dropped: the network
 * decides what an ingest does, so a child is not believed more than it must be. Calls get
 * ids of our own while they are under way, a deadline each, and an answer always: by the
 * one asked, or by us when it is late, gone or was never there.
 *
 * Called by child.c (messages), control.c (the CLI's calls), streams.c (leases).
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "conf.h"
#include "log.h"
#include "stream_name.h"
#include "supervisor/ingress.h"
#include "supervisor/push.h"
#include "supervisor/streams.h"
#include "supervisor/supervisor.h"
#include "util.h"

#define ROUTE_DEADLINE_MAX_MS 60000

struct call {
	struct call *next;
	uint32_t id, from_id;		/* ours; the asker's */
	struct msg_chan *from, *to;	/* from NULL: we asked, cb is told */
	route_reply_cb cb;
	void *ctx;
	struct event *timer;
};

static struct call *calls;
static unsigned ncalls;
static bool full_said;
static uint32_t next_id;

static void
reply_to(struct msg_chan *chan, uint32_t id, int rc, json_t *body)
{
	json_t *answer = json_pack("{s:i}", "rc", rc);

	json_object_set_new(answer, "body", body != NULL ? json_incref(body) : json_object());
	if (msg_send(chan, MSG_REPLY, id, answer, NULL, 0) == -1)
		log_debug("a REPLY could not be sent");
}

static void
call_unlink(struct call *call)
{
	struct call **p;

	for (p = &calls; *p != call; p = &(*p)->next)
		;
	*p = call->next;
	ncalls--;
	full_said = full_said && ncalls > 0;
	event_free(call->timer);
}

/* Off the list before anybody is told: the callback may ask again. */
static void
answer(struct call *call, int rc, json_t *body)
{
	call_unlink(call);
	if (call->from != NULL)
		reply_to(call->from, call->from_id, rc, body);
	else
		call->cb(rc, body, call->ctx);
	free(call);
}

static void
deadline_cb(evutil_socket_t fd, short what, void *ctx)
{
	answer(ctx, ETIMEDOUT, NULL);
}

static struct call *
call_new(struct msg_chan *to, int64_t deadline_ms)
{
	struct call *call = xcalloc(1, sizeof(*call));
	struct timeval tv;

	if (deadline_ms < 1 || deadline_ms > ROUTE_DEADLINE_MAX_MS)
		deadline_ms = ROUTE_DEADLINE_MAX_MS;
	tv = (struct timeval){ deadline_ms / 1000, deadline_ms % 1000 * 1000 };
	call->timer = evtimer_new(sv.base, deadline_cb, call);
	if (call->timer == NULL)
		fatalx("out of memory");
	evtimer_add(call->timer, &tv);
	if (++next_id == 0)
		next_id = 1;
	call->id = next_id;
	call->to = to;
	call->next = calls;
	calls = call;
	ncalls++;
	return call;
}

/* Sends the question, takes args; one that can't be sent is answered on the next turn of the loop. */
static void
call_send(struct call *call, const char *to, const char *verb, json_t *args, int64_t deadline_ms)
{
	json_t *body = json_pack("{s:s, s:s, s:o, s:I}", "to", to, "verb", verb, "args",
	    args != NULL ? args : json_object(), "deadline_ms", (json_int_t)deadline_ms);
	struct timeval now = { 0, 0 };

	if (msg_send(call->to, MSG_CALL, call->id, body, NULL, 0) == -1) {
		log_warn("%s takes no question", to);
		evtimer_add(call->timer, &now);
	}
}

/* Said once, until there are none: around the limit it would be said again and again. */
static bool
calls_full(void)
{
	bool full = ncalls >= conf_int(sv.conf, "limits.calls");

	if (full && !full_said)
		log_warnx("%u questions are under way, limits.calls: who asks now is told to try again", ncalls);
	full_said = full_said || full;
	return full;
}

void
route_call(enum child_kind to, const char *verb, json_t *args, int deadline_ms, route_reply_cb cb,
    void *ctx)
{
	struct child *c = child_first(to);
	struct call *call;

	if (c == NULL || c->control == NULL || calls_full()) {
		json_decref(args);
		cb(c == NULL || c->control == NULL ? ENOTCONN : EBUSY, NULL, ctx);
		return;
	}
	call = call_new(c->control, deadline_ms);
	call->cb = cb;
	call->ctx = ctx;
	call_send(call, child_kind_name(to), verb, args, deadline_ms);
}

/* Questions that the supervisor itself answers. */
static void
answer_here(struct msg_chan *from, struct msg *m, const char *verb)
{
	const char *name = json_string_value(json_object_get(json_object_get(m->body, "args"), "name"));
	json_t *body = NULL;
	int rc = ENOSYS;

	if (strcmp(verb, "kick") == 0)
		rc = name == NULL ? EINVAL : streams_kick(name) == 0 ? 0 : ENOENT;
	else if (strncmp(verb, "push_", 5) == 0)
		rc = push_call(verb, json_object_get(m->body, "args"), &body);
	else if (strncmp(verb, "ingress", 7) == 0)
		rc = ingress_call(verb, json_object_get(m->body, "args"), &body);
	reply_to(from, m->id, rc, body);
	json_decref(body);
}

/* Of the jobs workers the first does what is there once per host, so it answers, too. */
static struct msg_chan *
channel_of(const char *to, const json_t *args)
{
	const char *name = json_string_value(json_object_get(args, "name"));
	struct child *c = NULL;

	if (strcmp(to, "webrtc") == 0 && name != NULL)
		c = feeds_worker(name);
	else if (strcmp(to, "supervisor") == 0)
		c = whip_child(name);		/* verb whip */
	if (strcmp(to, "registry") == 0)
		c = child_first(KIND_REGISTRY);
	else if (strcmp(to, "jobs") == 0)
		c = child_worker(KIND_JOBS, 0);
	else if (strcmp(to, "hooks") == 0)
		c = child_first(KIND_HOOKS);
	return c != NULL ? c->control : NULL;
}

void
route_relay(struct msg_chan *from, struct msg *m)
{
	const char *to = msg_str(m, "to"), *verb = msg_str(m, "verb");
	int64_t deadline_ms = msg_int_or(m, "deadline_ms", ROUTE_DEADLINE_MAX_MS);
	struct msg_chan *chan;
	struct call *call;

	if (to == NULL || verb == NULL) {
		reply_to(from, m->id, EINVAL, NULL);
		return;
	}
	if (strcmp(to, "supervisor") == 0 && strcmp(verb, "whip") != 0) {
		answer_here(from, m, verb);
		return;
	}
	if (strcmp(to, "webrtc") == 0 && conf_int(sv.conf, "webrtc.workers") == 0) {
		reply_to(from, m->id, ENOSYS, NULL);
		return;
	}
	chan = channel_of(to, json_object_get(m->body, "args"));
	if (chan == NULL && strcmp(to, "supervisor") == 0) {
		reply_to(from, m->id, ENOENT, NULL);
		return;
	}
	if (chan == NULL || calls_full()) {
		reply_to(from, m->id, chan == NULL ? ENOTCONN : EBUSY, NULL);
		return;
	}
	call = call_new(chan, deadline_ms);
	call->from = from;
	call->from_id = m->id;
	call_send(call, to, verb, json_incref(json_object_get(m->body, "args")), deadline_ms);
}

void
route_forget(struct msg_chan *chan)
{
	struct call *call = calls;

	/* From the head again after each: whoever is told may ask something new. */
	while (call != NULL) {
		if (call->from == chan) {
			call_unlink(call);
			free(call);
			call = calls;
		} else if (call->to == chan) {
			answer(call, EPIPE, NULL);
			call = calls;
		} else
			call = call->next;
	}
}

static void
on_hello(struct child *c, struct msg *m)
{
	int64_t pid = 0;

	if (msg_int(m, "pid", &pid) == 0 && pid != c->pid)
		log_warnx("%s (pid %d) says it is pid %lld", child_kind_name(c->kind), (int)c->pid,
		    (long long)pid);
}

static void
on_ready(struct child *c, struct msg *m)
{
	child_ready(c);
}

static void
on_claim(struct child *c, struct msg *m)
{
	const char *name = msg_str_or(m, "name", ""), *why = accept_real_peer(c, msg_str_or(m, "peer", ""));

	accept_done_handshake(c);
	spare_refill();
	if (why != NULL) {
		claim_say_refused(c, m->id, name, "limit", why, NULL);
		return;
	}
	/* streams.c says what is wrong otherwise; one that has a stream keeps its name: that is its folder */
	if (c->stream == NULL && stream_name_ok(name, strlen(name)))
		str_copy(c->name, name, sizeof(c->name));
	streams_claim(c, m);
}

/* Of what jobs workers may ask for, a frames session has use for one kind. */
static void
on_ingest_spawn(struct child *c, struct msg *m)
{
	if (strcmp(msg_str_or(m, "kind", ""), "playback") == 0)
		task_spawn(c, m);
	else
		output_spawn(c, m);
}

static void
on_ingest_down(struct child *c, struct msg *m)
{
	if (strcmp(msg_str_or(m, "output", ""), "job") == 0)
		task_down(c, m);
	else
		output_down(c, m);
}

static void
on_bye(struct child *c, struct msg *m)
{
	c->said_bye = true;
	if (c->reason[0] == '\0')
		str_copy(c->reason, msg_str_or(m, "reason", ""), sizeof(c->reason));
	if (c->kind == KIND_INGEST || c->kind == KIND_FINISH)
		streams_bye(c, m);
}

/* A raw recording or an upload is complete. Lost when nobody is ready: a scan finds the file later. */
static void
tell_jobs(struct child *c, struct msg *m)
{
	struct child *jobs = child_worker(KIND_JOBS, 0);	/* who may be sending it to the bucket */

	if (jobs == NULL)
		jobs = child_first(KIND_JOBS);
	if (c->kind != KIND_INGEST || jobs == NULL)
		return;
	if (msg_send(jobs->control, MSG_EVENT, 0, json_incref(m->body), NULL, 0) == -1)
		log_debug("no jobs worker hears of a file; their scan finds it");
}

static void
on_event(struct child *c, struct msg *m)
{
	const char *event = msg_str_or(m, "event", "");

	if (strcmp(event, "recorded") == 0 || strcmp(event, "uploaded") == 0)
		tell_jobs(c, m);
	if (strcmp(event, "ingress") == 0 && c->kind == KIND_REGISTRY)
		ingress_event(m->body);
	else if (!hook_event(c, m))
		streams_event(c, m);
}

static void
on_call(struct child *c, struct msg *m)
{
	const char *to = msg_str_or(m, "to", ""), *verb = msg_str_or(m, "verb", "");

	if (route_may(c->kind, to, verb)) {
		route_relay(c->control, m);
		return;
	}
	log_warnx("%s (pid %d) may not ask %.20s for \"%.40s\": refused", child_kind_name(c->kind), (int)c->pid,
	    to, verb);
	reply_to(c->control, m->id, EPERM, NULL);
}

/* Only the one who was asked may answer. */
static void
on_reply(struct child *c, struct msg *m)
{
	struct call *call;
	int64_t rc;

	for (call = calls; call != NULL; call = call->next)
		if (call->id == m->id && call->to == c->control)
			break;
	if (call == NULL)
		log_debug("a late answer of %s", child_kind_name(c->kind));
	else if (msg_int(m, "rc", &rc) == -1)
		answer(call, EBADMSG, NULL);
	else
		answer(call, (int)rc, json_object_get(m->body, "body"));
}

#define BY(kind) (1u << (kind))
#define BY_ALL (~0u)

static const struct handler {
	uint16_t type;
	unsigned by;
	void (*handle)(struct child *c, struct msg *m);
} handlers[] = {
	{ MSG_HELLO, BY_ALL, on_hello },
	{ MSG_READY, BY_ALL, on_ready },
	{ MSG_CLAIM, BY(KIND_INGEST), on_claim },
	{ MSG_SPAWN, BY(KIND_INGEST), on_ingest_spawn },
	{ MSG_SPAWN, BY(KIND_JOBS), task_spawn },
	{ MSG_OUTPUT_DOWN, BY(KIND_INGEST), on_ingest_down },
	{ MSG_OUTPUT_DOWN, BY(KIND_JOBS), task_down },
	{ MSG_HANDOFF, BY(KIND_HTTP), handoff_take },
	{ MSG_WANT, BY(KIND_WEBRTC), feeds_want },
	{ MSG_REPLY, BY(KIND_WEBRTC) | BY(KIND_INGEST), on_reply },
	{ MSG_EVENT, BY_ALL, on_event },
	{ MSG_BYE, BY_ALL, on_bye },
	{ MSG_CALL, BY_ALL, on_call },
	{ MSG_REPLY, BY(KIND_REGISTRY) | BY(KIND_JOBS) | BY(KIND_HOOKS), on_reply },
};

void
route_message(struct child *c, struct msg *m)
{
	size_t i;

	for (i = 0; i < sizeof(handlers) / sizeof(handlers[0]); i++)
		if (handlers[i].type == m->type && (handlers[i].by & BY(c->kind)) != 0) {
			handlers[i].handle(c, m);
			return;
		}
	log_warnx("%s (pid %d) may not send %s: dropped", child_kind_name(c->kind), (int)c->pid,
	    msg_type_name(m->type));
}
