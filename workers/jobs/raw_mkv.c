/*
 * raw_mkv.c - a raw recording of Matroska (contract in raw_mkv.h): clusters of one block each. Reads the two
 * ends of a file only, as raw.c does: which tracks its first frames are of, and the time of the last whole one.
 *
 * Nothing points backwards in Matroska: the last frame is looked for from the end by the look of its head, 27
 * bytes of which 18 never differ or say the same twice. Called by raw.c.
 */
#include "workers/jobs/raw_mkv.h"

#include <stdlib.h>
#include <unistd.h>

#include "be.h"
#include "util.h"

enum { SEGMENT = 0x18538067, CLUSTER = 0x1f43b675, TIMESTAMP_OF_8 = 0xe788, SIMPLE_BLOCK = 0xa3 };
#define SEGMENT_HEAD 12
#define ELEMENT_HEAD 8
#define HEAD_ELEMENTS 8		/* at most, before the first cluster */
#define FRAME_HEAD 27		/* of a cluster with its block: MATROSKA_FRAME_HEAD_BYTES */
#define BLOCK_HEAD 4
#define CLUSTER_REST 15		/* of a cluster's size, all but its block */
#define SIZE_4 UINT32_C(0x10000000)
#define VIDEO 0x81		/* track numbers as a block has them */
#define AUDIO 0x82
#define KEY 0x80
#define FIRST_FRAMES 1000
#define SEARCH_BYTES 65536
#define SEARCH_MAX ((off_t)2 * ((1 << 24) + FRAME_HEAD))	/* a whole one and half a one */

struct frame {
	int64_t ms;
	uint32_t len;
	bool audio, key;
};

static bool
parse_head(const uint8_t p[FRAME_HEAD], struct frame *f)
{
	uint32_t size, block;

	if (be_get(p, 4) != CLUSTER || be_get(p + 8, 2) != TIMESTAMP_OF_8 || p[18] != SIMPLE_BLOCK)
		return false;
	size = be_get(p + 4, 4) ^ SIZE_4;
	block = be_get(p + 19, 4) ^ SIZE_4;
	f->ms = (int64_t)be_get64(p + 10, 8);
	f->len = block - BLOCK_HEAD;
	f->audio = p[23] == AUDIO;
	f->key = (p[26] & KEY) != 0;
	return block >= BLOCK_HEAD && block < SIZE_4 && size == block + CLUSTER_REST && f->ms >= 0 &&
	    (p[23] == VIDEO || p[23] == AUDIO) && be_get(p + 24, 2) == 0;
}

/* A whole one. */
static bool
frame_at(int fd, off_t at, off_t size, struct frame *f)
{
	uint8_t head[FRAME_HEAD];

	return pread(fd, head, sizeof(head), at) == (ssize_t)sizeof(head) && parse_head(head, f) &&
	    at + FRAME_HEAD + f->len <= size;
}

/* Where the first cluster is; -1: nowhere. */
static off_t
first_cluster(int fd)
{
	uint8_t p[ELEMENT_HEAD];
	off_t at = 0;

	for (int i = 0; i < HEAD_ELEMENTS && pread(fd, p, sizeof(p), at) == (ssize_t)sizeof(p); i++) {
		if (be_get(p, 4) == CLUSTER)
			return at;
		at += be_get(p, 4) == SEGMENT ? SEGMENT_HEAD : ELEMENT_HEAD + (off_t)(be_get(p + 4, 4) ^ SIZE_4);
	}
	return -1;
}

/* The time of the first frame; -1: there is no whole one. What makes a track is what raw.c says. */
static int64_t
look_at_first(int fd, off_t size, struct raw *r)
{
	off_t at = first_cluster(fd);
	int64_t first_ms = -1;
	struct frame f;

	for (int i = 0; at >= 0 && i < FIRST_FRAMES && frame_at(fd, at, size, &f); i++) {
		if (i == 0)
			first_ms = f.ms;
		if (f.audio)
			r->audio = r->audio || f.len > 0;
		else
			r->video = r->video || (f.len > 0 && f.key);
		at += FRAME_HEAD + (off_t)f.len;
	}
	return first_ms;
}

/* The time of the last whole frame; -1: there is none where one would be. */
static int64_t
last_ms(int fd, off_t size)
{
	uint8_t *p = xmalloc(SEARCH_BYTES);
	off_t at = size, end = size;
	bool found = false;
	struct frame f;

	while (!found && at > 0 && size - at < SEARCH_MAX) {
		ssize_t n;

		at = end > SEARCH_BYTES ? end - SEARCH_BYTES : 0;
		n = pread(fd, p, (size_t)(end - at), at);
		for (ssize_t i = n - FRAME_HEAD; i >= 0 && !found; i--)
			found = parse_head(p + i, &f) && at + i + FRAME_HEAD + (off_t)f.len <= size;
		end = at + FRAME_HEAD - 1;	/* a head may lie across */
	}
	free(p);
	return found ? f.ms : -1;
}

/*
 * Times are those of presentation, and a first picture that is shown late makes all of them late: what counts is
 * what lies between the first and the last.
 */
void
raw_mkv_look(int fd, off_t size, struct raw *r)
{
	int64_t first = look_at_first(fd, size, r), last = last_ms(fd, size);

	if (first >= 0 && last >= 0)
		r->duration_ms = last > first ? last - first : 0;
}
