/* output_argv.h - SPAWN's params as checked numbers, and ffmpeg's argv made of them. */
#ifndef MILLRACE_OUTPUT_ARGV_H
#define MILLRACE_OUTPUT_ARGV_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

struct output_params {
	int64_t run;		/* part of every file name: no name is ever used again */
	int64_t start_number;
	int64_t offset_ms;	/* running media time at this child's zero */
	int64_t segment_ms;	/* 0: every frame flagged as a key frame starts a segment */
	bool matroska;		/* on stdin, else FLV */
	bool fmp4;		/* segments, else MPEG-TS */
	bool video, audio, transcode_audio;
	bool hvc1;		/* fMP4 with HEVC: players of Apple's want this tag */
};

/* 0, or -1 and what is wrong in *why. Unknown keys are ignored. */
int output_params_parse(const json_t *params, struct output_params *out, const char **why);
/* NULL-terminated; dir is data_dir/hls/NAME. Free with args_free(). */
char **output_argv(const struct output_params *p, const char *ffmpeg, const char *dir);
#endif
