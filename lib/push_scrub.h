/* push_scrub.h - a push's key out of what ffmpeg and the target say. Pure. */
#ifndef MILLRACE_PUSH_SCRUB_H
#define MILLRACE_PUSH_SCRUB_H

/*
 * Foreign text in which url, its key, query or password may stand: stars for them, in place; it never grows.
 * What log_redact() finds by itself goes, too.
 */
void push_scrub(const char *url, char *text);
#endif
