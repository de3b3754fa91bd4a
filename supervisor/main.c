/*
 * main.c - millraced: the order of start and end, arguments and signals. What each step
 * does is in the file named after it.
 *
 * The order matters: locks before ports (so that a second instance is told of the first,
 * not of a taken port), ports before rights are dropped, rights before anything is spawned,
 * and nobody is told that we are up before an http worker is.
 */
#include <errno.h>
#include <event2/event.h>
#include <getopt.h>
#include <libgen.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "conf.h"
#include "landlock.h"
#include "log.h"
#include "supervisor/child.h"
#include "supervisor/ingress.h"
#include "supervisor/push.h"
#include "util.h"

#define DEFAULT_CONF "/etc/millrace/millrace.yaml"
#define UP_TICK_MS 20
#define UP_LIMIT_MS 10000	/* then -d reports a failure, and millraced goes on trying */

struct supervisor sv;

static struct { bool daemonise, test; const char *log; } options;
static struct event *signal_events[3], *up_tick;
static char conf_real[PATH_MAX];

static void
usage(FILE *out)
{
	fprintf(out, "usage: millraced [-c FILE] [-l FILE] [-d | -t]\n"
	    "  -c FILE  configuration (default " DEFAULT_CONF ")\n"
	    "  -d       run in the background; returns when the server is up\n"
	    "  -l FILE  log there where the configuration has no log.file\n"
	    "  -t       check the configuration and exit: 0 it is right, 1 it is not\n"
	    "  -V, --version, -h, --help\n"
	    "           print the version, or this\n"
	    "Signals: TERM and INT stop gracefully, HUP reloads the configuration.\n");
}

static void
parse_arguments(int argc, char **argv)
{
	static const struct option longs[] = {
		{ "help", no_argument, NULL, 'h' }, { "version", no_argument, NULL, 'V' }, { NULL, 0, NULL, 0 },
	};
	int ch;

	sv.conf_path = DEFAULT_CONF;
	while ((ch = getopt_long(argc, argv, "c:dl:thV", longs, NULL)) != -1)
		switch (ch) {
		case 'c':
			sv.conf_path = optarg;
			break;
		case 'd':
			options.daemonise = true;
			break;
		case 'l':
			options.log = optarg;
			break;
		case 't':
			options.test = true;
			break;
		case 'h':
			usage(stdout);
			exit(0);
		case 'V':
			printf("millraced %s\n", MILLRACE_VERSION);
			exit(0);
		default:
			usage(stderr);
			exit(2);
		}
	if (optind != argc) {
		usage(stderr);
		exit(2);
	}
}

/* list is stolen. */
static void
print_texts(json_t *list)
{
	json_t *text;
	size_t i;

	json_array_foreach(list, i, text)
		fprintf(stderr, "%s\n", json_string_value(text));
	json_decref(list);
}

/* Errors go to the terminal as they are: editors jump to FILE:LINE. */
static int
load_conf(void)
{
	json_t *errors = json_array();
	bool wrong;

	sv.conf = conf_load(sv.conf_path, errors);
	if (sv.conf != NULL) {
		conf_host_errors(sv.conf, sv.conf_path, errors);
		conf_host_owner(sv.conf, sv.conf_path, errors);
	}
	wrong = json_array_size(errors) > 0;
	print_texts(errors);
	/* A reload happens elsewhere than the start: -d goes to /. */
	if (realpath(sv.conf_path, conf_real) != NULL)
		sv.conf_path = conf_real;
	return wrong ? -1 : 0;
}

static void
libevent_log_cb(int severity, const char *text)
{
	if (severity >= EVENT_LOG_WARN)
		log_warnx("libevent: %s", text);
}

/* NULL: it stays where it is, on stderr. */
static const char *
log_path(void)
{
	const char *file = conf_str(sv.conf, "log.file");
	static char path[512];

	if (file[0] != '\0')
		return file;
	if (options.log != NULL || !options.daemonise)
		return options.log;
	/* Its starter's stderr must not be held, and a log must be somewhere. */
	return path_join(path, sizeof(path), conf_str(sv.conf, "data_dir"), "millraced.log") == 0 ? path : NULL;
}

static int
start_log(void)
{
	const char *file = log_path();

	conf_apply_log(sv.conf);
	if (file == NULL && options.daemonise)
		return -1;
	event_set_log_callback(libevent_log_cb);
	if (file != NULL && rights_open_log(file) == -1) {
		log_error("cannot log to %s", file);
		return -1;
	}
	if (log_open(NULL) == -1)
		return -1;
	if (file != NULL)	/* the terminal has seen them, the log has not */
		report_notes_again();
	return 0;
}

/* Where our programs are: beside us in a build, else where `make install` puts them. */
static int
find_libexec(void)
{
	static const char *const places[] = { "libexec", "../libexec/millrace", "../lib/millrace" };
	char exe[PATH_MAX], path[PATH_MAX + 64], *dir;
	ssize_t n = readlink("/proc/self/exe", exe, sizeof(exe) - 1);
	size_t i;

	if (n <= 0)
		return -1;
	exe[n] = '\0';
	dir = dirname(exe);
	for (i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		snprintf(path, sizeof(path), "%s/%s/millrace-ingest", dir, places[i]);
		if (access(path, X_OK) != 0)
			continue;
		n = snprintf(sv.libexec, sizeof(sv.libexec), "%s/%s", dir, places[i]);
		return n > 0 && (size_t)n < sizeof(sv.libexec) ? 0 : -1;
	}
	log_errorx("millrace-ingest is neither in %s/libexec nor in %s/../libexec/millrace", dir, dir);
	return -1;
}

/* A descriptor per child; the children get their own limits. */
static void
raise_limits(void)
{
	struct rlimit r;

	if (getrlimit(RLIMIT_NOFILE, &r) == -1)
		return;
	r.rlim_cur = r.rlim_max;
	if (setrlimit(RLIMIT_NOFILE, &r) == -1)
		log_warn("cannot raise the limit of open files");
}

/* What must succeed while the user still sees our stderr, with root's rights if we have them. */
static int
prepare(void)
{
	raise_limits();
	if (find_libexec() == -1 || rights_choose() == -1 || rights_top_dirs() == -1 ||
	    rights_lock() == -1 || redis_check_switch() == -1 || listen_open_all() == -1)
		return -1;
	if (options.daemonise && spawn_daemonise(log_path()) == -1) {
		log_error("cannot go to the background");
		return -1;
	}
	if (start_log() == -1 || rights_pid_files() == -1 || rights_drop() == -1 ||
	    rights_inner_dirs() == -1)
		return -1;
	return options.daemonise ? chdir("/") : 0;
}

static void
stop_signal_cb(evutil_socket_t sig, short what, void *ctx)
{
	stop_begin(sig == SIGINT ? "SIGINT" : "SIGTERM");
}

static void
reload_signal_cb(evutil_socket_t sig, short what, void *ctx)
{
	notify_send("RELOADING=1");
	json_decref(control_reload(false));
	notify_send("READY=1");
}

static void
start_signals(void)
{
	static const int signals[3] = { SIGTERM, SIGINT, SIGHUP };
	int i;

	signal(SIGPIPE, SIG_IGN);
	for (i = 0; i < 3; i++) {
		signal_events[i] = evsignal_new(sv.base, signals[i],
		    signals[i] == SIGHUP ? reload_signal_cb : stop_signal_cb, NULL);
		if (signal_events[i] == NULL || evsignal_add(signal_events[i], NULL) == -1)
			fatalx("cannot watch for signals");
	}
	reap_start();
}

/* Up is what a user means by it: a page can be fetched. */
static void
up_cb(evutil_socket_t fd, short what, void *ctx)
{
	bool up = child_first(KIND_HTTP) != NULL;

	if (!up && now_ms() - sv.started_ms < UP_LIMIT_MS)
		return;
	event_free(up_tick);
	up_tick = NULL;
	if (up)
		log_info("up after %lld ms", (long long)(now_ms() - sv.started_ms));
	else
		log_warnx("no http worker is ready after %d s; trying on", UP_LIMIT_MS / 1000);
	report_now();
	notify_send("READY=1");
	spawn_daemon_up(up);
}

static void
watch_until_up(void)
{
	struct timeval tv = { 0, UP_TICK_MS * 1000 };

	up_tick = event_new(sv.base, -1, EV_PERSIST, up_cb, NULL);
	if (up_tick == NULL)
		fatalx("out of memory");
	event_add(up_tick, &tv);
}

static void
say_where(const struct board_header *h)
{
	log_info("millraced %s: RTMP on %s, HTTP on %s", MILLRACE_VERSION, h->rtmp_listen, h->http_listen);
	log_info("WebRTC: viewers on %s (UDP, TCP), publishers by WHIP on %s (UDP); the firewall has to let these in",
	    h->webrtc_listen[0] != '\0' ? h->webrtc_listen : "no port",
	    h->whip_ports[0] != '\0' ? h->whip_ports : "no port");
}

static int
start(void)
{
	char path[512];

	sv.started_ms = now_ms();
	sv.base = event_base_new();
	if (sv.base == NULL || path_join(path, sizeof(path), conf_str(sv.conf, "run_dir"), "board") == -1)
		return -1;
	sv.board = board_create(path);
	if (sv.board == NULL) {
		log_error("cannot make %s", path);
		return -1;
	}
	start_signals();
	push_start();
	ingress_start();
	if (control_start() == -1)
		return -1;
	events_start();
	output_probe();
	/* seccomp stays: an ffmpeg or an ingest reaches no socket of ours. What it may read is the account's then. */
	if (landlock_abi() == 0)
		report_note("this kernel has no landlock (or it is off: see the boot parameter lsm=), so ffmpeg and "
		    "what talks to publishers can read every file that this account can");
	child_start_workers();
	accept_start();
	spare_start();
	streams_start();
	report_start();
	watch_until_up();
	say_where(board_header(sv.board));
	return 0;
}

static void
finish(void)
{
	char path[512];
	int i;

	stop_done();
	control_stop();
	push_stop();
	ingress_stop();
	events_stop();
	report_stop();
	listen_close_all();
	reap_stop();
	child_config_reset();
	if (up_tick != NULL)
		event_free(up_tick);
	for (i = 0; i < 3; i++)
		event_free(signal_events[i]);
	board_close(&sv.board);
	if (path_join(path, sizeof(path), conf_str(sv.conf, "run_dir"), "board") == 0)
		unlink(path);
	rights_unlock();
	event_base_free(sv.base);
	log_info("stopped after %.1f s", (double)(now_ms() - sv.stop_started_ms) / 1000);
	json_decref(sv.conf);
	json_decref(sv.notes);
}

/* What a start would fail at, and what would make it useless; nothing is made or taken. */
static int
test_conf(void)
{
	const char *ffmpeg = conf_str(sv.conf, "ffmpeg.path");
	char path[PATH_MAX];
	json_t *hints = json_array();

	conf_host_hints(sv.conf, sv.conf_path, hints);
	print_texts(hints);
	log_init(sv.conf_path);		/* as the lines above: FILE: what is wrong */
	log_set_format(LOG_PLAIN);
	if (redis_check_switch() == -1 || rights_choose() == -1)
		return 1;
	/* No error: it may be installed later, `millrace reload` finds it. */
	if (program_find(ffmpeg, path, sizeof(path)) == NULL)
		log_warn("ffmpeg.path: \"%s\" cannot be run, so no stream could be watched", ffmpeg);
	printf("%s: ok\n", sv.conf_path);
	return 0;
}

int
main(int argc, char **argv)
{
	log_init("millraced");
	parse_arguments(argc, argv);
	if (load_conf() == -1)
		return 1;
	if (options.test)
		return test_conf();
	if (prepare() == -1 || start() == -1)
		return 1;
	event_base_dispatch(sv.base);
	finish();
	return 0;
}
