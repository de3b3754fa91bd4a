/*
 * tus_head.h - the head of a request of the tus protocol 1.0.0 (tus.io/protocols/resumable-upload):
 * checked and taken apart. Pure.
 */
#ifndef MILLRACE_TUS_HEAD_H
#define MILLRACE_TUS_HEAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "intake.h"
#include "request.h"

#define TUS_VERSION "1.0.0"
#define TUS_VERSION_FIELD "Tus-Resumable: " TUS_VERSION "\r\n"

enum tus_method { TUS_OPTIONS, TUS_CREATE, TUS_HEAD, TUS_PATCH, TUS_DELETE };
enum tus_sum { TUS_SUM_NONE, TUS_SUM_SHA1, TUS_SUM_SHA256, TUS_SUM_MD5 };
#define TUS_DIGEST 32

struct tus_head {
	enum tus_method method;
	char id[INTAKE_ID];		/* "" for TUS_CREATE and TUS_OPTIONS */
	char name[INTAKE_NAME];		/* create: of the path, or "" */
	int64_t length;			/* Upload-Length; -1: none */
	bool deferred;			/* Upload-Defer-Length: 1 */
	int64_t offset;			/* Upload-Offset; -1: none */
	bool has_body;			/* bytes of the file come behind it */
	char meta[INTAKE_META];
	char file[160];			/* its filename, as text */
	enum tus_sum sum;
	uint8_t digest[TUS_DIGEST];	/* that the body must have */
	size_t digest_len;
};

/* 0, or the status that refuses it, and *why. */
int tus_head_parse(const struct request *r, struct tus_head *out, const char **why);
#endif
