/* SPDX-License-Identifier: ISC */
#ifndef PROTO_PARSE_H
#define PROTO_PARSE_H

#include <stddef.h>

/*
 * What every parser of this directory returns.  A parser is a function of
 * (state, bytes); it touches nothing else and never logs.
 */
enum parse {
	PARSE_BAD = -1,		/* the bytes can never become right */
	PARSE_OK = 0,		/* complete */
	PARSE_MORE = 1		/* right so far, more bytes are needed */
};

/*
 * Why a request is refused: the ICAP status it deserves and a static text in
 * lower case without a dot, for the log and the reason phrase.  `why` is NULL
 * when nothing is wrong.
 */
struct fault {
	int		 status;
	const char	*why;
};

/*
 * Limits on what a client may send.  All are sizes in bytes but `fields`,
 * which counts header fields.  A parser refuses what is over its limit before
 * it allocates or waits for it.
 */
struct limits {
	size_t		 request_line;	/* without its CRLF */
	size_t		 head;		/* ICAP head with its empty line */
	size_t		 http_heads;	/* encapsulated heads, all together */
	unsigned int	 fields;	/* of the ICAP head */
	size_t		 chunk_line;	/* size, extensions and CR */
	size_t		 trailers;	/* of one body, with their CRLFs */
};

#define LIMITS_DEFAULT {			\
	.request_line = 16 * 1024,		\
	.head = 64 * 1024,			\
	.http_heads = 256 * 1024,		\
	.fields = 200,				\
	.chunk_line = 4 * 1024,			\
	.trailers = 16 * 1024			\
}

#endif
