/* SPDX-License-Identifier: ISC */
#ifndef T_STRICT_H
#define T_STRICT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../proto/encap.h"

/* One ICAP reply, taken apart.  Slices are of the bytes it was read from. */
struct strict {
	unsigned int	 continues;	/* 100 Continue before it */
	int		 status;
	struct slice	 icap;		/* its head, from the status line on */
	const char	*hdr;		/* "req-hdr", "res-hdr" or "" */
	struct slice	 http;
	const char	*entity;	/* "res-body", "null-body" ... */
	char		*body;		/* decoded */
	size_t		 body_len;
	int64_t		 original;	/* use-original-body=N, or -1 */
	struct slice	 http_trailers;	/* lines with CRLF */
	struct slice	 trailers;	/* the same, of ICAP */
};

/*
 * Reads one reply to a request of that method and checks it by the rules of
 * conformance.md A8-A13: those called E-any, E200, E204, E206 and E4xx.  The
 * reply must be all there is.  Fails the running test where it is not so.
 * strict_fini() afterwards.
 */
void	 strict_read(struct strict *r, const char *p, size_t len,
	    enum icap_method method);
void	 strict_fini(struct strict *r);

/* The value of a header of the ICAP head, or an empty slice. */
struct slice strict_header(const struct strict *r, const char *name);

#endif
