/* describe.h - what an SDP says of us and of a viewer's tracks: room, peer and addresses put together. */
#ifndef MILLRACE_WEBRTC_DESCRIBE_H
#define MILLRACE_WEBRTC_DESCRIBE_H

#include "rtc/addresses.h"
#include "rtc/sdp.h"
#include "workers/webrtc/viewer.h"

struct describe {
	struct sdp_local local;			/* points into this, the peer and the room */
	struct sdp_address addresses[ADDRESSES_MAX];
};

/* local and host: of the request, as addresses.h has them. */
void describe(struct describe *d, struct viewer *v, const char *local, const char *host);
/* What we send in this room; r NULL: nothing is known of it yet. */
struct sdp_want describe_want(const struct room *r);
struct viewer_codecs describe_codecs(const struct sdp_pick *p);
#endif
