/*
 * cert.c - see cert.h; also rtc_fingerprint() of peer.h. One key for all peers of a process: it is
 * made in memory at the first use and never written, so a restart has another. P-256 because every
 * browser takes it and signing with it is what a handshake costs us.
 */
#include "rtc/cert.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "be.h"
#include "log.h"
#include "rtc/peer.h"
#include "util.h"

#define VALID_SEC (20L * 365 * 86400)	/* nobody looks at it, yet a long run must not find it over */
#define EARLIER_SEC (2L * 86400)	/* clocks of others are slow */

static struct { EVP_PKEY *key; X509 *cert; char print[8 + 3 * EVP_MAX_MD_SIZE]; } own;

static int
name_it(X509 *cert)
{
	X509_NAME *name = X509_get_subject_name(cert);
	uint8_t serial[8];
	char text[2 * sizeof(serial) + 1];

	if (RAND_bytes(serial, sizeof(serial)) != 1)
		return -1;
	serial[0] &= 0x7f;
	hex_format(text, serial, sizeof(serial));
	if (X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (uint8_t *)text, -1, -1, 0) != 1 ||
	    X509_set_issuer_name(cert, name) != 1)
		return -1;
	return ASN1_INTEGER_set_uint64(X509_get_serialNumber(cert), be_get64(serial, sizeof(serial))) == 1 ? 0 : -1;
}

static X509 *
sign(EVP_PKEY *key)
{
	X509 *cert = X509_new();

	if (cert != NULL && X509_set_version(cert, X509_VERSION_3) == 1 && name_it(cert) == 0 &&
	    X509_gmtime_adj(X509_getm_notBefore(cert), -EARLIER_SEC) != NULL &&
	    X509_gmtime_adj(X509_getm_notAfter(cert), VALID_SEC) != NULL &&
	    X509_set_pubkey(cert, key) == 1 && X509_sign(cert, key, EVP_sha256()) > 0)
		return cert;
	X509_free(cert);
	return NULL;
}

static void
print(const X509 *cert)
{
	uint8_t digest[EVP_MAX_MD_SIZE];
	unsigned n = 0;
	size_t at;

	X509_digest(cert, EVP_sha256(), digest, &n);
	at = (size_t)snprintf(own.print, sizeof(own.print), "sha-256");
	for (unsigned i = 0; i < n; i++)
		at += (size_t)snprintf(own.print + at, sizeof(own.print) - at, "%c%02X", i == 0 ? ' ' : ':', digest[i]);
}

static int
make(void)
{
	if (own.cert != NULL)
		return 0;
	own.key = EVP_EC_gen("P-256");
	own.cert = own.key != NULL ? sign(own.key) : NULL;
	if (own.cert == NULL) {
		log_errorx("webrtc: OpenSSL makes no certificate: %s", ERR_reason_error_string(ERR_peek_last_error()));
		EVP_PKEY_free(own.key);
		own.key = NULL;
		return -1;
	}
	print(own.cert);
	return 0;
}

const char *
rtc_fingerprint(void)
{
	if (make() < 0)
		fatalx("webrtc: no certificate, so nobody can connect");
	return own.print;
}

int
cert_use(SSL_CTX *ctx)
{
	if (make() < 0)
		return -1;
	return SSL_CTX_use_certificate(ctx, own.cert) == 1 && SSL_CTX_use_PrivateKey(ctx, own.key) == 1 ? 0 : -1;
}

int
cert_print_parse(struct cert_print *out, const char *text)
{
	static const struct { const char *name, *hash; size_t len; } kinds[] = {
		{ "sha-256", "SHA256", 32 }, { "sha-384", "SHA384", 48 }, { "sha-512", "SHA512", 64 } };
	size_t name = strcspn(text, " "), kind = 0;

	errno = EINVAL;
	while (kind < 3 && (strlen(kinds[kind].name) != name || strncasecmp(text, kinds[kind].name, name) != 0))
		kind++;
	if (kind == 3)
		return -1;
	text += name + strspn(text + name, " ");
	if (strlen(text) != 3 * kinds[kind].len - 1)
		return -1;
	for (size_t i = 0; i < kinds[kind].len; i++, text += 3) {
		if (hex_value(text[0]) < 0 || hex_value(text[1]) < 0 || (text[2] != ':' && text[2] != '\0'))
			return -1;
		out->digest[i] = (uint8_t)(hex_value(text[0]) << 4 | hex_value(text[1]));
	}
	out->len = kinds[kind].len;
	str_copy(out->hash, kinds[kind].hash, sizeof(out->hash));
	return 0;
}

bool
cert_print_is(const struct cert_print *p, const X509 *cert)
{
	uint8_t digest[EVP_MAX_MD_SIZE];
	unsigned n = 0;

	return p->len > 0 && X509_digest(cert, EVP_get_digestbyname(p->hash), digest, &n) == 1 && n == p->len &&
	    CRYPTO_memcmp(digest, p->digest, n) == 0;
}
