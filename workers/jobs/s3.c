/*
 * s3.c - the client of one bucket: its configuration, and libcurl on our loop (workers/common/multi.c).
 * Requests are s3_call.c's. Proxies of the environment are ignored.
 */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "log.h"
#include "s3_int.h"
#include "util.h"

#define CONNECTIONS_KEPT 16

/* A callback may start and cancel calls, not free the client. */
static void
done_cb(void *call, CURLcode rc)
{
	s3_call_ended(call, rc);
}

static void
refill_cb(evutil_socket_t fd, short what, void *ctx)
{
	struct s3 *s = ctx;
	struct s3_call *c;

	LIST_FOREACH(c, &s->calls, entry) {
		if (!c->paused)
			continue;
		c->paused = false;
		curl_easy_pause(c->easy, CURLPAUSE_CONT);
	}
}

/* Where the bucket is: path style puts it before the key, else it is a label of the host. */
static int
place(struct s3 *s, const struct s3_conf *conf, CURLU *u)
{
	char *host = NULL, *port = NULL, *path = NULL, *before;
	int rc = -1;

	if (curl_url_set(u, CURLUPART_URL, conf->endpoint, 0) != CURLUE_OK ||
	    curl_url_get(u, CURLUPART_SCHEME, &s->scheme, 0) != CURLUE_OK ||
	    (strcasecmp(s->scheme, "http") != 0 && strcasecmp(s->scheme, "https") != 0) ||
	    curl_url_get(u, CURLUPART_HOST, &host, 0) != CURLUE_OK ||
	    curl_url_get(u, CURLUPART_PATH, &path, 0) != CURLUE_OK)
		goto out;
	/* As libcurl writes Host: the port only if it is not the scheme's own. */
	curl_url_get(u, CURLUPART_PORT, &port, CURLU_NO_DEFAULT_PORT);
	before = conf->path_style ? xstrdup("") : xasprintf("%s.", conf->bucket);
	s->host = xasprintf("%s%s%s%s", before, host, port != NULL ? ":" : "", port != NULL ? port : "");
	free(before);
	path[strlen(path) - (path[strlen(path) - 1] == '/')] = '\0';
	s->root = conf->path_style ? xasprintf("%s/%s", path, conf->bucket) : xstrdup(path);
	rc = 0;
out:
	curl_free(host);
	curl_free(port);
	curl_free(path);
	return rc;
}

static const char *
configure(struct s3 *s, const struct s3_conf *conf)
{
	CURLU *u = curl_url();
	int rc = place(s, conf, u);

	curl_url_cleanup(u);
	if (rc == -1)
		return "storage.s3.endpoint is no http:// or https:// URL";
	if (conf->bucket[0] == '\0')
		return "storage.s3.bucket is empty";
	if (conf->access_key[0] == '\0' || conf->secret_key[0] == '\0')
		return "storage.s3.access_key or secret_key is empty";
	s->endpoint = xstrdup(conf->endpoint);
	s->region = xstrdup(conf->region);
	s->bucket = xstrdup(conf->bucket);
	s->access_key = xstrdup(conf->access_key);
	s->secret_key = xstrdup(conf->secret_key);
	s->session_token = xstrdup(conf->session_token);
	s->ca_file = xstrdup(conf->ca_file);
	s->connect_timeout_ms = conf->connect_timeout_ms;
	s->timeout_ms = conf->timeout_ms;
	s3_rate_set(&s->rate, conf->bandwidth, conf->bandwidth_shared, now_ms() * 1000);
	return NULL;
}

static const char *
wire(struct s3 *s)
{
	s->refill = evtimer_new(s->base, refill_cb, s);
	if (s->refill == NULL || multi_start(&s->multi, s->base, CONNECTIONS_KEPT, done_cb) < 0)
		return "out of memory";
	s->slice = xmalloc(S3_SLICE);
	return NULL;
}

struct s3 *
s3_new(struct event_base *base, const struct s3_conf *conf, const char **why)
{
	struct s3 *s = xcalloc(1, sizeof *s);

	curl_global_init(CURL_GLOBAL_DEFAULT);
	s->base = base;
	s->figures = conf->figures != NULL ? conf->figures : &s->own_figures;
	LIST_INIT(&s->calls);
	TAILQ_INIT(&s->waiting);
	if ((*why = configure(s, conf)) != NULL || (*why = wire(s)) != NULL)
		s3_free(&s);
	return s;
}

static void
forget(char *secret)
{
	if (secret != NULL)
		explicit_bzero(secret, strlen(secret));
	free(secret);
}

void
s3_free(struct s3 **sp)
{
	struct s3 *s = *sp;
	struct s3_call *c;

	if (s == NULL)
		return;
	while ((c = LIST_FIRST(&s->calls)) != NULL)
		s3_cancel(&c);
	multi_stop(&s->multi);
	if (s->refill != NULL)
		event_free(s->refill);
	curl_free(s->scheme);
	free(s->host);
	free(s->root);
	free(s->endpoint);
	free(s->region);
	free(s->bucket);
	free(s->access_key);
	forget(s->secret_key);
	forget(s->session_token);
	free(s->ca_file);
	free(s->slice);
	free(s);
	*sp = NULL;
	curl_global_cleanup();
}

const char *
s3_bucket(const struct s3 *s)
{
	return s->bucket;
}

const char *
s3_endpoint(const struct s3 *s)
{
	return s->endpoint;
}
