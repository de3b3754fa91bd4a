/*
 * hls_state.h - data_dir/hls/NAME/state: all that is needed to go on with a playlist after
 * the publisher, the ingest, the supervisor or the host went away. Written by rename with
 * every playlist; read by ingest (resume), millrace-finish, and the supervisor's start-up.
 */
#ifndef MILLRACE_HLS_STATE_H
#define MILLRACE_HLS_STATE_H

#include <stdbool.h>
#include <stdint.h>
#include <stddef.h>

#define HLS_WINDOW_MAX 64	/* segments a playlist may list */
#define HLS_OLD_MAX 64		/* rolled out, not yet deleted */

struct hls_segment {
	char uri[64];		/* "s1732170000123_000042.ts", or .m4s: fragmented MP4 */
	int64_t duration_us;
	int64_t wall_ms;	/* PROGRAM-DATE-TIME of its first frame */
	bool discontinuity;	/* a DISCONTINUITY tag stands before it */
};

struct hls_state {
	char name[65], app[64];
	uint64_t first_sequence;	/* EXT-X-MEDIA-SEQUENCE of segments[0] */
	uint64_t next_sequence;		/* of the segment now being cut */
	uint64_t discontinuity_sequence;
	int target_sec;			/* never falls */
	int64_t next_ts_ms;		/* running media time where the next segment starts */
	int64_t segment_ms;
	bool ended;			/* ENDLIST was written */
	int nsegments;
	struct hls_segment segments[HLS_WINDOW_MAX];
	int nold;			/* still on disk for players that are behind */
	char old[HLS_OLD_MAX][64];
};

/* dir is data_dir/hls/NAME. 0, or -1 + errno (ENOENT none, EBADMSG damaged). */
int hls_state_read(const char *dir, struct hls_state *out);
int hls_state_write(const char *dir, const struct hls_state *s);
/* Renders live.m3u8 (RFC 8216) and renames it into place; endlist as told. */
int hls_playlist_write(const char *dir, const struct hls_state *s, bool endlist);
/* The text alone (tests, and hls_playlist_write): malloc'd. */
char *hls_playlist_render(const struct hls_state *s, bool endlist);
/* The EXT-X-MAP of a segment: "s1732170000123_init.mp4"; "" for MPEG-TS. */
void hls_state_map(const char *uri, char *buf, size_t size);
bool hls_state_fmp4(const struct hls_state *s);	/* a listed segment is */
bool hls_state_names(const struct hls_state *s, const char *file);	/* listed, or old, or the map of one */
/* Removes every file of hls/NAME (segments, playlist, state) and the directory. */
int hls_dir_remove(const char *dir);
/* Deletes segment files that neither the list nor `old` names. */
void hls_dir_sweep(const char *dir, const struct hls_state *s);
#endif
