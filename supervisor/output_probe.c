/*
 * output_probe.c - asks this host's ffmpeg once what it is and what it can take.
 *
 * It is fed a FLV file of two tags, an Enhanced RTMP 'hvc1' configuration and one frame,
 * and no output: it prints its version and what it saw in there, and exits. From 6.1 on
 * that is "Video: hevc"; older ones know no such tags, whatever their version says. Its
 * few kilobytes of answer fit into the socket's buffer, so nothing reads until it is gone:
 * the loop never waits for it.
 *
 * The answer: the board's header (status), sv.caps (every ingest's config: "ffmpeg_caps"),
 * and a standing warning if there is no ffmpeg at all. Called by main.c and control.c.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "conf.h"
#include "log.h"
#include "supervisor/child.h"
#include "supervisor/output.h"
#include "supervisor/supervisor.h"
#include "util.h"

#define PROBE_TEXT 16384
#define PROBE_LIMIT_SEC 20

static const uint8_t hvc1_flv[] = {
	'F', 'L', 'V', 1, 1, 0, 0, 0, 9, 0, 0, 0, 0,
	/* video tag of 28 bytes at 0 ms: key frame, SequenceStart, hvc1, the shortest hvcC */
	9, 0, 0, 28, 0, 0, 0, 0, 0, 0, 0, 0x90, 'h', 'v', 'c', '1',
	1, 1, 0x60, 0, 0, 0, 0x90, 0, 0, 0, 0, 0, 0x5d, 0xf0, 0, 0xfc, 0xfd, 0xf8, 0xf8, 0, 0, 15, 0,
	0, 0, 0, 39,
	/* video tag of 14 bytes: CodedFrames, composition time 0, one NAL unit of 2 bytes */
	9, 0, 0, 14, 0, 0, 0, 0, 0, 0, 0, 0x91, 'h', 'v', 'c', '1', 0, 0, 0, 0, 0, 0, 2, 0x26, 1,
	0, 0, 0, 25,
};

static struct {
	struct child *child;
	struct event *limit;
	int fd;			/* our end of its stderr */
} probe = { NULL, NULL, -1 };
static char *note;	/* the standing warning, if there is one */

bool
output_probe_parse(const char *text, char *version, size_t size)
{
	static const char banner[] = "ffmpeg version ";
	const char *p = strstr(text, banner);
	size_t len;

	version[0] = '\0';
	if (p == NULL)
		return false;
	p += sizeof(banner) - 1;
	len = strcspn(p, " \r\n");
	if (len >= size)
		len = size - 1;
	memcpy(version, p, len);
	version[len] = '\0';
	return strstr(p, "Video: hevc") != NULL;
}

static void
limit_cb(evutil_socket_t fd, short what, void *ctx)
{
	if (probe.child != NULL)
		child_kill(probe.child, "ffmpeg did not answer in time");
}

/* argv and descriptors of the question; -1 + errno if it can't be asked. */
static int
start(const int in[2], const int err[2])
{
	char *argv[] = { (char *)conf_str(sv.conf, "ffmpeg.path"), (char *)"-nostdin",
		(char *)"-loglevel", (char *)"info", (char *)"-fpsprobesize", (char *)"0",
		(char *)"-analyzeduration", (char *)"0", (char *)"-protocol_whitelist",
		(char *)"pipe", (char *)"-f", (char *)"flv", (char *)"-i", (char *)"pipe:0", NULL };
	const int fds[4] = { in[1], -1, err[1], -1 };
	struct timeval tv = { PROBE_LIMIT_SEC, 0 };
	ssize_t n = write(in[0], hvc1_flv, sizeof(hvc1_flv));

	close(in[0]);
	if (n != sizeof(hvc1_flv))
		log_warn("ffmpeg cannot be asked what it takes");
	probe.child = child_start_foreign(KIND_FFMPEG, argv, fds, "ffmpeg", NULL);
	if (probe.child == NULL)
		return -1;
	probe.child->asked = true;	/* it ends by itself, with an error: there is no output */
	str_copy(probe.child->reason, "it was asked what it can take", sizeof(probe.child->reason));
	probe.limit = evtimer_new(sv.base, limit_cb, NULL);
	if (probe.limit == NULL)
		fatalx("out of memory");
	evtimer_add(probe.limit, &tv);
	return 0;
}

static void
no_ffmpeg(void)
{
	free(note);
	note = xasprintf("ffmpeg.path: \"%s\" cannot be run, so no stream can be watched: install "
	    "ffmpeg and `millrace reload`, or set ffmpeg.path and restart",
	    conf_str(sv.conf, "ffmpeg.path"));
	report_note(note);
}

/* A reload has found it: the warning no longer stands. */
static void
found_ffmpeg(void)
{
	size_t i;

	for (i = 0; note != NULL && i < json_array_size(sv.notes); i++)
		if (strcmp(json_string_value(json_array_get(sv.notes, i)), note) == 0) {
			json_array_remove(sv.notes, i);
			break;
		}
	free(note);
	note = NULL;
}

static void
keep(const char *version, bool enhanced_flv)
{
	struct board_header *h = board_header(sv.board);

	json_decref(sv.caps);
	sv.caps = json_pack("{s:o, s:b}", "version", msg_text(version, strlen(version)),
	    "enhanced_flv", enhanced_flv);
	child_config_reset();
	spare_renew();
	board_begin(&h->seq);
	if (version[0] == '\0')
		str_copy(h->ffmpeg, "missing", sizeof(h->ffmpeg));
	else
		snprintf(h->ffmpeg, sizeof(h->ffmpeg), "%.38s%s", version,
		    enhanced_flv ? ", HEVC and AV1 in FLV" : ", H.264 only in FLV");
	board_end(&h->seq);
}

void
output_probe(void)
{
	int in[2], err[2];

	if (probe.child != NULL)
		return;
	if (sv.caps == NULL)
		sv.caps = json_pack("{s:s, s:b}", "version", "", "enhanced_flv", 0);
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, in) == -1) {
		log_warn("ffmpeg cannot be asked what it takes");
		return;
	}
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, err) == -1) {
		log_warn("ffmpeg cannot be asked what it takes");
		close(in[0]);
		close(in[1]);
		return;
	}
	fcntl(err[0], F_SETFL, O_NONBLOCK);
	probe.fd = err[0];
	if (start(in, err) == -1) {
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
	bool enhanced;

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
	enhanced = output_probe_parse(text, version, sizeof(version));
	keep(version, enhanced);
	if (version[0] == '\0')
		no_ffmpeg();
	else {
		found_ffmpeg();
		log_info("ffmpeg %s; FLV with HEVC and AV1: %s", version, enhanced ? "yes" : "no");
	}
	return true;
}
