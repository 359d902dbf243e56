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

#include "../proto/chars.h"
#include "vitals.h"

/* A label with another one's names. */
static struct vitals_label
label(const struct vital_name *is)
{
	struct vitals_label	 l;

	memset(&l, 0, sizeof(l));
	vital_copy(l.service, sizeof(l.service), is->service);
	vital_copy(l.kind, sizeof(l.kind), is->kind);
	vital_copy(l.name, sizeof(l.name), is->name);
	return l;
}

/* One of them may be in shared memory, and without an end. */
static bool
is_same(const struct vitals_label *a, const struct vitals_label *b)
{
	return strncmp(a->service, b->service, sizeof(a->service)) == 0 &&
	    strncmp(a->kind, b->kind, sizeof(a->kind)) == 0 &&
	    strncmp(a->name, b->name, sizeof(a->name)) == 0;
}

_Static_assert(VITALS_NUMBERS <= VITALS_BACKENDS, "vitals_list()");

/* To be part of edition e from now on; that of the current one stays. */
static void
label_add(const struct vitals *v, struct vitals_label *is, uint32_t e,
    bool needed)
{
	unsigned int	 k = is->edition[0] == v->current ? 1 : 0;

	is->needed[k] = needed;
	__atomic_store_n(&is->edition[k], e, __ATOMIC_RELEASE);
}

/* The place of a back-end, or a new one; NULL when there is no room. */
static struct vitals_backend *
vitals_take_backend(struct vitals *v, const struct vital_name *is)
{
	struct vitals_label	 l = label(is);
	struct vitals_backend	*b;
	/* once: workers could write to it */
	const unsigned int	 n = __atomic_load_n(&v->nbackends,
				    __ATOMIC_RELAXED);

	if (n > VITALS_BACKENDS)
		return NULL;
	for (b = v->backend; b < v->backend + n; b++)
		if (is_same(&b->is, &l))
			return b;
	if (n == VITALS_BACKENDS)
		return NULL;
	b->is = l;
	__atomic_store_n(&v->nbackends, n + 1, __ATOMIC_RELEASE);
	return b;
}

/* The same for a number. */
static struct vitals_number *
vitals_take_number(struct vitals *v, const struct vital_name *is,
    bool is_gauge)
{
	struct vitals_label	 l = label(is);
	struct vitals_number	*n;
	unsigned int		 last = __atomic_load_n(&v->nnumbers,
				    __ATOMIC_RELAXED);

	if (last > VITALS_NUMBERS)
		return NULL;
	if (last == 0)
		last = 1;
	for (n = v->number + 1; n < v->number + last; n++)
		if (n->is_gauge == is_gauge && is_same(&n->is, &l))
			return n;
	if (last == VITALS_NUMBERS)
		return NULL;
	n->is = l;
	vital_copy(n->help, sizeof(n->help), is->help);
	n->is_gauge = is_gauge;
	__atomic_store_n(&v->nnumbers, last + 1, __ATOMIC_RELEASE);
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
		label_add(v, &b->is, w->edition, w->backend[i]->needed);
		vital_share_backend(w->backend[i], &b->state);
	}
	for (i = 0; i < w->ncounters; i++) {
		n = vitals_take_number(v, &w->counter[i]->is, false);
		if (n == NULL) {
			result = -1;
			continue;
		}
		label_add(v, &n->is, w->edition, false);
		w->counter[i]->cell = (unsigned int)(n - v->number);
	}
	for (i = 0; i < w->ngauges; i++) {
		n = vitals_take_number(v, &w->gauge[i]->is, true);
		if (n == NULL) {
			result = -1;
			continue;
		}
		label_add(v, &n->is, w->edition, false);
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
vitals_is_shown(const struct vitals *v, const struct vitals_label *is,
    bool *needed)
{
	uint32_t	 current = __atomic_load_n(&v->current,
			    __ATOMIC_ACQUIRE);
	unsigned int	 k;

	for (k = 0; k < 2 && current != 0; k++)
		if (__atomic_load_n(&is->edition[k], __ATOMIC_ACQUIRE) ==
		    current) {
			if (needed != NULL)
				*needed = is->needed[k] != 0;
			return true;
		}
	return false;
}

void
vitals_copy_label(const struct vitals_label *is, struct vitals_label *copy)
{
	memcpy(copy, is, sizeof(*copy));
	chars_clean(copy->service, sizeof(copy->service), '\0');
	chars_clean(copy->kind, sizeof(copy->kind), '\0');
	chars_clean(copy->name, sizeof(copy->name), '\0');
}

static unsigned int
at_most(const uint32_t *n, unsigned int max)
{
	uint32_t	 value = __atomic_load_n(n, __ATOMIC_ACQUIRE);

	/* workers could write to it */
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

/*
 * The shown ones of n places of that size, each of which begins with its
 * label; at most 256, so the square of it does no harm.
 */
static unsigned int
vitals_list(const struct vitals *v, const void *first, size_t size,
    unsigned int n, unsigned short *place)
{
	const struct vitals_label	*is[VITALS_BACKENDS];
	unsigned int			 i, k, found = 0;

	for (i = 0; i < n; i++) {
		is[i] = (const void *)((const char *)first + i * size);
		if (!vitals_is_shown(v, is[i], NULL))
			is[i] = NULL;
	}
	for (i = 0; i < n; i++)
		for (k = i; is[i] != NULL && k < n; k++)
			if (is[k] != NULL && (k == i || strncmp(
			    is[k]->service, is[i]->service,
			    sizeof(is[i]->service)) == 0)) {
				place[found++] = (unsigned short)k;
				if (k > i)
					is[k] = NULL;
			}
	return found;
}

unsigned int
vitals_list_backends(const struct vitals *v,
    unsigned short place[VITALS_BACKENDS])
{
	return vitals_list(v, v->backend, sizeof(v->backend[0]),
	    vitals_backends(v), place);
}

unsigned int
vitals_list_numbers(const struct vitals *v,
    unsigned short place[VITALS_NUMBERS])
{
	return vitals_list(v, v->number, sizeof(v->number[0]),
	    vitals_numbers(v), place);
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
		    strncmp(b->is.service, of->is.service,
		    sizeof(b->is.service)) == 0 &&
		    vitals_is_shown(v, &b->is, NULL))
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
		if (vitals_is_shown(v, &b->is, &needed) && needed &&
		    !is_served(v, b)) {
			if (who != NULL)
				*who = b->is.service;
			return false;
		}
	}
	return true;
}
