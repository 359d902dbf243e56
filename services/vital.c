/* SPDX-License-Identifier: ISC */
/*
 * What services depend on and what they count: the handles of the contract.
 * Called by services, from any process, and by the server, which gives them
 * places in memory that all processes share (server/vitals.c).  Until then,
 * and in tests, each handle has a place of its own.
 *
 * A counter has a cell for each process, with one writer, so nothing waits.
 * The state of a back-end may be written by several at once, seldom: a turn
 * that is odd meanwhile keeps them apart.  Nobody waits for long, as a writer
 * may have been killed at it: what two write at once in spite of that is a
 * mixed-up text, never a wrong state, and the next one mends it.
 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "../proto/chars.h"
#include "../proto/stream.h"
#include "vital.h"

/* Looks at a turn that stays odd before it is passed over. */
#define LOOKS_MAX	1000

static uint64_t		 nowhere[VITAL_CELLS];
static uint64_t		*cells = nowhere;

bool
vital_is_name(const char *name)
{
	size_t	 len = strlen(name);

	return len > 0 && len < VITAL_NAME && (len < 6 ||
	    strcmp(name + len - 6, "_total") != 0) &&
	    strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_") == len;
}

const char *
vital_state_name(enum backend_state state)
{
	static const char *const	 name[] = {
		[BACKEND_UNKNOWN] = "unknown",
		[BACKEND_DOWN] = "down",
		[BACKEND_STALE] = "stale",
		[BACKEND_UP] = "up",
	};

	return (size_t)state < sizeof(name) / sizeof(name[0]) ? name[state] :
	    name[BACKEND_UNKNOWN];
}

void
vital_copy(char *dst, size_t size, const char *src)
{
	size_t	 len = strlen(src), i = 0, n;

	while (len > 0) {
		n = chars_utf8(src, len);
		if (i + (n > 0 ? n : 1) >= size)
			break;
		/* C0, DEL and C1: a terminal may act on each of them */
		if (n == 0 || (unsigned char)*src < 0x20 || *src == 0x7f ||
		    (n == 2 && (unsigned char)src[0] == 0xc2 &&
		    (unsigned char)src[1] < 0xa0)) {
			dst[i++] = '?';
			n = n == 0 ? 1 : n;
		} else {
			memcpy(dst + i, src, n);
			i += n;
		}
		src += n;
		len -= n;
	}
	dst[i] = '\0';
}

/* ---- back-ends ---------------------------------------------------------- */

static struct vital_state *
state_of(struct service_backend *b)
{
	return b->shared != NULL ? b->shared : &b->own;
}

/* Returns the turn to write in. */
static uint32_t
state_take(struct vital_state *s)
{
	uint32_t	 turn, mine;
	unsigned int	 looks = 0;

	for (;;) {
		turn = __atomic_load_n(&s->turn, __ATOMIC_RELAXED);
		if (turn % 2 == 1 && looks++ < LOOKS_MAX)
			continue;
		mine = turn % 2 == 0 ? turn + 1 : turn + 2;
		if (__atomic_compare_exchange_n(&s->turn, &turn, mine, false,
		    __ATOMIC_ACQ_REL, __ATOMIC_RELAXED))
			break;
	}
	__atomic_thread_fence(__ATOMIC_RELEASE);
	return mine;
}

/* Unless somebody has passed us over meanwhile. */
static void
state_give(struct vital_state *s, uint32_t mine)
{
	(void)__atomic_compare_exchange_n(&s->turn, &mine, mine + 1, false,
	    __ATOMIC_RELEASE, __ATOMIC_RELAXED);
}

static void
state_set(struct vital_state *s, enum backend_state state, const char *why)
{
	struct vital_state	 now;
	uint32_t		 mine;

	vital_read(s, &now);
	if (now.turn % 2 == 0 && now.state == (uint32_t)state &&
	    strcmp(now.why, why) == 0)
		return;
	mine = state_take(s);
	if (s->state != (uint32_t)state)
		s->since = stream_now();
	(void)strlcpy(s->why, why, sizeof(s->why));
	__atomic_store_n(&s->state, (uint32_t)state, __ATOMIC_RELAXED);
	state_give(s, mine);
}

void
vital_read(const struct vital_state *s, struct vital_state *copy)
{
	unsigned int	 looks;
	uint32_t	 turn;

	for (looks = 0; looks < LOOKS_MAX; looks++) {
		turn = __atomic_load_n(&s->turn, __ATOMIC_ACQUIRE);
		*copy = *s;
		__atomic_thread_fence(__ATOMIC_ACQUIRE);
		if (turn % 2 == 0 &&
		    __atomic_load_n(&s->turn, __ATOMIC_RELAXED) == turn)
			break;
	}
	copy->why[sizeof(copy->why) - 1] = '\0';
}

void
vital_get(const struct service_backend *b, struct vital_state *copy)
{
	vital_read(b->shared != NULL ? b->shared : &b->own, copy);
}

void
vital_share_backend(struct service_backend *b, struct vital_state *shared)
{
	b->shared = shared;
	if (b->own.state != BACKEND_UNKNOWN)
		state_set(shared, (enum backend_state)b->own.state,
		    b->own.why);
}

void
service_backend_set(struct service_backend *backend,
    enum backend_state state, const char *fmt, ...)
{
	char		 text[512], why[VITAL_WHY] = "";
	va_list		 ap;

	if (backend == NULL || (fmt == NULL && __atomic_load_n(
	    &state_of(backend)->state, __ATOMIC_RELAXED) == (uint32_t)state))
		return;
	if (fmt != NULL) {
		va_start(ap, fmt);
		(void)vsnprintf(text, sizeof(text), fmt, ap);
		va_end(ap);
		vital_copy(why, sizeof(why), text);
	}
	state_set(state_of(backend), state, why);
}

/* ---- numbers ------------------------------------------------------------ */

void
vital_use(uint64_t *own)
{
	cells = own;
}

void
service_count(struct service_counter *counter, uint64_t n)
{
	uint64_t	*cell;

	if (counter == NULL)
		return;
	cell = &cells[counter->cell];
	__atomic_store_n(cell, *cell + n, __ATOMIC_RELAXED);
}

void
vital_share_gauge(struct service_gauge *g, int64_t *shared)
{
	g->shared = shared;
	if (g->is_set)
		__atomic_store_n(shared, g->own, __ATOMIC_RELAXED);
}

void
service_gauge_set(struct service_gauge *gauge, int64_t value)
{
	if (gauge == NULL)
		return;
	if (gauge->shared != NULL)
		__atomic_store_n(gauge->shared, value, __ATOMIC_RELAXED);
	else {
		gauge->own = value;
		gauge->is_set = true;
	}
}
