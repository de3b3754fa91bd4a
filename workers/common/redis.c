/*
 * redis.c - the only file that knows hiredis: its events on our loop, its commands and
 * replies (as JSON), and the ends of its connections.
 *
 * When to connect, and when a connection is good for nothing any more, is said by
 * redis_life.c, its only caller. hiredis frees a connection that fails by itself, behind
 * our callback; one that we close inside a callback it frees once that returns. So r->ac
 * is forgotten first, always, and whatever comes for another one is ignored.
 */
#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <hiredis/async.h>
#include <hiredis/hiredis.h>
#ifdef MILLRACE_REDIS_TLS
#include <hiredis/hiredis_ssl.h>
#include <openssl/ssl.h>
#endif
#include <stdio.h>
#include <stdlib.h>

#include "log.h"
#include "msg.h"
#include "redis_life.h"
#include "util.h"

#define COMMANDS_MAX 8192	/* under way at once */

struct request {
	struct redis *r;
	redis_cb cb;
	void *ctx;
};

static void
readable_cb(evutil_socket_t fd, short what, void *ctx)
{
	struct redis *r = ctx;

	redisAsyncHandleRead(r->ac);
}

static void
writable_cb(evutil_socket_t fd, short what, void *ctx)
{
	struct redis *r = ctx;

	redisAsyncHandleWrite(r->ac);
}

static void
add_read(void *ctx)
{
	event_add(((struct redis *)ctx)->rd, NULL);
}

static void
del_read(void *ctx)
{
	event_del(((struct redis *)ctx)->rd);
}

static void
add_write(void *ctx)
{
	event_add(((struct redis *)ctx)->wr, NULL);
}

static void
del_write(void *ctx)
{
	event_del(((struct redis *)ctx)->wr);
}

static void
events_free(void *ctx)
{
	struct redis *r = ctx;

	if (r->rd) {
		event_free(r->rd);
		event_free(r->wr);
	}
	r->rd = r->wr = NULL;
}

static void
attach(struct redis *r)
{
	fcntl(r->ac->c.fd, F_SETFD, FD_CLOEXEC);
	r->ac->data = r;
	r->ac->ev.data = r;
	r->ac->ev.addRead = add_read;
	r->ac->ev.delRead = del_read;
	r->ac->ev.addWrite = add_write;
	r->ac->ev.delWrite = del_write;
	r->ac->ev.cleanup = events_free;
	r->rd = event_new(r->base, r->ac->c.fd, EV_READ | EV_PERSIST, readable_cb, r);
	r->wr = event_new(r->base, r->ac->c.fd, EV_WRITE | EV_PERSIST, writable_cb, r);
	if (!r->rd || !r->wr)
		fatalx("out of memory");
}

static json_t *
reply_json(const redisReply *reply)
{
	json_t *list;

	switch (reply->type) {
	case REDIS_REPLY_INTEGER:
		return json_integer(reply->integer);
	case REDIS_REPLY_ARRAY:
		list = json_array();
		for (size_t i = 0; i < reply->elements; i++)
			json_array_append_new(list, reply_json(reply->element[i]));
		return list;
	case REDIS_REPLY_STRING:
	case REDIS_REPLY_STATUS:
	case REDIS_REPLY_ERROR:
		return msg_text(reply->str, (size_t)reply->len);
	default:
		return json_null();
	}
}

static void
reply_cb(redisAsyncContext *ac, void *reply, void *ctx)
{
	struct request *q = ctx;
	const redisReply *answer = reply;
	json_t *body;

	q->r->commands--;
	if (q->cb && !answer) {
		q->cb(EHOSTDOWN, NULL, "Redis went away", q->ctx);
	} else if (q->cb && answer->type == REDIS_REPLY_ERROR) {
		q->cb(EIO, NULL, answer->str, q->ctx);
	} else if (q->cb) {
		body = reply_json(answer);
		q->cb(0, body, NULL, q->ctx);
		json_decref(body);
	}
	free(q);
}

int
redis_wire_send(struct redis *r, int argc, const char *const *argv, redis_cb cb, void *ctx)
{
	struct request *q;

	if (!r->ac || r->commands >= COMMANDS_MAX)
		return -1;
	q = xmalloc(sizeof *q);
	*q = (struct request){ .r = r, .cb = cb, .ctx = ctx };
	if (redisAsyncCommandArgv(r->ac, reply_cb, q, argc, (const char **)(uintptr_t)argv,
	    NULL) != REDIS_OK) {
		free(q);
		return -1;
	}
	r->commands++;
	return 0;
}

#ifdef MILLRACE_REDIS_TLS
/* The system's certificates, or $SSL_CERT_FILE; the name in the URL must be in the server's. */
static SSL *
tls_new(const char *host)
{
	static SSL_CTX *tls;
	SSL *ssl;

	if (!tls) {
		tls = SSL_CTX_new(TLS_client_method());
		if (!tls || SSL_CTX_set_default_verify_paths(tls) != 1 ||
		    SSL_CTX_set_min_proto_version(tls, TLS1_2_VERSION) != 1)
			fatalx("OpenSSL can't be used");
		SSL_CTX_set_verify(tls, SSL_VERIFY_PEER, NULL);
	}
	ssl = SSL_new(tls);
	/* An address is no name for SNI, but may be in the certificate. */
	if (!ssl || (X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), host) != 1 &&
	    (SSL_set1_host(ssl, host) != 1 || SSL_set_tlsext_host_name(ssl, host) != 1)))
		fatalx("out of memory");
	return ssl;
}

/* hiredis says "Success" to a certificate that is refused. */
static const char *
tls_refuses(const struct redis *r)
{
	long rc = r->tls ? SSL_get_verify_result(r->tls) : X509_V_OK;
	static char text[160];

	if (rc == X509_V_OK)
		return NULL;
	snprintf(text, sizeof text, "its certificate is refused: %s", X509_verify_cert_error_string(rc));
	return text;
}

/* It may be refused as soon as that: its answer came while we were asking. */
static void
start_tls(struct redis *r)
{
	const char *refused;

	r->tls = tls_new(r->url.at.host);
	if (redisInitiateSSL(&r->ac->c, r->tls) == REDIS_OK)	/* which has it from now on */
		return;
	refused = tls_refuses(r);
	SSL_free(r->tls);
	r->tls = NULL;
	redis_lost(r, refused ? refused : r->ac->c.errstr);
}
#else
static void
start_tls(struct redis *r)
{
	redis_lost(r, "this build has no TLS: let stunnel speak it and name its local port");
}

static const char *
tls_refuses(const struct redis *r)
{
	return NULL;
}
#endif

static const char *
why_lost(const struct redis *r, const redisAsyncContext *ac)
{
	const char *refused = tls_refuses(r);

	if (refused)
		return refused;
	return ac->errstr && ac->errstr[0] ? ac->errstr : "the connection was closed";
}

static void
connect_cb(const redisAsyncContext *ac, int status)
{
	struct redis *r = ac->data;

	if (status == REDIS_OK || ac != r->ac)
		return;
	r->ac = NULL;		/* hiredis frees it behind us */
	redis_lost(r, why_lost(r, ac));
}

static void
disconnect_cb(const redisAsyncContext *ac, int status)
{
	struct redis *r = ac->data;

	if (ac != r->ac)
		return;
	r->ac = NULL;
	redis_lost(r, why_lost(r, ac));
}

int
redis_wire_open(struct redis *r, const char *address)
{
	redisAsyncContext *ac = address ? redisAsyncConnect(address, r->url.at.port)
	    : redisAsyncConnectUnix(r->url.path);

	if (!ac || ac->err) {
		redis_lost(r, ac ? ac->errstr : "out of memory");
		if (ac)
			redisAsyncFree(ac);
		return -1;
	}
	r->ac = ac;
	r->tls = NULL;
	attach(r);
	redisAsyncSetConnectCallback(ac, connect_cb);
	redisAsyncSetDisconnectCallback(ac, disconnect_cb);
	if (r->url.tls)
		start_tls(r);
	return r->ac ? 0 : -1;
}

void
redis_wire_close(struct redis *r)
{
	redisAsyncContext *ac = r->ac;

	r->ac = NULL;
	if (ac)
		redisAsyncFree(ac);
}
