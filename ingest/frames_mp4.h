/* frames_mp4.h - what an MP4 of a frames session says of itself. Reads a file, changes nothing. */
#ifndef MILLRACE_FRAMES_MP4_H
#define MILLRACE_FRAMES_MP4_H

#include <stdint.h>

/* The pictures in it; -1: it can't be told. */
int64_t frames_mp4_count(const char *path);
#endif
