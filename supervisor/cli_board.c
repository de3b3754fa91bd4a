/*
 * cli_board.c - run_dir/board to a snapshot: header, processes, streams, and whether the
 * supervisor that wrote it lives.
 *
 * Asks nobody: a hung supervisor is known by its old beat, a dead one by its pid (or another
 * process of that pid, known by its start time). Used by every view of cli_status.c.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "supervisor/cli.h"
#include "util.h"

static int
by_kind(const void *a, const void *b)
{
	const struct board_proc *x = a, *y = b;
	int d = strcmp(x->kind, y->kind);

	return d != 0 ? d : (x->pid > y->pid) - (x->pid < y->pid);
}

static int
by_name(const void *a, const void *b)
{
	return strcmp(((const struct board_stream *)a)->name, ((const struct board_stream *)b)->name);
}

static void
copy_slots(struct cli_snap *s, struct board *b)
{
	unsigned i;

	s->procs = xcalloc(BOARD_PROCS, sizeof(*s->procs));
	s->streams = xcalloc(BOARD_STREAMS, sizeof(*s->streams));
	for (i = 0; i < BOARD_PROCS; i++)
		if (board_read_proc(b, i, &s->procs[s->nprocs]) == 0)
			s->nprocs++;
	for (i = 0; i < BOARD_STREAMS; i++)
		if (board_read_stream(b, i, &s->streams[s->nstreams]) == 0)
			s->nstreams++;
	qsort(s->procs, s->nprocs, sizeof(*s->procs), by_kind);
	qsort(s->streams, s->nstreams, sizeof(*s->streams), by_name);
}

static enum cli_state
judge(const struct cli_snap *s)
{
	int64_t rss, cpu;

	/* A zombie keeps its pid but has no memory: nobody has reaped it, dead it is. */
	if (s->h.start_ticks == 0 || board_proc_usage(s->h.pid, s->h.start_ticks, &rss, &cpu) == -1 ||
	    rss == 0)
		return CLI_STATE_DEAD;
	return s->beat_age_ms > CLI_HUNG_MS ? CLI_STATE_HUNG : CLI_STATE_UP;
}

int
cli_snap_read(struct cli_snap *s, const char *run_dir)
{
	struct board *b;
	char path[512];

	memset(s, 0, sizeof(*s));
	s->segment_ms = 1000;
	s->now_ms = now_ms();
	s->wall_ms = wall_ms();
	if (path_join(path, sizeof(path), run_dir, "board") == -1)
		return -1;
	b = board_open(path);
	if (b == NULL)
		return errno == ENOENT ? 0 : -1;
	if (board_read_header(b, &s->h) == -1) {
		board_close(&b);
		return -1;
	}
	copy_slots(s, b);
	board_close(&b);
	s->beat_age_ms = s->h.beat_ms > s->now_ms ? -1 : s->now_ms - s->h.beat_ms;
	s->state = judge(s);
	return 0;
}

void
cli_snap_free(struct cli_snap *s)
{
	free(s->procs);
	free(s->streams);
	json_decref(s->hosts);
	json_decref(s->cluster);
	memset(s, 0, sizeof(*s));
}

const struct board_media *
cli_snap_media(const struct cli_snap *s, const struct board_stream *b)
{
	unsigned i;

	for (i = 0; i < s->nprocs && b->ingest_pid > 0; i++)
		if (s->procs[i].pid == b->ingest_pid && strcmp(s->procs[i].kind, "ingest") == 0)
			return &s->procs[i].page.media;
	return NULL;
}

const struct board_registry *
cli_snap_registry(const struct cli_snap *s)
{
	unsigned i;

	for (i = 0; i < s->nprocs; i++)
		if (strcmp(s->procs[i].kind, "registry") == 0 && s->procs[i].pid > 0)
			return &s->procs[i].page.registry;
	return NULL;
}

const struct board_watch *
cli_snap_watch(const struct cli_snap *s)
{
	unsigned i;

	for (i = 0; i < s->nprocs; i++)
		if (strcmp(s->procs[i].kind, "watch") == 0 && s->procs[i].pid > 0)
			return &s->procs[i].page.watch;
	return NULL;
}

const char *
cli_snap_health(const struct cli_snap *s, char *buf, size_t size)
{
	char age[CLI_FORMAT];

	if (s->state == CLI_STATE_DOWN || s->state == CLI_STATE_DEAD)
		snprintf(buf, size, "not running");
	else if (s->state == CLI_STATE_HUNG)
		snprintf(buf, size, "supervisor hung: last sign of life %s s ago",
		    cli_seconds(s->beat_age_ms, age));
	else if (s->h.health[0] != '\0')
		snprintf(buf, size, "%s", s->h.health);
	else
		snprintf(buf, size, "healthy");
	return buf;
}

int
cli_snap_exit_code(const struct cli_snap *s)
{
	char health[440];

	if (s->state == CLI_STATE_DOWN || s->state == CLI_STATE_DEAD)
		return CLI_NOT_RUNNING;
	return strcmp(cli_snap_health(s, health, sizeof(health)), "healthy") == 0 ? CLI_OK : CLI_FAILING;
}
