/*
 * room.h - a stream's NAME as its viewers see it: two tracks, those who watch, those who wait.
 *
 * A room exists as long as somebody holds a reference: a viewer does, and so does whoever waits
 * without one (a WebSocket of the rooms protocol, which may be there long before the publisher);
 * and then, if NAME is live, for webrtc.linger, so that a page that is loaded again finds it warm. While it
 * exists the supervisor knows (WANT) and sends it a FEED whenever NAME is live.
 *
 * A publisher's restart is no event to viewers: sequence numbers go on, times go on with an offset.
 */
#ifndef MILLRACE_WEBRTC_ROOM_H
#define MILLRACE_WEBRTC_ROOM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

#include "stream_name.h"

struct feed;
struct h264_pack;
struct room;
struct track;
struct viewer;

/* Who waits: told when NAME goes on air or leaves it. Embedded in the owner's own struct. */
struct room_member {
	TAILQ_ENTRY(room_member) link;
	struct room *room;
	void (*live)(void *ctx, bool live);	/* may call room_leave() of its own member, of no other */
	void *ctx;
};

/*
 * The room of NAME (which is checked already), made if there is none, with one more reference.
 * Never NULL: who joins is counted by its own limits (webrtc.max_viewers and max_per_address, the number of sockets).
 */
struct room *room_get(const char *name);
void room_put(struct room **r);			/* gives the reference back; sets *r NULL */
struct room *room_find(const char *name);	/* without a reference; NULL: nobody is interested in NAME */
const char *room_name(const struct room *r);

/* Adds m, whose live and ctx are set, with a reference. live() is not called for what is so now. */
void room_join(struct room *r, struct room_member *m);
void room_leave(struct room_member *m);		/* harmless if it is in no room */

/* On air as far as this worker knows: a FEED has come, or is to come, and did not end. What to say as isPublishing. */
bool room_is_live(const struct room *r);
unsigned room_viewers(const struct room *r);	/* connected ones */

/*
 * What an SDP says of the tracks. They are the same for every viewer and as long as the room
 * exists, whether or not something was fed yet.
 */
struct room_sdp {
	uint32_t video_ssrc, rtx_ssrc, audio_ssrc;
	const char *cname, *msid;		/* the msid of both tracks: then browsers keep them together */
	bool profile_known;			/* the stream's video came: */
	uint8_t profile[3];			/* profile_idc, constraints, level_idc of its SPS */
};
void room_sdp(const struct room *r, struct room_sdp *out);

/* --- for feed.c, viewer.c, main.c --- */

struct track *room_video(struct room *r);
struct track *room_audio(struct room *r);
void room_add_viewer(struct room *r, struct viewer *v);
void room_remove_viewer(struct room *r, struct viewer *v);
void room_connected(struct room *r, int by);	/* one more, one less */
enum room_track { ROOM_MEDIA, ROOM_AUDIO, ROOM_VIDEO, ROOM_TRACKS };
struct feed **room_feed(struct room *r, enum room_track t);	/* feed.c's, freed with the room */
/*
 * Media of the publisher whose ingest has that pid, a new one of which begins a new line of times.
 * An access unit, its time as it came. fresh: nothing of this source was taken yet, so anything
 * before an IDR is left out. true: it was one.
 */
bool room_give_video(struct room *r, int64_t ingest, struct h264_pack *pack, const uint8_t *unit, size_t len,
    uint32_t pts_ms, bool fresh);
/* One packet of Opus; at: of its first sample, 48 kHz samples of the publisher's time; or that in ms. */
void room_give_audio(struct room *r, int64_t ingest, const uint8_t *packet, size_t len, int64_t at);
void room_give_audio_ms(struct room *r, int64_t ingest, const uint8_t *packet, size_t len, uint32_t ms);
void room_set_live(struct room *r, bool live);
/* What its ingest was to send is broken: WANT is said again soon, so that another FEED comes; not in a loop. */
void room_want_again(struct room *r);
/* The publisher that is known has gone: what it sent is no beginning for anybody any more. */
void room_cut(struct room *r);
/* Is this another publisher than the one before, or the first one? Then the time of what it sent last is now. */
bool room_is_other(const struct room *r, int64_t ingest);
void room_switch(struct room *r, int64_t ingest, int64_t newest_ms);
/* 32 bits of a publisher's milliseconds to the whole. */
int64_t room_unroll(const struct room *r, int64_t ingest, uint32_t ms);
/* By how much what has this time is older than the newest there can be. */
int64_t room_age_ms(const struct room *r, int64_t ingest, int64_t source_ms);
/* RTP's time of now, for a sender report; false: nothing came yet. */
bool room_rtp_now(const struct room *r, bool video, int64_t now, uint32_t *rtp);
/* New packets are in the tracks: every viewer is given what it may have now. */
void room_pump(struct room *r);
void room_tick(int64_t now);			/* all rooms: reports of viewers, linger, who watches what */
void room_free_all(void);
#endif
