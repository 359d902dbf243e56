/* SPDX-License-Identifier: ISC */
#ifndef SERVER_STATUS_H
#define SERVER_STATUS_H

#include <sys/types.h>

#include "board.h"
#include "conf.h"
#include "view.h"

/*
 * Has the master a status listener?  One that the configuration wants, or
 * does not want, only since a reload takes a restart: then it says so.
 */
bool	 status_is_wanted(const struct conf *conf);

/* Names the descriptor that a new binary inherits. */
#define STATUS_ENV	"ICAPD_STATUS_FD"

/*
 * In the master, before the first fork: opens the listener if one is
 * configured, or takes the inherited one (fd, or -1) if it has the address.
 * So it is there while its process is replaced.  Returns 0, or -1 as
 * listen_open().
 */
int	 status_listen(const struct conf *conf, int fd, const char **why);

/* It, or -1. */
int	 status_listener(void);

/*
 * Answers HTTP requests about the state of the daemon until it is told to
 * end.  Never returns.
 */
void	 status_run(const struct conf *conf, struct board *board,
	    struct view *view, pid_t master) __attribute__((noreturn));

#endif
