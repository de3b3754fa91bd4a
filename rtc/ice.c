/*
 * ice.c - the checks of ICE at the lite side (RFC 8445 section 7.3): answers those that know the
 * password, keeps the addresses they come from, follows the other side's choice among them, which is
 * also how a viewer moves from one network to another. Called by net.c.
 *
 * What is caught and sent again by others: from a known address it is answered like any retransmission;
 * from elsewhere it moves nothing. An address that another peer has shown lately stays that peer's.
 */
#include <netinet/in.h>
#include <string.h>

#include "rtc/net_int.h"
#include "util.h"

#define SECOND_MS 1000
#define KEEP_MS 5000	/* browsers check every 2.5 s or more often: an address in use is fresher */

static void
answer(struct rtc_net *net, const struct rtc_path *to, const struct stun_out *o, size_t n)
{
	uint8_t *room = net_room(net, to);

	if (room == NULL || n == 0) {
		net->stats.dropped++;
		return;
	}
	memcpy(room, o->p, n);
	if (!net_commit(net, to, n))
		net->stats.dropped++;
}

/* Whose password to check it with: USERNAME is ours ":" theirs. */
static struct rtc_cred *
whose(struct rtc_net *net, const struct stun *s)
{
	if (s->user == NULL || s->user_len <= RTC_UFRAG || s->user[RTC_UFRAG] != ':')
		return NULL;
	return net_cred(net, s->user);
}

static bool
too_many(struct rtc_peer *peer)
{
	int64_t now = now_ms();

	if (now - peer->checks_since_ms >= SECOND_MS) {
		peer->checks_since_ms = now;
		peer->checks = 0;
	}
	return peer->checks++ >= peer->net->limits.max_checks;
}

static bool
seen_before(const struct rtc_peer *peer, const uint8_t id[STUN_ID])
{
	unsigned n = peer->nseen < RTC_SEEN ? peer->nseen : RTC_SEEN;

	for (unsigned i = 0; i < n; i++)
		if (memcmp(peer->seen[i], id, STUN_ID) == 0)
			return true;
	return false;
}

void
ice_path_drop(struct rtc_path *path)
{
	struct rtc_peer *peer = path->peer;
	struct rtc_path *best = NULL;

	table_take(&peer->net->paths, &path->node);
	if (path->conn != NULL)
		tcp_close(&path->conn);
	path->peer = NULL;
	if (peer->selected != path)
		return;
	for (int i = 0; i < RTC_PATHS; i++)
		if (peer->path[i].peer != NULL && (best == NULL || peer->path[i].heard_ms > best->heard_ms))
			best = &peer->path[i];
	peer->selected = best;
	peer->nominated = false;
}

/* A free place, else the one that has been silent longest; never the one in use. */
static struct rtc_path *
place(struct rtc_peer *peer)
{
	struct rtc_path *oldest = NULL;

	for (int i = 0; i < RTC_PATHS; i++) {
		struct rtc_path *path = &peer->path[i];

		if (path->peer == NULL)
			return path;
		if (path != peer->selected && (oldest == NULL || path->heard_ms < oldest->heard_ms))
			oldest = path;
	}
	ice_path_drop(oldest);
	return oldest;
}

static struct rtc_path *
path_new(struct rtc_peer *peer, const struct rtc_path *from)
{
	struct rtc_path *path = place(peer);

	*path = (struct rtc_path){ .peer = peer, .addr = from->addr, .conn = from->conn };
	if (path->conn != NULL)
		tcp_admit(path->conn, path);
	else
		net_path_put(peer->net, path);
	return path;
}

/* The path a valid check stands for, made if it may be; NULL: it is not to be believed. */
static struct rtc_path *
path_of(struct rtc_peer *peer, struct rtc_path *path, const struct rtc_path *from, const struct stun *s)
{
	if (path != NULL && path->peer == peer)
		return path;
	if (path != NULL && (path->conn != NULL || now_ms() - path->heard_ms < KEEP_MS))
		return NULL;
	if (seen_before(peer, s->id))
		return NULL;
	if (path != NULL)
		ice_path_drop(path);
	return path_new(peer, from);
}

/* The new password is in use: the former one is of no more use. */
static void
retire(struct rtc_peer *peer, const struct rtc_cred *used)
{
	if (used == &peer->cred[0])
		table_take(&peer->net->creds, &peer->cred[1].node);
}

static void
choose(struct rtc_peer *peer, struct rtc_path *path, bool nominated)
{
	if (peer->selected != NULL && !nominated)
		return;
	if (peer->selected != NULL && peer->selected != path && peer->state == RTC_UP)
		peer->stats.moves++;
	peer->selected = path;
	peer->nominated = nominated;
}

static void
request(struct rtc_net *net, struct rtc_cred *cred, struct rtc_path *path, const struct rtc_path *from,
    const struct stun *s)
{
	struct rtc_peer *peer = cred->peer;
	struct stun_out o;

	if (s->nunknown > 0 || s->controlled) {
		answer(net, from, &o, stun_error(&o, s, s->nunknown > 0 ? 420 : 487, cred->pwd));
		return;
	}
	path = path_of(peer, path, from, s);
	if (path == NULL) {
		net->stats.strangers++;
		return;
	}
	if (!seen_before(peer, s->id))
		memcpy(peer->seen[peer->nseen++ % RTC_SEEN], s->id, STUN_ID);
	path->heard_ms = now_ms();
	path->addr.local = from->addr.local;
	retire(peer, cred);
	choose(peer, path, s->use_candidate);
	answer(net, path, &o, stun_success(&o, s, (const struct sockaddr *)&path->addr.peer, cred->pwd));
	peer_checked(peer);
}

void
ice_input(struct rtc_net *net, struct rtc_path *path, const struct rtc_path *from, const uint8_t *p, size_t n)
{
	struct rtc_cred *cred;
	struct stun s;

	if (stun_parse(&s, p, n) < 0) {
		net->stats.malformed++;
		return;
	}
	if (s.type != STUN_REQUEST)	/* indications keep NATs awake; we ask nothing, so nothing is answered */
		return;
	cred = whose(net, &s);
	if (cred == NULL || !stun_verify(&s, p, cred->pwd))
		net->stats.strangers++;
	else if (!too_many(cred->peer))
		request(net, cred, path, from, &s);
}
