/*
 * send.h - HTTP requests on the loop, by libcurl: one answer each, at most some bytes of it, within
 * a time. Redirects are not followed, proxies of the environment are not used, and an address
 * that private.h does not allow is not connected to: it is looked at when the socket is made, so
 * what a name resolved to before does not matter.
 */
#ifndef MILLRACE_HOOKS_SEND_H
#define MILLRACE_HOOKS_SEND_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SEND_ANSWER_MAX 4096	/* of an answer's body; the rest is read and dropped */
#define SEND_READ_MAX 65536	/* with more the request is over, by its status */
#define SEND_HEADERS 4

struct event_base;
struct send;
struct send_call;

struct send_conf {
	const json_t *networks;		/* hooks.networks; copied */
	const char *ca_file;		/* "" = the system's */
};

struct send_job {
	const char *method, *url, *type;	/* type NULL: no body */
	const char *body;			/* copied, as all of this */
	const char *headers[SEND_HEADERS];	/* "Name: value"; up to the first NULL */
	int64_t timeout_ms;
};

struct send_result {
	int status;		/* of the HTTP answer; 0: there was none, error says why */
	const char *body;	/* of at most SEND_ANSWER_MAX bytes, NUL-terminated */
	const char *error;	/* "" with an answer */
	bool forbidden;		/* by private.h */
	int64_t took_ms;
};
/* Once, never before send_start() returns; the call is gone afterwards. */
typedef void (*send_cb)(const struct send_result *r, void *ctx);

void send_config(struct send *s, const struct send_conf *conf);	/* for the calls from now on */
struct send *send_new(struct event_base *base, const struct send_conf *conf);
/* Calls under way are cancelled: they are not called back. */
void send_free(struct send **s);
/* Never NULL: what is wrong with a job is its result. */
struct send_call *send_start(struct send *s, const struct send_job *job, send_cb cb, void *ctx);
void send_cancel(struct send_call **c);
/* What is wrong with a URL, or NULL: its form, and an address in it that is not allowed. */
const char *send_url_wrong(const char *url, const json_t *networks);
/* URL without what may be secret: user, query and fragment; free(). */
char *send_url_show(const char *url);
/* "/path?query" of URL, as in the request line; free(). */
char *send_url_target(const char *url);
#endif
