/* room_int.h - a room's inside, for room.c and room_media.c alone. */
#ifndef MILLRACE_WEBRTC_ROOM_INT_H
#define MILLRACE_WEBRTC_ROOM_INT_H

#include "clock.h"
#include "feed.h"
#include "room.h"
#include "track.h"
#include "viewer_int.h"

struct room {
	TAILQ_ENTRY(room) link;
	char name[STREAM_NAME_MAX + 1];
	unsigned refs;
	int64_t empty_ms;		/* refs is 0 since */
	int64_t wanted_ms;		/* WANT was said */
	bool want_again;		/* it is to be, when that is long enough ago */
	bool live;
	TAILQ_HEAD(, room_member) members;
	TAILQ_HEAD(, viewer) viewers;
	unsigned connected, told;	/* viewers; how many the supervisor was told of */
	int64_t told_ms;
	struct feed *feeds[ROOM_TRACKS];
	/* --- room_media.c --- */
	int64_t ingest;			/* whose times the clock goes by now */
	struct clock clock;
	struct track video, audio;
	uint32_t rtx_ssrc;
	char cname[17], msid[17];
	bool profile_known;
	uint8_t profile[3];
	int64_t video_ms;		/* room time of the last picture */
	bool video_begun, audio_begun;
	int64_t audio_at;		/* where the next packet begins: samples of room time */
	int64_t audio_skew;		/* by how much that is more than its own time says, in 1/16 samples, smoothed */
};
#endif
