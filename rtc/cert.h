/*
 * cert.h - the process' own certificate, and fingerprints of certificates (RFC 8122 section 5).
 * Nobody vouches for a certificate here: the SDP names its hash, and that is the proof.
 */
#ifndef MILLRACE_RTC_CERT_H
#define MILLRACE_RTC_CERT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct ssl_ctx_st;	/* OpenSSL's SSL_CTX */
struct x509_st;		/* X509 */

#define CERT_DIGEST 64	/* SHA-512 */

struct cert_print {
	char hash[8];			/* "SHA256": OpenSSL's name; "" nothing known */
	uint8_t digest[CERT_DIGEST];
	size_t len;
};

/* "sha-256 AB:01:..." (also sha-384, sha-512; any case). 0, -1 EINVAL. */
int cert_print_parse(struct cert_print *out, const char *text);
bool cert_print_is(const struct cert_print *print, const struct x509_st *cert);
/* Our key and certificate into a context; made at the first call (ECDSA on P-256). 0 or -1, logged. */
int cert_use(struct ssl_ctx_st *ctx);
#endif
