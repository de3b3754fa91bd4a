/* newest.h - the newest time in the beginning of a FLV or Ogg stream. Pure. */
#ifndef MILLRACE_WEBRTC_NEWEST_H
#define MILLRACE_WEBRTC_NEWEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct newest {
	bool any;			/* there is media, so ms is known */
	bool broken;			/* this is no FLV */
	int64_t ms;
};

struct newest newest_in_flv(const uint8_t *p, size_t n);
struct newest newest_in_ogg(const uint8_t *p, size_t n);
#endif
