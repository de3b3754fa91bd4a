/*
 * cli_json.c - the snapshot as `status --json` and `streams --json` print it.
 *
 * Scripts rely on the shape: keys are added, never renamed (millrace.1 lists them). The same
 * keys are there when nothing runs. Ages and times in ms, sizes in bytes, dates ISO 8601.
 */
#include <string.h>

#include "msg.h"
#include "supervisor/cli.h"
#include "util.h"

static json_t *
text(const char *s)
{
	return msg_text(s, strlen(s));
}

static json_t *
date(int64_t at_ms)
{
	char buf[32];

	return at_ms > 0 ? json_string(wall_format(at_ms, buf)) : json_null();
}

/* The words of s between any of separators. */
static json_t *
words(const char *s, const char *separators)
{
	json_t *list = json_array();
	size_t n;

	for (s += strspn(s, separators); *s != '\0'; s += strspn(s, separators)) {
		n = strcspn(s, separators);
		json_array_append_new(list, msg_text(s, n));
		s += n;
	}
	return list;
}

static json_t *
video(const struct cli_snap *s, const struct board_media *m)
{
	if (m == NULL || m->video_codec == BOARD_CODEC_NONE)
		return json_null();
	return json_pack("{s:s, s:i, s:i, s:f, s:I, s:o, s:I, s:I, s:I}", "codec",
	    board_codec_name(m->video_codec), "width", m->width, "height", m->height,
	    "fps", (double)m->fps_milli / 1000, "gop_ms", (json_int_t)m->gop_ms, "key_frame_age_ms",
	    m->last_key_ms > 0 ? json_integer(s->h.beat_ms - m->last_key_ms) : json_null(),
	    "frames", (json_int_t)m->video_frames, "key_frames", (json_int_t)m->key_frames,
	    "dropped_frames", (json_int_t)m->dropped_frames);
}

static json_t *
audio(const struct board_media *m)
{
	if (m == NULL || m->audio_codec == BOARD_CODEC_NONE)
		return json_null();
	return json_pack("{s:s, s:i, s:i, s:I}", "codec", board_codec_name(m->audio_codec), "rate",
	    m->audio_rate, "channels", m->audio_channels, "frames", (json_int_t)m->audio_frames);
}

static json_t *
output(const struct board_output *b)
{
	json_t *o = json_pack("{s:o, s:o, s:i, s:i, s:o}", "kind", text(b->kind), "state", text(b->state), "pid",
	    b->pid > 0 ? b->pid : 0, "restarts", (int)b->restarts, "reason", text(b->reason));

	if (b->id[0] != '\0') {
		json_object_set_new(o, "id", text(b->id));
		json_object_set_new(o, "target", text(b->target));
	} else if (strcmp(b->kind, "webrtc") != 0)
		return o;
	json_object_set_new(o, "frames", json_integer((json_int_t)b->frames));
	json_object_set_new(o, "bytes", json_integer((json_int_t)b->bytes));
	json_object_set_new(o, "dropped_frames", json_integer((json_int_t)b->dropped));
	json_object_set_new(o, "behind_ms", json_integer(b->behind_ms));
	return o;
}

static json_t *
outputs(const struct board_stream *b, const struct board_media *m)
{
	json_t *list = json_array();
	uint32_t i;

	for (i = 0; i < b->noutputs && i < BOARD_OUTPUTS; i++)
		json_array_append_new(list, output(&b->outputs[i]));
	if (cli_record_state(m)[0] != '\0')
		json_array_append_new(list, cli_json_record(m));
	return list;
}

static json_t *
way(unsigned kind, const char *why)
{
	return json_pack("{s:s, s:o}", "way", board_way_name(kind), "reason", text(why));
}

static void
add_media(json_t *o, const struct board_media *m)
{
	if (m->feed.video != BOARD_WAY_NONE || m->feed.audio != BOARD_WAY_NONE)
		json_object_set_new(o, "webrtc", json_pack("{s:o, s:o}", "video", way(m->feed.video, m->feed.video_why),
		    "audio", way(m->feed.audio, m->feed.audio_why)));
	json_object_set_new(o, "bytes_in", json_integer((json_int_t)m->bytes_in));
	json_object_set_new(o, "segments", json_integer((json_int_t)m->segments));
	json_object_set_new(o, "discontinuities", json_integer((json_int_t)m->discontinuities));
	json_object_set_new(o, "segment_delay_ms", json_integer(m->segment_delay_ms));
	json_object_set_new(o, "timestamp_jumps", json_integer(m->timestamp_jumps));
	json_object_set_new(o, "ring_bytes", json_integer((json_int_t)m->ring_bytes));
	json_object_set_new(o, "encoder", text(m->encoder));
}

static json_t *
stream(const struct cli_snap *s, const struct board_stream *b)
{
	const struct board_media *m = cli_snap_media(s, b);
	json_t *o = json_pack("{s:o, s:o, s:o, s:o, s:o, s:I, s:I, s:o, s:o, s:o, s:s, s:i}",
	    "name", text(b->name), "app", text(b->app), "peer", text(b->peer), "protocol",
	    text(b->protocol), "since", date(b->since_wall_ms), "bitrate_bps",
	    (json_int_t)(m != NULL ? m->bitrate_bps : 0), "viewers", (json_int_t)b->viewers,
	    "video", video(s, m), "audio", audio(m), "outputs", outputs(b, m), "state",
	    board_stream_state_name(b->state), "reconnects", (int)b->reconnects);

	json_object_set_new(o, "age_ms", json_integer(b->since_wall_ms > 0 ?
	    s->wall_ms - b->since_wall_ms : 0));
	json_object_set_new(o, "webrtc_viewers", json_integer(b->webrtc_viewers));
	json_object_set_new(o, "ingest_pid", json_integer(b->ingest_pid > 0 ? b->ingest_pid : 0));
	if (b->state == BOARD_STREAM_RECONNECTING)
		json_object_set_new(o, "waits_ms", json_integer(b->until_ms > s->now_ms ?
		    b->until_ms - s->now_ms : 0));
	if (m != NULL)
		add_media(o, m);
	return o;
}

json_t *
cli_json_streams(const struct cli_snap *s)
{
	json_t *list = json_array();
	unsigned i;

	for (i = 0; i < s->nstreams; i++)
		json_array_append_new(list, stream(s, &s->streams[i]));
	return list;
}

static json_t *
process(const char *kind, const char *state, int pid, uint64_t ticks, unsigned restarts)
{
	int64_t rss = 0, cpu = 0;

	if (board_proc_usage(pid, ticks, &rss, &cpu) == -1)
		rss = cpu = 0;
	return json_pack("{s:i, s:o, s:o, s:i, s:I, s:I}", "pid", pid > 0 ? pid : 0, "kind", text(kind),
	    "state", text(state), "restarts", (int)restarts, "rss_bytes", (json_int_t)rss, "cpu_ms",
	    (json_int_t)cpu);
}

static json_t *
processes(const struct cli_snap *s)
{
	static const char *const states[] = { "", "dead", "hung", "ready" };
	const struct board_proc *p;
	json_t *list = json_array(), *o;

	if (s->state != CLI_STATE_DOWN)
		json_array_append_new(list, process("millraced", states[s->state],
		    s->state == CLI_STATE_DEAD ? 0 : s->h.pid, s->h.start_ticks, 0));
	for (p = s->procs; p < s->procs + s->nprocs; p++) {
		o = process(p->kind, p->state, p->pid, p->start_ticks, p->restarts);
		json_object_set_new(o, "stream", text(p->page.stream));
		json_object_set_new(o, "output", text(p->output));
		json_object_set_new(o, "since", date(p->started_wall_ms));
		json_object_set_new(o, "retry_ms", json_integer(p->backoff_ms));
		json_object_set_new(o, "reason", text(p->reason));
		json_object_set_new(o, "last_words", text(p->page.last_words));
		if (strcmp(p->kind, "jobs") == 0)
			json_object_set_new(o, "job", cli_json_job(s, p));
		json_array_append_new(list, o);
	}
	return list;
}

static json_t *
redis(const struct cli_snap *s)
{
	const struct board_registry *r = cli_snap_registry(s);

	if (r == NULL)
		return json_null();
	return json_pack("{s:b, s:I, s:I, s:I, s:I, s:I, s:o}", "up", r->redis_up == 1, "since_ms",
	    (json_int_t)(r->redis_since_ms > 0 ? s->h.beat_ms - r->redis_since_ms : 0),
	    "delay_ms", (json_int_t)r->redis_delay_ms, "reconnects", (json_int_t)r->reconnects,
	    "events_sent", (json_int_t)r->events_sent, "events_waiting", (json_int_t)r->events_waiting,
	    "error", text(r->redis_error));
}

static json_t *
watch(const struct cli_snap *s)
{
	const struct board_watch *w = cli_snap_watch(s);

	if (w == NULL)
		return json_null();
	return json_pack("{s:i, s:i, s:I, s:I, s:I, s:I, s:I}", "folders", w->folders, "missing", w->missing,
	    "files", (json_int_t)w->files, "pending", (json_int_t)w->pending, "queued", (json_int_t)w->queued,
	    "skipped", (json_int_t)w->skipped, "hashed_bytes", (json_int_t)w->hashed_bytes);
}

/* Everybody in the cluster; alone or without an answer it is this host. */
static json_t *
hosts(const struct cli_snap *s)
{
	if (s->hosts != NULL)
		return json_incref(s->hosts);
	if (s->state == CLI_STATE_DOWN)
		return json_array();
	return json_pack("[{s:o, s:o, s:o, s:i, s:I}]", "id", text(s->h.host_id), "name", text(s->h.host),
	    "version", text(s->h.app_version), "streams", (int)s->nstreams, "age_ms",
	    (json_int_t)s->beat_age_ms);
}

static json_t *
refused_by_reason(const struct cli_snap *s)
{
	json_t *o = json_object();
	unsigned i;

	for (i = 0; i < BOARD_REFUSALS; i++)
		json_object_set_new(o, board_refusal_name(i), json_integer((json_int_t)s->h.refusals[i]));
	return o;
}

static json_t *
last_refused(const struct cli_snap *s)
{
	const struct board_refused *r = &s->h.last_refused;

	if (r->wall_ms == 0)
		return json_null();
	return json_pack("{s:o, s:o, s:o, s:s, s:o}", "at", date(r->wall_ms), "peer", text(r->peer),
	    "name", text(r->name), "reason", board_refusal_name(r->reason), "text", text(r->text));
}

json_t *
cli_json_status(const struct cli_snap *s)
{
	char health[440];
	bool up = s->state == CLI_STATE_UP || s->state == CLI_STATE_HUNG;
	json_t *o = json_pack("{s:o, s:o, s:o, s:i, s:I, s:o, s:o}",
	    "health", text(cli_snap_health(s, health, sizeof(health))), "host", text(s->h.host),
	    "version", text(s->state != CLI_STATE_DOWN ? s->h.app_version : MILLRACE_VERSION),
	    "pid", up ? s->h.pid : 0, "uptime_s",
	    (json_int_t)(up ? (s->wall_ms - s->h.started_wall_ms) / 1000 : 0),
	    "processes", processes(s), "streams", cli_json_streams(s));

	json_object_set_new(o, "host_id", text(s->h.host_id));
	json_object_set_new(o, "beat_age_ms", s->state == CLI_STATE_DOWN || s->beat_age_ms < 0 ?
	    json_null() : json_integer(s->beat_age_ms));
	json_object_set_new(o, "listeners", json_pack("{s:o, s:o, s:o, s:o}", "rtmp",
	    words(s->h.rtmp_listen, " "), "http", words(s->h.http_listen, " "), "webrtc",
	    words(s->h.webrtc_listen, " "), "whip", words(s->h.whip_ports, " ")));
	json_object_set_new(o, "connections", json_integer(s->h.connections));
	json_object_set_new(o, "accepted", json_integer((json_int_t)s->h.accepted));
	json_object_set_new(o, "refused", json_integer((json_int_t)s->h.refused));
	json_object_set_new(o, "refused_by_reason", refused_by_reason(s));
	json_object_set_new(o, "last_refused", last_refused(s));
	json_object_set_new(o, "log_dropped", json_integer((json_int_t)s->h.log_dropped));
	json_object_set_new(o, "ffmpeg", text(s->h.ffmpeg));
	json_object_set_new(o, "redis", redis(s));
	json_object_set_new(o, "jobs", cli_json_jobs(s));
	json_object_set_new(o, "watch", watch(s));
	json_object_set_new(o, "webrtc", cli_json_webrtc(s));
	json_object_set_new(o, "hosts", hosts(s));
	json_object_set_new(o, "registry_answers", json_boolean(!s->registry_silent));
	json_object_set_new(o, "warnings", cli_advice(s));
	return o;
}
