/* listen.h - what listen.c, listen_holder.c and listen_webrtc.c share; others see supervisor.h. */
#ifndef MILLRACE_LISTEN_H
#define MILLRACE_LISTEN_H

#include "supervisor/supervisor.h"

/* --- listen.c --- */
/* Why (errno, which stays) text could not be opened, and what to do: the holder, the key to change. */
void listen_explain(const struct net_addr *addr, bool udp, const char *text, const char *key, char *buf, size_t size);

/* --- listen_webrtc.c --- */
/* Waits until `end` for those who are just leaving. 0, or -1 after a message. */
int listen_webrtc_open(int64_t end);
void listen_webrtc_close(void);
/*
 * true: the ports are others now, the workers must begin anew. Else nothing has changed; why says
 * what was in the way, "" if nothing was, and the keys in `to` are put back.
 */
bool listen_webrtc_reload(const json_t *from, json_t *to, char *why, size_t size);
#endif
