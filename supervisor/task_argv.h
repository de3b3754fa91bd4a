/* task_argv.h - from a jobs worker's SPAWN to ffmpeg's argv. Pure. */
#ifndef MILLRACE_TASK_ARGV_H
#define MILLRACE_TASK_ARGV_H

#include <jansson.h>
#include <stdbool.h>

enum task_kind {
	TASK_REMUX,	/* a raw recording (stdin) to a faststart MP4 */
	TASK_CHECK,	/* decodes the first or last seconds of an MP4 */
};

struct task_params {
	enum task_kind kind;
	const char *input, *output;	/* relative to data_dir, of the JSON; check: output is what is read */
	bool matroska, transcode_audio, hvc1, tail;
};

/* 0, or -1 and *why: the key that is wrong. */
int task_params_parse(const char *kind, const json_t *params, struct task_params *out, const char **why);
/* output: absolute. task_argv_free(). */
char **task_argv(const struct task_params *p, const char *ffmpeg, const char *output);
void task_argv_free(char ***argv);
#endif
