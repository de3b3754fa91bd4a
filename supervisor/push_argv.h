/* push_argv.h - SPAWN's params of a push as checked words, and ffmpeg's argv made of them. */
#ifndef MILLRACE_PUSH_ARGV_H
#define MILLRACE_PUSH_ARGV_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

struct push_params {
	bool matroska;		/* on stdin, else FLV */
	bool video, audio;
	bool transcode_video, transcode_audio;
};

/* 0, or -1 and what is wrong in *why. Unknown keys are ignored. */
int push_params_parse(const json_t *params, struct push_params *out, const char **why);
/*
 * NULL-terminated; free with args_free(). ca_file: of args_ca_file(), or NULL.
 * answer_ms: how long the target may say or take nothing.
 */
char **push_argv(const struct push_params *p, const char *ffmpeg, const char *url, const char *ca_file,
    int64_t answer_ms);
#endif
