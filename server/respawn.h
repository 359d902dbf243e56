/* SPDX-License-Identifier: ISC */
#ifndef SERVER_RESPAWN_H
#define SERVER_RESPAWN_H

#include <stdbool.h>
#include <stdint.h>

/* Milliseconds; see respawn.c for the reasons. */
#define RESPAWN_GOOD_AGE	10000
#define RESPAWN_DELAY_MIN	1000
#define RESPAWN_DELAY_MAX	60000

/* Rounds of bad starts before a start that nobody survived is given up. */
#define RESPAWN_ROUNDS		3

/* What is known about all workers together; zeroed at the start. */
struct respawn {
	bool		 healthy;	/* a worker has done its job once */
	unsigned int	 bad;		/* rounds of bad starts before that */
	int64_t		 hold;		/* no start before, in that case */
};

/* And about one slot; zeroed at the start. */
struct respawn_slot {
	unsigned int	 bad;		/* bad starts in a row */
};

/* A death, as the master has reaped it. */
struct respawn_death {
	int64_t		 now;		/* stream_now() */
	int64_t		 age;		/* ms since its start */
	uint64_t	 connections;	/* it had accepted */
	uint64_t	 transactions;	/* it had answered */
	bool		 sick;		/* exit status 75 or 78 */
	bool		 retired;	/* it left because it was told to */
};

/*
 * When is the slot to be filled again?  Returns that time on the clock of
 * `now`; now itself means at once.
 */
int64_t	 respawn_due(struct respawn *r, struct respawn_slot *slot,
	    const struct respawn_death *death);

/*
 * Has the pool failed to start so often, without any worker that did its job,
 * that a start should be given up?
 */
bool	 respawn_is_hopeless(const struct respawn *r);

/* When the master looked for hung transactions; zeroed at the start. */
struct respawn_watch {
	int64_t		 last;		/* time it looked */
	int64_t		 not_before;	/* nobody is killed until then */
};

/*
 * The master looks again, which it means to do every `period` ms.  Returns
 * whether overdue transactions may be killed.  They may not after a gap in
 * the clock (the machine was suspended, or stopped otherwise): nobody could
 * work meanwhile, so everybody gets `grace` ms to go on.
 */
bool	 respawn_may_kill(struct respawn_watch *w, int64_t now, int64_t period,
	    int64_t grace);

#endif
