/*
 * upload_ws.c - a file over a WebSocket: binary messages are the file, in any pieces; {"done": true} or
 * a close with 1000 ends it, anything else leaves it to be gone on with at /ws?role=upload&id=ID.
 *
 *   server: {"uploadId", "offset", "maxSize"} at first, {"offset"} when all before is on the disk,
 *   {"jobId", "state", "percent", "error"} as long as it stays, {"error"} before it is sent away
 *
 * Called by upload_session.c as struct upload_face.
 */
#include <stdlib.h>
#include <string.h>

#include "conf.h"
#include "log.h"
#include "stream_name.h"
#include "upload_parts.h"
#include "util.h"
#include "ws_head.h"

static void
say(struct upload_session *s, json_t *body)
{
	ws_json(s->ws, body);
}

static void
part(struct upload_session *s, unsigned code, const char *why)
{
	ws_close(s->ws, code, why);
	upload_end(s, why);
}

/* --- what it says --- */

/* It says that this was all; what it announced is counted. */
static void
done(struct upload_session *s)
{
	const struct upload_store *st = &s->store;

	if (s->phase == UP_RECEIVING && st->in.size >= 0 && st->written < st->in.size)
		say(s, json_pack("{s:s, s:I}", "error", "it is not all that was announced; send the rest, or begin "
		    "anew", "offset", (json_int_t)st->written));
	else
		upload_finish(s);
}

static void
on_message(void *ctx, bool text, const uint8_t *p, size_t len)
{
	struct upload_session *s = ctx;
	json_t *o = json_loadb((const char *)p, len, 0, NULL);

	if (json_is_true(json_object_get(o, "done"))) {
		done(s);
		conn_pause(&s->conn, s->phase == UP_FINISHING);
	} else
		say(s, json_pack("{s:s}", "error", "a text message here is {\"done\": true}; the file comes in "
		    "binary ones"));
	json_decref(o);
}

static void
on_piece(void *ctx, const uint8_t *p, size_t len, bool last)
{
	struct upload_session *s = ctx;

	if (s->phase == UP_RECEIVING && len > 0)
		upload_data(s, p, len);
}

static void
on_closed(void *ctx, unsigned code, const char *reason)
{
	struct upload_session *s = ctx;

	bool ends = code == WS_NORMAL && s->phase == UP_RECEIVING && s->store.written > 0;

	if (ends)
		done(s);
	if (ends && s->phase == UP_RECEIVING)
		part(s, WS_POLICY, "it is not all that was announced");
	else if (s->phase != UP_FINISHING && s->phase != UP_LINGER)
		part(s, code, "its sender closed the connection");
}

/* A Close 1000 says that the file is here: it is not answered before that is so. */
static const struct ws_ops ws_ops = { .message = on_message, .piece = on_piece, .closed = on_closed,
	.hold_close = true };

/* ws_input() says -1 when it is over: closed by either side, or wrong. */
static void
upload_ws_input(struct upload_session *s, const uint8_t *p, size_t n)
{
	if (ws_input(s->ws, p, n) == -1 && s->phase != UP_LINGER)
		upload_end(s, ws_error(s->ws));
}

/* --- its beginning --- */

/* NAME is the path's, or streamKey's, or name's; refused, not mended, where it would name a stream. */
static int
read_name(struct upload_session *s)
{
	static const char *const keys[] = { "streamKey", "name", "streamId" };
	const char *slash = strrchr(request_path(&s->req), '/');
	char name[256] = "";

	if (slash != request_path(&s->req))
		request_decode(slash + 1, strlen(slash + 1), name, sizeof(name));
	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]) && name[0] == '\0'; i++)
		request_param(&s->req, keys[i], name, sizeof(name));
	if (name[0] != '\0' && !stream_name_ok(name, strlen(name)))
		return -1;
	str_copy(s->in.name, name, sizeof(s->in.name));
	return 0;
}

/* For people: whatever is no text goes. */
static void
read_file_name(struct upload_session *s)
{
	char raw[sizeof(s->in.file)] = "";
	size_t n = 0, used;

	request_param(&s->req, "filename", raw, sizeof(raw));
	for (const char *p = raw; *p != '\0'; p += used) {
		used = utf8_sequence((const uint8_t *)p, strlen(p));
		if (used > 0 && (unsigned char)*p >= ' ' && *p != 127) {
			memcpy(s->in.file + n, p, used);
			n += used;
		}
		used += used == 0;
	}
}

static void
refuse(struct upload_session *s, int status, const char *why)
{
	char text[300];

	snprintf(text, sizeof(text), "%s%s", why, strchr(why, '\n') != NULL ? "" : "\n");
	ws_head_refuse(s->conn.out, status, NULL, text);
	upload_end(s, why);
}

static void
upload_ws_head(struct upload_session *s)
{
	const char *why;
	char size[24] = "";
	int status = ws_head_check(&s->req, conf_get(s->svc->conf, "ws.origins"), &why);

	if (status != 0)
		refuse(s, status, why);
	else if (request_param(&s->req, "id", s->in.id, sizeof(s->in.id)) == 0 ||
	    request_param(&s->req, "uploadId", s->in.id, sizeof(s->in.id)) == 0) {
		if (intake_id_ok(s->in.id))
			upload_begin_open(s, true);
		else
			refuse(s, 404, "there is no upload of this id");
	} else if (read_name(s) == -1)
		refuse(s, 400, "this is not a name a stream can have: A-Z a-z 0-9 . _ -, at most 64");
	else {
		read_file_name(s);
		if (request_param(&s->req, "size", size, sizeof(size)) == 0 &&
		    strspn(size, "0123456789") == strlen(size) && size[0] != '\0')
			s->in.size = strtoll(size, NULL, 10);
		if (s->in.size > conf_int(s->svc->conf, "upload.max_size"))
			refuse(s, 413, "it is longer than upload.max_size allows");
		else
			upload_begin_create(s);
	}
}

static void
say_job(struct upload_session *s, const char *state, int percent, const char *error)
{
	json_t *o;

	if (strcmp(state, s->state) == 0 && percent == s->percent)
		return;
	str_copy(s->state, state, sizeof(s->state));
	s->percent = percent;
	o = json_pack("{s:s, s:s, s:i}", "jobId", s->store.in.id, "state", state, "percent", percent);
	if (error != NULL && error[0] != '\0')
		json_object_set_new(o, "error", json_string(error));
	say(s, o);
}

static void
upload_ws_opened(struct upload_session *s, enum upload_fault fault, const char *why)
{
	bool over = s->store.in.state != INTAKE_RECEIVING;

	if (fault != UPLOAD_OK) {
		refuse(s, upload_status(fault), why);
		return;
	}
	ws_head_accept(&s->req, s->conn.out);
	s->ws = ws_new((size_t)conf_int(s->svc->conf, "ws.max_message"), &ws_ops, s, s->conn.out);
	say(s, json_pack("{s:s, s:I, s:I}", "uploadId", s->store.in.id, "offset", (json_int_t)s->store.written,
	    "maxSize", (json_int_t)conf_int(s->svc->conf, "upload.max_size")));
	if (over)
		upload_watch(s);
	else if (s->store.in.size >= 0 && s->store.written == s->store.in.size && s->store.written > 0)
		upload_finish(s);
}

/* --- what happens to it --- */

static void
upload_ws_acked(struct upload_session *s, int64_t offset)
{
	say(s, json_pack("{s:I}", "offset", (json_int_t)offset));
}

static void
upload_ws_complete(struct upload_session *s)
{
	say(s, json_pack("{s:I}", "offset", (json_int_t)s->store.written));
	say_job(s, "queued", 0, NULL);
	if (ws_is_held(s->ws))
		part(s, WS_NORMAL, "complete");
	else {
		conn_pause(&s->conn, false);
		upload_watch(s);
	}
}

static void
upload_ws_job(struct upload_session *s, const json_t *job)
{
	const char *state = json_string_value(json_object_get(job, "state"));

	if (state == NULL)
		return;
	say_job(s, state, (int)json_integer_value(json_object_get(job, "percent")),
	    json_string_value(json_object_get(job, "error")));
	if (strcmp(state, "done") == 0 || strcmp(state, "failed") == 0 || strcmp(state, "cancelled") == 0)
		part(s, WS_NORMAL, state);
}

static void
upload_ws_failed(struct upload_session *s, enum upload_fault fault, const char *why)
{
	static const unsigned codes[] = { [UPLOAD_TOO_BIG] = WS_TOO_BIG, [UPLOAD_NO_SPACE] = WS_TRY_LATER,
		[UPLOAD_BUSY] = WS_TRY_LATER, [UPLOAD_LATER] = WS_TRY_LATER, [UPLOAD_IO] = WS_INTERNAL };

	if (s->ws == NULL) {
		refuse(s, upload_status(fault), why);
		return;
	}
	/* with no size announced it can only grow: nothing can be made of it */
	if (fault == UPLOAD_TOO_BIG && s->store.in.size < 0)
		upload_store_drop(&s->store);
	say(s, json_pack("{s:s, s:I}", "error", why, "offset", (json_int_t)s->store.synced));
	part(s, codes[fault] != 0 ? codes[fault] : WS_INTERNAL, why);
}

static void
upload_ws_ping(struct upload_session *s)
{
	if (s->ws != NULL)
		ws_ping(s->ws);
}

const struct upload_face upload_ws = {
	.head = upload_ws_head, .opened = upload_ws_opened, .input = upload_ws_input, .acked = upload_ws_acked,
	.complete = upload_ws_complete, .failed = upload_ws_failed, .job = upload_ws_job, .ping = upload_ws_ping,
};
