/* rtc_client.c - see rtc_client.h. */
#include "t/lib/rtc_client.h"

#include <err.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/rand.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <srtp2/srtp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "be.h"
#include "net.h"
#include "rtc/demux.h"
#include "rtc/frame.h"
#include "rtc/srtp.h"
#include "rtc/stun.h"
#include "util.h"

#define CHECK_FAST_MS 50	/* until connected */
#define CHECK_MS 1000

struct rtc_client {
	struct rtc_client_conf conf;
	struct net_addr server;
	char ufrag[64], pwd[128], fingerprint[256];
	int fd;
	struct frame frame;
	SSL *ssl;
	BIO *in;
	unsigned out_n, in_n;		/* DTLS datagrams */
	bool started;
	int64_t check_at_ms;
	uint8_t check_id[STUN_ID];
	srtp_t sealer, opener;
	struct rtc_client_stats stats;
};

/* --- what all clients share --- */

static SSL_CTX *ctx;
static char own_print[256];

static unsigned
timer_us(SSL *ssl, unsigned last_us)
{
	return last_us == 0 ? 50000 : last_us < 400000 ? 2 * last_us : 400000;
}

static int
any_certificate(X509_STORE_CTX *store, void *arg)
{
	return 1;
}

static void
print_of(X509 *cert, char *out, size_t size)
{
	uint8_t digest[EVP_MAX_MD_SIZE];
	unsigned n = 0;
	size_t at = (size_t)snprintf(out, size, "sha-256");

	X509_digest(cert, EVP_sha256(), digest, &n);
	for (unsigned i = 0; i < n; i++)
		at += (size_t)snprintf(out + at, size - at, "%c%02X", i == 0 ? ' ' : ':', digest[i]);
}

static void
setup(void)
{
	EVP_PKEY *key = EVP_EC_gen("P-256");
	X509 *cert = X509_new();

	X509_set_version(cert, X509_VERSION_3);
	ASN1_INTEGER_set(X509_get_serialNumber(cert), 7);
	X509_gmtime_adj(X509_getm_notBefore(cert), -3600);
	X509_gmtime_adj(X509_getm_notAfter(cert), 86400);
	X509_NAME_add_entry_by_txt(X509_get_subject_name(cert), "CN", MBSTRING_ASC, (uint8_t *)"client", -1, -1, 0);
	X509_set_issuer_name(cert, X509_get_subject_name(cert));
	X509_set_pubkey(cert, key);
	if (X509_sign(cert, key, EVP_sha256()) == 0 || rtc_srtp_library() < 0)
		errx(2, "rtc_client: no certificate or no libsrtp2");
	print_of(cert, own_print, sizeof(own_print));
	ctx = SSL_CTX_new(DTLS_client_method());
	SSL_CTX_use_certificate(ctx, cert);
	SSL_CTX_use_PrivateKey(ctx, key);
	SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, NULL);
	SSL_CTX_set_cert_verify_callback(ctx, any_certificate, NULL);
	SSL_CTX_set_options(ctx, SSL_OP_NO_QUERY_MTU);
	X509_free(cert);
	EVP_PKEY_free(key);
}

const char *
rtc_client_fingerprint(void)
{
	if (ctx == NULL)
		setup();
	return own_print;
}

/* --- packets out --- */

void
rtc_client_raw(struct rtc_client *c, const uint8_t *p, size_t n)
{
	uint8_t all[FRAME_HEAD + FRAME_MAX];
	size_t step, at = 0;
	ssize_t sent;

	if (!c->conf.tcp) {
		send(c->fd, p, n, MSG_NOSIGNAL);
		return;
	}
	be_put(all, FRAME_HEAD, n);
	memcpy(all + FRAME_HEAD, p, n);
	for (n += FRAME_HEAD; at < n; at += sent > 0 ? (size_t)sent : 0) {
		step = c->conf.tcp_bytes != 0 && c->conf.tcp_bytes < n - at ? c->conf.tcp_bytes : n - at;
		sent = send(c->fd, all + at, step, MSG_NOSIGNAL);
		if (sent < 0 && errno != EAGAIN)
			return;
		if (sent < 0)
			poll(&(struct pollfd){ c->fd, POLLOUT, 0 }, 1, 100);
	}
}

size_t
rtc_client_check(struct rtc_client *c, bool use_candidate, uint8_t *out, size_t size)
{
	char user[sizeof(c->ufrag) + sizeof(RTC_CLIENT_UFRAG) + 1];
	uint8_t value[8];
	struct stun_out o;
	size_t n;

	RAND_bytes(c->check_id, STUN_ID);
	stun_begin(&o, STUN_REQUEST, c->check_id);
	snprintf(user, sizeof(user), "%s:%s", c->ufrag, RTC_CLIENT_UFRAG);
	stun_add(&o, STUN_USERNAME, user, strlen(user));
	be_put(value, 4, 0x6e7f1eff);
	stun_add(&o, STUN_PRIORITY, value, 4);
	be_put(value, 8, 0x1122334455667788);
	stun_add(&o, STUN_CONTROLLING, value, 8);
	if (use_candidate)
		stun_add(&o, STUN_USE_CANDIDATE, NULL, 0);
	n = stun_end(&o, c->pwd);
	if (n == 0 || n > size)
		errx(2, "rtc_client: a check does not fit");
	memcpy(out, o.p, n);
	return n;
}

static void
send_check(struct rtc_client *c)
{
	uint8_t p[STUN_MAX];

	rtc_client_raw(c, p, rtc_client_check(c, true, p, sizeof(p)));
}

static int
bio_write(BIO *bio, const char *p, int n)
{
	struct rtc_client *c = BIO_get_data(bio);
	unsigned i = c->out_n++;

	if (i >= 32 || (c->conf.lose_out >> i & 1) == 0)
		rtc_client_raw(c, (const uint8_t *)p, (size_t)n);
	return n;
}

static long
bio_ctrl(BIO *bio, int cmd, long larg, void *parg)
{
	return cmd == BIO_CTRL_FLUSH;
}

/* --- DTLS and SRTP --- */

static void
start_dtls(struct rtc_client *c)
{
	static BIO_METHOD *method;
	BIO *out;

	if (method == NULL) {
		method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "client");
		BIO_meth_set_write(method, bio_write);
		BIO_meth_set_ctrl(method, bio_ctrl);
	}
	c->ssl = SSL_new(ctx);
	SSL_set_tlsext_use_srtp(c->ssl, c->conf.suites);
	c->in = BIO_new(BIO_s_mem());
	BIO_set_mem_eof_return(c->in, -1);
	out = BIO_new(method);
	BIO_set_data(out, c);
	BIO_set_init(out, 1);
	SSL_set_bio(c->ssl, c->in, out);
	SSL_set_mtu(c->ssl, c->conf.mtu);
	DTLS_set_timer_cb(c->ssl, timer_us);
	SSL_set_connect_state(c->ssl);
	c->started = true;
}

static void
make_side(srtp_t *out, bool gcm, const uint8_t *key, const uint8_t *salt, srtp_ssrc_type_t type)
{
	uint8_t both[64] = { 0 };
	srtp_policy_t policy;

	memset(&policy, 0, sizeof(policy));
	memcpy(both, key, 16);
	memcpy(both + 16, salt, gcm ? 12 : 14);
	if (gcm) {
		srtp_crypto_policy_set_aes_gcm_128_16_auth(&policy.rtp);
		srtp_crypto_policy_set_aes_gcm_128_16_auth(&policy.rtcp);
	} else {
		srtp_crypto_policy_set_rtp_default(&policy.rtp);
		srtp_crypto_policy_set_rtcp_default(&policy.rtcp);
	}
	policy.ssrc.type = type;
	policy.key = both;
	policy.window_size = 2048;
	if (srtp_create(out, &policy) != srtp_err_status_ok)
		errx(2, "rtc_client: libsrtp2 makes no session");
}

static bool
server_is_right(struct rtc_client *c)
{
	X509 *cert = SSL_get1_peer_certificate(c->ssl);
	char print[256] = "";

	if (cert != NULL)
		print_of(cert, print, sizeof(print));
	X509_free(cert);
	return c->fingerprint[0] == '\0' || strcmp(print, c->fingerprint) == 0;
}

static void
connected(struct rtc_client *c)
{
	const SRTP_PROTECTION_PROFILE *profile = SSL_get_selected_srtp_profile(c->ssl);
	bool gcm = profile != NULL && profile->id == SRTP_AEAD_AES_128_GCM;
	uint8_t keys[60];
	size_t salt = gcm ? 12 : 14;

	c->stats.failed = profile == NULL || !server_is_right(c);
	if (c->stats.failed)
		return;
	str_copy(c->stats.suite, profile->name, sizeof(c->stats.suite));
	SSL_export_keying_material(c->ssl, keys, 32 + 2 * salt, "EXTRACTOR-dtls_srtp", 19, NULL, 0, 0);
	make_side(&c->sealer, gcm, keys, keys + 32, ssrc_any_outbound);
	make_side(&c->opener, gcm, keys + 16, keys + 32 + salt, ssrc_any_inbound);
	c->stats.connected = true;
	c->stats.connected_ms = now_ms();
}

static void
drive(struct rtc_client *c)
{
	char data[2048];
	int rc, what;

	if (!c->stats.connected) {
		rc = SSL_do_handshake(c->ssl);
		if (rc == 1)
			connected(c);
	} else
		rc = SSL_read(c->ssl, data, sizeof(data));
	what = SSL_get_error(c->ssl, rc);
	if (what == SSL_ERROR_ZERO_RETURN)
		c->stats.closed = true;
	else if (rc <= 0 && what != SSL_ERROR_WANT_READ && what != SSL_ERROR_WANT_WRITE)
		c->stats.failed = true;
	ERR_clear_error();
}

static void
dtls_input(struct rtc_client *c, const uint8_t *p, size_t n)
{
	unsigned i = c->in_n++;

	if (c->ssl == NULL || c->stats.failed || (i < 32 && (c->conf.lose_in >> i & 1) != 0))
		return;
	BIO_write(c->in, p, (int)n);
	drive(c);
	if (c->stats.connected && BIO_pending(c->in) > 0)
		drive(c);
}

/* --- packets in --- */

static void
stun_input(struct rtc_client *c, const uint8_t *p, size_t n)
{
	struct stun_out o;
	struct stun s;

	if (stun_parse(&s, p, n) == 0 && s.type == STUN_REQUEST && stun_verify(&s, p, RTC_CLIENT_PWD)) {
		rtc_client_raw(c, o.p, stun_success(&o, &s, (struct sockaddr *)&c->server.ss, RTC_CLIENT_PWD));
		return;
	}
	if (stun_parse(&s, p, n) < 0 || !stun_verify(&s, p, c->pwd)) {
		c->stats.bad++;
		return;
	}
	if (memcmp(s.id, c->check_id, STUN_ID) != 0) {
		c->stats.late_answers++;
		return;
	}
	if (s.type == STUN_ERROR) {
		c->stats.errors++;
		c->stats.error_code = s.error;
		return;
	}
	c->stats.answers++;
	c->stats.checked = true;
	net_format((struct sockaddr *)&s.mapped, c->stats.mapped);
	if (!c->started && !c->conf.silent_dtls) {
		start_dtls(c);
		drive(c);
	}
}

static void
count(struct rtc_client *c, const uint8_t *p)
{
	uint32_t ssrc = be_get(p + 8, 4);
	uint16_t seq = (uint16_t)be_get(p + 2, 2), ahead;
	struct rtc_client_source *s;

	if (c->stats.first_ms == 0)
		c->stats.first_ms = now_ms();
	for (int i = 0; i < RTC_CLIENT_SSRCS; i++) {
		s = &c->stats.source[i];
		if (s->packets == 0)
			*s = (struct rtc_client_source){ .ssrc = ssrc, .next = seq };
		if (s->ssrc != ssrc)
			continue;
		s->packets++;
		ahead = (uint16_t)(seq - s->next);
		if (ahead < 0x8000) {
			s->lost += ahead;
			s->next = (uint16_t)(seq + 1);
		} else
			s->late++;
		return;
	}
}

static void
media_input(struct rtc_client *c, bool rtcp, uint8_t *p, size_t n)
{
	int len = (int)n;

	if (!c->stats.connected)
		return;
	if (c->conf.media != NULL && (rtcp ? srtp_unprotect_rtcp(c->opener, p, &len) : srtp_unprotect(c->opener, p, &len))
	    != srtp_err_status_ok) {
		c->stats.bad++;
		return;
	}
	c->stats.bytes += n;
	if (rtcp)
		c->stats.rtcp++;
	else {
		c->stats.rtp++;
		count(c, p);
	}
	if (c->conf.media != NULL)
		c->conf.media(c->conf.ctx, rtcp, p, (size_t)len);
}

static bool
input(void *arg, uint8_t *p, size_t n)
{
	enum demux what = demux(p, n);

	if (what == DEMUX_STUN)
		stun_input(arg, p, n);
	else if (what == DEMUX_DTLS)
		dtls_input(arg, p, n);
	else if (what != DEMUX_NOTHING)
		media_input(arg, what == DEMUX_RTCP, p, n);
	return true;
}

static void
read_all(struct rtc_client *c)
{
	_Alignas(8) uint8_t p[FRAME_MAX];
	ssize_t n;

	while ((n = recv(c->fd, p, sizeof(p), MSG_DONTWAIT)) > 0) {
		if (!c->conf.tcp)
			input(c, p, (size_t)n);
		else if (frame_feed(&c->frame, p, (size_t)n, input, c) < 0)
			c->stats.failed = true;
	}
	if (n == 0 && c->conf.tcp)
		c->stats.closed = true;
}

void
rtc_client_step(struct rtc_client *c)
{
	int64_t now = now_ms();

	read_all(c);
	if (c->ssl != NULL && !c->stats.connected && !c->stats.failed && DTLSv1_handle_timeout(c->ssl) < 0)
		c->stats.failed = true;
	if (c->conf.check_ms < 0 && c->stats.connected)
		return;
	if (now >= c->check_at_ms) {
		c->check_at_ms = now + (c->stats.connected ? c->conf.check_ms : CHECK_FAST_MS);
		send_check(c);
	}
}

/* --- what a test does --- */

void
rtc_client_send(struct rtc_client *c, bool rtcp, const uint8_t *p, size_t n)
{
	_Alignas(8) uint8_t copy[FRAME_MAX];
	int len = (int)n;

	memcpy(copy, p, n);
	if ((rtcp ? srtp_protect_rtcp(c->sealer, copy, &len) : srtp_protect(c->sealer, copy, &len)) != srtp_err_status_ok)
		errx(2, "rtc_client: libsrtp2 does not encrypt");
	rtc_client_raw(c, copy, (size_t)len);
}

static int
open_socket(struct rtc_client *c)
{
	int bytes = 1 << 20, on = 1;

	c->fd = socket(c->server.ss.ss_family, (c->conf.tcp ? SOCK_STREAM : SOCK_DGRAM) | SOCK_CLOEXEC, 0);
	if (c->fd < 0 || connect(c->fd, (struct sockaddr *)&c->server.ss, c->server.len) == -1)
		return -1;
	if (c->conf.tcp)
		setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	setsockopt(c->fd, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof(bytes));
	return fd_cloexec_nonblock(c->fd);
}

void
rtc_client_move(struct rtc_client *c)
{
	close(c->fd);
	if (open_socket(c) < 0)
		err(2, "rtc_client: %s", c->conf.server);
	c->check_at_ms = 0;
}

void
rtc_client_restart(struct rtc_client *c, const char *ufrag, const char *pwd)
{
	str_copy(c->ufrag, ufrag, sizeof(c->ufrag));
	str_copy(c->pwd, pwd, sizeof(c->pwd));
	c->check_at_ms = 0;
}

void
rtc_client_checks(struct rtc_client *c, int check_ms)
{
	c->conf.check_ms = check_ms;
	c->check_at_ms = 0;
}

void
rtc_client_close(struct rtc_client *c)
{
	if (c->stats.connected)
		SSL_shutdown(c->ssl);
}

int
rtc_client_fd(const struct rtc_client *c)
{
	return c->fd;
}

const struct rtc_client_stats *
rtc_client_stats(const struct rtc_client *c)
{
	return &c->stats;
}

struct rtc_client *
rtc_client_new(const struct rtc_client_conf *conf)
{
	struct rtc_client *c = xcalloc(1, sizeof(*c));

	rtc_client_fingerprint();
	c->conf = *conf;
	c->fd = -1;
	str_copy(c->ufrag, conf->ufrag, sizeof(c->ufrag));
	str_copy(c->pwd, conf->pwd, sizeof(c->pwd));
	str_copy(c->fingerprint, conf->fingerprint != NULL ? conf->fingerprint : "", sizeof(c->fingerprint));
	if (conf->suites == NULL)
		c->conf.suites = "SRTP_AEAD_AES_128_GCM:SRTP_AES128_CM_SHA1_80";
	c->conf.mtu = conf->mtu != 0 ? conf->mtu : 1200;
	c->conf.check_ms = conf->check_ms != 0 ? conf->check_ms : CHECK_MS;
	c->stats.started_ms = now_ms();
	if (net_parse(conf->server, &c->server) < 0 || open_socket(c) < 0)
		rtc_client_free(&c);
	return c;
}

void
rtc_client_free(struct rtc_client **cp)
{
	struct rtc_client *c = *cp;
	int saved = errno;

	*cp = NULL;
	if (c == NULL)
		return;
	if (c->fd >= 0)
		close(c->fd);
	SSL_free(c->ssl);
	if (c->sealer != NULL)
		srtp_dealloc(c->sealer);
	if (c->opener != NULL)
		srtp_dealloc(c->opener);
	free(c);
	errno = saved;
}
