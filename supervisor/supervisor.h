/*
 * supervisor.h - what millraced's files know of each other. One process, one loop, one
 * struct supervisor; each file owns the tables named after it and nothing else touches them.
 *
 *   main.c     arguments, order of start and stop, signals
 *   conf*.c    YAML -> one checked JSON tree; per-kind views; reload plan
 *   listen*.c  binds every listener (RTMP, HTTP, WebRTC); listen_holder.c names who has a taken port
 *   rights.c   run_dir and data_dir, the lock on them, host_id, dropping rights
 *   accept.c   accept4() of RTMP with limits; an ingest of its own per connection
 *   handoff.c  connections that http hands over to an ingest; whip.c  the ports of those by WHIP
 *   spare.c    ingests that are up before their connection comes
 *   child*.c   table of processes: state machine, board slots, READY timer, beats, stop ladder
 *              (what those files share is in child.h; others use only what stands here)
 *   stop.c     the order of a graceful stop; notify.c tells systemd
 *   spawn.c    the only posix_spawn; reap.c the only waitpid; backoff.c the only "when again"
 *   route.c    messages: table by type; relays CALL/REPLY by kind; route_may.c  who may CALL what
 *   streams.c  this host's stream table: CLAIM, duplicate, reconnect timer, finish
 *   refusals.c who was refused: counters, the log
 *   auth.c     keys and signatures (pure: bytes in, verdict out)
 *   output.c   ffmpeg children: SPAWN/OUTPUT_DOWN/EXITED; this ffmpeg's version
 *   push*.c    push targets: whose, where to, added and removed while live (push.h)
 *   feeds.c    streams that webrtc workers want, and the sockets between them
 *   task.c     ffmpeg children of jobs workers
 *   events.c   event ids and data_dir/spool; hook_events.c, hook_viewers.c, hook_errors.c  those for webhooks alone
 *   ingress.c  keys of /v1/createIngress (ingress.h)
 *   control.c  run/control.sock: the CLI's verbs
 *   report.c   once a second: pages -> run/board; health.c what is wrong
 */
#ifndef MILLRACE_SUPERVISOR_H
#define MILLRACE_SUPERVISOR_H

#include <event2/event.h>
#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "board.h"
#include "msg.h"
#include "net.h"

enum child_kind { KIND_HTTP, KIND_WEBRTC,
	KIND_REGISTRY, KIND_INGEST, KIND_FINISH, KIND_REDIS, KIND_FFMPEG, KIND_JOBS, KIND_WATCH,
	KIND_PUSH, KIND_HOOKS, KIND_COUNT };	/* KIND_PUSH: an ffmpeg that sends a stream to another server */
enum child_state { CHILD_STARTING, CHILD_READY, CHILD_STOPPING, CHILD_BACKOFF };

struct stream;
struct output;

struct child {
	struct child *next;
	enum child_kind kind;
	enum child_state state;
	const char *program;		/* "whip": an ingest that is millrace-whip; NULL: as its kind */
	pid_t pid;			/* 0 in CHILD_BACKOFF */
	uint64_t start_ticks;
	unsigned board_slot;
	struct msg_chan *control;	/* NULL for foreign programs */
	struct board_page *page;	/* our mapping; NULL for foreign programs */
	bool reaped, pipes_closed;	/* freed when both (STYLE 8) */
	int64_t started_ms, ready_ms;
	unsigned restarts, failures;	/* failures in a row, for backoff.c */
	struct event *timer;		/* READY limit, backoff or next rung of the stop ladder */
	int stop_rung;
	bool wanted;			/* restart when it ends (workers, redis) */
	char reason[160];		/* why this process is being stopped, "" */
	char last_death[160];		/* how the one before it ended, for status */
	/* ingest, finish */
	struct stream *stream;		/* the one it claimed or finishes; NULL before */
	char peer[NET_TEXT];
	struct sockaddr_storage peer_addr;
	bool masked;			/* that is a proxy's address; whose it really is is not known (yet) */
	/* ffmpeg */
	struct output *output;
	int status;			/* of waitpid, once reaped */
	char name[BOARD_NAME];		/* the stream or worker it is for, "" before it is known */
	bool asked;			/* it is being stopped on purpose: no failure */
	bool stuck;			/* ffmpeg: judged so by its owner: it will not end by itself */
	int worker;			/* http, jobs, webrtc: 0.. n-1 */
	bool handshake;			/* ingest: accepted, has not claimed yet (accept.c counts) */
	bool said_bye;			/* its end was announced */
	bool hurried;			/* its ladder is the one of the server's end */
	int64_t again_ms;		/* CHILD_BACKOFF: monotonic time of the next try */
	bool adopted;			/* not our own child: a redis-server found running */
	bool spare;			/* ingest: up, and waits for its connection (spare.c) */
	bool client_gone;		/* ingest: its publisher has left, it completes the files */
	int64_t conn_ms;		/* ingest: since it has its connection; 0 = it has had none */
	struct child *partner;		/* jobs: its ffmpeg; ffmpeg: the jobs worker it works for; NULL: none */
	int64_t task;			/* ffmpeg of a jobs worker: the worker's number for it */
};

struct supervisor {
	struct event_base *base;
	json_t *conf;			/* checked, normalised: lib/conf.h reads it */
	const char *conf_path;
	char host_id[40], host[65];
	char libexec[256];		/* where our programs are (beside millraced, or installed) */
	struct board *board;
	int64_t started_ms;
	bool stopping;
	int nlisten_rtmp, nlisten_http;
	int *listen_rtmp, *listen_http;	/* descriptors */
	json_t *notes;			/* standing warnings for status */
	uint64_t accepted, refused;	/* RTMP connections since the start */
	int64_t stop_started_ms;	/* while stopping */
};

extern struct supervisor sv;		/* one process, one supervisor */

/* --- conf.c / conf_plan.c / conf_yaml.c (also linked into the CLI) --- */
/* Reads and checks FILE. Errors go to `errors` (json array of "FILE:LINE: message"); NULL if any. */
json_t *conf_load(const char *path, json_t *errors);
/* --- conf_host.c: texts are added to the list, "FILE:LINE: ..." --- */
void conf_host_errors(const json_t *conf, const char *file, json_t *errors);
/* Of a start only: who runs may be root. */
void conf_host_owner(const json_t *conf, const char *file, json_t *errors);
void conf_host_hints(const json_t *conf, const char *file, json_t *hints);
/* {EVENT: true} for each that any of hooks.urls wants. New reference. */
json_t *conf_wanted_events(const json_t *conf);
/* The view of one kind: only its sections (ingest: no redis, no storage, no keys). New reference. */
json_t *conf_view(const json_t *conf, const char *kind);
/*
 * {now:[...], new_streams:[...], restart:[...], failed:[]}: keys that differ, with old and new
 * value (secrets as ***); "failed" is filled by who carries it out.
 */
json_t *conf_plan(const json_t *from, const json_t *to);
bool conf_listen_moves(const json_t *old, const json_t *new);	/* a change of listeners that needs a restart */

/* --- listen.c --- */
int listen_open_all(void);		/* 0, or -1 after a message that names holder and key */
void listen_close_all(void);
/*
 * Reload, `to` being in sv.conf already: opens added listeners, closes removed ones. If one cannot be
 * opened, the list in `to` is put back to the old one, which goes on; plan's "failed" says why instead
 * of "now", and so does a standing warning until a reload gets it.
 */
void listen_reload(const json_t *from, json_t *to, json_t *plan);

/* --- listen_webrtc.c --- */
int listen_webrtc_fds(int worker, int fds[2]);	/* UDP, TCP: how many it has */
/* Where it really listens: ":8189", of several workers ":8189-8190"; "" without one. */
void listen_webrtc_show(char *buf, size_t size);

/* --- listen_holder.c --- */
/* "nginx (pid 77)", "a process of uid 33", or "" if nobody is found. */
const char *listen_holder(const struct net_addr *addr, bool udp, char *buf, size_t size);
/* Pure: one line of /proc/net/tcp{,6} or udp{,6}; is it a listener on port? */
bool listen_holder_line(const char *line, unsigned port, bool udp, unsigned long *inode, unsigned *uid);

/* --- rights.c: each 0, or -1 after a message --- */
#define RIGHTS_ACCOUNT "millrace"	/* where user: names none */
int rights_choose(void);	/* who we shall be: `user:`, the account millrace, or as we are */
int rights_top_dirs(void);	/* run_dir and data_dir, handed over to that user */
int rights_lock(void);		/* flock data_dir/lock, else "already running, pid N" */
int rights_open_log(const char *path);	/* to stderr, as that user would; 0, or -1 + errno */
int rights_drop(void);		/* for good; adds a note when staying root */
extern const char *const rights_inner[];	/* the folders of data_dir; NULL ends them */
int rights_inner_dirs(void);	/* hls/ rec/ recordings/ upload/ spool/ redis/, host_id */
int rights_pid_files(void);	/* our pid (after daemonising) into data_dir/lock and run_dir/millrace.pid */
void rights_unlock(void);	/* the end: both are emptied, the pid file goes */

/* --- accept.c --- */
void accept_start(void);
void accept_stop(void);
/*
 * Limits, then CONN{body} and fds to an ingest of its own. NULL, or why not: it was logged. body is
 * stolen, fds are closed, in any case. masked: peer is a proxy, whose address many have. program: as
 * child_start_ingest() has it, NULL: millrace-ingest.
 */
const char *accept_give(const struct sockaddr_storage *peer, bool masked, const char *program, json_t *body,
    const int *fds, int nfds);
/* CLAIM says whose connection it really is: a PROXY head told. NULL, or why that address may have no more. */
const char *accept_real_peer(struct child *c, const char *peer);
/* A publisher by WHIP has found no port. One that has one and did not claim yet makes room: for the next try. */
void accept_no_port(const struct sockaddr *peer, const char *why);
/* An ingest's handshake is over (it claimed) or it is gone: counters by address. */
void accept_done_handshake(struct child *c);
void accept_gone(struct child *c);
unsigned accept_connections(void);	/* now */
void accept_flush(int64_t now);		/* refusals that are only counted so far are logged */

/* --- handoff.c --- */
void handoff_take(struct child *http, struct msg *m);

/* --- whip.c --- */
/* A bound UDP socket, or -1 and why. */
int whip_socket(char *why, size_t size);
struct child *whip_child(const char *name);	/* whose publisher comes by WHIP, or NULL */

/* --- spare.c --- */
void spare_start(void);
void spare_stop(void);
struct child *spare_take(void);		/* one that is up, else starting, else NULL */
void spare_refill(void);		/* a good moment to start what is missing */
void spare_gone(struct child *c);	/* an ingest without a connection was reaped */
void spare_renew(void);			/* the config has changed */

/* --- child.c --- */
struct child *child_start(enum child_kind kind, const char *name);	/* one of our programs; NULL + errno */
struct child *child_start_ingest(const char *program);	/* which of them; a literal; NULL + errno */
/* The box of a foreign program; what is 0 or NULL is not given, not limited. */
struct child_box {
	const char *profile;				/* of millrace-exec */
	const char *writable, *second;			/* the one folder, or two, that it may write in */
	const char *readable[2];			/* files or folders to read */
	int64_t memory, fsize;				/* bytes: address space, a file that it writes */
	bool dies_with_us;				/* however we end */
};
/*
 * A foreign program through millrace-exec: argv as built by output_start.c, task.c or redis.c (argv[0]
 * the program, searched in PATH). fds become 0,1,2,3 there (-1: /dev/null for 0 and 1, our log for 2,
 * nothing for 3); they are closed here, also on failure. NULL + errno.
 */
struct child *child_start_foreign(enum child_kind kind, char *const argv[], const int fds[4],
    const struct child_box *box);
void child_stop(struct child *c, const char *reason);			/* starts the ladder */
void child_kill(struct child *c, const char *reason);			/* SIGKILL now */
void child_reaped(pid_t pid, int status);				/* from reap.c */
void child_ready(struct child *c);	/* it said READY */
const char *child_state_name(const struct child *c);
/* What waitpid said, in words: "exit code 1", "killed by SIGKILL". */
const char *child_status_text(int status, char *buf, size_t size);
/* Ms until its next try (CHILD_BACKOFF), else 0. */
int child_backoff_ms(const struct child *c);
void child_check_all(void);		/* once a second: beats, stuck channels */
struct child *child_first(enum child_kind kind);			/* a READY one, or NULL */
struct child *child_worker(enum child_kind kind, int worker);		/* that one if it is READY, or NULL */
void child_each(void (*fn)(struct child *, void *), void *ctx);
const char *child_kind_name(enum child_kind kind);
/* redis (if embedded), registry, hooks, http x N, jobs x J, watch (if any folder is watched), webrtc x K */
void child_start_workers(void);
void child_stop_kind(enum child_kind kind, const char *reason);
bool child_none_left(void);
bool child_has_pid(pid_t pid);		/* one of ours, and it runs */
void child_send_config(void);		/* CONFIG to everybody after a reload; numbers of workers adjusted */
unsigned child_count(enum child_kind kind);	/* processes, also those in backoff */
void child_config_level(const char *name);	/* of those that start from now on, until a reload */
int child_wanted(enum child_kind kind);		/* how many http, webrtc, jobs or watch the config wants */

/* --- feeds.c --- */
void feeds_want(struct child *webrtc, struct msg *m);	/* WANT */
void feeds_live(struct child *ingest);			/* its stream has just become live */
void feeds_ingest_gone(struct child *ingest);
void feeds_worker_gone(struct child *webrtc);
bool feeds_has(const struct child *ingest);		/* it feeds a worker now */
bool feeds_is_live(const char *name);			/* who WANTs it is given it at once */
/* The worker that everything of this NAME belongs to, if it is READY, or NULL. */
struct child *feeds_worker(const char *name);
/* The stdout of the ffmpeg that makes "audio" or "video" for it; fd is taken. 0, or -1: no worker. */
int feeds_output(const struct child *ingest, const char *track, int fd);

/* --- task.c --- */
void task_spawn(struct child *worker, struct msg *m);
void task_down(struct child *worker, struct msg *m);
void task_ffmpeg_gone(struct child *ffmpeg);
void task_worker_gone(struct child *worker);

/* --- spawn.c, reap.c, backoff.c --- */
struct spawn_fd { int from, to; };
/* posix_spawn with exactly these descriptors; everything else CLOEXEC. pid or -1 + errno. */
pid_t spawn_program(const char *path, char *const argv[], char *const envp[], const struct spawn_fd *fds, int nfds);
/*
 * Forks into the background. The caller of millraced waits in here and exits: 0 after
 * spawn_daemon_up(true), else 1. Before the event base exists. 0 (in the child) or -1.
 */
int spawn_daemonise(const char *log);	/* named if the start fails; may be NULL */
void spawn_daemon_up(bool ok);
void reap_start(void);
void reap_stop(void);
/* Milliseconds until the next try of this kind after `failures` in a row, jittered; -1 = give up. Pure. */
int64_t backoff_delay_ms(enum child_kind kind, unsigned failures, uint32_t random);
/* Was this death a failure that counts, given its life? Pure. */
bool backoff_counts(enum child_kind kind, bool was_ready, int64_t lived_ms);
int64_t backoff_reset_ms(enum child_kind kind);

/* --- route_may.c --- */
/* May a process of this kind CALL verb of to? Pure. */
bool route_may(enum child_kind kind, const char *to, const char *verb);

/* --- route.c --- */
void route_message(struct child *c, struct msg *m);
/* The supervisor's own question to a worker (registry lease). args stolen (NULL = {});
 * cb once, perhaps before this returns, with rc (ENOTCONN nobody there, ETIMEDOUT, EPIPE) and body borrowed. */
typedef void (*route_reply_cb)(int rc, json_t *body, void *ctx);
void route_call(enum child_kind to, const char *verb, json_t *args, int deadline_ms, route_reply_cb cb, void *ctx);
/* The CLI's CALL, relayed; the answer goes to chan with id. */
void route_relay(struct msg_chan *from, struct msg *m);
void route_forget(struct msg_chan *chan);	/* a peer is gone: drop its pending calls */

/* --- streams.c --- */
void streams_start(void);		/* states found in data_dir/hls get the reconnect timer */
void streams_claim(struct child *c, struct msg *m);
void streams_bye(struct child *c, struct msg *m);
void streams_child_gone(struct child *c);	/* ingest or finish was reaped */
void streams_event(struct child *c, struct msg *m);	/* viewers, stream_live, stream_ended, warning */
int streams_kick(const char *name);	/* 0 or -1 ENOENT */
void streams_stop_all(void);		/* graceful stop of millraced */
bool streams_all_ended(void);
void streams_report(void);		/* fills run/board's stream slots */
/* A viewer count of a worker that died is forgotten. */
void streams_forget_viewers(struct child *http);

/* --- auth.c --- */
enum auth_verdict { AUTH_OK, AUTH_NO_KEY, AUTH_BAD_KEY, AUTH_BAD_SIGNATURE, AUTH_EXPIRED };
/*
 * keys: authorize.keys ({NAME: "sha256:SALT:HEX" | [..]}), secret: authorize.secret ("" = no signed URLs).
 * more: a list of hashes that let NAME's publisher in, too, or NULL; with any it is not open.
 */
enum auth_verdict auth_check(const json_t *keys, const json_t *more, const char *secret, const char *name,
    const char *query, int64_t now_sec);
/* "exp=..&sig=.." for NAME until exp_sec; free(). */
char *auth_sign(const char *secret, const char *name, int64_t exp_sec);
char *auth_hash_key(const char *key);	/* "sha256:SALT:HEX", random salt; free() */

/* --- output.c --- */
void output_probe(void);		/* asks ffmpeg for its version */
bool output_probe_failed(void);		/* there is none that can be run */
void output_spawn(struct child *owner, struct msg *m);
void output_down(struct child *owner, struct msg *m);
void output_child_gone(struct child *ffmpeg, int status);
void output_owner_gone(struct child *owner);	/* EOF reached them; the ladder begins */
const char *output_name(const struct output *o);	/* "hls", "push:youtube" */
void output_report(struct child *owner, struct board_output *out, uint32_t *n, uint32_t max);

/* --- events.c --- */
/* {event, ...} gets id, time and host, is appended to the spool and sent to the registry. body stolen. */
void events_emit(json_t *body);
void events_start(void);
void events_stop(void);

/* --- hook_events.c --- */
bool hook_event(struct child *c, struct msg *m);	/* an EVENT for webhooks; false: it is another one */

/* --- hook_errors.c --- */
/* code: HOOK_ERROR_..; what: an output, a push's ID, or "". reason "": it works again. s may be NULL. */
void hook_error(struct stream *s, const char *code, const char *what, const char *reason);
/* There is no such thing any more: its trouble, if it was told, is over. */
void hook_error_removed(struct stream *s, const char *code, const char *what);

/* --- hook_viewers.c --- */
struct stream;
/* said: {name, viewer, peer, protocol}, who came, or is gone. */
void hook_viewer(const struct child *worker, const json_t *said, bool stop);
void hook_viewers_live(const struct stream *s);		/* after its stream_started */
void hook_viewers_ended(const struct stream *s);	/* before its stream_ended */
void hook_viewers_forget(const struct child *worker);	/* it died */

/* --- control.c --- */
int control_start(void);
void control_stop(void);
/* Does a reload (SIGHUP, CLI): REPLY's body. New reference. */
json_t *control_reload(bool dry_run);

/* --- report.c --- */
void report_start(void);
void report_now(void);
void report_note(const char *text);	/* a standing warning for status */
void report_unnote(char **text);	/* it no longer stands; freed; NULL is no note */
void report_notes_again(void);		/* into a log that has just become another one */
/* A child is not believed to end its strings. */
void report_end_strings(struct board_page *page, enum child_kind kind);
void report_stop(void);

/* --- health.c --- */
/* "" or the first thing that is wrong: what status, /healthz, /metrics and the API go by. */
void health_diagnose(char *text, size_t size);

/* --- stop.c --- */
void stop_begin(const char *why);	/* SIGTERM, SIGINT, SHUTDOWN; again is harmless */
void stop_done(void);			/* after the loop */

/* --- notify.c --- */
void notify_send(const char *state);	/* to $NOTIFY_SOCKET; nothing without one */

/* --- redis.c --- */
/* argv and files of the embedded server; takes over one left by a killed millraced. 0 or -1. */
int redis_start(void);
void redis_child_gone(struct child *c);
/* -1 after a message: embedded data would be left behind and redis.abandon_embedded is not set. */
int redis_check_switch(void);
#endif
