/*
 * cli_text.c - the snapshot for eyes: a head, streams, outputs, processes, warnings; sentences within
 * 100 columns. Called by cli_status.c, once or each second.
 */
#include <string.h>

#include "supervisor/cli.h"
#include "util.h"

static void
print_gone(const struct cli_snap *s, FILE *out)
{
	char age[CLI_FORMAT], date[32];

	if (s->state == CLI_STATE_DOWN)
		fprintf(out, "millraced is not running\n");
	else if (s->beat_age_ms < 0)
		fprintf(out, "millraced is not running; the board is from before this machine's start\n");
	else
		fprintf(out, "millraced is not running; the board is from %s (%s ago)\n",
		    wall_format(s->wall_ms - s->beat_age_ms, date), cli_age(s->beat_age_ms, age));
}

static void
print_redis(const struct cli_snap *s, FILE *out)
{
	const struct board_registry *r = cli_snap_registry(s);
	char age[CLI_FORMAT];

	if (r == NULL || (r->redis_up != 1 && r->redis_since_ms == 0))
		return;		/* it has not tried yet */
	/* Right after the start the supervisor gives it time, and so do we. */
	fprintf(out, "  redis %s", r->redis_up == 1 ? r->redis_error[0] != '\0' ? "REFUSES" : "up" :
	    s->h.health[0] != '\0' ? "AWAY" : "connecting");
	if (r->redis_since_ms > 0)
		fprintf(out, " %s", cli_age(s->h.beat_ms - r->redis_since_ms, age));
	if (r->events_waiting > 0)
		fprintf(out, ", %llu events wait", (unsigned long long)r->events_waiting);
}

/* "1,234" */
static const char *
grouped(uint64_t n, char buf[CLI_FORMAT])
{
	char digits[CLI_FORMAT];
	int len = snprintf(digits, sizeof(digits), "%llu", (unsigned long long)n), i, k = 0;

	for (i = 0; i < len; i++) {
		if (i > 0 && (len - i) % 3 == 0)
			buf[k++] = ',';
		buf[k++] = digits[i];
	}
	buf[k] = '\0';
	return buf;
}

static void
print_watch(const struct cli_snap *s, FILE *out)
{
	const struct board_watch *w = cli_snap_watch(s);
	char a[CLI_FORMAT], b[CLI_FORMAT];

	if (w == NULL || w->folders == 0)
		return;
	fprintf(out, "watching %d folder%s, %s files known", w->folders, w->folders == 1 ? "" : "s",
	    grouped(w->files, a));
	if (w->pending > 0)
		fprintf(out, ", %s on their way", grouped(w->pending, b));
	if (w->missing > 0)
		fprintf(out, ", %d folder%s MISSING", w->missing, w->missing == 1 ? "" : "s");
	fputc('\n', out);
}

static void
print_refused(const struct cli_snap *s, FILE *out)
{
	const struct board_refused *r = &s->h.last_refused;
	char age[CLI_FORMAT], first[200];

	if (r->wall_ms == 0)
		return;
	snprintf(first, sizeof(first), "last refused: %s ago %s%s%s: ", cli_age(s->wall_ms - r->wall_ms, age),
	    r->peer, r->name[0] != '\0' ? " as " : "", r->name);
	cli_wrap(out, first, 2, r->text);
}

static void
print_head(const struct cli_snap *s, FILE *out)
{
	char age[CLI_FORMAT], health[440], first[160];

	snprintf(first, sizeof(first), "%s  millrace %s  pid %d  up %s  ", s->h.host, s->h.app_version,
	    s->h.pid, cli_age(s->wall_ms - s->h.started_wall_ms, age));
	cli_wrap(out, first, 2, cli_snap_health(s, health, sizeof(health)));
	if (s->state == CLI_STATE_HUNG)
		fprintf(out, "What follows is from then. If it stays so: kill -9 %d and start millraced again;"
		    "\nstreams go on from their state on disk.\n", s->h.pid);
	fprintf(out, "rtmp %s  http %s", s->h.rtmp_listen, s->h.http_listen);
	if (s->h.webrtc_listen[0] != '\0')
		fprintf(out, "  webrtc %s", s->h.webrtc_listen);
	if (s->h.whip_ports[0] != '\0')
		fprintf(out, "  whip %s", s->h.whip_ports);
	fprintf(out, "\nconnections %u of %llu", s->h.connections, (unsigned long long)s->h.accepted);
	print_redis(s, out);
	fputc('\n', out);
	print_refused(s, out);
	print_watch(s, out);
}

static void
video_cells(struct cli_table *t, const struct board_media *m)
{
	char gop[CLI_FORMAT];

	if (m == NULL || m->video_codec == BOARD_CODEC_NONE) {
		cli_table_cell(t, "%s", "");
		cli_table_cell(t, "%s", "");
		cli_table_cell(t, "%s", m != NULL && m->audio_codec != BOARD_CODEC_NONE ? "-" : "");
		return;
	}
	cli_table_cell(t, m->fps_milli % 1000 == 0 ? "%.0f" : "%.1f", (double)m->fps_milli / 1000);
	cli_table_cell(t, "%s%s", m->gop_ms > 0 ? cli_seconds(m->gop_ms, gop) : "?",
	    m->gop_ms > 0 ? "s" : "");
	if (m->height > 0)
		cli_table_cell(t, "%s %dx%d", board_codec_name(m->video_codec), m->width, m->height);
	else
		cli_table_cell(t, "%s", board_codec_name(m->video_codec));
}

static void
audio_cell(struct cli_table *t, const struct board_media *m)
{
	if (m == NULL || m->audio_codec == BOARD_CODEC_NONE)
		cli_table_cell(t, "%s", m != NULL && m->video_codec != BOARD_CODEC_NONE ? "-" : "");
	else if (m->audio_rate > 0)
		cli_table_cell(t, "%s %dk", board_codec_name(m->audio_codec), m->audio_rate / 1000);
	else
		cli_table_cell(t, "%s", board_codec_name(m->audio_codec));
}

/* "hls", or "hls:backoff" when it is not up; "record", "record:PAUSED". */
static void
outputs_cell(struct cli_table *t, const struct board_stream *b, const struct board_media *m)
{
	char all[400] = "", name[BOARD_OUTPUT_NAME];
	size_t used = 0;
	uint32_t i;

	for (i = 0; i < b->noutputs && i < BOARD_OUTPUTS && used < sizeof(all); i++)
		used += (size_t)snprintf(all + used, sizeof(all) - used, "%s%s%s%s", i > 0 ? "," : "",
		    board_output_name(&b->outputs[i], name), strcmp(b->outputs[i].state, "up") == 0 ? "" : ":",
		    strcmp(b->outputs[i].state, "up") == 0 ? "" : b->outputs[i].state);
	cli_table_cell(t, "%s%s%s%s", all, all[0] != '\0' && cli_record_state(m)[0] != '\0' ? "," : "",
	    cli_record_state(m)[0] != '\0' ? "record" : "",
	    m != NULL && m->recording == BOARD_RECORDING_PAUSED ? ":PAUSED" : "");
}

static void
state_cell(struct cli_table *t, const struct cli_snap *s, const struct board_stream *b)
{
	char left[CLI_FORMAT];

	if (b->state == BOARD_STREAM_RECONNECTING && b->until_ms > s->now_ms)
		cli_table_cell(t, "waits %ss", cli_seconds(b->until_ms - s->now_ms, left));
	else if (b->state == BOARD_STREAM_RECONNECTING)
		cli_table_cell(t, "ending");
	else
		cli_table_cell(t, "%s", board_stream_state_name(b->state));
}

void
cli_text_streams(const struct cli_snap *s, FILE *out)
{
	static const struct cli_column columns[] = {
		{ "STREAM", false, 10 }, { "APP", false, 4 }, { "PEER", false, 9 }, { "SINCE", true, 0 },
		{ "RATE", true, 0 }, { "FPS", true, 0 }, { "GOP", true, 0 }, { "VIDEO", false, 4 },
		{ "AUDIO", false, 4 }, { "VIEW", true, 0 }, { "OUTPUTS", false, 17 }, { "STATE", false, 0 },
		{ NULL, false, 0 },
	};
	struct cli_table *t = cli_table_new(columns);
	const struct board_stream *b;
	const struct board_media *m;
	char buf[CLI_FORMAT];

	for (b = s->streams; b < s->streams + s->nstreams; b++) {
		m = cli_snap_media(s, b);
		cli_table_cell(t, "%s", b->name);
		cli_table_cell(t, "%s", b->app);
		cli_table_cell(t, "%s", b->peer);
		cli_table_cell(t, "%s", b->since_wall_ms > 0 ?
		    cli_age(s->wall_ms - b->since_wall_ms, buf) : "");
		cli_table_cell(t, "%s", m != NULL ? cli_rate(m->bitrate_bps, buf) : "");
		video_cells(t, m);
		audio_cell(t, m);
		cli_table_cell(t, "%u", b->viewers);
		outputs_cell(t, b, m);
		state_cell(t, s, b);
	}
	if (s->nstreams == 0)
		fprintf(out, "no streams\n");
	cli_table_print(t, out, cli_width(out));
}

/* The ffmpeg of an output is in the process table for its memory and CPU time. */
static void
usage_cells(struct cli_table *t, int pid, uint64_t ticks)
{
	int64_t rss, cpu;
	char buf[CLI_FORMAT];

	if (board_proc_usage(pid, ticks, &rss, &cpu) == -1) {
		cli_table_cell(t, "%s", "");
		cli_table_cell(t, "%s", "");
		return;
	}
	cli_table_cell(t, "%s", cli_bytes(rss, buf));
	cli_table_cell(t, "%s", cli_age(cpu, buf));
}

static void
print_outputs(const struct cli_snap *s, FILE *out)
{
	static const struct cli_column columns[] = {
		{ "OUTPUT", false, 10 }, { "STATE", false, 0 }, { "PID", true, 0 }, { "RESTARTS", true, 0 },
		{ "MEMORY", true, 0 }, { "CPU", true, 0 }, { "DETAILS", false, 20 }, { NULL, false, 0 },
	};
	struct cli_table *t = cli_table_new(columns);
	const struct board_output *o;
	const struct board_media *m;
	char name[BOARD_OUTPUT_NAME];
	bool any = false;
	unsigned i, j;

	for (i = 0; i < s->nstreams; i++)
		for (j = 0; j < s->streams[i].noutputs && j < BOARD_OUTPUTS; j++) {
			o = &s->streams[i].outputs[j];
			any = true;
			cli_table_cell(t, "%s %s", s->streams[i].name, board_output_name(o, name));
			cli_table_cell(t, "%s", o->state);
			cli_table_cell(t, o->pid > 0 ? "%d" : "-", o->pid);
			cli_table_cell(t, "%u", o->restarts);
			usage_cells(t, o->pid, 0);
			cli_table_cell(t, "%s%s%s", o->target, o->target[0] != '\0' && o->reason[0] != '\0' ? ": " : "",
			    o->reason);
		}
	for (i = 0; i < s->nstreams; i++) {
		m = cli_snap_media(s, &s->streams[i]);
		if (cli_record_state(m)[0] == '\0')
			continue;
		any = true;
		cli_text_record(&s->streams[i], m, t);
	}
	if (any)
		fputc('\n', out);
	cli_table_print(t, out, cli_width(out));
}

struct kind_sum {
	unsigned n, restarts;
	int64_t rss, cpu;
	char states[64], pids[64];
};

/* The processes from i on that are of one kind. */
static unsigned
sum_kind(const struct cli_snap *s, unsigned i, struct kind_sum *k)
{
	const char *kind = s->procs[i].kind;
	const struct board_proc *p;
	size_t used = 0;
	int64_t rss, cpu;

	memset(k, 0, sizeof(*k));
	for (; i < s->nprocs && strcmp(s->procs[i].kind, kind) == 0; i++) {
		p = &s->procs[i];
		k->n++;
		k->restarts += p->restarts;
		if (board_proc_usage(p->pid, p->start_ticks, &rss, &cpu) == 0) {
			k->rss += rss;
			k->cpu += cpu;
		}
		if (p->pid > 0 && used < sizeof(k->pids))
			used += (size_t)snprintf(k->pids + used, sizeof(k->pids) - used, "%s%d",
			    used > 0 ? " " : "", p->pid);
		if (strcmp(p->state, "ready") != 0 || k->states[0] == '\0')
			str_copy(k->states, p->state, sizeof(k->states));
	}
	return i;
}

static void
print_processes(const struct cli_snap *s, FILE *out)
{
	static const struct cli_column columns[] = {
		{ "PROCESS", false, 0 }, { "N", true, 0 }, { "STATE", false, 0 }, { "RESTARTS", true, 0 },
		{ "MEMORY", true, 0 }, { "CPU", true, 0 }, { "PIDS", false, 8 }, { NULL, false, 0 },
	};
	struct cli_table *t = cli_table_new(columns);
	struct kind_sum k;
	char buf[CLI_FORMAT];
	unsigned i, next;

	cli_table_cell(t, "millraced");
	cli_table_cell(t, "1");
	cli_table_cell(t, "%s", s->state == CLI_STATE_HUNG ? "hung" : "ready");
	cli_table_cell(t, "0");
	usage_cells(t, s->h.pid, s->h.start_ticks);
	cli_table_cell(t, "%d", s->h.pid);
	for (i = 0; i < s->nprocs; i = next) {
		next = sum_kind(s, i, &k);
		cli_table_cell(t, "%s", s->procs[i].kind);
		cli_table_cell(t, "%u", k.n);
		cli_table_cell(t, "%s", k.states);
		cli_table_cell(t, "%u", k.restarts);
		cli_table_cell(t, "%s", cli_bytes(k.rss, buf));
		cli_table_cell(t, "%s", cli_age(k.cpu, buf));
		cli_table_cell(t, "%s", k.pids);
	}
	fputc('\n', out);
	cli_table_print(t, out, cli_width(out));
}

static const char *
field(const json_t *o, const char *key)
{
	const char *s = json_string_value(json_object_get(o, key));

	return s != NULL ? s : "";
}

static void
print_hosts(const struct cli_snap *s, FILE *out)
{
	static const struct cli_column columns[] = {
		{ "HOST", false, 8 }, { "VERSION", false, 0 }, { "STREAMS", true, 0 }, { "SEEN", true, 0 },
		{ "URL", false, 10 }, { NULL, false, 0 },
	};
	struct cli_table *t = cli_table_new(columns);
	const json_t *o;
	char age[CLI_FORMAT];
	size_t i;

	if (s->registry_silent)
		fprintf(out, "\nother hosts: (registry does not answer)\n");
	else if (json_array_size(s->hosts) > 1)
		fputc('\n', out);
	json_array_foreach(json_array_size(s->hosts) > 1 ? s->hosts : NULL, i, o) {
		cli_table_cell(t, "%s%s", field(o, "name"),
		    strcmp(field(o, "id"), s->h.host_id) == 0 ? " (this)" : "");
		cli_table_cell(t, "%s", field(o, "version"));
		cli_table_cell(t, "%lld", (long long)json_integer_value(json_object_get(o, "streams")));
		cli_table_cell(t, "%s", cli_age(json_integer_value(json_object_get(o, "age_ms")), age));
		cli_table_cell(t, "%s", field(o, "url"));
	}
	cli_table_print(t, out, cli_width(out));
}

static void
print_warnings(const struct cli_snap *s, FILE *out)
{
	json_t *list = cli_advice(s), *o;
	char first[BOARD_NAME + 8];
	size_t i;

	if (json_array_size(list) > 0)
		fprintf(out, "\nwarnings:\n");
	json_array_foreach(list, i, o) {
		snprintf(first, sizeof(first), "  %s%s", field(o, "stream"),
		    field(o, "stream")[0] != '\0' ? ": " : "");
		cli_wrap(out, first, 4, field(o, "text"));
	}
	json_decref(list);
}

void
cli_text_status(const struct cli_snap *s, FILE *out)
{
	if (s->state == CLI_STATE_DOWN || s->state == CLI_STATE_DEAD) {
		print_gone(s, out);
		if (s->nstreams == 0)
			return;
		fprintf(out, "streams as they were then:\n");
		cli_text_streams(s, out);
		return;
	}
	print_head(s, out);
	fputc('\n', out);
	cli_text_streams(s, out);
	print_outputs(s, out);
	print_processes(s, out);
	cli_text_jobs(s, out);
	cli_text_webrtc(s, out);
	print_hosts(s, out);
	print_warnings(s, out);
}
