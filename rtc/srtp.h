/*
 * srtp.h - SRTP and SRTCP of one peer (RFC 3711, RFC 7714) behind one file: which library does it is
 * nobody else's matter. Packets are changed in place.
 */
#ifndef MILLRACE_RTC_SRTP_H
#define MILLRACE_RTC_SRTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SRTP_ROOM 24		/* what a packet grows by at most: a tag of 16, SRTCP's index of 4 */
#define SRTP_SSRC_MAX 16	/* sources that one peer may send; each costs memory */
#define SRTP_KEY 30		/* a master key of 16 with its salt of 12 or 14 */

enum srtp_suite { SRTP_CM_SHA1_80 = 1, SRTP_GCM_128 = 7 };	/* RFC 5764 section 4.1.2, RFC 7714 section 14.2 */

struct srtp_keys { enum srtp_suite suite; uint8_t ours[SRTP_KEY], theirs[SRTP_KEY]; };

struct rtc_srtp;

/* Starts the library, once; it loads files, so before the process locks itself in. 0 or -1, logged. */
int rtc_srtp_library(void);
/* NULL: no memory or no such cipher in the library; logged. */
struct rtc_srtp *rtc_srtp_new(const struct srtp_keys *keys);
void rtc_srtp_free(struct rtc_srtp **s);
/*
 * The new length, or 0: it cannot be sent. There is room for SRTP_ROOM behind p[n]. A packet sent before
 * gives the same bytes again if it is the same (peer.h), up to 4096 packets later.
 */
size_t rtc_srtp_seal(struct rtc_srtp *s, uint8_t *p, size_t n, bool rtcp);
/* The new length, or 0: not from the one who has the keys, a replay, too old, one SSRC too many. */
size_t rtc_srtp_open(struct rtc_srtp *s, uint8_t *p, size_t n, bool rtcp);
const char *srtp_suite_name(enum srtp_suite suite);
#endif
