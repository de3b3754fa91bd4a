/*
 * board.h - run/board: the only source of status, of the API's lists and of /metrics.
 *
 * Every child owns one page of 4 KiB (a memfd of its own, sealed against resizing) and
 * writes its figures there; once a second the supervisor copies the pages into run/board,
 * a posix_fallocate'd file of fixed size that readers (CLI, http) map read-only. So status
 * needs nobody's answer: a hung or dead supervisor is seen by its own old beat.
 *
 * Both are seqlocked; a reader copies with board_read_*() and never sees a torn slot.
 * Fields are only appended; `size` says how much of the struct the writer knew.
 * Times: *_ms on CLOCK_MONOTONIC, *_wall_ms since the epoch. Strings are NUL-terminated.
 */
#ifndef MILLRACE_BOARD_H
#define MILLRACE_BOARD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define BOARD_VERSION 1
#define BOARD_PAGE_BYTES 4096
#define BOARD_PROCS 2048	/* process slots */
#define BOARD_STREAMS 1024	/* stream slots */
#define BOARD_PUSHES 8		/* push targets of a stream */
#define BOARD_OUTPUTS (BOARD_PUSHES + 6)
#define BOARD_NAME 65		/* stream name + NUL */

enum board_track_codec { BOARD_CODEC_NONE, BOARD_H264, BOARD_HEVC, BOARD_AV1, BOARD_VP9,
	BOARD_AAC, BOARD_OPUS, BOARD_MP3, BOARD_OTHER };

enum board_recording { BOARD_RECORDING_OFF, BOARD_RECORDING_WAITS, BOARD_RECORDING, BOARD_RECORDING_PAUSED };

/* What an ingest knows of one of its pushes. */
enum board_push_state { BOARD_PUSH_WAITS, BOARD_PUSH_CONNECTING, BOARD_PUSH_UP, BOARD_PUSH_REFUSED };
struct board_push {
	char id[32];			/* "" = the end of the list */
	uint32_t state;			/* enum board_push_state; UP: the target has accepted the stream */
	uint32_t behind_ms;		/* of media that its ffmpeg has not taken yet */
	uint64_t frames, bytes, dropped; /* handed over; dropped: skipped because it fell behind */
	char reason[96];		/* REFUSED: why; this server's own words */
};

/* How a track goes to browsers by WebRTC, and why so; what the socket to the worker was given. */
enum board_way { BOARD_WAY_NONE, BOARD_WAY_WAITS, BOARD_WAY_COPY, BOARD_WAY_TRANSCODE, BOARD_WAY_REFUSED };
struct board_feed {
	uint8_t on;			/* somebody watches, or has just watched */
	uint8_t video, audio;		/* enum board_way */
	uint8_t _pad;
	uint32_t behind_ms;
	uint64_t frames, bytes, dropped;	/* of what is copied */
	char video_why[64], audio_why[64];
};
const char *board_way_name(unsigned way);	/* "copy" "transcode" "refused" "waits"; "" for none */

/* What an ingest knows of its stream's media; zero in other kinds. */
struct board_media {
	int64_t last_media_ms;		/* a media byte was received */
	int64_t last_key_ms;		/* a key frame was received, 0 = never */
	int64_t gop_ms;			/* distance of the last two key frames */
	uint64_t bytes_in;
	uint64_t video_frames, audio_frames, key_frames;
	uint64_t dropped_frames;	/* by ring overruns */
	uint64_t segments;		/* listed since start */
	uint64_t discontinuities;
	int64_t segment_delay_ms;	/* receive of the cutting key frame -> segment listed, last */
	int64_t bitrate_bps;		/* over the last 5 s */
	int32_t fps_milli;		/* frames per 1000 s over the last 5 s */
	int32_t width, height;		/* 0 = unknown */
	int32_t audio_rate, audio_channels;
	uint8_t video_codec, audio_codec;	/* enum board_track_codec */
	uint8_t _pad[2];
	uint32_t timestamp_jumps;
	uint64_t ring_bytes;
	char encoder[64];		/* from onMetaData, printable */
	char warning[160];		/* what the user should change now, "" if nothing */
	uint32_t recording;		/* enum board_recording */
	int32_t recording_errno;	/* PAUSED: why; 0: less than disk.reserve is free */
	uint64_t recorded_files, recorded_bytes, recorded_lost;	/* lost: frames for which the disk had no room */
	int64_t recording_lag_ms;	/* age of the oldest media received that may not be on the disk yet */
	struct board_push pushes[BOARD_PUSHES];
	struct board_feed feed;
};

/* What an http worker counts. */
struct board_http {
	uint64_t connections, requests, bytes_out, responses_4xx, responses_5xx, redirects;
	uint64_t connections_open, timeouts;
};

/* What the registry knows. */
struct board_registry {
	int32_t redis_up;		/* 1 connected */
	int32_t hosts;			/* alive, this one counted */
	int64_t redis_since_ms;		/* up or down since */
	uint64_t reconnects, events_sent, events_waiting;
	int64_t redis_delay_ms;		/* last round trip */
	char redis_error[96];
	int32_t hosts_dead, _pad;	/* not heard of, and did not leave; forgotten after an hour */
};

/* A histogram of times; the last bucket has no upper bound. */
#define BOARD_LATENCY_BUCKETS 12
struct board_latency {
	uint64_t count[BOARD_LATENCY_BUCKETS], sum_ms;
};
void board_latency_add(struct board_latency *l, int64_t ms);
int board_latency_bound_ms(unsigned bucket);	/* -1: none */

/* What a process' requests to S3 came to, since its start. */
struct board_s3 {
	uint64_t requests, retries, refused;	/* retries: failed in a way that is tried again */
	uint64_t sent_bytes, lost_bytes;	/* of bodies; of those, in requests that failed: they go again */
	struct board_latency part;		/* of files' parts that arrived, from the request to its answer */
};

/* What a jobs worker does; the queue's figures come from the first one of each host. */
struct board_jobs {
	char id[40], kind[32], file[256];	/* of the running job, "" */
	int32_t progress;		/* 0..1000 */
	int32_t redis_up;
	int64_t since_ms;		/* it runs since */
	uint64_t done, failed, later, parked, taken_over;	/* since the worker's start */
	int64_t sent_ms, waits_ms;	/* some of an upload of this worker arrived; one had to be put off */
	char waits_for[320];		/* the latter: why */
	int32_t growing_wait;		/* recordings that grow and were put off: no job says so */
	int64_t queue_ms;		/* when the figures below were true; 0 = never */
	int64_t queued, running, delayed, dead;	/* dead: parked ones, too */
	int64_t oldest_ms;		/* how long the oldest of the queued ones waits */
	struct board_s3 s3;
	uint64_t swept;			/* uploads aborted that nobody owned any more */
	int64_t refused;		/* as dead, but because what was sent is of no use: not among those */
};

/* What the watch worker knows. */
struct board_watch {
	int32_t folders, missing;	/* watched; of those not there now */
	uint64_t files, pending;	/* known; of those not done with */
	uint64_t queued, skipped, hashed_bytes;
	char missing_dir[160];
};

/* What a webrtc worker counts; since its start, but for the first four. */
struct board_webrtc {
	uint32_t viewers, sessions, rooms, tcp;	/* connected; also those on their way; names wanted; by TCP */
	uint64_t viewers_total;
	uint64_t no_ice, failed, refused;	/* no check ever came: is `port` open?; DTLS; over a limit */
	uint64_t sent_bytes, sent_packets, dropped; /* dropped: the socket did not take them in time */
	uint64_t lost, nacks, retransmitted, plis;	/* as viewers report */
	uint64_t strangers, malformed;		/* packets of nobody, of nothing */
	int64_t last_no_ice_ms;			/* 0 = never */
	uint32_t port, _pad;			/* UDP, and TCP if that is on */
};

/* What millrace-hooks knows; `delivered` to `dead` since its start. */
struct board_hooks {
	int32_t redis_up, leading;	/* leading: this host delivers, for all hosts of its Redis */
	int32_t urls, failing;		/* URLs; of those, last heard of with an error */
	uint64_t delivered, failed, dead;	/* failed: requests, each tried again */
	uint64_t waiting, lost;		/* events, of all hosts; lost: did not fit into hooks.max_waiting */
	char error[240];		/* of one that fails: "ID: why" */
};

/* The child's own page (PROTO_FD_BOARD). */
struct board_page {
	uint16_t version, size;
	uint32_t seq;			/* odd while written */
	int64_t beat_ms;
	uint64_t log_dropped;
	char stream[BOARD_NAME];
	char state[23];			/* "ready", "live", "handshake", ... */
	char last_words[200];		/* last log line of level warn or worse */
	union {
		struct board_media media;
		struct board_http http;
		struct board_registry registry;
		struct board_jobs jobs;
		struct board_watch watch;
		struct board_hooks hooks;
		struct board_webrtc webrtc;
	};
};

struct board_proc {			/* a slot in run/board */
	uint32_t seq;
	int32_t pid;			/* 0 = free slot */
	uint64_t start_ticks;		/* /proc/PID/stat field 22: guards against a re-used pid */
	char kind[16];			/* "http" "ingest" "ffmpeg" "redis" "registry" "finish" "jobs" "watch" "push" */
	char state[24];			/* "starting" "ready" "stopping" "backoff" "failing" */
	char output[32];		/* ffmpeg: which output */
	int64_t started_wall_ms;
	uint32_t restarts;		/* of this role since the supervisor's start */
	int32_t backoff_ms;		/* next try in, when state is backoff */
	char reason[160];		/* why it last died */
	struct board_page page;		/* copy of the child's page; zero for foreign programs */
};

struct board_output {
	char kind[16];			/* "hls" "push" "intake"; "webrtc", its ffmpegs "opus" "h264" */
	char state[16];			/* "starting" "connecting" (push) "up" "backoff" "failed" */
	int32_t pid;
	uint32_t restarts;
	char reason[128];
	uint32_t failures;		/* in a row, without a segment since */
	uint32_t behind_ms;		/* push, webrtc: what follows, too */
	char id[32], target[104];	/* target: its URL without what may be a key */
	uint64_t frames, bytes, dropped;
};
/* What people call it: "hls", "push youtube". */
#define BOARD_OUTPUT_NAME 48
const char *board_output_name(const struct board_output *o, char buf[BOARD_OUTPUT_NAME]);

enum board_stream_state { BOARD_STREAM_FREE, BOARD_STREAM_STARTING, BOARD_STREAM_LIVE,
	BOARD_STREAM_RECONNECTING, BOARD_STREAM_FINISHING };

struct board_stream {			/* a slot in run/board */
	uint32_t seq;
	uint32_t state;			/* enum board_stream_state, FREE = free slot */
	char name[BOARD_NAME], app[64], peer[64], protocol[16];
	int64_t created_wall_ms;	/* its publisher was let in; one who comes back does not count */
	int64_t since_wall_ms;		/* live since; 0 = no media yet */
	int64_t until_ms;		/* RECONNECTING: monotonic end of the wait */
	uint32_t viewers;
	uint32_t reconnects;
	int32_t ingest_pid;		/* process slot with the media figures; 0 if none */
	uint32_t noutputs;
	struct board_output outputs[BOARD_OUTPUTS];
	uint32_t webrtc_viewers;	/* of viewers */
};

/* Why a publisher was refused; board_refusal_name() is the word for it in metrics and JSON. */
enum board_refusal { BOARD_REFUSED_OTHER, BOARD_REFUSED_KEY, BOARD_REFUSED_SIGNATURE,
	BOARD_REFUSED_EXPIRED, BOARD_REFUSED_PATTERN, BOARD_REFUSED_DUPLICATE,
	BOARD_REFUSED_ELSEWHERE, BOARD_REFUSED_REDIS, BOARD_REFUSED_BUSY, BOARD_REFUSED_MEDIA,
	BOARD_REFUSED_PROTOCOL, BOARD_REFUSED_TIMEOUT, BOARD_REFUSED_LIMIT,
	BOARD_REFUSED_STOPPING, BOARD_REFUSED_SPACE, BOARD_REFUSALS };

struct board_refused {
	int64_t wall_ms;		/* 0 = nobody was */
	uint32_t reason;		/* enum board_refusal */
	char peer[64], name[BOARD_NAME], text[255];
};

struct board_header {
	char magic[8];			/* "MRBOARD" */
	uint16_t version, header_bytes, proc_bytes, stream_bytes;
	uint32_t procs, streams;	/* numbers of slots */
	uint32_t seq;
	int32_t pid;
	uint64_t start_ticks;
	int64_t beat_ms;		/* of the supervisor; older than 5 s = hung or dead */
	int64_t started_wall_ms;
	uint64_t accepted, refused, log_dropped;
	uint32_t connections;		/* now */
	char host[65], host_id[40], app_version[16];
	char health[400];		/* "" = healthy, else the first thing that is wrong */
	char notes[400];		/* standing warnings, newline between */
	char rtmp_listen[200], http_listen[200];
	char webrtc_listen[80], whip_ports[16];	/* "" = off */
	char ffmpeg[64];		/* its version, "missing" */
	uint64_t refusals[BOARD_REFUSALS]; /* `refused` is their sum */
	struct board_refused last_refused;
	int64_t limit_wall_ms;		/* the last one of refusals[BOARD_REFUSED_LIMIT]; 0 = none */
};

/* Seqlock for a single writer: odd while writing. */
void board_begin(uint32_t *seq);
void board_end(uint32_t *seq);

/* Supervisor side. Creates (or replaces) the file; maps it writable. NULL + errno. */
struct board *board_create(const char *path);
/* Reader side: read-only map; ENOENT = not running, EPROTO = another version. */
struct board *board_open(const char *path);
void board_close(struct board **b);
struct board_header *board_header(struct board *b);
struct board_proc *board_proc(struct board *b, unsigned i);		/* i < BOARD_PROCS */
struct board_stream *board_stream(struct board *b, unsigned i);	/* i < BOARD_STREAMS */
/* Torn-free copies; -1 if the slot is free (or stays odd: its writer died in it). */
int board_read_header(struct board *b, struct board_header *out);
int board_read_proc(struct board *b, unsigned i, struct board_proc *out);
int board_read_stream(struct board *b, unsigned i, struct board_stream *out);
int board_read_page(const struct board_page *p, struct board_page *out);
/* A page for a child: memfd of BOARD_PAGE_BYTES, sealed; *map is the supervisor's mapping. fd or -1. */
int board_page_create(struct board_page **map);
void board_page_unmap(struct board_page **map);
const char *board_stream_state_name(unsigned state);	/* "live" "reconnecting" ... */
const char *board_codec_name(unsigned codec);	/* "h264" "aac" ... "" for none */
/* Why a recording is paused: its errno, 0 for disk.reserve. Whether room on the disk ends that; in a few words. */
bool board_pause_is_space(int error);
const char *board_pause_reason(int error);
const char *board_refusal_name(unsigned reason);	/* "key" "pattern" ...; "other" for unknown ones */
/* /proc figures of a process, -1 if it is gone or another one (start_ticks differ; 0 = don't check). */
int board_proc_usage(int pid, uint64_t start_ticks, int64_t *rss_bytes, int64_t *cpu_ms);
uint64_t board_start_ticks(int pid);
#endif
