/*
 * s3.h - requests to one bucket of an S3 server, asynchronous on a libevent loop.
 *
 * Every call answers once through its callback, never before the call returns, unless it was
 * cancelled. A call is one attempt: trying again is the caller's affair, the verdict says
 * whether it makes sense. Used by upload.c and the sweeper; nothing else speaks to S3.
 */
#ifndef MILLRACE_S3_H
#define MILLRACE_S3_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "s3_sign.h"

struct board_s3;
struct event_base;
struct s3;
struct s3_call;

struct s3_conf {			/* storage.s3; all borrowed, copied by s3_new */
	const char *endpoint;		/* http[s]://HOST[:PORT][/PATH] */
	const char *region, *bucket, *access_key, *secret_key;
	const char *session_token, *ca_file;	/* "" = none */
	bool path_style;		/* else the bucket is part of the host's name */
	int64_t connect_timeout_ms;
	int64_t timeout_ms;		/* without a byte in either direction; whole seconds, at least one */
	int64_t bandwidth;		/* bytes a second of all bodies together; 0 = no limit */
	int64_t *bandwidth_shared;	/* s3_rate.h: with other clients that have it, too; NULL = with none */
	struct board_s3 *figures;	/* counted up; outlives the client; NULL = nobody wants them */
};

/* NULL: *why (static) says what of the configuration can't be. */
struct s3 *s3_new(struct event_base *base, const struct s3_conf *conf, const char **why);
/* Cancels what is under way. */
void s3_free(struct s3 **s);
const char *s3_bucket(const struct s3 *s);
const char *s3_endpoint(const struct s3 *s);

enum s3_verdict {
	S3_OK,
	S3_RETRY,	/* the server, or the way to it, is in trouble: the same again may work */
	S3_REFUSED,	/* credentials, bucket, clock, certificate: nothing works until somebody changes that */
	S3_GONE,	/* no such upload or object (or part of it) any more */
	S3_CHANGED,	/* the file gave other bytes than it was said to have */
	S3_FATAL,	/* this request will never work */
};

#define S3_ETAG 128
#define S3_ERROR 512
#define S3_OBJECT_MAX 1024		/* bytes of a key, S3's limit */
#define S3_PARTS_MAX 10000
#define S3_UPLOADS_MAX 10000		/* that s3_uploads() lists at most */

struct s3_listed_part {
	int number;
	int64_t size, modified_sec;	/* modified_sec 0: not said */
	char etag[S3_ETAG];
};

struct s3_listed_upload {
	char *object, *upload_id;
	int64_t initiated_sec;		/* 0: not said */
};

struct s3_result {
	enum s3_verdict verdict;
	char error[S3_ERROR];		/* one line for people, without secrets; "" if OK */
	int status;			/* of HTTP, 0 = none came */
	char code[64];			/* S3's <Code> */
	char etag[S3_ETAG];		/* without quotes */
	int64_t size;			/* s3_head */
	char sha256[S3_SHA256_HEX];	/* of the body sent; s3_head: x-amz-meta-sha256 */
	char token[S3_ETAG];		/* s3_head: x-amz-meta-millrace */
	char *upload_id;		/* s3_create */
	struct s3_listed_part *parts;	/* s3_parts, by number */
	struct s3_listed_upload *uploads;	/* s3_uploads */
	size_t nparts, nuploads;
};

typedef void (*s3_cb)(const struct s3_result *r, void *ctx);

/* What an object is told to remember. NULL or "" = not sent. */
struct s3_attrs {
	const char *content_type, *sha256;
	const char *token;		/* whose upload it is, printable ASCII: a later HEAD tells ours from others' */
};

/*
 * A range of a file, read twice: for its SHA-256, a slice per turn of the loop, and, from the page
 * cache then, while it is sent. Or len bytes of text if fd is -1. fd and text outlive the call.
 */
struct s3_body {
	int fd;
	int64_t offset, len;
	const char *text;
	const char *content_type;	/* NULL = none */
};

struct s3_call *s3_put(struct s3 *s, const char *object, const struct s3_attrs *a, const struct s3_body *b, s3_cb cb,
    void *ctx);
struct s3_call *s3_head(struct s3 *s, const char *object, s3_cb cb, void *ctx);
struct s3_call *s3_delete(struct s3 *s, const char *object, s3_cb cb, void *ctx);
struct s3_call *s3_create(struct s3 *s, const char *object, const struct s3_attrs *a, s3_cb cb, void *ctx);
struct s3_call *s3_part(struct s3 *s, const char *object, const char *upload_id, int number, const struct s3_body *b,
    s3_cb cb, void *ctx);
struct s3_call *s3_parts(struct s3 *s, const char *object, const char *upload_id, s3_cb cb, void *ctx);
/* etags[n]: of parts 1 .. n */
struct s3_call *s3_complete(struct s3 *s, const char *object, const char *upload_id, const char *const *etags, int n,
    s3_cb cb, void *ctx);
struct s3_call *s3_abort(struct s3 *s, const char *object, const char *upload_id, s3_cb cb, void *ctx);
/* Multipart uploads that are open, of keys that begin with prefix. */
struct s3_call *s3_uploads(struct s3 *s, const char *prefix, s3_cb cb, void *ctx);

/* Its callback is not called any more. Sets *c NULL. */
void s3_cancel(struct s3_call **c);
/* Bytes of the body that the server has been sent in this attempt. */
int64_t s3_call_sent(const struct s3_call *c);
#endif
