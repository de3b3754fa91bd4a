/*
 * reap.c - the only waitpid: on SIGCHLD every dead child is collected and handed to
 * child_reaped(), which knows what it was.
 *
 * It decides nothing. Signals merge, so one SIGCHLD may stand for many deaths: the loop
 * runs until nobody is left, which is bounded by the process table.
 */
#include <errno.h>
#include <signal.h>
#include <sys/wait.h>

#include "log.h"
#include "supervisor/supervisor.h"

static struct event *reap_event;

static void
reap_cb(evutil_socket_t sig, short what, void *ctx)
{
	int status;
	pid_t pid;

	for (;;) {
		pid = waitpid(-1, &status, WNOHANG);
		if (pid > 0)
			child_reaped(pid, status);
		else if (pid == 0 || errno != EINTR)
			return;
	}
}

void
reap_start(void)
{
	reap_event = evsignal_new(sv.base, SIGCHLD, reap_cb, NULL);
	if (reap_event == NULL || evsignal_add(reap_event, NULL) == -1)
		fatalx("cannot watch for dead children");
	/* Whoever died before the handler stood (a probe at start) is collected now. */
	reap_cb(SIGCHLD, EV_SIGNAL, NULL);
}

void
reap_stop(void)
{
	if (reap_event != NULL)
		event_free(reap_event);
	reap_event = NULL;
}
