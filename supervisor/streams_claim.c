/*
 * streams_claim.c - CLAIM: may this connection be stream NAME? Whoever is allowed to, says
 * streams_ask.c; then, each step once: this host's table (duplicates, see streams_judge.c), with
 * a shared Redis the lease of the whole cluster; then GRANT, or REFUSE with the reason.
 *
 * A claim is a small object as long as it waits: for the registry, for the holder's sign
 * of life, or (as the stream's heir) for an old ingest or a finish to be gone. It is known
 * by number where an answer may come after its connection has died. Nothing in here fails
 * open but what redis.when_down says.
 * Called by streams_ask.c (claim_begin) and streams.c (the rest).
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "conf.h"
#include "log.h"
#include "supervisor/push.h"
#include "supervisor/refusals.h"
#include "supervisor/streams.h"
#include "util.h"

#define CLAIM_POLL_MS 100	/* between two looks at a holder's sign of life */
#define CLAIM_SILENCE_MIN_MS 1100 /* an ingest's page is up to 1 s old */

struct claim {
	struct claim *next;
	struct child *c;		/* its connection; NULL once that is gone */
	uint32_t number, id;		/* ours; the CLAIM message's */
	char name[BOARD_NAME], app[64], peer[64], protocol[16];
	char query[STREAM_QUERY];
	uint8_t identity[AUTH_IDENTITY];
	struct sockaddr_storage addr;	/* of its publisher, as peer says */
	int64_t came_ms;
	struct event *timer;
	pid_t judged;			/* the holder it was found to be right against, 0 = none */
	struct stream *heir_of;		/* waits for it to be vacant */
};

static struct claim *claims;
static uint32_t next_number;

static void judge(struct claim *claim);

static void
claim_free(struct claim *claim)
{
	struct claim **p;

	for (p = &claims; *p != claim; p = &(*p)->next)
		;
	*p = claim->next;
	if (claim->heir_of != NULL)
		claim->heir_of->heir = NULL;
	event_free(claim->timer);
	free(claim);
}

void
claim_say_refused(struct child *c, uint32_t id, const char *name, const char *code, const char *text,
    const char *why)
{
	json_t *body = json_pack("{s:s, s:s}", "code", code, "text", text);

	refusals_say(code, c->peer, name, why != NULL ? why : text);
	if (c->control == NULL)
		json_decref(body);
	else if (msg_send(c->control, MSG_REFUSE, id, body, NULL, 0) == -1)
		child_kill(c, "it takes no answer");
}

static void
claim_refuse(struct claim *claim, const char *code, const char *text)
{
	claim_say_refused(claim->c, claim->id, claim->name, code, text, NULL);
	claim_free(claim);
}

/* The timer means two things: look again at the holder, or the old one has had its time. */
static void
timer_cb(evutil_socket_t fd, short what, void *ctx)
{
	struct claim *claim = ctx;
	struct stream *s = claim->heir_of;

	if (s == NULL)
		judge(claim);
	else if (s->ingest != NULL)
		child_kill(s->ingest, "another publisher takes its name, and it did not yield");
	else if (s->finish != NULL)
		child_kill(s->finish, "its publisher is back, and it did not yield");
}

static void
timer_in(struct claim *claim, int ms)
{
	struct timeval tv = { ms / 1000, ms % 1000 * 1000 };

	evtimer_add(claim->timer, &tv);
}

/* The stream's old ingest or its finish has to go first. */
static void
inherit(struct claim *claim, struct stream *s, const char *reason)
{
	struct child *old = s->ingest != NULL ? s->ingest : s->finish;
	json_t *body = json_pack("{s:s}", "reason", reason);

	claim->heir_of = s;
	s->heir = claim;
	evtimer_del(s->timer);
	if (old->control == NULL)
		json_decref(body);
	else if (msg_send(old->control, MSG_YIELD, 0, body, NULL, 0) == -1)
		log_debug("%s takes no YIELD", child_kind_name(old->kind));
	timer_in(claim, PROTO_YIELD_MS);
}

void
claim_grant(struct claim *claim)
{
	struct stream *s = stream_find(claim->name);
	struct child *c = claim->c;
	bool resume = s != NULL && s->state == BOARD_STREAM_RECONNECTING && s->since_wall_ms != 0;

	if (s == NULL)
		s = stream_new(claim->name);
	evtimer_del(s->timer);
	if (s->state == BOARD_STREAM_FINISHING)
		stream_say_ended(s);
	str_copy(s->app, claim->app, sizeof(s->app));
	str_copy(s->peer, claim->peer, sizeof(s->peer));
	str_copy(s->protocol, claim->protocol, sizeof(s->protocol));
	str_copy(s->query, claim->query, sizeof(s->query));
	memcpy(s->identity, claim->identity, sizeof(s->identity));
	s->peer_addr = claim->addr;
	s->state = BOARD_STREAM_STARTING;
	s->granted_ms = now_ms();
	s->was_live = s->ended_said = false;
	stream_mark_ended(s, false);
	s->resumed = resume;
	s->finish_failures = 0;
	s->reconnects = resume ? s->reconnects + 1 : 0;
	s->since_wall_ms = resume ? s->since_wall_ms : 0;
	s->created_wall_ms = resume ? s->created_wall_ms : wall_ms();
	s->ingest = c;
	c->stream = s;
	str_copy(c->name, s->name, sizeof(c->name));
	stream_make_dir(s);
	log_info("stream %s: %s publishes by %s%s", s->name, s->peer, s->protocol,
	    resume ? ", its playlist goes on" : "");
	if (msg_send(c->control, MSG_GRANT, claim->id, json_pack("{s:s, s:b}", "name", s->name,
	    "resume", resume), NULL, 0) == -1)
		child_kill(c, "it takes no answer");
	json_decref(s->pushes);		/* another ingest knows nothing of them */
	s->pushes = NULL;
	push_update(s);
	claim_free(claim);
}

/* --- the lease of the cluster --- */

static void
lease_written_cb(int rc, json_t *body, void *ctx)
{
	if (rc != 0)
		log_debug("the lease will be written when Redis is back (%s)", strerror(rc));
}

/* The lease is ours. The table may have changed while we waited for it: look again. */
static void
settle(struct claim *claim)
{
	struct stream *s = stream_find(claim->name);

	if (s != NULL && (s->heir != NULL ||
	    (s->ingest != NULL && s->ingest->pid != claim->judged)))
		judge(claim);
	else if (s != NULL && s->ingest != NULL)
		inherit(claim, s, "another publisher takes the name");
	else if (s != NULL && s->finish != NULL)
		inherit(claim, s, "the publisher is back");
	else
		claim_grant(claim);
}

static void
lease_cb(int rc, json_t *body, void *ctx)
{
	uint32_t number = (uint32_t)(uintptr_t)ctx;
	struct claim *claim;
	json_t *granted;

	for (claim = claims; claim != NULL && claim->number != number; claim = claim->next)
		;
	if (claim == NULL)
		return;		/* its connection died meanwhile; the lease runs out by itself */
	granted = json_object_get(body, "granted");
	if (rc == 0 && json_is_true(granted))
		settle(claim);
	else if (rc == 0 && json_is_false(granted))
		claim_refuse(claim, "elsewhere", "another host has a publisher of this name");
	else if (strcmp(conf_str(sv.conf, "redis.when_down"), "allow") == 0)
		settle(claim);
	else
		claim_refuse(claim, "redis", "Redis does not answer, and redis.when_down is refuse");
}

static void
lease(struct claim *claim)
{
	json_t *args = json_pack("{s:s}", "name", claim->name);
	int wait_ms = (int)conf_int(sv.conf, "redis.claim_wait");

	if (strcmp(conf_str(sv.conf, "redis.url"), "embedded") != 0) {
		route_call(KIND_REGISTRY, "lease", args, wait_ms, lease_cb, (void *)(uintptr_t)claim->number);
		return;
	}
	/* Only this host can have the name; a disk busy with fsync must not delay it. */
	route_call(KIND_REGISTRY, "lease", args, wait_ms, lease_written_cb, NULL);
	settle(claim);
}

/* --- this host's table --- */

static bool
same_publisher(const struct claim *claim, const struct stream *s)
{
	static const uint8_t keyless[AUTH_IDENTITY];

	if (memcmp(claim->identity, s->identity, AUTH_IDENTITY) != 0)
		return false;
	return memcmp(claim->identity, keyless, AUTH_IDENTITY) != 0 ||
	    net_same_host((const struct sockaddr *)&claim->addr,
	    (const struct sockaddr *)&s->peer_addr);
}

static int64_t
last_media_ms(const struct child *ingest)
{
	struct board_page page;

	if (ingest->page == NULL || board_read_page(ingest->page, &page) == -1)
		return 0;
	return page.media.last_media_ms;
}

static enum judge_verdict
judge_holder(const struct claim *claim, const struct stream *s)
{
	struct judge_input in = {
		.takeover = strcmp(conf_str(sv.conf, "streams.duplicate"), "takeover") == 0,
		.same_identity = same_publisher(claim, s),
		.now_ms = now_ms(),
		.claimed_ms = claim->came_ms,
		.silence_ms = conf_int(sv.conf, "streams.silence"),
		.granted_ms = s->granted_ms,
		.last_media_ms = last_media_ms(s->ingest),
	};

	if (in.silence_ms < CLAIM_SILENCE_MIN_MS)
		in.silence_ms = CLAIM_SILENCE_MIN_MS;
	/* One that is on its way out (its publisher left, BYE, a stop) is no holder any more. */
	if (s->ingest->said_bye || s->ingest->client_gone || s->ingest->state == CHILD_STOPPING)
		return JUDGE_TAKE_OVER;
	return judge_duplicate(&in);
}

static void
judge(struct claim *claim)
{
	struct stream *s = stream_find(claim->name);

	if (s == NULL && stream_count() >= (unsigned)conf_int(sv.conf, "streams.max")) {
		claim_refuse(claim, "busy", "this server has streams.max streams");
		return;
	}
	if (s != NULL && s->heir != NULL) {
		claim_refuse(claim, "duplicate", "another publisher is just taking this name over");
		return;
	}
	if (s == NULL || s->ingest == NULL) {
		lease(claim);
		return;
	}
	switch (judge_holder(claim, s)) {
	case JUDGE_TAKE_OVER:
		log_info("stream %s: %s takes over from %s", s->name, claim->peer, s->peer);
		claim->judged = s->ingest->pid;
		lease(claim);
		break;
	case JUDGE_REFUSE:
		claim_refuse(claim, "duplicate", "this stream is being published already");
		break;
	case JUDGE_WAIT:
		timer_in(claim, CLAIM_POLL_MS);
		break;
	}
}

/* --- from streams_ask.c --- */

/* What is the back end's, without what this server itself asks for. If it is too long, whole arguments are left out. */
static void
without_secrets(const char *query, char out[STREAM_QUERY])
{
	size_t used = 0, n;

	for (query += *query == '?'; *query != '\0'; query += n + (query[n] == '&')) {
		n = strcspn(query, "&");
		if (n == 0 || strncmp(query, "key=", 4) == 0 || strncmp(query, "sig=", 4) == 0 ||
		    strncmp(query, "exp=", 4) == 0)
			continue;
		if (used + n + 2 > STREAM_QUERY)
			break;
		if (used > 0)
			out[used++] = '&';
		memcpy(out + used, query, n);
		used += n;
	}
	out[used] = '\0';
}

static struct claim *
claim_new(struct child *c, struct msg *m, const char *name, const char *query)
{
	struct claim *claim = xcalloc(1, sizeof(*claim));
	struct net_addr addr;

	claim->c = c;
	claim->id = m->id;
	claim->number = ++next_number;
	claim->came_ms = now_ms();
	str_copy(claim->name, name, sizeof(claim->name));
	str_copy(claim->app, msg_str_or(m, "app", ""), sizeof(claim->app));
	str_copy(claim->peer, msg_str_or(m, "peer", c->peer), sizeof(claim->peer));
	str_copy(claim->protocol, msg_str_or(m, "protocol", "rtmp"), sizeof(claim->protocol));
	/* Behind a proxy only the ingest knows who it really is. */
	claim->addr = net_parse(claim->peer, &addr) == 0 ? addr.ss : c->peer_addr;
	without_secrets(query, claim->query);
	auth_identity(query, claim->identity);
	claim->timer = evtimer_new(sv.base, timer_cb, claim);
	if (claim->timer == NULL)
		fatalx("out of memory");
	claim->next = claims;
	claims = claim;
	return claim;
}

bool
claim_of(const struct child *c)
{
	const struct claim *claim;

	for (claim = claims; claim != NULL; claim = claim->next)
		if (claim->c == c)
			return true;
	return c->stream != NULL;
}

void
claim_begin(struct child *c, struct msg *m, const char *name, const char *query)
{
	judge(claim_new(c, m, name, query));
}

void
claim_child_gone(const struct child *c)
{
	struct claim *claim, *next;

	ask_child_gone(c);
	for (claim = claims; claim != NULL; claim = next) {
		next = claim->next;
		if (claim->c == c)
			claim_free(claim);
	}
}

void
claim_refuse_all(const char *code, const char *text)
{
	ask_refuse_all(code, text);
	while (claims != NULL)
		claim_refuse(claims, code, text);
}
