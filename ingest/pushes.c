/*
 * pushes.c - all pushes of a stream (contract in pushes.h). Called by stream.c only.
 */
#include "pushes.h"

#include <string.h>

#include "conf.h"
#include "sink_push.h"
#include "util.h"

static int
read_target(const json_t *entry, struct push_target *out)
{
	const char *id = json_string_value(json_object_get(entry, "id"));

	if (id == NULL || str_copy(out->id, id, sizeof(out->id)) >= sizeof(out->id))
		return -1;
	out->rev = json_integer_value(json_object_get(entry, "rev"));
	out->transcode = json_is_true(json_object_get(entry, "transcode"));
	return 0;
}

static bool
wanted(const struct sink *s, const json_t *targets)
{
	const struct push_target *have = sink_push_target(s);
	struct push_target want;
	const json_t *entry;
	size_t i;

	json_array_foreach(targets, i, entry)
		if (read_target(entry, &want) == 0 && strcmp(want.id, have->id) == 0)
			return want.rev == have->rev;
	return false;
}

static bool
have(const struct pushes *p, const struct push_target *target)
{
	for (unsigned i = 0; i < p->n; i++)
		if (strcmp(sink_push_target(p->sink[i])->id, target->id) == 0)
			return true;
	return false;
}

void
pushes_set(struct pushes *p, const struct sink_env *env, const json_t *targets)
{
	struct push_target target;
	const json_t *entry;
	size_t i;
	unsigned k;

	p->batch_ms = conf_int(env->svc->conf, "push_batch");
	for (k = 0; k < p->n; )
		if (!wanted(p->sink[k], targets)) {
			sink_push_remove(&p->sink[k]);
			p->sink[k] = p->sink[--p->n];
		} else
			k++;
	json_array_foreach(targets, i, entry)
		if (!p->draining && p->n < BOARD_PUSHES && read_target(entry, &target) == 0 && !have(p, &target))
			p->sink[p->n++] = sink_push_new(env, &target);
}

void
pushes_free(struct pushes *p)
{
	while (p->n > 0) {
		p->n--;
		p->sink[p->n]->ops->free(&p->sink[p->n]);
	}
}

void
pushes_tag(struct pushes *p, struct tag *t)
{
	for (unsigned i = 0; i < p->n; i++)
		p->sink[i]->ops->tag(p->sink[i], t);
}

void
pushes_tick(struct pushes *p, int64_t now)
{
	for (unsigned i = 0; i < p->n; i++)
		p->sink[i]->ops->tick(p->sink[i], now);
}

unsigned
pushes_needs(const struct pushes *p, const struct tag *out[BOARD_PUSHES])
{
	for (unsigned i = 0; i < p->n; i++)
		out[i] = p->sink[i]->ops->needs(p->sink[i]);
	return p->n;
}

void
pushes_overrun(struct pushes *p, struct tag *first)
{
	for (unsigned i = 0; i < p->n; i++)
		p->sink[i]->ops->overrun(p->sink[i], first);
}

void
pushes_regen(struct pushes *p, struct tag *first)
{
	for (unsigned i = 0; i < p->n; i++)
		p->sink[i]->ops->regen(p->sink[i], first);
}

void
pushes_drain(struct pushes *p)
{
	p->draining = true;
	for (unsigned i = 0; i < p->n; i++)
		p->sink[i]->ops->drain(p->sink[i]);
}

bool
pushes_busy(const struct pushes *p)
{
	for (unsigned i = 0; i < p->n; i++)
		if (sink_push_busy(p->sink[i]))
			return true;
	return false;
}

bool
pushes_message(struct pushes *p, struct msg *m)
{
	const char *output = msg_str_or(m, "output", "");

	if (strncmp(output, PUSH_OUTPUT, strlen(PUSH_OUTPUT)) != 0)
		return false;
	for (unsigned i = 0; i < p->n; i++)
		if (strcmp(sink_push_target(p->sink[i])->id, output + strlen(PUSH_OUTPUT)) == 0)
			p->sink[i]->ops->message(p->sink[i], m);
	return true;	/* of one that was removed: its descriptors are closed, so that it ends */
}

int64_t
pushes_budget_ms(const struct pushes *p, int64_t longest)
{
	return p->n > 0 && p->batch_ms < longest ? p->batch_ms : longest;
}

void
pushes_board(const struct pushes *p, struct board_media *m)
{
	memset(m->pushes, 0, sizeof(m->pushes));
	for (unsigned i = 0; i < p->n; i++)
		sink_push_board(p->sink[i], &m->pushes[i]);
}
