/*
 * ogg.h - an Ogg stream (RFC 3533) of Opus (RFC 7845) to its packets, each with the time that its
 * page's granule position gives it. Bytes in, packets out; bounded, no sockets.
 *
 * The first logical stream counts, pages of others are left out. A page whose checksum is wrong,
 * or bytes that are none, are skipped up to the next page.
 */
#ifndef MILLRACE_RTC_OGG_H
#define MILLRACE_RTC_OGG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define OGG_PACKET_MAX 8192		/* of Opus; a longer one (and comments) is left out */
#define OGG_PAGE_MAX (27 + 255 + 255 * 255)
#define OGG_NO_TIME INT64_MIN

struct ogg_ops {
	/* OpusHead: channels as coded, samples to be skipped at the beginning. */
	void (*head)(void *ctx, int channels, int pre_skip);
	/*
	 * One packet, borrowed. granule: of its first sample at 48 kHz, pre-skip taken off, so it is
	 * the media's time; samples: how many.
	 */
	void (*packet)(void *ctx, const uint8_t *p, size_t n, int64_t granule, int samples);
};

struct ogg {
	const struct ogg_ops *ops;
	void *ctx;
	uint8_t *page;			/* OGG_PAGE_MAX, of an unfinished page */
	size_t len, want;
	bool begun, opus;		/* the first stream's number is known; its OpusHead was seen */
	uint32_t serial;
	int pre_skip;
	unsigned headers;		/* of the two that stand before the sound */
	int64_t next;			/* granule expected of the next packet, or OGG_NO_TIME */
	uint8_t *part;			/* of a packet that goes on in the next page */
	size_t part_len;
	bool part_lost;			/* its beginning is missing, or it is too long */
	uint64_t skipped;		/* bytes that were no page */
};

void ogg_init(struct ogg *o, const struct ogg_ops *ops, void *ctx);
void ogg_free(struct ogg *o);
void ogg_feed(struct ogg *o, const uint8_t *p, size_t n);	/* takes all bytes */
#endif
