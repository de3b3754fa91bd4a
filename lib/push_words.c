/*
 * push_words.c - ffmpeg's stderr of a push into words for people (contract in push_words.h).
 * Called for each line, in order, by sink_push.c and the jobs worker's push.c.
 *
 * ffmpeg 5 and 7 say the same things with other heads: "[rtmp @ 0x55..] [error] Server error: ..",
 * "[error] rtmp://..: Connection refused". What is known is said in our words.
 */
#include "push_words.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "util.h"

enum { RANK_NONE, RANK_LINE, RANK_KNOWN, RANK_CAUSE };

#define UNTRUSTED "its certificate can't be trusted: expired, or signed by none of the file of CAs"

static const struct { const char *part; int rank; const char *words; } known[] = {
	{ "Server error: ", RANK_CAUSE, NULL },		/* its own words follow */
	{ "resolve hostname", RANK_CAUSE, "its host name can't be resolved" },
	{ "Error while reading file", RANK_CAUSE, "the file of CAs can't be read" },
	{ "does not match hostname", RANK_CAUSE, "its certificate is for another host name" },
	{ "Unable to verify peer", RANK_CAUSE, UNTRUSTED },
	{ "certificate", RANK_CAUSE, UNTRUSTED },
	{ "TLS fatal alert", RANK_CAUSE, "it speaks no TLS that we do" },
	{ "An unexpected TLS packet", RANK_CAUSE, "it speaks no TLS: want rtmp:// instead of rtmps://?" },
	{ "Connection refused", RANK_CAUSE, "connection refused: nothing listens there" },
	{ "No route to host", RANK_CAUSE, "no route to its host" },
	{ "Network is unreachable", RANK_CAUSE, "its network can't be reached" },
	{ "Connection timed out", RANK_KNOWN, "it does not answer" },
	{ "Broken pipe", RANK_KNOWN, "it closed the connection" },
	{ "Connection reset", RANK_KNOWN, "it closed the connection" },
	{ "Input/output error", RANK_KNOWN, "it closed the connection or went mute: a wrong app or key?" },
	{ "End of file", RANK_KNOWN, "it closed the connection or went mute: a wrong app or key?" },
	{ "Protocol not found", RANK_KNOWN, "this ffmpeg can't speak its protocol" },
	{ "Unknown encoder", RANK_KNOWN, "this ffmpeg has no H.264 encoder to transcode with" },
};

void
push_words_clear(struct push_words *w)
{
	w->rank = RANK_NONE;
	w->text[0] = '\0';
}

/* Behind "[rtmp @ 0x55..] [error] ". */
static const char *
bare(const char *line)
{
	const char *end;

	while (*line == '[' && (end = strchr(line, ']')) != NULL) {
		line = end + 1;
		line += strspn(line, " ");
	}
	return line;
}

static void
set(struct push_words *w, int rank, const char *text)
{
	if (rank < w->rank || (rank == w->rank && rank != RANK_LINE))
		return;
	w->rank = rank;
	str_copy(w->text, text, sizeof(w->text));
}

static void
take_error(struct push_words *w, const char *line)
{
	char text[PUSH_WORDS];
	const char *at;

	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
		at = strstr(line, known[i].part);
		if (at == NULL)
			continue;
		if (known[i].words == NULL)
			snprintf(text, sizeof(text), "it refuses: %s", at + strlen(known[i].part));
		set(w, known[i].rank, known[i].words != NULL ? known[i].words : text);
		return;
	}
	set(w, RANK_LINE, bare(line));
}

bool
push_words_line(struct push_words *w, const char *line)
{
	if (strstr(line, "[error]") != NULL || strstr(line, "[fatal]") != NULL)
		take_error(w, line);
	return strncmp(bare(line), "Output #0", 9) == 0;
}
