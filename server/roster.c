/* SPDX-License-Identifier: ISC */
/*
 * Which processes there are and shall be: a table of places.  Called by
 * master.c, which does what has to be done to real processes; here nothing is
 * forked, killed or logged.
 *
 * A place is free, or belongs to a generation: it has a process, or one will
 * be started when it is due.  The table is as large as the board, and only
 * the part that was ever used costs memory.  Children do not have it: the
 * master writes to it between two forks, and each child would keep a copy of
 * its own of what was there before.
 */
#include <sys/mman.h>

#include <string.h>

#include "roster.h"

int
roster_init(struct roster *r, unsigned int max)
{
	void	*p;
	size_t	 size = max * sizeof(*r->place);

	memset(r, 0, sizeof(*r));
	p = mmap(NULL, size, PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (p == MAP_FAILED)
		return -1;
	if (madvise(p, size, MADV_DONTFORK) == -1) {
		(void)munmap(p, size);
		return -1;
	}
	r->place = p;
	r->max = max;
	return 0;
}

void
roster_fini(struct roster *r)
{
	(void)munmap(r->place, r->max * sizeof(*r->place));
}

int
roster_add(struct roster *r, struct generation *gen)
{
	struct place	*p;
	unsigned int	 i;

	for (i = 0; i < r->max; i++)
		if (r->place[i].gen == NULL)
			break;
	if (i == r->max)
		return -1;
	p = &r->place[i];
	memset(p, 0, sizeof(*p));
	p->gen = gen;
	p->number = i;
	if (i >= r->n)
		r->n = i + 1;
	return (int)i;
}

void
roster_del(struct roster *r, unsigned int i)
{
	memset(&r->place[i], 0, sizeof(r->place[i]));
}

void
roster_enter(struct roster *r, unsigned int i, pid_t pid, int64_t now)
{
	struct place	*p = &r->place[i];

	p->pid = pid;
	p->started = now;
	p->is_ready = p->is_leaving = p->is_hung = false;
	p->gen->running++;
}

void
roster_leave(struct roster *r, unsigned int i)
{
	struct place	*p = &r->place[i];

	p->pid = 0;
	p->gen->running--;
}

int
roster_find(const struct roster *r, pid_t pid)
{
	unsigned int	 i;

	for (i = 0; i < r->n; i++)
		if (r->place[i].pid == pid)
			return (int)i;
	return -1;
}

unsigned int
roster_count_workers(const struct roster *r)
{
	unsigned int	 i, n = 0;

	for (i = 0; i < r->n; i++)
		if (r->place[i].pid != 0 && r->place[i].aux == NULL)
			n++;
	return n;
}

/* Is that a worker of the listener, and in that state? */
static bool
place_is_in(const struct roster *r, const struct board *b, unsigned int i,
    unsigned int pool, enum board_state state)
{
	const struct place	*p = &r->place[i];

	return p->pid != 0 && p->aux == NULL && p->pool == pool &&
	    board_is_in(b, i, state);
}

bool
roster_has_free(const struct roster *r, const struct board *b,
    unsigned int pool)
{
	unsigned int	 i;

	for (i = 0; i < r->n; i++)
		if (place_is_in(r, b, i, pool, BOARD_ACCEPT))
			return true;
	return false;
}

int
roster_find_idle(const struct roster *r, const struct board *b,
    const struct generation *gen, unsigned int pool)
{
	unsigned int	 i;
	int64_t		 since, oldest = 0;
	int		 found = -1;

	for (i = 0; i < r->n; i++) {
		if (r->place[i].gen != gen ||
		    !place_is_in(r, b, i, pool, BOARD_IDLE))
			continue;
		since = board_see_slot(b, i)->since;
		if (found == -1 || since < oldest) {
			found = (int)i;
			oldest = since;
		}
	}
	return found;
}
