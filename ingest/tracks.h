/*
 * tracks.h - which tracks a stream has and with which headers, and when that changes: makes
 * ring generations (ring.h). Bytes in, verdict out; stream.c feeds it every media message.
 */
#ifndef MILLRACE_TRACKS_H
#define MILLRACE_TRACKS_H

#include "board.h"
#include "flv.h"
#include "ring.h"

struct tracks {
	struct ring_gen *gen;		/* of the next tag */
	struct ring_gen *pending;	/* takes over at the next key frame, NULL if nothing changed */
	bool begun;			/* a media frame was let through */
	bool told, expect_video, expect_audio; /* by metadata, if it came */
	int told_width, told_height;
	int64_t first_ms, last_video_ms, last_audio_ms;	/* now_ms() of frames */
	int changes, changes_max;	/* generations by new headers since changes_ms */
	int64_t changes_ms;
	char unsupported[96];		/* why the stream can't be taken, "" = fine */
};

enum tracks_verdict { TRACKS_DROP, TRACKS_FRAME, TRACKS_HEADER };

void tracks_init(struct tracks *t, int changes_max);	/* streams.header_changes */
void tracks_free(struct tracks *t);
/* info is the parsed head. FRAME: append it with t->gen. */
enum tracks_verdict tracks_take(struct tracks *t, const struct flv_info *info, const uint8_t *body,
    size_t len, int64_t now);
/*
 * Once a tick; ahead_ms: how far the audio's media time is beyond the video's. true: the video track
 * has ended, gen is audio alone now and counts from the frame after the last of the video on (ring_regen()).
 */
bool tracks_tick(struct tracks *t, int64_t ahead_ms, int64_t now);
/* What its viewers may not be able to play, and what to change; "" if nothing. */
void tracks_warning(const struct tracks *t, char *buf, size_t size);
void tracks_board(const struct tracks *t, struct board_media *m);
#endif
