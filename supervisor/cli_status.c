/*
 * cli_status.c - the verbs status and streams: read, print, once or each second.
 *
 * --watch draws whole frames from one buffer over the old ones, so nothing flickers; the
 * terminal is put back on every way out. With --json it prints one line a second instead.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include "conf.h"
#include "supervisor/cli.h"

#define WATCH_MS 1000

struct view {
	bool json, watch, cluster, streams_only;
};

static volatile sig_atomic_t interrupted;
static struct termios saved_terminal;

static void
print_json(json_t *o, FILE *out, bool compact)
{
	char *text = json_dumps(o, JSON_REAL_PRECISION(6) | (compact ? JSON_COMPACT : JSON_INDENT(2)));

	if (text != NULL)
		fprintf(out, "%s\n", text);
	free(text);
	json_decref(o);
}

/* Streams of other hosts, as the registry knows them. New reference. */
static json_t *
elsewhere(const struct cli_snap *s)
{
	json_t *list = json_array(), *o;
	const char *id;
	size_t i;

	json_array_foreach(s->cluster, i, o) {
		id = json_string_value(json_object_get(o, "host_id"));
		if (id == NULL || strcmp(id, s->h.host_id) != 0)
			json_array_append(list, o);
	}
	return list;
}

static void
print_elsewhere(const struct cli_snap *s, FILE *out)
{
	static const struct cli_column columns[] = {
		{ "ELSEWHERE", false, 10 }, { "APP", false, 4 }, { "HOST", false, 8 }, { "URL", false, 10 },
		{ NULL, false, 0 },
	};
	static const char *const keys[] = { "name", "app", "host", "url" };
	struct cli_table *t = cli_table_new(columns);
	json_t *list = elsewhere(s), *o;
	const char *text;
	size_t i, k;

	if (json_array_size(list) > 0)
		fputc('\n', out);
	json_array_foreach(list, i, o)
		for (k = 0; k < sizeof(keys) / sizeof(keys[0]); k++) {
			text = json_string_value(json_object_get(o, keys[k]));
			cli_table_cell(t, "%s", text != NULL ? text : "");
		}
	cli_table_print(t, out, cli_width(out));
	json_decref(list);
}

static int
read_snap(struct cli *c, struct cli_snap *s)
{
	if (cli_snap_read(s, c->run_dir) == -1) {
		if (errno == EACCES)
			cli_not_permitted(c, "board");
		else if (errno == EPROTO)
			fprintf(stderr, "millrace: %s/board is of another version of millraced: use its millrace\n",
			    c->run_dir);
		else
			fprintf(stderr, "millrace: %s/board: %s\n", c->run_dir, strerror(errno));
		return -1;
	}
	if (c->conf != NULL)
		s->segment_ms = conf_int(c->conf, "streams.hls.segment");
	cli_ask_cluster(c, s);
	return 0;
}

static void
print_view(const struct cli *c, const struct cli_snap *s, const struct view *v, FILE *out)
{
	if (v->json && v->streams_only)
		print_json(json_pack("{s:o, s:o}", "streams", cli_json_streams(s), "elsewhere",
		    elsewhere(s)), out, v->watch);
	else if (v->json)
		print_json(cli_json_status(s), out, v->watch);
	else if (v->streams_only && s->state >= CLI_STATE_HUNG) {
		cli_text_streams(s, out);
		print_elsewhere(s, out);
		if (s->registry_silent)
			fprintf(out, "(registry does not answer)\n");
	} else {
		cli_text_status(s, out);
		if (s->state >= CLI_STATE_HUNG)
			print_elsewhere(s, out);
	}
	if (s->state < CLI_STATE_HUNG && !v->json) {
		fprintf(out, "(looked in %s) ", c->run_dir);
		cli_print_start(c, out);
	}
}

/* One picture. Exit code, or -1 after a message. */
static int
draw(struct cli *c, const struct view *v, FILE *out)
{
	struct cli_snap s;
	int code;

	if (read_snap(c, &s) == -1)
		return -1;
	print_view(c, &s, v, out);
	code = cli_snap_exit_code(&s);
	cli_snap_free(&s);
	return code;
}

/* --- watching --- */

static void
interrupt_cb(int sig)
{
	interrupted = 1;
}

/* Only there so that poll() ends early. */
static void
resized_cb(int sig)
{
}

static void
terminal_start(void)
{
	struct termios raw = saved_terminal;

	raw.c_lflag &= (tcflag_t)~(ICANON | ECHO);
	tcsetattr(STDIN_FILENO, TCSANOW, &raw);
	printf("\033[?1049h\033[?25l");
}

static void
terminal_end(void)
{
	printf("\033[?25h\033[?1049l");
	fflush(stdout);
	tcsetattr(STDIN_FILENO, TCSANOW, &saved_terminal);
}

/* The frame over the old one, as much as the window holds. */
static void
show_frame(const char *frame)
{
	struct winsize w = { .ws_row = 24, .ws_col = CLI_WIDTH };
	size_t n;
	int row;

	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &w) == -1 || w.ws_row < 2 || w.ws_col < 2) {
		w.ws_row = 24;
		w.ws_col = CLI_WIDTH;
	}
	printf("\033[H");
	for (row = 1; row < w.ws_row && *frame != '\0'; row++) {
		n = strcspn(frame, "\n");
		printf("%.*s\033[K\n", (int)(n < w.ws_col ? n : w.ws_col), frame);
		frame += n + (frame[n] == '\n');
	}
	printf("\033[Jq ends this\033[K");
	fflush(stdout);
}

/* True when it is time to end: q, Ctrl-C or a closed terminal. */
static bool
wait_second(bool keys)
{
	struct pollfd p = { .fd = keys ? STDIN_FILENO : -1, .events = POLLIN };
	char ch;

	if (poll(&p, 1, WATCH_MS) <= 0)
		return interrupted != 0;	/* a resized window redraws at once */
	return read(STDIN_FILENO, &ch, 1) != 1 || ch == 'q' || ch == 'Q' || interrupted != 0;
}

static int
watch(struct cli *c, const struct view *v)
{
	char *frame;
	size_t len;
	FILE *mem;
	int code;

	do {
		mem = open_memstream(&frame, &len);
		if (mem == NULL)
			return CLI_FAILING;
		code = draw(c, v, mem);
		fclose(mem);
		if (v->json) {
			fputs(frame, stdout);
			fflush(stdout);
		} else
			show_frame(frame);
		free(frame);
	} while (code != -1 && !ferror(stdout) && !wait_second(!v->json));
	return code;
}

static int
watch_terminal(struct cli *c, const struct view *v)
{
	struct sigaction sa = { .sa_handler = interrupt_cb }, resized = { .sa_handler = resized_cb };
	int code;

	sigaction(SIGINT, &sa, NULL);
	sigaction(SIGTERM, &sa, NULL);
	sigaction(SIGWINCH, &resized, NULL);
	if (v->json)
		return watch(c, v);
	if (!isatty(STDOUT_FILENO) || tcgetattr(STDIN_FILENO, &saved_terminal) == -1)
		return cli_usage_error("status", "--watch needs a terminal; --watch --json does not");
	terminal_start();
	code = watch(c, v);
	terminal_end();
	return code;
}

static int
run(struct cli *c, int argc, char **argv, struct view v)
{
	int i, code;

	for (i = 1; i < argc; i++) {
		if (strcmp(argv[i], "--json") == 0)
			v.json = true;
		else if (strcmp(argv[i], "--watch") == 0)
			v.watch = true;
		else if (strcmp(argv[i], "--cluster") == 0 && !v.streams_only)
			v.cluster = true;
		else
			return cli_unknown_argument(argv, argv[i]);
	}
	if (v.cluster && v.watch)
		return cli_usage_error(argv[0], "--cluster asks once; it can't be watched");
	if (cli_locate(c) == -1)
		return CLI_USAGE;
	if (v.cluster)
		return cli_cluster(c, v.json);
	code = v.watch ? watch_terminal(c, &v) : draw(c, &v, stdout);
	return code == -1 ? CLI_FAILING : code;
}

int
cli_status(struct cli *c, int argc, char **argv)
{
	return run(c, argc, argv, (struct view){ .streams_only = false });
}

int
cli_streams(struct cli *c, int argc, char **argv)
{
	return run(c, argc, argv, (struct view){ .streams_only = true });
}
