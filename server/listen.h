/* SPDX-License-Identifier: ISC */
#ifndef SERVER_LISTEN_H
#define SERVER_LISTEN_H

#include <stddef.h>

/*
 * Opens a listening TCP socket.  Returns the descriptor (close-on-exec), or
 * -1 with *why set to a static text and, where it applies, errno (else 0).
 */
int	 listen_open(const char *host, const char *port, int backlog,
	    const char **why);

/* "127.0.0.1:1344" or "[::1]:1344": where fd really listens. */
void	 listen_name(int fd, char *dst, size_t size);

/* The peer's address in the same form. */
void	 listen_peer(int fd, char *dst, size_t size);

#endif
