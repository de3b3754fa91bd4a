/*
 * rtmp_cmd.c - replies as bytes (contract in rtmp_cmd.h). Called by rtmp_session.c, which
 * knows when to say what. Nothing is read here.
 */
#include "rtmp_cmd.h"

#include <event2/buffer.h>
#include <stdlib.h>

#include "amf0.h"
#include "be.h"
#include "rtmp_chunk.h"
#include "util.h"

#define CSID_CONTROL 2
#define CSID_COMMAND 3
#define CSID_STREAM 5

void
rtmp_cmd_control(struct rtmp_out *o, enum rtmp_type type, uint32_t value)
{
	uint8_t b[4];

	be_put(b, 4, value);
	rtmp_chunk_write(o->buf, o->chunk_size, CSID_CONTROL, (uint8_t)type, 0, 0, b, 4);
	if (type == RTMP_SET_CHUNK_SIZE)
		o->chunk_size = value;
}

void
rtmp_cmd_peer_bandwidth(struct rtmp_out *o, uint32_t value)
{
	uint8_t b[5];

	be_put(b, 4, value);
	b[4] = 2;
	rtmp_chunk_write(o->buf, o->chunk_size, CSID_CONTROL, RTMP_PEER_BANDWIDTH, 0, 0, b, 5);
}

void
rtmp_cmd_user_control(struct rtmp_out *o, unsigned event, uint32_t value)
{
	uint8_t b[6];

	be_put(b, 2, event);
	be_put(b + 2, 4, value);
	rtmp_chunk_write(o->buf, o->chunk_size, CSID_CONTROL, RTMP_USER_CONTROL, 0, 0, b, 6);
}

static struct evbuffer *
begin(const char *command, double tx)
{
	struct evbuffer *b = evbuffer_new();

	amf0_string(b, command);
	amf0_number(b, tx);
	return b;
}

static void
finish(struct rtmp_out *o, uint32_t csid, uint32_t stream_id, struct evbuffer *b)
{
	size_t n = evbuffer_get_length(b);

	rtmp_chunk_write(o->buf, o->chunk_size, csid, RTMP_COMMAND_AMF0, stream_id, 0,
	    evbuffer_pullup(b, -1), n);
	evbuffer_free(b);
}

static void
pair_string(struct evbuffer *b, const char *key, const char *v)
{
	amf0_key(b, key);
	amf0_string(b, v);
}

static void
pair_number(struct evbuffer *b, const char *key, double v)
{
	amf0_key(b, key);
	amf0_number(b, v);
}

static void
info(struct evbuffer *b, const char *level, const char *code, const char *description)
{
	pair_string(b, "level", level);
	pair_string(b, "code", code);
	pair_string(b, "description", description);
}

/* What we take of Enhanced RTMP: CanDecode = 1 for each; ModEx and nanoseconds (4 + 8). */
static void
capabilities(struct evbuffer *b)
{
	static const char *const video[] = { "avc1", "hvc1", "av01", "vp09" };
	static const char *const audio[] = { "mp4a", "Opus", ".mp3" };

	pair_number(b, "capsEx", 4 + 8);
	amf0_key(b, "videoFourCcInfoMap");
	amf0_object(b);
	for (unsigned i = 0; i < sizeof(video) / sizeof(video[0]); i++)
		pair_number(b, video[i], 1);
	amf0_end(b);
	amf0_key(b, "audioFourCcInfoMap");
	amf0_object(b);
	for (unsigned i = 0; i < sizeof(audio) / sizeof(audio[0]); i++)
		pair_number(b, audio[i], 1);
	amf0_end(b);
	amf0_key(b, "fourCcList");
	evbuffer_add(b, "\x0a\0\0\0\7", 5);	/* strict array of 7 */
	for (unsigned i = 0; i < sizeof(video) / sizeof(video[0]); i++)
		amf0_string(b, video[i]);
	for (unsigned i = 0; i < sizeof(audio) / sizeof(audio[0]); i++)
		amf0_string(b, audio[i]);
}

void
rtmp_cmd_connected(struct rtmp_out *o, double tx, double object_encoding, bool enhanced)
{
	struct evbuffer *b = begin("_result", tx);

	amf0_object(b);
	pair_string(b, "fmsVer", "FMS/3,5,7,7009");
	pair_number(b, "capabilities", 31);
	amf0_end(b);
	amf0_object(b);
	info(b, "status", "NetConnection.Connect.Success", "Connection succeeded.");
	pair_number(b, "objectEncoding", object_encoding);
	pair_string(b, "server", "Millrace " MILLRACE_VERSION);
	if (enhanced)
		capabilities(b);
	amf0_end(b);
	finish(o, CSID_COMMAND, 0, b);
}

void
rtmp_cmd_result_null(struct rtmp_out *o, double tx)
{
	struct evbuffer *b = begin("_result", tx);

	amf0_null(b);
	finish(o, CSID_COMMAND, 0, b);
}

void
rtmp_cmd_result_number(struct rtmp_out *o, double tx, double value)
{
	struct evbuffer *b = begin("_result", tx);

	amf0_null(b);
	amf0_number(b, value);
	finish(o, CSID_COMMAND, 0, b);
}

void
rtmp_cmd_error(struct rtmp_out *o, double tx, const char *code, const char *description)
{
	struct evbuffer *b = begin("_error", tx);

	amf0_null(b);
	amf0_object(b);
	info(b, "error", code, description);
	amf0_end(b);
	finish(o, CSID_COMMAND, 0, b);
}

void
rtmp_cmd_status(struct rtmp_out *o, const char *command, double tx, uint32_t stream_id,
    const char *level, const char *code, const char *description)
{
	struct evbuffer *b = begin(command, tx);

	amf0_null(b);
	amf0_object(b);
	info(b, level, code, description);
	amf0_end(b);
	finish(o, CSID_STREAM, stream_id, b);
}

void
rtmp_cmd_bandwidth_done(struct rtmp_out *o)
{
	struct evbuffer *b = begin("onBWDone", 0);

	amf0_null(b);
	finish(o, CSID_COMMAND, 0, b);
}
