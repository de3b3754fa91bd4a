/*
 * whip_clock.h - RTP timestamps of a publisher's two tracks to one clock of milliseconds. Each track
 * begins where it came, by our clock; sender reports (RFC 3550 6.4.1) then say which of its instants
 * belong together, and the picture is moved to the sound, in steps too small to be seen. Pure.
 */
#ifndef MILLRACE_WHIP_CLOCK_H
#define MILLRACE_WHIP_CLOCK_H

#include <stdbool.h>
#include <stdint.h>

struct whip_clock_track {
	uint32_t rate;			/* of its RTP timestamps, a second */
	bool begun, reported;
	uint32_t raw;			/* the last timestamp, as it came */
	int64_t ticks;			/* the same, unrolled: the first is 0 */
	int64_t base_us;		/* where tick 0 is on our clock */
	int64_t last_us, came_ms;	/* of the last one */
	int64_t sent_us;		/* on the sender's clock (NTP): where tick 0 is, by its last report */
};

struct whip_clock {
	struct whip_clock_track video, audio;
	int64_t begun_ms;
	int64_t shift_us;		/* by which the picture is moved at present */
	unsigned jumps;
};

void whip_clock_init(struct whip_clock *c, uint32_t video_rate, uint32_t audio_rate);
/* came_ms: when it came. Milliseconds since the first of both came, and some lead: fits FLV's 32 bits for 49 days. */
int64_t whip_clock_map(struct whip_clock *c, bool audio, uint32_t ts, int64_t came_ms);
/* A sender report's pair; before the first whip_clock_map of that track it says nothing. */
void whip_clock_report(struct whip_clock *c, bool audio, uint64_t ntp, uint32_t ts);
/* Another source of that track (SSRC): its timestamps begin anew. */
void whip_clock_restart(struct whip_clock *c, bool audio);
#endif
