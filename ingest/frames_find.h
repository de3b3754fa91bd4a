/* frames_find.h - which file of data_dir/media a playback is of. Looks on the disk, changes nothing. */
#ifndef MILLRACE_FRAMES_FIND_H
#define MILLRACE_FRAMES_FIND_H

#include <stddef.h>

#define FRAMES_FOUND_MAX 160

/* The client's latest finished WAV: "media/audio/CLIENT_MS.wav". 0, or -1: it has none. */
int frames_find_latest(const char *data_dir, const char *client, char out[FRAMES_FOUND_MAX]);
/* By its name ("CLIENT_MS.wav" or ".mp4") as a client says it. 0, or -1: there is none. */
int frames_find_named(const char *data_dir, const char *name, size_t len, char out[FRAMES_FOUND_MAX]);
#endif
