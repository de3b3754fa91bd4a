/*
 * frames_base64.c - see frames_base64.h. What is plain is taken here in groups of four, five times as fast as
 * nettle takes it; line ends, padding and mistakes are nettle's. Called by frames_proto.c.
 */
#include "frames_base64.h"

#include <nettle/base64.h>
#include <string.h>

/* Groups of plain characters of either alphabet from the beginning; the characters taken. */
static size_t
decode_groups(const char *text, size_t len, uint8_t *out)
{
	static uint8_t values[256];
	static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	const uint8_t *in = (const uint8_t *)text;
	size_t done;

	if (values[0] == 0) {
		memset(values, 0xff, sizeof(values));
		for (unsigned i = 0; i < 64; i++)
			values[(uint8_t)letters[i]] = (uint8_t)i;
		values['-'] = values['+'];
		values['_'] = values['/'];
	}
	for (done = 0; len - done >= 4; done += 4, in += 4, out += 3) {
		uint8_t a = values[in[0]], b = values[in[1]], c = values[in[2]], d = values[in[3]];

		if (((a | b | c | d) & 0xc0) != 0)
			break;
		out[0] = (uint8_t)(a << 2 | b >> 4);
		out[1] = (uint8_t)(b << 4 | c >> 2);
		out[2] = (uint8_t)(c << 6 | d);
	}
	return done;
}

int
frames_base64_decode(const char *text, size_t len, uint8_t *out, size_t *n)
{
	size_t taken = decode_groups(text, len, out), done = taken / 4 * 3, more;
	struct base64_decode_ctx ctx;

	text += taken;
	len -= taken;
	if (memchr(text, '-', len) != NULL || memchr(text, '_', len) != NULL)
		base64url_decode_init(&ctx);
	else
		base64_decode_init(&ctx);
	if (!base64_decode_update(&ctx, &more, out + done, len, text))
		return -1;
	done += more;
	for (int i = 0; i < 2 && ctx.bits > 0; i++)
		if (!base64_decode_update(&ctx, &more, out + done, 1, "="))
			return -1;
	*n = done;
	return base64_decode_final(&ctx) ? 0 : -1;
}
