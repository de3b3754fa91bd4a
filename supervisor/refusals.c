/*
 * refusals.c - who was refused, and why: counters by reason and the last one in run/board, and
 * the log.
 *
 * An encoder that insists must not fill the log: the same address, name and words are said
 * once, then counted, and the count is said when it has been silent about them for
 * SAY_AGAIN_MS; the table is bounded, what does not fit is counted together. Called by
 * accept.c (limits), streams_claim.c and streams_event.c; report.c gives it the time.
 */
#include "supervisor/refusals.h"

#include <string.h>

#include "log.h"
#include "supervisor/supervisor.h"
#include "util.h"

#define REMEMBERED 64		/* address, name and words at a time */
#define SAY_AGAIN_MS 10000

struct remembered {
	char host[NET_TEXT], name[BOARD_NAME], text[256];
	int64_t said_ms;	/* 0 = free */
	unsigned unsaid;
};

static struct remembered table[REMEMBERED];
static unsigned not_remembered;	/* said by nobody yet */
static int64_t not_remembered_ms;

static enum board_refusal
reason_of(const char *code)
{
	unsigned i;

	for (i = 0; i < BOARD_REFUSALS; i++)
		if (strcmp(board_refusal_name(i), code) == 0)
			return i;
	return BOARD_REFUSED_OTHER;
}

void
refusals_count(const char *code, const char *peer, const char *name, const char *text)
{
	struct board_refused *last;
	struct board_header *h;

	sv.refused++;
	if (sv.board == NULL)
		return;
	h = board_header(sv.board);
	last = &h->last_refused;
	board_begin(&h->seq);
	h->refused = sv.refused;
	h->refusals[reason_of(code)]++;
	last->wall_ms = wall_ms();
	if (reason_of(code) == BOARD_REFUSED_LIMIT)
		h->limit_wall_ms = last->wall_ms;
	last->reason = reason_of(code);
	str_copy(last->peer, peer, sizeof(last->peer));
	str_copy(last->name, name, sizeof(last->name));
	str_copy(last->text, text, sizeof(last->text));
	log_redact(last->text);
	board_end(&h->seq);
}

/* The one that is it already, else a free place, else NULL. */
static struct remembered *
find(const char *host, const char *name, const char *text)
{
	struct remembered *r, *room = NULL;

	for (r = table; r < table + REMEMBERED; r++) {
		if (r->said_ms == 0)
			room = r;
		else if (strcmp(r->host, host) == 0 && strcmp(r->name, name) == 0 &&
		    strncmp(r->text, text, sizeof(r->text) - 1) == 0)
			return r;
	}
	return room;
}

static void
say(const char *peer, const char *name, const char *text, unsigned again)
{
	char count[40] = "";

	if (again > 0)
		snprintf(count, sizeof(count), " %u time%s more", again, again == 1 ? "" : "s");
	log_info("refused %s%s%s%s: %s", peer, name[0] != '\0' ? " as stream " : "", name, count, text);
}

void
refusals_say(const char *code, const char *peer, const char *name, const char *text)
{
	const char *colon = strrchr(peer, ':');
	struct remembered *r;
	char host[NET_TEXT];

	refusals_count(code, peer, name, text);
	snprintf(host, sizeof(host), "%.*s", (int)(colon != NULL ? colon - peer : (long)strlen(peer)), peer);
	r = find(host, name, text);
	if (r == NULL)
		not_remembered++;
	else if (r->said_ms != 0)
		r->unsaid++;
	else {
		str_copy(r->host, host, sizeof(r->host));
		str_copy(r->name, name, sizeof(r->name));
		str_copy(r->text, text, sizeof(r->text));
		r->said_ms = now_ms();
		say(peer, name, text, 0);
	}
}

void
refusals_flush(int64_t now, bool all)
{
	struct remembered *r;

	for (r = table; r < table + REMEMBERED; r++) {
		if (r->said_ms == 0 || (!all && now - r->said_ms < SAY_AGAIN_MS))
			continue;
		if (r->unsaid > 0)
			say(r->host, r->name, r->text, r->unsaid);
		/* One that insists stays, so that its next try is not news. */
		r->said_ms = r->unsaid > 0 ? now : 0;
		r->unsaid = 0;
	}
	if (not_remembered > 0 && (all || now - not_remembered_ms >= 1000)) {
		log_info("refused %u more, of too many addresses, names and reasons to tell", not_remembered);
		not_remembered = 0;
		not_remembered_ms = now;
	}
}
