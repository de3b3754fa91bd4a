/*
 * STUN and RFC 4571 frames: whatever comes, what is found lies inside of the message; a message made right
 * (fingerprint and integrity put in) is read, answered, and the answer is read back; frames come out the same
 * however they are split.
 */
#include <netinet/in.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "be.h"
#include "rtc/demux.h"
#include "rtc/frame.h"
#include "rtc/stun.h"

#define PWD "VOkJxbRl1RmTxUk/WvJxBt"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
inside(const struct stun *s, const uint8_t *p, size_t n)
{
	if (s->user != NULL && ((const uint8_t *)s->user < p || (const uint8_t *)s->user + s->user_len > p + n))
		abort();
	if (s->integrity_at > n || s->nunknown > STUN_UNKNOWN_MAX)
		abort();
}

static void
answers(const struct stun *req)
{
	struct sockaddr_in6 from = { .sin6_family = AF_INET6, .sin6_port = 1, .sin6_addr = IN6ADDR_LOOPBACK_INIT };
	struct stun_out o;
	struct stun s;
	size_t n = stun_success(&o, req, (struct sockaddr *)&from, PWD);

	if (stun_parse(&s, o.p, n) != 0 || !stun_verify(&s, o.p, PWD) || memcmp(s.id, req->id, STUN_ID) != 0)
		abort();
	n = stun_error(&o, req, req->nunknown > 0 ? 420 : 487, PWD);
	if (stun_parse(&s, o.p, n) != 0 || !stun_verify(&s, o.p, PWD) || s.error < 420)
		abort();
}

/* The attributes of the input in a message whose head, integrity and fingerprint are right. */
static void
made_right(const uint8_t *data, size_t size)
{
	static const uint8_t id[STUN_ID] = "fuzzedfuzze";
	struct stun_out o;
	struct stun s;
	size_t n, len;

	stun_begin(&o, STUN_REQUEST, id);
	for (size_t at = 0; size - at >= 4; at += len) {
		len = be_get(data + at + 2, 2) % 64;
		len = len < size - at - 4 ? len : size - at - 4;
		stun_add(&o, (uint16_t)be_get(data + at, 2), data + at + 4, len);
		len += 4;
	}
	n = stun_end(&o, PWD);
	if (n == 0 || stun_parse(&s, o.p, n) < 0)
		return;
	inside(&s, o.p, n);
	stun_verify(&s, o.p, PWD);
	answers(&s);
}

static bool
mix(void *ctx, uint8_t *p, size_t n)
{
	uint64_t *hash = ctx;

	for (size_t i = 0; i < n; i++)
		*hash = (*hash ^ p[i]) * 0x100000001b3;
	*hash = (*hash ^ n) * 0x100000001b3;
	return n != 17;		/* one that makes it stop */
}

static uint64_t
frames(const uint8_t *data, size_t size, size_t step)
{
	struct frame f = { .have = 0 };
	uint64_t hash = 0xcbf29ce484222325;
	int rc = 0;

	for (size_t at = 0; at < size && rc == 0; at += step)
		rc = frame_feed(&f, data + at, size - at < step ? size - at : step, mix, &hash);
	return hash ^ (uint64_t)rc;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct stun s;

	if (demux(data, size) == DEMUX_STUN && size < DEMUX_STUN_MIN)
		abort();
	if (stun_parse(&s, data, size) == 0) {
		inside(&s, data, size);
		stun_verify(&s, data, PWD);
		answers(&s);
	}
	made_right(data, size);
	if (size > 0 && frames(data, size, size) != frames(data, size, 1 + data[0] % 5))
		abort();
	return 0;
}
