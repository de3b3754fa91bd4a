/*
 * rtmp_call.h - what rtmp_session.c and rtmp_call.c share: a publisher's state, and the
 * commands it calls. Private to these two.
 */
#ifndef MILLRACE_RTMP_CALL_H
#define MILLRACE_RTMP_CALL_H

#include "rtmp_chunk.h"
#include "rtmp_cmd.h"
#include "rtmp_session.h"

#define RTMP_STREAM_ID 1		/* the only message stream we hand out */

enum rtmp_phase { PHASE_HANDSHAKE, PHASE_CONNECT, PHASE_PUBLISH, PHASE_ASKED, PHASE_LIVE, PHASE_OVER };

struct rtmp_session {
	struct rtmp_limits limits;
	struct rtmp_chunk_limits chunk_limits;	/* those of the phase */
	const struct rtmp_ops *ops;
	void *ctx;
	struct rtmp_out out;
	enum rtmp_phase phase;
	struct rtmp_handshake *handshake;	/* freed once it is over */
	struct rtmp_chunk *chunks;
	uint64_t bytes_in, acked;
	uint32_t ack_window, stream_id;
	char *tc_url, *app, *path, *name, *query, *tc_query;	/* NULL until connect, publish */
	char error[256];
};

/* Ends the session's reading with a reason; -1. */
int rtmp_session_fail(struct rtmp_session *s, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* One command message, its format byte already gone; 0, or -1 after rtmp_session_fail(). */
int rtmp_call(struct rtmp_session *s, const struct rtmp_message *m, const uint8_t *body, size_t len);
#endif
