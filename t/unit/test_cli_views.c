/* cli: formats, tables, and status of a made-up board: text, JSON, advice, exit codes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <locale.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "conf.h"
#include "supervisor/cli.h"
#include "supervisor/conf_table.h"
#include "util.h"

static char dir[] = "/tmp/millrace-cli-XXXXXX", path[64];
static struct board *board;

static void
make_header(int64_t beat_age_ms)
{
	struct board_header *h = board_header(board);

	board_begin(&h->seq);
	h->pid = getpid();
	h->start_ticks = board_start_ticks(getpid());
	h->beat_ms = now_ms() - beat_age_ms;
	h->started_wall_ms = wall_ms() - 7384000;
	h->accepted = 12;
	h->connections = 2;
	h->health[0] = '\0';
	str_copy(h->host, "vm1", sizeof(h->host));
	str_copy(h->host_id, "id1", sizeof(h->host_id));
	str_copy(h->app_version, "0.1.0", sizeof(h->app_version));
	str_copy(h->rtmp_listen, ":1935 :1936", sizeof(h->rtmp_listen));
	str_copy(h->http_listen, ":8080", sizeof(h->http_listen));
	str_copy(h->webrtc_listen, ":8189", sizeof(h->webrtc_listen));
	str_copy(h->whip_ports, "8200-8299", sizeof(h->whip_ports));
	board_end(&h->seq);
}

static void
make_process(unsigned i, int pid, const char *kind, const char *state)
{
	struct board_proc *p = board_proc(board, i);

	memset(p, 0, sizeof(*p));
	p->pid = pid;
	str_copy(p->kind, kind, sizeof(p->kind));
	str_copy(p->state, state, sizeof(p->state));
}

static struct board_media *
make_stream(unsigned i, const char *name, uint32_t state, int ingest)
{
	struct board_stream *b = board_stream(board, i);
	struct board_media *m;

	memset(b, 0, sizeof(*b));
	b->state = state;
	str_copy(b->name, name, sizeof(b->name));
	str_copy(b->app, "test", sizeof(b->app));
	str_copy(b->peer, "192.168.100.200:54321", sizeof(b->peer));
	str_copy(b->protocol, "rtmp", sizeof(b->protocol));
	b->since_wall_ms = wall_ms() - 200000;
	b->viewers = 17;
	b->ingest_pid = ingest;
	b->noutputs = 1;
	str_copy(b->outputs[0].kind, "hls", sizeof(b->outputs[0].kind));
	str_copy(b->outputs[0].state, "up", sizeof(b->outputs[0].state));
	make_process(10 + i, ingest, "ingest", "ready");
	m = &board_proc(board, 10 + i)->page.media;
	m->video_codec = BOARD_H264;
	m->audio_codec = BOARD_AAC;
	m->width = 1920;
	m->height = 1080;
	m->fps_milli = 30000;
	m->audio_rate = 48000;
	m->audio_channels = 2;
	m->bitrate_bps = 2412000;
	m->gop_ms = 2000;
	m->video_frames = 100;
	m->last_key_ms = now_ms() - 1000;
	return m;
}

static int
setup(void **state)
{
	strcpy(dir, "/tmp/millrace-cli-XXXXXX");
	if (mkdtemp(dir) == NULL)
		return -1;
	snprintf(path, sizeof(path), "%s/board", dir);
	board = board_create(path);
	if (board == NULL)
		return -1;
	make_header(100);
	return 0;
}

static int
teardown(void **state)
{
	board_close(&board);
	unlink(path);
	return rmdir(dir);
}

static char *
status_text(const struct cli_snap *s)
{
	char *text;
	size_t len;
	FILE *f = open_memstream(&text, &len);

	cli_text_status(s, f);
	fclose(f);
	return text;
}

/* The status text has every string, and no line over 100 columns. */
static void
shows(int64_t segment_ms, ...)
{
	struct cli_snap s;
	const char *want, *line;
	va_list ap;
	char *text;

	assert_int_equal(cli_snap_read(&s, dir), 0);
	s.segment_ms = segment_ms;
	text = status_text(&s);
	va_start(ap, segment_ms);
	while ((want = va_arg(ap, const char *)) != NULL)
		if (strstr(text, want) == NULL)
			fail_msg("no \"%s\" in:\n%s", want, text);
	va_end(ap);
	for (line = text; *line != '\0'; line += strcspn(line, "\n") + 1)
		if (strcspn(line, "\n") > CLI_WIDTH)
			fail_msg("too wide:\n%s", text);
	free(text);
	cli_snap_free(&s);
}

static void
shows_not(const char *unwanted)
{
	struct cli_snap s;
	char *text;

	assert_int_equal(cli_snap_read(&s, dir), 0);
	text = status_text(&s);
	assert_null(strstr(text, unwanted));
	free(text);
	cli_snap_free(&s);
}

static int
exit_code(void)
{
	struct cli_snap s;
	int code;

	assert_int_equal(cli_snap_read(&s, dir), 0);
	code = cli_snap_exit_code(&s);
	cli_snap_free(&s);
	return code;
}

static void
formats(void **state)
{
	char b[CLI_FORMAT];

	assert_string_equal(cli_age(-5, b), "0.0s");
	assert_string_equal(cli_age(8340, b), "8.3s");
	assert_string_equal(cli_age(59999, b), "59s");
	assert_string_equal(cli_age(61000, b), "1m01s");
	assert_string_equal(cli_age(7384000, b), "2h03m");
	assert_string_equal(cli_age(90000000, b), "1d1h");
	assert_string_equal(cli_bytes(812, b), "812B");
	assert_string_equal(cli_bytes(3 << 10, b), "3.00K");
	assert_string_equal(cli_bytes(123456789, b), "118M");
	assert_string_equal(cli_rate(0, b), "0");
	assert_string_equal(cli_rate(2412000, b), "2.41M");
	assert_string_equal(cli_rate(850000, b), "850k");
	assert_string_equal(cli_seconds(8300, b), "8.3");
	assert_string_equal(cli_seconds(12400, b), "12");
}

static void
tables_fit(void **state)
{
	static const struct cli_column columns[] = {
		{ "A", false, 4 }, { "EMPTY", false, 0 }, { "N", true, 0 }, { "LAST", false, 0 }, { NULL, false, 0 },
	};
	struct cli_table *t = cli_table_new(columns);
	char *text;
	size_t len;
	FILE *f = open_memstream(&text, &len);

	cli_table_cell(t, "%s", "a long one\033[2J");
	cli_table_cell(t, "%s", "");
	cli_table_cell(t, "%d", 5);
	cli_table_cell(t, "%s", "z");
	cli_table_print(t, f, 16);
	cli_table_print(cli_table_new(columns), f, 16);
	fclose(f);
	assert_string_equal(text, "A         N LAST\na long .. 5 z\n");
	free(text);
}

static void
characters(void **state)
{
	static const struct cli_column columns[] = { { "A", false, 4 }, { "B", true, 0 }, { NULL, false, 0 } };
	char name[] = "Gr\xc3\xb6\xc3\x9f" "e", bad[] = "a\xc3", hidden[] = "a\xe2\x80\xae" "b\033[2J", *text;
	struct cli_table *t;
	size_t len;
	FILE *f;

	if (setlocale(LC_CTYPE, "C.UTF-8") == NULL)
		skip();
	t = cli_table_new(columns);
	f = open_memstream(&text, &len);
	cli_table_cell(t, "%s", name);
	cli_table_cell(t, "%d", 1);
	cli_table_cell(t, "%s", "12345678\xc3\xb6" "0");
	cli_table_cell(t, "%d", 2);
	cli_table_print(t, f, 10);
	fclose(f);
	assert_string_equal(text, "A        B\nGr\xc3\xb6\xc3\x9f" "e    1\n123456.. 2\n");
	free(text);
	cli_printable(bad);
	assert_string_equal(bad, "a?");
	cli_printable(hidden);
	assert_string_equal(hidden, "a?b?[2J");
	setlocale(LC_CTYPE, "C");
	cli_printable(name);
	assert_string_equal(name, "Gr????e");
	setenv("COLUMNS", "200", 1);
	assert_int_equal(cli_width(stdout), 200);
	unsetenv("COLUMNS");
}

static void
healthy(void **state)
{
	make_stream(0, "johndoe", BOARD_STREAM_LIVE, 777);
	make_stream(1, "a.very-long_name.that.is.sixty.four.characters.long.0123456789abc", BOARD_STREAM_STARTING,
	    778);
	assert_int_equal(exit_code(), CLI_OK);
	shows(1000, "vm1  millrace 0.1.0", "up 2h03m  healthy", "rtmp :1935 :1936  http :8080  webrtc :8189  whip 8200-8299",
	    "johndoe ", " test ", " 3m20s ", " 2.41M ", " 30 ", " 2.0s ", "h264 1920x1080", "aac 48k", " 17 ", "hls",
	    "live", "johndoe hls", "starting", "PROCESS", "ingest", "777 778", NULL);
}

static void
right_after_the_start(void **state)
{
	struct board_stream *b;
	struct board_registry *r;
	struct cli_snap s;
	char *text;

	make_stream(0, "johndoe", BOARD_STREAM_RECONNECTING, 0);
	b = board_stream(board, 0);
	b->noutputs = 0;
	make_process(1, getpid(), "registry", "ready");
	r = &board_proc(board, 1)->page.registry;
	r->redis_since_ms = now_ms() - 200;
	shows(1000, "healthy", "redis connecting", NULL);
	str_copy(board_header(board)->health, "Redis is away; running streams go on", 100);
	shows(1000, "redis AWAY", NULL);
	assert_int_equal(cli_snap_read(&s, dir), 0);
	text = status_text(&s);
	assert_null(strstr(text, "\n\n\n"));
	free(text);
	cli_snap_free(&s);
}

static void
advice_key_frames(void **state)
{
	struct board_media *m = make_stream(0, "johndoe", BOARD_STREAM_LIVE, 777);
	struct cli_snap s;
	json_t *list;

	m->gop_ms = 8300;
	shows(1000, "johndoe: key frames 8.3 s apart: set Keyframe Interval to 2 s in the encoder;"
	    " viewers are now\n    about 25 s behind", NULL);
	m->last_key_ms = now_ms() - 20000;
	shows(1000, "johndoe: no key frame for 20 s", NULL);
	m->last_media_ms = board_header(board)->beat_ms - 9000;
	shows(1000, "johndoe: nothing has come for 9.0 s: is the encoder or its network stuck?", NULL);
	assert_int_equal(cli_snap_read(&s, dir), 0);
	list = cli_advice(&s);
	assert_int_equal(json_array_size(list), 1);	/* and no word of key frames */
	json_decref(list);
	cli_snap_free(&s);
	m->last_media_ms = m->last_key_ms = now_ms();
	assert_int_equal(cli_snap_read(&s, dir), 0);
	s.segment_ms = 5000;	/* two of them are 10 s: 8.3 s is no fault then */
	list = cli_advice(&s);
	assert_int_equal(json_array_size(list), 0);
	json_decref(list);
	cli_snap_free(&s);
	m->gop_ms = 3900;
	str_copy(m->warning, "the encoder sends garbage", sizeof(m->warning));
	m->dropped_frames = 12;
	shows(1000, "johndoe: the encoder sends garbage", "12 frames dropped", NULL);
}

static void
advice_outputs(void **state)
{
	struct board_stream *b;

	make_stream(0, "johndoe", BOARD_STREAM_LIVE, 777);
	b = board_stream(board, 0);
	str_copy(b->outputs[0].state, "backoff", sizeof(b->outputs[0].state));
	str_copy(b->outputs[0].reason, "killed by SIGKILL", sizeof(b->outputs[0].reason));
	b->outputs[0].restarts = 3;
	shows(1000, "hls:backoff", "output hls is being restarted (3 times so far): killed by SIGKILL", NULL);
	assert_int_equal(exit_code(), CLI_OK);
	str_copy(b->outputs[0].state, "failed", sizeof(b->outputs[0].state));
	shows(1000, "hls:failed", "output hls has failed: killed by SIGKILL", NULL);
	str_copy(board_header(board)->health, "output hls of johndoe has failed", 100);
	assert_int_equal(exit_code(), CLI_FAILING);	/* the supervisor has the only say */
	board_header(board)->health[0] = '\0';
	make_stream(0, "johndoe", BOARD_STREAM_RECONNECTING, 0);
	b->until_ms = now_ms() + 3500;
	shows(1000, "waits 3.", "the publisher is gone; waiting 3.", NULL);
}

static void
recordings_and_jobs(void **state)
{
	struct board_media *m = make_stream(0, "johndoe", BOARD_STREAM_LIVE, 777);
	struct board_jobs *j;
	struct cli_snap s;
	json_t *o, *rec;

	m->recording = BOARD_RECORDING;
	m->recorded_files = 3;
	m->recorded_bytes = 120 << 20;
	shows(1000, "hls,record ", "johndoe record recording", "3 files 120M\n", NULL);
	m->recording = BOARD_RECORDING_PAUSED;
	m->recorded_lost = 250;
	shows(1000, "hls,record:PAUSED", "johndoe record PAUSED", "no space; 3 files 120M, 250 frames lost", NULL);
	m->recording_errno = EDQUOT;
	shows(1000, "johndoe record PAUSED", "no space; 3 files", NULL);
	m->recording_errno = EACCES;
	shows(1000, "johndoe record PAUSED", "Permission denied; 3 files 120M, 250 frames lost", NULL);
	make_process(1, getpid(), "jobs", "ready");
	make_process(2, getpid(), "jobs", "ready");
	j = &board_proc(board, 1)->page.jobs;
	j->queue_ms = now_ms();
	assert_int_equal(cli_snap_read(&s, dir), 0);
	o = cli_json_status(&s);
	assert_int_equal(json_integer_value(conf_get(o, "jobs.dead")), 0);
	rec = json_array_get(json_object_get(json_array_get(json_object_get(o, "streams"), 0), "outputs"), 1);
	assert_string_equal(json_string_value(json_object_get(rec, "kind")), "record");
	assert_string_equal(json_string_value(json_object_get(rec, "state")), "paused");
	assert_int_equal(json_integer_value(json_object_get(rec, "lost_frames")), 250);
	json_decref(o);
	cli_snap_free(&s);
	j->queued = 4;
	j->running = j->dead = 1;
	j->oldest_ms = 12000;
	j = &board_proc(board, 2)->page.jobs;
	str_copy(j->id, "1-1", sizeof(j->id));
	str_copy(j->kind, "upload", sizeof(j->kind));
	str_copy(j->file, "recordings/johndoe/x.mp4", sizeof(j->file));
	j->progress = 437;
	shows(1000, "jobs 4 queued, 1 running, 1 GIVEN UP: millrace jobs --failed; the oldest waits 12s",
	    "upload recordings/johndoe/x.mp4  43%", NULL);
}

static void
viewers_by_webrtc(void **state)
{
	struct board_webrtc *w;
	struct cli_snap s;
	json_t *o;

	make_process(1, getpid(), "webrtc", "ready");
	make_process(2, getpid(), "webrtc", "ready");
	w = &board_proc(board, 1)->page.webrtc;
	w->port = 8189;
	board_proc(board, 2)->page.webrtc.port = 8190;
	board_proc(board, 2)->page.webrtc.viewers = 3;
	w->viewers = w->viewers_total = 2;
	w->tcp = 1;
	w->sent_bytes = 120 << 20;
	w->sent_packets = 100000;
	w->lost = 150;
	shows(1000, "webrtc 5 viewers on port 8189, 8190 (1 by TCP); 120M sent, 0.15 % lost\n", NULL);
	w->no_ice = 7;
	w->last_no_ice_ms = now_ms() - 62000;
	shows(1000, "7 could not reach it, the last one 1m", "is that port open, UDP and TCP?", NULL);
	assert_int_equal(cli_snap_read(&s, dir), 0);
	o = cli_json_status(&s);
	assert_int_equal(json_integer_value(conf_get(o, "webrtc.viewers")), 5);
	assert_int_equal(json_integer_value(conf_get(o, "webrtc.unreached")), 7);
	assert_int_equal(json_array_size(conf_get(o, "webrtc.ports")), 2);
	json_decref(o);
	cli_snap_free(&s);
}

static void
what_is_wrong(void **state)
{
	struct board_header *h = board_header(board);

	make_process(1, -1, "http", "backoff");
	str_copy(board_proc(board, 1)->reason, "killed by SIGSEGV", sizeof(board_proc(board, 1)->reason));
	board_proc(board, 1)->backoff_ms = 4000;
	str_copy(h->health, "http is down", sizeof(h->health));
	str_copy(h->notes, "running as root\nsecond note", sizeof(h->notes));
	h->refused = 5;
	h->refusals[BOARD_REFUSED_LIMIT] = 4;
	h->limit_wall_ms = wall_ms() - 5000;
	h->last_refused = (struct board_refused){ .wall_ms = wall_ms() - 3000, .reason = BOARD_REFUSED_KEY,
	    .peer = "192.0.2.7:5000", .name = "bob", .text = "the key is wrong" };
	h->log_dropped = 9;
	shows(1000, "http is down", "http is down (killed by SIGSEGV); again in 4.0 s", "  running as root",
	    "  second note", "4 RTMP connections were turned away", "9 log lines were lost",
	    "last refused: 3.0s ago 192.0.2.7:5000 as bob: the key is wrong", NULL);
	assert_int_equal(exit_code(), CLI_FAILING);
	h->refusals[BOARD_REFUSED_LIMIT] = 1;
	shows(1000, "  1 RTMP connection was turned away since the start, the last 5.0s ago", NULL);
	h->limit_wall_ms = wall_ms() - 601000;
	shows_not("turned away");
}

static void
the_service_is_up_beside(void **state)
{
	struct cli c = { .conf_path = "/srv/x/millrace.yaml", .run_dir = "/nonexistent", .conf_own = true };
	size_t len;
	char *text;
	FILE *f = open_memstream(&text, &len);

	cli_other_runs(&c, "/nonexistent/too", f);
	c.conf_own = false;
	cli_other_runs(&c, dir, f);
	fflush(f);
	assert_int_equal(len, 0);
	c.conf_own = true;
	cli_other_runs(&c, dir, f);
	fclose(f);
	assert_string_equal(text, "That is the one of scripts/run (/srv/x/millrace.yaml). The installed service is up: "
	    "millrace -c /etc/millrace/millrace.yaml\n");
	free(text);
}

static void
hung_dead_and_down(void **state)
{
	struct cli_snap s;
	char *text;

	make_header(12000);
	shows(1000, "supervisor hung: last sign of life 12 s ago", "kill -9", NULL);
	assert_int_equal(exit_code(), CLI_FAILING);
	board_header(board)->start_ticks++;	/* another process has its pid now */
	make_stream(0, "johndoe", BOARD_STREAM_LIVE, 777);
	shows(1000, "millraced is not running; the board is from ", "(12s ago)", "johndoe", NULL);
	assert_int_equal(exit_code(), CLI_NOT_RUNNING);
	board_header(board)->beat_ms = now_ms() + 1000000;
	shows(1000, "before this machine's start", NULL);
	assert_int_equal(cli_snap_read(&s, "/nonexistent"), 0);
	assert_int_equal(cli_snap_exit_code(&s), CLI_NOT_RUNNING);
	text = status_text(&s);
	assert_string_equal(text, "millraced is not running\n");
	free(text);
	cli_snap_free(&s);
	assert_int_equal(truncate(path, 100), 0);
	assert_int_equal(cli_snap_read(&s, dir), -1);
}

static void
has_keys(const json_t *o, const char *keys)
{
	char *copy = xstrdup(keys), *save = NULL, *key;

	for (key = strtok_r(copy, " ", &save); key != NULL; key = strtok_r(NULL, " ", &save))
		if (json_object_get(o, key) == NULL)
			fail_msg("no key %s", key);
	free(copy);
}

static void
json_shape(void **state)
{
	const char *top = "health host version pid uptime_s processes streams hosts redis warnings listeners"
	    " refused refused_by_reason last_refused";
	struct cli_snap s;
	json_t *o, *st;

	make_stream(0, "johndoe", BOARD_STREAM_LIVE, 777);
	make_process(1, getpid(), "registry", "ready");
	board_proc(board, 1)->page.registry.redis_up = 1;
	assert_int_equal(cli_snap_read(&s, dir), 0);
	o = cli_json_status(&s);
	has_keys(o, top);
	assert_string_equal(json_string_value(json_object_get(o, "health")), "healthy");
	assert_int_equal(json_integer_value(json_object_get(o, "uptime_s")), 7384);
	has_keys(json_array_get(json_object_get(o, "processes"), 0), "pid kind state restarts rss_bytes cpu_ms");
	assert_true(json_integer_value(json_object_get(json_array_get(json_object_get(o, "processes"), 0),
	    "rss_bytes")) > 0);
	st = json_array_get(json_object_get(o, "streams"), 0);
	has_keys(st, "name app peer protocol since bitrate_bps viewers video audio outputs state");
	has_keys(json_array_get(json_object_get(st, "outputs"), 0), "kind state pid restarts reason");
	assert_int_equal(json_integer_value(conf_get(st, "video.width")), 1920);
	assert_string_equal(json_string_value(conf_get(st, "audio.codec")), "aac");
	assert_int_equal(json_array_size(conf_get(o, "listeners.rtmp")), 2);
	assert_true(json_is_true(conf_get(o, "redis.up")));
	assert_int_equal(json_array_size(json_object_get(o, "hosts")), 1);
	json_decref(o);
	cli_snap_free(&s);
	assert_int_equal(cli_snap_read(&s, "/nonexistent"), 0);
	o = cli_json_status(&s);
	has_keys(o, top);
	assert_string_equal(json_string_value(json_object_get(o, "health")), "not running");
	json_decref(o);
	cli_snap_free(&s);
}

static void
publish_urls(void **state)
{
	static const struct { const char *conf, *server, *key; } cases[] = {
		{ "", "rtmp://h.example/live", "bob" },
		{ "rtmp: {listen: ':1936'}\n", "rtmp://h.example:1936/live", "bob" },
		{ "rtmp: {listen: '10.1.2.3:1935'}\n", "rtmp://10.1.2.3/live", "bob" },
		{ "authorize: {patterns: ['/x/{app}/{username}']}\n", "rtmp://h.example/x/live", "bob" },
		{ "authorize: {patterns: ['/x/{username}/in']}\n", "rtmp://h.example/x/bob/in", "bob" },
	};
	char server[200], key[80];
	json_t *errors = json_array(), *conf;
	size_t i;

	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		conf = conf_load_buffer("f", cases[i].conf, strlen(cases[i].conf), errors);
		assert_non_null(conf);
		assert_int_equal(cli_publish_url(conf, "h.example", "bob", server, sizeof(server), key, sizeof(key)), 0);
		assert_string_equal(server, cases[i].server);
		assert_string_equal(key, cases[i].key);
		assert_int_equal(cli_publish_url(conf, "h.example", "bob", server, 5, key, sizeof(key)), -1);
		json_decref(conf);
	}
	json_decref(errors);
}

static void
touch(const char *name)
{
	char file[200], *slash;

	assert_int_equal(path_join(file, sizeof(file), dir, name), 0);
	slash = strrchr(file, '/');
	*slash = '\0';
	mkdir(file, 0755);
	*slash = '/';
	assert_int_equal(file_replace(file, "", 0), 0);
	assert_int_equal(chmod(file, 0755), 0);
}

/* As called by a program in dir/bin; below: what is wanted is below dir. */
static void
starts_with(const struct cli *c, bool below, const char *command)
{
	char bin[100], *want, *got;

	assert_int_equal(path_join(bin, sizeof(bin), dir, "bin"), 0);
	want = below ? xasprintf("%s/%s", dir, command) : xstrdup(command);
	got = cli_start_command(c, bin);
	assert_string_equal(got, want);
	free(got);
	free(want);
}

static void
start_commands(void **state)
{
	static const char *const made[] = { "bin/millraced", "bin/x", "sbin/millraced", "scripts/run", "bin", "sbin", "scripts" };
	struct cli other = { .conf_path = "/x/m.yaml" }, own = { .conf_path = "/y/m.yaml", .conf_own = true };
	char file[200], *cwd = getcwd(NULL, 0);
	size_t i;

	starts_with(&other, false, "millraced -c /x/m.yaml");
	touch("bin/x");
	touch("sbin/millraced");		/* as installed */
	starts_with(&other, true, "sbin/millraced -c /x/m.yaml");
	touch("bin/millraced");			/* as built */
	starts_with(&other, true, "bin/millraced -c /x/m.yaml");
	starts_with(&own, true, "bin/millraced -c /y/m.yaml");
	touch("scripts/run");
	starts_with(&own, true, "scripts/run");
	starts_with(&other, true, "bin/millraced -c /x/m.yaml");
	assert_int_equal(chdir(dir), 0);
	starts_with(&own, false, "scripts/run");
	starts_with(&other, false, "bin/millraced -c /x/m.yaml");
	assert_int_equal(chdir(cwd), 0);
	free(cwd);
	for (i = 0; i < sizeof(made) / sizeof(made[0]); i++)
		if (path_join(file, sizeof(file), dir, made[i]) == 0)
			assert_int_equal(remove(file), 0);
}

#define board_test(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(formats), cmocka_unit_test(tables_fit), cmocka_unit_test(characters), cmocka_unit_test(publish_urls),
		board_test(healthy), board_test(right_after_the_start), board_test(advice_key_frames), board_test(advice_outputs),
		board_test(the_service_is_up_beside),
		board_test(recordings_and_jobs), board_test(viewers_by_webrtc), board_test(what_is_wrong), board_test(hung_dead_and_down), board_test(json_shape),
		board_test(start_commands),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
