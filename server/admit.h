/* SPDX-License-Identifier: ISC */
#ifndef SERVER_ADMIT_H
#define SERVER_ADMIT_H

#include <sys/socket.h>

#include <stdbool.h>
#include <stdint.h>

#include "board.h"

/* An address, or a network of them: 127.0.0.0/8, ::1, 2001:db8::/32. */
struct admit_net {
	uint16_t	 family;	/* AF_INET, AF_INET6 */
	uint8_t		 bits;		/* of the prefix */
	uint8_t		 address[16];
};

/* Who may connect; all zero: everybody. */
struct admit_list {
	const struct admit_net	*net;
	unsigned int		 n;
};

/* Parses a network.  Returns 0, or -1 with *why, a static text. */
int	 admit_parse_net(const char *text, struct admit_net *net,
	    const char **why);

/*
 * The address of a client as it stands on the board.  IPv4 that comes through
 * an IPv6 socket is IPv4.  What is neither has family 0.
 */
void	 admit_read_peer(const struct sockaddr_storage *ss,
	    struct board_peer *peer);

/* May it connect?  A client of family 0 is not asked. */
bool	 admit_is_allowed(const struct admit_list *list,
	    const struct board_peer *peer);

#endif
