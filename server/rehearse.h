/* SPDX-License-Identifier: ISC */
#ifndef SERVER_REHEARSE_H
#define SERVER_REHEARSE_H

#include <sys/types.h>

#include <stddef.h>
#include <stdint.h>

#include "conf.h"

/* What it tells the master, in one write(2). */
struct rehearsal {
	uint64_t	 tag;		/* conf_get_tag() */
	char		 why[256];	/* it failed, or empty */
};

/*
 * What load() does is done in this process, a child of the master; see
 * master_setup.rehearse.  conf is the current configuration.  What came of it
 * is written to fd; the exit status is 0, or EXIT_CONFIG for a failure.  Never
 * returns.
 */
void	 rehearse_run(int (*load)(void *arg, uint64_t *tag, char *why,
	    size_t size), void *arg, const struct conf *conf, pid_t master,
	    int fd) __attribute__((noreturn));

/*
 * For conf_args.drop: becomes the user of the new configuration, as an
 * auxiliary process does.  Returns 0, or -1 when there is no such user.
 */
int	 rehearse_drop(const struct conf *conf);

#endif
