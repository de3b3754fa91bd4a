/*
 * record.h - what files below data_dir/recordings say by their names and first bytes. Pure:
 * strings and bytes in, facts out. "file" is relative to that folder: "alice/START.mp4". Of frames
 * sessions it is the bare name of a file in data_dir/media/video or media/audio: "CLIENT_MS.mp4".
 */
#ifndef MILLRACE_HTTP_RECORD_H
#define MILLRACE_HTTP_RECORD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "stream_name.h"

#define RECORD_FILE_MAX 320	/* bytes of a file's name, with NUL */
#define RECORD_HEAD_BYTES 512	/* of a file, enough for record_mp4_ms() */

struct record_type { const char *suffix, *type; bool audio; };

/* By its suffix; NULL: no recording, not listed and not served. */
const struct record_type *record_type_of(const char *file);
/* Components of 1 to 255 bytes of UTF-8 without control characters, none hidden, so none of "." and "..". */
bool record_file_ok(const char *file);
/*
 * The stream's NAME ("" if unknown), and the time in ms since the epoch at which it began (-1),
 * as the pattern (streams.record.path) has it, else as "NAME/..." and "START..." would.
 */
int64_t record_describe(const char *pattern, const char *file, char stream[STREAM_NAME_MAX + 1]);
/* The same of a frames session's file: its client and the time in its name. */
int64_t record_describe_media(const char *file, char stream[STREAM_NAME_MAX + 1]);
/* The folder of data_dir that a frames session's file of this name is in; NULL: its name is none. */
const char *record_media_folder(const char *file);
/* Duration by the first bytes of a WAV of 16 bit PCM; -1: unknown. */
int64_t record_wav_ms(const uint8_t *p, size_t len);
/* Duration by the first bytes of an MP4 with its index in front; -1: unknown. */
int64_t record_mp4_ms(const uint8_t *p, size_t len);
#endif
