/*
 * stream_name.h - what a stream may be called: [A-Za-z0-9._-], 1 to 64 bytes, no
 * leading dot. Checked once, here; nothing else from outside becomes part of a path or argv.
 */
#ifndef MILLRACE_STREAM_NAME_H
#define MILLRACE_STREAM_NAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define STREAM_NAME_MAX 64

bool stream_name_ok(const char *s, size_t len);
/*
 * FNV-1a, 32 bits. Modulo webrtc.workers: the worker that all signalling and media of a NAME
 * belong to, so that whoever has to ask one knows which.
 */
uint32_t stream_name_hash(const char *name);
#endif
