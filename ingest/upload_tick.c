/*
 * upload_tick.c - what time brings for a connection that sends a file: pings, limits, and what
 * has become of the file once it is complete. Called by upload_session.c's timer.
 */
#include "conf.h"
#include "upload_parts.h"
#include "util.h"

#define ASK_MS 1000		/* between two questions for its job */
#define ASK_LIMIT_MS 5000

/* --- what becomes of it --- */

static void
job_cb(struct svc *svc, int rc, json_t *body, void *ctx)
{
	struct upload_session *s = svc->ctx;

	s->asking = false;
	if (rc == 0 && s->phase == UP_WATCHING && s->face->job != NULL)
		s->face->job(s, body);
	conn_write(&s->conn);
}

static void
ask(struct upload_session *s, int64_t now)
{
	if (s->asking || now - s->asked_ms < ASK_MS)
		return;
	s->asking = true;
	s->asked_ms = now;
	svc_call(s->svc, "jobs", "job", json_pack("{s:s}", "id", s->store.in.id), ASK_LIMIT_MS, job_cb, NULL);
}

/* --- limits --- */

static void
overdue(struct upload_session *s, int64_t now)
{
	const json_t *c = s->svc->conf;

	if (s->phase == UP_RECEIVING && !s->conn.paused && now - s->data_ms > conf_int(c, "upload.idle_timeout"))
		s->face->failed(s, UPLOAD_LATER, "nothing came for upload.idle_timeout; go on with it when you can");
	else if (s->phase >= UP_RECEIVING && s->face->ping != NULL && !s->conn.paused &&
	    now - s->conn.last_byte_ms > conf_int(c, "ws.ping_timeout"))
		upload_broken(s, "not a byte for ws.ping_timeout: its sender is gone");
}

void
upload_tick_cb(evutil_socket_t fd, short what, void *ctx)
{
	struct upload_session *s = ctx;
	int64_t now = now_ms();

	if (s->phase == UP_LINGER || s->conn.fd < 0 || s->face == NULL)
		return;
	if (s->phase == UP_WATCHING)
		ask(s, now);
	if (s->face->ping != NULL && s->phase >= UP_RECEIVING &&
	    now - s->pinged_ms >= conf_int(s->svc->conf, "ws.ping_interval")) {
		s->pinged_ms = now;
		s->face->ping(s);
	}
	overdue(s, now);
	conn_write(&s->conn);
}
