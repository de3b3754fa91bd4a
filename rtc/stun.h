/*
 * stun.h - STUN as ICE uses it (RFC 8489, RFC 8445 section 7): reads a message, checks its
 * password, writes answers. Bytes in, bytes out; nothing is allocated and no socket is seen.
 */
#ifndef MILLRACE_RTC_STUN_H
#define MILLRACE_RTC_STUN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#define STUN_HEAD 20
#define STUN_ID 12
#define STUN_MAX 548		/* longest message read or written: RFC 8489 section 6.1, for IPv4 */
#define STUN_UNKNOWN_MAX 8

enum stun_type { STUN_REQUEST = 0x001, STUN_INDICATION = 0x011, STUN_SUCCESS = 0x101, STUN_ERROR = 0x111 };
enum stun_attr {
	STUN_MAPPED_ADDRESS = 0x0001, STUN_USERNAME = 0x0006, STUN_INTEGRITY = 0x0008, STUN_ERROR_CODE = 0x0009,
	STUN_UNKNOWN = 0x000a, STUN_XOR_MAPPED_ADDRESS = 0x0020, STUN_PRIORITY = 0x0024, STUN_USE_CANDIDATE = 0x0025,
	STUN_FINGERPRINT = 0x8028, STUN_CONTROLLED = 0x8029, STUN_CONTROLLING = 0x802a,
};

struct stun {
	uint16_t type;			/* method Binding only */
	uint8_t id[STUN_ID];
	const char *user;		/* USERNAME in the message, not terminated; NULL if none */
	size_t user_len;
	size_t integrity_at;		/* where MESSAGE-INTEGRITY begins; 0: none */
	bool use_candidate, controlled;
	struct sockaddr_storage mapped;	/* XOR-MAPPED-ADDRESS; family AF_UNSPEC: none */
	uint16_t error;			/* of ERROR-CODE; 0 */
	uint16_t unknown[STUN_UNKNOWN_MAX]; /* that have to be understood and are not */
	unsigned nunknown;		/* at most STUN_UNKNOWN_MAX are kept */
};

/*
 * 0, or -1: no STUN message, or one that is not well-formed: lengths, magic cookie, method, no FINGERPRINT
 * (ICE asks for one) or a wrong one. Attributes behind MESSAGE-INTEGRITY do not count.
 */
int stun_parse(struct stun *out, const uint8_t *p, size_t n);
/* Was it made with this password? p is what stun_parse took. */
bool stun_verify(const struct stun *s, const uint8_t *p, const char *pwd);

/* A message grows in `p`: stun_begin, attributes, stun_end. What does not fit sets `over`, and stun_end gives 0. */
struct stun_out { uint8_t p[STUN_MAX]; size_t n; bool over; };
void stun_begin(struct stun_out *o, uint16_t type, const uint8_t id[STUN_ID]);
void stun_add(struct stun_out *o, uint16_t attr, const void *value, size_t n);
/* MESSAGE-INTEGRITY with pwd (NULL: none) and FINGERPRINT; the length of all. */
size_t stun_end(struct stun_out *o, const char *pwd);

/* The answers to a request that stun_verify has found right; the length. `from`: where it came from. */
size_t stun_success(struct stun_out *o, const struct stun *req, const struct sockaddr *from, const char *pwd);
/* code: 420 (with req->unknown) or 487. */
size_t stun_error(struct stun_out *o, const struct stun *req, unsigned code, const char *pwd);
#endif
