/*
 * frames_begin.c - the two doors of a frames session: its request, which becomes a WebSocket, and after the
 * GRANT the folders that it is locked into. Called by frames_session.c.
 */
#include "frames_parts.h"

#include <stdio.h>
#include <string.h>

#include "conf.h"
#include "landlock.h"
#include "log.h"
#include "rec_file.h"
#include "util.h"
#include "ws_head.h"

#define PATH_BYTES 700

/* "/frames/NAME?key=..." */
static void
take_names(struct frames_session *s, const struct request *r)
{
	static const char prefix[] = "/frames/";
	const char *path = request_path(r);

	str_copy(s->query, request_query(r), sizeof(s->query));
	if (strncmp(path, prefix, sizeof(prefix) - 1) != 0)
		return;
	path += sizeof(prefix) - 1;
	if (request_decode(path, strlen(path), s->name, sizeof(s->name)) < 0)
		s->name[0] = '\0';
}

int
frames_take_head(struct frames_session *s, const uint8_t **p, size_t *n, const struct ws_ops *ops)
{
	const json_t *c = s->svc->conf;
	struct request r;
	const char *why = "this is no request for a WebSocket";
	int used = ws_head_read(&r, *p, *n), status = used < 0 ? 400 : ws_head_check(&r, conf_get(c, "ws.origins"),
	    &why);

	if (status == 0) {
		take_names(s, &r);
		ws_head_accept(&r, s->conn.out);
		s->ws = ws_new((size_t)conf_int(c, "frames.max_message"), ops, s, s->conn.out);
		s->phase = FR_NEW;
		*p += used;
		*n -= (size_t)used;
	} else {
		ws_head_refuse(s->conn.out, status, NULL, why);
		frames_end(s, 0, why);
	}
	request_free(&r);
	return status == 0 ? 0 : -1;
}

/* Only once the folders are made does a live one's stream know which they are. */
static int
lock_in(struct frames_session *s, const char *data_dir)
{
	char media[PATH_BYTES], temp[PATH_BYTES + 8];
	const struct stream *live = &s->live.stream;
	const struct landlock_rule rules[] = {
		{ media, false, false },
		{ temp, true, false },
		{ s->want_live ? live->dir : temp, true, false },
		{ s->want_live && live->rec_dir[0] != '\0' ? live->rec_dir : temp, true, false },
#if defined(__SANITIZE_ADDRESS__)
		{ "/proc", false, false },	/* the leak check looks at its own threads */
#endif
		{ NULL, false, false },
	};

	snprintf(media, sizeof(media), "%s/media", data_dir);
	snprintf(temp, sizeof(temp), "%s/temp", media);
	return landlock_restrict(rules);
}

int
frames_move_in(struct frames_session *s)
{
	const char *data_dir = conf_str(s->svc->conf, "data_dir");

	if ((!s->want_live || stream_make_dirs(&s->live.stream, s->client) == 0) && lock_in(s, data_dir) == 0 &&
	    (s->sync = rec_sync_new()) != NULL)
		return 0;
	log_warn("cannot be locked into %s/media", data_dir);
	return -1;
}
