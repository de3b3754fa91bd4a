/*
 * log_quota.c - bounds the lines of other programs (contract in log_quota.h): an ffmpeg that is given torn
 * frames says several lines about each.
 */
#include "log_quota.h"

#include <stdint.h>

#include "log.h"
#include "util.h"

static unsigned max = 100, used;	/* max: until the config is read */
static unsigned long left_out;
static int64_t began_ms;

void
log_quota_set(unsigned lines)
{
	max = lines;
}

bool
log_quota_take(void)
{
	int64_t now = now_ms();
	unsigned long n = left_out;

	if (began_ms == 0 || now - began_ms >= LOG_QUOTA_MS) {
		began_ms = now;
		used = 0;
		left_out = 0;
		if (n > 0)
			log_warnx("%lu lines of other programs were left out (log.foreign_lines)", n);
	}
	if (used < max) {
		used++;
		return true;
	}
	if (left_out++ == 0)
		log_warnx("%u lines of other programs in %d s, log.foreign_lines: more are left out", max,
		    LOG_QUOTA_MS / 1000);
	return false;
}
