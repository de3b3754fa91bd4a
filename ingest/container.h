/*
 * container.h - a media container as it streams in: which one it is, where its beginning (what a
 * decoder needs first) ends, and where one could begin again: at a Matroska Cluster, an MP4 moof,
 * a random access point of an MPEG-TS. Bytes pass through unchanged and in order. Pure.
 *
 * Sources: RFC 8794 (EBML), RFC 9559 (Matroska), ISO/IEC 14496-12 (boxes), ISO/IEC 13818-1 (TS).
 */
#ifndef MILLRACE_CONTAINER_H
#define MILLRACE_CONTAINER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum container_kind {
	CONTAINER_UNKNOWN,	/* too few bytes yet */
	CONTAINER_FLV, CONTAINER_MATROSKA, CONTAINER_MP4, CONTAINER_MPEGTS,
	CONTAINER_OGG,
	CONTAINER_ANY,		/* something else: ffmpeg may know it */
};

#define CONTAINER_SNIFF_BYTES 1128	/* enough to tell; MPEG-TS wants the most */

/* last: no more bytes will come, so it can't be UNKNOWN. */
enum container_kind container_sniff(const uint8_t *p, size_t len, bool last);
const char *container_name(enum container_kind kind);	/* as SPAWN's "container" */

enum container_what {
	CONTAINER_INIT,		/* of its beginning */
	CONTAINER_NEW,		/* a new file begins here, with a beginning of its own (INIT follows) */
	CONTAINER_POINT,	/* one could begin again here */
	CONTAINER_MORE,
};

struct container {
	enum container_kind kind;
	/* All bytes, in pieces; what is true of where the piece begins. */
	void (*out)(void *ctx, enum container_what what, const uint8_t *p, size_t n);
	void *ctx;
	bool begun, lost;		/* past its beginning; its structure can't be followed any more */
	bool h264, aac, known;		/* its codecs, once begun or known (MPEG-TS) */
	uint8_t head[192];		/* of an unfinished element, box or packet */
	size_t head_len;
	uint64_t skip;			/* payload that is no structure */
	int pmt_pid, video_pid;		/* MPEG-TS, -1: not seen */
	bool marks;			/* MPEG-TS: its key frames say so */
	uint8_t tail[16];		/* last bytes of the beginning, for words that two pieces share */
	size_t tail_len;
};

void container_begin(struct container *c, enum container_kind kind,
    void (*out)(void *ctx, enum container_what what, const uint8_t *p, size_t n), void *ctx);
void container_feed(struct container *c, const uint8_t *p, size_t n);
/* What comes next begins a new file, though the old one had not come to a place where that can be seen. */
void container_cut(struct container *c);
void container_end(struct container *c);	/* an unfinished head goes out, too */
bool container_can_restart(const struct container *c);
#endif
