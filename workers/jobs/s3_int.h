/* s3_int.h - between s3.c (the client and its loop), s3_call.c (one request) and s3_ops.c (which requests) only. */
#ifndef MILLRACE_S3_INT_H
#define MILLRACE_S3_INT_H

#include <curl/curl.h>
#include <event2/event.h>
#include <nettle/sha2.h>
#include <sys/queue.h>

#include "board.h"
#include "s3.h"
#include "s3_rate.h"
#include "workers/common/multi.h"

#define S3_ANSWER_MAX ((size_t)4 << 20)	/* bytes of an answer's body */
#define S3_SLICE ((size_t)1 << 20)	/* hashed per turn of the loop */
#define S3_QUERY_MAX 6
#define S3_CALLS_MAX 64			/* at once; the others wait for their turn, in their order */

struct s3 {
	struct event_base *base;
	struct multi multi;		/* libcurl's */
	struct event *refill;		/* calls that wait for bandwidth go on */
	LIST_HEAD(, s3_call) calls;
	TAILQ_HEAD(, s3_call) waiting;	/* for one of the ncalls that are under way to end */
	int ncalls;
	char *scheme, *host, *root;	/* of every URL: SCHEME://HOST ROOT /KEY; root is "" or "/..." */
	char *endpoint, *region, *bucket, *access_key, *secret_key, *session_token, *ca_file;
	int64_t connect_timeout_ms, timeout_ms;
	struct s3_rate rate;
	struct board_s3 *figures, own_figures;
	uint8_t *slice;
};

struct s3_call {
	LIST_ENTRY(s3_call) entry;
	TAILQ_ENTRY(s3_call) turn_of;	/* in waiting, unless begun */
	bool begun;
	struct s3 *s;
	const char *method;
	char *object;			/* NULL: the bucket itself */
	struct s3_pair query[S3_QUERY_MAX];	/* values are ours */
	size_t nquery;
	char *content_type, *sha256, *token, *text;
	struct s3_body body;
	bool has_body;

	struct event *turn;		/* hashing, then sending */
	struct sha256_ctx hash;
	int64_t hashed, at;		/* of the body */
	int64_t begun_ms;		/* the attempt */
	char payload[S3_SHA256_HEX];
	CURL *easy;
	struct curl_slist *headers;
	bool paused, too_long;
	bool once;			/* twice would do harm */

	char *in;
	size_t in_len;
	char why[CURL_ERROR_SIZE], message[256];
	int64_t server_sec;		/* its Date, 0 = none */
	bool body_error;
	/* Of an answer's element; s3_ops.c knows which mean something. */
	void (*element)(struct s3_call *c, const char *path, const char *text);
	/* After a page: true if the query was changed to ask for the next. */
	bool (*more)(struct s3_call *c);
	bool truncated;
	char *next[2];			/* markers of the next page */
	struct s3_listed_part part;	/* being read */
	struct s3_listed_upload upload;
	struct s3_result result;
	s3_cb cb;
	void *ctx;
};

/* s3_call.c */
struct s3_call *s3_call_new(struct s3 *s, const char *method, const char *object, s3_cb cb, void *ctx);
/* name is static, value is copied; a name that is there already gets the new value. */
void s3_call_query(struct s3_call *c, const char *name, const char *value);
void s3_call_attrs(struct s3_call *c, const struct s3_attrs *a);
struct s3_call *s3_call_begin(struct s3_call *c);
/* libcurl is done with it. */
void s3_call_ended(struct s3_call *c, CURLcode rc);

/* s3_request.c: the easy handle of one attempt. 0, or -1 */
int s3_request_start(struct s3_call *c);
void s3_request_end(struct s3_call *c);
#endif
