/* SPDX-License-Identifier: ISC */
/*
 * What services ask for in open() so that administrators see it: back-ends,
 * counters and gauges.  Called by conf_build.c while sections are opened.
 * They are only written down here; vitals.c gives them their places when the
 * configuration comes into use.
 */
#include <string.h>

#include "arena.h"
#include "conf_wanted.h"

static bool
is_same(const struct vital_name *a, const struct vital_name *b)
{
	return strcmp(a->service, b->service) == 0 &&
	    strcmp(a->name, b->name) == 0;
}

static void
copy(struct arena *arena, struct vital_name *dst,
    const struct vital_name *src)
{
	dst->service = arena_copy(arena, src->service);
	dst->kind = arena_copy(arena, src->kind);
	dst->name = arena_copy(arena, src->name);
	if (src->help != NULL)
		dst->help = arena_copy(arena, src->help);
}

struct service_backend *
conf_want_backend(struct conf *conf, const struct vital_name *is, bool needed)
{
	struct vitals_wanted	*w = &conf->wanted;
	struct service_backend	*new;
	unsigned int		 i;

	for (i = 0; i < w->nbackends; i++)
		if (is_same(&w->backend[i]->is, is))
			return w->backend[i];
	new = arena_alloc(conf->arena, 1, sizeof(*new));
	copy(conf->arena, &new->is, is);
	new->needed = needed;
	w->backend = arena_grow(conf->arena, w->backend, w->nbackends,
	    sizeof(new));
	return w->backend[w->nbackends++] = new;
}

struct service_counter *
conf_want_counter(struct conf *conf, const struct vital_name *is)
{
	struct vitals_wanted	*w = &conf->wanted;
	struct service_counter	*new;
	unsigned int		 i;

	for (i = 0; i < w->ncounters; i++)
		if (is_same(&w->counter[i]->is, is))
			return w->counter[i];
	new = arena_alloc(conf->arena, 1, sizeof(*new));
	copy(conf->arena, &new->is, is);
	w->counter = arena_grow(conf->arena, w->counter, w->ncounters,
	    sizeof(new));
	return w->counter[w->ncounters++] = new;
}

struct service_gauge *
conf_want_gauge(struct conf *conf, const struct vital_name *is)
{
	struct vitals_wanted	*w = &conf->wanted;
	struct service_gauge	*new;
	unsigned int		 i;

	for (i = 0; i < w->ngauges; i++)
		if (is_same(&w->gauge[i]->is, is))
			return w->gauge[i];
	new = arena_alloc(conf->arena, 1, sizeof(*new));
	copy(conf->arena, &new->is, is);
	w->gauge = arena_grow(conf->arena, w->gauge, w->ngauges,
	    sizeof(new));
	return w->gauge[w->ngauges++] = new;
}

/* Does what that section says change anything anywhere? */
static bool
is_used(const struct conf *conf, const char *name)
{
	unsigned int	 i, k;

	for (i = 0; i < conf->nplans; i++)
		for (k = 0; !conf->plan[i].shadow &&
		    k < conf->plan[i].nsteps; k++)
			if (strcmp(conf->instance[
			    conf->chain[i].instance[k]].name, name) == 0)
				return true;
	return false;
}

void
conf_want_finish(struct conf *conf)
{
	struct service_backend	*b;
	unsigned int		 i;

	for (i = 0; i < conf->wanted.nbackends; i++) {
		b = conf->wanted.backend[i];
		b->needed = b->needed && is_used(conf, b->is.service);
	}
}
