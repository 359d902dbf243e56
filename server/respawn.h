/* SPDX-License-Identifier: ISC */
#ifndef SERVER_RESPAWN_H
#define SERVER_RESPAWN_H

#include <stdbool.h>
#include <stdint.h>

/* Milliseconds; see respawn.c for the reasons. */
#define RESPAWN_GOOD_AGE	10000
#define RESPAWN_DELAY_MIN	1000
#define RESPAWN_DELAY_MAX	60000

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

#endif
