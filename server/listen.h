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

/* Does the TCP socket fd listen where l says?  Port 0 is any. */
bool	 listen_is_at(int fd, const struct conf_listen *l);

/* The file of a unix socket, to be known again; path is empty without one. */
struct listen_file {
	char	 path[108];
	dev_t	 dev;
	ino_t	 ino;
};

/* Finds the file of the listening socket fd. */
void	 listen_find_file(int fd, struct listen_file *file);

/* Removes it while the socket is open, unless somebody has made another. */
void	 listen_remove_file(struct listen_file *file);

/* "127.0.0.1:1344" or "[::1]:1344": where fd really listens. */
void	 listen_name(int fd, char *dst, size_t size);

/* The peer's address in the same form. */
void	 listen_peer(int fd, char *dst, size_t size);

#endif
