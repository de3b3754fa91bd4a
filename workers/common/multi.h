/* multi.h - libcurl's multi interface on our loop: what of it is the same for whoever sends requests. */
#ifndef MILLRACE_MULTI_H
#define MILLRACE_MULTI_H

#include <curl/curl.h>
#include <event2/event.h>

struct multi {				/* its owner's; zeroed: not started */
	struct event_base *base;
	CURLM *curl;			/* easy handles are added and removed there */
	struct event *timer;
	void (*done)(void *call, CURLcode rc);
};

/*
 * kept: connections that stay open for the next request. done: an easy handle has ended, call is its
 * CURLOPT_PRIVATE; it may start and cancel others, not stop the multi. 0, or -1: no memory.
 */
int multi_start(struct multi *m, struct event_base *base, long kept, void (*done)(void *call, CURLcode rc));
/* All easy handles are out of it. Harmless if it was not started. */
void multi_stop(struct multi *m);
#endif
