/*
 * ogg.c - pages of Ogg to packets of Opus (contract in ogg.h; RFC 3533 6, RFC 7845 4). Called by
 * workers/webrtc/feed.c for what ffmpeg writes.
 *
 * A page's granule position is of the end of the last packet that ends in it, so the page is
 * taken as a whole and its packets are counted back from there.
 */
#include "ogg.h"

#include <stdlib.h>
#include <string.h>

#include "opus.h"
#include "util.h"

#define HEAD_BYTES 27
#define FLAG_CONTINUED 1
#define FLAG_BEGIN 2
#define FLAG_END 4

struct packet { const uint8_t *p; size_t n; int samples; };	/* p NULL: it is not all there */

static uint64_t
little(const uint8_t *p, unsigned n)
{
	uint64_t v = 0;

	while (n-- > 0)
		v = v << 8 | p[n];
	return v;
}

/* CRC-32 of polynomial 0x04c11db7, highest bit first, from 0 (RFC 3533 6, field 7). */
static uint32_t
crc(uint32_t sum, const uint8_t *p, size_t n)
{
	static const uint32_t table[16] = {
		0x00000000, 0x04c11db7, 0x09823b6e, 0x0d4326d9, 0x130476dc, 0x17c56b6b, 0x1a864db2, 0x1e475005,
		0x2608edb8, 0x22c9f00f, 0x2f8ad6d6, 0x2b4bcb61, 0x350c9b64, 0x31cd86d3, 0x3c8ea00a, 0x384fbdbd,
	};

	for (; n > 0; n--, p++) {
		sum = sum << 4 ^ table[sum >> 28 ^ *p >> 4];
		sum = sum << 4 ^ table[sum >> 28 ^ (*p & 15)];
	}
	return sum;
}

static bool
checksum_ok(const uint8_t *page, size_t len)
{
	uint32_t sum = crc(0, page, 22);

	sum = crc(sum, (const uint8_t[4]){ 0 }, 4);
	return crc(sum, page + 26, len - 26) == little(page + 22, 4);
}

void
ogg_init(struct ogg *o, const struct ogg_ops *ops, void *ctx)
{
	memset(o, 0, sizeof(*o));
	o->ops = ops;
	o->ctx = ctx;
	o->page = xmalloc(OGG_PAGE_MAX);
	o->part = xmalloc(OGG_PACKET_MAX);
	o->want = HEAD_BYTES;
	o->next = OGG_NO_TIME;
}

void
ogg_free(struct ogg *o)
{
	free(o->page);
	free(o->part);
	o->page = o->part = NULL;
}

static void
keep_part(struct ogg *o, const uint8_t *p, size_t n)
{
	if (o->part_lost || n > OGG_PACKET_MAX - o->part_len) {
		o->part_lost = true;
		return;
	}
	memcpy(o->part + o->part_len, p, n);
	o->part_len += n;
}

static void
drop_part(struct ogg *o)
{
	o->part_len = 0;
	o->part_lost = false;
}

/* What ends in this page; *rest, *rest_len: what begins and goes on in the next. */
static unsigned
collect(struct ogg *o, struct packet *out, const uint8_t **rest, size_t *rest_len)
{
	const uint8_t *lacing = o->page + HEAD_BYTES, *p = lacing + o->page[26];
	bool continued = o->page[5] & FLAG_CONTINUED;
	unsigned n = 0;
	size_t run = 0;

	if (continued && o->part_len == 0)
		o->part_lost = true;
	else if (!continued)
		drop_part(o);
	for (unsigned i = 0; i < o->page[26]; i++) {
		run += lacing[i];
		if (lacing[i] == 255)
			continue;
		if (continued && n == 0) {
			keep_part(o, p, run);
			out[n++] = (struct packet){ o->part_lost ? NULL : o->part, o->part_len, 0 };
		} else
			out[n++] = (struct packet){ p, run, 0 };
		p += run;
		run = 0;
	}
	*rest = p;
	*rest_len = run;
	return n;
}

static void
take_head(struct ogg *o, const struct packet *k)
{
	if (k->p == NULL || k->n < 19 || memcmp(k->p, "OpusHead", 8) != 0 || k->p[8] >> 4 != 0)
		return;
	o->opus = true;
	o->pre_skip = (int)little(k->p + 10, 2);
	if (o->ops->head != NULL)
		o->ops->head(o->ctx, k->p[9], o->pre_skip);
}

/* Sound: from the page's granule back, or on from the last page where that says nothing (or was cut, at the end). */
static void
take_packets(struct ogg *o, struct packet *k, unsigned n)
{
	int64_t granule = (int64_t)little(o->page + 6, 8), at;
	int sum = 0, samples;

	for (unsigned i = 0; i < n; i++) {
		samples = k[i].p != NULL && k[i].n > 0 && k[i].n <= OGG_PACKET_MAX ? opus_samples(k[i].p, k[i].n) : 0;
		k[i].samples = samples > 0 ? samples : 0;
		sum += k[i].samples;
	}
	if (n == 0)
		return;
	at = granule < 0 || granule > INT64_MAX / 2 ? o->next : granule - o->pre_skip - sum;
	if ((o->page[5] & FLAG_END) && o->next != OGG_NO_TIME)
		at = o->next;
	for (unsigned i = 0; i < n && at != OGG_NO_TIME; i++) {
		if (k[i].samples > 0)
			o->ops->packet(o->ctx, k[i].p, k[i].n, at, k[i].samples);
		at += k[i].samples;
	}
	o->next = at;
}

static void
take_page(struct ogg *o)
{
	uint32_t serial = (uint32_t)little(o->page + 14, 4);
	struct packet packets[255];
	unsigned n, at = 0;
	const uint8_t *rest;
	size_t rest_len;

	if (!o->begun && (o->page[5] & FLAG_BEGIN)) {
		o->begun = true;
		o->serial = serial;
	}
	if (!o->begun || serial != o->serial)
		return;
	n = collect(o, packets, &rest, &rest_len);
	for (; at < n && o->headers < 2; at++)
		if (o->headers++ == 0)
			take_head(o, &packets[at]);
	if (o->opus)
		take_packets(o, packets + at, n - at);
	if (n > 0 || !(o->page[5] & FLAG_CONTINUED))
		drop_part(o);
	if (rest_len > 0)
		keep_part(o, rest, rest_len);
}

static void
shift(struct ogg *o, size_t n)
{
	o->len -= n;
	memmove(o->page, o->page + n, o->len);
}

/* To the next place where a page may begin. */
static void
skip(struct ogg *o)
{
	const uint8_t *next = o->len > 1 ? memchr(o->page + 1, 'O', o->len - 1) : NULL;
	size_t n = next != NULL ? (size_t)(next - o->page) : o->len;

	o->skipped += n;
	shift(o, n);
}

static size_t
needed(const struct ogg *o)
{
	size_t n = HEAD_BYTES;

	if (o->len < n)
		return n;
	n += o->page[26];
	if (o->len < n)
		return n;
	for (unsigned i = 0; i < o->page[26]; i++)
		n += o->page[HEAD_BYTES + i];
	return n;
}

static void
advance(struct ogg *o)
{
	static const uint8_t magic[5] = { 'O', 'g', 'g', 'S', 0 };

	while (o->len > 0) {
		if (memcmp(o->page, magic, o->len < 5 ? o->len : 5) != 0) {
			skip(o);
			continue;
		}
		o->want = needed(o);
		if (o->len < o->want)
			return;
		if (!checksum_ok(o->page, o->want)) {
			skip(o);
			continue;
		}
		take_page(o);
		shift(o, o->want);
	}
	o->want = HEAD_BYTES;
}

void
ogg_feed(struct ogg *o, const uint8_t *p, size_t n)
{
	size_t run;

	while (n > 0) {
		run = o->want - o->len < n ? o->want - o->len : n;
		memcpy(o->page + o->len, p, run);
		o->len += run;
		p += run;
		n -= run;
		if (o->len >= o->want)
			advance(o);
	}
}
