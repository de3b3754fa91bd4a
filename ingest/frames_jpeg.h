/*
 * frames_jpeg.h - is this one whole JPEG that ffmpeg can decode? By its markers (ITU-T T.81 annex B); it
 * is not decoded. Pure.
 */
#ifndef MILLRACE_FRAMES_JPEG_H
#define MILLRACE_FRAMES_JPEG_H

#include <stddef.h>
#include <stdint.h>

struct frames_jpeg {
	int width, height;
	size_t len;		/* up to its end marker; what follows is not the picture's */
};

/* 0, or -1 and *why: what is wrong with it, for people. */
int frames_jpeg_read(const uint8_t *p, size_t len, int64_t max_pixels, struct frames_jpeg *out, const char **why);
#endif
