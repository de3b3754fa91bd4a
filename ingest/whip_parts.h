/* whip_parts.h - what whip_publish.c (a publisher's life) and whip_call.c (PATCH, DELETE) share. */
#ifndef MILLRACE_WHIP_PARTS_H
#define MILLRACE_WHIP_PARTS_H

#include <event2/event.h>

#include "net.h"
#include "protocol.h"
#include "rtc/peer.h"
#include "rtc/sdp.h"
#include "whip_http.h"
#include "whip_media.h"

#define WHIP_ID 32		/* characters of a session's id: its secret */

struct protocol {
	struct protocol_env env;
	struct whip_http http;
	int udp;			/* the socket, while net is not made; -1 */
	struct rtc_net *net;
	struct sdp *offer;		/* NULL: none, or answered */
	struct sdp_pick pick;		/* points into offer */
	char fingerprint[256];
	struct rtc_peer *peer;		/* NULL: not answered, or over */
	struct whip_media *media;
	struct event *timer;
	char id[WHIP_ID + 1];		/* "": not answered */
	char host[NET_TEXT];		/* that it asked at */
	char ufrag[SDP_ICE_MAX + 1], pwd[SDP_ICE_MAX + 1];	/* the publisher's, of its offer or last restart */
	bool over, said_backwards;
	char error[240];
};

/* --- whip_publish.c --- */
/* What our SDPs say of ourselves; addresses is its memory. */
struct sdp_local whip_local(const struct protocol *p, struct sdp_address *addresses);
void whip_end(struct protocol *p, const char *how);	/* the session is over */

/* --- whip_call.c --- */
void whip_remember_ice(struct protocol *p, const struct sdp_ice *ice);
void whip_call(struct protocol *p, struct msg *m);	/* CALL {method, id, sdp, if_match} */
#endif
