/*
 * view.c - run/board as the handlers see it (contract in http.h): a copy, at most half a second old. Where a
 * stream is not in it that may have come just now, it is looked at again sooner.
 */
#include <stdlib.h>
#include <string.h>

#include "conf.h"
#include "http.h"
#include "util.h"

#define VIEW_MAX_AGE_MS 500
#define VIEW_MISS_AGE_MS 50

static struct board *board;
static struct view view;
static int64_t taken_ms;

static void
find_media(struct view_stream *v)
{
	for (unsigned i = 0; i < view.nprocs; i++) {
		const struct board_proc *p = &view.procs[i];

		if (p->pid == v->s.ingest_pid && strcmp(p->kind, "ingest") == 0)
			v->m = p->page.media;
		for (unsigned k = 0; k < v->s.noutputs && k < BOARD_OUTPUTS; k++)
			if (p->pid == v->s.outputs[k].pid)
				v->start_ticks[k] = p->start_ticks;
	}
}

static void
take(void)
{
	view.n = view.nprocs = 0;
	for (unsigned i = 0; i < BOARD_PROCS; i++)
		if (board_read_proc(board, i, &view.procs[view.nprocs]) == 0)
			view.nprocs++;
	for (unsigned i = 0; i < BOARD_STREAMS; i++) {
		struct view_stream *v = &view.streams[view.n];

		memset(v, 0, sizeof(*v));
		if (board_read_stream(board, i, &v->s) < 0)
			continue;
		find_media(v);
		view.n++;
	}
}

static const struct view *
no_older(int64_t age_ms)
{
	int64_t now = now_ms();
	char path[512];

	if (board == NULL) {
		if (path_join(path, sizeof(path), conf_str(http.svc->conf, "run_dir"), "board") < 0)
			return NULL;
		board = board_open(path);
		if (board == NULL)
			return NULL;
		view.streams = xcalloc(BOARD_STREAMS, sizeof(*view.streams));
		view.procs = xcalloc(BOARD_PROCS, sizeof(*view.procs));
	}
	if (taken_ms != 0 && now - taken_ms < age_ms)
		return &view;
	if (board_read_header(board, &view.h) < 0)
		return NULL;
	take();
	taken_ms = now;
	return &view;
}

const struct view *
view_get(void)
{
	return no_older(VIEW_MAX_AGE_MS);
}

static const struct view_stream *
find(const struct view *v, const char *name)
{
	for (unsigned i = 0; v != NULL && i < v->n; i++)
		if (strcmp(v->streams[i].s.name, name) == 0)
			return &v->streams[i];
	return NULL;
}

const struct view_stream *
view_find(const char *name)
{
	const struct view_stream *s = find(view_get(), name);

	return s != NULL ? s : find(no_older(VIEW_MISS_AGE_MS), name);
}

void
view_free(void)
{
	board_close(&board);
	free(view.streams);
	free(view.procs);
}
