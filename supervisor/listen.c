/*
 * listen.c - opens every listener of rtmp.listen and http.listen before rights are dropped,
 * and follows changes of the two lists at a reload.
 *
 * The descriptors lie in sv.listen_rtmp and sv.listen_http in the order of the config's
 * lists. accept.c accepts on the first, http workers inherit the second; listen_webrtc.c has the
 * ports of the webrtc workers. A port that is
 * taken is an error that names its holder and the key to change.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "conf.h"
#include "log.h"
#include "supervisor/listen.h"
#include "util.h"

#define LISTEN_BACKLOG 1024
#define LEAVE_MS 5000
#define LEAVE_NAP_MS 50

static bool rtmp_changed, http_changed, webrtc_changed;
static char *notes[3];		/* standing: what the last reload could not open of rtmp, http, webrtc */

static const char *
address_at(const json_t *list, size_t i)
{
	return json_string_value(json_object_get(json_array_get(list, i), "address"));
}

void
listen_explain(const struct net_addr *addr, bool udp, const char *text, const char *key, char *buf, size_t size)
{
	/* While we run, a reload is enough once the port is free. */
	int e = errno;
	const char *or = sv.board != NULL && e == EADDRINUSE ? "free it and `millrace reload`, or " : "";
	char holder[100];

	if (e == EADDRINUSE && listen_holder(addr, udp, holder, sizeof(holder))[0] != '\0')
		snprintf(buf, size, "cannot listen on %s: taken by %s; %schange %s in %s", text, holder,
		    or, key, sv.conf_path);
	else if (e == EACCES)
		snprintf(buf, size, "cannot listen on %s: ports below 1024 need root at the start; "
		    "change %s in %s", text, key, sv.conf_path);
	else
		snprintf(buf, size, "cannot listen on %s: %s; %schange %s in %s", text, strerror(e), or,
		    key, sv.conf_path);
	errno = e;
}

/* A descriptor, or -1 and the reason in why. */
static int
open_one(const char *text, const char *key, char *why, size_t size)
{
	struct net_addr addr;
	int fd;

	if (net_parse(text, &addr) == -1) {
		snprintf(why, size, "%s: \"%s\" is no address", key, text);
		return -1;
	}
	fd = net_listen(&addr, LISTEN_BACKLOG);
	if (fd == -1)
		listen_explain(&addr, false, text, key, why, size);
	return fd;
}

/* Children of a millraced that was killed leave by themselves, but have their listeners until then. */
static int
open_patiently(const char *text, const char *key, int64_t end, char *why, size_t size)
{
	static const struct timespec nap = { 0, LEAVE_NAP_MS * 1000000 };
	bool said = false;
	int fd;

	while ((fd = open_one(text, key, why, size)) == -1 && errno == EADDRINUSE && now_ms() < end) {
		if (!said)
			log_info("waiting up to %d s for %s: %s", LEAVE_MS / 1000, text, why);
		said = true;
		nanosleep(&nap, NULL);
	}
	return fd;
}

/* Says of each that can't be opened why; -1 if there is one. */
static int
open_list(const char *key, int64_t end, int **fds, int *nfds)
{
	json_t *list = conf_get(sv.conf, key);
	size_t i, n = json_array_size(list);
	char why[400];
	int rc = 0;

	*fds = xcalloc(n + 1, sizeof(**fds));
	for (i = 0; i < n; i++) {
		(*fds)[i] = open_patiently(address_at(list, i), key, end, why, sizeof(why));
		*nfds = (int)i + 1;
		if ((*fds)[i] == -1) {
			log_errorx("%s", why);
			rc = -1;
		}
	}
	return rc;
}

int
listen_open_all(void)
{
	int64_t end = now_ms() + LEAVE_MS;
	int rtmp = open_list("rtmp.listen", end, &sv.listen_rtmp, &sv.nlisten_rtmp);
	int http = open_list("http.listen", end, &sv.listen_http, &sv.nlisten_http);
	int webrtc = listen_webrtc_open(end);

	if (rtmp == 0 && http == 0 && webrtc == 0)
		return 0;
	listen_close_all();
	return -1;
}

static void
close_list(int **fds, int *nfds)
{
	int i;

	for (i = 0; i < *nfds; i++)
		if ((*fds)[i] != -1)
			close((*fds)[i]);
	free(*fds);
	*fds = NULL;
	*nfds = 0;
}

void
listen_close_all(void)
{
	report_unnote(&notes[0]);
	report_unnote(&notes[1]);
	report_unnote(&notes[2]);
	close_list(&sv.listen_rtmp, &sv.nlisten_rtmp);
	close_list(&sv.listen_http, &sv.nlisten_http);
	listen_webrtc_close();
}

/* The descriptor that already listens there, or -1. */
static int
find_open(const json_t *list, const int *fds, int nfds, const char *text)
{
	int i;

	for (i = 0; i < nfds; i++)
		if (strcmp(address_at(list, (size_t)i), text) == 0)
			return fds[i];
	return -1;
}

/* Closes those of a that b does not have. */
static void
close_missing(const int *a, int na, const int *b, int nb)
{
	int i, j;

	for (i = 0; i < na; i++) {
		for (j = 0; j < nb && b[j] != a[i]; j++)
			;
		if (j == nb)
			close(a[i]);
	}
}

/* True if the list changed and stands; else nothing has changed, and *note may say why. */
static bool
reload_list(const char *key, const json_t *from, const json_t *to, char **note, int **fds, int *nfds)
{
	json_t *old = conf_get(from, key), *new = conf_get(to, key);
	size_t i, n = json_array_size(new);
	int *fresh;
	char why[400];

	report_unnote(note);
	if (json_equal(old, new))
		return false;
	if (conf_listen_moves(old, new)) {	/* as the plan says */
		json_array_clear(new);
		json_array_extend(new, old);
		return false;
	}
	fresh = xcalloc(n + 1, sizeof(*fresh));
	for (i = 0; i < n; i++) {
		fresh[i] = find_open(old, *fds, *nfds, address_at(new, i));
		if (fresh[i] == -1)
			fresh[i] = open_one(address_at(new, i), key, why, sizeof(why));
		if (fresh[i] == -1) {
			*note = xasprintf("%s: %s", key, why);
			report_note(*note);
			close_missing(fresh, (int)i, *fds, *nfds);
			free(fresh);
			json_array_clear(new);
			json_array_extend(new, old);
			return false;
		}
	}
	close_missing(*fds, *nfds, fresh, (int)n);
	free(*fds);
	*fds = fresh;
	*nfds = (int)n;
	return true;
}

/* By now sv.conf is the new one. Connections wait in the backlog meanwhile. */
static void
reload_done_cb(evutil_socket_t fd, short what, void *ctx)
{
	if (rtmp_changed && !sv.stopping)
		accept_start();
	if (http_changed && !sv.stopping)
		child_stop_kind(KIND_HTTP, "http.listen has changed");
	/* With another number of them every name belongs to another one. */
	if (webrtc_changed && !sv.stopping)
		child_stop_kind(KIND_WEBRTC, "its ports or webrtc.workers have changed");
	rtmp_changed = http_changed = webrtc_changed = false;
}

static void
reload_webrtc(const json_t *from, json_t *to)
{
	char why[400];

	report_unnote(&notes[2]);
	webrtc_changed |= listen_webrtc_reload(from, to, why, sizeof(why));
	if (why[0] != '\0') {
		notes[2] = xasprintf("webrtc.listen: %s", why);
		report_note(notes[2]);
	}
}

/* The plan said that it changes now: it does not. */
static void
move_failed(json_t *plan, const char *key, const char *note)
{
	json_t *now = json_object_get(plan, "now"), *line;
	size_t i, len = strlen(key);

	if (note == NULL)
		return;
	json_array_foreach(now, i, line)
		if (strncmp(json_string_value(line), key, len) == 0 && json_string_value(line)[len] == ':')
			break;
	if (i < json_array_size(now))
		json_array_remove(now, i);
	json_array_append_new(json_object_get(plan, "failed"), msg_text(note, strlen(note)));
}

void
listen_reload(const json_t *from, json_t *to, json_t *plan)
{
	bool rtmp = !json_equal(conf_get(from, "rtmp.listen"), conf_get(to, "rtmp.listen"));
	struct timeval now = { 0, 0 };

	if (rtmp)
		accept_stop();
	rtmp_changed |= rtmp;
	reload_list("rtmp.listen", from, to, &notes[0], &sv.listen_rtmp, &sv.nlisten_rtmp);
	http_changed |= reload_list("http.listen", from, to, &notes[1], &sv.listen_http, &sv.nlisten_http);
	reload_webrtc(from, to);
	move_failed(plan, "rtmp.listen", notes[0]);
	move_failed(plan, "http.listen", notes[1]);
	move_failed(plan, "webrtc.listen", notes[2]);
	if (rtmp_changed || http_changed || webrtc_changed)
		event_base_once(sv.base, -1, EV_TIMEOUT, reload_done_cb, NULL, &now);
}
