/* sdp_attr.h - what sdp_parse.c and sdp_attr.c share; others see sdp.h only. */
#ifndef MILLRACE_RTC_SDP_ATTR_H
#define MILLRACE_RTC_SDP_ATTR_H

#include "rtc/sdp.h"

struct sdp_reader {
	struct sdp *s;
	struct sdp_media *m;	/* NULL: session level */
	unsigned line;
	bool begun;		/* v=0 was there */
	char *why;
};

/* The value of an "a=" line, cut up in place: 0, or -1 and r->why. */
int sdp_attribute(struct sdp_reader *r, char *text);
struct sdp_format *sdp_format(struct sdp_media *m, unsigned pt);	/* NULL: not of its list */

/* --- sdp_parse.c --- */
int sdp_bad(struct sdp_reader *r, const char *fmt, ...) __attribute__((format(printf, 2, 3)));	/* -1 */
char *sdp_word(char **p);
int sdp_number(const char *s, unsigned max);	/* -1: none, or more */
#endif
