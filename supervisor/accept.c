/*
 * accept.c - takes RTMP connections, and those that http hands over (handoff.c), and gives
 * each to an ingest of its own: to a spare (spare.c), or else one spawn, no round trip; the
 * connection waits in the child's channel before it has run its first instruction. Not one
 * byte of it is read here.
 *
 * Limits: connections in all and by address, and handshakes that have not become a stream:
 * when those are all taken the oldest goes, unless even that one is younger than a second
 * (then the newcomer goes). So it is with the ports of WHIP, but there the newcomer has to ask
 * again. An ingest whose publisher has left, which only completes its files or ends, does not
 * count against its address. What is over a limit is closed at once, and said once a second; one
 * whose address only its PROXY head tells is counted, and told, when it claims (accept_real_peer).
 * Without descriptors listening pauses for a second instead of spinning.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "conf.h"
#include "log.h"
#include "supervisor/refusals.h"
#include "supervisor/supervisor.h"
#include "util.h"

#define ACCEPT_PER_TURN 64	/* then the other events get their turn */
#define ACCEPT_EVICT_MS 1000	/* an unfinished handshake is safe for this long */
#define ACCEPT_PAUSE_SEC 1

struct listener {
	struct event *ev;
	bool proxy_protocol;
};

static struct listener *listeners;
static int nlisteners;
static struct event *resume_event;
static unsigned total, unfinished;

static struct {
	int64_t said_ms;
	unsigned count;
	char last[160];
} refusals;

void
accept_flush(int64_t now)
{
	if (refusals.count == 0 || (refusals.said_ms != 0 && now - refusals.said_ms < 1000))
		return;
	log_warnx("%u connection%s refused, the last of %s", refusals.count,
	    refusals.count == 1 ? "" : "s", refusals.last);
	refusals.said_ms = now;
	refusals.count = 0;
}

/* At most one line a second, however many are turned away. */
static void
say_refused(const struct sockaddr *peer, const char *why)
{
	char host[NET_TEXT];

	net_format_host(peer, host);
	refusals_count("limit", host, "", why);
	refusals.count++;
	snprintf(refusals.last, sizeof(refusals.last), "%s: %s", host, why);
	accept_flush(now_ms());
}

struct survey {
	struct in6_addr peer;
	unsigned same_host;
	struct child *oldest, *oldest_whip;	/* unfinished */
};

/* Its publisher is gone, or as good as gone. */
static bool
leaving(const struct child *c)
{
	return c->client_gone || c->said_bye || c->reaped || c->pipes_closed ||
	    c->state == CHILD_STOPPING;
}

static void
survey_one(struct child *c, void *ctx)
{
	struct survey *s = ctx;
	struct in6_addr peer;

	if (c->kind != KIND_INGEST || c->conn_ms == 0)
		return;
	peer = net_customer((struct sockaddr *)&c->peer_addr);
	if (!leaving(c) && !c->masked && IN6_ARE_ADDR_EQUAL(&peer, &s->peer))
		s->same_host++;
	if (c->handshake && (s->oldest == NULL || c->conn_ms < s->oldest->conn_ms))
		s->oldest = c;
	if (c->handshake && c->program != NULL && (s->oldest_whip == NULL || c->conn_ms < s->oldest_whip->conn_ms))
		s->oldest_whip = c;
}

/* false: even that one is too young. */
static bool
make_room(struct child *oldest, const char *why)
{
	if (now_ms() - oldest->conn_ms < ACCEPT_EVICT_MS)
		return false;
	say_refused((struct sockaddr *)&oldest->peer_addr, why);
	accept_done_handshake(oldest);
	oldest->asked = true;
	child_kill(oldest, "its handshake took too long and others wait");
	return true;
}

/* NULL, or why this connection is turned away. May end an older one instead. */
static const char *
over_limit(const struct sockaddr *peer, bool masked)
{
	struct survey s = { .peer = net_customer(peer) };

	if (total >= (unsigned)conf_int(sv.conf, "limits.connections"))
		return "limits.connections is reached";
	child_each(survey_one, &s);
	/* Behind a proxy all have its address. */
	if (!masked && s.same_host >= (unsigned)conf_int(sv.conf, "limits.per_address"))
		return "limits.per_address is reached";
	if (unfinished < (unsigned)conf_int(sv.conf, "limits.handshakes") || s.oldest == NULL)
		return NULL;
	return make_room(s.oldest, "limits.handshakes is reached, the oldest makes room") ? NULL :
	    "limits.handshakes is reached";
}

const char *
accept_real_peer(struct child *c, const char *peer)
{
	struct survey s = { .oldest = NULL };
	struct net_addr real;

	if (!c->masked || strcmp(peer, c->peer) == 0 || net_parse(peer, &real) == -1)
		return NULL;
	str_copy(c->peer, peer, sizeof(c->peer));
	s.peer = net_customer((struct sockaddr *)&real.ss);
	child_each(survey_one, &s);
	if (s.same_host >= (unsigned)conf_int(sv.conf, "limits.per_address"))
		return "limits.per_address is reached";		/* and it is not counted while it leaves */
	c->peer_addr = real.ss;
	c->masked = false;
	return NULL;
}

void
accept_no_port(const struct sockaddr *peer, const char *why)
{
	struct survey s = { .oldest_whip = NULL };

	child_each(survey_one, &s);
	if (s.oldest_whip != NULL)
		make_room(s.oldest_whip, "webrtc.ingest_ports are taken, the oldest that has sent no offer makes room");
	say_refused(peer, why);
}

static void
close_all(const int *fds, int nfds)
{
	for (int i = 0; i < nfds; i++)
		close(fds[i]);
}

/* body is stolen, fds are closed once sent, also on failure. NULL, or why nobody serves it. */
static const char *
give_to_ingest(const struct sockaddr_storage *peer, bool masked, const char *program, json_t *body, const int *fds,
    int nfds)
{
	struct child *c = program == NULL ? spare_take() : NULL;

	if (c == NULL)
		c = child_start_ingest(program);
	if (c == NULL) {
		log_warn("no ingest can be started");
		json_decref(body);
		close_all(fds, nfds);
		return "no process can be started for it";
	}
	sv.accepted++;
	total++;
	unfinished++;
	c->handshake = true;
	c->conn_ms = now_ms();
	c->peer_addr = *peer;
	c->masked = masked;
	net_format((const struct sockaddr *)peer, c->peer);
	/* without a channel it is as good as reaped already */
	if (msg_send(c->control, MSG_CONN, 0, body, fds, nfds) == -1 && c->control != NULL)
		child_kill(c, "its connection could not be handed over");
	return NULL;
}

const char *
accept_give(const struct sockaddr_storage *peer, bool masked, const char *program, json_t *body, const int *fds,
    int nfds)
{
	const char *why = over_limit((const struct sockaddr *)peer, masked);

	if (why == NULL)
		why = give_to_ingest(peer, masked, program, body, fds, nfds);
	else {
		json_decref(body);
		close_all(fds, nfds);
	}
	if (why != NULL)
		say_refused((const struct sockaddr *)peer, why);
	return why;
}

static void
hand_over(int fd, const struct sockaddr_storage *peer, bool proxy_protocol)
{
	struct sockaddr_storage local;
	socklen_t len = sizeof(local);
	char text[NET_TEXT] = "", from[NET_TEXT];

	memset(&local, 0, sizeof(local));
	if (getsockname(fd, (struct sockaddr *)&local, &len) == 0)
		net_format((struct sockaddr *)&local, text);
	accept_give(peer, proxy_protocol, NULL, json_pack("{s:s, s:s, s:s, s:b}", "route", "rtmp", "peer",
	    net_format((const struct sockaddr *)peer, from), "local", text, "proxy_protocol", proxy_protocol), &fd, 1);
}

static void
pause_all(const char *why)
{
	struct timeval tv = { ACCEPT_PAUSE_SEC, 0 };
	int i;

	log_warnx("cannot accept: %s; trying again in %d s", why, ACCEPT_PAUSE_SEC);
	for (i = 0; i < nlisteners; i++)
		event_del(listeners[i].ev);
	evtimer_add(resume_event, &tv);
}

static void
resume_cb(evutil_socket_t fd, short what, void *ctx)
{
	int i;

	for (i = 0; i < nlisteners; i++)
		event_add(listeners[i].ev, NULL);
}

static void
accept_cb(evutil_socket_t listen_fd, short what, void *ctx)
{
	struct listener *l = ctx;
	struct sockaddr_storage peer;
	socklen_t len;
	int i, fd;

	for (i = 0; i < ACCEPT_PER_TURN; i++) {
		len = sizeof(peer);
		memset(&peer, 0, sizeof(peer));
		fd = accept4(listen_fd, (struct sockaddr *)&peer, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);
		if (fd == -1) {
			if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM)
				pause_all(strerror(errno));
			return;		/* no more, or one that went away again */
		}
		hand_over(fd, &peer, l->proxy_protocol);
	}
}

void
accept_start(void)
{
	json_t *list = conf_get(sv.conf, "rtmp.listen");
	struct listener *l;
	int i;

	listeners = xcalloc((size_t)sv.nlisten_rtmp + 1, sizeof(*listeners));
	nlisteners = sv.nlisten_rtmp;
	if (resume_event == NULL)
		resume_event = evtimer_new(sv.base, resume_cb, NULL);
	for (i = 0; i < nlisteners; i++) {
		l = &listeners[i];
		l->proxy_protocol = json_is_true(json_object_get(
		    json_array_get(list, (size_t)i), "proxy_protocol"));
		l->ev = event_new(sv.base, sv.listen_rtmp[i], EV_READ | EV_PERSIST, accept_cb, l);
		if (l->ev == NULL || resume_event == NULL)
			fatalx("out of memory");
		event_add(l->ev, NULL);
	}
}

void
accept_stop(void)
{
	int i;

	for (i = 0; i < nlisteners; i++)
		event_free(listeners[i].ev);
	free(listeners);
	listeners = NULL;
	nlisteners = 0;
	if (resume_event != NULL)
		event_free(resume_event);
	resume_event = NULL;
}

void
accept_done_handshake(struct child *c)
{
	if (!c->handshake)
		return;
	c->handshake = false;
	unfinished--;
}

void
accept_gone(struct child *c)
{
	if (c->conn_ms == 0) {
		spare_gone(c);
		return;
	}
	accept_done_handshake(c);
	total--;
}

unsigned
accept_connections(void)
{
	return total;
}
