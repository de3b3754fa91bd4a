/*
 * handoff.c - connections that an http worker hands over: those that publish, with the same
 * limits as RTMP's (accept.c), to an ingest of their own, which gets the descriptors as they came;
 * the signalling of rooms to the webrtc worker that serves the stream.
 * Called by route.c only.
 *
 * The worker waits for an answer in any case; it keeps the connection until then.
 */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "conf.h"
#include "log.h"
#include "stream_name.h"
#include "supervisor/supervisor.h"

static void
refuse(struct child *http, uint32_t id, const char *why)
{
	const char *code = sv.stopping ? "stopping" : strstr(why, "per_address") != NULL ? "address" :
	    strstr(why, "limits.") != NULL || strstr(why, "ingest_ports") != NULL ? "limit" :
	    strstr(why, "webrtc.workers") != NULL ? "off" : "process";

	if (msg_send(http->control, MSG_REFUSED, id, json_pack("{s:s, s:s}", "code", code, "text", why), NULL, 0) == -1)
		log_warn("an http worker takes no REFUSED");
}

/* What the ingest hears of it. */
static json_t *
conn_body(struct msg *m)
{
	return json_pack("{s:s, s:s, s:s, s:b}", "route", msg_str_or(m, "route", ""), "peer",
	    msg_str_or(m, "peer", ""), "local", msg_str_or(m, "local", ""), "proxy_protocol", 0);
}

/* NULL, or why not. fds are taken. */
static const char *
to_room(struct msg *m, const int fds[2])
{
	const char *name = msg_str_or(m, "name", "");
	struct child *webrtc = stream_name_ok(name, strlen(name)) ? feeds_worker(name) : NULL;

	if (webrtc != NULL)
		return msg_send(webrtc->control, MSG_CONN, 0, json_pack("{s:s, s:s, s:s, s:s, s:b}", "route", "room",
		    "name", name, "peer", msg_str_or(m, "peer", ""), "local", msg_str_or(m, "local", ""), "live",
		    feeds_is_live(name)), fds, 2) == 0 ? NULL : "the webrtc worker takes no more connections";
	close(fds[0]);
	close(fds[1]);
	return conf_int(sv.conf, "webrtc.workers") == 0 ? "WebRTC is off: webrtc.workers is 0" :
	    "the webrtc worker is not up";
}

/* With a UDP socket as a third descriptor. NULL, or why not. fds are taken. */
static const char *
to_whip(const struct net_addr *peer, bool masked, struct msg *m, const int fds[2])
{
	static char why[200];	/* of the answer */
	int all[3] = { fds[0], fds[1], whip_socket(why, sizeof(why)) };

	if (all[2] != -1)
		return accept_give(&peer->ss, masked, "whip", conn_body(m), all, 3);
	close(fds[0]);
	close(fds[1]);
	accept_no_port((const struct sockaddr *)&peer->ss, why);
	return why;
}

/* NULL, or why not. fds are taken. */
static const char *
to_somebody(const struct net_addr *peer, bool masked, struct msg *m, const int fds[2])
{
	const char *route = msg_str_or(m, "route", "");

	if (strcmp(route, "room") == 0)
		return to_room(m, fds);
	if (strcmp(route, "whip") == 0)
		return to_whip(peer, masked, m, fds);
	return accept_give(&peer->ss, masked, NULL, conn_body(m), fds, 2);
}

void
handoff_take(struct child *http, struct msg *m)
{
	int fds[2] = { msg_take_fd(m, 0), msg_take_fd(m, 1) };
	bool masked = json_is_true(json_object_get(m->body, "masked"));
	struct net_addr peer;
	const char *why;

	if (fds[1] == -1 || net_parse(msg_str_or(m, "peer", ""), &peer) == -1)
		why = "the connection came without its address or its bytes";
	else if (sv.stopping)
		why = "this server is stopping";
	else {
		why = to_somebody(&peer, masked, m, fds);
		fds[0] = fds[1] = -1;
	}
	for (int i = 0; i < 2; i++)
		if (fds[i] != -1)
			close(fds[i]);
	if (why != NULL)
		refuse(http, m->id, why);
	else if (msg_send(http->control, MSG_TAKEN, m->id, NULL, NULL, 0) == -1)
		log_warn("an http worker takes no TAKEN");
}
