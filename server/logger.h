/* SPDX-License-Identifier: ISC */
#ifndef SERVER_LOGGER_H
#define SERVER_LOGGER_H

#include "ring.h"

/* Signals the logger understands; only the master sends them. */
#define LOGGER_FINISH	SIGTERM		/* write what is there, then exit */
#define LOGGER_REOPEN	SIGUSR1		/* the files were renamed */

/* The path that is no file but standard output.  devlog.h has others. */
#define LOGGER_STDOUT	"-"

/*
 * May be NULL.  Called for an empty ring whose worker has died in a
 * transaction and has no successor: puts the line of that transaction.
 */
typedef void logger_orphan(struct rings *rs, unsigned int ring);

/*
 * Takes lines out of the rings and writes them until told to finish, or until
 * the master (its pid) has died and no process is left that could put
 * another.  Counts in *jobs, if it is not NULL, that it has written something.
 * Never returns.
 */
void	 logger_run(struct rings *rs, pid_t master, logger_orphan *orphan,
	    uint64_t *jobs) __attribute__((noreturn));

#endif
