/*
 * srtp.c - see srtp.h; the only file that knows libsrtp2. Called by peer.c for every packet of media.
 *
 * The library makes a stream for each SSRC it meets. Ours are few by construction; the other side's
 * are counted here, and one too many is refused before anything is computed. Replay windows: what we
 * send may be as old as the retransmission ring gives it (a wrap of the sequence number in between
 * included), what comes in only as late as a network makes it.
 */
#include "rtc/srtp.h"

#include <srtp2/srtp.h>
#include <stdlib.h>
#include <string.h>

#include "be.h"
#include "log.h"
#include "util.h"

#define WINDOW_OUT 4096
#define WINDOW_IN 1024
#define RTP_SSRC_AT 8
#define RTCP_SSRC_AT 4

struct rtc_srtp {
	srtp_t out, in;
	uint32_t ssrc[SRTP_SSRC_MAX];	/* of the other side, each seen with a right tag */
	unsigned nssrc;
};

const char *
srtp_suite_name(enum srtp_suite suite)
{
	return suite == SRTP_GCM_128 ? "AEAD_AES_128_GCM" : suite == SRTP_CM_SHA1_80 ? "AES128_CM_SHA1_80" : "";
}

static int
side(srtp_t *out, enum srtp_suite suite, const uint8_t *key, srtp_ssrc_type_t type, unsigned long window)
{
	uint8_t copy[SRTP_MAX_KEY_LEN] = { 0 };
	srtp_policy_t policy;
	srtp_err_status_t rc;

	memset(&policy, 0, sizeof(policy));
	memcpy(copy, key, SRTP_KEY);
	if (suite == SRTP_GCM_128) {
		srtp_crypto_policy_set_aes_gcm_128_16_auth(&policy.rtp);
		srtp_crypto_policy_set_aes_gcm_128_16_auth(&policy.rtcp);
	} else {
		srtp_crypto_policy_set_aes_cm_128_hmac_sha1_80(&policy.rtp);
		srtp_crypto_policy_set_aes_cm_128_hmac_sha1_80(&policy.rtcp);
	}
	policy.ssrc.type = type;
	policy.key = copy;
	policy.window_size = window;
	policy.allow_repeat_tx = 1;
	rc = srtp_create(out, &policy);
	explicit_bzero(copy, sizeof(copy));
	if (rc != srtp_err_status_ok)
		log_errorx("webrtc: libsrtp2 makes no session with %s: status %d", srtp_suite_name(suite), rc);
	return rc == srtp_err_status_ok ? 0 : -1;
}

/*
 * NSS, on which Debian builds the library, reads files when there is a first session, and forgets all with
 * the last: these two stay.
 */
static int
load_ciphers(void)
{
	static const enum srtp_suite suites[] = { SRTP_GCM_128, SRTP_CM_SHA1_80 };
	static const uint8_t key[SRTP_KEY];
	static srtp_t kept[2];

	for (unsigned i = 0; i < sizeof(suites) / sizeof(suites[0]); i++)
		if (side(&kept[i], suites[i], key, ssrc_any_outbound, WINDOW_OUT) < 0)
			return -1;
	return 0;
}

int
rtc_srtp_library(void)
{
	static bool ready;
	srtp_err_status_t rc;

	if (ready)
		return 0;
	rc = srtp_init();
	if (rc != srtp_err_status_ok) {
		log_errorx("webrtc: libsrtp2 does not start: status %d", rc);
		return -1;
	}
	ready = load_ciphers() == 0;
	return ready ? 0 : -1;
}

struct rtc_srtp *
rtc_srtp_new(const struct srtp_keys *keys)
{
	struct rtc_srtp *s = xcalloc(1, sizeof(*s));

	if (rtc_srtp_library() < 0 || side(&s->out, keys->suite, keys->ours, ssrc_any_outbound, WINDOW_OUT) < 0 ||
	    side(&s->in, keys->suite, keys->theirs, ssrc_any_inbound, WINDOW_IN) < 0)
		rtc_srtp_free(&s);
	return s;
}

void
rtc_srtp_free(struct rtc_srtp **sp)
{
	struct rtc_srtp *s = *sp;

	*sp = NULL;
	if (s == NULL)
		return;
	if (s->out != NULL)
		srtp_dealloc(s->out);
	if (s->in != NULL)
		srtp_dealloc(s->in);
	free(s);
}

size_t
rtc_srtp_seal(struct rtc_srtp *s, uint8_t *p, size_t n, bool rtcp)
{
	int len = (int)n;
	srtp_err_status_t rc;

	rc = rtcp ? srtp_protect_rtcp(s->out, p, &len) : srtp_protect(s->out, p, &len);
	return rc == srtp_err_status_ok ? (size_t)len : 0;
}

static bool
known(const struct rtc_srtp *s, uint32_t ssrc)
{
	for (unsigned i = 0; i < s->nssrc; i++)
		if (s->ssrc[i] == ssrc)
			return true;
	return false;
}

size_t
rtc_srtp_open(struct rtc_srtp *s, uint8_t *p, size_t n, bool rtcp)
{
	size_t at = rtcp ? RTCP_SSRC_AT : RTP_SSRC_AT;
	int len = (int)n;
	srtp_err_status_t rc;
	uint32_t ssrc;
	bool old;

	if (n < at + 4)
		return 0;
	ssrc = be_get(p + at, 4);
	old = known(s, ssrc);
	if (!old && s->nssrc == SRTP_SSRC_MAX)
		return 0;
	rc = rtcp ? srtp_unprotect_rtcp(s->in, p, &len) : srtp_unprotect(s->in, p, &len);
	if (rc != srtp_err_status_ok)
		return 0;
	if (!old)
		s->ssrc[s->nssrc++] = ssrc;
	return (size_t)len;
}
