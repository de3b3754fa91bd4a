/*
 * raw.c - raw recordings (contract in raw.h). Reads the two ends of a file only: its first
 * tags name the codecs, its last tag has its duration. Called by finalise.c and scan.c.
 *
 * A crash may have left half a tag at the end: then the last whole one is looked for backwards
 * from there, by what heads and tails say of each other. Source of the format: FLV 10.1, annex E. Matroska: raw_mkv.c.
 */
#include "workers/jobs/raw.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "be.h"
#include "flv.h"
#include "stream_name.h"
#include "util.h"
#include "workers/jobs/raw_mkv.h"

#define START_BYTES 20		/* "20261121T135800.123Z" */
#define FRONT_BYTES 65536
#define FIRST_TAGS 1000
#define BODY_FRONT 32		/* what is a frame's is known by then */
#define TAG_MAX ((off_t)(1 << 24) + FLV_TAG_HEAD_BYTES + FLV_TAG_TAIL_BYTES)
#define BLOCK_BYTES 65536
#define TRIES_MAX 200000	/* of a fifth of a second at most */
#define CHAIN_TAGS 4		/* so many whole ones in a row are no accident */

int
raw_parse_path(const char *path, struct raw *out)
{
	const char *name = path + 4, *slash;
	size_t n;

	memset(out, 0, sizeof(*out));
	if (strncmp(path, "rec/", 4) != 0 || (slash = strchr(name, '/')) == NULL)
		return -1;
	n = (size_t)(slash - name);
	if (!stream_name_ok(name, n) || strlen(++slash) != START_BYTES + 4 ||
	    strspn(slash, "0123456789T.Z") != START_BYTES + 1)
		return -1;
	out->matroska = strcmp(slash + START_BYTES, ".mkv") == 0;
	if (!out->matroska && strcmp(slash + START_BYTES, ".flv") != 0)
		return -1;
	memcpy(out->stream, name, n);
	memcpy(out->start, slash, START_BYTES);
	return 0;
}

/* Of a tag's head; *body: bytes that follow it, with the tail. */
static int64_t
tag_ms(const uint8_t *p, uint32_t *body)
{
	*body = flv_tag_body(p) + FLV_TAG_TAIL_BYTES;
	return flv_tag_ms(p);
}

/* What the codec's own number or FourCC asks of an MP4. */
static void
look_at(struct raw *r, const uint8_t *p, uint32_t len)
{
	struct flv_info info;
	bool audio = p[0] == FLV_AUDIO;

	if ((p[0] != FLV_AUDIO && p[0] != FLV_VIDEO) ||
	    (audio ? flv_parse_audio : flv_parse_video)(p + FLV_TAG_HEAD_BYTES, len, &info) < 0)
		return;
	r->empty = r->empty && (info.sequence_header || info.metadata);
	if (audio && info.codec != FLV_FOURCC('m', 'p', '4', 'a') && info.codec != FLV_FOURCC('.', 'm', 'p', '3') &&
	    info.codec != FLV_FOURCC('O', 'p', 'u', 's'))
		r->transcode_audio = true;
	if (!audio && info.codec == FLV_FOURCC('h', 'v', 'c', '1'))
		r->hvc1 = true;
}

static void
look_at_first_tags(struct raw *r, const uint8_t *p, size_t len)
{
	size_t at = FLV_HEADER_BYTES;
	uint32_t body;

	for (int i = 0; i < FIRST_TAGS && at + FLV_TAG_HEAD_BYTES < len; i++) {
		tag_ms(p + at, &body);
		if (at + FLV_TAG_HEAD_BYTES + body > len)
			body = (uint32_t)(len - at - FLV_TAG_HEAD_BYTES);
		look_at(r, p + at, body > FLV_TAG_TAIL_BYTES ? body - FLV_TAG_TAIL_BYTES : 0);
		at += FLV_TAG_HEAD_BYTES + body;
	}
}

/* Empty ones are nothing to ffmpeg, and it copies no picture before a key frame. */
static void
note_frame(struct raw *r, const uint8_t *p, size_t len)
{
	struct flv_info info;
	bool audio = p[0] == FLV_AUDIO;

	if ((p[0] != FLV_AUDIO && p[0] != FLV_VIDEO) ||
	    (audio ? flv_parse_audio : flv_parse_video)(p + FLV_TAG_HEAD_BYTES, len, &info) < 0 ||
	    info.sequence_header || info.sequence_end || info.metadata)
		return;
	if (!audio)
		r->sound_only = false;
	if (info.payload_len > 0 && audio)
		r->audio = true;
	else if (info.payload_len > 0 && info.keyframe)
		r->video = true;
}

/*
 * A publisher that is gone before its first picture leaves the video's header and sound, of which no MP4
 * with a video can be made. Sound is taken for seconds at most before it: longer than that is not looked.
 */
static void
look_at_first_frames(int fd, off_t size, struct raw *r)
{
	uint8_t p[FLV_TAG_HEAD_BYTES + BODY_FRONT];
	off_t at = FLV_HEADER_BYTES;
	uint32_t body;
	size_t len;

	r->sound_only = true;
	for (int i = 0; i < FIRST_TAGS && !(r->video && r->audio); i++) {
		ssize_t n = pread(fd, p, sizeof(p), at);

		if (n <= FLV_TAG_HEAD_BYTES)
			return;
		tag_ms(p, &body);
		at += FLV_TAG_HEAD_BYTES + (off_t)body;
		len = (size_t)n - FLV_TAG_HEAD_BYTES;
		if (at <= size)
			note_frame(r, p, len < body - FLV_TAG_TAIL_BYTES ? len : body - FLV_TAG_TAIL_BYTES);
	}
	r->sound_only = false;
}

/* The tag at start, if its head says what its tail does: len bytes with the head. -1: there is none. */
static int64_t
tag_at(int fd, off_t start, uint32_t len)
{
	uint8_t head[FLV_TAG_HEAD_BYTES];
	uint32_t body;
	int64_t ms;

	if (start < FLV_HEADER_BYTES || pread(fd, head, sizeof(head), start) != (ssize_t)sizeof(head))
		return -1;
	ms = tag_ms(head, &body);
	return body + FLV_TAG_HEAD_BYTES == len + FLV_TAG_TAIL_BYTES &&
	    (head[0] == FLV_AUDIO || head[0] == FLV_VIDEO || head[0] == FLV_DATA) ? ms : -1;
}

/* The tag whose tail ends at *end, which becomes its start. */
static int64_t
tag_before(int fd, off_t *end)
{
	uint8_t tail[FLV_TAG_TAIL_BYTES];
	uint32_t len;

	if (pread(fd, tail, sizeof(tail), *end - (off_t)sizeof(tail)) != (ssize_t)sizeof(tail))
		return -1;
	len = be_get(tail, sizeof(tail));
	*end -= (off_t)len + (off_t)sizeof(tail);
	return tag_at(fd, *end, len);
}

/* Whole tags up to end, some of them, or all there are. */
static bool
is_chain(int fd, off_t end)
{
	for (int i = 0; i < CHAIN_TAGS && end > FLV_HEADER_BYTES; i++)
		if (tag_before(fd, &end) < 0)
			return false;
	return true;
}

/*
 * Of the last whole tag whose tail lies in the block of n bytes at `at`; behind it is half a one, or
 * zeros. -1: none does. tries: so many places are looked at closer.
 */
static int64_t
last_in_block(int fd, const uint8_t *p, size_t n, off_t at, int *tries)
{
	uint32_t len;
	off_t start;
	int64_t ms;

	for (size_t i = n - FLV_TAG_TAIL_BYTES + 1; i-- > 0 && *tries > 0;) {
		len = be_get(p + i, FLV_TAG_TAIL_BYTES);
		start = at + (off_t)i - (off_t)len;
		if (len < FLV_TAG_HEAD_BYTES || len > TAG_MAX || start < FLV_HEADER_BYTES)
			continue;
		(*tries)--;
		ms = tag_at(fd, start, len);
		if (ms >= 0 && is_chain(fd, start))
			return ms;
	}
	return -1;
}

/* Half a tag has at most one tag's length, so no file takes long. -1: what is there at the end is no FLV. */
static int64_t
last_whole_ms(int fd, off_t size)
{
	uint8_t *block = xmalloc(BLOCK_BYTES);
	off_t end = size, at = size;
	int tries = TRIES_MAX;
	int64_t ms = -1;
	ssize_t n;

	while (ms < 0 && at > FLV_HEADER_BYTES && size - at < TAG_MAX) {
		at = end > FLV_HEADER_BYTES + BLOCK_BYTES ? end - BLOCK_BYTES : FLV_HEADER_BYTES;
		n = pread(fd, block, (size_t)(end - at), at);
		if (n < FLV_TAG_TAIL_BYTES)
			break;
		ms = last_in_block(fd, block, (size_t)n, at, &tries);
		end = at + FLV_TAG_TAIL_BYTES - 1;	/* a tail may lie across */
	}
	free(block);
	return ms < 0 && at <= FLV_HEADER_BYTES ? 0 : ms;
}

static bool
contains(const uint8_t *p, size_t len, const char *text)
{
	return memmem(p, len, text, strlen(text)) != NULL;
}

int
raw_read(int fd, struct raw *r)
{
	uint8_t *front = xmalloc(FRONT_BYTES);
	struct stat st;
	ssize_t n;
	off_t end;

	r->empty = true;
	r->video = r->audio = false;
	r->duration_ms = -1;
	n = fstat(fd, &st) == -1 ? -1 : pread(fd, front, FRONT_BYTES, 0);
	if (n > 0 && memcmp(front, r->matroska ? "\x1a\x45\xdf\xa3" : "FLV\1", n < 4 ? (size_t)n : 4) != 0) {
		errno = EBADMSG;
		n = -1;
	} else if (n > 0 && r->matroska) {
		r->empty = n < FRONT_BYTES && !contains(front, (size_t)n, "\x1f\x43\xb6\x75");	/* a cluster */
		r->hvc1 = contains(front, (size_t)n, "V_MPEGH/ISO/HEVC");
		raw_mkv_look(fd, st.st_size, r);
	} else if (n > (ssize_t)FLV_HEADER_BYTES) {
		look_at_first_tags(r, front, (size_t)n);
		r->empty = r->empty && n < FRONT_BYTES;
		look_at_first_frames(fd, st.st_size, r);
		end = st.st_size;
		r->duration_ms = tag_before(fd, &end);
		if (r->duration_ms < 0)
			r->duration_ms = last_whole_ms(fd, st.st_size);
	}
	free(front);
	return n < 0 ? -1 : 0;
}

/* 0: key was there and is filled in. */
static int
fill(const char **p, const char *key, const char *value, char *out, size_t size, size_t *used)
{
	size_t n = strlen(key);

	if (strncmp(*p, key, n) != 0)
		return -1;
	*p += n;
	*used += (size_t)snprintf(out + *used, size - *used, "%s", value);
	return 0;
}

bool
raw_is_free(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	bool is = fd != -1 && flock(fd, LOCK_SH | LOCK_NB) == 0;

	if (fd != -1)
		close(fd);
	return is;
}

int
raw_mp4_path(const struct raw *r, const char *pattern, char *out, size_t size)
{
	char date[16];
	size_t used = 0;
	const char *p = pattern;

	snprintf(date, sizeof(date), "%.4s-%.2s-%.2s", r->start, r->start + 4, r->start + 6);
	while (*p != '\0' && used < size - 1) {
		if (fill(&p, "{stream}", r->stream, out, size, &used) == 0 ||
		    fill(&p, "{start}", r->start, out, size, &used) == 0 ||
		    fill(&p, "{date}", date, out, size, &used) == 0)
			continue;
		out[used++] = *p++;
	}
	if (used >= size - 1)
		return -1;
	out[used] = '\0';
	return 0;
}
