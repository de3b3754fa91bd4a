/*
 * event.h - the words that receivers of webhooks know, made of what the supervisor wrote into the
 * spool (supervisor/events.c), and who wants to hear which of them. Pure.
 *
 * An event is a JSON object: event, id ("HOST-EPOCH-N", the same whenever it is sent again), time
 * (RFC 3339, UTC), host, and, as far as it is about a stream, name, app, peer, protocol. Then:
 *
 *   publish    {resumed, query}: its publisher sends media; resumed: it goes on after an unpublish;
 *              query: of the publishing URL, without key, exp and sig
 *   unpublish  {reason}: that publisher is gone; the stream waits for streams.reconnect_delay
 *   ended      it did not come back: the playlist has its end
 *   play, stop {viewer, peer, protocol: "hls"|"webrtc"}: a viewer comes, is gone
 *   record     {file, path, state: "recorded"|"finished"}: a raw recording was closed; its MP4 is
 *              there, or whatever became of an upload or of frames
 *   segment    {file, path, duration_ms, sequence}: one more in the playlist
 *   job        {job, kind, state: "done"|"retrying"|"failed"|"parked", file, error}
 *   error      {code: "media"|"recording"|"push"|"output", what, reason, works}: something a person should
 *              look at; works: no more, reason is empty. what: a push's ID, an output
 */
#ifndef MILLRACE_HOOKS_EVENT_H
#define MILLRACE_HOOKS_EVENT_H

#include <jansson.h>
#include <stdbool.h>

enum event_kind { EVENT_PUBLISH, EVENT_UNPUBLISH, EVENT_ENDED, EVENT_PLAY, EVENT_STOP, EVENT_RECORD, EVENT_SEGMENT,
	EVENT_JOB, EVENT_ERROR, EVENT_NONE };

enum event_kind event_find(const char *name);	/* EVENT_NONE: no such one */
/* A line of the spool becomes what is described above, in place. EVENT_NONE: it is for nobody. */
enum event_kind event_translate(json_t *event);
/* events: list of names. streams: list of patterns (fnmatch); "*" has events without a stream, too. */
bool event_wanted(enum event_kind k, const json_t *event, const json_t *events, const json_t *streams);
#endif
