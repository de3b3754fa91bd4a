/* main.c - millrace-ingest: one publisher. Started by millraced only; see session.h for what it does. */
#include "session.h"

#include <sys/prctl.h>

static int
start(struct svc *s, int argc, char **argv)
{
	prctl(PR_SET_NAME, "millrace-spare");	/* until it has a connection */
	s->ctx = session_new(s);
	svc_ready(s);
	return 0;
}

static void
cleanup(struct svc *s)
{
	session_free((struct session **)&s->ctx);
}

/* From here on it is a publisher's, also in ps. */
static void
on_conn(struct svc *s, struct msg *m)
{
	svc_title(s, "");
	session_conn(s, m);
}

int
main(int argc, char **argv)
{
	static const struct svc_handler handlers[] = {
		{ MSG_CONN, on_conn },
		{ MSG_GRANT, session_grant },
		{ MSG_REFUSE, session_refuse },
		{ MSG_SPAWNED, session_output },
		{ MSG_EXITED, session_output },
		{ MSG_YIELD, session_yield },
		{ MSG_STOP, session_stop_message },
		{ 0, NULL },
	};
	static const struct svc_ops ops = {
		.kind = "ingest", .start = start, .handlers = handlers, .stop = session_stop, .cleanup = cleanup,
	};

	return svc_run(argc, argv, &ops);
}
