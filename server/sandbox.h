/* SPDX-License-Identifier: ISC */
#ifndef SERVER_SANDBOX_H
#define SERVER_SANDBOX_H

#include <stdbool.h>

/* "yes", or why there is none. */
const char *sandbox_summary(void);

/*
 * Prepares it in the master, the first time it is called; nothing after that.
 * Returns 0, also where no sandbox is built in; -1 with errno.
 */
int	 sandbox_init(void);

/*
 * From now on this process can do what a worker needs, and is killed with
 * SIGSYS by anything else: it can read files and use sockets, but not write
 * to a file that has a name, execute a program or signal another process.
 * with_names: where the file system of the spool has no files without a name,
 * new ones with a name may be made, too.  Returns 0, also where no sandbox is
 * built in; -1 with errno.
 */
int	 sandbox_enter(bool with_names);

#endif
