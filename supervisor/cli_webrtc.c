/*
 * cli_webrtc.c - what the webrtc workers say in status: who watches that way, and who wanted to and
 * could not be reached, since then a port has to be opened. Called by cli_text.c and cli_json.c.
 */
#include <string.h>

#include "supervisor/cli.h"

/* All workers of this host as one; false: there is none. */
static bool
sum(const struct cli_snap *s, struct board_webrtc *out)
{
	const struct board_proc *p;
	bool any = false;

	memset(out, 0, sizeof(*out));
	for (p = s->procs; p < s->procs + s->nprocs; p++) {
		const struct board_webrtc *w = &p->page.webrtc;

		if (strcmp(p->kind, "webrtc") != 0 || p->pid == 0)
			continue;
		any = true;
		out->viewers += w->viewers;
		out->sessions += w->sessions;
		out->rooms += w->rooms;
		out->tcp += w->tcp;
		out->viewers_total += w->viewers_total;
		out->no_ice += w->no_ice;
		out->failed += w->failed;
		out->refused += w->refused;
		out->sent_bytes += w->sent_bytes;
		out->sent_packets += w->sent_packets;
		out->dropped += w->dropped;
		out->lost += w->lost;
		out->nacks += w->nacks;
		out->retransmitted += w->retransmitted;
		out->plis += w->plis;
		if (w->last_no_ice_ms > out->last_no_ice_ms)
			out->last_no_ice_ms = w->last_no_ice_ms;
	}
	return any;
}

static json_t *
ports(const struct cli_snap *s)
{
	json_t *list = json_array();
	const struct board_proc *p;

	for (p = s->procs; p < s->procs + s->nprocs; p++)
		if (strcmp(p->kind, "webrtc") == 0 && p->page.webrtc.port != 0)
			json_array_append_new(list, json_integer(p->page.webrtc.port));
	return list;
}

json_t *
cli_json_webrtc(const struct cli_snap *s)
{
	struct board_webrtc w;
	json_t *o;

	if (!sum(s, &w))
		return json_null();
	o = json_pack("{s:o, s:i, s:i, s:i, s:i, s:I, s:I, s:I, s:I}", "ports", ports(s), "viewers", (int)w.viewers,
	    "sessions", (int)w.sessions, "rooms", (int)w.rooms, "tcp", (int)w.tcp,
	    "viewers_total", (json_int_t)w.viewers_total, "unreached", (json_int_t)w.no_ice,
	    "failed", (json_int_t)w.failed, "refused", (json_int_t)w.refused);
	json_object_set_new(o, "sent_bytes", json_integer((json_int_t)w.sent_bytes));
	json_object_set_new(o, "sent_packets", json_integer((json_int_t)w.sent_packets));
	json_object_set_new(o, "dropped_packets", json_integer((json_int_t)w.dropped));
	json_object_set_new(o, "lost_packets", json_integer((json_int_t)w.lost));
	json_object_set_new(o, "retransmitted_packets", json_integer((json_int_t)w.retransmitted));
	json_object_set_new(o, "nacks", json_integer((json_int_t)w.nacks));
	json_object_set_new(o, "plis", json_integer((json_int_t)w.plis));
	return o;
}

static void
print_ports(const struct cli_snap *s, FILE *out)
{
	json_t *list = ports(s), *port;
	size_t i;

	json_array_foreach(list, i, port)
		fprintf(out, "%s%lld", i == 0 ? "port " : ", ", (long long)json_integer_value(port));
	json_decref(list);
}

/* Nothing as long as nobody has used it. */
void
cli_text_webrtc(const struct cli_snap *s, FILE *out)
{
	struct board_webrtc w;
	char text[CLI_FORMAT];

	if (!sum(s, &w) || w.viewers_total + w.no_ice + w.failed + w.sessions == 0)
		return;
	fprintf(out, "\nwebrtc %u viewer%s on ", w.viewers, w.viewers == 1 ? "" : "s");
	print_ports(s, out);
	if (w.tcp > 0)
		fprintf(out, " (%u by TCP)", w.tcp);
	fprintf(out, "; %s sent", cli_bytes((int64_t)w.sent_bytes, text));
	if (w.sent_packets > 0)
		fprintf(out, ", %.2g %% lost", 100 * (double)w.lost / (double)w.sent_packets);
	fputc('\n', out);
	if (w.no_ice > 0)
		fprintf(out, "  %llu could not reach it, the last one %s ago: is that port open, UDP and TCP?\n",
		    (unsigned long long)w.no_ice, cli_age(s->h.beat_ms - w.last_no_ice_ms, text));
}
