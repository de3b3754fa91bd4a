/*
 * frames_raw.h - the file of a frames session as its ingest left it (ingest/frames_file.h says what is in
 * it): what it is called, what is in it, and its sound as a WAV.
 */
#ifndef MILLRACE_FRAMES_RAW_H
#define MILLRACE_FRAMES_RAW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FRAMES_RAW_DIR "media/temp"	/* in data_dir, as the other two */
#define FRAMES_VIDEO_DIR "media/video"
#define FRAMES_AUDIO_DIR "media/audio"
#define FRAMES_NAME_BYTES 128

struct frames_raw {
	char name[FRAMES_NAME_BYTES];	/* CLIENT_MS */
	char client[65];
	bool mux;			/* sound and picture together are wanted */
	int fps;			/* of frames without times */
	int64_t frames, samples;
	bool timed;			/* frames have their client's times */
	int width, height;		/* of the first frame */
	int64_t video_ms, video_end_ms, audio_ms;	/* of the first and last frame, and the first sample */
	int64_t torn_bytes;		/* at its end: what was being written at a crash */
};

/* "media/temp/CLIENT_MS.mkv": name and client are filled in. 0, or -1: it is no such name. */
int frames_raw_parse_path(const char *path, struct frames_raw *out);
/*
 * Reads it all, and writes a WAV of its sound to wav_fd, a new file (-1: none). May take long. 0, or -1 + errno:
 * EBADMSG it is not of an ingest, ENODATA there is no whole head. What cannot be read begins the torn end.
 */
int frames_raw_read(int fd, int wav_fd, struct frames_raw *out);
/*
 * Do its frames get their times in the file, and not so many a second? With sound those of arrival are better
 * than any rate that was agreed on, but not of a client that sent everything at once.
 */
bool frames_raw_timed(const struct frames_raw *r);
#endif
