/*
 * conf_check.c - what a value must be beyond its type, and what must hold between keys.
 *
 * Addresses, URL patterns, networks, Redis URLs, key hashes; each message says what to write
 * instead. Pure; called by conf_type.c for single values and by conf.c at the end.
 */
#include <arpa/inet.h>
#include <string.h>

#include "conf.h"
#include "net.h"
#include "redis_url.h"
#include "stream_name.h"
#include "ice_server.h"
#include "supervisor/conf_table.h"
#include "target.h"

#define HASH_HEX 64
#define SALT_MAX 64
#define RECORD_PATH_MAX 128
#define EXTENSION_MAX 16
#define EXTENSION_CHARS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-"
#define RUN_DIR_MAX 90		/* run_dir/control.sock must fit sun_path */
#define INGEST_SPARE (64 << 20)	/* programs, libraries, stacks */

int
conf_check_listener(const char *path, const char *text, unsigned line, struct conf_errors *e)
{
	const char *colon = strrchr(text, ':');
	struct net_addr addr;
	int64_t port;

	if (net_parse(text, &addr) == 0)
		return 0;
	if (colon != NULL && conf_parse_int(colon + 1, &port) == 0 && port > 65535) {
		conf_error(e, line, "%s: \"%s\": port above 65535", path, text);
		return -1;
	}
	conf_error(e, line, "%s: \"%s\" is no address: want \":1935\", \"127.0.0.1:1935\" or \"[::1]:1935\""
	    " (numbers, no host names)", path, text);
	return -1;
}

int
conf_check_net(const char *path, const char *text, unsigned line, struct conf_errors *e)
{
	struct net_addr any;

	if (net_parse("127.0.0.1:1", &any) == 0 &&
	    net_in_cidr((const struct sockaddr *)&any.ss, text) != -1)
		return 0;
	conf_error(e, line, "%s: \"%s\" is no network: want 10.0.0.0/8, 127.0.0.1 or ::1", path, text);
	return -1;
}

int
conf_check_address(const char *path, const char *text, unsigned line, struct conf_errors *e)
{
	struct in6_addr any;

	if (inet_pton(AF_INET, text, &any) == 1 || inet_pton(AF_INET6, text, &any) == 1)
		return 0;
	conf_error(e, line, "%s: \"%s\" is no IP address: want 203.0.113.7 or 2001:db8::7, no port and no host name",
	    path, text);
	return -1;
}

int
conf_check_ice_server(const char *path, const char *text, unsigned line, struct conf_errors *e)
{
	const char *wrong = ice_server_check(text);

	if (wrong == NULL)
		return 0;
	conf_error(e, line, "%s: \"%.40s\" %s: want stun:stun.example.org:3478, or turn:HOST:PORT USER PASSWORD", path,
	    text, wrong);
	return -1;
}

int
conf_check_ports(const char *path, const char *text, unsigned line, struct conf_errors *e)
{
	unsigned first, last;

	if (conf_parse_ports(text, &first, &last) == 0)
		return 0;
	conf_error(e, line, "%s: \"%s\" are no ports: want 8200-8299, from 1 to 65535", path, text);
	return -1;
}

int
conf_check_extension(const char *path, const char *text, unsigned line, struct conf_errors *e)
{
	size_t n = strlen(text);

	if (n > 0 && n <= EXTENSION_MAX && text[0] != '.' && strspn(text, EXTENSION_CHARS) == n)
		return 0;
	conf_error(e, line, "%s: \"%s\" is no extension: want mp4 or tar.gz, letters and digits without a dot "
	    "before them, at most %d", path, text, EXTENSION_MAX);
	return -1;
}

/* As a browser writes it (RFC 6454 section 6.2): no path, not even a slash. */
int
conf_check_origin(const char *path, const char *text, unsigned line, struct conf_errors *e)
{
	const char *host = strstr(text, "://");

	if (strcmp(text, "*") == 0 || strcmp(text, "null") == 0)
		return 0;
	if (host != NULL && host != text && host[3] != '\0' && strpbrk(host + 3, "/ ?#@") == NULL)
		return 0;
	conf_error(e, line, "%s: \"%s\" is no origin: want https://HOST or https://HOST:PORT, \"*\", or null for "
	    "pages from files", path, text);
	return -1;
}

#ifdef MILLRACE_REDIS_TLS
#define REDIS_TLS true
#else
#define REDIS_TLS false
#endif

int
conf_check_redis(const char *text, unsigned line, struct conf_errors *e)
{
	struct redis_url url;
	const char *why;

	if (strncmp(text, "rediss://", 9) == 0 && !REDIS_TLS)
		why = "this build's hiredis has no TLS; run stunnel and point redis.url at it";
	else if (redis_url_parse(text, "/", &url, &why) == 0)	/* the length of run_dir is looked at elsewhere */
		return 0;
	conf_error(e, line, "redis.url: %s", why);
	return -1;
}

/* One part of a pattern between slashes. NULL if good, else what is wrong. */
static const char *
check_part(const char *p, size_t len, unsigned *usernames)
{
	size_t i;

	if (len == 0)
		return "has an empty part";
	if (p[0] != '{') {
		for (i = 0; i < len; i++)
			if (p[i] <= ' ' || strchr("{}?#%&", p[i]) != NULL)
				return "has a part with a character that no path part has;"
				    " a variable is a whole part";
		return NULL;
	}
	if (len < 3 || p[len - 1] != '}')
		return "has a variable that is not a whole part, as in /live/{username}";
	for (i = 1; i < len - 1; i++)
		if ((p[i] < 'a' || p[i] > 'z') && p[i] != '_')
			return "has a variable with other letters than a-z and _";
	if (len == strlen("{username}") && strncmp(p, "{username}", len) == 0)
		(*usernames)++;
	return NULL;
}

int
conf_check_pattern(const char *text, unsigned line, struct conf_errors *e)
{
	const char *p = text, *wrong = NULL;
	unsigned usernames = 0;
	size_t len;

	if (text[0] != '/')
		wrong = "does not begin with /";
	while (wrong == NULL && *p == '/') {
		len = strcspn(p + 1, "/");
		wrong = check_part(p + 1, len, &usernames);
		p += 1 + len;
	}
	if (wrong == NULL && usernames != 1)
		wrong = usernames == 0 ? "has no {username}" : "has more than one {username}";
	if (wrong == NULL)
		return 0;
	conf_error(e, line, "authorize.patterns: \"%s\" %s", text, wrong);
	return -1;
}

int
conf_check_hash(const char *name, const char *text, unsigned line, struct conf_errors *e)
{
	size_t salt = strncmp(text, "sha256:", 7) == 0 ? strcspn(text + 7, ":") : 0;
	const char *hex = text + 7 + salt + 1;

	if (strcmp(name, "*") != 0 && !stream_name_ok(name, strlen(name))) {
		conf_error(e, line, "authorize.keys: \"%s\" can't be a stream's name (or *, for all others)",
		    name);
		return -1;
	}
	if (salt > 0 && salt <= SALT_MAX && text[7 + salt] == ':' && strlen(hex) == HASH_HEX &&
	    strspn(hex, "0123456789abcdef") == HASH_HEX)
		return 0;
	/* The text itself is not shown: it may be a key in plain. */
	conf_error(e, line, "authorize.keys: what %s has is no hash: want sha256:SALT:HEX;"
	    " `millrace key %s` makes a key and its hash", name, name);
	return -1;
}

/* --- between keys --- */

struct relation {
	const char *greater, *less;
	bool or_equal;
	int64_t spare;		/* greater must exceed less by this */
	const char *why;
};
static const struct relation relations[] = {
	{ "rtmp.ping_timeout", "rtmp.ping_interval", false, 0,
	    "else every publisher is gone before it can answer" },
	{ "ws.ping_timeout", "ws.ping_interval", false, 0,
	    "else every publisher is gone before it can answer" },
	{ "rtmp.max_buffered", "rtmp.max_message", true, 0, "else the longest message never fits" },
	{ "streams.hls.segment", "streams.hls.batch", true, 0, "else segments come late" },
	{ "streams.record.keep.free_space", "disk.reserve", false, 0,
	    "else recording pauses before anything is deleted; 0B deletes nothing for space" },
	{ "hooks.retry_max", "hooks.retry_min", true, 0, "else the longest wait is shorter than the first" },
};

unsigned
conf_line_of(const unsigned *lines, const char *a, const char *b)
{
	unsigned line = lines[conf_find(a)];

	return line != 0 || b == NULL ? line : lines[conf_find(b)];
}

bool
conf_both_read(const unsigned *lines, const char *a, const char *b)
{
	return lines[conf_find(a)] != CONF_UNREAD && lines[conf_find(b)] != CONF_UNREAD;
}

static void
check_relation(const json_t *conf, const struct relation *r, const unsigned *lines,
    struct conf_errors *e)
{
	int64_t a = conf_int(conf, r->greater), b = conf_int(conf, r->less) + r->spare;

	if (!conf_both_read(lines, r->greater, r->less) || (a == 0 && conf_keys[conf_find(r->greater)].min == 0))
		return;		/* 0: it is off */
	if (r->or_equal ? a < b : a <= b)
		conf_error(e, conf_line_of(lines, r->greater, r->less), "%s must be %s %s: %s", r->greater,
		    r->or_equal ? "at least" : "greater than", r->less, r->why);
}

static void
check_memory(const json_t *conf, const unsigned *lines, struct conf_errors *e)
{
	int64_t need = conf_int(conf, "streams.ring") + conf_int(conf, "rtmp.max_buffered") + INGEST_SPARE;
	char buf[CONF_FORMAT];

	if (conf_both_read(lines, "streams.ring", "rtmp.max_buffered") &&
	    conf_both_read(lines, "limits.ingest_memory", "streams.ring") &&
	    conf_int(conf, "limits.ingest_memory") < need)
		conf_error(e, conf_line_of(lines, "limits.ingest_memory", "streams.ring"),
		    "limits.ingest_memory must be at least %s: streams.ring, rtmp.max_buffered and 64MiB",
		    conf_format_size(need, buf));
}

/* Recordings would wait for ever: a bucket is of a server, and which one no default can know. */
static void
check_bucket(const json_t *conf, const unsigned *lines, struct conf_errors *e)
{
	if (conf_both_read(lines, "storage.s3.bucket", "storage.s3.endpoint") &&
	    conf_str(conf, "storage.s3.bucket")[0] != '\0' && conf_str(conf, "storage.s3.endpoint")[0] == '\0')
		conf_error(e, lines[conf_find("storage.s3.bucket")], "storage.s3.bucket needs storage.s3.endpoint: the "
		    "URL of its server, as https://s3.eu-central-1.amazonaws.com");
}

/* Under recordings/, where /recordings finds them; {stream} and {start} make each name its own. */
static void
check_record_path(const json_t *conf, const unsigned *lines, struct conf_errors *e)
{
	const char *path = conf_str(conf, "streams.record.path");
	size_t n = strlen(path);

	if (n != 0 && (n > RECORD_PATH_MAX || strncmp(path, "recordings/", 11) != 0 || strstr(path, "/.") != NULL ||
	    strstr(path, "//") != NULL || strstr(path, "{start}") == NULL || strstr(path, "{stream}") == NULL ||
	    strcmp(path + n - 4, ".mp4") != 0))
		conf_error(e, conf_line_of(lines, "streams.record.path", NULL), "streams.record.path must be like "
		    "recordings/{stream}/{start}.mp4: under recordings/, with {stream} and {start} in it, not hidden, "
		    ".mp4, of at most %d characters", RECORD_PATH_MAX);
}

static void
check_target(const json_t *conf, const unsigned *lines, struct conf_errors *e)
{
	const char *base = conf_str(conf, "upload.target_base");

	if (!target_ok(conf_str(conf, "upload.target")))
		conf_error(e, conf_line_of(lines, "upload.target", NULL), "upload.target must be like "
		    "rtmp://HOST/APP/NAME (or rtmps://), of at most %d characters; {name} may stand in it",
		    TARGET_CONF_MAX);
	if (base[0] != '\0' && !target_ok(base))
		conf_error(e, conf_line_of(lines, "upload.target_base", NULL), "upload.target_base must be like "
		    "rtmp://HOST/APP (or rtmps://), of at most %d characters", TARGET_CONF_MAX);
}

/* Each worker has a port of its own, the next one. */
static void
check_webrtc(const json_t *conf, const unsigned *lines, struct conf_errors *e)
{
	const char *listen = conf_str(conf, "webrtc.listen"), *colon = strrchr(listen, ':');
	int64_t port = 0, workers = conf_int(conf, "webrtc.workers");

	if (conf_both_read(lines, "webrtc.listen", "webrtc.workers") && colon != NULL &&
	    conf_parse_int(colon + 1, &port) == 0 && port + workers - 1 > 65535)
		conf_error(e, conf_line_of(lines, "webrtc.listen", "webrtc.workers"), "webrtc.listen: %lld workers "
		    "have %lld ports from %lld on, which ends above 65535", (long long)workers, (long long)workers,
		    (long long)port);
}

void
conf_check_relations(const json_t *conf, const unsigned *lines, struct conf_errors *e)
{
	const char *run_dir = conf_str(conf, "run_dir");
	size_t i;

	for (i = 0; i < sizeof(relations) / sizeof(relations[0]); i++)
		check_relation(conf, &relations[i], lines, e);
	check_memory(conf, lines, e);
	check_bucket(conf, lines, e);
	check_record_path(conf, lines, e);
	check_target(conf, lines, e);
	check_webrtc(conf, lines, e);
	conf_check_reach(conf, lines, e);
	if (conf_both_read(lines, "run_dir", "data_dir") && strcmp(run_dir, conf_str(conf, "data_dir")) == 0)
		conf_error(e, conf_line_of(lines, "data_dir", "run_dir"), "run_dir and data_dir are the same");
	if (strlen(run_dir) > RUN_DIR_MAX)
		conf_error(e, conf_line_of(lines, "run_dir", NULL), "run_dir is longer than %d characters:"
		    " the sockets in it could not be opened", RUN_DIR_MAX);
}
