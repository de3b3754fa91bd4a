/*
 * frames_proto.c - the frames protocol's messages (contract in frames_proto.h): a table by eventType.
 * The length of a message is the WebSocket's to bound; what is decoded of it is never longer.
 * Binary messages may hold JSON as well: some clients send everything so. Called by
 * frames_session.c.
 */
#include "frames_proto.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "frames_base64.h"
#include "frames_jpeg.h"
#include "msg.h"
#include "util.h"

#define ERRORS_PER_SEC 5
#define ERRORS_AT_ONCE 20
#define TIME_MAX_MS 1e15	/* beyond, a double has no milliseconds */
#define BINARY_HEAD 9
#define SAID_MAX 200
#define VALUES_MAX 1000
#define SMALL_MAX 1024		/* of a message without its base64 */

void
frames_proto_init(struct frames_proto *p, const struct frames_ops *ops, void *ctx, int64_t max_pixels)
{
	memset(p, 0, sizeof(*p));
	p->ops = ops;
	p->ctx = ctx;
	p->max_pixels = max_pixels;
	p->credit = ERRORS_AT_ONCE * 1000;
}

void
frames_proto_free(struct frames_proto *p)
{
	free(p->buf);
	p->buf = NULL;
	p->size = 0;
}

/* --- to the client --- */

void
frames_proto_say(struct frames_proto *p, const char *type, json_t *body)
{
	json_t *o = json_pack("{s:s}", "eventType", type);
	char *text;

	if (body != NULL)
		json_object_update(o, body);
	json_decref(body);
	text = json_dumps(o, JSON_COMPACT);
	if (text != NULL)
		p->ops->say(p->ctx, text, strlen(text));
	free(text);
	json_decref(o);
}

void
frames_proto_error(struct frames_proto *p, const char *field, const char *fmt, ...)
{
	char text[SAID_MAX];
	json_t *body;
	va_list ap;

	p->errors++;
	if (p->credit < 1000) {
		p->unsaid++;
		return;
	}
	p->credit -= 1000;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	body = json_pack("{s:s, s:o, s:I}", "field", field, "error", msg_text(text, strlen(text)), "message",
	    (json_int_t)p->messages);
	if (p->unsaid > 0)
		json_object_set_new(body, "unsaid", json_integer((json_int_t)p->unsaid));
	p->unsaid = 0;
	frames_proto_say(p, "ERROR", body);
}

static void
earn(struct frames_proto *p, int64_t now)
{
	if (p->credit_ms != 0)
		p->credit += (now - p->credit_ms) * ERRORS_PER_SEC;
	if (p->credit > ERRORS_AT_ONCE * 1000)
		p->credit = ERRORS_AT_ONCE * 1000;
	p->credit_ms = now;
}

/* --- base64 --- */

/* 0, or -1: it is no base64. */
static int
decode(struct frames_proto *p, const char *text, size_t len, size_t *out)
{
	size_t n = FRAMES_BASE64_BYTES(len);

	if (p->size < n) {
		free(p->buf);
		p->buf = xmalloc(n);
		p->size = n;
	}
	return frames_base64_decode(text, len, p->buf, out);
}

/* canvas.toDataURL() has "data:image/jpeg;base64," in front. */
static void
skip_data_url(const char **text, size_t *len)
{
	const char *comma = *len > 5 && strncmp(*text, "data:", 5) == 0 ? memchr(*text, ',', *len) : NULL;

	if (comma == NULL)
		return;
	*len -= (size_t)(comma + 1 - *text);
	*text = comma + 1;
}

/* --- media --- */

static void
take_video(struct frames_proto *p, struct frames_media *m, const char *field)
{
	struct frames_jpeg jpeg;
	const char *why;

	if (frames_jpeg_read(m->data, m->len, p->max_pixels, &jpeg, &why) < 0) {
		frames_proto_error(p, field, "%s; this frame is skipped", why);
		return;
	}
	m->len = jpeg.len;
	m->width = jpeg.width;
	m->height = jpeg.height;
	p->ops->video(p->ctx, m);
}

static bool
time_ok(double ms)
{
	return isfinite(ms) && fabs(ms) < TIME_MAX_MS;
}

/* 0, or -1: it was said what is wrong. */
static int
read_time(struct frames_proto *p, const json_t *o, struct frames_media *m)
{
	const json_t *t = json_object_get(o, "timestamp");

	if (t == NULL || json_is_null(t))
		return 0;
	m->time_ms = json_number_value(t);
	m->timed = json_is_number(t) && time_ok(m->time_ms);
	if (m->timed)
		return 0;
	frames_proto_error(p, "timestamp", "it must be a number of milliseconds; this chunk is skipped");
	return -1;
}

static void
on_stream(struct frames_proto *p, const json_t *o)
{
	static const char field[] = "encodedMediaChunk";
	const char *type = json_string_value(json_object_get(o, "mediaSourceType"));
	const json_t *chunk = json_object_get(o, field);
	bool taken_out = p->chunk != NULL && json_string_length(chunk) == 0;
	const char *text = taken_out && json_is_string(chunk) ? p->chunk : json_string_value(chunk);
	size_t len = taken_out ? p->chunk_len : json_string_length(chunk);
	struct frames_media m = { .timed = false };
	bool video = type != NULL && strcmp(type, "VIDEO") == 0;

	if (!video && (type == NULL || strcmp(type, "AUDIO") != 0)) {
		frames_proto_error(p, "mediaSourceType", "it must be \"VIDEO\" or \"AUDIO\"%s%.40s", type != NULL ?
		    ", not " : "", type != NULL ? type : "");
		return;
	}
	if (text == NULL) {
		frames_proto_error(p, field, chunk == NULL ? "it is missing" : "it must be a string of base64");
		return;
	}
	if (read_time(p, o, &m) < 0)
		return;
	skip_data_url(&text, &len);
	if (decode(p, text, len, &m.len) < 0 || m.len == 0) {
		frames_proto_error(p, field, len == 0 ? "it is empty" : "it is not base64; this chunk is skipped");
		return;
	}
	m.data = p->buf;
	if (video)
		take_video(p, &m, field);
	else
		p->ops->audio(p->ctx, &m);
}

static void
binary_media(struct frames_proto *p, const uint8_t *data, size_t len)
{
	struct frames_media m = { .data = data + BINARY_HEAD };
	uint64_t bits = 0;

	if (len <= BINARY_HEAD || (data[0] != 'V' && data[0] != 'A')) {
		frames_proto_error(p, "message", "a binary message begins with V or A and 8 bytes of time, then has a "
		    "JPEG or PCM, or is JSON");
		return;
	}
	for (int i = 1; i < BINARY_HEAD; i++)
		bits = bits << 8 | data[i];
	memcpy(&m.time_ms, &bits, sizeof(bits));
	m.timed = !isnan(m.time_ms);
	if (m.timed && !time_ok(m.time_ms)) {
		frames_proto_error(p, "timestamp", "it must be a number of milliseconds; this chunk is skipped");
		return;
	}
	m.len = len - BINARY_HEAD;
	if (data[0] == 'V')
		take_video(p, &m, "message");
	else
		p->ops->audio(p->ctx, &m);
}

/* --- the rest --- */

static bool
option(struct frames_proto *p, const json_t *o, const char *name, bool *extended)
{
	const json_t *v = json_object_get(o, name);

	if (v == NULL)
		return false;
	*extended = true;
	if (!json_is_boolean(v))
		frames_proto_error(p, name, "it must be true or false");
	return json_is_true(v);
}

static void
on_connect(struct frames_proto *p, const json_t *o)
{
	const json_t *id = json_object_get(o, "id");
	struct frames_connect c = { .id = json_string_value(id), .id_len = json_string_length(id) };
	char number[24];

	if (json_is_integer(id)) {
		c.id_len = (size_t)snprintf(number, sizeof(number), "%lld", (long long)json_integer_value(id));
		c.id = number;
	} else if (c.id == NULL && id != NULL && !json_is_null(id))
		frames_proto_error(p, "id", "it must be a string; another one is made up");
	c.mux = option(p, o, "mux", &c.extended);
	c.live = option(p, o, "live", &c.extended);
	p->ops->connect(p->ctx, &c);
}

static void
on_play(struct frames_proto *p, const json_t *o)
{
	const json_t *file = json_object_get(o, "file");

	if (file != NULL && !json_is_string(file) && !json_is_null(file))
		frames_proto_error(p, "file", "it must be a string");
	else
		p->ops->play(p->ctx, json_string_value(file), json_string_length(file));
}

static void
on_close(struct frames_proto *p, const json_t *o)
{
	p->ops->close(p->ctx);
}

static const struct event_type {
	const char *name;
	void (*handle)(struct frames_proto *p, const json_t *o);
} event_types[] = {
	{ "STREAM", on_stream },
	{ "CONNECT", on_connect },
	{ "REQUEST_AUDIO_STREAM_PLAYBACK", on_play },
	{ "CLOSE", on_close },
};

/* A value takes much more memory than its bytes. base64 has none of these. */
static bool
has_many_values(const char *data, size_t len)
{
	size_t n = 0;

	for (size_t i = 0; i < len; i++)
		n += data[i] == ',' || data[i] == '[' || data[i] == '{';
	return n > VALUES_MAX;
}

/*
 * Nearly all of a message is one long string of base64, which a JSON parser takes character by character: it
 * is taken out, and an empty one is left in its place. A key and its quotes stand nowhere but before a value
 * of it, since quotes in strings are escaped. Length of what is left in small, 0: nothing was taken out.
 */
static size_t
take_chunk_out(struct frames_proto *p, const char *data, size_t len, char small[SMALL_MAX])
{
	static const char key[] = "\"encodedMediaChunk\"";
	const char *at = memmem(data, len, key, sizeof(key) - 1), *stop = data + len, *end;

	p->chunk = NULL;
	at = at != NULL ? at + sizeof(key) - 1 : stop;
	while (at < stop && *at != '\0' && strchr(" \t\r\n:", *at) != NULL)
		at++;
	if (at == stop || *at++ != '"' || (end = memchr(at, '"', (size_t)(stop - at))) == NULL ||
	    (size_t)(at - data) + (size_t)(stop - end) > SMALL_MAX || memchr(at, '\\', (size_t)(end - at)) != NULL)
		return 0;
	p->chunk = at;
	p->chunk_len = (size_t)(end - at);
	memcpy(small, data, (size_t)(at - data));
	memcpy(small + (at - data), end, (size_t)(stop - end));
	return (size_t)(at - data) + (size_t)(stop - end);
}

static json_t *
load(struct frames_proto *p, const char *data, size_t len, json_error_t *error)
{
	char small[SMALL_MAX];
	size_t n = take_chunk_out(p, data, len, small);

	return has_many_values(n > 0 ? small : data, n > 0 ? n : len) ? NULL :
	    json_loadb(n > 0 ? small : data, n > 0 ? n : len, 0, error);
}

static void
json_message(struct frames_proto *p, const char *data, size_t len)
{
	json_error_t error = { .text = "too many values" };
	json_t *o = load(p, data, len, &error);
	const char *type = json_string_value(json_object_get(o, "eventType"));
	size_t i = 0, n = sizeof(event_types) / sizeof(event_types[0]);

	while (type != NULL && i < n && strcmp(event_types[i].name, type) != 0)
		i++;
	if (!json_is_object(o))
		frames_proto_error(p, "message", o != NULL ? "it is no JSON object" : "it is no JSON: %s at byte %d",
		    error.text, error.position);
	else if (type == NULL)
		frames_proto_error(p, "eventType", "it is missing, or no string");
	else if (i == n)
		frames_proto_error(p, "eventType", "\"%.60s\" is unknown", type);
	else
		event_types[i].handle(p, o);
	json_decref(o);
}

void
frames_proto_message(struct frames_proto *p, const void *data, size_t len, bool binary, int64_t now)
{
	const char *text = data;
	size_t space = 0;

	p->messages++;
	earn(p, now);
	while (space < len && strchr(" \t\r\n", text[space]) != NULL && text[space] != '\0')
		space++;
	if (!binary || (space < len && text[space] == '{'))
		json_message(p, data, len);
	else
		binary_media(p, data, len);
}
