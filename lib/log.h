/*
 * log.h - one line per event, logfmt or JSON, to fd 2. Never blocks: what does
 * not fit is dropped and counted; the count is written with the next line that fits.
 *
 * Line (logfmt): time=RFC3339ms level=info proc=ingest pid=77 stream=alice peer=1.2.3.4:5 msg="..." key=value ...
 * `stream`, `peer`, `worker`, `job`, `file` and the process kind are set once and printed by the logger.
 */
#ifndef MILLRACE_LOG_H
#define MILLRACE_LOG_H

#include <stdint.h>

enum log_level { LOG_LEVEL_ERROR, LOG_LEVEL_WARN, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG };
enum log_format { LOG_LOGFMT, LOG_JSON, LOG_PLAIN };	/* PLAIN: "KIND: warning: text", for a terminal */

/*
 * The supervisor calls this before it drops its rights: fd 2 is replaced by an own
 * open file description with O_NONBLOCK|O_APPEND (sockets are sent to with MSG_DONTWAIT),
 * so that a terminal or pipe shared with others keeps its mode. path NULL = the stderr given.
 */
int log_open(const char *path);
void log_init(const char *kind);
void log_set_stream(const char *name);	/* NULL clears */
void log_set_peer(const char *peer);
void log_set_worker(const char *number);
/* Of what it does now; NULL clears. */
void log_set_job(const char *id, const char *file);
/*
 * Until log_apart(NULL, NULL): the lines are of this stream and file and of no job, whatever was set; borrowed.
 * For what is done beside a job.
 */
void log_apart(const char *stream, const char *file);
void log_set_format(enum log_format f);
void log_set_level(enum log_level l);
enum log_level log_level(void);
int log_level_parse(const char *s, enum log_level *out);
uint64_t log_dropped(void);
/* Called with every line of level warn or worse (svc.c keeps the last words on the board). */
void log_set_hook(void (*cb)(enum log_level, const char *text));

void log_debug(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void log_info(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void log_error(const char *fmt, ...) __attribute__((format(printf, 1, 2)));	/* adds errno's text */
void log_errorx(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void log_warn(const char *fmt, ...) __attribute__((format(printf, 1, 2)));	/* adds errno's text */
void log_warnx(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void fatal(const char *fmt, ...) __attribute__((noreturn, format(printf, 1, 2)));	/* adds errno's text, exit 1 */
void fatalx(const char *fmt, ...) __attribute__((noreturn, format(printf, 1, 2)));
/* Another program's line (ffmpeg's stderr): source is "ffmpeg hls"; keys in URLs are redacted. */
void log_foreign(enum log_level l, const char *source, const char *text, int len);
/* Replaces values of key=, sig=, token=, pass= and rtmp://host/app/KEY's KEY in s by "***", in place. */
void log_redact(char *s);
#endif
