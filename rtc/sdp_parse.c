/*
 * sdp_parse.c - the lines of an SDP into a struct sdp (contract in sdp.h): cuts the text into lines,
 * makes an entry for every m-line and each of its formats; a= lines go to sdp_attr.c. At the end
 * what was said for the whole session holds wherever an m-line said nothing.
 *
 * All strings stay in one copy of the text. It refuses what no honest end sends; unknown lines
 * and attributes are passed over (RFC 8866 section 5).
 */
#include "rtc/sdp.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "rtc/sdp_attr.h"
#include "util.h"

int
sdp_bad(struct sdp_reader *r, const char *fmt, ...)
{
	va_list ap;
	int n = snprintf(r->why, SDP_WHY, "line %u of the SDP: ", r->line);

	va_start(ap, fmt);
	vsnprintf(r->why + n, SDP_WHY - (size_t)n, fmt, ap);
	va_end(ap);
	return -1;
}

/* Cuts the next word off *p; NULL: none is left. */
char *
sdp_word(char **p)
{
	char *s = *p + strspn(*p, " "), *end = s + strcspn(s, " ");

	if (*s == '\0')
		return NULL;
	*p = end + (*end != '\0');
	*end = '\0';
	return s;
}

int
sdp_number(const char *s, unsigned max)
{
	unsigned n = 0;

	if (s == NULL || *s == '\0')
		return -1;
	for (; *s >= '0' && *s <= '9'; s++)
		if ((n = n * 10 + (unsigned)(*s - '0')) > max)
			return -1;
	return *s == '\0' ? (int)n : -1;
}

/* --- m= --- */

static unsigned
count_words(const char *s)
{
	unsigned n = 0;

	for (; *s != '\0'; n++) {
		s += strcspn(s, " ");
		s += strspn(s, " ");
	}
	return n;
}

/* "96 97 98": one entry each; what is listed twice is there once. */
static int
formats(struct sdp_reader *r, struct sdp_media *m)
{
	unsigned n = count_words(m->list);
	char *copy, *p, *word;
	int pt, rc = 0;

	if (n > SDP_FORMATS_MAX)
		return sdp_bad(r, "it has more than %d payload types", SDP_FORMATS_MAX);
	m->formats = xcalloc(n, sizeof(*m->formats));
	copy = p = xstrdup(m->list);
	while (rc == 0 && (word = sdp_word(&p)) != NULL) {
		pt = sdp_number(word, 127);
		if (pt < 0)
			rc = sdp_bad(r, "a payload type is a number up to 127");
		else if (sdp_format(m, (unsigned)pt) == NULL)
			m->formats[m->nformats++] = (struct sdp_format){ .pt = (uint8_t)pt, .name = "" };
	}
	free(copy);
	return rc;
}

static bool
is_rtp(const char *proto)
{
	return strcmp(proto, "UDP/TLS/RTP/SAVPF") == 0 || strcmp(proto, "UDP/TLS/RTP/SAVP") == 0 ||
	    strcmp(proto, "TCP/DTLS/RTP/SAVPF") == 0 || strcmp(proto, "RTP/SAVPF") == 0;
}

/* "m=video 9 UDP/TLS/RTP/SAVPF 96 97" */
static int
on_media(struct sdp_reader *r, char *p)
{
	struct sdp_media *m = &r->s->media[r->s->nmedia];
	char *name = sdp_word(&p), *port = sdp_word(&p), *proto = sdp_word(&p);

	if (r->s->nmedia == SDP_MEDIA_MAX)
		return sdp_bad(r, "it has more than %d m-lines", SDP_MEDIA_MAX);
	if (proto == NULL || sdp_number(port, 65535) < 0 || *p == '\0' || *p == ' ')
		return sdp_bad(r, "an m-line is \"m=KIND PORT PROTOCOL FORMATS\"");
	r->s->nmedia++;
	r->m = m;
	m->kind = strcmp(name, "video") == 0 ? SDP_VIDEO : strcmp(name, "audio") == 0 ? SDP_AUDIO : SDP_OTHER;
	m->name = name;
	m->proto = proto;
	m->list = p;
	m->rtp = m->kind != SDP_OTHER && is_rtp(proto);
	m->off = sdp_number(port, 65535) == 0;
	m->direction = r->s->session.direction;
	return m->rtp ? formats(r, m) : 0;
}

/* --- lines --- */

/* Names and texts may be UTF-8; what we compare or say again has to be printable ASCII. */
static bool
bytes_ok(const char *line)
{
	bool text = strchr("siuep", line[0]) != NULL;

	for (const unsigned char *c = (const unsigned char *)line; *c != '\0'; c++)
		if ((*c < ' ' && *c != '\t') || *c == 0x7f || (*c > 0x7f && !text))
			return false;
	return true;
}

static int
on_line(struct sdp_reader *r, char *line)
{
	if (line[0] < 'a' || line[0] > 'z' || line[1] != '=')
		return sdp_bad(r, "a line is \"x=value\"");
	if (!bytes_ok(line))
		return sdp_bad(r, "it has a byte that may not be there");
	if (!r->begun && r->s->type != SDP_FRAGMENT) {
		r->begun = strcmp(line, "v=0") == 0;
		return r->begun ? 0 : sdp_bad(r, "an SDP begins with \"v=0\"");
	}
	if (line[0] == 'm')
		return on_media(r, line + 2);
	return line[0] == 'a' ? sdp_attribute(r, line + 2) : 0;
}

/* --- the whole --- */

static bool
in_list(const char *list, const char *word)
{
	size_t n = strlen(word);

	for (const char *p = list; (p = strstr(p, word)) != NULL; p += n)
		if ((p == list || p[-1] == ' ') && (p[n] == ' ' || p[n] == '\0'))
			return true;
	return false;
}

static void
inherit(struct sdp *s)
{
	const struct sdp_media *all = &s->session;

	for (struct sdp_media *m = s->media; m < s->media + s->nmedia; m++) {
		if (m->setup == SDP_SETUP_NONE)
			m->setup = all->setup;
		if (m->ice.ufrag == NULL)
			m->ice.ufrag = all->ice.ufrag;
		if (m->ice.pwd == NULL)
			m->ice.pwd = all->ice.pwd;
		if (m->fingerprint == NULL)
			m->fingerprint = all->fingerprint;
		m->off = m->off && !m->bundle_only;
		m->bundled = m->mid != NULL && s->bundle != NULL && in_list(s->bundle, m->mid);
	}
}

static int
unique_mids(struct sdp_reader *r)
{
	const struct sdp *s = r->s;

	for (unsigned i = 0; i < s->nmedia; i++)
		for (unsigned k = 0; k < i; k++)
			if (s->media[i].mid != NULL && s->media[k].mid != NULL &&
			    strcmp(s->media[i].mid, s->media[k].mid) == 0)
				return sdp_bad(r, "two m-lines have the mid \"%.40s\"", s->media[i].mid);
	return 0;
}

static int
read_lines(struct sdp_reader *r)
{
	char *p = r->s->text, *end;
	int rc = 0;

	for (; *p != '\0' && rc == 0; p = end) {
		r->line++;
		end = p + strcspn(p, "\r\n");
		if (end[0] == '\r' && end[1] == '\n')
			*end++ = '\0';
		if (*end != '\0')
			*end++ = '\0';
		rc = *p != '\0' ? on_line(r, p) : 0;
	}
	if (rc == 0 && !r->begun && r->s->type != SDP_FRAGMENT)
		rc = sdp_bad(r, "there is nothing in it");
	return rc == 0 ? unique_mids(r) : rc;
}

struct sdp *
sdp_parse(enum sdp_type type, const char *text, size_t len, char *why)
{
	struct sdp_reader r = { .why = why };

	why[0] = '\0';
	if (memchr(text, '\0', len) != NULL) {
		sdp_bad(&r, "the text has a NUL");
		return NULL;
	}
	r.s = xcalloc(1, sizeof(*r.s));
	r.s->type = type;
	r.s->text = xmalloc(len + 2);
	memcpy(r.s->text, text, len);
	memset(r.s->text + len, 0, 2);
	if (read_lines(&r) < 0)
		sdp_free(&r.s);
	else
		inherit(r.s);
	return r.s;
}

void
sdp_free(struct sdp **s)
{
	if (*s == NULL)
		return;
	for (unsigned i = 0; i < (*s)->nmedia; i++)
		free((*s)->media[i].formats);
	free((*s)->text);
	free(*s);
	*s = NULL;
}
