/*
 * http.h - what the files of the http worker know of each other. One process, one loop.
 *
 *   main.c     listeners, limits, config, stop
 *   conn.c     the table of connections: limits, time-outs
 *   conn_io.c  one connection: reads, parses (request.h), answers in order
 *   dispatch.c a request to its handler, by the table of routes
 *   handoff.c  requests that get a process of their own: publishing, uploads
 *   answer.c   the ways to answer: text, bytes, a file, "later"
 *   below.c    opens files in data_dir and nowhere else
 *   hls.c      playlists and segments from data_dir/hls;  where.c  who asks the wrong host goes to the right one
 *   whep.c     players of WebRTC: /whep, asked of the webrtc worker
 *   whip.c     publishers by WebRTC, after their POST, which handoff.c hands over
 *   rtc_http.c what these two have in common
 *   recordings.c  data_dir/recordings: lists and files, with record_scan.h (a thread), record.h, accept.h
 *   api.c      /api/v1, /healthz;  api_push.c  .../push;  api_ingress.c  /v1/createIngress, registerWebhook;
 *   metrics.c  /metrics;  page.c  web/
 *   rooms.c    live rooms: /ws for viewers, /streams
 *   view.c     run/board, read at most twice a second
 *   viewers.c  distinct players per stream; plays.c  tells of them for webhooks
 */
#ifndef MILLRACE_HTTP_H
#define MILLRACE_HTTP_H

#include <event2/event.h>
#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "board.h"
#include "head.h"
#include "net.h"
#include "request.h"
#include "route.h"
#include "stream_name.h"
#include "svc.h"

#define HEAD_BYTES 2048

struct http_limits {
	int64_t max_connections, max_per_address, header_ms, idle_ms, send_ms, max_header, max_body;
	int64_t viewer_targets, segment_ms, max_viewers, max_recordings, max_lookups, max_waiting;
	const char *cors, *api_token, *data_dir;
	const json_t *trusted;
	bool alone;			/* no other host can have a stream */
};

struct conn {
	TAILQ_ENTRY(conn) entry, quiet_entry, turn_entry;
	uint64_t id;			/* never used again: for answers that come later */
	int fd;
	struct event *ev;		/* read, or write while an answer is stuck */
	bool writing, waiting, closing, want_proxy, linger;
	bool quiet, in_turns, counted;	/* in http.quiet; waits for its turn; in the table of addresses */
	struct net_addr peer;		/* the other end, or who PROXY says */
	struct net_addr client;		/* behind trusted proxies; of the current request */
	bool masked;			/* a proxy that is not trusted, or garbled: client may be anybody */
	int queued;			/* in the kernel's send queue when last looked at, 0 = not yet */
	int64_t since_ms;		/* of the state it is in: reading, idle or last progress */
	bool idle;			/* between two requests */
	struct request req;
	unsigned flags;			/* of the route: ROUTE_CORS */
	uint8_t *in;			/* bytes behind the current request */
	size_t in_len;
	uint8_t *raw;			/* of an unfinished head, as it came */
	size_t raw_len;
	const char *route;		/* where handoff.c wants it to go */
	uint32_t handoff;		/* HANDOFF's id, 0: it is not under way to anybody */
	/* the answer under way */
	char head[HEAD_BYTES];
	size_t head_len, head_off;
	char *body;			/* owned if body_owned */
	bool body_owned;
	size_t body_len, body_off;
	int file;			/* -1: none */
	int64_t file_off, file_end;
};

TAILQ_HEAD(conn_list, conn);

struct http {
	struct svc *svc;
	struct http_limits limits;
	struct conn_list conns;
	struct conn_list quiet;		/* no whole request yet or any more; quiet for longest first */
	unsigned nconns;
	struct board_http count;
	char date[32];			/* as headers want it, of this second */
};

extern struct http http;
extern const struct route http_routes[];

/* --- conn.c --- */
void conn_new(int fd, const struct net_addr *peer, bool want_proxy);
struct conn *conn_find(uint64_t id);	/* NULL: it has gone */
void conn_end(struct conn *c);
void conn_set_quiet(struct conn *c, bool quiet);
bool conn_count_address(struct conn *c);	/* false: its address has too many */
void conn_refuse(struct conn *c, int status, const char *text);	/* and no more requests */
void conn_sweep(int64_t now);		/* time-outs */
void conn_stop(void);			/* no more requests; open answers are finished */

/* --- conn_io.c --- */
void conn_send(struct conn *c);		/* the answer is complete: send it */
void conn_event_cb(evutil_socket_t fd, short what, void *ctx);
void conn_io_drop(struct conn *c);	/* what it holds, before it is freed */
void conn_io_free(void);

/* --- dispatch.c --- */
void dispatch_request(struct conn *c);

void dispatch_client(struct conn *c);	/* finds c->client */

/* --- handoff.c --- */
bool handoff_wanted(struct request *r);	/* at the end of a head: is it one of these? r is a conn's */
/* n bytes at p were just taken of a head that may become one. */
void handoff_keep(struct conn *c, const uint8_t *p, size_t n);
/* Its head has ended within the n bytes at p, all that was read since the last handoff_keep(). */
void handoff_start(struct conn *c, const uint8_t *p, size_t n);
/* By authorize.routes; false: c was told that it is not. */
bool handoff_is_open(struct conn *c, const char *route);
void handoff_taken(struct svc *s, struct msg *m);
void handoff_refused(struct svc *s, struct msg *m);

/* --- answer.c: each ends the request --- */
void answer_text(struct conn *c, int status, const char *text);	/* 429 and 503: with Retry-After */
/* extra: complete header lines or NULL. body is taken if owned, else must outlive the answer. */
void answer_bytes(struct conn *c, int status, const char *type, const char *extra, char *body,
    size_t len, bool owned);
void answer_json(struct conn *c, int status, json_t *body);	/* body stolen */
void answer_redirect(struct conn *c, const char *to);	/* 307, with the request's query behind to */
/* Conditional and range requests are honoured; fd is taken. */
void answer_file(struct conn *c, int fd, const char *type, const char *extra);
bool answer_is_head(const struct conn *c);

/* --- below.c --- */
int below_open(const char *path);	/* relative to data_dir, no links; a descriptor, or -1 + errno */
void below_free(void);

/* --- where.c --- */
/* NAME, a checked one, is not on this host: a 307 to the one that has it, a 404, or a 503 (http.max_lookups). */
void where_redirect(struct conn *c, const char *name);

/* --- view.c --- */
struct view_stream {
	struct board_stream s;
	struct board_media m;		/* zero while no ingest has it */
	uint64_t start_ticks[BOARD_OUTPUTS];
};
struct view {
	struct board_header h;
	unsigned n;
	struct view_stream *streams;
	unsigned nprocs;
	struct board_proc *procs;
};
const struct view *view_get(void);	/* NULL: no board; at most half a second old */
const struct view_stream *view_find(const char *name);	/* NULL: there is none, nor was a moment ago */
void view_free(void);

/* --- viewers.c --- */
/* A player asked for NAME's playlist; set_cookie gets a header line to send, or "". */
void viewers_seen(const char *name, const struct conn *c, char *set_cookie, size_t size);
void viewers_tick(int64_t now);		/* once a second: forgets, reports changes */
void viewers_free(void);

/* --- plays.c --- */
bool plays_wanted(void);
/* A viewer of NAME came (or, stop, is gone); false: it has to be told later. */
bool plays_add(bool stop, const char *name, uint64_t id, const char *peer);
void plays_flush(void);

/* --- handlers --- */
void hls_live(struct conn *c, const struct route_match *m);
void hls_file(struct conn *c, const struct route_match *m);
void hls_alias(struct conn *c, const struct route_match *m);
void whep_endpoint(struct conn *c, const struct route_match *m);
void whep_session(struct conn *c, const struct route_match *m);
void whip_endpoint(struct conn *c, const struct route_match *m);
void whip_session(struct conn *c, const struct route_match *m);
void recordings_list(struct conn *c, const struct route_match *m);
void recordings_file(struct conn *c, const struct route_match *m);
void recordings_api(struct conn *c, const struct route_match *m);
void recordings_free(void);
void api_streams(struct conn *c, const struct route_match *m);
void api_stream(struct conn *c, const struct route_match *m);
int api_rtmp_port(void);		/* the first of rtmp.listen */
void api_create_ingress(struct conn *c, const struct route_match *m);
void api_register_webhook(struct conn *c, const struct route_match *m);
bool api_allowed(struct conn *c);	/* may it change something? If not, it was answered */
void api_push(struct conn *c, const struct route_match *m);
void api_push_remove(struct conn *c, const struct route_match *m);
void api_kick(struct conn *c, const struct route_match *m);
void api_health(struct conn *c, const struct route_match *m);
void api_alive(struct conn *c, const struct route_match *m);
void api_ready(struct conn *c, const struct route_match *m);
void rooms_ws(struct conn *c, const struct route_match *m);
/* "http://HOST" as who asks sees us, no slash behind. */
void rooms_own_url(const struct conn *c, char *out, size_t size);
void rooms_signal(struct conn *c, const struct route_match *m);
void rooms_list(struct conn *c, const struct route_match *m);
void api_job(struct conn *c, const struct route_match *m);	/* api_jobs.c */
void metrics_get(struct conn *c, const struct route_match *m);
void page_home(struct conn *c, const struct route_match *m);
void page_publish(struct conn *c, const struct route_match *m);
void page_watch(struct conn *c, const struct route_match *m);
void page_asset(struct conn *c, const struct route_match *m);
void page_recordings(struct conn *c);
void page_missing(struct conn *c);	/* 404: what is no route */
int page_start(void);			/* reads web/ once */
void page_free(void);
#endif
