/*
 * send.c - requests by libcurl (contract in send.h), the only file of this program that knows it; its
 * loop is workers/common/multi.c. One call is one easy handle; libcurl resolves names in threads of
 * its own, so nothing in here waits.
 */
#include "send.h"

#include <curl/curl.h>
#include <event2/event.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/socket.h>

#include "log.h"
#include "net.h"
#include "private.h"
#include "util.h"
#include "workers/common/multi.h"

#define CONNECTIONS_KEPT 64
#define KEPT_SEC 60		/* an idle connection is used again */

struct send_call {
	LIST_ENTRY(send_call) entry;
	struct send *s;
	CURL *easy;
	struct curl_slist *headers;
	struct event *turn;		/* what is wrong at once is said on the next turn */
	send_cb cb;
	void *ctx;
	bool forbidden;
	int64_t began_ms;
	size_t len, read;
	char answer[SEND_ANSWER_MAX + 1], why[CURL_ERROR_SIZE], address[NET_TEXT];
};

struct send {
	struct event_base *base;
	struct multi multi;
	json_t *networks;
	char *ca_file;
	int64_t changed_ms;		/* the conf: connections from before are not used again */
	LIST_HEAD(, send_call) calls;
};

static void
call_free(struct send_call *c)
{
	LIST_REMOVE(c, entry);
	if (c->easy) {
		curl_multi_remove_handle(c->s->multi.curl, c->easy);
		curl_easy_cleanup(c->easy);
	}
	curl_slist_free_all(c->headers);
	event_free(c->turn);
	free(c);
}

static void
finish(struct send_call *c, CURLcode rc)
{
	struct send_result r = { .body = c->answer, .error = "", .forbidden = c->forbidden,
		.took_ms = now_ms() - c->began_ms };
	char text[sizeof c->why + NET_TEXT + 128];
	long status = 0;

	if (c->easy)
		curl_easy_getinfo(c->easy, CURLINFO_RESPONSE_CODE, &status);
	/* An endless answer was cut by us: its status is there. */
	if (rc == CURLE_OK || (rc == CURLE_WRITE_ERROR && c->read > SEND_READ_MAX))
		r.status = (int)status;
	if (r.status == 0 && c->forbidden)
		snprintf(text, sizeof text, "%s is in a private network: add it to hooks.networks if that is meant",
		    c->address);
	else
		snprintf(text, sizeof text, "%s", c->why[0] != '\0' ? c->why : curl_easy_strerror(rc));
	if (r.status == 0)
		r.error = text;
	c->cb(&r, c->ctx);
	call_free(c);
}

static void
done_cb(void *call, CURLcode rc)
{
	finish(call, rc);
}

/* --- one call --- */

static curl_socket_t
open_cb(void *ctx, curlsocktype purpose, struct curl_sockaddr *to)
{
	struct send_call *c = ctx;

	if (!private_allowed(&to->addr, c->s->networks)) {
		c->forbidden = true;
		net_format_host(&to->addr, c->address);
		return CURL_SOCKET_BAD;
	}
	return socket(to->family, to->socktype | SOCK_CLOEXEC | SOCK_NONBLOCK, to->protocol);
}

static size_t
write_cb(char *in, size_t size, size_t n, void *ctx)
{
	struct send_call *c = ctx;
	size_t room = SEND_ANSWER_MAX - c->len, take;

	n *= size;
	take = n < room ? n : room;
	memcpy(c->answer + c->len, in, take);
	c->len += take;
	c->read += n;
	return c->read > SEND_READ_MAX ? 0 : n;
}

static void
transport(struct send_call *c, int64_t timeout_ms)
{
	CURL *e = c->easy;

	curl_easy_setopt(e, CURLOPT_PRIVATE, c);
	curl_easy_setopt(e, CURLOPT_ERRORBUFFER, c->why);
	curl_easy_setopt(e, CURLOPT_NOSIGNAL, 1L);
	/* A name server that does not answer: libcurl would wait for its thread, and the loop with it. */
	curl_easy_setopt(e, CURLOPT_QUICK_EXIT, 1L);
	curl_easy_setopt(e, CURLOPT_PROXY, "");
	curl_easy_setopt(e, CURLOPT_PROTOCOLS_STR, "http,https");
	curl_easy_setopt(e, CURLOPT_FOLLOWLOCATION, 0L);
	curl_easy_setopt(e, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
	curl_easy_setopt(e, CURLOPT_TIMEOUT_MS, (long)timeout_ms);
	curl_easy_setopt(e, CURLOPT_MAXAGE_CONN, (long)KEPT_SEC);
	curl_easy_setopt(e, CURLOPT_FRESH_CONNECT,
	    c->s->changed_ms != 0 && now_ms() - c->s->changed_ms <= (KEPT_SEC + 1) * 1000 ? 1L : 0L);
	curl_easy_setopt(e, CURLOPT_OPENSOCKETFUNCTION, open_cb);
	curl_easy_setopt(e, CURLOPT_OPENSOCKETDATA, c);
	curl_easy_setopt(e, CURLOPT_WRITEFUNCTION, write_cb);
	curl_easy_setopt(e, CURLOPT_WRITEDATA, c);
	if (c->s->ca_file[0] != '\0')
		curl_easy_setopt(e, CURLOPT_CAINFO, c->s->ca_file);
}

static void
add_header(struct send_call *c, const char *line)
{
	struct curl_slist *list = curl_slist_append(c->headers, line);

	if (!list)
		fatalx("out of memory");
	c->headers = list;
}

static void
fill(struct send_call *c, const struct send_job *job)
{
	char *line;

	for (int i = 0; i < SEND_HEADERS && job->headers[i]; i++)
		add_header(c, job->headers[i]);
	add_header(c, "User-Agent: Millrace/" MILLRACE_VERSION);
	add_header(c, "Expect:");
	if (job->type) {
		line = xasprintf("Content-Type: %s", job->type);
		add_header(c, line);
		free(line);
		curl_easy_setopt(c->easy, CURLOPT_POST, 1L);
		curl_easy_setopt(c->easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)strlen(job->body));
		curl_easy_setopt(c->easy, CURLOPT_COPYPOSTFIELDS, job->body);
	} else
		curl_easy_setopt(c->easy, CURLOPT_HTTPGET, 1L);
	curl_easy_setopt(c->easy, CURLOPT_HTTPHEADER, c->headers);
	curl_easy_setopt(c->easy, CURLOPT_URL, job->url);
}

static void
turn_cb(evutil_socket_t fd, short what, void *ctx)
{
	finish(ctx, CURLE_FAILED_INIT);
}

struct send_call *
send_start(struct send *s, const struct send_job *job, send_cb cb, void *ctx)
{
	struct send_call *c = xcalloc(1, sizeof *c);

	c->s = s;
	c->cb = cb;
	c->ctx = ctx;
	c->began_ms = now_ms();
	c->turn = evtimer_new(s->base, turn_cb, c);
	if (!c->turn)
		fatalx("out of memory");
	LIST_INSERT_HEAD(&s->calls, c, entry);
	c->easy = curl_easy_init();
	if (c->easy) {
		transport(c, job->timeout_ms);
		fill(c, job);
	}
	if (!c->easy || curl_multi_add_handle(s->multi.curl, c->easy) != CURLM_OK)
		event_add(c->turn, &(struct timeval){ 0, 0 });
	return c;
}

void
send_cancel(struct send_call **cp)
{
	if (*cp)
		call_free(*cp);
	*cp = NULL;
}

void
send_config(struct send *s, const struct send_conf *conf)
{
	if (json_equal(s->networks, conf->networks) && strcmp(s->ca_file, conf->ca_file) == 0)
		return;
	json_decref(s->networks);
	free(s->ca_file);
	s->networks = json_deep_copy(conf->networks);
	s->ca_file = xstrdup(conf->ca_file);
	s->changed_ms = now_ms();
}

struct send *
send_new(struct event_base *base, const struct send_conf *conf)
{
	struct send *s = xcalloc(1, sizeof *s);

	curl_global_init(CURL_GLOBAL_DEFAULT);
	s->base = base;
	s->networks = json_deep_copy(conf->networks);
	s->ca_file = xstrdup(conf->ca_file);
	LIST_INIT(&s->calls);
	if (multi_start(&s->multi, base, CONNECTIONS_KEPT, done_cb) < 0)
		fatalx("out of memory");
	return s;
}

void
send_free(struct send **sp)
{
	struct send *s = *sp;

	if (!s)
		return;
	*sp = NULL;
	while (!LIST_EMPTY(&s->calls))
		call_free(LIST_FIRST(&s->calls));
	multi_stop(&s->multi);
	json_decref(s->networks);
	free(s->ca_file);
	free(s);
	curl_global_cleanup();
}
