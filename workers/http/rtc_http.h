/*
 * rtc_http.h - what players (whep.c) and publishers (whip.c) of WebRTC have in common: questions about a
 * session, which another process answers, and what their answers are in HTTP.
 */
#ifndef MILLRACE_HTTP_RTC_HTTP_H
#define MILLRACE_HTTP_RTC_HTTP_H

#include <jansson.h>
#include <stdbool.h>

#include "stream_name.h"
#include "svc.h"

#define RTC_SDP "application/sdp"
#define RTC_FRAGMENT "application/trickle-ice-sdpfrag"

struct conn;

struct rtc_question {		/* ctx of the answer, which frees it */
	uint64_t conn;
	char name[STREAM_NAME_MAX + 1];
};

/* rc and body as the verbs of CALL "webrtc" have them (lib/proto.h). */
void rtc_error(struct conn *c, int rc, const json_t *body);
bool rtc_session_ok(const char *name, const char *id);		/* could there be one? */
/* {sdp} of the body, if it is of this type; else it was answered: NULL. */
json_t *rtc_body(struct conn *c, const char *type);
/* args stolen; the name is checked. */
void rtc_ask(struct conn *c, const char *to, const char *verb, const char *name, json_t *args, svc_reply_cb cb);
/* A PATCH, from its body to its answer: {id, method, sdp, if_match}. */
void rtc_patch(struct conn *c, const char *to, const char *verb, const char *name, const char *id);
/* A GET or DELETE: nothing but whether it was there. */
void rtc_done_cb(struct svc *s, int rc, json_t *body, void *ctx);
/* CORS (Fetch, "CORS-preflight request"), and what can be done with it. lines: more fields, or "". */
void rtc_options(struct conn *c, const char *methods, const char *lines);
#endif
