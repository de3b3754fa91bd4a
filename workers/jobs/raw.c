/*
 * raw.c - raw recordings (contract in raw.h). Goes from head to head through a file: its first
 * tags name the codecs, its last whole one has its duration. Called by finalise.c and tree.c.
 *
 * A crash may have left half a tag at the end; one of the machine zeros besides, or in between: what was
 * appended, but had not come to the disk. A tag is whole if its tail says what its head does.
 * Source of the format: FLV 10.1, annex E. Matroska: raw_mkv.c.
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
#define FIRST_TAGS 1000
#define BODY_FRONT 32		/* what is a frame's is known by then */
#define BLOCK_BYTES 65536

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

/* A tag, with what is known of its frame by its first bytes. */
struct tag {
	uint8_t head[FLV_TAG_HEAD_BYTES + BODY_FRONT];
	uint32_t body;
	off_t end;
};

static bool
is_tag(const uint8_t head[FLV_TAG_HEAD_BYTES])
{
	return (head[0] == FLV_AUDIO || head[0] == FLV_VIDEO || head[0] == FLV_DATA) && be_get(head + 8, 3) == 0;
}

/* False: there is none, or its tail does not say what its head does. end is set if there is a head. */
static bool
tag_at(int fd, off_t at, struct tag *t)
{
	uint8_t tail[FLV_TAG_TAIL_BYTES];

	memset(t, 0, sizeof(*t));
	if (pread(fd, t->head, sizeof(t->head), at) < FLV_TAG_HEAD_BYTES || !is_tag(t->head))
		return false;
	t->body = flv_tag_body(t->head);
	t->end = at + FLV_TAG_HEAD_BYTES + (off_t)t->body + FLV_TAG_TAIL_BYTES;
	return pread(fd, tail, sizeof(tail), t->end - FLV_TAG_TAIL_BYTES) == (ssize_t)sizeof(tail) &&
	    be_get(tail, sizeof(tail)) == FLV_TAG_HEAD_BYTES + t->body;
}

/* What the codec's own number or FourCC asks of an MP4. */
static void
note_codec(struct raw *r, const struct flv_info *info, bool audio)
{
	if (audio && info->codec != FLV_FOURCC('m', 'p', '4', 'a') && info->codec != FLV_FOURCC('.', 'm', 'p', '3') &&
	    info->codec != FLV_FOURCC('O', 'p', 'u', 's'))
		r->transcode_audio = true;
	if (!audio && info->codec == FLV_FOURCC('h', 'v', 'c', '1'))
		r->hvc1 = true;
}

/* Empty frames are nothing to ffmpeg, and it copies no picture before a key frame. */
static void
note_tag(struct raw *r, const struct tag *t)
{
	size_t len = t->body < BODY_FRONT ? t->body : BODY_FRONT;
	bool audio = t->head[0] == FLV_AUDIO;
	struct flv_info info;

	if (t->head[0] == FLV_DATA ||
	    (audio ? flv_parse_audio : flv_parse_video)(t->head + FLV_TAG_HEAD_BYTES, len, &info) < 0)
		return;
	note_codec(r, &info, audio);
	r->empty = r->empty && (info.sequence_header || info.metadata);
	if (info.sequence_header || info.sequence_end || info.metadata)
		return;
	if (!audio)
		r->sound_only = false;
	if (info.payload_len > 0 && audio)
		r->audio = true;
	else if (info.payload_len > 0 && info.keyframe)
		r->video = true;
}

/*
 * What begins behind the last whole tag has so many bytes. A publisher that is gone before its first picture
 * leaves the video's header and sound, of which no MP4 with a video can be made. Sound is taken for seconds
 * at most before it: longer than that is not looked.
 */
static off_t
walk_flv(int fd, struct raw *r)
{
	off_t at = FLV_HEADER_BYTES;
	struct tag t;
	int i;

	r->sound_only = true;
	for (i = 0; tag_at(fd, at, &t); i++) {
		if (i < FIRST_TAGS)
			note_tag(r, &t);
		r->duration_ms = flv_tag_ms(t.head);
		at = t.end;
	}
	r->sound_only = r->sound_only && i < FIRST_TAGS;
	r->whole = at;
	return t.end > at ? t.end - at : FLV_TAG_HEAD_BYTES + FLV_TAG_TAIL_BYTES;
}

/* --- what is behind --- */

/* Nothing but zeros from there on; what was never written takes no time. */
static bool
is_zero(int fd, off_t at)
{
	static const uint8_t zeros[BLOCK_BYTES];
	uint8_t *block = xmalloc(BLOCK_BYTES);
	ssize_t n = 0;
	bool is;

	while ((at = lseek(fd, at, SEEK_DATA)) != -1 && (n = pread(fd, block, BLOCK_BYTES, at)) > 0 &&
	    memcmp(block, zeros, (size_t)n) == 0)
		at += n;
	is = at == -1 ? errno == ENXIO : n == 0;
	free(block);
	return is;
}

/* A tag that ends with the file: it would not if a crash had torn that. */
static bool
ends_in_tag(int fd, off_t size)
{
	uint8_t tail[FLV_TAG_TAIL_BYTES];
	off_t start;
	struct tag t;

	if (pread(fd, tail, sizeof(tail), size - FLV_TAG_TAIL_BYTES) != (ssize_t)sizeof(tail))
		return false;
	start = size - FLV_TAG_TAIL_BYTES - (off_t)be_get(tail, sizeof(tail));
	return start >= FLV_HEADER_BYTES && tag_at(fd, start, &t) && t.end == size;
}

int
raw_read(int fd, struct raw *r)
{
	uint8_t magic[4] = { 0 };
	struct stat st;
	off_t half;

	r->empty = true;
	r->video = r->audio = r->more_behind = false;
	r->duration_ms = -1;
	r->whole = 0;
	if (fstat(fd, &st) == -1 || pread(fd, magic, sizeof(magic), 0) == -1)
		return -1;
	r->behind = st.st_size;
	if (is_zero(fd, 0))
		return 0;
	if (memcmp(magic, r->matroska ? "\x1a\x45\xdf\xa3" : "FLV\1", st.st_size < 4 ? (size_t)st.st_size : 4)) {
		errno = EBADMSG;
		return -1;
	}
	half = r->matroska ? raw_mkv_walk(fd, st.st_size, r) : walk_flv(fd, r);
	if (r->whole > st.st_size)
		r->whole = st.st_size;
	r->behind = st.st_size - r->whole;
	r->more_behind = r->behind > 0 &&
	    (!is_zero(fd, r->whole + half) || (!r->matroska && ends_in_tag(fd, st.st_size)));
	return 0;
}

const char *
raw_left_out(const struct raw *r, char *buf, size_t size)
{
	long long whole = (long long)r->whole, behind = (long long)r->behind;

	if (behind == 0)
		return NULL;
	if (r->more_behind)
		snprintf(buf, size, "from byte %lld on it is zeros or otherwise damaged, and behind that there is "
		    "more: its MP4 has the %.1f s before, and it is kept", whole, (double)(r->duration_ms > 0 ?
		    r->duration_ms : 0) / 1000);
	else
		snprintf(buf, size, "its last %lld bytes, half a frame and zeros as a crash leaves them, are not in "
		    "its MP4", behind);
	return buf;
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
