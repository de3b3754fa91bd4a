/* http_status.h - an HTTP status in words (RFC 9110 section 15, RFC 4918, RFC 6585, tus). Pure. */
#ifndef MILLRACE_HTTP_STATUS_H
#define MILLRACE_HTTP_STATUS_H

const char *http_status_text(int status);	/* "Unknown" of one that we never send */
#endif
