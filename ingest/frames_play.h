/*
 * frames_play.h - playback for a frames client: a file's sound, made into 24 kHz PCM by an ffmpeg of the
 * supervisor's, told to the client in real time.
 *
 *   {"eventType":"AUDIO_STREAM_PAYLOAD", "audioChunk": base64 of s16le, 24 kHz, mono} ...
 *   {"eventType":"AUDIO_STREAM_END", "file", "samples"}, with "error" if it broke off
 */
#ifndef MILLRACE_FRAMES_PLAY_H
#define MILLRACE_FRAMES_PLAY_H

#include <stdbool.h>
#include <stdint.h>

#include "frames_proto.h"
#include "lines.h"
#include "svc.h"

struct evbuffer;

struct frames_play {
	struct svc *svc;
	struct frames_proto *proto;
	const struct evbuffer *out;	/* what the client has not read yet: no more is told meanwhile */
	struct event *tick;
	struct lines err;
	int fd;				/* ffmpeg's stdout, -1: none (yet, or any more) */
	bool running, ended;		/* ended: all of it was read, or ffmpeg is gone */
	bool exited, failed;		/* as the supervisor says */
	int64_t task;			/* the ffmpeg that works for us */
	int64_t start_ms, sent;		/* bytes */
	size_t chunk, have;
	uint8_t *buf;
	char file[128], last[160];	/* as the client calls it; ffmpeg's last words */
};

void frames_play_init(struct frames_play *p, struct svc *svc, struct frames_proto *proto, const struct evbuffer *out);
void frames_play_free(struct frames_play *p);
/*
 * Begins; one that runs is ended. input: relative to data_dir, "" frames.playback_file; samples: of its
 * beginning (44.1 kHz), 0: all; file: its name for the client.
 */
void frames_play_start(struct frames_play *p, const char *input, int64_t samples, const char *file);
void frames_play_message(struct frames_play *p, struct msg *m);	/* SPAWNED, EXITED */
void frames_play_stop(struct frames_play *p, const char *why);
#endif
