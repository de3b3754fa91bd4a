/* ice_server.c - see ice_server.h. Used by the config's check, by http for WHEP and by the ingest for WHIP. */
#include "ice_server.h"

#include <stdio.h>
#include <string.h>

/* The parts of "URL USER PASSWORD", which are one or three. */
struct parts { const char *at[3]; int len[3]; int n; };

static void
split(const char *text, struct parts *p)
{
	memset(p, 0, sizeof(*p));
	while (p->n < 3 && text[strspn(text, " ")] != '\0') {
		text += strspn(text, " ");
		p->at[p->n] = text;
		p->len[p->n++] = (int)strcspn(text, " ");
		text += strcspn(text, " ");
	}
	if (text[strspn(text, " ")] != '\0')
		p->n = 4;
}

static bool
begins(const char *text, const char *scheme)
{
	return strncmp(text, scheme, strlen(scheme)) == 0 && text[strlen(scheme)] != '\0' &&
	    text[strlen(scheme)] != ' ';
}

const char *
ice_server_check(const char *text)
{
	bool turn = begins(text, "turn:") || begins(text, "turns:");
	struct parts p;

	if (strlen(text) > ICE_SERVER_MAX)
		return "is too long";
	for (const char *c = text; *c != '\0'; c++)
		if (*c < ' ' || *c > '~' || strchr("\"\\<>,", *c) != NULL)
			return "has a character that may not be there";
	if (!turn && !begins(text, "stun:") && !begins(text, "stuns:"))
		return "does not begin with stun:, stuns:, turn: or turns:";
	split(text, &p);
	if (p.n != (turn ? 3 : 1))
		return turn ? "is not \"turn:HOST:PORT USER PASSWORD\"" : "has more than \"stun:HOST:PORT\"";
	return NULL;
}

void
ice_server_links(const json_t *list, char out[ICE_SERVER_LINKS])
{
	struct parts p;
	const json_t *one;
	size_t i, n = 0;

	out[0] = '\0';
	json_array_foreach(list, i, one) {
		if (i == ICE_SERVERS_MAX)
			return;
		split(json_string_value(one), &p);
		n += (size_t)snprintf(out + n, ICE_SERVER_LINKS - n, "Link: <%.*s>; rel=\"ice-server\"", p.len[0],
		    p.at[0]);
		if (p.n == 3)
			n += (size_t)snprintf(out + n, ICE_SERVER_LINKS - n, "; username=\"%.*s\"; "
			    "credential=\"%.*s\"; credential-type=\"password\"", p.len[1], p.at[1], p.len[2], p.at[2]);
		n += (size_t)snprintf(out + n, ICE_SERVER_LINKS - n, "\r\n");
	}
}
