/* SPDX-License-Identifier: ISC */
/*
 * The board: what every worker does, in memory that all processes share.
 * Called by the master (reads), by workers (each writes its own slot) and by
 * whoever shows the state.  Plain numbers, one writer each, no pointers and
 * no locks: a reader may see a slot a moment old, never a broken one.
 */
#include <sys/mman.h>

#include <stddef.h>
#include <unistd.h>

#include "board.h"

#define LINE	64		/* bytes of a cache line */

struct board {
	struct board_head	 head;
	char			 pad[LINE - sizeof(struct board_head)];
	struct board_slot	 slot[];
};

_Static_assert(sizeof(struct board_slot) == LINE, "a slot is a cache line");
_Static_assert(offsetof(struct board, slot) == LINE, "slots are aligned");

static const char *const state_name[] = {
	[BOARD_FREE] = "free",
	[BOARD_STARTING] = "starting",
	[BOARD_ACCEPT] = "accept",
	[BOARD_IDLE] = "idle",
	[BOARD_READING] = "reading",
	[BOARD_SERVICE] = "service",
	[BOARD_LEAVING] = "leaving",
};

struct board *
board_open(unsigned int n)
{
	struct board	*b;

	b = mmap(NULL, sizeof(*b) + n * sizeof(b->slot[0]),
	    PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (b == MAP_FAILED)
		return NULL;
	b->head.nslots = n;
	return b;
}

struct board_head *
board_head(struct board *b)
{
	return &b->head;
}

struct board_slot *
board_slot(struct board *b, unsigned int i)
{
	return &b->slot[i];
}

void
board_enter(struct board_slot *slot, enum board_state state, int64_t now)
{
	slot->since = now;
	__atomic_store_n(&slot->state, (uint32_t)state, __ATOMIC_RELEASE);
}

static enum board_state
board_state(struct board *b, unsigned int i)
{
	return (enum board_state)__atomic_load_n(&b->slot[i].state,
	    __ATOMIC_ACQUIRE);
}

bool
board_has_free(struct board *b, unsigned int i)
{
	unsigned int	 n = b->head.nslots, k;

	for (k = 1; k <= n; k++)
		if (board_state(b, (i + k) % n) == BOARD_ACCEPT)
			return true;
	return false;
}

void
board_tell_short(struct board *b, unsigned int i, int pipe)
{
	static const char	 news = BOARD_NEWS_SHORT;

	/* of two that take the last two places one must see the other */
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	if (!board_has_free(b, i))
		/* a full pipe has told the master already */
		(void)!write(pipe, &news, 1);
}

int
board_find_idle(struct board *b)
{
	unsigned int	 i;
	int		 found = -1;

	for (i = 0; i < b->head.nslots; i++)
		if (board_state(b, i) == BOARD_IDLE && (found == -1 ||
		    b->slot[i].since < b->slot[found].since))
			found = (int)i;
	return found;
}

const char *
board_state_name(enum board_state state)
{
	return state_name[state];
}
