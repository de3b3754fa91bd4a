/* task_argv.h - from a jobs worker's SPAWN to ffmpeg's argv. Pure. */
#ifndef MILLRACE_TASK_ARGV_H
#define MILLRACE_TASK_ARGV_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

enum task_kind {
	TASK_REMUX,	/* a raw recording (stdin) to a faststart MP4 */
	TASK_CHECK,	/* decodes the first or last seconds of an MP4 */
	TASK_FRAMES,	/* a frames session's JPEGs, and its sound if wanted (stdin), to a faststart MP4 */
	TASK_PLAYBACK,	/* a file's sound to PCM for a frames client (stdout); an ingest asks for it */
	TASK_PROBE,	/* says what a stranger's file has in it */
	TASK_CONVERT,	/* a stranger's file to an FLV (stdout) */
	TASK_PUSH,	/* an FLV to an RTMP server, at its own pace */
};

enum task_track { TASK_NONE, TASK_COPY, TASK_ENCODE };

struct task_params {
	enum task_kind kind;
	const char *input, *output;	/* relative to data_dir, of the JSON; check: output is what is read */
	bool matroska, transcode_audio, hvc1, sound_only, tail;
	int64_t bytes;			/* remux: of its beginning, no more than these; 0: all */
	enum task_track video, audio;	/* convert */
	int64_t start_ms;		/* push: from there on */
	const char *name;		/* push: {name} of the URL */
	int64_t width, height, fps;	/* frames: of the picture; timed: they have times of their own */
	bool timed, sound;
	int64_t video_ms, audio_ms;	/* when each begins */
	int64_t samples;		/* playback: of 44.1 kHz, no more than these; 0: all */
};

/* Values of the config, and absolute paths. */
struct task_place {
	const char *ffmpeg, *input, *output;	/* push: output is the URL */
	int64_t max_kbps;			/* convert: of encoded video */
	const char *ca_file;			/* push: of args_ca_file(), or NULL */
};

/* 0, or -1 and *why: the key that is wrong. */
int task_params_parse(const char *kind, const json_t *params, struct task_params *out, const char **why);
/* args_free(). */
char **task_argv(const struct task_params *p, const struct task_place *at);
#endif
