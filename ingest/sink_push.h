/* sink_push.h - one push of the stream to another server, as a sink (sink.h). */
#ifndef MILLRACE_SINK_PUSH_H
#define MILLRACE_SINK_PUSH_H

#include "board.h"
#include "sink.h"

#define PUSH_OUTPUT "push:"	/* and the target's id: the output's name to the supervisor */

struct push_target {
	char id[sizeof(((struct board_push *)NULL)->id)];
	int64_t rev;		/* another one: it goes elsewhere */
	bool transcode;		/* video that RTMP servers do not take */
};

struct sink *sink_push_new(const struct sink_env *env, const struct push_target *target);
const struct push_target *sink_push_target(const struct sink *s);
/* The target was removed: its ffmpeg is to end; sets *s NULL. */
void sink_push_remove(struct sink **s);
bool sink_push_busy(const struct sink *s);	/* draining, and not all is handed over */
void sink_push_board(const struct sink *s, struct board_push *out);
#endif
