/* SPDX-License-Identifier: ISC */
#ifndef SERVICES_WEBURL_H
#define SERVICES_WEBURL_H

#include "../proto/chars.h"

/* Longest host as it is kept: a name of the DNS, or [v6]. */
#define WEBURL_HOST_MAX		253

/* What is looked at of path and query, bytes; the rest is cut off. */
#define WEBURL_PATH_MAX		8192

/*
 * A URL in its one normal form, so that equal ones are equal byte for byte:
 * "host" or "host/path?query" in lower case, without scheme, user, port,
 * fragment and trailing dots; names in punycode, addresses in their usual
 * form, dots and escapes resolved.
 */
struct weburl {
	size_t	 host_len;
	size_t	 len;
	bool	 is_address;	/* nothing is above it */
	bool	 is_invalid;	/* numbers that are no address */
	char	 text[WEBURL_HOST_MAX + WEBURL_PATH_MAX + 8];	/* with NUL */
};

/*
 * Makes the normal form of an absolute URL, of host[:port][/path], or, where
 * target begins with a slash, of that path at `host`.  Returns 0, or -1 where
 * there is no host in it or none that could exist.
 */
int	 weburl_parse(struct weburl *u, struct slice target,
	    struct slice host);

/* Is the host a name by the rules of the DNS (or an address)? */
bool	 weburl_is_strict(const struct weburl *u);

#endif
