/*
 * svc.c - the skeleton of every child (contract in svc.h): descriptors, HELLO, heartbeat,
 * messages by table, questions to other kinds, the loop, and a last BYE.
 *
 * It decides nothing about the child's work and keeps one thing only: the struct svc of
 * this process. svc_run() is called by the child's main(), the rest by its handlers.
 */
#include "svc.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "conf.h"
#include "log.h"
#include "util.h"

#define BYE_FLUSH_MS 500

struct call {
	struct call *next;
	uint32_t id;
	struct event *timer;
	int rc;			/* what its timer's end means */
	svc_reply_cb cb;
	void *ctx;
};

static struct {
	struct svc *svc;
	struct event *beat, *term;
	struct call *calls;
	uint32_t next_id;
	char *bye_reason;
	const char *late_reason;		/* svc_exit_after() */
	char *title;
	size_t title_size;
} sk;

static void
last_words(enum log_level level, const char *text)
{
	struct board_page *p = sk.svc->page;
	bool inside = p->seq & 1;	/* whoever logs may be writing the page himself */

	if (!inside)
		board_begin(&p->seq);
	str_copy(p->last_words, text, sizeof(p->last_words));
	if (!inside)
		board_end(&p->seq);
}

static void
beat_cb(evutil_socket_t fd, short what, void *ctx)
{
	struct svc *s = ctx;

	board_begin(&s->page->seq);
	s->page->beat_ms = now_ms();
	s->page->log_dropped = log_dropped();
	board_end(&s->page->seq);
}

static void
call_done(struct call *c, int rc, json_t *body)
{
	struct call **p = &sk.calls;

	while (*p != c)
		p = &(*p)->next;
	*p = c->next;
	event_free(c->timer);
	c->cb(sk.svc, rc, body, c->ctx);
	free(c);
}

static void
call_timeout_cb(evutil_socket_t fd, short what, void *ctx)
{
	struct call *c = ctx;

	call_done(c, c->rc, NULL);
}

void
svc_call(struct svc *s, const char *to, const char *verb, json_t *args, int deadline_ms,
    svc_reply_cb cb, void *ctx)
{
	struct timeval tv = { deadline_ms / 1000, deadline_ms % 1000 * 1000 };
	struct call *c = xcalloc(1, sizeof(*c));
	json_t *body = json_pack("{s:s, s:s, s:o, s:i}", "to", to, "verb", verb,
	    "args", args != NULL ? args : json_object(), "deadline_ms", deadline_ms);

	c->id = ++sk.next_id;
	c->cb = cb;
	c->ctx = ctx;
	c->timer = evtimer_new(s->base, call_timeout_cb, c);
	c->next = sk.calls;
	sk.calls = c;
	c->rc = ETIMEDOUT;
	if (svc_send(s, MSG_CALL, c->id, body) < 0) {
		/* Never before this returns: the caller may still be putting its own state together. */
		c->rc = errno;
		tv = (struct timeval){ 0, 0 };
	}
	event_add(c->timer, &tv);
}

static void
on_reply(struct msg *m)
{
	for (struct call *c = sk.calls; c != NULL; c = c->next)
		if (c->id == m->id) {
			call_done(c, (int)msg_int_or(m, "rc", EBADMSG), json_object_get(m->body, "body"));
			return;
		}
}

void
svc_reply(struct svc *s, const struct msg *call, int rc, json_t *body)
{
	svc_send(s, MSG_REPLY, call->id, json_pack("{s:i, s:o}", "rc", rc,
	    "body", body != NULL ? body : json_object()));
}

static void
on_config(struct svc *s, struct msg *m)
{
	int fd = msg_take_fd(m, 0);
	json_t *conf = fd >= 0 ? conf_read_fd(fd) : NULL;

	if (fd >= 0)
		close(fd);
	if (conf == NULL) {
		log_warnx("a new config could not be read; the old one stays");
		return;
	}
	json_decref(s->conf);
	s->conf = conf;
	conf_apply_log(s->conf);
	if (s->ops->config != NULL)
		s->ops->config(s);
}

static void
on_loglevel(struct msg *m)
{
	const char *name = msg_str(m, "level");
	enum log_level l;

	if (name != NULL && log_level_parse(name, &l) == 0)
		log_set_level(l);
}

static void
on_message(struct msg_chan *chan, struct msg *m, void *ctx)
{
	struct svc *s = ctx;

	if (m == NULL) {
		msg_chan_free(&s->control);
		while (sk.calls != NULL)
			call_done(sk.calls, EPIPE, NULL);
		s->ops->stop(s, "supervisor gone", 5000);
		return;
	}
	for (const struct svc_handler *h = s->ops->handlers; h != NULL && h->type != 0; h++)
		if (h->type == m->type) {
			h->handle(s, m);
			return;
		}
	switch (m->type) {
	case MSG_REPLY:
		on_reply(m);
		break;
	case MSG_CONFIG:
		on_config(s, m);
		break;
	case MSG_LOGLEVEL:
		on_loglevel(m);
		break;
	case MSG_STOP:
		s->ops->stop(s, msg_str_or(m, "reason", "stop"), msg_int_or(m, "grace_ms", 10000));
		break;
	default:
		log_debug("ignored a %s", msg_type_name(m->type));
		break;
	}
}

static void
term_cb(evutil_socket_t sig, short what, void *ctx)
{
	struct svc *s = ctx;

	s->ops->stop(s, "SIGTERM", 5000);
}

/* The memory of argv, which ps shows. */
static void
title_take(int argc, char **argv)
{
	sk.title = argv[0];
	sk.title_size = (size_t)(argv[argc - 1] + strlen(argv[argc - 1]) - argv[0]) + 1;
}

void
svc_title(struct svc *s, const char *name)
{
	char text[128];

	snprintf(text, sizeof(text), "millrace-%s%s%s", s->kind, name[0] ? " " : "", name);
	memset(sk.title, 0, sk.title_size);
	str_copy(sk.title, text, sk.title_size);
	prctl(PR_SET_NAME, text);
	board_begin(&s->page->seq);
	str_copy(s->page->stream, name, sizeof(s->page->stream));
	board_end(&s->page->seq);
}

void
svc_ready(struct svc *s)
{
	svc_send(s, MSG_READY, 0, NULL);
}

int
svc_send_fds(struct svc *s, uint16_t type, uint32_t id, json_t *body, const int *fds, int nfds)
{
	if (s->control != NULL)
		return msg_send(s->control, type, id, body, fds, nfds);
	for (int i = 0; i < nfds; i++)
		close(fds[i]);
	json_decref(body);
	errno = EPIPE;
	return -1;
}

int
svc_send(struct svc *s, uint16_t type, uint32_t id, json_t *body)
{
	return svc_send_fds(s, type, id, body, NULL, 0);
}

void
svc_exit(struct svc *s, int code, const char *reason)
{
	s->exit_code = code;
	free(sk.bye_reason);
	sk.bye_reason = xstrdup(reason);
	event_base_loopbreak(s->base);
}

static void
late_cb(evutil_socket_t fd, short what, void *ctx)
{
	svc_exit(ctx, 0, sk.late_reason);
}

void
svc_exit_after(struct svc *s, int ms, const char *reason)
{
	struct timeval tv = { ms / 1000, ms % 1000 * 1000 };

	sk.late_reason = reason;
	if (event_base_once(s->base, -1, EV_TIMEOUT, late_cb, s, &tv) == -1)
		svc_exit(s, 0, reason);
}

static void
descriptors_take(struct svc *s)
{
	json_t *n;

	s->page = mmap(NULL, BOARD_PAGE_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, PROTO_FD_BOARD, 0);
	if (s->page == MAP_FAILED)
		fatal("board page: this program is started by millraced only");
	close(PROTO_FD_BOARD);
	s->page->version = BOARD_VERSION;
	s->page->size = sizeof(*s->page);
	s->conf = conf_read_fd(PROTO_FD_CONFIG);
	if (s->conf == NULL)
		fatal("config: this program is started by millraced only");
	close(PROTO_FD_CONFIG);
	n = conf_get(s->conf, "listeners");
	s->nlisteners = json_is_integer(n) ? (int)json_integer_value(n) : 0;
	for (int i = 0; i < s->nlisteners; i++)
		fd_cloexec_nonblock(PROTO_FD_LISTEN + i);
}

static void
skeleton_start(struct svc *s)
{
	struct timeval tv = { PROTO_BEAT_MS / 1000, PROTO_BEAT_MS % 1000 * 1000 };

	s->base = event_base_new();
	if (s->base == NULL)
		fatalx("no event loop");
	s->control = msg_chan_new(s->base, PROTO_FD_CONTROL, on_message, s);
	if (s->control == NULL)
		fatal("control channel");
	sk.beat = event_new(s->base, -1, EV_PERSIST, beat_cb, s);
	event_add(sk.beat, &tv);
	sk.term = evsignal_new(s->base, SIGTERM, term_cb, s);
	event_add(sk.term, NULL);
	beat_cb(-1, 0, s);
	svc_send(s, MSG_HELLO, 0, json_pack("{s:s, s:i}", "kind", s->kind, "pid", (int)getpid()));
}

static void
skeleton_end(struct svc *s)
{
	while (sk.calls != NULL)
		call_done(sk.calls, EPIPE, NULL);
	if (s->ops->cleanup != NULL)
		s->ops->cleanup(s);
	if (s->control != NULL) {
		svc_send(s, MSG_BYE, 0, json_pack("{s:s}", "reason",
		    sk.bye_reason != NULL ? sk.bye_reason : ""));
		msg_flush(s->control, BYE_FLUSH_MS);
	}
	msg_chan_free(&s->control);
	event_free(sk.beat);
	event_free(sk.term);
	event_base_free(s->base);
	json_decref(s->conf);
	log_set_hook(NULL);
	munmap(s->page, BOARD_PAGE_BYTES);
	free(sk.bye_reason);
}

int
svc_run(int argc, char **argv, const struct svc_ops *ops)
{
	static struct svc s;

	signal(SIGPIPE, SIG_IGN);
	signal(SIGHUP, SIG_IGN);	/* these two are the supervisor's, and reach it as a group */
	signal(SIGINT, SIG_IGN);
	log_init(ops->kind);
	s.kind = ops->kind;
	s.ops = ops;
	sk.svc = &s;
	descriptors_take(&s);
	conf_apply_log(s.conf);
	log_set_hook(last_words);
	title_take(argc, argv);
	skeleton_start(&s);
	if (ops->start(&s, argc, argv) < 0)
		s.exit_code = 1;
	else if (sk.bye_reason == NULL)		/* svc_exit() during start */
		event_base_dispatch(s.base);
	skeleton_end(&s);
	return s.exit_code;
}
