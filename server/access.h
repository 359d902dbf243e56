/* SPDX-License-Identifier: ISC */
#ifndef SERVER_ACCESS_H
#define SERVER_ACCESS_H

#include <sys/socket.h>

#include <stdbool.h>
#include <stdint.h>

#include "board.h"

/* An address, or a network of them: 127.0.0.0/8, ::1, 2001:db8::/32. */
struct access_net {
	uint16_t	 family;	/* AF_INET, AF_INET6 */
	uint8_t		 bits;		/* of the prefix */
	uint8_t		 address[16];
};

/* Who may connect; all zero: everybody, as often as he likes. */
struct access {
	const struct access_net	*allow;		/* NULL: everybody */
	unsigned int		 nallow;
	unsigned int		 per_client;	/* connections; 0: no limit */
};

/* Parses a network.  Returns 0, or -1 with *why, a static text. */
int	 access_parse_net(const char *text, struct access_net *net,
	    const char **why);

/*
 * The address of a client as it stands on the board.  IPv4 that comes through
 * an IPv6 socket is IPv4.  What is neither has family 0.
 */
void	 access_read_peer(const struct sockaddr_storage *ss,
	    struct board_peer *peer);

/* May it connect?  A client of family 0 is not asked. */
bool	 access_is_allowed(const struct access *a,
	    const struct board_peer *peer);

#endif
