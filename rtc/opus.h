/* opus.h - what the first bytes of an Opus packet say (RFC 6716 3.1, 3.2). Pure. */
#ifndef MILLRACE_RTC_OPUS_H
#define MILLRACE_RTC_OPUS_H

#include <stddef.h>
#include <stdint.h>

#define OPUS_RATE 48000			/* of RTP's clock, whatever was encoded (RFC 7587 4.1) */
#define OPUS_PACKET_SAMPLES_MAX 5760	/* 120 ms */

/* Samples at 48 kHz in it, 120 to 5760; -1 EBADMSG: no Opus. */
int opus_samples(const uint8_t *packet, size_t len);
#endif
