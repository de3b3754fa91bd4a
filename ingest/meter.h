/* meter.h - a stream's figures for the board: bit rate, frame rate, GOP, and what is worth a warning. */
#ifndef MILLRACE_METER_H
#define MILLRACE_METER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "board.h"

#define METER_SLOTS 5		/* seconds that rates are taken over */

struct meter {
	uint64_t bytes, video, audio, keys, torn;
	int64_t last_media_ms, last_key_ms, last_key_dts, last_audio_dts, gop_ms, due_ms;
	struct { int64_t ms; uint64_t bytes, video; } slot[METER_SLOTS];
	unsigned at;
	int64_t lag[2], lag_since_ms;	/* least of now - dts in this window and the last one */
};

void meter_bytes(struct meter *m, size_t n);
void meter_frame(struct meter *m, bool audio, bool key, int64_t dts_ms, int64_t now);
/*
 * Ms until the next look at the socket: `longest`, but soon after the next key frame is due
 * (key frames come as regularly as a clock), and often as long as their distance is unknown.
 */
int64_t meter_tick(struct meter *m, int64_t longest, int64_t now);
bool meter_due(struct meter *m, int64_t now);	/* once a second: also closes a slot */
void meter_board(const struct meter *m, struct board_media *out, int64_t now);
int64_t meter_key_age(const struct meter *m);	/* ms of media since the last key frame */
/* What the user should change, "" if nothing. */
void meter_warning(const struct meter *m, int64_t key_frame_age_ms, bool video, char *buf, size_t size);
#endif
