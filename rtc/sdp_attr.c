/*
 * sdp_attr.c - the a= lines of an SDP, by a table of those that matter here; called for each by
 * sdp_parse.c. In place: values are pieces of the text. A format's lines may come before its
 * rtpmap, and lines of formats that the m-line does not list are passed over.
 */
#include "rtc/sdp_attr.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

/* Where this line's attribute belongs: an m-line, or the whole session. */
static struct sdp_media *
here(struct sdp_reader *r)
{
	return r->m != NULL ? r->m : &r->s->session;
}

struct sdp_format *
sdp_format(struct sdp_media *m, unsigned pt)
{
	for (unsigned i = 0; i < m->nformats; i++)
		if (m->formats[i].pt == pt)
			return &m->formats[i];
	return NULL;
}

/* Cuts "96 " off *p and finds it; NULL: it is no number, or of no format that matters. */
static struct sdp_format *
format_of(struct sdp_reader *r, char **p)
{
	int pt = sdp_number(sdp_word(p), 127);

	return r->m != NULL && pt >= 0 ? sdp_format(r->m, (unsigned)pt) : NULL;
}

/* --- formats --- */

/* "96 H264/90000", "111 opus/48000/2" */
static int
on_rtpmap(struct sdp_reader *r, char *p)
{
	struct sdp_format *f = format_of(r, &p);
	char *slash = strchr(p, '/'), *more;
	int rate, channels;

	if (f == NULL)
		return 0;
	more = slash != NULL ? strchr(slash + 1, '/') : NULL;
	if (more != NULL)
		*more++ = '\0';
	rate = sdp_number(slash != NULL ? slash + 1 : NULL, 10000000);
	channels = more != NULL ? sdp_number(more, 255) : 0;
	if (slash == NULL || slash == p || rate < 0 || channels < 0)
		return sdp_bad(r, "an rtpmap is \"PT NAME/RATE\" or \"PT NAME/RATE/CHANNELS\"");
	*slash = '\0';
	f->name = p;
	f->rate = (uint32_t)rate;
	f->channels = (uint8_t)channels;
	return 0;
}

static int
on_fmtp(struct sdp_reader *r, char *p)
{
	struct sdp_format *f = format_of(r, &p);

	if (f != NULL && *p != '\0')
		f->fmtp = p;
	return 0;
}

/* "96 nack pli"; "*" is all of them (RFC 4585 section 4.2) */
static int
on_feedback(struct sdp_reader *r, char *p)
{
	bool all = p[0] == '*' && p[1] == ' ';
	struct sdp_format *f = all ? NULL : format_of(r, &p);
	unsigned bit;

	if (all)
		p += 2;
	bit = strcmp(p, "nack") == 0 ? SDP_NACK : strcmp(p, "nack pli") == 0 ? SDP_PLI :
	    strcmp(p, "ccm fir") == 0 ? SDP_FIR : strcmp(p, "goog-remb") == 0 ? SDP_REMB : 0;
	if (f != NULL)
		f->feedback |= bit;
	for (unsigned i = 0; all && r->m != NULL && i < r->m->nformats; i++)
		r->m->formats[i].feedback |= bit;
	return 0;
}

/* --- transport --- */

static bool
ice_chars(const char *s, size_t min)
{
	size_t n = strlen(s);

	for (const char *c = s; *c != '\0'; c++)
		if (!isalnum((unsigned char)*c) && *c != '+' && *c != '/')
			return false;
	return n >= min && n <= SDP_ICE_MAX;
}

static int
on_ufrag(struct sdp_reader *r, char *p)
{
	if (!ice_chars(p, 4))
		return sdp_bad(r, "an ice-ufrag has 4 to 256 letters, digits, \"+\" or \"/\"");
	here(r)->ice.ufrag = p;
	return 0;
}

static int
on_pwd(struct sdp_reader *r, char *p)
{
	if (!ice_chars(p, 22))
		return sdp_bad(r, "an ice-pwd has 22 to 256 letters, digits, \"+\" or \"/\"");
	here(r)->ice.pwd = p;
	return 0;
}

/*
 * "sha-256 AB:CD:..": of several (RFC 8122 section 5) the first that we know, SHA-256 before the others;
 * unknown ones are passed over.
 */
static int
on_fingerprint(struct sdp_reader *r, char *p)
{
	static const struct { const char *name; size_t bytes; } hashes[] = {
		{ "sha-256", 32 }, { "sha-384", 48 }, { "sha-512", 64 },
	};
	char *hex = strchr(p, ' ');
	size_t k = 0;

	while (k < 3 && (hex == NULL || (size_t)(hex - p) != 7 || strncasecmp(p, hashes[k].name, 7) != 0))
		k++;
	if (k == 3)
		return 0;
	memcpy(p, hashes[k].name, 7);
	if (strlen(++hex) != hashes[k].bytes * 3 - 1)
		return sdp_bad(r, "a %s fingerprint has %zu bytes, \"AB:CD:..\"", hashes[k].name, hashes[k].bytes);
	for (size_t i = 0; hex[i] != '\0'; i++) {
		if (i % 3 == 2 ? hex[i] != ':' : !isxdigit((unsigned char)hex[i]))
			return sdp_bad(r, "a fingerprint is bytes in hex with colons between them");
		hex[i] = (char)toupper((unsigned char)hex[i]);
	}
	if (here(r)->fingerprint == NULL || (k == 0 && strncmp(here(r)->fingerprint, p, 7) != 0))
		here(r)->fingerprint = p;
	return 0;
}

static int
on_setup(struct sdp_reader *r, char *p)
{
	static const char *const names[] = { [SDP_ACTPASS] = "actpass", [SDP_ACTIVE] = "active",
	    [SDP_PASSIVE] = "passive" };

	for (int i = SDP_ACTPASS; i <= SDP_PASSIVE; i++)
		if (strcmp(p, names[i]) == 0) {
			here(r)->setup = (enum sdp_setup)i;
			return 0;
		}
	return sdp_bad(r, "setup is actpass, active or passive");
}

/* --- the rest --- */

static int
on_mid(struct sdp_reader *r, char *p)
{
	size_t n = strlen(p);

	if (n == 0 || n > 64 || strspn(p, "!#$%&'*+-.^_`{|}~0123456789abcdefghijklmnopqrstuvwxyz"
	    "ABCDEFGHIJKLMNOPQRSTUVWXYZ") != n)
		return sdp_bad(r, "a mid is a word of at most 64 bytes");
	here(r)->mid = p;
	return 0;
}

static int
on_group(struct sdp_reader *r, char *p)
{
	if (strncmp(p, "BUNDLE ", 7) == 0 && r->s->bundle == NULL)
		r->s->bundle = p + 7;
	return 0;
}

static int
on_sendrecv(struct sdp_reader *r, char *p)
{
	here(r)->direction = SDP_SENDRECV;
	return 0;
}

static int
on_sendonly(struct sdp_reader *r, char *p)
{
	here(r)->direction = SDP_SENDONLY;
	return 0;
}

static int
on_recvonly(struct sdp_reader *r, char *p)
{
	here(r)->direction = SDP_RECVONLY;
	return 0;
}

static int
on_inactive(struct sdp_reader *r, char *p)
{
	here(r)->direction = SDP_INACTIVE;
	return 0;
}

static int
on_rtcp_mux(struct sdp_reader *r, char *p)
{
	here(r)->rtcp_mux = true;
	return 0;
}

static int
on_bundle_only(struct sdp_reader *r, char *p)
{
	here(r)->bundle_only = true;
	return 0;
}

static int
on_ice_lite(struct sdp_reader *r, char *p)
{
	r->s->ice_lite = true;
	return 0;
}

static const struct { const char *name; int (*handle)(struct sdp_reader *r, char *value); } attributes[] = {
	{ "rtpmap", on_rtpmap }, { "fmtp", on_fmtp }, { "rtcp-fb", on_feedback },
	{ "ice-ufrag", on_ufrag }, { "ice-pwd", on_pwd }, { "fingerprint", on_fingerprint }, { "setup", on_setup },
	{ "mid", on_mid }, { "group", on_group }, { "rtcp-mux", on_rtcp_mux }, { "rtcp-mux-only", on_rtcp_mux },
	{ "bundle-only", on_bundle_only }, { "ice-lite", on_ice_lite },
	{ "sendrecv", on_sendrecv }, { "sendonly", on_sendonly }, { "recvonly", on_recvonly },
	{ "inactive", on_inactive },
};

int
sdp_attribute(struct sdp_reader *r, char *text)
{
	size_t n = strcspn(text, ":");

	for (size_t i = 0; i < sizeof(attributes) / sizeof(attributes[0]); i++)
		if (strlen(attributes[i].name) == n && memcmp(attributes[i].name, text, n) == 0)
			return attributes[i].handle(r, text + n + (text[n] == ':'));
	return 0;
}
