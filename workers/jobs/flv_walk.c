/*
 * flv_walk.c - the heads of an FLV's tags (contract in flv_walk.h). Each tag costs one small read;
 * an hour of 30 frames a second is some hundred thousand of them: for a thread. Called by convert.c
 * (is what was made what it should be?) and push.c (where does it go on?).
 */
#include "workers/jobs/flv_walk.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "flv.h"

#define HEAD_BYTES (FLV_TAG_HEAD_BYTES + 2)	/* with what says key frame, header or frame */

struct walk {
	struct flv_walk *out;
	int64_t want_ms, last_key_ms;
};

static void
look_at_video(struct walk *w, const uint8_t *p, int64_t ms)
{
	if ((p[0] & 0x0f) == 7 && p[1] != 1)	/* AVC: its configuration, or its end */
		return;
	w->out->video = true;
	if (p[0] >> 4 != 1)
		return;
	if (ms - w->last_key_ms > w->out->key_gap_ms)
		w->out->key_gap_ms = ms - w->last_key_ms;
	w->last_key_ms = ms;
	if (ms <= w->want_ms)
		w->out->begin_ms = ms;
}

static void
look_at(struct walk *w, const uint8_t *head)
{
	const uint8_t *p = head + FLV_TAG_HEAD_BYTES;
	int64_t ms = flv_tag_ms(head);

	if (head[0] == FLV_VIDEO)
		look_at_video(w, p, ms);
	else if (head[0] == FLV_AUDIO && !(p[0] >> 4 == 10 && p[1] == 0))
		w->out->audio = true;
	else
		return;
	if (ms > w->out->duration_ms)
		w->out->duration_ms = ms;
}

int
flv_walk(int fd, int64_t want_ms, struct flv_walk *out)
{
	struct walk w = { .out = out, .want_ms = want_ms };
	uint8_t head[HEAD_BYTES];
	off_t at = FLV_HEADER_BYTES;
	uint32_t body;
	struct stat st;

	memset(out, 0, sizeof(*out));
	if (fstat(fd, &st) == -1)
		return -1;
	errno = EBADMSG;
	if (pread(fd, head, 4, 0) != 4 || memcmp(head, "FLV\1", 4) != 0)
		return -1;
	while (at < st.st_size) {
		memset(head, 0, sizeof(head));
		if (pread(fd, head, sizeof(head), at) < (ssize_t)FLV_TAG_HEAD_BYTES)
			return -1;
		body = flv_tag_body(head);
		at += FLV_TAG_HEAD_BYTES + (off_t)body + FLV_TAG_TAIL_BYTES;
		if (at > st.st_size)
			return -1;
		look_at(&w, head);
	}
	if (out->video && out->duration_ms - w.last_key_ms > out->key_gap_ms)
		out->key_gap_ms = out->duration_ms - w.last_key_ms;
	if (!out->video)
		out->begin_ms = want_ms < 0 ? 0 : want_ms;
	return 0;
}
