/* SPDX-License-Identifier: ISC */
/*
 * Which clients may connect: addresses and networks.  Called by the
 * configuration, which reads them, and by worker.c, which asks.  Arithmetic
 * only: it must not look at a socket or resolve a name.
 */
#include <netinet/in.h>

#include <arpa/inet.h>

#include <stdlib.h>
#include <string.h>

#include "admit.h"

static bool
is_same_net(const uint8_t *a, const uint8_t *b, unsigned int bits)
{
	unsigned int	 rest = bits % 8;

	if (memcmp(a, b, bits / 8) != 0)
		return false;
	return rest == 0 ||
	    ((a[bits / 8] ^ b[bits / 8]) & (0xffu << (8 - rest))) == 0;
}

int
admit_parse_net(const char *text, struct admit_net *net, const char **why)
{
	char		 host[INET6_ADDRSTRLEN];
	const char	*slash = strchr(text, '/'), *error = NULL;
	size_t		 len = slash != NULL ? (size_t)(slash - text) :
			    strlen(text);
	unsigned int	 max, i;

	memset(net, 0, sizeof(*net));
	*why = "not an address";
	if (len >= sizeof(host))
		return -1;
	memcpy(host, text, len);
	host[len] = '\0';
	if (inet_pton(AF_INET, host, net->address) == 1)
		net->family = AF_INET;
	else if (inet_pton(AF_INET6, host, net->address) == 1)
		net->family = AF_INET6;
	else
		return -1;
	max = net->family == AF_INET ? 32 : 128;
	net->bits = (uint8_t)max;
	if (slash != NULL) {
		*why = "not a length of a prefix";
		/* strtonum takes signs and blanks */
		if (slash[1] < '0' || slash[1] > '9')
			return -1;
		net->bits = (uint8_t)strtonum(slash + 1, 0, max, &error);
		if (error != NULL)
			return -1;
	}
	*why = "bits are set behind the prefix";
	for (i = net->bits; i < max; i++)
		if ((net->address[i / 8] & (0x80u >> i % 8)) != 0)
			return -1;
	return 0;
}

void
admit_read_peer(const struct sockaddr_storage *ss, struct board_peer *peer)
{
	const struct sockaddr_in	*sin;
	const struct sockaddr_in6	*sin6;

	memset(peer, 0, sizeof(*peer));
	if (ss->ss_family == AF_INET) {
		sin = (const struct sockaddr_in *)ss;
		peer->family = AF_INET;
		peer->port = sin->sin_port;
		memcpy(peer->address, &sin->sin_addr, 4);
	} else if (ss->ss_family == AF_INET6) {
		sin6 = (const struct sockaddr_in6 *)ss;
		peer->port = sin6->sin6_port;
		if (IN6_IS_ADDR_V4MAPPED(&sin6->sin6_addr)) {
			peer->family = AF_INET;
			memcpy(peer->address, &sin6->sin6_addr.s6_addr[12],
			    4);
		} else {
			peer->family = AF_INET6;
			memcpy(peer->address, &sin6->sin6_addr, 16);
		}
	}
}

bool
admit_is_allowed(const struct admit_list *list, const struct board_peer *peer)
{
	unsigned int	 i;

	if (list->n == 0 || peer->family == 0)
		return true;
	for (i = 0; i < list->n; i++)
		if (list->net[i].family == peer->family &&
		    is_same_net(list->net[i].address, peer->address,
		    list->net[i].bits))
			return true;
	return false;
}
