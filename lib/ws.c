/*
 * ws.c - see ws.h. The only file that knows wslay, and only for what comes in; what goes out is
 * written here: a server's frames are whole and not masked. Called by whoever serves a WebSocket.
 *
 * wslay is told to buffer no message: it would take memory for a frame as soon as it hears its
 * length. Here a message grows with what has come, up to its limit.
 */
#include "ws.h"

#include <event2/buffer.h>
#include <stdlib.h>
#include <string.h>
#include <wslay/wslay.h>

#include "util.h"

#define KEEP_BYTES 65536	/* a message's memory is kept for the next one up to this size */
#define REASON_MAX 123		/* a Close is a control frame: 125 bytes with its code */

struct ws {
	wslay_event_context_ptr wslay;
	const struct ws_ops *ops;
	void *ctx;
	struct evbuffer *out;
	const uint8_t *in;		/* not yet read by wslay */
	size_t in_len;
	uint8_t *msg;			/* of an unfinished message that is to come whole */
	size_t len, cap, max;
	bool text, control, fin;	/* the message; of the frame being read */
	bool skip;			/* the message is too long and is passed over */
	bool over;
	unsigned peer_code;		/* of its Close, 0: none has come */
	char peer_reason[REASON_MAX + 1];
	char error[160];
};

/* --- out --- */

static void
frame(struct ws *w, uint8_t opcode, const void *p, size_t len)
{
	uint8_t head[10] = { 0x80 | opcode, (uint8_t)len };
	size_t n = 2;

	if (len > 125) {
		size_t bytes = len > 0xffff ? 8 : 2;

		head[1] = len > 0xffff ? 127 : 126;
		for (size_t i = 0; i < bytes; i++)
			head[n++] = (uint8_t)((uint64_t)len >> 8 * (bytes - 1 - i));
	}
	evbuffer_add(w->out, head, n);
	evbuffer_add(w->out, p, len);
}

void
ws_text(struct ws *w, const char *text, size_t len)
{
	if (!w->over)
		frame(w, WSLAY_TEXT_FRAME, text, len);
}

void
ws_json(struct ws *w, json_t *body)
{
	char *text = json_dumps(body, JSON_COMPACT);

	json_decref(body);
	if (text != NULL)
		ws_text(w, text, strlen(text));
	free(text);
}

void
ws_ping(struct ws *w)
{
	if (!w->over)
		frame(w, WSLAY_PING, "", 0);
}

/* Cut between two characters. */
static size_t
reason_bytes(const char *reason)
{
	size_t n = 0, step, len = strlen(reason);

	while (n < len && (step = utf8_sequence((const uint8_t *)reason + n, len - n)) > 0 && n + step <= REASON_MAX)
		n += step;
	return n;
}

void
ws_close(struct ws *w, unsigned code, const char *reason)
{
	uint8_t body[2 + REASON_MAX] = { (uint8_t)(code >> 8), (uint8_t)code };
	size_t n = reason_bytes(reason);

	if (w->over)
		return;
	memcpy(body + 2, reason, n);
	frame(w, WSLAY_CONNECTION_CLOSE, body, code == WS_NO_CODE ? 0 : 2 + n);
	w->over = true;
}

/* --- in --- */

static void
fail(struct ws *w, unsigned code, const char *why)
{
	if (w->over)
		return;
	str_copy(w->error, why, sizeof(w->error));
	ws_close(w, code, why);
}

static void
grow(struct ws *w, const uint8_t *p, size_t n)
{
	if (w->len + n + 1 > w->cap) {
		w->cap = w->len + n + 1 > w->cap * 2 ? w->len + n + 1 : w->cap * 2;
		w->msg = xrealloc(w->msg, w->cap);
	}
	memcpy(w->msg + w->len, p, n);
	w->len += n;
}

static bool
in_pieces(const struct ws *w)
{
	return !w->text && w->ops->piece != NULL;
}

static void
start_cb(wslay_event_context_ptr wslay, const struct wslay_event_on_frame_recv_start_arg *arg, void *ctx)
{
	struct ws *w = ctx;
	char why[120];

	w->control = wslay_is_ctrl_frame(arg->opcode);
	if (w->control || w->over)
		return;
	if (arg->opcode != WSLAY_CONTINUATION_FRAME)
		w->text = arg->opcode == WSLAY_TEXT_FRAME;
	w->fin = arg->fin;
	if (in_pieces(w) || w->skip || arg->payload_length <= w->max - w->len)
		return;
	w->skip = w->ops->too_big != NULL && w->ops->too_big(w->ctx, w->text, w->len + arg->payload_length);
	if (w->skip)
		return;
	snprintf(why, sizeof(why), "a %s message may have %zu bytes", w->text ? "text" : "binary", w->max);
	fail(w, WS_TOO_BIG, why);
}

static void
chunk_cb(wslay_event_context_ptr wslay, const struct wslay_event_on_frame_recv_chunk_arg *arg, void *ctx)
{
	struct ws *w = ctx;

	if (w->control || w->over || w->skip || arg->data_length == 0)
		return;
	if (in_pieces(w))
		w->ops->piece(w->ctx, arg->data, arg->data_length, false);
	else
		grow(w, arg->data, arg->data_length);
}

static void
end_cb(wslay_event_context_ptr wslay, void *ctx)
{
	struct ws *w = ctx;

	if (w->control || !w->fin || w->over)
		return;
	if (in_pieces(w)) {
		w->ops->piece(w->ctx, (const uint8_t *)"", 0, true);
		return;
	}
	grow(w, (const uint8_t *)"", 0);
	w->msg[w->len] = '\0';
	if (!w->skip)
		w->ops->message(w->ctx, w->text, w->msg, w->len);
	w->skip = false;
	w->len = 0;
	if (w->cap > KEEP_BYTES) {
		free(w->msg);
		w->msg = NULL;
		w->cap = 0;
	}
}

/* A whole control frame. wslay answers Ping and Close, but looks at a Close's text only if it came in one piece. */
static void
message_cb(wslay_event_context_ptr wslay, const struct wslay_event_on_msg_recv_arg *arg, void *ctx)
{
	struct ws *w = ctx;
	size_t n = arg->msg_length > 2 ? arg->msg_length - 2 : 0, i, step;

	if (arg->opcode != WSLAY_CONNECTION_CLOSE || w->over)
		return;
	if (arg->msg_length == 1) {
		fail(w, WS_PROTOCOL, "a Close with half a code");
		return;
	}
	for (i = 0; i < n; i += step)
		if ((step = utf8_sequence(arg->msg + 2 + i, n - i)) == 0) {
			fail(w, WS_BAD_DATA, "the reason of a Close is not UTF-8");
			return;
		}
	if (n > 0)
		memcpy(w->peer_reason, arg->msg + 2, n);
	w->peer_code = arg->status_code != 0 ? arg->status_code : WS_NO_CODE;
}

static ssize_t
recv_cb(wslay_event_context_ptr wslay, uint8_t *buf, size_t len, int flags, void *ctx)
{
	struct ws *w = ctx;
	size_t n = len < w->in_len ? len : w->in_len;

	if (n == 0 || w->over) {
		wslay_event_set_error(wslay, WSLAY_ERR_WOULDBLOCK);
		return -1;
	}
	memcpy(buf, w->in, n);
	w->in += n;
	w->in_len -= n;
	return (ssize_t)n;
}

static ssize_t
send_cb(wslay_event_context_ptr wslay, const uint8_t *data, size_t len, int flags, void *ctx)
{
	evbuffer_add(((struct ws *)ctx)->out, data, len);
	return (ssize_t)len;
}

/* The peer has closed, or wslay has found a fault: either way a Close was written. */
static void
end(struct ws *w)
{
	unsigned code = wslay_event_get_status_code_sent(w->wslay);

	w->over = true;
	if (w->peer_code == 0)
		str_copy(w->error, code == WS_BAD_DATA ? "text that is not UTF-8" :
		    "a frame that RFC 6455 forbids: not masked, reserved bits or opcode, or fragments out of order",
		    sizeof(w->error));
	else if (w->ops->closed != NULL)
		w->ops->closed(w->ctx, w->peer_code, w->peer_reason);
}

int
ws_input(struct ws *w, const uint8_t *in, size_t len)
{
	int rc;

	if (w->over)
		return -1;
	if (w->peer_code != 0)	/* behind a Close comes nothing */
		return 0;
	w->in = in;
	w->in_len = len;
	rc = wslay_event_recv(w->wslay);
	w->in_len = 0;
	if (w->over)
		return -1;
	if (rc != 0) {
		fail(w, WS_PROTOCOL, "a frame with a reserved opcode or a length that RFC 6455 does not allow");
		return -1;
	}
	if (w->peer_code != 0 && w->ops->hold_close) {
		w->ops->closed(w->ctx, w->peer_code, w->peer_reason);
		return w->over ? -1 : 0;
	}
	wslay_event_send(w->wslay);
	if (wslay_event_get_read_enabled(w->wslay))
		return 0;
	end(w);
	return -1;
}

const char *
ws_error(const struct ws *w)
{
	return w->error;
}

bool
ws_is_held(const struct ws *w)
{
	return w->peer_code != 0 && !w->over;
}

struct ws *
ws_new(size_t max_message, const struct ws_ops *ops, void *ctx, struct evbuffer *out)
{
	static const struct wslay_event_callbacks callbacks = {
		.recv_callback = recv_cb, .send_callback = send_cb, .on_frame_recv_start_callback = start_cb,
		.on_frame_recv_chunk_callback = chunk_cb, .on_frame_recv_end_callback = end_cb,
		.on_msg_recv_callback = message_cb,
	};
	struct ws *w = xcalloc(1, sizeof(*w));

	w->ops = ops;
	w->ctx = ctx;
	w->out = out;
	w->max = max_message;
	if (wslay_event_context_server_init(&w->wslay, &callbacks, w) != 0)
		abort();	/* out of memory, as xmalloc */
	wslay_event_config_set_no_buffering(w->wslay, 1);
	wslay_event_config_set_max_recv_msg_length(w->wslay, INT64_MAX);	/* start_cb has the limit */
	return w;
}

void
ws_free(struct ws **wp)
{
	struct ws *w = *wp;

	if (w == NULL)
		return;
	wslay_event_context_free(w->wslay);
	free(w->msg);
	free(w);
	*wp = NULL;
}
