/*
 * dtls.c - see dtls.h; with cert.c the only file that knows OpenSSL. Called by peer.c, which has seen a
 * valid ICE check from that address before: so there is no cookie, and nobody is flooded through us.
 *
 * OpenSSL gets a BIO of our own: it reads the one datagram that has come, and every write is one
 * datagram. Timeouts begin at 100 ms (OpenSSL's 1 s is what a user sees as a slow start when a flight is
 * lost) and double. A ClientHello in several datagrams is put together by SSL_accept.
 */
#include "rtc/dtls.h"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>

#include "log.h"
#include "util.h"

#define MTU 1200
#define UDP_AND_IP 48
#define FIRST_TIMEOUT_US 100000
#define TIMEOUT_MAX_US 1600000
#define RECORD_MAX 2048		/* of the other side's data, which nobody wants */
#define SUITES "SRTP_AEAD_AES_128_GCM:SRTP_AES128_CM_SHA1_80"
#define CIPHERS "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384:" \
	"ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-ECDSA-AES128-SHA256:ECDHE-ECDSA-AES128-SHA"
#define LABEL "EXTRACTOR-dtls_srtp"
#define KEY 16

struct dtls {
	SSL *ssl;
	void (*send)(void *ctx, const uint8_t *p, size_t n);
	void *ctx;
	const uint8_t *in;	/* the datagram that is being read */
	size_t in_len;
	enum dtls_state state;
	const char *error;
};

static int
bio_write(BIO *bio, const char *p, int n)
{
	struct dtls *d = BIO_get_data(bio);

	d->send(d->ctx, (const uint8_t *)p, (size_t)n);
	return n;
}

static int
bio_read(BIO *bio, char *p, int size)
{
	struct dtls *d = BIO_get_data(bio);
	size_t n = d->in_len < (size_t)size ? d->in_len : (size_t)size;

	BIO_clear_retry_flags(bio);
	if (d->in_len == 0) {
		BIO_set_retry_read(bio);
		return -1;
	}
	memcpy(p, d->in, n);
	d->in_len = 0;		/* as with a socket, a datagram is read once */
	return (int)n;
}

static long
bio_ctrl(BIO *bio, int cmd, long larg, void *parg)
{
	switch (cmd) {
	case BIO_CTRL_FLUSH:
		return 1;
	case BIO_CTRL_DGRAM_QUERY_MTU:
	case BIO_CTRL_DGRAM_GET_FALLBACK_MTU:
		return MTU;
	case BIO_CTRL_DGRAM_GET_MTU_OVERHEAD:
		return UDP_AND_IP;
	}
	return 0;
}

static BIO_METHOD *
bio_method(void)
{
	static BIO_METHOD *method;

	if (method == NULL && (method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "peer")) != NULL) {
		BIO_meth_set_write(method, bio_write);
		BIO_meth_set_read(method, bio_read);
		BIO_meth_set_ctrl(method, bio_ctrl);
	}
	return method;
}

/* Any certificate will do here: dtls_peer_is compares it. */
static int
any_certificate(X509_STORE_CTX *store, void *arg)
{
	return 1;
}

static unsigned
timer_us(SSL *ssl, unsigned last_us)
{
	return last_us == 0 ? FIRST_TIMEOUT_US : last_us < TIMEOUT_MAX_US ? 2 * last_us : TIMEOUT_MAX_US;
}

static SSL_CTX *
make_context(void)
{
	SSL_CTX *ctx = SSL_CTX_new(DTLS_server_method());

	if (ctx == NULL)
		return NULL;
	SSL_CTX_set_options(ctx, SSL_OP_NO_TICKET | SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION |
	    SSL_OP_NO_QUERY_MTU | SSL_OP_CIPHER_SERVER_PREFERENCE);
	SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
	SSL_CTX_set_cert_verify_callback(ctx, any_certificate, NULL);
	SSL_CTX_set_read_ahead(ctx, 1);
	SSL_CTX_set_max_send_fragment(ctx, MTU);	/* a write buffer of this size, not of 16 KiB */
	/* set_tlsext_use_srtp says 0 when it is well */
	if (SSL_CTX_set_min_proto_version(ctx, DTLS1_2_VERSION) == 1 &&
	    SSL_CTX_set_max_proto_version(ctx, DTLS1_2_VERSION) == 1 && SSL_CTX_set_cipher_list(ctx, CIPHERS) == 1 &&
	    SSL_CTX_set_tlsext_use_srtp(ctx, SUITES) == 0 && cert_use(ctx) == 0)
		return ctx;
	SSL_CTX_free(ctx);
	return NULL;
}

static SSL_CTX *
context(void)
{
	static SSL_CTX *ctx;

	if (ctx == NULL && (ctx = make_context()) == NULL)
		log_errorx("webrtc: OpenSSL makes no DTLS context: %s", ERR_reason_error_string(ERR_peek_last_error()));
	return ctx;
}

struct dtls *
dtls_new(void (*send)(void *ctx, const uint8_t *p, size_t n), void *ctx)
{
	SSL_CTX *sctx = context();
	struct dtls *d;
	BIO *bio;

	if (sctx == NULL || bio_method() == NULL)
		return NULL;
	d = xcalloc(1, sizeof(*d));
	d->send = send;
	d->ctx = ctx;
	d->ssl = SSL_new(sctx);
	bio = d->ssl != NULL ? BIO_new(bio_method()) : NULL;
	if (bio == NULL) {
		log_errorx("webrtc: OpenSSL makes no DTLS session: out of memory");
		dtls_free(&d);
		return NULL;
	}
	BIO_set_data(bio, d);
	BIO_set_init(bio, 1);
	SSL_set_bio(d->ssl, bio, bio);
	SSL_set_mtu(d->ssl, MTU);
	DTLS_set_timer_cb(d->ssl, timer_us);
	SSL_set_accept_state(d->ssl);
	return d;
}

void
dtls_free(struct dtls **dp)
{
	struct dtls *d = *dp;

	*dp = NULL;
	if (d == NULL)
		return;
	SSL_free(d->ssl);
	free(d);
}

/* What rc of an SSL call means; the queue of errors is a thread's, not a session's, so it is emptied. */
static enum dtls_state
judge(struct dtls *d, int rc)
{
	int what = SSL_get_error(d->ssl, rc);
	unsigned long error = ERR_peek_last_error();

	ERR_clear_error();
	if (what == SSL_ERROR_WANT_READ || what == SSL_ERROR_WANT_WRITE || what == SSL_ERROR_NONE)
		return d->state;
	if (what == SSL_ERROR_ZERO_RETURN)
		return d->state = DTLS_CLOSED;
	d->error = error != 0 ? ERR_reason_error_string(error) : NULL;
	return d->state = d->state == DTLS_UP ? DTLS_CLOSED : DTLS_FAILED;
}

/* SRTP is what a session is for: one without it is of no use. */
static enum dtls_state
established(struct dtls *d)
{
	if (SSL_get_selected_srtp_profile(d->ssl) != NULL)
		return d->state = DTLS_UP;
	d->error = "no SRTP profile in common";
	return d->state = DTLS_FAILED;
}

enum dtls_state
dtls_input(struct dtls *d, const uint8_t *p, size_t n)
{
	uint8_t data[RECORD_MAX];
	int rc = 1;

	if (d->state == DTLS_CLOSED || d->state == DTLS_FAILED)
		return d->state;
	d->in = p;
	d->in_len = n;
	if (d->state == DTLS_SHAKING) {
		rc = SSL_do_handshake(d->ssl);
		if (rc == 1)
			established(d);
		else
			judge(d, rc);
	}
	/* Also lets OpenSSL repeat its last flight for a client that has lost it. */
	while (d->state == DTLS_UP && rc > 0)
		if ((rc = SSL_read(d->ssl, data, sizeof(data))) <= 0)
			judge(d, rc);
	d->in_len = 0;
	if (d->state == DTLS_UP)
		SSL_free_buffers(d->ssl);	/* 18 KiB that the rest of a session hardly needs */
	return d->state;
}

enum dtls_state
dtls_state(const struct dtls *d)
{
	return d->state;
}

int
dtls_timeout_ms(struct dtls *d)
{
	struct timeval tv;

	if (d->state != DTLS_SHAKING || DTLSv1_get_timeout(d->ssl, &tv) != 1)
		return -1;
	return (int)(tv.tv_sec * 1000 + (tv.tv_usec + 999) / 1000);
}

enum dtls_state
dtls_expired(struct dtls *d)
{
	int rc = d->state == DTLS_SHAKING ? DTLSv1_handle_timeout(d->ssl) : 0;

	return rc < 0 ? judge(d, rc) : d->state;
}

bool
dtls_peer_is(const struct dtls *d, const struct cert_print *print)
{
	X509 *cert = SSL_get1_peer_certificate(d->ssl);
	bool is = cert != NULL && cert_print_is(print, cert);

	X509_free(cert);
	return is;
}

void
dtls_keys(const struct dtls *d, struct srtp_keys *out)
{
	uint8_t raw[2 * SRTP_KEY] = { 0 };
	size_t salt;

	out->suite = (enum srtp_suite)SSL_get_selected_srtp_profile(d->ssl)->id;
	salt = out->suite == SRTP_GCM_128 ? 12 : 14;
	memset(out->ours, 0, SRTP_KEY);
	memset(out->theirs, 0, SRTP_KEY);
	if (SSL_export_keying_material(d->ssl, raw, 2 * (KEY + salt), LABEL, strlen(LABEL), NULL, 0, 0) != 1)
		fatalx("webrtc: OpenSSL exports no keys of a finished handshake");
	/* RFC 5764 section 4.2: the client's key, the server's, the client's salt, the server's */
	memcpy(out->theirs, raw, KEY);
	memcpy(out->ours, raw + KEY, KEY);
	memcpy(out->theirs + KEY, raw + 2 * KEY, salt);
	memcpy(out->ours + KEY, raw + 2 * KEY + salt, salt);
	OPENSSL_cleanse(raw, sizeof(raw));
}

void
dtls_close(struct dtls *d)
{
	uint8_t none;

	if (d->state == DTLS_UP) {
		SSL_peek(d->ssl, &none, 0);	/* nothing has come: it only makes the buffers again */
		SSL_shutdown(d->ssl);
	}
	ERR_clear_error();
	d->state = DTLS_CLOSED;
}

const char *
dtls_error(const struct dtls *d)
{
	return d->error != NULL ? d->error : "no reason given";
}
