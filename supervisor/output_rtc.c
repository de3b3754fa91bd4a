/*
 * output_rtc.c - what is different about the ffmpegs "opus" and "h264": their result is a stream
 * of bytes on stdout, which goes straight to the webrtc worker that has the stream's viewers.
 * One runs only as long as there is such a worker. Called by output.c only.
 */
#include <errno.h>
#include <unistd.h>

#include "conf.h"
#include "supervisor/output.h"
#include "supervisor/supervisor.h"
#include "util.h"

#define STDIN_SNDBUF (256 << 10)	/* more would only hide that it is slow */

struct child *
output_rtc_start(const struct output *o, int ours[OUTPUT_FDS])
{
	const struct rtc_params *p = &o->wish.rtc;
	/* an encoder's threads need more address space than a copy */
	struct child_box box = { .profile = "ffmpeg", .memory = conf_int(sv.conf,
	    p->video ? "ws.ffmpeg_memory" : "limits.ffmpeg_memory") };
	int theirs[OUTPUT_FDS], fds[4], saved;
	struct child *c;
	char **argv;

	if (output_pairs(ours, theirs, STDIN_SNDBUF, true) == -1)
		return NULL;
	fds[0] = theirs[0];
	fds[1] = theirs[2];
	fds[2] = theirs[1];
	fds[3] = -1;
	argv = rtc_argv(p, conf_str(sv.conf, "ffmpeg.path"), conf_int(sv.conf, "webrtc.opus_bitrate"));
	c = child_start_boxed(KIND_FFMPEG, argv, fds, &box);
	saved = errno;
	output_argv_free(&argv);
	if (c != NULL) {
		str_copy(c->name, o->owner->name, sizeof(c->name));
		/* Without a taker it meets a closed pipe, and output.c what is due then. */
		feeds_output(o->owner, p->video ? "video" : "audio", ours[2]);
	} else
		output_close_fds(ours);
	ours[2] = -1;
	errno = saved;
	return c;
}
