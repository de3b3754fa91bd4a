/*
 * msg.h - packets of lib/proto.h over a SOCK_SEQPACKET socket.
 *
 * A struct msg_chan is one end with an outgoing queue on a libevent loop: it
 * never blocks. The blocking pair msg_write()/msg_read() is for the CLI.
 * Foreign bytes enter JSON only through msg_text() (jansson refuses invalid
 * UTF-8 and NUL).
 */
#ifndef MILLRACE_MSG_H
#define MILLRACE_MSG_H

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

#include "proto.h"

struct event_base;
struct msg_chan;

struct msg {
	uint16_t type;
	uint32_t id;
	json_t *body;		/* an object; borrowed by the callback */
	int fds[PROTO_FDS_MAX];	/* the callback takes one by msg_take_fd(); the rest are closed */
	int nfds;
};

/* m NULL: the peer is gone (EOF or error); the callback frees the channel. */
typedef void (*msg_cb)(struct msg_chan *c, struct msg *m, void *ctx);

/* Takes fd (closed by msg_chan_free). NULL + errno on failure. */
struct msg_chan *msg_chan_new(struct event_base *base, int fd, msg_cb cb, void *ctx);
/* Closes the socket and every queued fd; sets *c NULL. Safe inside the callback. */
void msg_chan_free(struct msg_chan **c);
/* Age in ms of the oldest unsent message, 0 if none: > PROTO_HUNG_MS means hung. */
int64_t msg_chan_stuck_ms(const struct msg_chan *c);
size_t msg_chan_queued(const struct msg_chan *c);

/*
 * Queues one message. body is stolen (NULL = {}), fds are closed once sent, also
 * on failure. 0, or -1: ENOBUFS (PROTO_QUEUE_MAX), EMSGSIZE, EPIPE
 * (also for c NULL: a child whose channel has ended but who was not reaped yet).
 */
int msg_send(struct msg_chan *c, uint16_t type, uint32_t id, json_t *body,
    const int *fds, int nfds);
/* Tries to send what is queued for at most timeout_ms (a child's last BYE). */
void msg_flush(struct msg_chan *c, int timeout_ms);

/* Takes the i-th passed fd out of m (the caller owns it), or -1. */
int msg_take_fd(struct msg *m, int i);

/* Blocking, for the CLI: 0, or -1 + errno (ETIMEDOUT after timeout_ms). */
int msg_write(int fd, uint16_t type, uint32_t id, json_t *body);
/* *body is a new reference the caller decrefs. */
int msg_read(int fd, int timeout_ms, uint16_t *type, uint32_t *id, json_t **body);

/* The key's value; a missing key or another type logs "TYPE without KEY" once and gives NULL/-1 + EBADMSG. */
const char *msg_str(const struct msg *m, const char *key);
int msg_int(const struct msg *m, const char *key, int64_t *out);
/* With a default, silently. */
const char *msg_str_or(const struct msg *m, const char *key, const char *fallback);
int64_t msg_int_or(const struct msg *m, const char *key, int64_t fallback);
const char *msg_type_name(uint16_t type);

/* A JSON string of foreign bytes: invalid UTF-8 and NUL become U+FFFD; never NULL. */
json_t *msg_text(const void *bytes, size_t len);
#endif
