/* ws_intake_parts.h - what ws_intake.c (the sender's bytes) and ws_intake_child.c (ffmpeg) share. */
#ifndef MILLRACE_WS_INTAKE_PARTS_H
#define MILLRACE_WS_INTAKE_PARTS_H

#include "container.h"
#include "intake_queue.h"
#include "lines.h"
#include "ws_intake.h"

enum intake_state {
	INTAKE_SNIFF,		/* what it is, is not known yet */
	INTAKE_FLV,		/* read here */
	INTAKE_BEGIN,		/* the file's beginning comes in */
	INTAKE_ASKED,		/* SPAWN was sent */
	INTAKE_UP,
	INTAKE_CLOSING,		/* its stdin is closed, its FLV comes to its end */
	INTAKE_DEAF,		/* waits for a new file */
	INTAKE_OVER,
};

struct ws_intake {
	struct svc *svc;
	const struct ws_intake_ops *ops;
	void *ctx;
	enum intake_state state;
	struct container container;
	struct flv_read flv;
	struct intake_queue queue;
	struct evbuffer *sniffed;
	struct evbuffer *next;		/* of a new file, while the one before goes through */
	bool copy_video, copy_audio, copy_failed;
	bool full, ending;
	bool heard;			/* this ffmpeg has delivered something */
	int in_fd, out_fd;		/* -1: closed */
	struct event *wr;
	struct lines err;
	int64_t moved_ms;		/* it took or gave something, or had nothing to do */
	bool want_key;			/* nothing can be seen before one */
	struct { uint8_t *body; size_t len; uint32_t ts; } held;	/* a picture; body NULL: none */
	unsigned words;			/* that it has said since words_ms */
	int64_t words_ms;
	size_t limit;
	char why[300], last_words[160];
};

/* --- ws_intake.c --- */
void ws_intake_give_held(struct ws_intake *i);
void ws_intake_drop_held(struct ws_intake *i);

/* --- ws_intake_child.c --- */
void ws_intake_ask(struct ws_intake *i);		/* SPAWN */
void ws_intake_write(struct ws_intake *i);		/* to its stdin, what it takes */
const char *ws_intake_read(struct ws_intake *i);	/* NULL, or why what it says can't be read */
void ws_intake_stuck(struct ws_intake *i, int64_t now);	/* looks whether it is */
void ws_intake_close(struct ws_intake *i);		/* all descriptors */
void ws_intake_over(struct ws_intake *i);
#endif
