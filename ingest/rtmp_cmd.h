/*
 * rtmp_cmd.h - the server's side of RTMP's control messages and commands as bytes
 * (Adobe RTMP 1.0, 5.4 and 7; Enhanced RTMP v2 for the capabilities). Writers only.
 */
#ifndef MILLRACE_RTMP_CMD_H
#define MILLRACE_RTMP_CMD_H

#include <stdbool.h>
#include <stdint.h>

struct evbuffer;

enum rtmp_type {
	RTMP_SET_CHUNK_SIZE = 1, RTMP_ABORT, RTMP_ACK, RTMP_USER_CONTROL, RTMP_WINDOW_ACK, RTMP_PEER_BANDWIDTH,
	RTMP_AUDIO = 8, RTMP_VIDEO = 9, RTMP_DATA_AMF3 = 15, RTMP_SHARED_AMF3 = 16, RTMP_COMMAND_AMF3 = 17,
	RTMP_DATA_AMF0 = 18, RTMP_SHARED_AMF0 = 19, RTMP_COMMAND_AMF0 = 20, RTMP_AGGREGATE = 22,
};

struct rtmp_out {
	struct evbuffer *buf;
	uint32_t chunk_size;	/* as announced; 128 before that */
};

void rtmp_cmd_control(struct rtmp_out *o, enum rtmp_type type, uint32_t value);	/* 1, 3, 5 */
void rtmp_cmd_peer_bandwidth(struct rtmp_out *o, uint32_t value);		/* dynamic */
void rtmp_cmd_user_control(struct rtmp_out *o, unsigned event, uint32_t value);	/* 0 StreamBegin, 6 and 7 ping */
/* connect's _result; what enhanced clients sent is answered if `enhanced`. */
void rtmp_cmd_connected(struct rtmp_out *o, double tx, double object_encoding, bool enhanced);
void rtmp_cmd_result_null(struct rtmp_out *o, double tx);
void rtmp_cmd_result_number(struct rtmp_out *o, double tx, double value);
/* _error of connect: code and description as NetConnection's. */
void rtmp_cmd_error(struct rtmp_out *o, double tx, const char *code, const char *description);
void rtmp_cmd_status(struct rtmp_out *o, const char *command, double tx, uint32_t stream_id,
    const char *level, const char *code, const char *description);
void rtmp_cmd_bandwidth_done(struct rtmp_out *o);	/* onBWDone */
#endif
