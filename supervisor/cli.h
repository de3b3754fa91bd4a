/*
 * cli.h - what the files of `millrace` share: where the server is, the snapshot of its board,
 * formats, the control socket. The board is the only source of status (lib/board.h).
 *
 *   cli_main.c    options; cli_help.c the verb table  cli_status.c  status, streams, --watch
 *   cli_place.c   finds config and run_dir            cli_board.c   board -> snapshot
 *   cli_hint.c    what to type next
 *   cli_ask.c     control.sock, one question          cli_advice.c  snapshot -> warnings
 *   cli_verbs.c   kick reload loglevel stop           cli_json.c    snapshot -> --json
 *   cli_sign.c    sign-url key hash-key               cli_text.c    snapshot -> tables
 *   cli_table.c   columns that fit                    cli_format.c  ages, sizes, rates
 *   cli_push.c    push                             cli_hooks.c   hooks
 *   cli_jobs.c    jobs files                       cli_work.c    recordings, queue -> words
 *   cli_cluster.c status --cluster
 */
#ifndef MILLRACE_CLI_H
#define MILLRACE_CLI_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "board.h"

enum { CLI_OK = 0, CLI_FAILING = 1, CLI_USAGE = 2, CLI_NOT_RUNNING = 3 };
#define CLI_WIDTH 100	/* of sentences; of tables at least */
#define CLI_HOST_DEAD_MS 15000	/* a host without a heartbeat for so long */
#define CLI_HUNG_MS 5000	/* an older beat: the supervisor hangs */

/* --- cli_place.c --- */
struct cli {
	const char *conf_path;	/* -c, or found; NULL with -r */
	const char *run_dir;	/* -r, or the config's; NULL until cli_locate() */
	json_t *conf;		/* NULL until cli_config(), or if it has errors */
	json_t *peeked;		/* run_dir of a config that has errors */
	bool conf_own;		/* the config is the one that scripts/run wrote */
};
#define CLI_SYSTEM_CONF "/etc/millrace/millrace.yaml"
/* Reads the config: 0, or -1 after messages on stderr. */
int cli_config(struct cli *c);
/* run_dir is known: 0, or -1 after messages. Errors in other keys are shown and survived. */
int cli_locate(struct cli *c);

/* --- cli_hint.c --- */
/* What starts the server where our program lies in dir. free(). */
char *cli_start_command(const struct cli *c, const char *dir);
void cli_print_start(const struct cli *c, FILE *out);
/* The server of scripts/run is down: says so if the one in run_dir, the service's, is up. */
void cli_other_runs(const struct cli *c, const char *run_dir, FILE *out);
/* The message for a file in run_dir that this user may not open. */
void cli_not_permitted(const struct cli *c, const char *file);

/* --- cli_board.c --- */
enum cli_state { CLI_STATE_DOWN, CLI_STATE_DEAD, CLI_STATE_HUNG, CLI_STATE_UP };
struct cli_snap {
	enum cli_state state;		/* DOWN: there is no board */
	struct board_header h;
	int64_t now_ms, wall_ms;
	int64_t beat_age_ms;		/* -1: from before the last boot */
	struct board_proc *procs;	/* by kind, then pid */
	struct board_stream *streams;	/* by name */
	unsigned nprocs, nstreams;
	int64_t segment_ms;		/* streams.hls.segment */
	json_t *hosts, *cluster;	/* the registry's answers; NULL: not asked or none */
	bool registry_silent;		/* asked in vain */
};
/* 0; -1 + errno for a board that can't be read (EACCES, EPROTO). No board is no error. */
int cli_snap_read(struct cli_snap *s, const char *run_dir);
void cli_snap_free(struct cli_snap *s);
/* The stream's media figures, or NULL without a live ingest. */
const struct board_media *cli_snap_media(const struct cli_snap *s, const struct board_stream *b);
const struct board_registry *cli_snap_registry(const struct cli_snap *s);	/* or NULL */
const struct board_watch *cli_snap_watch(const struct cli_snap *s);	/* or NULL */
/* "healthy", or the first thing that is wrong. */
const char *cli_snap_health(const struct cli_snap *s, char *buf, size_t size);
int cli_snap_exit_code(const struct cli_snap *s);

/* --- cli_advice.c --- */
/* [{stream (or ""), text}]: what is wrong and what to change. New reference. */
json_t *cli_advice(const struct cli_snap *s);

/* --- cli_json.c, cli_text.c --- */
json_t *cli_json_status(const struct cli_snap *s);	/* the fixed shape */
json_t *cli_json_streams(const struct cli_snap *s);
void cli_text_status(const struct cli_snap *s, FILE *out);
void cli_text_streams(const struct cli_snap *s, FILE *out);

/* --- cli_ask.c --- */
/* Sends and waits. rc of the REPLY, *body (may be NULL pointer) a new reference; -1 after a message. */
int cli_ask(const struct cli *c, uint16_t type, json_t *body, json_t **reply);
/* A CALL of "jobs" or "registry", args stolen; as cli_ask(). */
int cli_call(const struct cli *c, const char *to, const char *verb, json_t *args, json_t **reply);
/* Says why it gave no answer, and what to do. */
void cli_call_failed(const char *what, int rc, const json_t *body);
/* Asks the registry for hosts and streams, 300 ms in all, when there is more than one host. */
void cli_ask_cluster(const struct cli *c, struct cli_snap *s);

/* --- cli_format.c --- */
#define CLI_FORMAT 32
const char *cli_age(int64_t ms, char buf[CLI_FORMAT]);		/* "0.3s" "12s" "3m12s" "3h12m" "5d3h" */
const char *cli_bytes(int64_t bytes, char buf[CLI_FORMAT]);	/* "812B" "3.4K" "12.3M" */
const char *cli_rate(int64_t bps, char buf[CLI_FORMAT]);	/* bit/s: "850k" "2.41M" */
const char *cli_seconds(int64_t ms, char buf[CLI_FORMAT]);	/* "8.3", "25": for sentences */
/* The columns a table may have there: $COLUMNS, the terminal's, as many as it needs in a pipe. */
int cli_width(FILE *out);
/* Foreign text: what a terminal would obey, or the locale can't show, becomes '?'. */
void cli_printable(char *s);
/* The bytes of s that fit in width columns, and the columns they take. */
size_t cli_fit(const char *s, int width, int *columns);
/* s on as many lines as needed, each indented; control characters become '?'. */
void cli_wrap(FILE *out, const char *first, int indent, const char *s);

/* --- cli_table.c --- */
struct cli_column {
	const char *title;	/* NULL ends the list */
	bool right;
	int min;		/* may be shortened to this; 0 = never */
};
struct cli_table;
struct cli_table *cli_table_new(const struct cli_column *columns);
/* The next cell, row by row. */
void cli_table_cell(struct cli_table *t, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* Columns without any text are left out. Prints nothing without rows; frees t. */
void cli_table_print(struct cli_table *t, FILE *out, int width);

/* --- cli_work.c --- */
const char *cli_record_state(const struct board_media *m);	/* "" if it is not recorded; m may be NULL */
json_t *cli_json_record(const struct board_media *m);
void cli_text_record(const struct board_stream *b, const struct board_media *m, struct cli_table *t);
json_t *cli_json_jobs(const struct cli_snap *s);		/* null: they are not known */
json_t *cli_json_job(const struct cli_snap *s, const struct board_proc *p);	/* null: it does nothing */
void cli_text_jobs(const struct cli_snap *s, FILE *out);

/* --- cli_webrtc.c --- */
json_t *cli_json_webrtc(const struct cli_snap *s);		/* null: there is no worker */
void cli_text_webrtc(const struct cli_snap *s, FILE *out);

/* --- cli_cluster.c --- */
int cli_cluster(const struct cli *c, bool as_json);	/* exit code */

/* --- cli_status.c, cli_verbs.c, cli_jobs.c, cli_push.c, cli_sign.c: verbs; argv[0] is the verb. Exit codes. --- */
int cli_status(struct cli *c, int argc, char **argv);
int cli_streams(struct cli *c, int argc, char **argv);
int cli_kick(struct cli *c, int argc, char **argv);
int cli_reload(struct cli *c, int argc, char **argv);
int cli_loglevel(struct cli *c, int argc, char **argv);
int cli_stop(struct cli *c, int argc, char **argv);
int cli_jobs(struct cli *c, int argc, char **argv);
int cli_files(struct cli *c, int argc, char **argv);
int cli_push(struct cli *c, int argc, char **argv);
int cli_hooks(struct cli *c, int argc, char **argv);
int cli_sign_url(struct cli *c, int argc, char **argv);
int cli_key(struct cli *c, int argc, char **argv);
int cli_hash_key(struct cli *c, int argc, char **argv);

/* --- cli_help.c --- */
struct cli_verb {
	const char *name, *arguments, *doc;
	int (*run)(struct cli *c, int argc, char **argv);
};
const struct cli_verb *cli_find_verb(const char *name);		/* or NULL */
void cli_print_usage(FILE *out);
int cli_help(struct cli *c, int argc, char **argv);
int cli_version(struct cli *c, int argc, char **argv);
/* "millrace: TEXT" and how the verb is used; CLI_USAGE. */
int cli_usage_error(const char *verb, const char *text);
/* The same for an argument of argv that the verb does not know. */
int cli_unknown_argument(char *const argv[], const char *argument);
/* Where a publisher's URL would point: OBS' two fields for NAME. Pure; 0, or -1 if they do not fit. */
int cli_publish_url(const json_t *conf, const char *host, const char *name, char *server, size_t ssize,
    char *key, size_t ksize);
#endif
