/* SPDX-License-Identifier: ISC */
#ifndef SERVICES_NETWORK_H
#define SERVICES_NETWORK_H

#include <stdbool.h>

/* A network of clients; IPv4 as IPv4-mapped IPv6. */
struct network {
	unsigned char	 address[16];
	unsigned int	 bits;
};

/* "10.0.0.0/8", "2001:db8::1".  Returns 0, or -1 when it is neither. */
int	 network_parse(struct network *n, const char *text);

/* Is that address in one of them?  No when it is no address. */
bool	 network_has(const struct network *n, unsigned int count,
	    const char *address);

#endif
