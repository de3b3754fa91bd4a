/* raw.h - raw recordings (data_dir/rec/NAME/START.flv or .mkv): what they are called and what is in them. */
#ifndef MILLRACE_RAW_H
#define MILLRACE_RAW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct raw {
	char stream[65], start[32];	/* NAME; "20261121T135800.123Z" */
	bool matroska;
	/* of its bytes */
	bool empty;			/* not one whole frame */
	bool transcode_audio, hvc1;	/* how it becomes an MP4 */
	bool sound_only;		/* FLV: a video may be announced, but none comes */
	bool video, audio;		/* its first 1000 frames have a key frame, sound: so must its MP4 */
	int64_t duration_ms;		/* up to the last whole frame; -1: unknown */
	int64_t whole, behind;		/* bytes up to that frame's end, and behind it: of half a one, and zeros */
	bool more_behind;		/* not those alone: behind a hole there is more */
};

/* "rec/NAME/START.flv" (or .mkv) taken apart. 0, or -1: it is no such name. */
int raw_parse_path(const char *path, struct raw *out);
/* What is in the file, from its front on. Takes its time. 0, or -1 + errno: EBADMSG: it is neither FLV nor Matroska. */
int raw_read(int fd, struct raw *out);
/* What of it an MP4 can't have, in words; NULL: nothing. */
const char *raw_left_out(const struct raw *r, char *buf, size_t size);
/* Nobody has its lock: who wrote it has closed it, or died. path: absolute. */
bool raw_is_free(const char *path);
/* "recordings/{stream}/{start}.mp4" filled in, {date} being START's day "2026-11-21". 0, or -1: too long. */
int raw_mp4_path(const struct raw *r, const char *pattern, char *out, size_t size);
#endif
