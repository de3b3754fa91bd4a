/*
 * child_obituary.c - one log line for every death: who, how long it lived, what ended it,
 * its last words, and what happens next.
 *
 * Says only; it decides nothing. What is a clean end is said quietly, and a connection
 * that never became a stream is worth no line at the usual level: anybody can open those.
 * Called by child.c when a process is reaped and its channel is read to the end.
 */
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

#include "log.h"
#include "supervisor/child.h"
#include "util.h"

const char *
child_status_text(int status, char *buf, size_t size)
{
	const char *abbrev;

	if (WIFSIGNALED(status)) {
		abbrev = sigabbrev_np(WTERMSIG(status));
		snprintf(buf, size, "killed by SIG%s%s", abbrev != NULL ? abbrev : "?",
		    WCOREDUMP(status) ? " (core dumped)" : "");
	} else
		snprintf(buf, size, "exit code %d", WEXITSTATUS(status));
	return buf;
}

/* "http 1 (pid 77)", "ingest of alice (pid 78)". */
static void
describe(const struct child *c, char *buf, size_t size)
{
	const char *kind = child_kind_name(c->kind);

	if (c->name[0] == '\0')
		snprintf(buf, size, "%s (pid %d)", kind, (int)c->pid);
	else if (c->kind == KIND_HTTP || c->kind == KIND_JOBS || c->kind == KIND_WEBRTC)
		snprintf(buf, size, "%s %s (pid %d)", kind, c->name, (int)c->pid);
	else
		snprintf(buf, size, "%s of %s (pid %d)", kind, c->name, (int)c->pid);
}

static void
last_words(const struct child *c, char *buf, size_t size)
{
	struct board_page page;

	buf[0] = '\0';
	/* A page torn by its writer's death is still worth reading for its text. */
	if (c->page == NULL)
		return;
	if (board_read_page(c->page, &page) == -1)
		memcpy(&page, c->page, sizeof(page));
	page.last_words[sizeof(page.last_words) - 1] = '\0';
	if (page.last_words[0] != '\0')
		snprintf(buf, size, "; last words: %s", page.last_words);
}

void
child_obituary(const struct child *c, const char *next, bool quiet)
{
	bool clean = WIFEXITED(c->status) && WEXITSTATUS(c->status) == 0;
	char who[120], how[64], words[240];
	const char *why = c->reason[0] != '\0' ? c->reason : NULL;
	double lived = (double)(now_ms() - (c->conn_ms != 0 ? c->conn_ms : c->started_ms)) / 1000;

	describe(c, who, sizeof(who));
	last_words(c, words, sizeof(words));
	if (c->adopted)
		str_copy(how, "was not our child, its exit code is unknown", sizeof(how));
	else
		child_status_text(c->status, how, sizeof(how));
	if (quiet && (clean || c->asked))
		log_debug("%s ended after %.1f s%s%s", who, lived, why != NULL ? ": " : "",
		    why != NULL ? why : "");
	else if (c->asked || (clean && !c->wanted))
		log_info("%s ended after %.1f s: %s%s%s%s%s", who, lived, how,
		    why != NULL ? "; " : "", why != NULL ? why : "", next[0] != '\0' ? "; " : "",
		    next);
	else
		log_warnx("%s died after %.1f s: %s%s%s%s%s%s", who, lived, how,
		    why != NULL ? "; " : "", why != NULL ? why : "", words,
		    next[0] != '\0' ? "; " : "", next);
}
