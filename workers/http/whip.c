/*
 * whip.c - publishers by WebRTC (RFC 9725), as far as they are http's: a session's URL, /whip/NAME/ID, whose PATCH
 * and DELETE are asked of the ingest that has it (verb whip of CALL "supervisor"), and what a browser asks
 * before anything. The POST that begins a session goes to an ingest of its own (handoff.c).
 */
#include <errno.h>

#include "conf.h"
#include "http.h"
#include "ice_server.h"
#include "util.h"
#include "workers/http/rtc_http.h"

/*
 * STUN and TURN servers have to be known before an offer is made (4.6). Whatever the name is: a browser shows its
 * page no answer whose preflight failed, and the POST's says what is wrong.
 */
void
whip_endpoint(struct conn *c, const struct route_match *m)
{
	char links[ICE_SERVER_LINKS];

	ice_server_links(conf_get(http.svc->conf, "webrtc.ice_servers"), links);
	rtc_options(c, "OPTIONS, POST", links);
}

void
whip_session(struct conn *c, const struct route_match *m)
{
	const char *name = m->arg[0], *id = m->arg[1];

	if (request_method(&c->req) == HTTP_OPTIONS)
		rtc_options(c, "OPTIONS, PATCH, DELETE", "");
	else if (!rtc_session_ok(name, id))
		rtc_error(c, ENOENT, NULL);
	else if (request_method(&c->req) == HTTP_PATCH)
		rtc_patch(c, "supervisor", "whip", name, id);
	else
		rtc_ask(c, "supervisor", "whip", name, json_pack("{s:s, s:s}", "id", id, "method", "DELETE"),
		    rtc_done_cb);
}
