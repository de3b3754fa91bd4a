/* style_parts.h - what style.c and the files of single styles share. */
#ifndef MILLRACE_HOOKS_STYLE_PARTS_H
#define MILLRACE_HOOKS_STYLE_PARTS_H

#include <stdint.h>

#include "style.h"

/* The address of "1.2.3.4:5" or "[::1]:5" without the port, or of a viewer's "1.2.3.4" or "::1", which has none. */
#define STYLE_HOST 64
const char *style_host(const char *peer, char buf[STYLE_HOST]);
/* A number for a connection, the same for its publish and unpublish. */
uint32_t style_client(const json_t *event);
/* The decoded value of a parameter of query, "" if there is none; buf of STYLE_PARAM. */
#define STYLE_PARAM 512
const char *style_param(const char *query, const char *name, char buf[STYLE_PARAM]);
/* json is dumped and freed. */
void style_json(struct style_request *out, const char *url, const char *type, json_t *json);

void style_nginx_event(const char *url, enum event_kind k, const json_t *event, struct style_request *out);
void style_nginx_ask(const char *url, const json_t *ask, struct style_request *out);
void style_srs_event(const char *url, enum event_kind k, const json_t *event, struct style_request *out);
void style_srs_ask(const char *url, const json_t *ask, struct style_request *out);
bool style_srs_fine(const char *body);	/* 0, or {"code": 0} */
void style_mediamtx_event(const char *url, enum event_kind k, const json_t *event, struct style_request *out);
void style_mediamtx_ask(const char *url, const json_t *ask, struct style_request *out);
void style_livekit_event(const char *url, enum event_kind k, const json_t *event, struct style_request *out);
void style_ingress_event(const char *url, enum event_kind k, const json_t *event, struct style_request *out);
#endif
