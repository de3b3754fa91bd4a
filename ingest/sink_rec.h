/* sink_rec.h - the recording sink: the stream as raw files in data_dir/rec/NAME, split by time and size. */
#ifndef MILLRACE_SINK_REC_H
#define MILLRACE_SINK_REC_H

#include "sink.h"

struct sink_rec_stats {
	bool recording;			/* a file is open */
	bool paused;			/* the disk takes nothing */
	int paused_errno;		/* ... why; 0: less than disk.reserve is free */
	uint64_t files, bytes, lost;	/* complete; written in all; frames that found no place */
	int64_t lag_ms;			/* age of the oldest media that may not be on the disk; 0: none, or paused */
};

/* env->dir: data_dir/rec/NAME. NULL: it was said why. drain() is through when it returns, without done(). */
struct sink *sink_rec_new(const struct sink_env *env);
void sink_rec_stats(const struct sink *s, struct sink_rec_stats *out);
#endif
