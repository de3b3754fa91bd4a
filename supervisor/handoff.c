/*
 * handoff.c - connections that an http worker hands over because they publish: the same limits
 * as RTMP's (accept.c), then an ingest of their own, which gets the descriptors as they came.
 * Called by route.c only.
 *
 * The worker waits for an answer in any case; it keeps the connection until then.
 */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "log.h"
#include "supervisor/supervisor.h"

static void
refuse(struct child *http, uint32_t id, const char *why)
{
	const char *code = sv.stopping ? "stopping" : strstr(why, "per_address") != NULL ? "address" :
	    strstr(why, "limits.") != NULL ? "limit" : "process";

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
		why = accept_give(&peer.ss, masked, conn_body(m), fds, 2);
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
