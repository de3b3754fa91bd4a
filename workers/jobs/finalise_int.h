/* finalise_int.h - a raw recording on its way to an MP4, for finalise.c and finalise_look.c. */
#ifndef MILLRACE_FINALISE_INT_H
#define MILLRACE_FINALISE_INT_H

#include "workers/jobs/ffmpeg.h"
#include "workers/jobs/finalise.h"
#include "workers/jobs/raw.h"

#define PATH_BYTES 1024
#define FILE_BYTES 320		/* relative to data_dir */

enum step { REMUX, CHECK_HEAD, CHECK_TAIL, SYNC };

struct finalise {
	struct job *job;		/* not once it is forgotten, and a thread still has us */
	struct svc *svc;
	enum step step;
	struct raw raw;
	int lock;			/* the raw file, locked */
	char file[FILE_BYTES];		/* rec/NAME/START.flv */
	char mp4[FILE_BYTES], tmp[FILE_BYTES + 8];	/* relative to data_dir, too */
	char mp4_path[PATH_BYTES], tmp_path[PATH_BYTES];	/* absolute, for the thread */
	struct ffmpeg ff;
	/* of the MP4, as ffmpeg says when it checks it */
	int64_t mp4_ms;			/* -1: nothing */
	bool video, audio;
	struct slow *slow;
};

/* Locks the raw file and looks what of it is whole, then finalise_make(); or the job ends. */
void finalise_look(struct finalise *f);
void finalise_make(struct finalise *f);
void finalise_fail(struct finalise *f, enum job_verdict v, const char *why);
void finalise_free(struct finalise *f);
const char *finalise_path(const struct finalise *f, const char *relative, char buf[PATH_BYTES]);
#endif
