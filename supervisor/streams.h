/*
 * streams.h - what streams.c (life of a stream), streams_ask.c (who may be it), streams_claim.c (is it free),
 * streams_judge.c (duplicates, pure), streams_viewers.c and streams_report.c (board) share.
 * Everybody else sees streams through supervisor.h only.
 */
#ifndef MILLRACE_STREAMS_H
#define MILLRACE_STREAMS_H

#include "sketch.h"
#include "supervisor/auth.h"
#include "supervisor/supervisor.h"

#define STREAM_QUERY 512	/* more of it is not told to webhooks */

struct claim;
struct trouble;
struct viewers;

struct stream {
	struct stream *next;
	char name[BOARD_NAME], app[64], peer[64], protocol[16];
	char query[STREAM_QUERY];	/* of its publishing URL, without key, exp and sig */
	struct sockaddr_storage peer_addr;
	uint8_t identity[AUTH_IDENTITY];	/* of its publisher: auth_identity() */
	enum board_stream_state state;
	struct child *ingest;		/* its publisher's; NULL while RECONNECTING and FINISHING */
	struct child *finish;		/* FINISHING; NULL between two tries */
	struct claim *heir;		/* granted as soon as ingest or finish is gone */
	struct event *timer;		/* RECONNECTING: its end. FINISHING: the next try of finish */
	int64_t granted_ms, until_ms, created_wall_ms, since_wall_ms;
	unsigned reconnects, finish_failures, slot;
	bool was_live;			/* since the last GRANT */
	bool ended_said;		/* stream_ended was emitted */
	bool resumed;			/* this publisher goes on with an old playlist */
	struct viewers *viewers;
	struct trouble *troubles;	/* see hook_errors.c */
	json_t *pushes;			/* {ID: {rev, target, from}}, see push.c; NULL: none yet */
};

extern struct stream *stream_list;

/* --- streams.c --- */
struct stream *stream_find(const char *name);
struct stream *stream_new(const char *name);
unsigned stream_count(void);
void stream_make_dir(const struct stream *s);	/* an ingest locks itself into it: it has to be there */

/* --- streams_event.c --- */
json_t *stream_event(const struct stream *s, const char *event);	/* for events_emit */
void stream_say_ended(struct stream *s);	/* the event, once */
void stream_mark_ended(const struct stream *s, bool ended);	/* on the disk, for the next start */

/* --- hook_errors.c --- */
void hook_errors_live(struct stream *s);	/* after its stream_started */
void hook_errors_forget(struct stream *s);	/* its publisher is gone, and they with him */

/* --- streams_ask.c --- */
void ask_child_gone(const struct child *c);
void ask_refuse_all(const char *code, const char *text);

/* --- streams_claim.c --- */
/* It may be NAME: the CLAIM goes on. */
void claim_begin(struct child *c, struct msg *m, const char *name, const char *query);
bool claim_of(const struct child *c);		/* it has claimed, or has, a stream */
/* text is for the publisher; why, if it is not NULL, for log and status alone. */
void claim_say_refused(struct child *c, uint32_t id, const char *name, const char *code, const char *text,
    const char *why);
void claim_child_gone(const struct child *c);
void claim_grant(struct claim *claim);		/* its stream is vacant */
void claim_refuse_all(const char *code, const char *text);

/* --- streams_judge.c: pure --- */
struct judge_input {
	bool takeover;			/* streams.duplicate */
	bool same_identity;		/* same key, or keyless and the same address */
	int64_t now_ms, claimed_ms, silence_ms;
	int64_t granted_ms, last_media_ms;	/* of the holder */
};
enum judge_verdict { JUDGE_TAKE_OVER, JUDGE_REFUSE, JUDGE_WAIT };
enum judge_verdict judge_duplicate(const struct judge_input *in);

/* --- streams_viewers.c --- */
/* What one worker sees; its earlier word is forgotten. sketch counts if n > 0; NULL: a webrtc worker's. */
void stream_set_viewers(struct stream *s, const struct child *http, uint32_t n, const struct sketch *sketch);
uint32_t stream_viewers(const struct stream *s);	/* distinct, over all workers */
uint32_t stream_viewers_webrtc(const struct stream *s);	/* of these */
void stream_free_viewers(struct stream *s);

/* --- streams_report.c --- */
void stream_slot_take(struct stream *s);
void stream_slot_give(struct stream *s);
#endif
