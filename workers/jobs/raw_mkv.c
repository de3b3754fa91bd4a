/*
 * raw_mkv.c - a raw recording of Matroska (contract in raw_mkv.h): clusters of one block each. Goes from head
 * to head, as raw.c does: which tracks its first frames are of, and the time of the last whole one.
 *
 * A frame's head is 27 bytes of which 18 never differ or say the same twice; nothing says that all of a frame
 * is there, but that another one, or the end, comes behind it. Called by raw.c.
 */
#include "workers/jobs/raw_mkv.h"

#include <stdlib.h>
#include <string.h>
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
#define DISK_BLOCK 512		/* zeros of a crash begin with one */
#define FRONT_BYTES 65536		/* its head is in there */

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

static bool
head_at(int fd, off_t at, struct frame *f)
{
	uint8_t head[FRAME_HEAD];

	return pread(fd, head, sizeof(head), at) == (ssize_t)sizeof(head) && parse_head(head, f);
}

/*
 * What ends at `at`, with no frame behind, may be half a frame: a hole may have begun in it. There are zeros before
 * and behind that place; or, if the file ends there, all of the disk's last block is zeros.
 */
static bool
in_zeros(int fd, off_t at)
{
	uint8_t p[DISK_BLOCK + 1];
	off_t from = (at - 1) & -(off_t)DISK_BLOCK;
	ssize_t n = pread(fd, p, (size_t)(at + 1 - from), from), i = at - from - 1;

	if (n == at - from)
		while (i > 0 && p[i] == 0)
			i--;
	return n > i && p[i] == 0 && p[n - 1] == 0;
}

/* Where the first cluster is, true; or where what is known ends without one. */
static bool
first_cluster(int fd, off_t *at)
{
	uint8_t p[ELEMENT_HEAD];

	*at = 0;
	for (int i = 0; i < HEAD_ELEMENTS; i++) {
		if (pread(fd, p, sizeof(p), *at) < (ssize_t)sizeof(p)) {
			*at += ELEMENT_HEAD;	/* torn in there */
			return false;
		}
		if (be_get(p, 4) == CLUSTER)
			return true;
		if (be_get(p, 4) == SEGMENT)
			*at += SEGMENT_HEAD;
		else if ((be_get(p + 4, 4) & ~(SIZE_4 - 1)) == SIZE_4)
			*at += ELEMENT_HEAD + (off_t)(be_get(p + 4, 4) ^ SIZE_4);
		else
			return false;	/* zeros */
	}
	return false;
}

/* What makes a track is what raw.c says. */
static void
note_frame(struct raw *r, const struct frame *f)
{
	if (f->audio)
		r->audio = r->audio || f->len > 0;
	else
		r->video = r->video || (f->len > 0 && f->key);
}

/*
 * Times are those of presentation, and a first picture that is shown late makes all of them late: what counts is
 * what lies between the first and the last.
 */
static off_t
walk(int fd, off_t size, struct raw *r)
{
	struct frame f = { 0 }, next = { 0 };
	bool is = head_at(fd, r->whole, &f);
	int64_t first_ms = f.ms;

	for (int i = 0; is && r->whole + FRAME_HEAD + (off_t)f.len <= size; i++) {
		off_t end = r->whole + FRAME_HEAD + (off_t)f.len;
		bool is_next = head_at(fd, end, &next);

		if (!is_next && in_zeros(fd, end))
			break;
		if (i < FIRST_FRAMES)
			note_frame(r, &f);
		r->empty = false;
		r->duration_ms = f.ms > first_ms ? f.ms - first_ms : 0;
		r->whole = end;
		f = next;
		is = is_next;
	}
	return FRAME_HEAD + (is ? (off_t)f.len : 0);
}

off_t
raw_mkv_walk(int fd, off_t size, struct raw *r)
{
	uint8_t *front = xmalloc(FRONT_BYTES);
	ssize_t n = pread(fd, front, FRONT_BYTES, 0);
	off_t at;
	bool begun = first_cluster(fd, &at);

	r->hvc1 = n > 0 && memmem(front, (size_t)n, "V_MPEGH/ISO/HEVC", 16) != NULL;
	free(front);
	if (!begun)
		return at;
	r->whole = at;
	return walk(fd, size, r);
}
