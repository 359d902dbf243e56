/* SPDX-License-Identifier: ISC */
#ifndef SERVICES_WEBURL_H
#define SERVICES_WEBURL_H

#include "../proto/chars.h"

/* Longest host as it is kept: a name of the DNS, or [v6]. */
#define WEBURL_HOST_MAX		253

/* Longest path with its query, as it was sent and in its normal form, bytes. */
#define WEBURL_PATH_MAX		8192

/* Room for a URL as weburl_format() writes it: bytes, with NUL. */
#define WEBURL_TEXT_MAX		(WEBURL_HOST_MAX + WEBURL_PATH_MAX + 64)

/*
 * A URL in its one normal form, so that equal ones are equal byte for byte:
 * "host" or "host/path?query" in lower case, without scheme, user, port,
 * fragment and trailing dots; names in punycode, addresses in their usual
 * form (IPv6 that only wraps an address of IPv4 as that), dots and escapes
 * resolved.  The slices are what was parsed, which has to stay there for them.
 */
struct weburl {
	struct slice	 scheme;	/* empty: it was not said */
	struct slice	 port;		/* digits, or empty */
	struct slice	 path;		/* and query, as they were sent */
	const char	*why;		/* after -1 */
	size_t		 host_len;	/* 0: there is none */
	size_t		 len;
	bool		 is_cut;	/* the text goes on */
	bool		 is_address;	/* nothing is above it */
	bool		 is_invalid;	/* numbers that are no address */
	char		 text[WEBURL_HOST_MAX + WEBURL_PATH_MAX + 8]; /* NUL */
};

/*
 * Makes the normal form of an absolute URL, of host[:port][/path], or, where
 * target begins with a slash, of that path at `host`, a Host field.  An
 * absolute target has its host, whatever that field says (RFC 9112 3.2.2).
 * Returns 0, or -1 and why: there is no host or none that could exist,
 * recipients differ on which it is, or the path is too long.  Only then
 * host_len is not 0, and the text is there: where is_cut is set its path has
 * one byte more than WEBURL_PATH_MAX, whatever follows, and may end in the
 * middle of an escape.
 */
int	 weburl_parse(struct weburl *u, struct slice target,
	    struct slice host);

enum weburl_form {
	WEBURL_SENT,		/* port (not the usual one), path as sent */
	WEBURL_NORMAL		/* no port, normal path */
};

/*
 * Writes the URL as a whole into dst (WEBURL_TEXT_MAX bytes), the scheme that
 * was not said as http; of a tunnel (CONNECT) host and port alone.  Returns
 * its length.
 */
size_t	 weburl_format(const struct weburl *u, enum weburl_form form,
	    bool is_tunnel, char *dst);

/* Is the host a name by the rules of the DNS (or an address)? */
bool	 weburl_is_strict(const struct weburl *u);

#endif
