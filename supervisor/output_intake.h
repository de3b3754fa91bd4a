/* output_intake.h - the ffmpeg that turns a publisher's container into FLV: SPAWN kind "intake". */
#ifndef MILLRACE_OUTPUT_INTAKE_H
#define MILLRACE_OUTPUT_INTAKE_H

#include <jansson.h>
#include <stdbool.h>

struct intake_params {
	const char *container;		/* ffmpeg's own name for it, NULL: it has to find out */
	bool copy_video, copy_audio;	/* else H.264, AAC */
};

/* 0, or -1 and what is wrong in *why. */
int intake_params_parse(const json_t *params, struct intake_params *out, const char **why);
/* NULL-terminated; args_free(). */
char **intake_argv(const struct intake_params *p, const char *ffmpeg);
#endif
