/*
 * log.c - the one way a line gets out: a single write of at most 4096 bytes to fd 2.
 *
 * It may not block: fd 2 is non-blocking (or polled first where it could not be made so), sockets are sent to
 * with MSG_DONTWAIT. 4096 is PIPE_BUF, so lines of several processes on one pipe never mix. What the reader does
 * not take is dropped and counted, and the next line that fits says how many went. Text from outside is escaped
 * here, so no byte of a peer can forge a line or reach a terminal as a control.
 */
#include "log.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "log_quota.h"
#include "util.h"

#define LINE_MAX_BYTES 4096
#define LINE_RESERVE 8		/* room for the closing quote, brace and newline */
#define LOG_FD 2

struct line {
	char buf[LINE_MAX_BYTES];
	size_t len;
	bool json;
};

static struct {
	const char *kind;
	char stream[65], peer[96], worker[12], job[40], file[1024];
	const char *apart_stream, *apart_file;	/* instead of those set; both or none */
	enum log_format format;
	enum log_level level;
	bool socket, blocking;
	uint64_t dropped, unsaid;
	void (*hook)(enum log_level, const char *);
} lg = { .kind = "millrace", .level = LOG_LEVEL_INFO };

static const char *const level_names[] = { "error", "warn", "info", "debug" };

/* What kind of thing is fd 2, and could a write to it wait? */
static void
look_at_fd(void)
{
	struct stat st;
	int flags = fcntl(LOG_FD, F_GETFL);

	lg.socket = fstat(LOG_FD, &st) == 0 && S_ISSOCK(st.st_mode);
	lg.blocking = flags >= 0 && !(flags & O_NONBLOCK);
}

int
log_open(const char *path)
{
	struct stat st;
	int fd;

	if (!path && fstat(LOG_FD, &st) == 0 && S_ISSOCK(st.st_mode)) {
		look_at_fd();
		return 0;
	}
	fd = path ? open(path, O_WRONLY | O_APPEND | O_CREAT | O_NONBLOCK | O_CLOEXEC | O_NOCTTY, 0640)
	    : open("/proc/self/fd/2", O_WRONLY | O_APPEND | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
	if (fd < 0 && path)
		return -1;
	/* A terminal of another user (su) can't be opened again: write_line() polls it. */
	if (fd >= 0) {
		dup2(fd, LOG_FD);
		close(fd);
	}
	look_at_fd();
	return 0;
}

void
log_init(const char *kind)
{
	lg.kind = kind;
	look_at_fd();
}

void
log_set_stream(const char *name)
{
	str_copy(lg.stream, name ? name : "", sizeof lg.stream);
}

void
log_set_peer(const char *peer)
{
	str_copy(lg.peer, peer ? peer : "", sizeof lg.peer);
}

void
log_set_worker(const char *number)
{
	str_copy(lg.worker, number ? number : "", sizeof lg.worker);
}

void
log_set_job(const char *id, const char *file)
{
	str_copy(lg.job, id ? id : "", sizeof lg.job);
	str_copy(lg.file, file ? file : "", sizeof lg.file);
}

void
log_apart(const char *stream, const char *file)
{
	lg.apart_stream = stream;
	lg.apart_file = file;
}

void
log_set_format(enum log_format f)
{
	lg.format = f;
}

void
log_set_level(enum log_level l)
{
	lg.level = l;
}

enum log_level
log_level(void)
{
	return lg.level;
}

int
log_level_parse(const char *s, enum log_level *out)
{
	for (size_t i = 0; i < sizeof level_names / sizeof level_names[0]; i++)
		if (strcmp(s, level_names[i]) == 0) {
			*out = (enum log_level)i;
			return 0;
		}
	errno = EINVAL;
	return -1;
}

uint64_t
log_dropped(void)
{
	return lg.dropped;
}

void
log_set_hook(void (*cb)(enum log_level, const char *text))
{
	lg.hook = cb;
}

static void
put(struct line *l, const char *s, size_t n)
{
	if (l->len + n > sizeof l->buf - LINE_RESERVE)
		return;
	memcpy(l->buf + l->len, s, n);
	l->len += n;
}

/* One character of the value at s, escaped; how many bytes of s it took. */
static size_t
put_char(struct line *l, const uint8_t *s, size_t len)
{
	static const char replacement[] = "\xef\xbf\xbd";
	char esc[8];
	size_t n = utf8_sequence(s, len);
	bool c1 = n == 2 && s[0] == 0xc2 && s[1] < 0xa0;

	if (s[0] == '"' || s[0] == '\\') {
		esc[0] = '\\';
		esc[1] = (char)s[0];
		put(l, esc, 2);
	} else if (s[0] == '\n') {
		put(l, "\\n", 2);
	} else if (s[0] < 0x20 || s[0] == 0x7f || c1) {
		snprintf(esc, sizeof esc, "\\u%04x", c1 ? s[1] : s[0]);
		put(l, esc, 6);
	} else
		put(l, n == 0 ? replacement : (const char *)s, n == 0 ? 3 : n);
	return n ? n : 1;
}

static bool
plain(const char *s)
{
	if (!*s)
		return false;
	for (; *s; s++)
		if ((unsigned char)*s <= ' ' || (unsigned char)*s >= 0x7f || strchr("\"\\=", *s))
			return false;
	return true;
}

static void
put_field(struct line *l, const char *key, const char *value, size_t len, bool bare)
{
	if (l->len > 0)
		put(l, l->json ? "," : " ", 1);
	if (l->json)
		put(l, "\"", 1);
	put(l, key, strlen(key));
	put(l, l->json ? "\":" : "=", l->json ? 2 : 1);
	if (bare) {
		put(l, value, len);
		return;
	}
	put(l, "\"", 1);
	for (size_t i = 0; i < len;)
		i += put_char(l, (const uint8_t *)value + i, len - i);
	/* Not put(): the reserve is for this. */
	l->buf[l->len++] = '"';
}

static void
put_text(struct line *l, const char *key, const char *value)
{
	put_field(l, key, value, strlen(value), !l->json && plain(value));
}

static void
put_set(struct line *l, const char *key, const char *value)
{
	if (value[0])
		put_text(l, key, value);
}

static void
put_number(struct line *l, const char *key, uint64_t value)
{
	char text[24];

	put_field(l, key, text, (size_t)snprintf(text, sizeof text, "%llu",
	    (unsigned long long)value), true);
}

static void
write_line(struct line *l)
{
	struct pollfd p = { .fd = LOG_FD, .events = POLLOUT };
	ssize_t n;

	if (l->json)
		l->buf[l->len++] = '}';
	l->buf[l->len++] = '\n';
	if (lg.socket)
		n = send(LOG_FD, l->buf, l->len, MSG_DONTWAIT | MSG_NOSIGNAL);
	else if (lg.blocking && (poll(&p, 1, 0) != 1 || !(p.revents & POLLOUT)))
		n = -1;
	else
		n = write(LOG_FD, l->buf, l->len);
	if (n < 0) {
		lg.dropped++;
		lg.unsaid++;
	} else {
		lg.unsaid = 0;
	}
}

static void
emit(enum log_level level, const char *source, const char *text, size_t len)
{
	struct line l = { .len = 0, .json = lg.format == LOG_JSON };
	char when[32];

	if (lg.format == LOG_PLAIN) {
		snprintf(l.buf, sizeof l.buf - LINE_RESERVE, "%s: %s%s", lg.kind,
		    level == LOG_LEVEL_WARN ? "warning: " : "", text);
		l.len = strlen(l.buf);
		write_line(&l);
		return;
	}
	wall_format(wall_ms(), when);
	if (l.json)
		put(&l, "{", 1);
	put_field(&l, "time", when, strlen(when), !l.json);
	if (l.json)
		memmove(l.buf + 1, l.buf + 2, --l.len - 1);	/* the comma behind the brace */
	put_text(&l, "level", level_names[level]);
	put_text(&l, "proc", lg.kind);
	put_number(&l, "pid", (uint64_t)getpid());
	put_set(&l, "worker", lg.worker);
	put_set(&l, "stream", lg.apart_stream ? lg.apart_stream : lg.stream);
	put_set(&l, "peer", lg.peer);
	put_set(&l, "job", lg.apart_file ? "" : lg.job);
	put_set(&l, "file", lg.apart_file ? lg.apart_file : lg.file);
	if (source)
		put_text(&l, "source", source);
	if (lg.unsaid > 0)
		put_number(&l, "dropped", lg.unsaid);
	put_field(&l, "msg", text, len, false);
	write_line(&l);
}

static void __attribute__((format(printf, 3, 0)))
vlog(enum log_level level, bool with_errno, const char *fmt, va_list ap)
{
	int saved = errno;
	char text[LINE_MAX_BYTES];
	int n;

	if (level > lg.level && !(lg.hook && level <= LOG_LEVEL_WARN))
		return;
	n = vsnprintf(text, sizeof text, fmt, ap);
	if (with_errno && n >= 0 && (size_t)n < sizeof text)
		snprintf(text + n, sizeof text - (size_t)n, ": %s", strerror(saved));
	if (level <= lg.level)
		emit(level, NULL, text, strlen(text));
	if (lg.hook && level <= LOG_LEVEL_WARN)
		lg.hook(level, text);
	errno = saved;
}

#define VLOG(level, with_errno) \
	do { \
		va_list ap; \
		va_start(ap, fmt); \
		vlog(level, with_errno, fmt, ap); \
		va_end(ap); \
	} while (0)

void
log_debug(const char *fmt, ...)
{
	VLOG(LOG_LEVEL_DEBUG, false);
}

void
log_info(const char *fmt, ...)
{
	VLOG(LOG_LEVEL_INFO, false);
}

void
log_warn(const char *fmt, ...)
{
	VLOG(LOG_LEVEL_WARN, true);
}

void
log_warnx(const char *fmt, ...)
{
	VLOG(LOG_LEVEL_WARN, false);
}

void
log_error(const char *fmt, ...)
{
	VLOG(LOG_LEVEL_ERROR, true);
}

void
log_errorx(const char *fmt, ...)
{
	VLOG(LOG_LEVEL_ERROR, false);
}

void
fatal(const char *fmt, ...)
{
	VLOG(LOG_LEVEL_ERROR, true);
	exit(1);
}

void
fatalx(const char *fmt, ...)
{
	VLOG(LOG_LEVEL_ERROR, false);
	exit(1);
}

void
log_foreign(enum log_level l, const char *source, const char *text, int len)
{
	char copy[LINE_MAX_BYTES];
	size_t n = len < 0 ? 0 : (size_t)len;

	if (l > lg.level || !log_quota_take())
		return;
	if (n >= sizeof copy)
		n = sizeof copy - 1;
	for (size_t i = 0; i < n; i++)
		copy[i] = text[i] ? text[i] : ' ';
	copy[n] = '\0';
	log_redact(copy);
	emit(l, source, copy, strlen(copy));
}
