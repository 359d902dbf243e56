/* SPDX-License-Identifier: ISC */
/*
 * Networks of clients, as services are configured with them.  What they are
 * compared with is what an ICAP client says of its clients.  No names are
 * looked up here.
 */
#include <sys/socket.h>

#include <arpa/inet.h>

#include <stdlib.h>
#include <string.h>

#include "network.h"

static int
parse_address(unsigned char *dst, const char *text, bool *is_v4)
{
	static const unsigned char	 mapped[12] = {
		0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff
	};

	*is_v4 = true;
	memcpy(dst, mapped, sizeof(mapped));
	if (inet_pton(AF_INET, text, dst + 12) == 1)
		return 0;
	*is_v4 = false;
	return inet_pton(AF_INET6, text, dst) == 1 ? 0 : -1;
}

int
network_parse(struct network *n, const char *text)
{
	char		 copy[64];
	const char	*slash = strchr(text, '/'), *error = NULL;
	size_t		 len = strlen(text);
	bool		 is_v4;

	if (slash != NULL)
		len = (size_t)(slash - text);
	if (len >= sizeof(copy))
		return -1;
	memcpy(copy, text, len);
	copy[len] = '\0';
	if (parse_address(n->address, copy, &is_v4) == -1)
		return -1;
	n->bits = 128;
	if (slash != NULL)
		n->bits = (unsigned int)strtonum(slash + 1, 0,
		    is_v4 ? 32 : 128, &error) + (is_v4 ? 96 : 0);
	return error == NULL ? 0 : -1;
}

bool
network_has(const struct network *n, unsigned int count, const char *address)
{
	unsigned char	 a[16];
	unsigned int	 i, bytes, rest;
	bool		 is_v4;

	if (count == 0 || parse_address(a, address, &is_v4) == -1)
		return false;
	for (i = 0; i < count; i++) {
		bytes = n[i].bits / 8;
		rest = n[i].bits % 8;
		if (memcmp(a, n[i].address, bytes) == 0 && (rest == 0 ||
		    ((a[bytes] ^ n[i].address[bytes]) >> (8 - rest)) == 0))
			return true;
	}
	return false;
}
