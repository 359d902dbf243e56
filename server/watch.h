/* SPDX-License-Identifier: ISC */
#ifndef SERVER_WATCH_H
#define SERVER_WATCH_H

#include <sys/types.h>

#include <signal.h>
#include <stdint.h>
#include <stdio.h>

#include "conf.h"

/*
 * Sent to the process: look now.  Not SIGUSR1, which all such processes get
 * when logs are reopened.
 */
#define WATCH_UPDATE	SIGUSR2

/* Has the configuration a service that wants to be polled? */
bool	 watch_is_wanted(const struct conf *conf);

/*
 * Polls the services of conf every few seconds, and has the ISTags follow what
 * they find, until it is told to end.  updates is that of board_slot: from 2
 * on, one more when an update that was asked for begins and when it is done.
 * Never returns.
 */
void	 watch_run(const struct conf *conf, pid_t master, uint64_t *updates)
	    __attribute__((noreturn));

/*
 * Polls each service of a configuration that is only looked at, once, and
 * writes the state of each back-end to fp.  The daemon may run elsewhere.
 */
void	 watch_probe(const struct conf *conf, FILE *fp);

#endif
