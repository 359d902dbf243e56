/* SPDX-License-Identifier: ISC */
#ifndef SERVER_REHEARSE_H
#define SERVER_REHEARSE_H

#include <sys/types.h>

#include <stddef.h>

#include "conf.h"

/*
 * What load() does is done in this process, which is a child of the master,
 * in its stead: see master_setup.rehearse.  conf is the current one.  The
 * line about a failure is written to fd, at most REHEARSE_WHY_MAX bytes with
 * its NUL, and the exit status says whether there was one: 0 or EXIT_CONFIG.
 * Never returns.
 */
#define REHEARSE_WHY_MAX	256
void	 rehearse_run(int (*load)(void *arg, char *why, size_t size),
	    void *arg, const struct conf *conf, pid_t master, int fd)
	    __attribute__((noreturn));

/*
 * For conf_args.drop: becomes the user of the new configuration, as an
 * auxiliary process does.  Returns 0, or -1 when there is no such user.
 */
int	 rehearse_drop(const struct conf *conf);

#endif
