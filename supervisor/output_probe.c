/*
 * output_probe.c - asks this host's ffmpeg once what it is, so that `millrace status` tells.
 *
 * Called without an input it prints its banner and exits. That fits into the socket's
 * buffer, so nothing reads until it is gone: the loop never waits for it. The answer goes
 * to the board's header; no ffmpeg at all is a standing warning. Called by main.c and control.c.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "conf.h"
#include "log.h"
#include "supervisor/output.h"
#include "supervisor/supervisor.h"
#include "util.h"

#define PROBE_TEXT 4096
#define PROBE_LIMIT_SEC 20

static struct {
	struct child *child;
	struct event *limit;
	int fd;			/* our end of its stderr */
} probe = { NULL, NULL, -1 };
static char *note;	/* the standing warning, if there is one */

void
output_probe_parse(const char *text, char *version, size_t size)
{
	static const char banner[] = "ffmpeg version ";
	const char *p = strstr(text, banner);
	size_t len;

	version[0] = '\0';
	if (p == NULL)
		return;
	p += sizeof(banner) - 1;
	len = strcspn(p, " \r\n");
	if (len >= size)
		len = size - 1;
	memcpy(version, p, len);
	version[len] = '\0';
}

static void
limit_cb(evutil_socket_t fd, short what, void *ctx)
{
	if (probe.child != NULL)
		child_kill(probe.child, "ffmpeg did not answer in time");
}

/* -1 + errno if it can't be asked. */
static int
start(int err)
{
	char *argv[] = { (char *)conf_str(sv.conf, "ffmpeg.path"), (char *)"-nostdin", NULL };
	const int fds[4] = { -1, -1, err, -1 };
	const struct child_box box = { .profile = "ffmpeg", .memory = conf_int(sv.conf, "limits.ffmpeg_memory") };
	struct timeval tv = { PROBE_LIMIT_SEC, 0 };

	probe.child = child_start_foreign(KIND_FFMPEG, argv, fds, &box);
	if (probe.child == NULL)
		return -1;
	probe.child->asked = true;	/* it ends by itself, with an error: there is no input */
	str_copy(probe.child->reason, "it was asked for its version", sizeof(probe.child->reason));
	probe.limit = evtimer_new(sv.base, limit_cb, NULL);
	if (probe.limit == NULL)
		fatalx("out of memory");
	evtimer_add(probe.limit, &tv);
	return 0;
}

static void
no_ffmpeg(void)
{
	report_unnote(&note);
	note = xasprintf("ffmpeg.path: \"%s\" cannot be run, so no stream can be watched: install "
	    "ffmpeg and `millrace reload`, or set ffmpeg.path and restart",
	    conf_str(sv.conf, "ffmpeg.path"));
	report_note(note);
}

bool
output_probe_failed(void)
{
	return note != NULL;
}

static void
keep(const char *version)
{
	struct board_header *h = board_header(sv.board);

	board_begin(&h->seq);
	str_copy(h->ffmpeg, version[0] == '\0' ? "missing" : version, sizeof(h->ffmpeg));
	board_end(&h->seq);
}

void
output_probe(void)
{
	int err[2];

	if (probe.child != NULL)
		return;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, err) == -1) {
		log_warn("ffmpeg cannot be asked for its version");
		return;
	}
	fcntl(err[0], F_SETFL, O_NONBLOCK);
	probe.fd = err[0];
	if (start(err[1]) == -1) {
		close(probe.fd);
		probe.fd = -1;
		no_ffmpeg();
	}
}

bool
output_probe_gone(struct child *ffmpeg)
{
	char text[PROBE_TEXT], version[64];
	size_t have = 0;
	ssize_t n;

	if (probe.child == NULL || ffmpeg != probe.child)
		return false;
	while (have < sizeof(text) - 1 &&
	    (n = read(probe.fd, text + have, sizeof(text) - 1 - have)) > 0)
		have += (size_t)n;
	text[have] = '\0';
	close(probe.fd);
	event_free(probe.limit);
	probe.fd = -1;
	probe.child = NULL;
	probe.limit = NULL;
	if (sv.stopping)
		return true;
	output_probe_parse(text, version, sizeof(version));
	keep(version);
	if (version[0] == '\0') {
		no_ffmpeg();
	} else {
		log_info("ffmpeg %s", version);
		report_unnote(&note);	/* a reload has found it */
	}
	return true;
}
