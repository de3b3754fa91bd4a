/*
 * whip_main.c - millrace-whip: one publisher by WHIP. What an ingest is, with the libraries of WebRTC,
 * which the others need not carry; so it is no spare of theirs, and started when its connection comes.
 * Started by millraced only.
 */
#include <string.h>
#include <sys/prctl.h>

#include "log.h"
#include "protocol.h"
#include "session.h"
#include "syscalls.h"

static int
start(struct svc *s, int argc, char **argv)
{
	/* Its UDP socket comes with the connection; the addresses that its answer names are the host's. */
	if (syscalls_restrict(true) == -1) {
		log_warn("no sandbox: seccomp");
		return -1;
	}
	prctl(PR_SET_NAME, "millrace-whip");
	session_protocol(&whip_publish_ops);
	session_new(s);
	svc_ready(s);
	return 0;
}

int
main(int argc, char **argv)
{
	static const struct svc_handler handlers[] = {
		{ MSG_CONN, session_conn }, { MSG_GRANT, session_grant }, { MSG_REFUSE, session_refuse },
		{ MSG_SPAWNED, session_output }, { MSG_EXITED, session_output }, { MSG_PUSH, session_output },
		{ MSG_FEED, session_output }, { MSG_CALL, session_output }, { MSG_YIELD, session_yield },
		{ MSG_STOP, session_stop_message }, { 0, NULL },
	};
	static const struct svc_ops ops = {
		.kind = "whip", .start = start, .handlers = handlers, .stop = session_stop, .cleanup = session_free,
	};

	return svc_run(argc, argv, &ops);
}
