/* SPDX-License-Identifier: ISC */
#ifndef SERVER_WATCH_H
#define SERVER_WATCH_H

#include <sys/types.h>

#include "conf.h"

/* Has the configuration a service that wants to be polled? */
bool	 watch_is_wanted(const struct conf *conf);

/*
 * Polls the services of conf every few seconds, and has the ISTags follow what
 * they find, until it is told to end.  Never returns.
 */
void	 watch_run(const struct conf *conf, pid_t master)
	    __attribute__((noreturn));

#endif
