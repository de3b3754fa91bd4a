/*
 * metrics.c - /metrics in Prometheus' text format 0.0.4: base units, _total on counters, no
 * label whose values are without bound. Everything comes from the board and /proc. Jobs, uploads,
 * watched folders and the disk are metrics_work.c's, viewers by WebRTC metrics_webrtc.c's.
 */
#include <event2/buffer.h>
#include <stdlib.h>
#include <string.h>

#include "http.h"
#include "metrics.h"
#include "util.h"

void
metrics_family(struct evbuffer *b, const char *name, const char *type, const char *help)
{
	evbuffer_add_printf(b, "# HELP millrace_%s %s\n# TYPE millrace_%s %s\n", name, help, name, type);
}

void
metrics_single(struct evbuffer *b, const char *name, const char *type, const char *help, double value)
{
	metrics_family(b, name, type, help);
	evbuffer_add_printf(b, "millrace_%s %.15g\n", name, value);
}

static uint64_t
value_of(const struct board_page *page, const struct metrics_figure *f)
{
	uint32_t small;
	uint64_t value;

	if (f->size == sizeof(small)) {
		memcpy(&small, (const char *)page + f->at, sizeof(small));
		return small;
	}
	memcpy(&value, (const char *)page + f->at, sizeof(value));
	return value;
}

void
metrics_workers(struct evbuffer *b, const struct view *v, const char *kind, const struct metrics_figure *figures,
    size_t n)
{
	for (const struct metrics_figure *f = figures; f < figures + n; f++) {
		metrics_family(b, f->name, f->type, f->help);
		for (unsigned i = 0; i < v->nprocs; i++)
			if (strcmp(v->procs[i].kind, kind) == 0)
				evbuffer_add_printf(b, "millrace_%s{worker=\"%lu\"} %llu\n", f->name,
				    strtoul(v->procs[i].page.stream, NULL, 10),
				    (unsigned long long)value_of(&v->procs[i].page, f));
	}
}

/* --- per stream: a table of columns --- */

static double
live(const struct view_stream *v, int64_t now)
{
	return v->s.state == BOARD_STREAM_LIVE;
}

static double
key_age(const struct view_stream *v, int64_t now)
{
	return v->m.last_key_ms != 0 ? (double)(now - v->m.last_key_ms) / 1e3 : 0;
}

#define KEEP_MS 1000

#define STREAM_FIGURE(fn, expr) \
	static double fn(const struct view_stream *v, int64_t now) { return (double)(expr); }

STREAM_FIGURE(viewers, v->s.viewers)
STREAM_FIGURE(webrtc_viewers, v->s.webrtc_viewers)
STREAM_FIGURE(webrtc_dropped, v->m.feed.dropped)
STREAM_FIGURE(reconnects, v->s.reconnects)
STREAM_FIGURE(bitrate, v->m.bitrate_bps)
STREAM_FIGURE(received, v->m.bytes_in)
STREAM_FIGURE(fps, v->m.fps_milli / 1e3)
STREAM_FIGURE(gop, v->m.gop_ms / 1e3)
STREAM_FIGURE(dropped, v->m.dropped_frames)
STREAM_FIGURE(segments, v->m.segments)
STREAM_FIGURE(discontinuities, v->m.discontinuities)
STREAM_FIGURE(delay, v->m.segment_delay_ms / 1e3)
STREAM_FIGURE(jumps, v->m.timestamp_jumps)
STREAM_FIGURE(ring, v->m.ring_bytes)
STREAM_FIGURE(recording, v->m.recording == BOARD_RECORDING)
STREAM_FIGURE(recording_paused, v->m.recording == BOARD_RECORDING_PAUSED)
STREAM_FIGURE(recorded, v->m.recorded_bytes)
STREAM_FIGURE(recorded_files, v->m.recorded_files)
STREAM_FIGURE(recording_lost, v->m.recorded_lost)
STREAM_FIGURE(recording_lag, v->m.recording_lag_ms / 1e3)

static const struct {
	const char *name, *type, *help;
	double (*value)(const struct view_stream *v, int64_t now);
} stream_figures[] = {
	{ "stream_live", "gauge", "1 while the publisher delivers.", live },
	{ "stream_viewers", "gauge", "Distinct players seen lately.", viewers },
	{ "stream_webrtc_viewers", "gauge", "Of these, connected by WebRTC.", webrtc_viewers },
	{ "stream_webrtc_dropped_frames_total", "counter", "Frames that a slow WebRTC worker was not given.",
	    webrtc_dropped },
	{ "stream_reconnects_total", "counter", "Times the publisher came back.", reconnects },
	{ "stream_bitrate_bits_per_second", "gauge", "Received bit rate over 5 s.", bitrate },
	{ "stream_received_bytes_total", "counter", "Bytes received from the publisher.", received },
	{ "stream_frames_per_second", "gauge", "Video frame rate over 5 s.", fps },
	{ "stream_gop_seconds", "gauge", "Distance of the last two key frames.", gop },
	{ "stream_key_frame_age_seconds", "gauge", "Time since the last key frame.", key_age },
	{ "stream_dropped_frames_total", "counter", "Frames lost because an output was too slow.", dropped },
	{ "stream_segments_total", "counter", "HLS segments listed.", segments },
	{ "stream_discontinuities_total", "counter", "HLS discontinuities listed.", discontinuities },
	{ "stream_segment_delay_seconds", "gauge", "Receive of the cutting key frame to segment listed.", delay },
	{ "stream_timestamp_jumps_total", "counter", "Timestamps that were rebased.", jumps },
	{ "stream_ring_bytes", "gauge", "Media kept in memory.", ring },
	{ "stream_recording", "gauge", "1 while it is recorded.", recording },
	{ "stream_recording_paused", "gauge", "1 while its recording is paused: no room, or the disk takes no file.",
	    recording_paused },
	{ "stream_recorded_bytes_total", "counter", "Bytes recorded.", recorded },
	{ "stream_recorded_files_total", "counter", "Files of the recording that are complete.", recorded_files },
	{ "stream_recording_lost_frames_total", "counter", "Frames for which the disk had no room.", recording_lost },
	{ "stream_recording_lag_seconds", "gauge", "Age of the oldest media received that may not be on the disk.",
	    recording_lag },
};

static void
streams(struct evbuffer *b, const struct view *v, int64_t now)
{
	for (unsigned f = 0; f < sizeof(stream_figures) / sizeof(stream_figures[0]); f++) {
		metrics_family(b, stream_figures[f].name, stream_figures[f].type, stream_figures[f].help);
		for (unsigned i = 0; i < v->n; i++)
			evbuffer_add_printf(b, "millrace_%s{stream=\"%s\"} %.15g\n", stream_figures[f].name,
			    v->streams[i].s.name, stream_figures[f].value(&v->streams[i], now));
	}
}

/* --- per output of a stream --- */

enum output_figure { OUTPUT_UP, OUTPUT_RESTARTS, OUTPUT_CPU, OUTPUT_MEMORY, OUTPUT_FRAMES, OUTPUT_BYTES, OUTPUT_DROPPED,
	OUTPUT_BEHIND };

static double
output_value(const struct view_stream *s, unsigned k, enum output_figure f)
{
	const struct board_output *o = &s->s.outputs[k];
	int64_t rss = 0, cpu = 0;

	if (f == OUTPUT_UP)
		return strcmp(o->state, "up") == 0;
	if (f == OUTPUT_RESTARTS)
		return o->restarts;
	if (f >= OUTPUT_FRAMES)
		return f == OUTPUT_FRAMES ? (double)o->frames : f == OUTPUT_BYTES ? (double)o->bytes :
		    f == OUTPUT_DROPPED ? (double)o->dropped : o->behind_ms / 1e3;
	if (board_proc_usage(o->pid, s->start_ticks[k], &rss, &cpu) < 0)
		return 0;
	return f == OUTPUT_CPU ? (double)cpu / 1e3 : (double)rss;
}

static void
outputs(struct evbuffer *b, const struct view *v)
{
	static const struct { const char *name, *type, *help; } figures[] = {
		[OUTPUT_UP] = { "output_up", "gauge", "1 while its ffmpeg runs, and a push's target takes it." },
		[OUTPUT_RESTARTS] = { "output_restarts_total", "counter", "Times it was started again." },
		[OUTPUT_CPU] = { "output_cpu_seconds_total", "counter", "CPU time of the running ffmpeg." },
		[OUTPUT_MEMORY] = { "output_resident_memory_bytes", "gauge", "Memory of the running ffmpeg." },
		[OUTPUT_FRAMES] = { "push_frames_total", "counter", "Frames handed to a push." },
		[OUTPUT_BYTES] = { "push_bytes_total", "counter", "Bytes handed to a push." },
		[OUTPUT_DROPPED] = { "push_dropped_frames_total", "counter", "Frames that a push skipped." },
		[OUTPUT_BEHIND] = { "push_behind_seconds", "gauge", "Media that a push's ffmpeg has not taken yet." },
	};
	char name[BOARD_OUTPUT_NAME];

	for (unsigned f = OUTPUT_UP; f <= OUTPUT_BEHIND; f++) {
		metrics_family(b, figures[f].name, figures[f].type, figures[f].help);
		for (unsigned i = 0; i < v->n; i++)
			for (unsigned k = 0; k < v->streams[i].s.noutputs && k < BOARD_OUTPUTS; k++)
				if (f < OUTPUT_FRAMES || v->streams[i].s.outputs[k].id[0] != '\0')
					evbuffer_add_printf(b, "millrace_%s{stream=\"%s\",output=\"%s\"} %.15g\n",
					    figures[f].name, v->streams[i].s.name,
					    board_output_name(&v->streams[i].s.outputs[k], name),
					    output_value(&v->streams[i], k, (enum output_figure)f));
	}
}

/* --- processes by kind, http workers, Redis --- */

static void
processes(struct evbuffer *b, const struct view *v)
{
	static const char *const kinds[] = { "http", "registry", "hooks", "ingest", "finish", "redis", "ffmpeg",
		"jobs", "watch", "push", "webrtc" };
	enum { KINDS = sizeof(kinds) / sizeof(kinds[0]) };
	unsigned n[KINDS] = { 0 }, restarts[KINDS] = { 0 };

	for (unsigned i = 0; i < v->nprocs; i++)
		for (unsigned k = 0; k < KINDS; k++)
			if (strcmp(v->procs[i].kind, kinds[k]) == 0) {
				n[k]++;
				restarts[k] += v->procs[i].restarts;
			}
	metrics_family(b, "processes", "gauge", "Child processes by kind.");
	for (unsigned k = 0; k < KINDS; k++)
		evbuffer_add_printf(b, "millrace_processes{kind=\"%s\"} %u\n", kinds[k], n[k]);
	metrics_family(b, "process_restarts_total", "counter", "Restarts of what runs now, by kind.");
	for (unsigned k = 0; k < KINDS; k++)
		evbuffer_add_printf(b, "millrace_process_restarts_total{kind=\"%s\"} %u\n", kinds[k], restarts[k]);
}

#define AT(field) METRICS_AT(http.field)

static void
workers(struct evbuffer *b, const struct view *v)
{
	static const struct metrics_figure figures[] = {
		{ "http_connections_total", "counter", "Connections accepted.", AT(connections) },
		{ "http_connections", "gauge", "Connections open.", AT(connections_open) },
		{ "http_requests_total", "counter", "Requests.", AT(requests) },
		{ "http_sent_bytes_total", "counter", "Bytes sent.", AT(bytes_out) },
		{ "http_client_errors_total", "counter", "Answers 4xx.", AT(responses_4xx) },
		{ "http_server_errors_total", "counter", "Answers 5xx.", AT(responses_5xx) },
		{ "http_redirects_total", "counter", "Viewers sent to another host.", AT(redirects) },
		{ "http_timeouts_total", "counter", "Slow clients closed.", AT(timeouts) },
	};

	metrics_workers(b, v, "http", figures, sizeof(figures) / sizeof(figures[0]));
}

static void
registry(struct evbuffer *b, const struct view *v)
{
	for (unsigned i = 0; i < v->nprocs; i++) {
		const struct board_registry *r = &v->procs[i].page.registry;

		if (strcmp(v->procs[i].kind, "registry") != 0)
			continue;
		metrics_single(b, "redis_up", "gauge", "1 while Redis answers.", r->redis_up);
		metrics_single(b, "hosts", "gauge", "Hosts alive on this Redis, this one counted.", r->hosts);
		metrics_single(b, "hosts_dead", "gauge", "Hosts that went without leaving, for an hour.",
		    r->hosts_dead);
		metrics_single(b, "redis_reconnects_total", "counter", "Connections to Redis made anew.",
		    (double)r->reconnects);
		metrics_single(b, "redis_delay_seconds", "gauge", "Last round trip.", (double)r->redis_delay_ms / 1e3);
		metrics_single(b, "events_sent_total", "counter", "Events written to Redis.", (double)r->events_sent);
		metrics_single(b, "events_waiting", "gauge", "Events in the spool.", (double)r->events_waiting);
		return;
	}
}

static void
hooks(struct evbuffer *b, const struct view *v)
{
	for (unsigned i = 0; i < v->nprocs; i++) {
		const struct board_hooks *h = &v->procs[i].page.hooks;

		if (strcmp(v->procs[i].kind, "hooks") != 0)
			continue;
		metrics_single(b, "hooks_leading", "gauge", "1 on the host that delivers for all of its Redis.",
		    h->leading);
		metrics_single(b, "hooks_urls", "gauge", "URLs that events are sent to.", h->urls);
		metrics_single(b, "hooks_urls_failing", "gauge", "Of those, that did not take the last one.",
		    h->failing);
		metrics_single(b, "hooks_waiting", "gauge", "Events that wait for a URL, of all hosts.",
		    (double)h->waiting);
		metrics_single(b, "hooks_lost", "gauge", "Events beyond hooks.max_waiting, of all hosts.",
		    (double)h->lost);
		metrics_single(b, "hooks_delivered_total", "counter", "Events that a URL took.", (double)h->delivered);
		metrics_single(b, "hooks_failures_total", "counter", "Requests that failed; each is made again.",
		    (double)h->failed);
		metrics_single(b, "hooks_dead_total", "counter", "Events given up.", (double)h->dead);
		return;
	}
}

static void
refusals(struct evbuffer *b, const struct view *v)
{
	metrics_family(b, "rtmp_refused_total", "counter", "Publishers refused, by reason.");
	for (unsigned i = 0; i < BOARD_REFUSALS; i++)
		evbuffer_add_printf(b, "millrace_rtmp_refused_total{reason=\"%s\"} %llu\n", board_refusal_name(i),
		    (unsigned long long)v->h.refusals[i]);
}

static struct evbuffer *
render(const struct view *v)
{
	struct evbuffer *b = evbuffer_new();

	metrics_family(b, "build_info", "gauge", "Version of what runs.");
	evbuffer_add_printf(b, "millrace_build_info{version=\"%s\"} 1\n", MILLRACE_VERSION);
	metrics_single(b, "up_seconds", "gauge", "Since the supervisor started.",
	    (double)(wall_ms() - v->h.started_wall_ms) / 1e3);
	metrics_single(b, "healthy", "gauge", "1 if nothing is wrong.", v->h.health[0] == '\0');
	metrics_single(b, "rtmp_connections_total", "counter", "RTMP connections accepted.", (double)v->h.accepted);
	refusals(b, v);
	metrics_single(b, "rtmp_connections", "gauge", "RTMP connections open.", v->h.connections);
	metrics_single(b, "log_dropped_lines_total", "counter", "Log lines nobody took.", (double)v->h.log_dropped);
	processes(b, v);
	workers(b, v);
	registry(b, v);
	hooks(b, v);
	metrics_work(b, v);
	metrics_webrtc(b, v);
	streams(b, v, now_ms());
	outputs(b, v);
	return b;
}

void
metrics_get(struct conn *c, const struct route_match *m)
{
	static struct evbuffer *kept;	/* anybody may ask, as often as he likes */
	static int64_t kept_ms;
	const struct view *v = view_get();
	int64_t now = now_ms();
	char *out;
	size_t n;

	if (v == NULL) {
		answer_text(c, 503, "No board: the supervisor is not there.\n");
		return;
	}
	if (kept == NULL || now - kept_ms >= KEEP_MS) {
		if (kept != NULL)
			evbuffer_free(kept);
		kept = render(v);
		kept_ms = now;
	}
	n = evbuffer_get_length(kept);
	out = xmalloc(n + 1);
	evbuffer_copyout(kept, out, n);
	answer_bytes(c, 200, "text/plain; version=0.0.4; charset=utf-8", "Cache-Control: no-cache\r\n", out,
	    n, true);
}
