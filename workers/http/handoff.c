/*
 * handoff.c - requests that are not for http to answer: publishing over a WebSocket or by WHIP, uploads, rooms.
 * At the end of such a head the connection goes, with every byte read since the request began, to
 * the supervisor, which gives it to a process of its own, or a room's to the webrtc worker that
 * the room belongs to (HANDOFF in lib/proto.h).
 *
 * Until TAKEN nothing is read or written here, then our descriptor is closed. What was pipelined
 * before has been answered: conn_io.c takes one request at a time. Called by conn_io.c.
 */
#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "conf.h"
#include "http.h"
#include "log.h"
#include "util.h"
#include "ws_head.h"

#define M(method) (UINT64_C(1) << (method))
#define UPLOAD_METHODS (M(HTTP_POST) | M(HTTP_PATCH) | M(HTTP_PUT) | M(HTTP_HEAD) | M(HTTP_DELETE) | M(HTTP_OPTIONS))

static const struct {
	const char *path;	/* a name may follow if it ends with '/' */
	bool upgrade;		/* a WebSocket; else by method */
	uint64_t methods;
	const char *route;
} ways[] = {
	{ "/ws", true, M(HTTP_GET), "ws" },
	{ "/ws/", true, M(HTTP_GET), "ws" },
	{ "/v1/ws", true, M(HTTP_GET), "room" },
	{ "/frames", true, M(HTTP_GET), "frames" },
	{ "/frames/", true, M(HTTP_GET), "frames" },
	{ "/", true, M(HTTP_GET), "frames" },
	{ "/upload", true, M(HTTP_GET), "upload" },
	{ "/upload/", true, M(HTTP_GET), "upload" },
	{ "/whip/", false, M(HTTP_POST), "whip" },
	{ "/upload", false, UPLOAD_METHODS, "upload" },
	{ "/upload/", false, UPLOAD_METHODS, "upload" },
};

static uint32_t next_id;

static struct conn *
conn_of(struct request *r)
{
	return (struct conn *)(void *)((char *)r - offsetof(struct conn, req));
}

static bool
path_fits(const char *path, const char *way)
{
	size_t n = strlen(way);

	if (n > 1 && way[n - 1] == '/')
		return strncmp(path, way, n) == 0 && (path[n] != '\0' || strcmp(way, "/upload/") == 0) &&
		    (strcmp(way, "/whip/") != 0 || strchr(path + n, '/') == NULL);
	return strcmp(path, way) == 0;
}

/* /ws serves both: rooms for a publisher, files without a role. A viewer is http's own (rooms.c). */
static const char *
by_role(const struct request *r, const char *route)
{
	char role[16] = "";

	if (strcmp(route, "ws") != 0)
		return route;
	if (request_param(r, "role", role, sizeof(role)) < 0)
		return strcmp(request_path(r), "/ws") == 0 ? "upload" : "ws";
	return strcmp(role, "viewer") == 0 ? NULL : strcmp(role, "upload") == 0 ? "upload" : "ws";
}

bool
handoff_wanted(struct request *r)
{
	struct conn *c = conn_of(r);
	bool upgrade = ws_head_wants(r);

	for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++)
		if (ways[i].upgrade == upgrade && (ways[i].methods & M(request_method(r))) != 0 &&
		    path_fits(request_path(r), ways[i].path)) {
			c->route = by_role(r, ways[i].route);
			return c->route != NULL;
		}
	return false;
}

void
handoff_keep(struct conn *c, const uint8_t *p, size_t n)
{
	if (c->req.state != REQUEST_MORE || c->req.head_done) {
		free(c->raw);
		c->raw = NULL;
		c->raw_len = 0;
		return;
	}
	c->raw = xrealloc(c->raw, c->raw_len + n + 1);
	memcpy(c->raw + c->raw_len, p, n);
	c->raw_len += n;
}

/* What was read of it, in a file of its own: a message could not hold all of it. */
static int
raw_file(const struct conn *c, const uint8_t *p, size_t n)
{
	int fd = memfd_create("request", MFD_CLOEXEC);

	if (fd < 0)
		return -1;
	if (fd_write_all(fd, c->raw, c->raw_len) == 0 && fd_write_all(fd, p, n) == 0)
		return fd;
	close(fd);
	return -1;
}

static int
give(struct conn *c, const uint8_t *p, size_t n)
{
	struct sockaddr_storage local;
	socklen_t len = sizeof(local);
	char peer[NET_TEXT], here[NET_TEXT] = "", room[STREAM_NAME_MAX + 1] = "";
	int fds[2];

	memset(&local, 0, sizeof(local));
	if (getsockname(c->fd, (struct sockaddr *)&local, &len) == 0)
		net_format((struct sockaddr *)&local, here);
	net_format((const struct sockaddr *)&c->client.ss, peer);
	fds[1] = raw_file(c, p, n);
	if (fds[1] < 0)
		return -1;
	fds[0] = fcntl(c->fd, F_DUPFD_CLOEXEC, 3);
	if (fds[0] < 0) {
		close(fds[1]);
		return -1;
	}
	c->handoff = ++next_id != 0 ? next_id : ++next_id;
	request_param(&c->req, "roomID", room, sizeof(room));	/* of a room: checked */
	return svc_send_fds(http.svc, MSG_HANDOFF, c->handoff, json_pack("{s:s, s:o, s:s, s:s, s:b}", "route",
	    c->route, "name", msg_text(room, strlen(room)), "peer", peer, "local", here, "masked", c->masked), fds, 2);
}

/* NULL: it may go; else why not, and *status. A room's viewers need no right; its name is a stream's. */
static const char *
room_refusal(const struct request *r, int *status)
{
	char room[STREAM_NAME_MAX + 1];

	*status = 400;
	if (request_param(r, "roomID", room, sizeof(room)) < 0 || !stream_name_ok(room, strlen(room)))
		return "roomID is a stream's name: 1 to 64 letters, digits, \".\", \"_\" or \"-\".\n";
	*status = 503;
	return conf_int(http.svc->conf, "webrtc.workers") > 0 ? NULL : "WebRTC is off here (webrtc.workers is 0).\n";
}

bool
handoff_is_open(struct conn *c, const char *route)
{
	const json_t *routes = conf_get(http.svc->conf, "authorize.routes"), *one;
	char text[120];
	size_t i;

	json_array_foreach(routes, i, one)
		if (strcmp(json_string_value(one), route) == 0)
			return true;
	snprintf(text, sizeof(text), "Publishing by %s is not open here (authorize.routes).\n", route);
	conn_refuse(c, 403, text);
	return false;
}

void
handoff_start(struct conn *c, const uint8_t *p, size_t n)
{
	bool room = strcmp(c->route, "room") == 0;
	const char *why;
	int status;

	http.count.requests++;
	c->idle = false;
	c->closing = true;	/* should it come back: what follows the head can't be read as requests */
	conn_set_quiet(c, false);
	dispatch_client(c);
	if (room && (why = room_refusal(&c->req, &status)) != NULL) {
		conn_refuse(c, status, why);
		return;
	}
	if (!room && !handoff_is_open(c, c->route))
		return;
	c->waiting = true;
	c->since_ms = now_ms();
	event_del(c->ev);
	if (give(c, p, n) < 0) {
		log_warn("a connection cannot be handed over");
		c->handoff = 0;
		conn_refuse(c, 503, "This server cannot take you now; try again soon.\n");
	}
	free(c->raw);
	c->raw = NULL;
	c->raw_len = 0;
}

static struct conn *
find(uint32_t id)
{
	struct conn *c;

	TAILQ_FOREACH(c, &http.conns, entry)
		if (id != 0 && c->handoff == id)
			return c;
	return NULL;
}

void
handoff_taken(struct svc *s, struct msg *m)
{
	struct conn *c = find(m->id);

	if (c != NULL)
		conn_end(c);
}

void
handoff_refused(struct svc *s, struct msg *m)
{
	struct conn *c = find(m->id);
	char text[200];

	if (c == NULL)
		return;
	c->handoff = 0;
	snprintf(text, sizeof(text), "%s; try again later.\n",
	    msg_str_or(m, "text", "This server cannot take you now"));
	conn_refuse(c, strcmp(msg_str_or(m, "code", ""), "address") == 0 ? 429 : 503, text);
}
