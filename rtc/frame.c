/*
 * frame.c - see frame.h. Called by tcp.c. A connection holds one packet at a time, so what it may
 * cost is the size of struct frame.
 */
#include "rtc/frame.h"

#include <string.h>

#include "be.h"

/* Bytes of the length; 1 once it is whole, 0 before, -1 too long. */
static int
read_head(struct frame *f, uint8_t byte)
{
	f->head[f->head_have++] = byte;
	if (f->head_have < FRAME_HEAD)
		return 0;
	f->head_have = 0;
	f->have = 0;
	f->want = be_get(f->head, FRAME_HEAD);
	return f->want > FRAME_MAX ? -1 : 1;
}

int
frame_feed(struct frame *f, const uint8_t *in, size_t n, bool (*packet)(void *ctx, uint8_t *p, size_t n), void *ctx)
{
	size_t take;

	while (n > 0) {
		if (f->want == 0) {
			if (read_head(f, *in++) < 0)
				return -1;
			n--;
			continue;
		}
		take = n < f->want - f->have ? n : f->want - f->have;
		memcpy(f->p + f->have, in, take);
		f->have += take;
		in += take;
		n -= take;
		if (f->have < f->want)
			break;
		take = f->want;
		f->want = 0;
		if (!packet(ctx, f->p, take))
			return -1;
	}
	return 0;
}
