/*
 * sign.h - proof for a receiver that a request is ours, and new. Pure.
 *
 *   Millrace-Signature: t=UNIX_SECONDS,v1=HEX
 *
 * HEX is HMAC-SHA256 with the hook's secret over the digits of t, a dot, and the body as it came
 * ("" for a GET, whose URL is signed instead: path and query as in the request line). A receiver
 * computes it again, compares in constant time, and refuses a t that is minutes old: each try is
 * signed anew, so a late event has a new t. The event's own id tells what came twice.
 *
 * LiveKit's receivers want a JWT (RFC 7519, HS256) in Authorization: iss the API key, nbf, exp, and
 * sha256, the body's hash in base64 (docs.livekit.io/home/server/webhooks, livekit-server-sdk's
 * WebhookReceiver).
 */
#ifndef MILLRACE_HOOKS_SIGN_H
#define MILLRACE_HOOKS_SIGN_H

#include <stddef.h>
#include <stdint.h>

#define SIGN_HEADER "Millrace-Signature"

/* "t=..,v1=..": free(). */
char *sign_header(const char *secret, int64_t now_sec, const void *body, size_t len);
/* free() */
char *sign_jwt(const char *key, const char *secret, int64_t now_sec, const void *body, size_t len);
#endif
