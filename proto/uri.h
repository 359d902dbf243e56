/* SPDX-License-Identifier: ISC */
#ifndef PROTO_URI_H
#define PROTO_URI_H

#include "chars.h"
#include "parse.h"

/*
 * An ICAP_URI (RFC 3507 4.2), as slices of the text it was parsed from.
 * User information is accepted and dropped: it must never reach a log.
 */
struct uri {
	bool		 tls;		/* scheme was icaps */
	struct slice	 host;		/* without brackets */
	struct slice	 port;		/* may be empty */
	struct slice	 path;		/* from the first '/', as sent */
	struct slice	 query;		/* after the first '?' */
	bool		 has_query;
};

/*
 * Parses an absolute icap: or icaps: URI.  Returns 0, or -1 and the fault
 * (always 400).
 */
int	 uri_parse(struct uri *u, struct slice text, struct fault *fault);

/*
 * Writes the percent-decoded path without its leading slash and without one
 * trailing slash into dst (size bytes, NUL-terminated).  Returns its length,
 * or -1 when an escape is malformed, the path holds a NUL or does not fit.
 */
int	 uri_decode_path(const struct uri *u, char *dst, size_t size);

#endif
