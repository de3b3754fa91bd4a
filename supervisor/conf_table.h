/*
 * conf_table.h - what the conf*.c files share: the table of keys, the YAML tree with its line
 * numbers, the list of errors. Others use conf_load, conf_view and conf_plan of supervisor.h;
 * the CLI also conf_find and the formats; tests and the fuzzer conf_load_buffer.
 */
#ifndef MILLRACE_CONF_TABLE_H
#define MILLRACE_CONF_TABLE_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CONF_FILE_MAX (1 << 20)		/* bytes of YAML */
#define CONF_DEPTH_MAX 12		/* lists and maps inside each other */
#define CONF_NODES_MAX 20000
#define CONF_ERRORS_MAX 50

enum conf_type {
	CONF_TEXT, CONF_PATH, CONF_BOOL, CONF_INT, CONF_DURATION, CONF_SIZE, CONF_CHOICE, CONF_REDIS,
	CONF_URL, CONF_BASE_URL, CONF_SECRET, CONF_ADDRESS, CONF_PORTS, CONF_BITRATE,
	CONF_LISTENERS, CONF_PATTERNS, CONF_CHOICES, CONF_NETS, CONF_EXTENSIONS,
	CONF_ORIGINS, CONF_ADDRESSES, CONF_ICE_SERVERS, CONF_PATTERN_LIST, CONF_KEYS,
	CONF_WATCH, CONF_PUSH, CONF_HOOKS,
};
/* What a reload does with a change. */
enum conf_class { CONF_LIVE, CONF_NEW_STREAMS, CONF_RESTART };
/* Kinds of children that may see a key; the supervisor sees all. */
enum { SEE_INGEST = 1, SEE_FINISH = 2, SEE_HTTP = 4, SEE_REGISTRY = 8, SEE_JOBS = 16, SEE_WATCH = 32,
	SEE_WEBRTC = 64, SEE_HOOKS = 128, SEE_ALL = 255 };

struct conf_key {
	const char *path;	/* dotted */
	enum conf_type type;
	const char *standard;	/* the default as one would write it in YAML */
	enum conf_class class;
	unsigned seen_by;
	int64_t min, max;	/* of the normalised number; both 0 = any */
	const char *choices;	/* "a|b" */
	const char *doc;
	bool secret;		/* never shown */
};
extern const struct conf_key conf_keys[];
extern const size_t conf_nkeys;
/* Index in conf_keys, or -1. */
int conf_find(const char *path);
/* Is path a section: the beginning of keys? */
bool conf_is_section(const char *path);
/* "listen, chunk_size, ...": the keys of a section; of "" the keys and sections at the
 * top. free(). */
char *conf_children(const char *section);
/* The key or section that path most likely means, in buf; NULL if nothing is near. */
#define CONF_NAME 65
const char *conf_nearest(const char *path, char buf[CONF_NAME]);

struct conf_errors {
	const char *file;	/* for the messages */
	json_t *list;		/* borrowed; at most CONF_ERRORS_MAX */
	unsigned count;		/* all, also those not listed */
};
/* "FILE:LINE: text"; line 0 leaves it out. */
void conf_error(struct conf_errors *e, unsigned line, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* --- conf_yaml.c --- */
enum conf_node_kind { CONF_SCALAR, CONF_LIST, CONF_MAP };
struct conf_node {
	struct conf_node *next, *first;	/* sibling; first member of a list or map */
	enum conf_node_kind kind;
	unsigned line;
	bool plain;			/* scalar without quotes */
	char *key;			/* in a map */
	char *text;			/* scalar */
};
/* NULL after an error; an empty document is an empty map. conf_yaml_free(). */
struct conf_node *conf_yaml_parse(const char *text, size_t len, struct conf_errors *e);
void conf_yaml_free(struct conf_node **n);
/* Nothing is written there ("key:", "~", "null"): the default holds. */
bool conf_node_is_null(const struct conf_node *n);

/* --- conf_env.c --- */
/* ${NAME} and ${NAME:-default} replaced, "$${" is a plain "${". free(); NULL after an error. */
char *conf_env_expand(const char *text, unsigned line, struct conf_errors *e);

/* --- conf_value.c: 0, or -1 for bad text or overflow --- */
#define CONF_FORMAT 32
int conf_parse_duration(const char *text, int64_t *ms);
int conf_parse_size(const char *text, int64_t *bytes);
int conf_parse_int(const char *text, int64_t *out);
int conf_parse_bitrate(const char *text, int64_t *bps);	/* "96k" "2M" "64000" */
int conf_parse_ports(const char *text, unsigned *first, unsigned *last);	/* "8200-8299" "8200" */
const char *conf_format_duration(int64_t ms, char buf[CONF_FORMAT]);	/* "5s" "250ms" */
const char *conf_format_size(int64_t bytes, char buf[CONF_FORMAT]);	/* "8MiB" "2500000B" */
const char *conf_format_bitrate(int64_t bps, char buf[CONF_FORMAT]);	/* "96k" */

/* --- conf_type.c --- */
/* The normalised value of one key, or NULL after an error. */
json_t *conf_read(const struct conf_key *k, const struct conf_node *n, struct conf_errors *e);

/* --- conf_watch.c: the list of watched folders; NULL after an error --- */
json_t *conf_read_watch(const struct conf_key *k, const struct conf_node *n, struct conf_errors *e);

/* --- conf_push.c: the list of push targets; NULL after an error --- */
json_t *conf_read_push(const struct conf_key *k, const struct conf_node *n, struct conf_errors *e);

/* --- conf_hooks.c: the list of URLs that events are sent to; NULL after an error --- */
json_t *conf_read_hooks(const struct conf_key *k, const struct conf_node *n, struct conf_errors *e);
#define CONF_HOOK_ID 17
/* The id of one that was given none. Pure. */
void conf_hook_id(const char *url, const char *style, char out[CONF_HOOK_ID]);
#define CONF_HOOK_SHOWN 200
/* As much of it as has no secrets: "https://host:8443/...". Returns out. */
const char *conf_hook_show(const char *url, char out[CONF_HOOK_SHOWN]);
int conf_check_pattern_name(const char *path, const char *text, unsigned line, struct conf_errors *e);

/* --- conf_check.c: 0, or -1 after an error --- */
int conf_check_listener(const char *path, const char *text, unsigned line, struct conf_errors *e);
int conf_check_pattern(const char *text, unsigned line, struct conf_errors *e);
/* An IP address without port. */
int conf_check_address(const char *path, const char *text, unsigned line, struct conf_errors *e);
/* An entry of webrtc.ice_servers (lib/ice_server.h). */
int conf_check_ice_server(const char *path, const char *text, unsigned line, struct conf_errors *e);
int conf_check_ports(const char *path, const char *text, unsigned line, struct conf_errors *e);
int conf_check_net(const char *path, const char *text, unsigned line, struct conf_errors *e);
int conf_check_extension(const char *path, const char *text, unsigned line, struct conf_errors *e);
int conf_check_origin(const char *path, const char *text, unsigned line, struct conf_errors *e);
int conf_check_redis(const char *text, unsigned line, struct conf_errors *e);
int conf_check_hash(const char *name, const char *text, unsigned line, struct conf_errors *e);
/* What must hold between keys; lines[] by index of conf_keys, 0 = default. CONF_UNREAD: it was
 * given, but not as can be read; nothing is said of what depends on it. */
#define CONF_UNREAD (~0u)
void conf_check_relations(const json_t *conf, const unsigned *lines, struct conf_errors *e);
/* Both were understood; a default always is. */
bool conf_both_read(const unsigned *lines, const char *a, const char *b);
/* The line of a, or else of b, which may be NULL. */
unsigned conf_line_of(const unsigned *lines, const char *a, const char *b);

/* --- conf_reach.c: of these, ports and URLs; what only may go wrong as "warning: .." --- */
void conf_check_reach(const json_t *conf, const unsigned *lines, struct conf_errors *e);
void conf_reach_hints(const json_t *conf, struct conf_errors *e);

/* --- conf.c --- */
/* As conf_load, from memory. NULL if anything was wrong; then errors has at least one text. */
json_t *conf_load_buffer(const char *file, const char *text, size_t len, json_t *errors);
/* The line that has the key; 0 if it is not in the file, or the file can't be read (now). */
unsigned conf_line(const char *file, const char *key);
/* Sets a dotted path, making the objects on the way; value is stolen. */
void conf_set(json_t *root, const char *path, json_t *value);
#endif
