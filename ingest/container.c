/*
 * container.c - see container.h. Called by ws_intake.c.
 *
 * Only heads are looked at: an element's or a box's payload is counted and passed on. What its
 * head says can't be worse than wrong: then the container is `lost`, everything passes, and
 * nobody can begin again in it.
 */
#include "container.h"

#include <string.h>

#include "be.h"
#include "util.h"

#define EBML 0x1a45dfa3
#define SEGMENT 0x18538067
#define CLUSTER 0x1f43b675
#define TS_BYTES 188
#define TS_PACKETS 3		/* in a row make it sure */
#define ENDLESS UINT64_MAX

const char *
container_name(enum container_kind kind)
{
	static const char *const names[] = { "any", "flv", "matroska", "mp4", "mpegts", "ogg", "any" };

	return names[kind];
}

static bool
is_ts(const uint8_t *p, size_t len)
{
	for (size_t at = 0; at < TS_PACKETS * TS_BYTES; at += TS_BYTES)
		if (at < len && p[at] != 0x47)
			return false;
	return true;
}

static bool
is_box(const uint8_t *p, const char *types)
{
	for (; *types != '\0'; types += 4)
		if (memcmp(p + 4, types, 4) == 0)
			return true;
	return false;
}

enum container_kind
container_sniff(const uint8_t *p, size_t len, bool last)
{
	if (len < 8)
		return last ? CONTAINER_ANY : CONTAINER_UNKNOWN;
	if (memcmp(p, "\x1a\x45\xdf\xa3", 4) == 0)
		return CONTAINER_MATROSKA;
	if (memcmp(p, "FLV\1", 4) == 0)
		return CONTAINER_FLV;
	if (memcmp(p, "OggS", 4) == 0)
		return CONTAINER_OGG;
	if (is_box(p, "ftypstypmoovfreeskipwide"))
		return CONTAINER_MP4;
	if (!is_ts(p, len))
		return CONTAINER_ANY;
	return len > (TS_PACKETS - 1) * TS_BYTES || last ? CONTAINER_MPEGTS : CONTAINER_UNKNOWN;
}

/* --- its codecs: words that stand in its beginning --- */

/* Across pieces: the last bytes of the piece before are looked at together with this one. */
static bool
has_word(const struct container *c, const uint8_t *p, size_t n, const char *word)
{
	uint8_t both[sizeof(c->tail) * 2];
	size_t len = strlen(word), more = n < sizeof(c->tail) ? n : sizeof(c->tail);

	memcpy(both, c->tail, c->tail_len);
	memcpy(both + c->tail_len, p, more);
	return memmem(both, c->tail_len + more, word, len) != NULL || memmem(p, n, word, len) != NULL;
}

static void
look_for_codecs(struct container *c, const uint8_t *p, size_t n)
{
	bool mkv = c->kind == CONTAINER_MATROSKA;

	if (has_word(c, p, n, mkv ? "V_MPEG4/ISO/AVC" : "avc1") || (!mkv && has_word(c, p, n, "avc3")))
		c->h264 = true;
	if (has_word(c, p, n, mkv ? "A_AAC" : "mp4a"))
		c->aac = true;
	if (n >= sizeof(c->tail)) {
		memcpy(c->tail, p + n - sizeof(c->tail), sizeof(c->tail));
		c->tail_len = sizeof(c->tail);
		return;
	}
	if (c->tail_len + n > sizeof(c->tail)) {
		size_t drop = c->tail_len + n - sizeof(c->tail);

		memmove(c->tail, c->tail + drop, c->tail_len - drop);
		c->tail_len -= drop;
	}
	memcpy(c->tail + c->tail_len, p, n);
	c->tail_len += n;
}

static void
put(struct container *c, enum container_what what, const uint8_t *p, size_t n)
{
	if (what == CONTAINER_NEW) {
		c->begun = c->known = c->h264 = c->aac = false;
		c->tail_len = 0;
	}
	if (what == CONTAINER_POINT)
		c->begun = c->known = true;
	else if (!c->begun) {
		look_for_codecs(c, p, n);
		what = what == CONTAINER_NEW ? what : CONTAINER_INIT;
	}
	c->out(c->ctx, what, p, n);
}

/* --- heads: bytes of it, 0: more are needed, -1: this is none --- */

/* Value of an EBML number at p, its length in *bytes; all ones: ENDLESS. */
static int
ebml_number(const uint8_t *p, size_t len, bool id, uint64_t *value, size_t *bytes)
{
	size_t n = 1;
	uint64_t v;

	if (len == 0)
		return 0;
	while (n <= 8 && !(p[0] & 0x80 >> (n - 1)))
		n++;
	if (n > (id ? 4 : 8))
		return -1;
	if (len < n)
		return 0;
	v = id ? p[0] : p[0] & (0xff >> n);
	for (size_t i = 1; i < n; i++)
		v = v << 8 | p[i];
	*value = !id && v == (UINT64_C(1) << 7 * n) - 1 ? ENDLESS : v;
	*bytes = n;
	return 1;
}

static int
matroska_head(struct container *c, enum container_what *what)
{
	uint64_t id, size;
	size_t a, b;
	int rc;

	if ((rc = ebml_number(c->head, c->head_len, true, &id, &a)) <= 0 ||
	    (rc = ebml_number(c->head + a, c->head_len - a, false, &size, &b)) <= 0)
		return rc;
	if (id == EBML && c->begun)
		*what = CONTAINER_NEW;
	else if (id == CLUSTER)
		*what = CONTAINER_POINT;
	/* inside a segment and inside an endless cluster elements follow each other just the same */
	c->skip = id == SEGMENT || (id == CLUSTER && size == ENDLESS) ? 0 : size;
	return size == ENDLESS && id != SEGMENT && id != CLUSTER ? -1 : (int)(a + b);
}

static int
mp4_head(struct container *c, enum container_what *what)
{
	uint64_t size;
	int n = 8;

	if (c->head_len < 8)
		return 0;
	size = be_get64(c->head, 4);
	if (size == 1) {
		if (c->head_len < 16)
			return 0;
		size = be_get64(c->head + 8, 8);
		n = 16;
	}
	if (size != 0 && size < (uint64_t)n)
		return -1;
	if (is_box(c->head, "ftyp") && c->begun)
		*what = CONTAINER_NEW;
	else if (is_box(c->head, "moof"))
		*what = CONTAINER_POINT;
	c->skip = size == 0 ? ENDLESS : size - (uint64_t)n;
	return n;
}

/* --- MPEG-TS: the program map says what there is --- */

static void
read_pat(struct container *c, const uint8_t *p, size_t len)
{
	for (size_t at = 8; at + 4 + 4 <= len; at += 4)
		if (be_get64(p + at, 2) != 0) {
			c->pmt_pid = (int)(be_get64(p + at + 2, 2) & 0x1fff);
			return;
		}
}

static void
read_pmt(struct container *c, const uint8_t *p, size_t len)
{
	size_t at = len > 12 ? 12 + (be_get64(p + 10, 2) & 0xfff) : len;

	c->known = true;
	for (; at + 5 + 4 <= len; at += 5 + (be_get64(p + at + 3, 2) & 0xfff)) {
		if (p[at] == 0x1b)
			c->video_pid = (int)(be_get64(p + at + 1, 2) & 0x1fff);
		c->h264 |= p[at] == 0x1b;
		c->aac |= p[at] == 0x0f || p[at] == 0x11;
	}
}

/* A section of the map that is not known yet. */
static bool
ts_section(struct container *c, const uint8_t *p, int pid)
{
	size_t at = 4 + (p[3] & 0x20 ? 1 + (size_t)p[4] : 0), len;

	if (at >= TS_BYTES)
		return false;
	at += 1 + (size_t)p[at];	/* pointer_field */
	if (at + 3 >= TS_BYTES)
		return false;
	len = 3 + (be_get64(p + at + 1, 2) & 0xfff);
	if (len > TS_BYTES - at)
		len = TS_BYTES - at;
	if (pid == 0 && p[at] == 0 && c->pmt_pid < 0)
		read_pat(c, p + at, len);
	else if (pid != 0 && p[at] == 2)
		read_pmt(c, p + at, len);
	else
		return false;
	return true;
}

/* The map's packets are the beginning; points are key frames, or any frame where none is marked. */
static enum container_what
ts_packet(struct container *c, const uint8_t *p)
{
	int pid = (int)(be_get64(p + 1, 2) & 0x1fff);
	bool begins = p[1] & 0x40, marked = (p[3] & 0x20) && p[4] > 0 && (p[5] & 0x40);

	if (!c->known)
		return begins && (p[3] & 0x10) && (pid == 0 || pid == c->pmt_pid) && ts_section(c, p, pid) ?
		    CONTAINER_INIT : CONTAINER_MORE;
	if (!begins || (c->video_pid >= 0 && pid != c->video_pid))
		return CONTAINER_MORE;
	c->marks |= marked && c->video_pid >= 0;
	return marked || !c->marks ? CONTAINER_POINT : CONTAINER_MORE;
}

static int
ts_head(struct container *c, enum container_what *what)
{
	if (c->head[0] != 0x47)
		return 1;		/* until the next one that looks like a packet */
	if (c->head_len < TS_BYTES)
		return 0;
	*what = ts_packet(c, c->head);
	return TS_BYTES;
}

/* --- */

static int
read_head(struct container *c, enum container_what *what)
{
	switch (c->kind) {
	case CONTAINER_MATROSKA:
		return matroska_head(c, what);
	case CONTAINER_MP4:
		return mp4_head(c, what);
	case CONTAINER_MPEGTS:
		return ts_head(c, what);
	default:
		return -1;
	}
}

static void
give_head(struct container *c, enum container_what what, size_t n)
{
	if (c->kind == CONTAINER_MPEGTS)	/* which has its beginning anywhere */
		c->out(c->ctx, what, c->head, n);
	else
		put(c, what, c->head, n);
	c->head_len -= n;
	memmove(c->head, c->head + n, c->head_len);
}

static void
lose(struct container *c)
{
	c->lost = true;
	c->known = true;
	c->skip = ENDLESS;
	if (c->head_len > 0)
		give_head(c, CONTAINER_MORE, c->head_len);
}

/* A head byte by byte: heads are few bytes, and rarely whole in the input anyway. */
static void
take_head(struct container *c, uint8_t byte)
{
	enum container_what what = CONTAINER_MORE;
	int n;

	c->head[c->head_len++] = byte;
	n = read_head(c, &what);
	if (n < 0 || (n == 0 && c->head_len == sizeof(c->head)))
		lose(c);
	else if (n > 0)
		give_head(c, what, (size_t)n);
}

void
container_feed(struct container *c, const uint8_t *p, size_t n)
{
	size_t run;

	while (n > 0) {
		if (c->skip == 0) {
			take_head(c, *p++);
			n--;
			continue;
		}
		run = c->skip < n ? (size_t)c->skip : n;
		put(c, CONTAINER_MORE, p, run);
		if (c->skip != ENDLESS)
			c->skip -= run;
		p += run;
		n -= run;
	}
}

void
container_cut(struct container *c)
{
	container_end(c);
	if (!c->lost)
		c->skip = 0;
}

void
container_end(struct container *c)
{
	if (c->head_len > 0)
		give_head(c, CONTAINER_MORE, c->head_len);
}

void
container_begin(struct container *c, enum container_kind kind,
    void (*out)(void *ctx, enum container_what what, const uint8_t *p, size_t n), void *ctx)
{
	memset(c, 0, sizeof(*c));
	c->kind = kind;
	c->out = out;
	c->ctx = ctx;
	c->pmt_pid = c->video_pid = -1;
	c->begun = kind == CONTAINER_MPEGTS;
	if (kind != CONTAINER_MATROSKA && kind != CONTAINER_MP4 && kind != CONTAINER_MPEGTS) {
		c->begun = true;
		lose(c);
	}
}

bool
container_can_restart(const struct container *c)
{
	return !c->lost;
}
