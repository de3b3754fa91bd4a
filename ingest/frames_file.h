/*
 * frames_file.h - what a frames session receives, on disk at once: one Matroska file of JPEGs and
 * PCM in data_dir/media/temp, whole up to its last frame at any time, locked while it is written.
 * A job (workers/jobs/frames.c) makes the MP4 and the WAV of it.
 *
 *   EBML head, Segment of unknown size { Info, Tracks, Void "{...}", Cluster { one block } ... }
 *
 * The Void holds what the job has to know, as JSON: {"client", "mux", "fps"}. A video block with the
 * flag MATROSKA_TIMED has the client's own time, others the time of their arrival.
 */
#ifndef MILLRACE_FRAMES_FILE_H
#define MILLRACE_FRAMES_FILE_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct rec_sync;

#define FRAMES_RATE 44100	/* of the sound; mono, s16le */
#define FRAMES_CLIENT_MAX 64	/* bytes of a client's id in names */
#define FRAMES_NAME_MAX (FRAMES_CLIENT_MAX + 24)

struct frames_file {
	int fd;				/* -1: none is open; flock'd */
	char name[FRAMES_NAME_MAX];	/* CLIENT_MS: what all its files are called, before their suffix */
	int64_t bytes, frames, samples;	/* written */
	int64_t video_ms, audio_ms;	/* of the last one */
	int odd;			/* the first half of a sample, -1: none */
};

/*
 * A client's id as a part of file names: [A-Za-z0-9._-], no leading dot. An id that had to be changed ends with
 * a hash of what it was, so that two ids never become one. "" and what is too long are made up, or hashed.
 */
void frames_client_name(const char *id, size_t len, char out[FRAMES_CLIENT_MAX + 1]);
/* Makes media/temp/CLIENT_MS.mkv, locked. meta is borrowed. -1 + errno. */
int frames_file_open(struct frames_file *f, const char *media, const char *client, int64_t wall, const json_t *meta);
/* Each whole or not at all: -1 + errno, the file is as it was. Times that do not grow are moved on. */
int frames_file_video(struct frames_file *f, const uint8_t *jpeg, size_t len, int64_t ms, bool timed);
int frames_file_audio(struct frames_file *f, const uint8_t *pcm, size_t len, int64_t ms);
void frames_file_close(struct frames_file *f, struct rec_sync *s);
#endif
