/*
 * frames_raw.c - see frames_raw.h. The reader knows no more of Matroska than what frames_file.c writes: elements
 * with ids and sizes (RFC 8794 section 4), clusters of one block each. A length that leads out of the
 * file is where a crash tore it. Called by frames.c on a thread: it logs nothing.
 */
#include "workers/jobs/frames_raw.h"

#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "be.h"
#include "stream_name.h"
#include "util.h"

enum { EBML = 0x1a45dfa3, SEGMENT = 0x18538067, VOID = 0xec, CLUSTER = 0x1f43b675 };
#define FRAME_HEAD 27		/* of a cluster with its block: MATROSKA_FRAME_HEAD_BYTES */
#define CLUSTER_HEAD 8
#define NOTE_MAX 4096
#define VIDEO 0x81		/* track numbers as a block has them */
#define AUDIO 0x82
#define TIMED 0x01
#define RATE 44100
#define WAV_HEAD 44
#define COPY_BYTES (256 * 1024)
#define JPEG_LOOK 65536		/* a frame's size stands in front of its data */
#define SUFFIX ".mkv"

int
frames_raw_parse_path(const char *path, struct frames_raw *out)
{
	const char *name = path + strlen(FRAMES_RAW_DIR "/"), *under;
	size_t len = strlen(path);

	memset(out, 0, sizeof(*out));
	if (strncmp(path, FRAMES_RAW_DIR "/", strlen(FRAMES_RAW_DIR "/")) != 0 || len < 5 ||
	    strcmp(path + len - strlen(SUFFIX), SUFFIX) != 0)
		return -1;
	len = strlen(name) - strlen(SUFFIX);
	if (len >= sizeof(out->name))
		return -1;
	memcpy(out->name, name, len);
	under = strrchr(out->name, '_');
	if (under == NULL || under[1] == '\0' || strspn(under + 1, "0123456789") != strlen(under + 1) ||
	    !stream_name_ok(out->name, (size_t)(under - out->name)))
		return -1;
	str_copy(out->client, out->name, (size_t)(under - out->name) + 1);
	return 0;
}

/* --- the head --- */

/* An element's id and size; the bytes both take, 0: torn. */
static unsigned
element(const uint8_t *p, size_t len, uint32_t *id, uint64_t *size)
{
	unsigned n = len == 0 || p[0] == 0 ? 0 : (unsigned)__builtin_clz(p[0]) - 23, m;

	if (n == 0 || n > 4 || len <= n || p[n] == 0)
		return 0;
	m = (unsigned)__builtin_clz(p[n]) - 23;
	if (len < n + m)
		return 0;
	*id = (uint32_t)be_get64(p, n);
	*size = be_get64(p + n, m) & ~(UINT64_C(1) << 7 * m);
	return n + m;
}

static void
read_note(const char *text, size_t len, struct frames_raw *out)
{
	json_t *note = json_loadb(text, len, 0, NULL);
	json_int_t fps = json_integer_value(json_object_get(note, "fps"));

	out->mux = json_is_true(json_object_get(note, "mux"));
	out->fps = fps > 0 && fps <= 1000 ? (int)fps : 15;
	json_decref(note);
}

/* Up to the first cluster, or the end. Its offset; -1 + errno. */
static off_t
read_head(int fd, struct frames_raw *out)
{
	uint8_t head[16], *note;
	uint64_t size;
	uint32_t id;
	off_t at = 0;
	bool noted = false;

	for (;;) {
		ssize_t n = pread(fd, head, sizeof(head), at);
		unsigned used = n > 0 ? element(head, (size_t)n, &id, &size) : 0;

		if (at == 0 && (n < 4 || be_get64(head, 4) != EBML)) {
			errno = n < 0 ? errno : n < 4 ? ENODATA : EBADMSG;
			return -1;
		}
		if (used == 0 || id == CLUSTER)
			break;
		at += used;
		if (id == SEGMENT)
			continue;
		if (id == VOID && size <= NOTE_MAX) {
			note = xmalloc(NOTE_MAX);
			n = pread(fd, note, size, at);
			if ((noted = n == (ssize_t)size))
				read_note((char *)note, (size_t)n, out);
			free(note);
		}
		if (size > INT64_MAX / 2)
			break;
		at += (off_t)size;
	}
	errno = ENODATA;
	return noted ? at : -1;
}

/* --- the frames --- */

/* Its size as its frame header has it; it was checked when it came. */
static void
read_size(int fd, off_t at, size_t len, struct frames_raw *out)
{
	size_t want = len < JPEG_LOOK ? len : JPEG_LOOK, i = 2;
	uint8_t *p = xmalloc(JPEG_LOOK);
	ssize_t n = pread(fd, p, want, at);

	while (n > 0 && i + 9 < (size_t)n) {
		if (p[i] != 0xff || p[i + 1] == 0xff) {
			i++;
			continue;
		}
		if (p[i + 1] >= 0xc0 && p[i + 1] <= 0xc2) {
			out->height = (int)be_get64(p + i + 5, 2);
			out->width = (int)be_get64(p + i + 7, 2);
			break;
		}
		i += 2 + be_get64(p + i + 2, 2);
		if (i + 9 >= (size_t)n && i + 9 < len && n == JPEG_LOOK) {	/* long comments before it */
			at += (off_t)i;
			len -= i;
			i = 0;
			n = pread(fd, p, len < JPEG_LOOK ? len : JPEG_LOOK, at);
		}
	}
	free(p);
}

/* All of it. A disk that becomes full first takes less than it was given, and says why with the next. */
static int
put(int to, const uint8_t *p, size_t len)
{
	while (len > 0) {
		ssize_t n = write(to, p, len);

		if (n <= 0) {
			errno = n == 0 ? ENOSPC : errno;
			return -1;
		}
		p += n;
		len -= (size_t)n;
	}
	return 0;
}

static int
copy(int from, off_t at, size_t len, int to)
{
	static __thread uint8_t buf[COPY_BYTES];

	while (len > 0) {
		ssize_t n = pread(from, buf, len < sizeof(buf) ? len : sizeof(buf), at);

		if (n <= 0) {
			errno = n == 0 ? EIO : errno;
			return -1;
		}
		if (put(to, buf, (size_t)n) < 0)
			return -1;
		at += n;
		len -= (size_t)n;
	}
	return 0;
}

static void
note_video(int fd, off_t at, size_t len, const uint8_t *head, int64_t ms, struct frames_raw *out)
{
	if (out->frames++ == 0) {
		out->timed = (head[FRAME_HEAD - 1] & TIMED) != 0;
		out->video_ms = ms;
		read_size(fd, at, len, out);
	}
	out->video_end_ms = ms;
}

/* The bytes that it takes, 0: torn from here on, -1 + errno. */
static int64_t
read_frame(int fd, off_t at, off_t end, int wav_fd, struct frames_raw *out)
{
	uint8_t head[FRAME_HEAD];
	ssize_t n = pread(fd, head, sizeof(head), at);
	int64_t size, ms, len;

	if (n < 0)	/* what a disk can't read is not torn */
		return -1;
	if (n != (ssize_t)sizeof(head) || be_get64(head, 4) != CLUSTER)
		return 0;
	size = CLUSTER_HEAD + (int64_t)(be_get64(head + 4, 4) & 0x0fffffff);
	ms = (int64_t)be_get64(head + 10, 8);
	len = size - FRAME_HEAD;
	if (len <= 0 || size > end - at || ms < 0 || (head[23] != VIDEO && head[23] != AUDIO))
		return 0;
	at += FRAME_HEAD;
	if (head[23] == VIDEO)
		note_video(fd, at, (size_t)len, head, ms, out);
	else {
		if (out->samples == 0)
			out->audio_ms = ms;
		out->samples += len / 2;
		if (wav_fd >= 0 && copy(fd, at, (size_t)len & ~(size_t)1, wav_fd) < 0)
			return -1;
	}
	return size;
}

static void
le(uint8_t *p, uint32_t v, unsigned bytes)
{
	for (; bytes-- > 0; v >>= 8)
		*p++ = (uint8_t)v;
}

/* RIFF WAVE of 16 bit PCM, one channel. */
static int
wav_head(int fd, int64_t samples)
{
	uint32_t bytes = samples > (INT64_C(0xffffffff) - WAV_HEAD) / 2 ? 0xffffffff - WAV_HEAD : (uint32_t)samples * 2;
	uint8_t h[WAV_HEAD] = "RIFF....WAVEfmt ";
	ssize_t n;

	memcpy(h + 36, "data", 4);
	le(h + 4, bytes + WAV_HEAD - 8, 4);
	le(h + 16, 16, 4);
	le(h + 20, 1, 2);
	le(h + 22, 1, 2);
	le(h + 24, RATE, 4);
	le(h + 28, RATE * 2, 4);
	le(h + 32, 2, 2);
	le(h + 34, 16, 2);
	le(h + 40, bytes, 4);
	n = pwrite(fd, h, sizeof(h), 0);
	if (n >= 0 && n != (ssize_t)sizeof(h))
		errno = ENOSPC;
	return n == (ssize_t)sizeof(h) ? 0 : -1;
}

int
frames_raw_read(int fd, int wav_fd, struct frames_raw *out)
{
	int64_t used = 1;
	struct stat st;
	off_t at;

	out->fps = 15;
	if (fstat(fd, &st) == -1 || (at = read_head(fd, out)) == -1)
		return -1;
	if (wav_fd >= 0 && (wav_head(wav_fd, 0) == -1 || lseek(wav_fd, WAV_HEAD, SEEK_SET) == -1))
		return -1;
	for (; used > 0; at += used) {
		used = read_frame(fd, at, st.st_size, wav_fd, out);
		if (used == -1)
			return -1;
	}
	out->torn_bytes = st.st_size - at;
	return wav_fd < 0 ? 0 : wav_head(wav_fd, out->samples);
}

bool
frames_raw_timed(const struct frames_raw *r)
{
	return r->timed || (r->mux && (r->video_end_ms - r->video_ms) * 2 >= (r->frames - 1) * 1000 / r->fps);
}
