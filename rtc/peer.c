/*
 * peer.c - the life of one peer: ICE's first check, the DTLS handshake, its keys into SRTP, and the
 * end. Contract in peer.h, the states in rtc/net_int.h, media in media.c.
 *
 * Every peer has one timer: DTLS' next flight while it shakes hands, the end of its consent afterwards,
 * so a connected peer costs a wake-up in 30 s. gone() is only ever said from the loop.
 */
#include "rtc/peer.h"

#include <errno.h>
#include <event2/event.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "log.h"
#include "rtc/net_int.h"
#include "util.h"

#define DTLS_HANDSHAKE 22	/* content type of a record */
#define SHAKING_MS 3000		/* nobody's handshake is cut short before, however many others want to begin */

static void
send_dtls(void *ctx, const uint8_t *p, size_t n)
{
	struct rtc_peer *peer = ctx;
	uint8_t *room = peer->selected != NULL && n <= UDP_PACKET ? net_room(peer->net, peer->selected) : NULL;

	if (room == NULL)
		return;		/* lost like any datagram: DTLS sends it again */
	memcpy(room, p, n);
	net_commit(peer->net, peer->selected, n);
}

/* --- the end --- */

/* Not NEW or not CHECKED any more. */
static void
waits_no_more(struct rtc_peer *peer)
{
	struct rtc_net *net = peer->net;

	TAILQ_REMOVE(peer->state == RTC_NEW ? &net->fresh : &net->shaking, peer, waiting);
	net->waiting--;
}

static void
waits_as(struct rtc_peer *peer, enum rtc_state state)
{
	struct rtc_net *net = peer->net;

	peer->state = state;
	TAILQ_INSERT_TAIL(state == RTC_NEW ? &net->fresh : &net->shaking, peer, waiting);
	net->waiting++;
}

/* Out of every table, with a goodbye if there is somebody to hear it; srtp and dtls stay until peer_destroy. */
static void
detach(struct rtc_peer *peer, bool goodbye)
{
	struct rtc_net *net = peer->net;

	if (peer->state == RTC_UP)
		net->stats.connected--;
	else
		waits_no_more(peer);
	net->stats.peers--;
	if (peer->dtls != NULL && goodbye)
		dtls_close(peer->dtls);
	peer->state = RTC_OVER;
	for (int i = 0; i < RTC_PATHS; i++)
		if (peer->path[i].peer != NULL)
			ice_path_drop(&peer->path[i]);
	for (int i = 0; i < 2; i++)
		table_take(&net->creds, &peer->cred[i].node);
	event_del(peer->timer);
}

/* From the loop only. Without consent nothing may be sent any more (RFC 7675 section 5.1). */
static void
over(struct rtc_peer *peer, const char *why)
{
	if (peer->state != RTC_OVER)
		detach(peer, strcmp(why, RTC_GONE_CONSENT) != 0);
	peer->ops->gone(peer->ctx, why);
}

/* From inside a call of peer.h: gone() comes with the next turn. */
static void
over_soon(struct rtc_peer *peer, const char *why)
{
	detach(peer, true);
	peer->ending = why;
	event_active(peer->timer, EV_TIMEOUT, 0);
}

void
peer_destroy(struct rtc_peer *peer)
{
	event_free(peer->timer);
	dtls_free(&peer->dtls);
	rtc_srtp_free(&peer->srtp);
	explicit_bzero(peer->cred, sizeof(peer->cred));
	free(peer);
}

void
rtc_peer_free(struct rtc_peer **pp)
{
	struct rtc_peer *peer = *pp;

	*pp = NULL;
	if (peer == NULL)
		return;
	if (peer->state != RTC_OVER)
		detach(peer, true);
	event_del(peer->timer);
	peer->freed = true;
	TAILQ_INSERT_TAIL(&peer->net->dead, peer, dead);
	net_turn(peer->net);
}

/* --- time --- */

static int64_t
deadline_ms(const struct rtc_peer *peer)
{
	return (peer->state == RTC_UP ? peer->heard_ms : peer->born_ms) + peer->net->limits.consent_ms;
}

static void
arm(struct rtc_peer *peer)
{
	int64_t ms = deadline_ms(peer) - now_ms();
	int flight = peer->dtls != NULL ? dtls_timeout_ms(peer->dtls) : -1;

	if (flight >= 0 && flight < ms)
		ms = flight;
	ms = ms < 0 ? 0 : ms;
	event_add(peer->timer, &(struct timeval){ ms / 1000, ms % 1000 * 1000 });
}

static const char *
late(const struct rtc_peer *peer)
{
	if (peer->state == RTC_UP)
		return RTC_GONE_CONSENT;
	return peer->state == RTC_CHECKED ? RTC_GONE_NO_DTLS : RTC_GONE_NO_ICE;
}

/* --- the handshake --- */

/* DTLS is through and the fingerprint known: is it the right one? */
static void
connect_it(struct rtc_peer *peer)
{
	struct srtp_keys keys;

	if (!dtls_peer_is(peer->dtls, &peer->print)) {
		over(peer, RTC_GONE_FINGERPRINT);
		return;
	}
	dtls_keys(peer->dtls, &keys);
	peer->suite = keys.suite;
	peer->srtp = rtc_srtp_new(&keys);
	explicit_bzero(&keys, sizeof(keys));
	if (peer->srtp == NULL) {
		over(peer, RTC_GONE_DTLS);
		return;
	}
	waits_no_more(peer);
	peer->state = RTC_UP;
	peer->net->stats.connected++;
	peer->up_ms = now_ms();
	arm(peer);
	peer->ops->connected(peer->ctx);
}

static void
shaken(struct rtc_peer *peer, enum dtls_state state)
{
	if (state == DTLS_FAILED) {
		log_debug("webrtc: a DTLS handshake failed: %s", dtls_error(peer->dtls));
		over(peer, RTC_GONE_DTLS);
	} else if (state == DTLS_CLOSED)
		over(peer, RTC_GONE_CLOSED);
	else if (state == DTLS_UP && peer->state == RTC_CHECKED && peer->print.len > 0)
		connect_it(peer);
	else if (peer->state == RTC_CHECKED)
		arm(peer);
}

void
peer_dtls(struct rtc_peer *peer, struct rtc_path *path, const uint8_t *p, size_t n)
{
	if (peer->dtls == NULL && p[0] == DTLS_HANDSHAKE)
		peer->dtls = dtls_new(send_dtls, peer);
	if (peer->dtls == NULL)
		return;
	if (!peer->nominated)
		peer->selected = path;	/* not chosen yet, but this one is in use */
	shaken(peer, dtls_input(peer->dtls, p, n));
}

void
peer_checked(struct rtc_peer *peer)
{
	peer->heard_ms = now_ms();
	if (peer->state != RTC_NEW)
		return;
	waits_no_more(peer);
	waits_as(peer, RTC_CHECKED);
	peer->checked_ms = peer->heard_ms;
}

static void
timer_cb(evutil_socket_t fd, short what, void *arg)
{
	struct rtc_peer *peer = arg;

	if (peer->state == RTC_OVER) {
		if (peer->ending != NULL && !peer->freed)
			peer->ops->gone(peer->ctx, peer->ending);
		return;
	}
	if (now_ms() >= deadline_ms(peer)) {
		over(peer, late(peer));
		return;
	}
	if (peer->dtls != NULL && peer->state == RTC_CHECKED)
		shaken(peer, dtls_timeout_ms(peer->dtls) == 0 ? dtls_expired(peer->dtls) : dtls_state(peer->dtls));
	else
		arm(peer);
}

/* --- the beginning --- */

static void
random_text(char *out, size_t n)
{
	static const char alphabet[65] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	uint8_t raw[RTC_PWD];

	if (getrandom(raw, n, 0) != (ssize_t)n)
		fatal("no random numbers from the kernel");
	for (size_t i = 0; i < n; i++)
		out[i] = alphabet[raw[i] & 63];
	out[n] = '\0';
}

static void
new_cred(struct rtc_peer *peer)
{
	struct rtc_cred *cred = &peer->cred[0];

	cred->peer = peer;
	do
		random_text(cred->ufrag, RTC_UFRAG);
	while (net_cred(peer->net, cred->ufrag) != NULL);
	random_text(cred->pwd, RTC_PWD);
	net_cred_put(peer->net, cred);
}

/* One more that is not connected yet: who makes room? The oldest that nobody has claimed, else one that is slow. */
static struct rtc_peer *
displaced(struct rtc_net *net)
{
	struct rtc_peer *peer = TAILQ_FIRST(&net->fresh);

	if (peer != NULL)
		return peer;
	peer = TAILQ_FIRST(&net->shaking);
	return peer != NULL && now_ms() - peer->checked_ms >= SHAKING_MS ? peer : NULL;
}

static int
make_room(struct rtc_net *net)
{
	struct rtc_peer *peer;

	errno = ENOSPC;
	if (net->stats.peers >= net->limits.max_peers)
		return -1;
	if (net->waiting < net->limits.max_handshakes)
		return 0;
	peer = displaced(net);
	if (peer == NULL)
		return -1;
	over_soon(peer, RTC_GONE_DISPLACED);
	return 0;
}

struct rtc_peer *
rtc_peer_new(struct rtc_net *net, const char *remote_fingerprint, const struct rtc_peer_ops *ops, void *ctx)
{
	struct cert_print print = { .len = 0 };
	struct rtc_peer *peer;

	if (remote_fingerprint != NULL && cert_print_parse(&print, remote_fingerprint) < 0)
		return NULL;
	if (make_room(net) < 0)
		return NULL;
	peer = xcalloc(1, sizeof(*peer));
	peer->net = net;
	peer->ops = ops;
	peer->ctx = ctx;
	peer->print = print;
	peer->born_ms = now_ms();
	peer->timer = evtimer_new(net->base, timer_cb, peer);
	if (peer->timer == NULL)
		fatal("webrtc: no memory for a peer");
	new_cred(peer);
	waits_as(peer, RTC_NEW);
	net->stats.peers++;
	arm(peer);
	return peer;
}

int
rtc_peer_set_fingerprint(struct rtc_peer *peer, const char *remote_fingerprint)
{
	if (cert_print_parse(&peer->print, remote_fingerprint) < 0)
		return -1;
	if (peer->state == RTC_CHECKED)
		event_active(peer->timer, EV_TIMEOUT, 0);	/* DTLS may be waiting for it */
	return 0;
}

const char *
rtc_peer_ufrag(const struct rtc_peer *peer)
{
	return peer->cred[0].ufrag;
}

const char *
rtc_peer_pwd(const struct rtc_peer *peer)
{
	return peer->cred[0].pwd;
}

void
rtc_peer_restart(struct rtc_peer *peer)
{
	struct rtc_net *net = peer->net;

	if (peer->state == RTC_OVER)
		return;
	/* The older of two that were never used goes at once. */
	for (int i = 0; i < 2; i++)
		table_take(&net->creds, &peer->cred[i].node);
	peer->cred[1] = peer->cred[0];
	net_cred_put(net, &peer->cred[1]);
	new_cred(peer);
}

void
rtc_peer_stats(const struct rtc_peer *peer, struct rtc_peer_stats *out)
{
	*out = peer->stats;
	out->connected = peer->state == RTC_UP;
	out->srtp = srtp_suite_name(peer->suite);
	out->connected_ms = peer->up_ms;
	out->setup_ms = peer->up_ms > 0 ? (unsigned)(peer->up_ms - peer->born_ms) : 0;
	if (peer->selected == NULL)
		return;
	out->tcp = peer->selected->conn != NULL;
	net_format((const struct sockaddr *)&peer->selected->addr.peer, out->address);
}
