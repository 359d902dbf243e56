/* SPDX-License-Identifier: ISC */
#ifndef SERVER_STATUS_H
#define SERVER_STATUS_H

#include <sys/types.h>

#include "board.h"
#include "conf.h"
#include "view.h"

/* Is a status listener configured (and built in)? */
bool	 status_is_wanted(const struct conf *conf);

/*
 * Answers HTTP requests about the state of the daemon until it is told to
 * end.  Never returns.
 */
void	 status_run(const struct conf *conf, struct board *board,
	    struct view *view, pid_t master) __attribute__((noreturn));

#endif
