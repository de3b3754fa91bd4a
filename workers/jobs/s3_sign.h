/*
 * s3_sign.h - AWS Signature Version 4 (docs.aws.amazon.com, "Signature Version 4 signing
 * process", S3's rules: the path is encoded once and never normalised). Pure: no clock, no socket.
 */
#ifndef MILLRACE_S3_SIGN_H
#define MILLRACE_S3_SIGN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define S3_UNSIGNED "UNSIGNED-PAYLOAD"
#define S3_SHA256_HEX 65		/* with its NUL */
#define S3_DATE 17			/* "20130524T000000Z" and its NUL */
#define S3_PAIRS_MAX 32			/* headers, or query parameters, of one request */

struct s3_pair {
	const char *name, *value;
};

struct s3_sign {
	const char *method, *host;
	const char *path;			/* as the key is written, not encoded: "/bucket/a b" */
	const struct s3_pair *query, *headers;	/* any order and case; host is signed besides */
	size_t nquery, nheaders;
	const char *payload;			/* hex of the body's SHA-256, or S3_UNSIGNED */
	const char *date;			/* s3_date(); the caller also sends it as x-amz-date */
	const char *region, *service, *access_key, *secret_key;
};

/* Each is the caller's to free(). */
char *s3_canonical(const struct s3_sign *r);
char *s3_authorization(const struct s3_sign *r);	/* the value of Authorization */
/* Every byte but A-Z a-z 0-9 - _ . ~ as %XX, upper-case; '/' stays if slashes. */
char *s3_uri_encode(const char *s, bool slashes);
/* Encoded and sorted by name, then value: what is signed and what is sent. "" without any. */
char *s3_query(const struct s3_pair *query, size_t n);

void s3_date(int64_t epoch_sec, char out[S3_DATE]);
void s3_sha256_hex(const void *data, size_t len, char out[S3_SHA256_HEX]);
#endif
