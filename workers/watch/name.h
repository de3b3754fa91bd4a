/* name.h - which names count in a watched folder, and what a file is called in the bucket. Pure. */
#ifndef MILLRACE_WATCH_NAME_H
#define MILLRACE_WATCH_NAME_H

#include <stdbool.h>
#include <stddef.h>

#define NAME_OBJECT_BYTES 1025	/* S3: 1,024 bytes, and a NUL */

/* Hidden, or on its way to another name ("x.part", "x.tmp", "x~"): nobody's file yet, also as a folder. */
bool name_is_temporary(const char *name);
/* Ends in "." and one of these (in small letters, NULL at the end), compared without case, and has more before. */
bool name_has_extension(const char *name, const char *const *extensions);
/* Can stand in JSON and in an object's key: UTF-8 without control characters. */
bool name_is_text(const char *name);
/* prefix + rel. 0, or -1: longer than an object's key may be. */
int name_object(const char *prefix, const char *rel, char out[NAME_OBJECT_BYTES]);
/* Folders in rel ("a/b/c.mp4": 2). */
int name_depth(const char *rel);
#endif
