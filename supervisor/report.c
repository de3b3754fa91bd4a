/*
 * report.c - once a second: the children's pages into run/board, what the table knows into
 * the process slots, our own beat and health into the header. Readers need nobody's answer.
 *
 * What is wrong is health.c's to say. Only slots in use are touched, and of a page only what its
 * writer filled. The same tick asks child_work.c to look for hung children and pats systemd's
 * watchdog: a supervisor whose loop hangs stops doing all three.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "conf.h"
#include "log.h"
#include "supervisor/refusals.h"
#include "supervisor/supervisor.h"
#include "util.h"

static struct event *tick;

static size_t
find_note(const char *text)
{
	size_t i;

	for (i = 0; i < json_array_size(sv.notes); i++)
		if (strcmp(json_string_value(json_array_get(sv.notes, i)), text) == 0)
			break;
	return i;
}

void
report_note(const char *text)
{
	if (sv.notes == NULL)
		sv.notes = json_array();
	if (find_note(text) < json_array_size(sv.notes))
		return;
	log_warnx("%s", text);
	json_array_append_new(sv.notes, msg_text(text, strlen(text)));
}

void
report_notes_again(void)
{
	const json_t *note;
	size_t i;

	json_array_foreach(sv.notes, i, note)
		log_warnx("%s", json_string_value(note));
}

void
report_unnote(char **text)
{
	if (*text != NULL && find_note(*text) < json_array_size(sv.notes))
		json_array_remove(sv.notes, find_note(*text));
	free(*text);
	*text = NULL;
}

void
report_end_strings(struct board_page *page, enum child_kind kind)
{
	page->stream[sizeof(page->stream) - 1] = '\0';
	page->state[sizeof(page->state) - 1] = '\0';
	page->last_words[sizeof(page->last_words) - 1] = '\0';
	if (kind == KIND_INGEST) {
		page->media.encoder[sizeof(page->media.encoder) - 1] = '\0';
		page->media.warning[sizeof(page->media.warning) - 1] = '\0';
		page->media.feed.video_why[sizeof(page->media.feed.video_why) - 1] = '\0';
		page->media.feed.audio_why[sizeof(page->media.feed.audio_why) - 1] = '\0';
	} else if (kind == KIND_JOBS) {
		page->jobs.id[sizeof(page->jobs.id) - 1] = '\0';
		page->jobs.kind[sizeof(page->jobs.kind) - 1] = '\0';
		page->jobs.file[sizeof(page->jobs.file) - 1] = '\0';
		page->jobs.waits_for[sizeof(page->jobs.waits_for) - 1] = '\0';
	} else if (kind == KIND_REGISTRY)
		page->registry.redis_error[sizeof(page->registry.redis_error) - 1] = '\0';
	else if (kind == KIND_HOOKS)
		page->hooks.error[sizeof(page->hooks.error) - 1] = '\0';
}

static void
report_child(struct child *c, void *ctx)
{
	struct board_page page;
	const char *kind = c->spare ? "spare" : child_kind_name(c->kind);
	struct board_proc *p;
	bool fresh, other;

	if (c->board_slot >= BOARD_PROCS)
		return;
	if (c->start_ticks == 0 && c->pid > 0 && c->state != CHILD_BACKOFF)
		c->start_ticks = board_start_ticks(c->pid);
	fresh = c->page != NULL && board_read_page(c->page, &page) == 0;
	p = board_proc(sv.board, c->board_slot);
	board_begin(&p->seq);
	p->pid = c->pid > 0 ? c->pid : -1;	/* 0 would be a free slot */
	p->start_ticks = c->start_ticks;
	other = p->started_wall_ms == 0 || strcmp(p->kind, kind) != 0;
	str_copy(p->kind, kind, sizeof(p->kind));
	str_copy(p->state, child_state_name(c), sizeof(p->state));
	str_copy(p->output, c->output != NULL ? output_name(c->output) : "", sizeof(p->output));
	if (other || c->restarts != p->restarts)
		p->started_wall_ms = wall_ms() - (now_ms() - (c->conn_ms != 0 ? c->conn_ms : c->started_ms));
	p->restarts = c->restarts;
	p->backoff_ms = child_backoff_ms(c);
	str_copy(p->reason, c->reason[0] != '\0' ? c->reason : c->last_death, sizeof(p->reason));
	if (fresh) {
		report_end_strings(&page, c->kind);
		p->page = page;
	}
	if (p->page.stream[0] == '\0')
		str_copy(p->page.stream, c->name, sizeof(p->page.stream));
	board_end(&p->seq);
}

static void
join_addresses(const char *key, char *out, size_t size)
{
	json_t *list = conf_get(sv.conf, key), *entry;
	size_t i, used = 0;
	int n;

	out[0] = '\0';
	json_array_foreach(list, i, entry) {
		n = snprintf(out + used, size - used, "%s%s", i > 0 ? " " : "",
		    json_string_value(json_object_get(entry, "address")));
		if (n < 0 || (size_t)n >= size - used)
			return;
		used += (size_t)n;
	}
}

/* Where browsers watch, and where WHIP publishes: the ports that are bound, and a range, for the firewall. */
static void
webrtc_addresses(struct board_header *h)
{
	json_t *routes = conf_get(sv.conf, "authorize.routes"), *one;
	size_t i;

	listen_webrtc_show(h->webrtc_listen, sizeof(h->webrtc_listen));
	h->whip_ports[0] = '\0';
	json_array_foreach(routes, i, one)
		if (strcmp(json_string_value(one), "whip") == 0)
			str_copy(h->whip_ports, conf_str(sv.conf, "webrtc.ingest_ports"), sizeof(h->whip_ports));
}

static void
join_notes(char *out, size_t size)
{
	json_t *note;
	size_t i, used = 0;
	int n;

	out[0] = '\0';
	json_array_foreach(sv.notes, i, note) {
		n = snprintf(out + used, size - used, "%s%s", i > 0 ? "\n" : "",
		    json_string_value(note));
		if (n < 0 || (size_t)n >= size - used)
			return;
		used += (size_t)n;
	}
}

static void
report_header(void)
{
	struct board_header *h = board_header(sv.board);
	char health[sizeof(h->health)];

	health_diagnose(health, sizeof(health));
	board_begin(&h->seq);
	h->beat_ms = now_ms();
	h->accepted = sv.accepted;
	h->refused = sv.refused;
	h->connections = accept_connections();
	h->log_dropped = log_dropped();
	str_copy(h->health, sv.stopping ? "stopping" : health, sizeof(h->health));
	join_notes(h->notes, sizeof(h->notes));
	join_addresses("rtmp.listen", h->rtmp_listen, sizeof(h->rtmp_listen));
	join_addresses("http.listen", h->http_listen, sizeof(h->http_listen));
	webrtc_addresses(h);
	board_end(&h->seq);
}

void
report_now(void)
{
	child_each(report_child, NULL);
	streams_report();
	report_header();
}

static void
tick_cb(evutil_socket_t fd, short what, void *ctx)
{
	child_check_all();
	accept_flush(now_ms());
	refusals_flush(now_ms(), false);
	report_now();
	if (getenv("WATCHDOG_USEC") != NULL)
		notify_send("WATCHDOG=1");
}

static void
fill_identity(void)
{
	struct board_header *h = board_header(sv.board);

	board_begin(&h->seq);
	h->pid = getpid();
	h->start_ticks = board_start_ticks(h->pid);
	h->started_wall_ms = wall_ms();
	str_copy(h->host, sv.host, sizeof(h->host));
	str_copy(h->host_id, sv.host_id, sizeof(h->host_id));
	str_copy(h->app_version, MILLRACE_VERSION, sizeof(h->app_version));
	board_end(&h->seq);
}

void
report_start(void)
{
	struct timeval second = { 1, 0 };

	fill_identity();
	report_now();
	tick = event_new(sv.base, -1, EV_PERSIST, tick_cb, NULL);
	if (tick == NULL)
		fatalx("out of memory");
	event_add(tick, &second);
}

void
report_stop(void)
{
	refusals_flush(now_ms(), true);
	if (tick != NULL)
		event_free(tick);
	tick = NULL;
}
