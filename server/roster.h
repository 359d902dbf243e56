/* SPDX-License-Identifier: ISC */
#ifndef SERVER_ROSTER_H
#define SERVER_ROSTER_H

#include <sys/types.h>

#include <stdbool.h>
#include <stdint.h>

#include "board.h"
#include "master.h"
#include "respawn.h"

/* All processes that were started with one configuration. */
struct generation {
	struct conf	*conf;
	unsigned int	 number;
	unsigned int	 running;
	struct generation *older;	/* not gone yet */
};

/* One place: a process, or one that is to be started at `due`. */
struct place {
	struct generation	*gen;		/* NULL: the place is free */
	const struct master_aux	*aux;		/* NULL: a worker */
	struct respawn_slot	 respawn;
	unsigned int		 number;	/* "worker 3" */
	unsigned int		 pool;		/* its listener */
	unsigned int		 relief;	/* clients to refuse, else 0 */
	pid_t			 pid;		/* 0: none at the moment */
	int64_t			 due;
	int64_t			 started;
	bool			 is_wanted;	/* replace it when it dies */
	bool			 is_ready;
	bool			 is_leaving;	/* it was told to */
	bool			 is_hung;	/* it was killed for that */
};

/*
 * The places, with the same indices as those of the board.  A child must not
 * look at them.
 */
struct roster {
	struct place	*place;
	unsigned int	 n;		/* ever used */
	unsigned int	 max;
};

/* Returns 0, or -1 with errno. */
int	 roster_init(struct roster *r, unsigned int max);
void	 roster_fini(struct roster *r);

/*
 * Takes the first free place.  Returns its index, or -1 when all are taken.
 * The caller fills in what kind of process it is for.
 */
int	 roster_add(struct roster *r, struct generation *gen);

/* Makes a place without a process free. */
void	 roster_del(struct roster *r, unsigned int i);

/* A process of that place has been forked, or reaped. */
void	 roster_enter(struct roster *r, unsigned int i, pid_t pid,
	    int64_t now);
void	 roster_leave(struct roster *r, unsigned int i);

/* The place of that process, or -1. */
int	 roster_find(const struct roster *r, pid_t pid);

/* Does any worker of that listener wait for a connection? */
bool	 roster_has_free(const struct roster *r, const struct board *b,
	    unsigned int pool);

/*
 * The place of the worker whose connection is idle longest, or -1: of those
 * of the listener, and of that generation, who will accept another.
 */
int	 roster_find_idle(const struct roster *r, const struct board *b,
	    const struct generation *gen, unsigned int pool);

/* Running workers (not auxiliary processes), and running processes of gen. */
unsigned int roster_count_workers(const struct roster *r);

#endif
