/* msg_packet.h - between msg.c and msg_packet.c only: one packet, without a queue. */
#ifndef MILLRACE_MSG_PACKET_H
#define MILLRACE_MSG_PACKET_H

#include "msg.h"

struct packet {
	struct packet *next;
	int64_t queued_ms;
	int fds[PROTO_FDS_MAX];
	int nfds;
	size_t len;
	uint8_t bytes[];
};

/* Bytes of one message; body is borrowed. NULL + EMSGSIZE. */
struct packet *packet_new(uint16_t type, uint32_t id, const json_t *body);
/* Closes its descriptors, too. */
void packet_free(struct packet *p);
/* 0, or -1 + errno of sendmsg(2). */
int packet_send(int fd, const struct packet *p);
/*
 * 1 got one (m->body is a new reference, NULL if the packet was bad and is dropped), 0 nothing
 * there, -1 EOF or error.
 */
int packet_recv(int fd, uint8_t buf[PROTO_MSG_MAX], struct msg *m);
void packet_close_fds(struct msg *m);
#endif
