/* SPDX-License-Identifier: ISC */
#ifndef SERVER_MASTER_H
#define SERVER_MASTER_H

#include "conf.h"

/*
 * Forks the workers on the listener, supervises them until told to stop, and
 * returns the exit status of the daemon: no child is left then.
 */
int	 master_run(const struct conf *conf, int listener);

#endif
