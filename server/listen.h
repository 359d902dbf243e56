/* SPDX-License-Identifier: ISC */
#ifndef SERVER_LISTEN_H
#define SERVER_LISTEN_H

#include <stddef.h>

#include "conf.h"

/*
 * Opens a listening socket, TCP or unix.  Returns the descriptor (close-on-
 * exec), or -1 with *why set to a static text and, where it applies, errno
 * (else 0).  A socket file that nobody listens on is replaced.
 */
int	 listen_open(const struct conf_listen *l, const char **why);

/*
 * Takes over the listening sockets of whoever has started us, by the protocol
 * of sd_listen_fds(3): LISTEN_PID and LISTEN_FDS in the environment, which
 * are removed from it.  Returns their number, at most max, 0 when there are
 * none; -1 with *why, a static text, and *bad the descriptor that is wrong.
 */
int	 listen_inherit(int *fds, int max, int *bad, const char **why);

/* "127.0.0.1:1344" or "[::1]:1344": where fd really listens. */
void	 listen_name(int fd, char *dst, size_t size);

/* The peer's address in the same form. */
void	 listen_peer(int fd, char *dst, size_t size);

#endif
