/*
 * main.c - millrace-ingest: one connection of somebody who publishes. Started by millraced only;
 * what it is for is told by CONN's route (routes.h).
 */
#include <string.h>
#include <sys/prctl.h>

#include "frames_session.h"
#include "log.h"
#include "routes.h"
#include "session.h"
#include "syscalls.h"
#include "upload_session.h"

#define SESSION(word) { word, session_new, session_free, session_conn, session_grant, session_refuse, \
	session_output, session_yield, session_stop_message, session_stop }

static const struct route_ops rows[] = {
	SESSION("rtmp"),
	SESSION("ws"),
	{ "frames", frames_session_new, frames_session_free, frames_session_conn, frames_session_grant,
		frames_session_refuse, frames_session_output, frames_session_yield, frames_session_stop_message,
		frames_session_stop },
	{ "upload", upload_session_new, upload_session_free, upload_session_conn, upload_session_grant,
		upload_session_refuse, upload_session_output, upload_session_yield, upload_session_stop_message,
		upload_session_stop },
};

static const struct route_ops *row;	/* NULL: a spare, which waits for its connection */

static int
start(struct svc *s, int argc, char **argv)
{
	/* Before anybody's bytes: all sockets it will ever have come to it over its control channel. */
	if (syscalls_restrict(false) == -1) {
		log_warn("no sandbox: seccomp");
		return -1;
	}
	prctl(PR_SET_NAME, "millrace-spare");	/* until it has a connection */
	svc_ready(s);
	return 0;
}

static void
cleanup(struct svc *s)
{
	if (row != NULL)
		row->free(s);
}

/* From here on it is a publisher's, also in ps. */
static void
on_conn(struct svc *s, struct msg *m)
{
	const char *route = msg_str_or(m, "route", "");

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]) && row == NULL; i++)
		if (strcmp(rows[i].route, route) == 0)
			row = &rows[i];
	if (row == NULL || s->ctx != NULL) {
		svc_exit(s, 1, "a second connection, or one for nothing that is known");
		return;
	}
	svc_title(s, "");
	row->new(s);
	row->conn(s, m);
}

#define PASS(function) \
static void \
on_##function(struct svc *s, struct msg *m) \
{ \
	if (row != NULL) \
		row->function(s, m); \
}
PASS(grant)
PASS(refuse)
PASS(output)
PASS(yield)

static void
on_stop_message(struct svc *s, struct msg *m)
{
	if (row != NULL)
		row->stop_message(s, m);
	else
		svc_exit(s, 0, msg_str_or(m, "reason", "stop"));
}

static void
on_stop(struct svc *s, const char *reason, int64_t grace_ms)
{
	if (row != NULL)
		row->stop(s, reason, grace_ms);
	else
		svc_exit(s, 0, reason);
}

int
main(int argc, char **argv)
{
	static const struct svc_handler handlers[] = {
		{ MSG_CONN, on_conn },
		{ MSG_GRANT, on_grant },
		{ MSG_REFUSE, on_refuse },
		{ MSG_SPAWNED, on_output },
		{ MSG_EXITED, on_output },
		{ MSG_PUSH, on_output }, { MSG_FEED, on_output },
		{ MSG_YIELD, on_yield },
		{ MSG_STOP, on_stop_message },
		{ 0, NULL },
	};
	static const struct svc_ops ops = {
		.kind = "ingest", .start = start, .handlers = handlers, .stop = on_stop, .cleanup = cleanup,
	};

	return svc_run(argc, argv, &ops);
}
