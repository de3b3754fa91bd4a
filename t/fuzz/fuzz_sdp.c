/*
 * SDPs: the first byte says as what it is read. What is picked can be answered, in order, in lines of
 * its own, and our answer can be read again.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "rtc/sdp.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct sdp_address address = { "192.0.2.1", 8189, 8189 };
static const struct sdp_local local = { .session = 1, .ufrag = "ufragufr", .pwd = "pwdpwdpwdpwdpwdpwdpwdpwd",
    .fingerprint = "sha-256 00:11:22:33:44:55:66:77:88:99:AA:BB:CC:DD:EE:FF:00:11:22:33:44:55:66:77:88:99:AA:BB:CC:DD:EE:FF",
    .addresses = &address, .naddresses = 1, .cname = "c", .stream = "s", .video_ssrc = 1, .rtx_ssrc = 2,
    .audio_ssrc = 3 };

static void
check_again(char *text, enum sdp_type type, unsigned nmedia)
{
	char why[SDP_WHY];
	struct sdp *s = sdp_parse(type, text, strlen(text), why);

	if (s == NULL || s->nmedia != nmedia)
		abort();
	sdp_free(&s);
	free(text);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct sdp_want want = { SDP_SENDONLY, true, true, 66, 0 };
	struct sdp_ice ice;
	struct sdp_pick p;
	char why[SDP_WHY];
	struct sdp *s;
	enum sdp_type type;

	if (size == 0)
		return 0;
	type = (enum sdp_type)(data[0] % 3);
	want.direction = data[0] & 4 ? SDP_RECVONLY : SDP_SENDONLY;
	s = sdp_parse(type, (const char *)data + 1, size - 1, why);
	if (s == NULL && (why[0] == '\0' || strlen(why) >= SDP_WHY))
		abort();
	if (s == NULL)
		return 0;
	if (sdp_ice(s, &ice) && (strlen(ice.ufrag) > SDP_ICE_MAX || strlen(ice.pwd) > SDP_ICE_MAX))
		abort();
	if (type == SDP_FRAGMENT)
		check_again(sdp_fragment(s, &local), SDP_FRAGMENT, s->nmedia > 0);
	else if (sdp_pick(s, &want, &p, why) == 0 && type == SDP_OFFER)
		check_again(sdp_answer(s, &p, &local), SDP_ANSWER, s->nmedia);
	sdp_free(&s);
	return 0;
}
