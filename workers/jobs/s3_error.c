/*
 * s3_error.c - the one table of S3's error codes: retry, refused, gone or fatal, and what a person
 * can do. Servers differ in their codes, so what the table does not know goes by its HTTP status.
 * Called by s3_call.c. Pure.
 */
#include <curl/curl.h>
#include <string.h>

#include "s3_error.h"

#define CHECK_BUCKET "check storage.s3.bucket, or the bucket in `to` of the watched folder"
#define CHECK_KEYS "check storage.s3.access_key and secret_key"

static const struct {
	const char *code;
	enum s3_verdict verdict;
	const char *hint;
} codes[] = {
	{ "AccessDenied", S3_REFUSED, "wrong keys, or they may not do this in this bucket" },
	{ "AccountProblem", S3_REFUSED, NULL },
	{ "AllAccessDisabled", S3_REFUSED, NULL },
	{ "AuthorizationHeaderMalformed", S3_REFUSED, "check storage.s3.region" },
	{ "BadDigest", S3_RETRY, NULL },
	{ "ExpiredToken", S3_REFUSED, "storage.s3.session_token has expired" },
	{ "IncompleteBody", S3_RETRY, NULL },
	{ "InternalError", S3_RETRY, NULL },
	{ "InvalidAccessKeyId", S3_REFUSED, "check storage.s3.access_key" },
	{ "InvalidBucketName", S3_REFUSED, CHECK_BUCKET },
	{ "InvalidPart", S3_GONE, NULL },
	{ "InvalidToken", S3_REFUSED, "check storage.s3.session_token" },
	{ "NoSuchBucket", S3_REFUSED, CHECK_BUCKET },
	{ "NoSuchKey", S3_GONE, NULL },
	{ "NoSuchUpload", S3_GONE, NULL },
	{ "OperationAborted", S3_RETRY, NULL },
	{ "PermanentRedirect", S3_REFUSED, "check storage.s3.endpoint and region" },
	{ "QuotaExceeded", S3_REFUSED, "the bucket is full" },
	{ "RequestTimeTooSkewed", S3_REFUSED, "set this machine's clock" },
	{ "RequestTimeout", S3_RETRY, NULL },
	{ "ServiceUnavailable", S3_RETRY, NULL },
	{ "SignatureDoesNotMatch", S3_REFUSED, CHECK_KEYS },
	{ "SlowDown", S3_RETRY, NULL },
	{ "TemporaryRedirect", S3_REFUSED, "check storage.s3.endpoint and region" },
	{ "XAmzContentSHA256Mismatch", S3_RETRY, NULL },
};

static int
find(const char *code)
{
	for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++)
		if (strcmp(codes[i].code, code) == 0)
			return (int)i;
	return -1;
}

const char *
s3_error_hint(const char *code)
{
	int i = find(code);

	return i < 0 ? NULL : codes[i].hint;
}

enum s3_verdict
s3_error_verdict(int status, const char *code, bool body_error)
{
	int i = find(code);

	if (i >= 0)
		return codes[i].verdict;
	if (body_error)
		return S3_RETRY;
	if (status >= 200 && status < 300)
		return S3_OK;
	if (status == 501 || status == 505)
		return S3_FATAL;
	if (status >= 500 || status == 429 || status == 408 || status == 409)
		return S3_RETRY;
	if (status == 401 || status == 403 || (status >= 300 && status < 400))
		return S3_REFUSED;
	return status == 404 ? S3_GONE : S3_FATAL;
}

enum s3_verdict
s3_error_transport(int curl_code)
{
	switch (curl_code) {
	case CURLE_OK:
		return S3_OK;
	case CURLE_ABORTED_BY_CALLBACK:
	case CURLE_READ_ERROR:
		return S3_CHANGED;
	case CURLE_PEER_FAILED_VERIFICATION:
	case CURLE_SSL_CACERT_BADFILE:
	case CURLE_SSL_CERTPROBLEM:
	case CURLE_UNSUPPORTED_PROTOCOL:
	case CURLE_URL_MALFORMAT:
		return S3_REFUSED;
	case CURLE_WRITE_ERROR:
	case CURLE_FILESIZE_EXCEEDED:
		return S3_FATAL;
	default:
		return S3_RETRY;
	}
}
