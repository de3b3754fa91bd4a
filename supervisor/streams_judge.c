/*
 * streams_judge.c - a second publisher claims a live name: who is right? Pure: times in,
 * verdict out. Asked by streams_claim.c when the claim comes and again every 100 ms.
 *
 * A holder is alive if it delivers media, not because its connection is open: encoders
 * come back within 2 s, long before a cut line is noticed. So a claim is not refused
 * before the holder has shown a sign of life AFTER it came; what was under way then may
 * still be the old line's last bytes. A holder that stays silent for `silence` has lost
 * the name to whoever can show that he is the same publisher.
 */
#include "supervisor/streams.h"

#define JUDGE_IN_FLIGHT_MS 250	/* later media is no remainder of before, for any read tick */

enum judge_verdict
judge_duplicate(const struct judge_input *in)
{
	int64_t last = in->last_media_ms > in->granted_ms ? in->last_media_ms : in->granted_ms;

	if (in->takeover)
		return JUDGE_TAKE_OVER;
	if (in->now_ms - last >= in->silence_ms)
		return in->same_identity ? JUDGE_TAKE_OVER : JUDGE_REFUSE;
	if (in->last_media_ms > in->claimed_ms + JUDGE_IN_FLIGHT_MS)
		return JUDGE_REFUSE;
	/* One more poll than `silence` has: the holder's last byte may be as young as the claim. */
	if (in->now_ms - in->claimed_ms > in->silence_ms + JUDGE_IN_FLIGHT_MS)
		return JUDGE_REFUSE;
	return JUDGE_WAIT;
}
