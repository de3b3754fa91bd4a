/*
 * frames_file.c - a frames session's file (contract in frames_file.h). Called by frames_session.c.
 *
 * Plain appends on the loop, each with one writev(2), as rec_file.c: what was written survives this
 * process, and fdatasync(2) is rec_sync.c's. The lock tells others, also after a crash, that
 * nobody writes any more.
 */
#include "frames_file.h"

#include <errno.h>
#include <event2/buffer.h>
#include <fcntl.h>
#include <nettle/sha2.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/uio.h>
#include <unistd.h>

#include "matroska.h"
#include "rec_file.h"
#include "util.h"

#define NAME_TRIES 100
#define HASH_DIGITS 8
#define PATH_BYTES 700

static bool
is_plain(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || (c != '\0' &&
	    strchr("._-", c) != NULL);
}

/* "-1a2b3c4d" behind what is there, which gives way. */
static void
add_hash(char out[FRAMES_CLIENT_MAX + 1], const void *data, size_t len)
{
	uint8_t digest[HASH_DIGITS / 2];
	struct sha256_ctx ctx;
	size_t n = strlen(out);

	sha256_init(&ctx);
	sha256_update(&ctx, len, data);
	sha256_digest(&ctx, sizeof(digest), digest);
	if (n > FRAMES_CLIENT_MAX - HASH_DIGITS - 1)
		n = FRAMES_CLIENT_MAX - HASH_DIGITS - 1;
	out[n] = '-';
	hex_format(out + n + 1, digest, sizeof(digest));
}

void
frames_client_name(const char *id, size_t len, char out[FRAMES_CLIENT_MAX + 1])
{
	uint8_t random[16] = { 0 };
	bool changed = len > FRAMES_CLIENT_MAX;
	size_t n = 0;

	for (size_t i = 0; i < len && n < FRAMES_CLIENT_MAX; i++) {
		bool ok = is_plain(id[i]) && (n > 0 || id[i] != '.');

		out[n++] = ok ? id[i] : '_';
		changed = changed || !ok;
	}
	out[n] = '\0';
	if (len == 0) {
		str_copy(out, "client", FRAMES_CLIENT_MAX + 1);
		if (getrandom(random, sizeof(random), 0) < 0)
			memcpy(random, &(int64_t){ now_ms() }, sizeof(int64_t));	/* names need not be secret */
		add_hash(out, random, sizeof(random));
	} else if (changed)
		add_hash(out, id, len);
}

/* --- the file --- */

/* All of it, or the file is as it was. */
static int
append(struct frames_file *f, const struct iovec *iov, int n, size_t len)
{
	ssize_t done = writev(f->fd, iov, n);
	int why = done >= 0 ? ENOSPC : errno;

	if (done == (ssize_t)len) {
		f->bytes += done;
		return 0;
	}
	if (ftruncate(f->fd, f->bytes) < 0)
		why = errno;
	errno = why;
	return -1;
}

static int
write_head(struct frames_file *f, const json_t *meta)
{
	const struct matroska_track video = { .codec = MATROSKA_MJPEG };
	const struct matroska_track audio = { .codec = MATROSKA_PCM, .rate = FRAMES_RATE, .channels = 1, .bits = 16 };
	struct evbuffer *head = evbuffer_new();
	char *text = json_dumps(meta, JSON_COMPACT);
	struct iovec iov;
	int rc;

	matroska_write_header(head, &video, &audio);
	matroska_write_note(head, text);
	iov = (struct iovec){ evbuffer_pullup(head, -1), evbuffer_get_length(head) };
	rc = append(f, &iov, 1, iov.iov_len);
	evbuffer_free(head);
	free(text);
	return rc;
}

static bool
is_taken(const char *media, const char *folder, const char *name, const char *suffix)
{
	char path[PATH_BYTES];

	snprintf(path, sizeof(path), "%s/%s/%s%s", media, folder, name, suffix);
	return access(path, F_OK) == 0;
}

/* A name that no session's file has, whatever has become of it. */
static int
take_name(struct frames_file *f, const char *media, const char *hidden, const char *client, int64_t wall)
{
	char path[PATH_BYTES];

	for (int i = 0; i < NAME_TRIES; i++) {
		snprintf(f->name, sizeof(f->name), "%s_%lld", client, (long long)wall + i);
		if (is_taken(media, "video", f->name, ".mp4") || is_taken(media, "audio", f->name, ".wav"))
			continue;
		snprintf(path, sizeof(path), "%s/temp/%s.mkv", media, f->name);
		if (link(hidden, path) == 0)
			return 0;
		if (errno != EEXIST)
			return -1;
	}
	errno = EEXIST;
	return -1;
}

/* Locked and with its head before it has its name: nobody else ever sees it otherwise. */
int
frames_file_open(struct frames_file *f, const char *media, const char *client, int64_t wall, const json_t *meta)
{
	char hidden[PATH_BYTES];
	int rc, why;

	*f = (struct frames_file){ .odd = -1, .video_ms = -1 };
	snprintf(hidden, sizeof(hidden), "%s/temp/.%d.new", media, (int)getpid());
	unlink(hidden);		/* of a process before us */
	f->fd = open(hidden, O_WRONLY | O_CREAT | O_EXCL | O_APPEND | O_CLOEXEC, 0640);
	if (f->fd < 0)
		return -1;
	rc = flock(f->fd, LOCK_EX | LOCK_NB);
	if (rc == 0)
		rc = write_head(f, meta);
	if (rc == 0)
		rc = take_name(f, media, hidden, client, wall);
	why = errno;
	unlink(hidden);
	if (rc < 0) {
		close(f->fd);
		f->fd = -1;
		errno = why;
	}
	return rc;
}

int
frames_file_video(struct frames_file *f, const uint8_t *jpeg, size_t len, int64_t ms, bool timed)
{
	uint8_t head[MATROSKA_FRAME_HEAD_BYTES];
	struct iovec iov[] = { { head, sizeof(head) }, { (void *)jpeg, len } };

	if (ms <= f->video_ms)
		ms = f->video_ms + 1;
	matroska_write_frame_head(head, MATROSKA_VIDEO, ms, true, (uint32_t)len);
	if (timed)
		head[MATROSKA_FRAME_HEAD_BYTES - 1] |= MATROSKA_TIMED;
	if (append(f, iov, 2, sizeof(head) + len) < 0)
		return -1;
	f->video_ms = ms;
	f->frames++;
	return 0;
}

int
frames_file_audio(struct frames_file *f, const uint8_t *pcm, size_t len, int64_t ms)
{
	uint8_t head[MATROSKA_FRAME_HEAD_BYTES], first = (uint8_t)f->odd;
	size_t half = f->odd >= 0 ? 1 : 0, whole = (len + half) & ~(size_t)1;
	struct iovec iov[] = { { head, sizeof(head) }, { &first, half }, { (void *)pcm, whole - half } };

	if (ms < f->audio_ms)
		ms = f->audio_ms;
	if (whole == 0) {		/* not even one sample yet */
		if (len > 0)
			f->odd = pcm[0];
		return 0;
	}
	matroska_write_frame_head(head, MATROSKA_AUDIO, ms, true, (uint32_t)whole);
	if (append(f, iov, 3, sizeof(head) + whole) < 0)
		return -1;
	f->odd = whole - half < len ? pcm[len - 1] : -1;
	f->audio_ms = ms;
	f->samples += (int64_t)(whole / 2);
	return 0;
}

void
frames_file_close(struct frames_file *f, struct rec_sync *s)
{
	if (f->fd < 0)
		return;
	flock(f->fd, LOCK_UN);
	rec_sync_give(s, f->fd, true, 0);
	f->fd = -1;
}
