/*
 * upload_session.c - one connection that sends a file, from its head to its end: the claim, and the
 * folder it is locked into. How it speaks is upload_ws.c's or upload_tus.c's, what happens on the disk
 * upload_store.c's, time limits upload_tick.c's.
 *
 *   HEAD -CLAIM-> CLAIMED -GRANT-> OPENING -> RECEIVING -> FINISHING -> (WATCHING) -> LINGER
 *
 * A broken connection loses nothing that was received: it is on the disk, found by its id. When all
 * has come the jobs worker is told; should it not hear of it, its scan finds the file. Called by
 * main.c's table.
 */
#include "upload_session.h"

#include <arpa/inet.h>
#include <event2/buffer.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "conf.h"
#include "landlock.h"
#include "log.h"
#include "net.h"
#include "upload_parts.h"
#include "util.h"
#include "ws_head.h"

#define TICK_MS 250

static const struct conn_ops conn_ops;
static const struct upload_store_ops store_ops;

/* --- beginning --- */

static void
open_store(struct upload_session *s)
{
	char dir[INTAKE_PATH];
	const struct landlock_rule rules[] = {
		{ dir, true, false },
#if defined(__SANITIZE_ADDRESS__)
		{ "/proc", false, false },	/* the leak check looks at its own threads */
#endif
		{ NULL, false, false },
	};

	snprintf(dir, sizeof(dir), "%s/" INTAKE_DIR, conf_str(s->svc->conf, "data_dir"));
	if (landlock_restrict(rules) == -1) {
		s->face->failed(s, UPLOAD_IO, "the server cannot lock itself in");
		return;
	}
	s->phase = UP_OPENING;
	s->has_store = true;
	upload_store_init(&s->store, s->svc, &store_ops, s);
	if (s->in.id[0] == '\0')
		upload_store_create(&s->store, &s->in);
	else if (s->find)
		upload_store_find(&s->store, s->in.id);
	else
		upload_store_open(&s->store, s->in.id);
}

/* resume: its id, which nobody guesses, is its key. */
static void
claim(struct upload_session *s, const char *query, bool resume)
{
	const char *name = s->in.name[0] != '\0' ? s->in.name : "upload";

	s->phase = UP_CLAIMED;
	conn_pause(&s->conn, true);
	svc_send(s->svc, MSG_CLAIM, 1, json_pack("{s:s, s:s, s:s, s:s, s:o, s:b, s:b}", "name", name, "app", "upload",
	    "peer", s->conn.peer, "protocol", "upload", "query", msg_text(query, strlen(query)), "stream", 0,
	    "resume", resume));
}

void
upload_begin_create(struct upload_session *s)
{
	struct net_addr peer;
	struct in6_addr whose;

	if (net_parse(s->conn.peer, &peer) == 0) {
		whose = net_customer((struct sockaddr *)&peer.ss);
		inet_ntop(AF_INET6, &whose, s->in.from, sizeof(s->in.from));
	}
	claim(s, request_query(&s->req), false);
}

void
upload_begin_open(struct upload_session *s, bool find)
{
	s->find = find;
	claim(s, "", true);
}

static void
on_opened(void *ctx, enum upload_fault fault, const char *why)
{
	struct upload_session *s = ctx;
	bool first = s->phase == UP_OPENING;

	if (s->phase == UP_LINGER)
		return;
	s->begun = s->store.written;
	s->data_ms = now_ms();
	if (fault == UPLOAD_OK && first) {
		log_set_stream(s->store.in.name[0] != '\0' ? s->store.in.name : NULL);
		if (s->in.id[0] == '\0' || s->face == &upload_ws)
			log_info("upload %s: %s from %s, at %lld", s->store.in.id, s->in.id[0] == '\0' ? "begins" :
			    "goes on", s->conn.peer, (long long)s->store.written);
		s->phase = UP_RECEIVING;
	}
	s->face->opened(s, fault, why);
	if (s->phase < UP_LINGER && s->store.task == NULL) {	/* else the disk is asked for something more */
		conn_pause(&s->conn, false);
		conn_early(&s->conn);
	}
	conn_write(&s->conn);
}

/* --- receiving --- */

int
upload_data(struct upload_session *s, const uint8_t *p, size_t n)
{
	if (n > 0)
		s->data_ms = now_ms();
	if (upload_store_write(&s->store, p, n) == -1)
		return -1;
	if (upload_store_unsynced(&s->store) > conf_int(s->svc->conf, "upload.unsynced"))
		conn_pause(&s->conn, true);
	return 0;
}

void
upload_finish(struct upload_session *s)
{
	if (s->phase != UP_RECEIVING)
		return;
	s->phase = UP_FINISHING;
	upload_store_finish(&s->store);
}

static void
on_acked(void *ctx, int64_t offset)
{
	struct upload_session *s = ctx;

	if (s->phase == UP_LINGER)
		return;
	if (s->conn.paused && upload_store_unsynced(&s->store) <= conf_int(s->svc->conf, "upload.unsynced") / 2)
		conn_pause(&s->conn, false);
	s->face->acked(s, offset);
	conn_write(&s->conn);
}

static void
on_complete(void *ctx)
{
	struct upload_session *s = ctx;

	log_info("upload %s is complete: %lld bytes", s->store.in.id, (long long)s->store.written);
	svc_send(s->svc, MSG_EVENT, 0, json_pack("{s:s, s:s}", "event", "uploaded", "id", s->store.in.id));
	if (s->conn.fd < 0)
		svc_exit(s->svc, 0, "complete");
	else if (s->phase != UP_LINGER)
		s->face->complete(s);
	conn_write(&s->conn);
}

static void
on_failed(void *ctx, enum upload_fault fault, const char *why)
{
	struct upload_session *s = ctx;

	upload_tell_refused(s, fault, why);
	if (s->conn.fd < 0)
		svc_exit(s->svc, 1, why);
	else if (s->phase != UP_LINGER)
		s->face->failed(s, fault, why);
	conn_write(&s->conn);
}

static void
on_wanted(void *ctx)
{
	struct upload_session *s = ctx;

	if (s->phase != UP_RECEIVING)
		return;
	conn_read(&s->conn);		/* what has come is received */
	if (s->phase != UP_RECEIVING)
		return;
	if (s->face->gone != NULL)
		s->face->gone(s);
	log_info("upload %s: a newer connection goes on with it", s->store.in.id);
	conn_close(&s->conn);
	svc_exit(s->svc, 0, "a newer connection goes on with it");
}

static const struct upload_store_ops store_ops = {
	.opened = on_opened, .acked = on_acked, .complete = on_complete, .failed = on_failed, .wanted = on_wanted,
};

void
upload_watch(struct upload_session *s)
{
	s->phase = UP_WATCHING;
}

/* --- the connection --- */

/* All of it has come with CONN; what follows the head waits for the disk, and is fed again then. */
static int
read_head(struct upload_session *s, const uint8_t *p, size_t n)
{
	int used;

	s->has_req = true;
	used = ws_head_read(&s->req, p, n);
	if (used < 0) {
		upload_end(s, "not a request");
		return -1;
	}
	s->face = ws_head_wants(&s->req) ? &upload_ws : &upload_tus;
	s->face->head(s);
	return used;
}

static int
on_input(void *ctx, const uint8_t *p, size_t n)
{
	struct upload_session *s = ctx;

	if (s->phase == UP_LINGER)
		return -1;
	s->face->input(s, p, n);
	return s->phase == UP_LINGER ? -1 : 0;
}

static const struct conn_ops conn_ops = { .input = on_input, .over = upload_broken };

void
upload_session_conn(struct svc *svc, struct msg *m)
{
	static const struct timeval tv = { TICK_MS / 1000, TICK_MS % 1000 * 1000 };
	struct upload_session *s = svc->ctx;
	int used;

	if (conn_take(&s->conn, svc->base, m, svc->conf) < 0 || s->conn.early == NULL) {
		svc_exit(svc, 1, "CONN without a connection and its request");
		return;
	}
	event_add(s->tick, &tv);
	used = read_head(s, s->conn.early, s->conn.early_len);
	if (used > 0) {			/* what came behind the head is early still */
		s->conn.early_len -= (size_t)used;
		memmove(s->conn.early, s->conn.early + used, s->conn.early_len);
	}
	conn_write(&s->conn);
}

void
upload_session_grant(struct svc *svc, struct msg *m)
{
	struct upload_session *s = svc->ctx;

	if (s->phase == UP_CLAIMED)
		open_store(s);
	conn_write(&s->conn);
}

void
upload_session_refuse(struct svc *svc, struct msg *m)
{
	struct upload_session *s = svc->ctx;
	char text[300];

	if (s->phase != UP_CLAIMED)
		return;
	snprintf(text, sizeof(text), "%s\n", msg_str_or(m, "text", "refused"));
	ws_head_refuse(s->conn.out, strcmp(msg_str_or(m, "code", ""), "stopping") == 0 ? 503 : 403,
	    s->face == &upload_tus ? TUS_VERSION_FIELD : NULL, text);
	upload_end(s, "refused");
}

void
upload_session_output(struct svc *svc, struct msg *m)
{
}

void
upload_session_yield(struct svc *svc, struct msg *m)
{
}

void
upload_session_stop(struct svc *svc, const char *reason, int64_t grace_ms)
{
	struct upload_session *s = svc->ctx;

	if (s->phase == UP_RECEIVING)
		conn_read(&s->conn);
	s->stopping = true;
	if (s->phase == UP_RECEIVING)
		s->face->failed(s, UPLOAD_LATER, "the server stops; go on with it later");
	else if (s->phase != UP_FINISHING)	/* that takes a moment only, and is worth it */
		upload_end(s, reason);
	conn_write(&s->conn);
}

void
upload_session_stop_message(struct svc *svc, struct msg *m)
{
	upload_session_stop(svc, msg_str_or(m, "reason", "stop"), msg_int_or(m, "grace_ms", 5000));
}

void
upload_session_new(struct svc *svc)
{
	struct upload_session *s = xcalloc(1, sizeof(*s));

	svc->ctx = s;
	s->svc = svc;
	s->in.size = s->in.unchecked = -1;
	s->percent = -1;
	s->pinged_ms = s->data_ms = now_ms();
	conn_init(&s->conn, &conn_ops, s);
	s->tick = event_new(svc->base, -1, EV_PERSIST, upload_tick_cb, s);
}

void
upload_session_free(struct svc *svc)
{
	struct upload_session *s = svc->ctx;

	svc->ctx = NULL;
	if (s == NULL)
		return;
	if (s->has_store)
		upload_store_close(&s->store);
	event_free(s->tick);
	ws_free(&s->ws);
	if (s->has_req)
		request_free(&s->req);
	conn_free(&s->conn);
	free(s);
}
