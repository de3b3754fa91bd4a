/*
 * multi.c - libcurl's multi interface on our loop (curl_multi_socket_action; contract in multi.h): its
 * sockets are events, its timer is one. Called by s3.c of jobs and send.c of hooks.
 */
#include "workers/common/multi.h"

#include "log.h"

static void
collect(struct multi *m)
{
	CURLMsg *said;
	CURLcode rc;
	void *call;
	int left;

	while ((said = curl_multi_info_read(m->curl, &left)) != NULL) {
		if (said->msg != CURLMSG_DONE)
			continue;
		rc = said->data.result;
		call = NULL;
		curl_easy_getinfo(said->easy_handle, CURLINFO_PRIVATE, (char **)&call);
		m->done(call, rc);
	}
}

static void
ready_cb(evutil_socket_t fd, short what, void *ctx)
{
	struct multi *m = ctx;
	int running, how = (what & EV_READ ? CURL_CSELECT_IN : 0) | (what & EV_WRITE ? CURL_CSELECT_OUT : 0);

	curl_multi_socket_action(m->curl, fd, how, &running);
	collect(m);
}

static int
socket_cb(CURL *easy, curl_socket_t fd, int what, void *ctx, void *socket_ctx)
{
	struct multi *m = ctx;
	struct event *ev = socket_ctx;
	short want = (short)(EV_PERSIST | (what & CURL_POLL_IN ? EV_READ : 0) | (what & CURL_POLL_OUT ? EV_WRITE : 0));

	if (ev != NULL)
		event_free(ev);
	ev = NULL;
	if (what != CURL_POLL_REMOVE) {
		ev = event_new(m->base, fd, want, ready_cb, m);
		if (ev == NULL || event_add(ev, NULL) < 0)
			fatalx("out of memory");
	}
	curl_multi_assign(m->curl, fd, ev);
	return 0;
}

static int
timer_cb(CURLM *curl, long ms, void *ctx)
{
	struct multi *m = ctx;

	if (ms < 0)
		event_del(m->timer);
	else
		event_add(m->timer, &(struct timeval){ ms / 1000, ms % 1000 * 1000 });
	return 0;
}

static void
timeout_cb(evutil_socket_t fd, short what, void *ctx)
{
	struct multi *m = ctx;
	int running;

	curl_multi_socket_action(m->curl, CURL_SOCKET_TIMEOUT, 0, &running);
	collect(m);
}

int
multi_start(struct multi *m, struct event_base *base, long kept, void (*done)(void *call, CURLcode rc))
{
	m->base = base;
	m->done = done;
	m->timer = evtimer_new(base, timeout_cb, m);
	m->curl = curl_multi_init();
	if (m->timer == NULL || m->curl == NULL)
		return -1;
	curl_multi_setopt(m->curl, CURLMOPT_SOCKETFUNCTION, socket_cb);
	curl_multi_setopt(m->curl, CURLMOPT_SOCKETDATA, m);
	curl_multi_setopt(m->curl, CURLMOPT_TIMERFUNCTION, timer_cb);
	curl_multi_setopt(m->curl, CURLMOPT_TIMERDATA, m);
	curl_multi_setopt(m->curl, CURLMOPT_MAXCONNECTS, kept);
	return 0;
}

void
multi_stop(struct multi *m)
{
	if (m->curl != NULL)
		curl_multi_cleanup(m->curl);
	if (m->timer != NULL)
		event_free(m->timer);
	m->curl = NULL;
	m->timer = NULL;
}
