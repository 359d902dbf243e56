/* SPDX-License-Identifier: ISC */
/*
 * The back-ends and numbers of services in memory that all processes share:
 * who has which place.  Called by view.c when a configuration comes, by
 * whoever shows them, and by nobody on the way of a transaction: services
 * write to their places themselves (services/vital.c).
 *
 * A reload may want some of what there is, and more; it may fail, and the old
 * configuration goes on.  So a place remembers two configurations it is part
 * of, of which one is the current.  It keeps its value however often it comes
 * and goes, so that no counter ever goes back.
 */
#include <string.h>

#include "vitals.h"

/* To be part of edition e from now on; that of the current one stays. */
static void
use_add(const struct vitals *v, struct vitals_use *use, uint32_t e,
    bool needed)
{
	unsigned int	 k = use->edition[0] == v->current ? 1 : 0;

	use->needed[k] = needed;
	__atomic_store_n(&use->edition[k], e, __ATOMIC_RELEASE);
}

/* The place of a back-end, or a new one; NULL when there is no room. */
static struct vitals_backend *
vitals_take_backend(struct vitals *v, const struct vital_name *is)
{
	struct vitals_backend	 new, *b;

	memset(&new, 0, sizeof(new));
	vital_copy(new.service, sizeof(new.service), is->service);
	vital_copy(new.kind, sizeof(new.kind), is->kind);
	vital_copy(new.name, sizeof(new.name), is->name);
	for (b = v->backend; b < v->backend + v->nbackends; b++)
		if (strcmp(b->service, new.service) == 0 &&
		    strcmp(b->kind, new.kind) == 0 &&
		    strcmp(b->name, new.name) == 0)
			return b;
	if (v->nbackends == VITALS_BACKENDS)
		return NULL;
	*b = new;
	__atomic_store_n(&v->nbackends, v->nbackends + 1, __ATOMIC_RELEASE);
	return b;
}

/* The same for a number. */
static struct vitals_number *
vitals_take_number(struct vitals *v, const struct vital_name *is,
    bool is_gauge)
{
	struct vitals_number	 new, *n;

	memset(&new, 0, sizeof(new));
	vital_copy(new.service, sizeof(new.service), is->service);
	vital_copy(new.kind, sizeof(new.kind), is->kind);
	vital_copy(new.name, sizeof(new.name), is->name);
	vital_copy(new.help, sizeof(new.help), is->help);
	new.is_gauge = is_gauge;
	if (v->nnumbers == 0)
		v->nnumbers = 1;
	for (n = v->number + 1; n < v->number + v->nnumbers; n++)
		if (n->is_gauge == new.is_gauge &&
		    strcmp(n->service, new.service) == 0 &&
		    strcmp(n->kind, new.kind) == 0 &&
		    strcmp(n->name, new.name) == 0)
			return n;
	if (v->nnumbers == VITALS_NUMBERS)
		return NULL;
	*n = new;
	__atomic_store_n(&v->nnumbers, v->nnumbers + 1, __ATOMIC_RELEASE);
	return n;
}

int
vitals_add(struct vitals *v, struct vitals_wanted *w)
{
	struct vitals_backend	*b;
	struct vitals_number	*n;
	unsigned int		 i;
	int			 result = 0;

	w->edition = ++v->editions;
	for (i = 0; i < w->nbackends; i++) {
		b = vitals_take_backend(v, &w->backend[i]->is);
		if (b == NULL) {
			result = -1;
			continue;
		}
		use_add(v, &b->use, w->edition, w->backend[i]->needed);
		vital_share_backend(w->backend[i], &b->state);
	}
	for (i = 0; i < w->ncounters; i++) {
		n = vitals_take_number(v, &w->counter[i]->is, false);
		if (n == NULL) {
			result = -1;
			continue;
		}
		use_add(v, &n->use, w->edition, false);
		w->counter[i]->cell = (unsigned int)(n - v->number);
	}
	for (i = 0; i < w->ngauges; i++) {
		n = vitals_take_number(v, &w->gauge[i]->is, true);
		if (n == NULL) {
			result = -1;
			continue;
		}
		use_add(v, &n->use, w->edition, false);
		vital_share_gauge(w->gauge[i], &n->value);
	}
	return result;
}

void
vitals_show(struct vitals *v, const struct vitals_wanted *w)
{
	__atomic_store_n(&v->current, w->edition, __ATOMIC_RELEASE);
}

bool
vitals_is_shown(const struct vitals *v, const struct vitals_use *use,
    bool *needed)
{
	uint32_t	 current = __atomic_load_n(&v->current,
			    __ATOMIC_ACQUIRE);
	unsigned int	 k;

	for (k = 0; k < 2 && current != 0; k++)
		if (__atomic_load_n(&use->edition[k], __ATOMIC_ACQUIRE) ==
		    current) {
			if (needed != NULL)
				*needed = use->needed[k] != 0;
			return true;
		}
	return false;
}

static unsigned int
at_most(const uint32_t *n, unsigned int max)
{
	uint32_t	 value = __atomic_load_n(n, __ATOMIC_ACQUIRE);

	/* it may be a file, which anything may be wrong with */
	return value < max ? value : max;
}

unsigned int
vitals_backends(const struct vitals *v)
{
	return at_most(&v->nbackends, VITALS_BACKENDS);
}

unsigned int
vitals_numbers(const struct vitals *v)
{
	return at_most(&v->nnumbers, VITALS_NUMBERS);
}

/* Does any back-end work that is that service's? */
static bool
is_served(const struct vitals *v, const struct vitals_backend *of)
{
	const struct vitals_backend	*b;
	unsigned int			 i;
	uint32_t			 state;

	for (i = 0; i < vitals_backends(v); i++) {
		b = &v->backend[i];
		state = __atomic_load_n(&b->state.state, __ATOMIC_RELAXED);
		if ((state == BACKEND_UP || state == BACKEND_STALE) &&
		    strcmp(b->service, of->service) == 0 &&
		    vitals_is_shown(v, &b->use, NULL))
			return true;
	}
	return false;
}

bool
vitals_is_ready(const struct vitals *v, const char **who)
{
	const struct vitals_backend	*b;
	unsigned int			 i;
	bool				 needed;

	for (i = 0; i < vitals_backends(v); i++) {
		b = &v->backend[i];
		if (vitals_is_shown(v, &b->use, &needed) && needed &&
		    !is_served(v, b)) {
			if (who != NULL)
				*who = b->service;
			return false;
		}
	}
	return true;
}
