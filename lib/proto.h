/*
 * proto.h - THE contract between millraced and its children, and between
 * millraced and the millrace CLI.
 *
 * Every child has one SOCK_SEQPACKET socket to the supervisor, fd 3. One
 * packet is one message: struct proto_header, then json_len bytes of a JSON
 * object; at most PROTO_MSG_MAX bytes and PROTO_FDS_MAX descriptors. Unknown JSON keys are ignored; a missing key is
 * an error reported by lib/msg.c (msg_str, msg_int). Media never passes here.
 *
 * Times are integers in milliseconds (`_ms`), sizes in bytes (`_bytes`).
 * NAME below is a stream's name as lib/stream_name.h allows it.
 */
#ifndef MILLRACE_PROTO_H
#define MILLRACE_PROTO_H

#include <stdint.h>

/* Descriptors a child is born with (0 and 1 are /dev/null). */
enum proto_fd {
	PROTO_FD_LOG = 2,	/* log lines; non-blocking, never read */
	PROTO_FD_CONTROL = 3,	/* SEQPACKET to the supervisor */
	PROTO_FD_BOARD = 4,	/* own page of 4 KiB, a sealed memfd: lib/board.h */
	PROTO_FD_CONFIG = 5,	/* JSON in a sealed memfd: lib/conf.h */
	PROTO_FD_LISTEN = 6,	/* first listener; `listeners` in the config counts them */
};

#define PROTO_VERSION 1		/* major: with another only STOP and BYE pass */
#define PROTO_MSG_MAX 65536	/* bytes of a whole packet */
#define PROTO_FDS_MAX 4

/* Codes of the webhooks' error: millrace.yaml(5). */
#define HOOK_ERROR_MEDIA "media"
#define HOOK_ERROR_RECORDING "recording"
#define HOOK_ERROR_PUSH "push"
#define HOOK_ERROR_OUTPUT "output"
#define PROTO_QUEUE_MAX 256	/* messages queued to one peer */
#define PROTO_HUNG_MS 5000	/* age of the oldest unsent message = peer is hung */
#define PROTO_YIELD_MS 2000	/* from YIELD to its end, else SIGKILL */
#define PROTO_READY_MS 10000	/* from spawn to READY, else SIGKILL */
#define PROTO_BEAT_MS 2000	/* a child touches its board page this often */
#define PROTO_BEAT_DEAD_MS 15000 /* an older beat means hung: SIGKILL */

struct proto_header {		/* host byte order: both ends are one machine */
	uint16_t version;
	uint16_t type;		/* enum proto_type */
	uint32_t id;		/* pairs CALL/REPLY, CLAIM/GRANT/REFUSE; 0 if unused */
	uint32_t json_len;	/* all the rest */
};

enum proto_type {
	/* child -> supervisor */
	MSG_HELLO = 1,	/* {kind, pid}: first message of a child */
	MSG_READY,	/* {}: able to work */
	MSG_CLAIM,	/* {name, app, peer, protocol, query, stream}: may I be stream NAME?
			 * query = the raw query string of the publishing name ("" if none);
			 * the supervisor checks key or signature, duplicate and lease.
			 * Answer with the same id: GRANT or REFUSE. stream (bool, may be left out)
			 * false: name, key and signature alone are checked, it is nobody's stream
			 * (frames, upload); a second CLAIM may then ask for the stream.
			 * resume (bool, with stream false): it has the id of an upload that was begun so:
			 * no key is asked for.
			 * Until its first CLAIM a connection counts as a handshake that may be ended. */
	MSG_SPAWN,	/* {output, kind, params}: output wanted up; see SPAWNED.
			 * kind "hls": params {run, start_number, offset_ms, segment_ms,
			 * container:"flv"|"matroska", format:"mpegts"|"fmp4", video, audio (bools),
			 * transcode_audio (bool), video_codec}: integers and enums only, never a path
			 * or argv.
			 * segment_ms 0 (FLV with video): every frame that the tag flags as a key frame
			 * starts a segment, no other; so the ingest decides each cut by the flag it
			 * writes. video_codec "hevc": fMP4 gets the tag hvc1. Files: s<run>_%06d.ts,
			 * or .m4s with s<run>_init.mp4.
			 * kind "intake": params {container:"matroska"|"mp4"|"mpegts"|"ogg"|"any", copy_video,
			 * copy_audio (bools)}: stdin a container, its third descriptor FLV; what is not
			 * copied becomes H.264 with a key frame every 2 s, and AAC.
			 * kind "push", output "push:ID" (see PUSH): params {matroska, video, audio, transcode_video,
			 * transcode_audio (bools)}; said: the last words of the one before it, foreign text,
			 * may be left out. Its SPAWNED has no list.
			 * kinds "opus" and "h264", outputs of the same names, of a stream with a FEED: params
			 * {matroska (bool)}, of h264 also {from_ms (int): frames before it are decoded only}:
			 * stdin its sound, or its video, with times as FEED has them; what comes out goes to
			 * the webrtc worker. Their SPAWNED has stdin and stderr only.
			 * From a jobs worker {output:"job", task, kind, params}: an ffmpeg for a file,
			 * never started again; task: the worker's number for it, which SPAWNED (stderr,
			 * progress) and EXITED repeat. input and output are relative to data_dir.
			 * kind "remux", "check": params {input, output, matroska, transcode_audio, hvc1,
			 * sound_only, tail (bools), bytes (int: so many of input's beginning; all may be left
			 * out)}. "probe" {input}; "convert" {input, output, video, audio:
			 * "copy"|"encode"|"none"}; "push" {input, name, start_ms} to upload.target.
			 * kind "frames": {input, output, width, height, fps, video_ms, audio_ms (ints), timed,
			 * sound (bools)}. One at a time: the one before is killed.
			 * From an ingest {output:"job", task, kind:"playback", params {input: below media/,
			 * "" frames.playback_file; samples: of its beginning, 0 all}}: the same, but
			 * SPAWNED's second descriptor is 24 kHz PCM. */
	MSG_OUTPUT_DOWN, /* {output, reason, action:"restart"|"stop"}: judge it dead; the
			 * supervisor runs the stop ladder; restart: EXITED then follows */
	MSG_EVENT,	/* {event, ...}: "viewers" {name, n, sketch}: n distinct players asked this http
			 * worker; sketch (left out if n is 0): lib/sketch.h in base64, hashed with a key
			 * that all workers of the host have, for the union over them;
			 * "stream_live" {}: the first media of an ingest's publisher;
			 * "stream_ended" {name}; "warning" {code: HOOK_ERROR_.., what (a push's ID, may be
			 * left out), text}: an ingest has trouble with its stream, "": no more;
			 * "publisher_gone" {}: an ingest that completes files;
			 * "refused" {peer, code, name, text, said (bool: it is logged already)}: an ingest
			 * ends its connection: code "pattern" "protocol" "media" "timeout";
			 * "recorded" {name, file}: an ingest has closed a raw recording, data_dir/FILE;
			 * "uploaded" {id}: an ingest has received an upload (lib/intake.h) to its end;
			 * the supervisor sends these two on to a jobs worker.
			 * For webhooks, each only if the config's wanted_events has it: "segment" {file, duration_ms,
			 * sequence}: of an ingest; "play" and "stop" {list: [{name, viewer, peer, protocol}]}:
			 * of http and webrtc, at most 200 at once; "job" {job, kind, state, name, file,
			 * error}: of jobs. The supervisor makes webhooks' events of them.
			 * "events" {}: to hooks: something was written to the spool.
			 * Of a webrtc worker "viewers" has no sketch: n connected ones, counted as they are. */
	MSG_BYE,	/* {reason}: last message of a child */
	MSG_HANDOFF,	/* http: {route, peer, local, masked} + 2 fds: a connection whose request is not
			 * for http to answer, and a file with every byte read of it since the
			 * request began. Answer with the same id: TAKEN or REFUSED. http reads and
			 * writes nothing meanwhile and keeps its own descriptor until then.
			 * route "ws" "frames" "upload" "whip"; masked (bool): peer is a proxy's address.
			 * route "room" {.., name}: signalling of room NAME: it goes to the webrtc worker that
			 * NAME belongs to (lib/stream_name.h), as CONN; REFUSED code "off": there is none. */
	MSG_WANT,	/* webrtc: {name, want (bool)}: it has viewers that wait for NAME, which may be long
			 * before that is live; false: none any more. true is answered by FEED, on or not. */
	/* supervisor -> child */
	MSG_CONN = 32,	/* {route, peer, local, proxy_protocol (bool)} + 1 fd: the connection this ingest
			 * serves; route "rtmp", or HANDOFF's, then + its second fd; of "whip", which only
			 * millrace-whip takes, + a bound UDP socket. To a webrtc worker:
			 * {route: "room", name, peer, local, live (bool: NAME is)} + both */
	MSG_GRANT,	/* {name, resume (bool: the stream goes on)}: claim granted */
	MSG_REFUSE,	/* {code, text}: claim refused; code: "key" "signature" "expired"
			 * "duplicate" "elsewhere" "redis" "busy" "limit" "stopping" */
	MSG_SPAWNED,	/* {output, pid, params} + fds stdin, stderr, list: a child runs with
			 * exactly these params. Sent once per process. */
	MSG_EXITED,	/* {output, pid, code, signal, retry_ms, reason}: it is gone; the requester
			 * answers with a new SPAWN (fresh params), which the supervisor holds back
			 * until the backoff allows. retry_ms -1: given up, output "failed". */
	MSG_YIELD,	/* {reason}: ingest: another publisher takes the name: publish what you
			 * have, BYE, exit, all within PROTO_YIELD_MS. finish: stop waiting, clean up at once, exit */
	MSG_CONFIG,	/* {} + 1 fd: new config; apply `live` keys */
	MSG_STOP,	/* {reason, grace_ms}: finish and exit. ingest: reason "stop" = ENDLIST comes
			 * from the ingest's playlist (end = true) when {endlist:true} */
	MSG_LOGLEVEL = 41, /* {level}: change it now; also CLI -> supervisor */
	MSG_PUSH,	/* {targets: [{id, rev, transcode (bool)}]}: to an ingest: all that its stream is to
			 * be pushed to. Another rev of the same id: another target, begin anew. Where
			 * to is not told: SPAWN of output "push:ID" has it filled in. */
	MSG_TAKEN,	/* {}: HANDOFF: it has a process of its own now */
	MSG_REFUSED,	/* {code, text}: HANDOFF: it has none; code "address" "limit" "stopping" "process" "off" */
	MSG_FEED,	/* A stream's media on its way to browsers, whenever a NAME that is WANTed is live.
			 * to an ingest: {on (bool)} + (if on) 1 fd, a socketpair's end: write FLV to it, header
			 * first, H.264 that browsers can take as it is, Opus if that is what came (enhanced
			 * tag), from the current GOP on; new headers come in between. Times are the
			 * ring's, in 32 bits of milliseconds, never rebased. What browsers cannot take
			 * goes by way of an ffmpeg: SPAWN of "opus" and "h264". on false: no viewer is left.
			 * to webrtc: {name, ingest (pid), track: "media"|"audio"|"video", format: "flv"|"ogg",
			 * on} + (if on) 1 fd to read: the other end of that ("media", flv), or the stdout
			 * of the ffmpeg that makes Opus ("audio", ogg; granule = 48 kHz since the times'
			 * 0) or baseline H.264 ("video", flv, whose times ffmpeg ends at 31 bits). FLV's file
			 * header does not promise a track. The same ingest: the same clock; another
			 * one: the publisher has come back, its times may be others. A FEED of a track
			 * replaces the one before it. EOF: more may follow, by another FEED (an ffmpeg
			 * that was started again). on false {name, ingest (0: none), on}: NAME is not
			 * live. */
	/* both: relayed by kind */
	MSG_CALL = 64,	/* {to, verb, args, deadline_ms}: to "registry" | "jobs" | "webrtc" | "hooks" |
			 * "supervisor"; from a child only what supervisor/route_may.c has, else EPERM */
	MSG_REPLY,	/* {rc, body}: rc 0 or an errno-like code; body any JSON */
	/* CLI -> supervisor, each answered by REPLY */
	MSG_KICK = 80,	/* {name}: end the stream's publisher connection */
	MSG_RELOAD,	/* {dry_run}: body {plan: {now:[], new_streams:[], restart:[], failed:[]}, errors:[]} */
	MSG_SHUTDOWN,	/* {}: graceful stop of millraced */
};

/*
 * CALL verbs of "registry":
 *   lease   {name}          -> {granted: bool, owner, epoch}     (shared Redis: asked before GRANT)
 *   ingress_get {name}      -> {hashes: [..]}  of keys that /v1/createIngress made on any host
 *   ingress_put {name, hashes: [..]} -> {}     ([]: none any more)
 *   release {name}          -> {}
 *   where   {name}          -> {url} of the owner's http.public_url, or {} if nobody's
 *   streams {cursor}        -> {streams:[{name, app, host, url, since}], cursor}
 *   hosts   {}              -> {hosts:[{id, name, url, version, streams, age_ms}]}
 * CALL verbs of "jobs" (its first worker answers; EHOSTDOWN: Redis is away):
 *   list   {state, cursor}  -> {jobs:[...], cursor}: workers/common/queue.h; state absent: all not over
 *   retry  {id}, cancel {id} -> {}          (id: a job's or an upload's; ENOENT: no such one; EALREADY: text,
 *                              its state, in which that is not possible)
 *   files  {cursor}         -> {files:[...], cursor}: workers/common/ledger.h
 *   hosts  {}               -> {hosts:[{id, name, running, waiting}]}: workers/common/queue.h
 *   job    {id}             -> one of list, or of an upload of this host {id, state, percent, name, file,
 *                              error ..}; state "receiving" "queued" "converting" "pushing" "retrying"
 *                              "failed" "cancelled" "done"
 * CALL verbs of "webrtc" (the worker that args.name belongs to answers; ENOTCONN: it is not up, ENOSYS:
 * webrtc.workers is 0; else EINVAL bad SDP, ENOTSUP nothing in common, ENOSPC full, EDQUOT full of this peer's:
 * each {text}; ENOENT no such session). An SDP has at most webrtc.max_sdp bytes:
 *   offer  {name, sdp, peer, local, host} -> {id, sdp, etag}; local ("IP:PORT") and host (its Host field): where
 *                              the request came to, named in the answer; peer is who asks, ip:port
 *   patch  {name, id, sdp, if_match} -> {sdp, etag}: an ICE restart; {sdp: ""}: nothing to say (204). if_match as
 *                              the field came: ENODATA none, ESTALE it names another
 *   delete {name, id}        -> {}
 *   stats  {name, cursor}    -> {live, viewers, sessions: [..], cursor}; {name, id} -> {session}: calls.c
 * CALL verbs of "hooks" (EHOSTDOWN: Redis is away; what fails has {text}):
 *   authorize {name, app, peer, protocol, query, host} -> {verdict: "allow"|"deny"|"none", text}: authorize.hook
 *                               is asked; none: it gave no verdict, and why. EBUSY: about too many at once.
 *                               Only of the supervisor.
 *   list {cursor}    -> {hooks: [{id, url (nothing secret), style, events, streams, registered, state: "ok"|
 *                       "failing"|"gone", waiting, streams_waiting, lost, delivered, failed, busy, error, again_ms}],
 *                       cursor, leader, leading, lost: before they were any hook's}
 *   dead {cursor}    -> {dead: [{id, hook, name, event, time, tries, error}], cursor}
 *   retry {id}, drop {id} -> {n}: a dead letter's id; or a hook's: all that waits for it, and its dead letters
 *   register {url} -> {id, new (bool)}, unregister {url} -> {}: of /v1/registerWebhook
 * CALL verbs of "supervisor":
 *   kick {name}
 *   whip {name, id, method: "PATCH"|"DELETE", sdp, if_match} -> {sdp, etag}: to the ingest of a publisher by
 *                    WHIP, which answers as "webrtc" does to patch and delete; only of http
 *   ingress {name, hashes: of ingress_get} -> {id, key, hashes}, ingress_remove {name} -> {}: a key for NAME, the
 *                    same whenever it is asked for, another one when it was removed in between;
 *                    only of http and who may use control.sock; EHOSTDOWN: other hosts can't be told; EINVAL, ENOSPC,
 *                    EIO (data_dir takes no file, so nothing has changed): {text}
 *   push_add {name, id, url, transcode, verify (bools, may be left out)} -> {id, target, live}
 *   push_remove {name, id} -> {id, config: bool}
 *   push_list {name ("": all), cursor} -> {pushes: [...], cursor}: supervisor/push_call.c
 *     (these three only of http and the CLI; what fails has {text})
 */
#endif
