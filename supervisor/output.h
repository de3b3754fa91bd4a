/* output.h - what output.c, output_start.c, output_push.c, output_report.c and output_probe.c share. */
#ifndef MILLRACE_OUTPUT_H
#define MILLRACE_OUTPUT_H

#include <event2/event.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "supervisor/output_argv.h"
#include "supervisor/output_intake.h"
#include "supervisor/push_argv.h"
#include "supervisor/rtc_argv.h"
#include "supervisor/supervisor.h"

#define OUTPUT_FDS 3	/* stdin, stderr, what it makes (a push: none), in SPAWNED's order */
#define OUTPUT_NAME 32
#define OUTPUT_PUSH "push:"	/* a push's name is this and its target's id */

enum output_state { OUTPUT_WAITING, OUTPUT_UP, OUTPUT_BACKOFF, OUTPUT_FAILED };

/* What SPAWN may ask for: a row of output_start.c's table. */
struct output_kind {
	const char *name, *profile;	/* SPAWN's word; millrace-exec's */
	enum child_kind child;		/* its backoff and its stop ladder */
	int stdin_bytes;		/* more would only hide that it is slow */
	int result;			/* descriptor of what it makes; 0: its target gets that */
	bool encodes;			/* which takes more address space than a copy */
	bool hls;			/* writes in the stream's folder */
	bool push, webrtc;		/* makes no segments, and is nobody's when its owner says stop */
};

/* SPAWN's kind and params, checked. */
struct output_wish {
	const struct output_kind *kind;
	struct output_params hls;
	struct push_params to;
	struct intake_params from;
	struct rtc_params rtc;
};

struct output {
	struct output *next;
	struct child *owner;		/* NULL: its ingest is gone, ffmpeg ends by EOF */
	struct child *ffmpeg;		/* NULL: none runs */
	char name[OUTPUT_NAME];		/* the owner's word for it: "hls" */
	enum output_state state;
	json_t *params;			/* wanted up with these; NULL: SPAWN has not come (again) */
	struct output_wish wish;
	struct event *timer;
	int64_t due_ms;			/* backoff: not before */
	uint64_t segments;		/* its owner's count when this ffmpeg was started */
	unsigned failures, restarts;	/* failures: in a row, without a segment */
	bool asked_down, stop;		/* OUTPUT_DOWN came; with action "stop" */
	char reason[128];
	unsigned said;			/* push: failures since the log was told */
	char said_reason[128];
};

extern struct output *output_list;

/* --- output_start.c --- */
/* 0, or -1 and what is wrong in *why. */
int output_wish_parse(const char *name, const char *kind, const json_t *params, struct output_wish *w,
    const char **why);
/* Its ffmpeg; ours are its owner's ends, non-blocking, -1 for none. NULL + errno, none open. */
struct child *output_start(const struct output *o, int ours[OUTPUT_FDS]);
/* Ms to wait for the next start, which is thereby taken: the first few go at once. */
int64_t output_stagger_ms(int64_t now);

/* --- output_push.c --- */
/* Its target, NULL: it has been removed meanwhile. Borrowed. */
const json_t *output_push_target(const struct output *o);
char **output_push_argv(const struct output *o, const char *ffmpeg);	/* as push_argv() */
/* The file of CAs that its target is judged by, NULL if by none. */
const char *output_push_ca_file(const struct output *o);
/* What its last ffmpeg said before it ended, as its owner heard it: the reason, and a line in the log. */
void output_push_said(struct output *o, const char *text);
/* The one before it, of a publisher who has left, has not ended yet: the target would refuse a second. */
bool output_push_waits(const struct output *o);

/* --- output_report.c --- */
uint64_t output_segments(const struct child *owner);	/* that it has listed */

/* --- output_probe.c --- */
/* Was that the probe? Then its answer is read and kept. */
bool output_probe_gone(struct child *ffmpeg);
/* Pure: ffmpeg's banner -> version, "" if there is none. */
void output_probe_parse(const char *text, char *version, size_t size);
#endif
