/* SPDX-License-Identifier: ISC */
#ifndef SERVER_WORKER_H
#define SERVER_WORKER_H

#include "board.h"
#include "conf.h"

/* Signals a worker understands; only the master sends them. */
#define WORKER_LEAVE	SIGTERM		/* finish the transaction, then exit */
#define WORKER_PARK	SIGUSR2		/* give up that connection if idle */

/* WORKER_PARK is queued with the slot's number of connections as its value. */

/*
 * Everything a worker or auxiliary process may rely on after the fork.  What
 * is on the board it may not: other workers can write there.
 */
struct worker {
	const struct conf	*conf;
	struct board		*board;
	unsigned int		 number;	/* of its slot */
	unsigned int		 pool;		/* index of its listener */
	unsigned int		 generation;	/* of the configuration */
	unsigned int		 relief;	/* refuse so many, then leave */
	int			 listener;	/* -1: not a worker */
	int			 ready;		/* pipe to the master */
	pid_t			 master;
};

/* Serves connections until told to leave; never returns. */
void	 worker_run(const struct worker *w) __attribute__((noreturn));

#endif
