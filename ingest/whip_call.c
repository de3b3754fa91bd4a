/*
 * whip_call.c - what is said to a WHIP session's own URL (RFC 9725 4.2, 4.3): http asks the supervisor, which
 * asks us (CALL, lib/proto.h). DELETE ends it; PATCH brings candidates, which an ICE-lite agent has no
 * use for, or restarts ICE. Who knows the id may: it is 128 random bits that only the publisher was told.
 */
#include <errno.h>
#include <nettle/memops.h>
#include <stdlib.h>
#include <string.h>

#include "conf.h"
#include "log.h"
#include "obj.h"
#include "rtc/addresses.h"
#include "rtc/etag.h"
#include "util.h"
#include "whip_parts.h"

void
whip_remember_ice(struct protocol *p, const struct sdp_ice *ice)
{
	str_copy(p->ufrag, ice->ufrag, sizeof(p->ufrag));
	str_copy(p->pwd, ice->pwd, sizeof(p->pwd));
}

static json_t *
text_of(const char *text)
{
	return json_pack("{s:o}", "text", msg_text(text, strlen(text)));
}

static json_t *
restart(struct protocol *p, const struct sdp *sdp, const struct sdp_ice *ice)
{
	struct sdp_address addresses[ADDRESSES_MAX];
	struct sdp_local local;
	json_t *body;
	char *text;

	rtc_peer_restart(p->peer);
	whip_remember_ice(p, ice);
	local = whip_local(p, addresses);
	text = sdp_fragment(sdp, &local);
	body = json_pack("{s:s, s:o}", "sdp", text, "etag", json_sprintf("\"%s\"", local.ufrag));
	free(text);
	return body;
}

static int
patch(struct protocol *p, const json_t *args, json_t **body)
{
	const json_t *text = json_object_get(args, "sdp");
	char why[SDP_WHY] = "there is no SDP";
	struct sdp_ice ice;
	struct sdp *sdp = NULL;
	int rc;

	if (json_is_string(text) &&
	    json_string_length(text) <= (size_t)conf_int(p->env.svc->conf, "webrtc.max_sdp"))
		sdp = sdp_parse(SDP_FRAGMENT, json_string_value(text), json_string_length(text), why);
	if (sdp == NULL) {
		*body = text_of(why);
		return EINVAL;
	}
	rc = etag_match(obj_str(args, "if_match"), rtc_peer_ufrag(p->peer));
	if (rc == 0 && sdp_ice(sdp, &ice) && (strcmp(ice.ufrag, p->ufrag) != 0 || strcmp(ice.pwd, p->pwd) != 0))
		*body = restart(p, sdp, &ice);
	sdp_free(&sdp);
	return rc;
}

static bool
is_ours(const struct protocol *p, const char *id)
{
	return p->peer != NULL && strlen(id) == WHIP_ID && memeql_sec(id, p->id, WHIP_ID);
}

void
whip_call(struct protocol *p, struct msg *m)
{
	const json_t *args = json_object_get(m->body, "args");
	const char *method = obj_str(args, "method");
	json_t *body = NULL;
	int rc = ENOSYS;

	if (!is_ours(p, obj_str(args, "id")))
		rc = ENOENT;
	else if (strcmp(method, "PATCH") == 0)
		rc = patch(p, args, &body);
	else if (strcmp(method, "DELETE") == 0)
		rc = 0;
	svc_reply(p->env.svc, m, rc, body);
	if (rc == 0 && strcmp(method, "DELETE") == 0)
		whip_end(p, "the publisher ended the session (DELETE)");
}
