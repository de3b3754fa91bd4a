/*
 * hls_list.h - the playlist of one stream as its ingest owns it: what was cut, what is
 * listed, what may be deleted, and the state on disk that goes with it. sink_hls.c's book-keeping.
 */
#ifndef MILLRACE_HLS_LIST_H
#define MILLRACE_HLS_LIST_H

#include <stdbool.h>
#include <stdint.h>

#include "hls_state.h"

struct hls_list {
	struct hls_state state;
	char dir[512];
	int window, keep;
	bool discontinuity;		/* before the next segment */
	bool full;			/* the last write failed: said once */
	int64_t listed_ms[HLS_WINDOW_MAX];	/* when each of state.segments was listed */
};

/* Resumes from the state on disk if there is one that has not ended. true: resumed. */
bool hls_list_open(struct hls_list *l, const char *dir, const char *name, const char *app,
    int64_t segment_ms, int window, int keep);
/* One finished segment; wall_ms of its first frame. Writes state and playlist. */
void hls_list_add(struct hls_list *l, const char *uri, int64_t duration_us, int64_t wall_ms, int64_t next_ts_ms);
void hls_list_write(struct hls_list *l, bool endlist);
#endif
