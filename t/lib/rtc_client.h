/*
 * rtc_client.h - the other end of rtc/peer.h for tests and load generators: a full ICE agent's checks,
 * DTLS as the client, SRTP. Its DTLS and SRTP are the libraries' own, not our code; it is single-stepped
 * and does what it is told to do wrong.
 */
#ifndef MILLRACE_T_RTC_CLIENT_H
#define MILLRACE_T_RTC_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RTC_CLIENT_SSRCS 4
#define RTC_CLIENT_UFRAG "test"				/* what an SDP of a client says: a full agent on */
#define RTC_CLIENT_PWD "every/client/has/this/one"	/* the other side checks us in turn */

struct rtc_client;

struct rtc_client_conf {
	const char *server;		/* "127.0.0.1:8189" */
	const char *ufrag, *pwd;	/* the server's */
	const char *fingerprint;	/* the server's "sha-256 AB:.."; NULL: any */
	bool tcp;
	size_t tcp_bytes;		/* of one write; 0: whole frames */
	const char *suites;		/* of use_srtp; NULL: AEAD_AES_128_GCM and AES128_CM_SHA1_80 */
	long mtu;			/* of DTLS; 0: 1200. 256: the ClientHello comes in pieces */
	int check_ms;			/* between checks once connected; 0: 1000, -1: none */
	bool silent_dtls;		/* checks only */
	unsigned lose_out, lose_in;	/* bit n: DTLS datagram n is lost on its way */
	/* Decrypted; NULL: nothing is decrypted, headers are counted. */
	void (*media)(void *ctx, bool rtcp, const uint8_t *p, size_t n);
	void *ctx;
};

struct rtc_client_source { uint32_t ssrc; uint16_t next; uint64_t packets, lost, late; };

struct rtc_client_stats {
	bool checked, connected, closed, failed;	/* closed: the server said close_notify */
	int64_t started_ms, connected_ms, first_ms;	/* first_ms: of the first RTP packet */
	unsigned answers, errors;	/* to the last check; errors: 4xx */
	unsigned late_answers;		/* to one before it */
	unsigned error_code;
	char mapped[64];		/* our address as the server sees it */
	char suite[32];
	uint64_t rtp, rtcp, bytes, bad;	/* bad: did not decrypt */
	struct rtc_client_source source[RTC_CLIENT_SSRCS];
};

/* "sha-256 AB:..": of the certificate all clients of this process have. */
const char *rtc_client_fingerprint(void);
/* NULL + errno; texts of conf are copied. */
struct rtc_client *rtc_client_new(const struct rtc_client_conf *conf);
void rtc_client_free(struct rtc_client **c);		/* without a goodbye */
int rtc_client_fd(const struct rtc_client *c);
void rtc_client_step(struct rtc_client *c);		/* reads what is there, does what is due */
const struct rtc_client_stats *rtc_client_stats(const struct rtc_client *c);
void rtc_client_send(struct rtc_client *c, bool rtcp, const uint8_t *p, size_t n);	/* encrypted here */
void rtc_client_raw(struct rtc_client *c, const uint8_t *p, size_t n);			/* as it is */
/* The bytes of a check; to be sent by rtc_client_raw, again, broken, from elsewhere. */
size_t rtc_client_check(struct rtc_client *c, bool use_candidate, uint8_t *out, size_t size);
void rtc_client_move(struct rtc_client *c);		/* another socket; UDP */
void rtc_client_restart(struct rtc_client *c, const char *ufrag, const char *pwd);	/* ICE restart */
void rtc_client_checks(struct rtc_client *c, int check_ms);
void rtc_client_close(struct rtc_client *c);		/* close_notify */
#endif
