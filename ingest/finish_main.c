/*
 * finish_main.c - millrace-finish NAME: the end of a stream whose publisher did not come back.
 * Writes ENDLIST, waits streams.cleanup_delay so that players get the last segments, removes
 * the live files, says stream_ended. YIELD (a publisher is back): cleans up at once.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "conf.h"
#include "hls_state.h"
#include "log.h"
#include "stream_name.h"
#include "svc.h"
#include "util.h"

static struct { char name[STREAM_NAME_MAX + 1], dir[512]; struct event *timer; } fin;

static void
clean_up(struct svc *s, const char *why)
{
	if (hls_dir_remove(fin.dir) < 0 && errno != ENOENT)
		log_warn("cannot remove %s", fin.dir);
	svc_send(s, MSG_EVENT, 0, json_pack("{s:s, s:s}", "event", "stream_ended", "name", fin.name));
	svc_exit(s, 0, why);
}

static void
timer_cb(evutil_socket_t fd, short what, void *ctx)
{
	clean_up(ctx, "finished");
}

static void
on_yield(struct svc *s, struct msg *m)
{
	clean_up(s, "a publisher is back");
}

/* The supervisor stops: ENDLIST is written, players may still want the files; the next start removes them. */
static void
stop(struct svc *s, const char *reason, int64_t grace_ms)
{
	svc_exit(s, 0, reason);
}

static int
start(struct svc *s, int argc, char **argv)
{
	struct hls_state state;
	int64_t wait_ms = conf_int(s->conf, "streams.cleanup_delay");
	struct timeval tv = { wait_ms / 1000, wait_ms % 1000 * 1000 };

	if (argc < 2 || !stream_name_ok(argv[1], strlen(argv[1]))) {
		log_warnx("no stream name given");
		return -1;
	}
	str_copy(fin.name, argv[1], sizeof(fin.name));
	snprintf(fin.dir, sizeof(fin.dir), "%s/hls/%s", conf_str(s->conf, "data_dir"), fin.name);
	log_set_stream(fin.name);
	svc_title(s, fin.name);
	if (hls_state_read(fin.dir, &state) == 0 && state.nsegments > 0) {
		state.ended = true;
		if (hls_state_write(fin.dir, &state) < 0 || hls_playlist_write(fin.dir, &state, true) < 0)
			log_warn("cannot write the end of the playlist in %s", fin.dir);
	} else
		tv = (struct timeval){ 0, 0 };
	fin.timer = evtimer_new(s->base, timer_cb, s);
	event_add(fin.timer, &tv);
	svc_ready(s);
	return 0;
}

static void
cleanup(struct svc *s)
{
	if (fin.timer != NULL)
		event_free(fin.timer);
}

int
main(int argc, char **argv)
{
	static const struct svc_handler handlers[] = { { MSG_YIELD, on_yield }, { 0, NULL } };
	static const struct svc_ops ops = {
		.kind = "finish", .start = start, .handlers = handlers, .stop = stop, .cleanup = cleanup,
	};

	return svc_run(argc, argv, &ops);
}
