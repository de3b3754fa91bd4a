/* s3_error.h - what an answer of S3, or none, means for whoever asked. Pure. */
#ifndef MILLRACE_S3_ERROR_H
#define MILLRACE_S3_ERROR_H

#include "s3.h"

/* Of an HTTP answer: status, S3's code ("" = none was in it). body_error: 200, but with an <Error>. */
enum s3_verdict s3_error_verdict(int status, const char *code, bool body_error);
/* What a person can do about it, or NULL. */
const char *s3_error_hint(const char *code);
/* Of libcurl's result; never S3_OK for one that is an error. */
enum s3_verdict s3_error_transport(int curl_code);
#endif
