/* signal_parts.h - what signal.c (sockets) and signal_room.c (messages) share; others see signal.h only. */
#ifndef MILLRACE_WEBRTC_SIGNAL_PARTS_H
#define MILLRACE_WEBRTC_SIGNAL_PARTS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "lib/net.h"
#include "workers/webrtc/room.h"
#include "workers/webrtc/viewer.h"
#include "ws.h"

#define SIGNAL_NAME 128		/* longest clientID and clientName, with NUL */
#define SIGNAL_HOST 128

struct bufferevent;
struct hall;

/* One client of a room. */
struct signal {
	TAILQ_ENTRY(signal) link, mates;
	struct bufferevent *bev;
	struct ws *ws;			/* NULL: its request was refused */
	struct hall *hall;		/* who it chats with; NULL: it has left */
	struct room_member member;
	struct viewer *viewer;		/* NULL: it has none (any more) */
	char name[SIGNAL_NAME];		/* as others see it */
	char peer[NET_TEXT], local[NET_TEXT], host[SIGNAL_HOST];
	bool live;			/* its stream was, as the supervisor knew when it came */
	bool answered, connected;
	bool over;			/* it is sent what waits, then closed */
	int64_t heard_ms, pinged_ms, over_ms;
	int64_t chat_due_ms, error_due_ms;	/* the next one is due, of chat and of errors */
};

/* --- signal.c --- */
/* Once: leaves the room, says Close, and ends when that was sent. The struct lives on until then. */
void signal_end(struct signal *s, unsigned code, const char *why);
/* A message to it: {type, data, fromClientID}; data stolen. Who does not read is ended. */
void signal_say(struct signal *s, const char *type, json_t *data, const char *from);
void signal_text(struct signal *s, const char *text, size_t len);

/* --- signal_room.c --- */
extern const struct ws_ops signal_ops;
/* A viewer and our offer. 0; -1 + errno of viewer_new(): there are too many, nothing was said. */
int signal_enter(struct signal *s, const char *room);
void signal_offer(struct signal *s);
void signal_leave(struct signal *s);
#endif
