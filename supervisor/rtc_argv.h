/*
 * rtc_argv.h - SPAWN's params of the kinds "opus" and "h264" as checked words, and ffmpeg's argv
 * made of them: one track of a stream into what browsers take by WebRTC.
 */
#ifndef MILLRACE_RTC_ARGV_H
#define MILLRACE_RTC_ARGV_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

struct rtc_params {
	bool video;		/* else sound */
	bool matroska;		/* on stdin, else FLV; its times are kept, they need not begin at 0 */
	int64_t from_ms;	/* video: what is before is decoded only */
};

/* 0, or -1 and what is wrong in *why. Unknown keys are ignored. */
int rtc_params_parse(bool video, const json_t *params, struct rtc_params *out, const char **why);
/* stdout: Ogg with Opus of opus_bps bits a second, or FLV. NULL-terminated; free with args_free(). */
char **rtc_argv(const struct rtc_params *p, const char *ffmpeg, int64_t opus_bps);
#endif
