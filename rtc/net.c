/*
 * net.c - the packets of all peers: sorts what comes by its first byte and its address, and batches what
 * goes. Contract in peer.h.
 *
 * A stranger's packet costs a look into a hash table and is answered with nothing. Only a check with a
 * right password (ice.c) makes an address known; everything else is taken from known addresses only.
 */
#include "rtc/net_int.h"

#include <assert.h>
#include <errno.h>
#include <event2/event.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "log.h"
#include "rtc/demux.h"
#include "util.h"

#define SLOTS_EACH 128
#define SLOTS_MAX 16384

/* --- who is it? --- */

struct key { struct in6_addr ip; uint32_t port, scope; };

static uint64_t
path_hash(const struct rtc_net *net, const struct sockaddr_in6 *sa)
{
	struct key key = { sa->sin6_addr, sa->sin6_port, sa->sin6_scope_id };

	return table_hash(&net->paths, &key, sizeof(key));
}

static bool
same_address(const struct sockaddr_in6 *a, const struct sockaddr_in6 *b)
{
	return a->sin6_port == b->sin6_port && a->sin6_scope_id == b->sin6_scope_id &&
	    IN6_ARE_ADDR_EQUAL(&a->sin6_addr, &b->sin6_addr);
}

/* NULL: a stranger. */
static struct rtc_path *
find_path(struct rtc_net *net, const struct sockaddr_in6 *from)
{
	struct table_node *node;

	/* node is the first of a path's and of a cred's members */
	for (node = table_first(&net->paths, path_hash(net, from)); node != NULL; node = table_next(node))
		if (same_address(&((struct rtc_path *)node)->addr.peer, from))
			return (struct rtc_path *)node;
	return NULL;
}

void
net_path_put(struct rtc_net *net, struct rtc_path *path)
{
	table_put(&net->paths, &path->node, path_hash(net, &path->addr.peer));
}

struct rtc_cred *
net_cred(struct rtc_net *net, const char *ufrag)
{
	struct table_node *node = table_first(&net->creds, table_hash(&net->creds, ufrag, RTC_UFRAG));

	for (; node != NULL; node = table_next(node))
		if (memcmp(((struct rtc_cred *)node)->ufrag, ufrag, RTC_UFRAG) == 0)
			return (struct rtc_cred *)node;
	return NULL;
}

void
net_cred_put(struct rtc_net *net, struct rtc_cred *cred)
{
	table_put(&net->creds, &cred->node, table_hash(&net->creds, cred->ufrag, RTC_UFRAG));
}

/* --- in --- */

static void
input(struct rtc_net *net, struct rtc_path *path, const struct rtc_path *from, uint8_t *p, size_t n)
{
	enum demux what = demux(p, n);

	if (what == DEMUX_NOTHING)
		net->stats.malformed++;
	else if (what == DEMUX_STUN)
		ice_input(net, path, from, p, n);
	else if (path == NULL)
		net->stats.strangers++;
	else if (what == DEMUX_DTLS)
		peer_dtls(path->peer, path, p, n);
	else
		media_input(path->peer, p, n, what == DEMUX_RTCP);
}

static void
udp_input(void *ctx, const struct udp_addr *addr, uint8_t *p, size_t n)
{
	struct rtc_net *net = ctx;
	struct rtc_path from = { .addr = *addr };

	input(net, find_path(net, &addr->peer), &from, p, n);
}

static void
tcp_input(void *ctx, struct tcp_conn *conn, uint8_t *p, size_t n)
{
	struct rtc_path from = { .addr.peer = *tcp_address(conn), .conn = conn };

	input(ctx, tcp_owner(conn), &from, p, n);
}

static void
tcp_closed(void *ctx, struct tcp_conn *conn)
{
	struct rtc_path *path = tcp_owner(conn);

	path->conn = NULL;
	ice_path_drop(path);
}

/* --- out --- */

void
net_turn(struct rtc_net *net)
{
	event_active(net->turn, EV_TIMEOUT, 0);
}

uint8_t *
net_room(struct rtc_net *net, const struct rtc_path *to)
{
	return to->conn != NULL ? net->scratch : udp_room(net->udp);
}

bool
net_commit(struct rtc_net *net, const struct rtc_path *to, size_t n)
{
	net_turn(net);
	if (to->conn != NULL)
		return tcp_send(to->conn, net->scratch, n);
	udp_commit(net->udp, &to->addr, n);
	return true;
}

void
rtc_net_flush(struct rtc_net *net)
{
	if (!udp_blocked(net->udp))
		udp_flush(net->udp);
	if (net->tcp != NULL)
		tcp_flush(net->tcp);
}

static void
reap(struct rtc_net *net)
{
	struct rtc_peer *peer;

	while ((peer = TAILQ_FIRST(&net->dead)) != NULL) {
		TAILQ_REMOVE(&net->dead, peer, dead);
		peer_destroy(peer);
	}
}

static void
turn_cb(evutil_socket_t fd, short what, void *arg)
{
	struct rtc_net *net = arg;

	reap(net);
	rtc_net_flush(net);
}

/* --- life --- */

static struct tcp_limits
tcp_limits_of(const struct rtc_limits *l)
{
	return (struct tcp_limits){ .max_strangers = l->max_handshakes, .stranger_ms = l->consent_ms,
		.max_queued = (size_t)l->max_queued * RTC_MTU };
}

/* A key frame for each peer, up to 25 MB of them. */
static unsigned
slots_of(const struct rtc_limits *l)
{
	return l->max_peers < SLOTS_MAX / SLOTS_EACH ? SLOTS_EACH * (l->max_peers + 1) : SLOTS_MAX;
}

struct rtc_net *
rtc_net_new(struct event_base *base, int udp_fd, int tcp_fd, const struct rtc_limits *limits)
{
	static const struct udp_ops udp_ops = { udp_input };
	static const struct tcp_ops tcp_ops = { tcp_input, tcp_closed };
	struct tcp_limits tl = tcp_limits_of(limits);
	struct rtc_net *net = xcalloc(1, sizeof(*net));

	net->base = base;
	net->limits = *limits;
	table_init(&net->creds);
	table_init(&net->paths);
	TAILQ_INIT(&net->fresh);
	TAILQ_INIT(&net->shaking);
	TAILQ_INIT(&net->dead);
	net->udp = udp_new(base, udp_fd, slots_of(limits), &udp_ops, net);
	net->tcp = tcp_fd >= 0 ? tcp_new(base, tcp_fd, &tl, &tcp_ops, net) : NULL;
	net->turn = event_new(base, -1, 0, turn_cb, net);
	if (net->udp == NULL || (tcp_fd >= 0 && net->tcp == NULL) || net->turn == NULL || rtc_srtp_library() < 0) {
		log_error("webrtc: the sockets are of no use");
		rtc_net_free(&net);
		return NULL;
	}
	return net;
}

void
rtc_net_free(struct rtc_net **np)
{
	struct rtc_net *net = *np;

	*np = NULL;
	if (net == NULL)
		return;
	if (net->turn != NULL && net->udp != NULL)
		rtc_net_flush(net);	/* the last goodbyes */
	reap(net);
	assert(net->creds.n == 0 && net->paths.n == 0);
	udp_free(&net->udp);
	tcp_free(&net->tcp);
	if (net->turn != NULL)
		event_free(net->turn);
	table_done(&net->creds);
	table_done(&net->paths);
	free(net);
}

void
rtc_net_limits(struct rtc_net *net, const struct rtc_limits *limits)
{
	struct tcp_limits tl = tcp_limits_of(limits);

	net->limits = *limits;
	if (net->tcp != NULL)
		tcp_set_limits(net->tcp, &tl);
}

void
rtc_net_stats(const struct rtc_net *net, struct rtc_net_stats *out)
{
	*out = net->stats;
	out->tcp = net->tcp != NULL ? tcp_count(net->tcp) : 0;
	out->dropped += udp_dropped(net->udp);
}
