/*
 * control.c - run/control.sock, where the CLI (or a script of root's) tells the supervisor
 * what to do: KICK, RELOAD, SHUTDOWN, LOGLEVEL, and CALLs to workers. Status is not asked
 * here: it is read from run/board, which needs nobody's answer.
 *
 * Who may: the socket's mode keeps others out, and the kernel's word about the peer
 * (SO_PEERCRED, SO_PEERGROUPS: no name service, which might block) is checked again:
 * root, our own uid, members of control.group. Never a process of ours, though it has our uid:
 * they say what they have to say over their own channel, where route.c judges it.
 * A client has one minute per message. Started and stopped by main.c; a reload is in control_reload.c.
 */
#include <errno.h>
#include <grp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "conf.h"
#include "log.h"
#include "supervisor/supervisor.h"
#include "util.h"

#define CONTROL_IDLE_SEC 60
#define CONTROL_GROUPS 256

struct client {
	struct client *next;
	struct msg_chan *chan;
	struct event *idle;
	uid_t uid;
};

static struct client *clients;
static bool full_said;
static int listener = -1;
static struct event *accept_event;
static gid_t group = (gid_t)-1;
static struct sockaddr_un address;

static void
client_free(struct client *cl)
{
	struct client **p;

	for (p = &clients; *p != cl; p = &(*p)->next)
		;
	*p = cl->next;
	full_said = full_said && clients != NULL;
	route_forget(cl->chan);
	msg_chan_free(&cl->chan);
	event_free(cl->idle);
	free(cl);
}

static void
reply(struct client *cl, const struct msg *m, int rc, json_t *body)
{
	json_t *answer = json_pack("{s:i, s:o}", "rc", rc, "body",
	    body != NULL ? body : json_object());

	if (msg_send(cl->chan, MSG_REPLY, m->id, answer, NULL, 0) == -1)
		log_debug("a control client does not read its answers");
}

static void
on_kick(struct client *cl, struct msg *m)
{
	const char *name = msg_str(m, "name");

	reply(cl, m, name == NULL ? EINVAL : streams_kick(name) == 0 ? 0 : ENOENT, NULL);
}

static void
on_reload(struct client *cl, struct msg *m)
{
	json_t *body = control_reload(json_is_true(json_object_get(m->body, "dry_run")));
	bool wrong = json_array_size(json_object_get(body, "errors")) > 0;

	reply(cl, m, wrong ? EINVAL : 0, body);
}

static void
on_shutdown(struct client *cl, struct msg *m)
{
	reply(cl, m, 0, NULL);
	stop_begin("told by the CLI");
}

static void
tell_level(struct child *c, void *ctx)
{
	json_t *body;

	if (c->control == NULL)
		return;
	body = json_pack("{s:s}", "level", (const char *)ctx);
	if (msg_send(c->control, MSG_LOGLEVEL, 0, body, NULL, 0) == -1)
		log_debug("%s keeps its log level", child_kind_name(c->kind));
}

static void
on_loglevel(struct client *cl, struct msg *m)
{
	const char *text = msg_str(m, "level");
	enum log_level level;

	if (text == NULL || log_level_parse(text, &level) == -1) {
		reply(cl, m, EINVAL, NULL);
		return;
	}
	log_set_level(level);
	child_config_level(text);
	child_each(tell_level, (void *)text);
	log_info("log level is now %s, until the next restart or reload", text);
	reply(cl, m, 0, NULL);
}

static void
on_call(struct client *cl, struct msg *m)
{
	route_relay(cl->chan, m);
}

static const struct {
	uint16_t type;
	void (*handle)(struct client *, struct msg *);
} verbs[] = {
	{ MSG_KICK, on_kick }, { MSG_RELOAD, on_reload }, { MSG_SHUTDOWN, on_shutdown },
	{ MSG_LOGLEVEL, on_loglevel }, { MSG_CALL, on_call },
};

static void
client_cb(struct msg_chan *chan, struct msg *m, void *ctx)
{
	struct timeval idle = { CONTROL_IDLE_SEC, 0 };
	struct client *cl = ctx;
	size_t i;

	if (m == NULL) {
		client_free(cl);
		return;
	}
	evtimer_add(cl->idle, &idle);
	for (i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++)
		if (verbs[i].type == m->type) {
			log_debug("uid %u says %s", (unsigned)cl->uid, msg_type_name(m->type));
			verbs[i].handle(cl, m);
			return;
		}
	reply(cl, m, ENOSYS, NULL);
}

static void
idle_cb(evutil_socket_t fd, short what, void *ctx)
{
	client_free(ctx);
}

static bool
in_group(int fd)
{
	gid_t groups[CONTROL_GROUPS];
	socklen_t len = sizeof(groups);
	size_t i;

	if (group == (gid_t)-1 || getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, groups, &len) == -1)
		return false;
	for (i = 0; i < len / sizeof(groups[0]); i++)
		if (groups[i] == group)
			return true;
	return false;
}

static bool
may(int fd, struct ucred *cred)
{
	socklen_t len = sizeof(*cred);

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, cred, &len) == -1)
		return false;
	return cred->uid == 0 || cred->uid == geteuid() ||
	    (group != (gid_t)-1 && cred->gid == group) || in_group(fd);
}

static void
refuse(int fd, const struct ucred *cred, bool ours)
{
	if (ours)
		log_warnx("control.sock: pid %d is one of our own processes, which have nothing to do here: refused",
		    (int)cred->pid);
	else
		log_warnx("control.sock: uid %u is neither root, our own nor in control.group", (unsigned)cred->uid);
	close(fd);
}

static unsigned
client_count(void)
{
	const struct client *cl;
	unsigned n = 0;

	for (cl = clients; cl != NULL; cl = cl->next)
		n++;
	return n;
}

static void
client_new(int fd, const struct ucred *cred)
{
	struct timeval idle = { CONTROL_IDLE_SEC, 0 };
	struct client *cl = xcalloc(1, sizeof(*cl));

	cl->uid = cred->uid;
	cl->idle = evtimer_new(sv.base, idle_cb, cl);
	cl->chan = msg_chan_new(sv.base, fd, client_cb, cl);
	if (cl->idle == NULL || cl->chan == NULL)
		fatalx("out of memory");
	cl->next = clients;
	clients = cl;
	evtimer_add(cl->idle, &idle);
}

static void
resume_cb(evutil_socket_t fd, short what, void *ctx)
{
	if (accept_event != NULL)
		event_add(accept_event, NULL);
}

static void
accept_cb(evutil_socket_t fd, short what, void *ctx)
{
	struct timeval pause = { 1, 0 };
	struct ucred cred = { 0, 0, 0 };
	int client = accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	bool welcome, ours;

	if (client == -1) {
		if (errno == EMFILE || errno == ENFILE || errno == ENOMEM) {	/* it would call at once again */
			event_del(accept_event);
			event_base_once(sv.base, -1, EV_TIMEOUT, resume_cb, NULL, &pause);
		}
		return;
	}
	welcome = may(client, &cred);
	ours = child_has_pid(cred.pid);
	if (!welcome || ours)
		refuse(client, &cred, ours);
	else if (client_count() >= conf_int(sv.conf, "limits.control")) {
		if (!full_said)
			log_warnx("control.sock has %u clients, limits.control: who comes now is turned away",
			    client_count());
		full_said = true;
		close(client);
	} else
		client_new(client, &cred);
}

static int
give(const char *file, gid_t gid)
{
	char path[sizeof(address.sun_path) + 8];

	if (path_join(path, sizeof(path), conf_str(sv.conf, "run_dir"), file) == -1)
		return -1;
	return chown(path, (uid_t)-1, gid);
}

/* Who else may connect and read the board: the group, if we may give these and their folder to it. */
static void
open_to_group(void)
{
	const char *name = conf_str(sv.conf, "control.group");
	struct group *gr = name[0] != '\0' ? getgrnam(name) : NULL;
	char note[400], who[64];

	if (name[0] == '\0')
		return;
	if (gr == NULL) {
		snprintf(note, sizeof(note), "control.group: there is no group \"%.60s\": addgroup --system %.60s,"
		    " then restart", name, name);
		report_note(note);
	} else if (give("control.sock", gr->gr_gid) == -1 || give("board", gr->gr_gid) == -1 ||
	    give("", gr->gr_gid) == -1) {
		snprintf(note, sizeof(note), "control.group: members of \"%.60s\" cannot use millrace yet, because"
		    " %s, which millraced runs as, is none of them: adduser %s %.60s, then restart", name,
		    account_name(who, sizeof(who)), who, name);
		report_note(note);
	} else
		group = gr->gr_gid;
}

int
control_start(void)
{
	mode_t mask;
	int rc;

	address.sun_family = AF_UNIX;
	if (path_join(address.sun_path, sizeof(address.sun_path), conf_str(sv.conf, "run_dir"),
	    "control.sock") == -1) {
		log_errorx("run_dir is too long for a socket");
		return -1;
	}
	/* data_dir's lock says that whoever left this behind is gone. */
	unlink(address.sun_path);
	listener = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (listener == -1)
		return -1;
	mask = umask(0117);
	rc = bind(listener, (struct sockaddr *)&address, sizeof(address));
	umask(mask);
	if (rc == -1 || listen(listener, SOMAXCONN) == -1) {
		log_error("%s", address.sun_path);
		return -1;
	}
	open_to_group();
	accept_event = event_new(sv.base, listener, EV_READ | EV_PERSIST, accept_cb, NULL);
	if (accept_event == NULL || event_add(accept_event, NULL) == -1)
		fatalx("out of memory");
	return 0;
}

void
control_stop(void)
{
	while (clients != NULL) {
		msg_flush(clients->chan, 0);
		client_free(clients);
	}
	if (accept_event != NULL)
		event_free(accept_event);
	accept_event = NULL;
	if (listener == -1)
		return;
	close(listener);
	listener = -1;
	unlink(address.sun_path);
}
