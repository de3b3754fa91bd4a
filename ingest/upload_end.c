/*
 * upload_end.c - how a connection that sends a file comes to its end, and who hears of it. Called by
 * upload_session.c, upload_tick.c and the faces.
 */
#include <string.h>

#include "log.h"
#include "upload_parts.h"
#include "util.h"

#define LINGER_MS 2000

int
upload_status(enum upload_fault fault)
{
	static const int status[] = { [UPLOAD_OK] = 200, [UPLOAD_NONE] = 404, [UPLOAD_OVER] = 409, [UPLOAD_BUSY] = 423,
		[UPLOAD_TOO_BIG] = 413, [UPLOAD_TOO_MANY] = 503, [UPLOAD_NO_SPACE] = 507, [UPLOAD_IO] = 500,
		[UPLOAD_LATER] = 503 };

	return status[fault];
}

/*
 * A WebSocket has its upload before its first byte; without one nobody misses it, and it would count for
 * upload.max_uploads. If the server stops its sender was told to come back.
 */
static void
drop_empty(struct upload_session *s)
{
	if (s->phase == UP_RECEIVING && s->face == &upload_ws && s->in.id[0] == '\0' && s->store.written == 0 &&
	    !s->stopping)
		upload_store_drop(&s->store);
}

void
upload_end(struct upload_session *s, const char *how)
{
	if (s->phase == UP_LINGER)
		return;
	if (s->phase >= UP_RECEIVING && s->face == &upload_ws)	/* of tus there is one for each piece */
		log_info("upload %s: %s; %lld bytes are here", s->store.in.id, how, (long long)s->store.written);
	else if (s->phase >= UP_RECEIVING)
		log_debug("upload %s: %s; %lld bytes are here", s->store.in.id, how, (long long)s->store.written);
	drop_empty(s);
	s->phase = UP_LINGER;
	str_copy(s->how, how, sizeof(s->how));
	conn_linger(&s->conn, LINGER_MS);
	if (s->conn.fd < 0)
		svc_exit(s->svc, 0, s->how);
}

void
upload_broken(void *ctx, const char *why)
{
	struct upload_session *s = ctx;

	if (s->phase == UP_LINGER) {
		svc_exit(s->svc, 0, s->how);
		return;
	}
	if (s->face != NULL && s->face->gone != NULL)
		s->face->gone(s);
	if (s->phase == UP_FINISHING)		/* all is here, nobody listens any more */
		conn_close(&s->conn);
	else
		upload_end(s, why);
}

/* What its sender can do nothing about is for the server's people, too: in the log and in status. */
void
upload_tell_refused(struct upload_session *s, enum upload_fault fault, const char *why)
{
	static const char *const codes[] = { [UPLOAD_NO_SPACE] = "space", [UPLOAD_TOO_MANY] = "limit",
		[UPLOAD_IO] = "other", [UPLOAD_LATER] = NULL };
	const char *name = s->in.name[0] != '\0' ? s->in.name : "upload";

	if (codes[fault] != NULL)
		svc_send(s->svc, MSG_EVENT, 0, json_pack("{s:s, s:s, s:s, s:o, s:o}", "event", "refused", "peer",
		    s->conn.peer, "code", codes[fault], "name", msg_text(name, strlen(name)), "text",
		    msg_text(why, strlen(why))));
}
