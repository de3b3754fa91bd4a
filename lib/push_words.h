/*
 * push_words.h - why a push's ffmpeg ended, out of the lines of its stderr. Pure: the lines are
 * foreign text, of ffmpeg and in it of the target; keys are taken out by who knows the URL (push_scrub.h):
 * the supervisor, or the jobs worker.
 */
#ifndef MILLRACE_PUSH_WORDS_H
#define MILLRACE_PUSH_WORDS_H

#include <stdbool.h>

#define PUSH_WORDS 200

struct push_words {
	int rank;		/* of the text: what the target says tells more than what ffmpeg makes of it */
	char text[PUSH_WORDS];	/* "": it said nothing */
};

void push_words_clear(struct push_words *w);
/* true: this line says that the target has accepted the stream. */
bool push_words_line(struct push_words *w, const char *line);
#endif
