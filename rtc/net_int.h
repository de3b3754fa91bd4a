/*
 * net_int.h - what net.c, ice.c, peer.c and media.c share of a net and its peers; nobody else includes it.
 *
 * A peer: NEW (its SDP is out) -> CHECKED (a valid check has come: somebody has our password) -> UP (DTLS
 * is through, the fingerprint is right) -> OVER (gone() is said or about to be; in no table any more).
 */
#ifndef MILLRACE_RTC_NET_INT_H
#define MILLRACE_RTC_NET_INT_H

#include <sys/queue.h>

#include "rtc/cert.h"
#include "rtc/dtls.h"
#include "rtc/peer.h"
#include "rtc/srtp.h"
#include "rtc/stun.h"
#include "rtc/table.h"
#include "rtc/tcp.h"
#include "rtc/udp.h"

#define RTC_PATHS 4	/* addresses of one peer that a valid check has come from lately */
#define RTC_SEEN 16	/* transactions remembered to know a replay from elsewhere */

enum rtc_state { RTC_NEW, RTC_CHECKED, RTC_UP, RTC_OVER };

struct rtc_path {			/* also: where a packet has come from */
	struct table_node node;		/* in net->paths, if UDP */
	struct rtc_peer *peer;		/* NULL: not in use */
	struct udp_addr addr;
	struct tcp_conn *conn;		/* NULL: UDP */
	int64_t heard_ms;		/* its last valid check */
};

struct rtc_cred {
	struct table_node node;		/* in net->creds */
	struct rtc_peer *peer;
	char ufrag[RTC_UFRAG + 1], pwd[RTC_PWD + 1];
};

struct rtc_peer {
	struct rtc_net *net;
	const struct rtc_peer_ops *ops;
	void *ctx;
	enum rtc_state state;
	bool freed;			/* by its owner; waits for net_reap */
	bool nominated;			/* the other side has chosen `selected` */
	const char *ending;		/* why gone() is to be said at the next turn */
	struct rtc_cred cred[2];	/* [1]: the former one, until [0] is used */
	struct cert_print print;
	struct dtls *dtls;
	struct rtc_srtp *srtp;
	struct rtc_path path[RTC_PATHS], *selected;
	struct event *timer;
	int64_t born_ms, checked_ms, heard_ms, up_ms;	/* checked: by the first valid check */
	int64_t checks_since_ms;	/* for max_checks */
	unsigned checks;
	unsigned queue_round, queued;	/* for max_queued */
	uint8_t seen[RTC_SEEN][STUN_ID];
	unsigned nseen;
	enum srtp_suite suite;
	struct rtc_peer_stats stats;
	TAILQ_ENTRY(rtc_peer) waiting, dead;
};

struct rtc_net {
	struct event_base *base;
	struct rtc_limits limits;
	struct udp *udp;
	struct tcp *tcp;		/* NULL: none */
	struct table creds, paths;
	TAILQ_HEAD(peer_list, rtc_peer) fresh, shaking;	/* NEW ones, CHECKED ones; oldest first */
	struct peer_list dead;
	unsigned waiting;		/* in these two */
	struct event *turn;		/* flushes and reaps at the end of the loop's turn */
	struct rtc_net_stats stats;
	_Alignas(8) uint8_t scratch[UDP_PACKET];	/* net_room for TCP */
};

/* net.c: a place for the next packet to that path, then what to do with it. false, NULL: it is lost. */
uint8_t *net_room(struct rtc_net *net, const struct rtc_path *to);
bool net_commit(struct rtc_net *net, const struct rtc_path *to, size_t n);
void net_turn(struct rtc_net *net);	/* there is something to flush or to reap */
void net_path_put(struct rtc_net *net, struct rtc_path *path);
struct rtc_cred *net_cred(struct rtc_net *net, const char *ufrag);	/* RTC_UFRAG characters */
void net_cred_put(struct rtc_net *net, struct rtc_cred *cred);

/* ice.c: a packet that looks like STUN. path: whose it is by address, may be NULL. */
void ice_input(struct rtc_net *net, struct rtc_path *path, const struct rtc_path *from, const uint8_t *p, size_t n);
void ice_path_drop(struct rtc_path *path);	/* with its connection, if that is still there */

/* peer.c */
void peer_checked(struct rtc_peer *peer);	/* a valid check has come */
void peer_dtls(struct rtc_peer *peer, struct rtc_path *path, const uint8_t *p, size_t n);
void peer_destroy(struct rtc_peer *peer);	/* its memory; it is in no list and no table */

/* media.c */
void media_input(struct rtc_peer *peer, uint8_t *p, size_t n, bool rtcp);
#endif
