/*
 * frames_mp4.c - how many pictures an MP4 has (contract in frames_mp4.h): its first track's stsz (ISO/IEC
 * 14496-12 section 8.7.3), for the picture is the first track that the job's ffmpeg writes. Called by
 * frames_tick.c.
 */
#include "frames_mp4.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "be.h"

#define HEAD 8
#define STSZ (HEAD + 12)	/* its version and flags, the size of all, their number */
#define BOXES 64		/* in one: no ffmpeg writes as many */

/* The first box of this kind between *at and *end: where its content begins and ends. 0, or -1. */
static int
enter(int fd, const char *kind, off_t *at, off_t *end)
{
	uint8_t head[HEAD];
	int64_t size;

	for (int i = 0; i < BOXES && *at + HEAD <= *end; i++) {
		if (pread(fd, head, sizeof(head), *at) != HEAD)
			return -1;
		size = (int64_t)be_get64(head, 4);
		if (size < HEAD || size > *end - *at)
			return -1;
		if (memcmp(head + 4, kind, 4) == 0) {
			*end = *at + size;
			*at += HEAD;
			return 0;
		}
		*at += size;
	}
	return -1;
}

int64_t
frames_mp4_count(const char *path)
{
	static const char *const way[] = { "moov", "trak", "mdia", "minf", "stbl", "stsz" };
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK), rc = fd < 0 ? -1 : 0;
	off_t at = 0, end = rc == 0 ? lseek(fd, 0, SEEK_END) : 0;
	uint8_t stsz[STSZ - HEAD];

	for (size_t i = 0; i < sizeof(way) / sizeof(way[0]) && rc == 0; i++)
		rc = enter(fd, way[i], &at, &end);
	if (rc == 0 && pread(fd, stsz, sizeof(stsz), at) != (ssize_t)sizeof(stsz))
		rc = -1;
	if (fd >= 0)
		close(fd);
	return rc == 0 ? (int64_t)be_get64(stsz + 8, 4) : -1;
}
