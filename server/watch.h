/* SPDX-License-Identifier: ISC */
#ifndef SERVER_WATCH_H
#define SERVER_WATCH_H

#include <sys/types.h>

#include <signal.h>
#include <stdint.h>
#include <stdio.h>

#include "board.h"
#include "conf.h"

/*
 * Sent to the process with a number, sigqueue(3): 0 looks at all sources now,
 * n at the section that the source n - 1 of the board is of.
 */
#define WATCH_UPDATE	(SIGRTMIN + 1)

/* Has the configuration a service that wants to be polled? */
bool	 watch_is_wanted(const struct conf *conf);

/*
 * Polls the services of conf every few seconds, and has the ISTags follow what
 * they find, until it is told to end.  What was asked for is told on the
 * board, in the part of that generation.  Never returns.
 */
void	 watch_run(const struct conf *conf, pid_t master, struct board *board,
	    unsigned int generation) __attribute__((noreturn));

/*
 * Polls each service of a configuration that is only looked at, once, and
 * writes the state of each back-end to fp.  The daemon may run elsewhere.
 */
void	 watch_probe(const struct conf *conf, FILE *fp);

#endif
