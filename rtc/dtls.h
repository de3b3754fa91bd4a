/*
 * dtls.h - one DTLS 1.2 session, as the server, for the keys of SRTP (RFC 5764). Datagrams in,
 * datagrams out, no socket, no timer of its own. The peer's certificate is checked against a
 * fingerprint after the handshake; until then it may be unknown.
 */
#ifndef MILLRACE_RTC_DTLS_H
#define MILLRACE_RTC_DTLS_H

#include <stddef.h>
#include <stdint.h>

#include "rtc/cert.h"
#include "rtc/srtp.h"

struct dtls;

/* What a session is after input or a timeout. */
enum dtls_state { DTLS_SHAKING, DTLS_UP, DTLS_CLOSED, DTLS_FAILED };

/* send: one datagram of at most 1200 bytes, to be copied. NULL: no memory, logged. */
struct dtls *dtls_new(void (*send)(void *ctx, const uint8_t *p, size_t n), void *ctx);
void dtls_free(struct dtls **d);
enum dtls_state dtls_input(struct dtls *d, const uint8_t *p, size_t n);
enum dtls_state dtls_state(const struct dtls *d);
/* Milliseconds until dtls_expired is due, -1: nothing is waited for. */
int dtls_timeout_ms(struct dtls *d);
enum dtls_state dtls_expired(struct dtls *d);	/* sends the flight again */
/* In DTLS_UP only: is that the other side's certificate? */
bool dtls_peer_is(const struct dtls *d, const struct cert_print *print);
void dtls_keys(const struct dtls *d, struct srtp_keys *out);	/* in DTLS_UP only */
void dtls_close(struct dtls *d);	/* says close_notify, once */
/* What OpenSSL said of the failure; static. */
const char *dtls_error(const struct dtls *d);
#endif
