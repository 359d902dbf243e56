/* SPDX-License-Identifier: ISC */
#ifndef PROTO_CHUNK_H
#define PROTO_CHUNK_H

#include "chars.h"
#include "parse.h"

/* A chunk of more bytes than this is a trick: 2^60. */
#define CHUNK_SIZE_MAX	(UINT64_C(1) << 60)

/* Longest "<hex size>CRLF" that chunk_format() writes. */
#define CHUNK_HEAD_MAX	18

enum chunk_event {
	CHUNK_BAD = -1,
	CHUNK_MORE,		/* all bytes used, nothing to hand out */
	CHUNK_DATA,		/* body bytes */
	CHUNK_TRAILER,		/* bytes of trailer lines, with CRLF */
	CHUNK_END		/* the body is complete */
};

enum chunk_state {
	CHUNK_S_SIZE,
	CHUNK_S_SIZE_BLANK,
	CHUNK_S_EXT,
	CHUNK_S_EXT_NAME,
	CHUNK_S_EXT_NAME_BLANK,
	CHUNK_S_EXT_VALUE,
	CHUNK_S_EXT_TOKEN,
	CHUNK_S_EXT_QUOTED,
	CHUNK_S_EXT_ESCAPE,
	CHUNK_S_EXT_END,
	CHUNK_S_SIZE_LF,
	CHUNK_S_DATA,
	CHUNK_S_DATA_CR,
	CHUNK_S_DATA_LF,
	CHUNK_S_TRAILER,
	CHUNK_S_TRAILER_NAME,
	CHUNK_S_TRAILER_VALUE,
	CHUNK_S_TRAILER_LF,
	CHUNK_S_END_LF,
	CHUNK_S_END
};

/*
 * Decoder of one chunked body (RFC 9112 7.1, with the ICAP extensions "ieof",
 * RFC 3507 4.5, and "use-original-body").  It sees bytes, hands out slices of
 * them, and keeps nothing but numbers.
 */
struct chunk {
	enum chunk_state	 state;
	bool			 ieof;
	bool			 has_original;
	uint64_t		 original;	/* use-original-body=N */
	const char		*why;		/* after CHUNK_BAD */

	uint64_t		 left;		/* bytes of this chunk */
	bool			 digits;
	size_t			 line;		/* bytes of the size line */
	size_t			 line_max;
	unsigned int		 blanks;
	size_t			 trailers;	/* bytes of trailers */
	size_t			 trailers_max;
	char			 name[24];	/* of the extension */
	size_t			 name_len;
	char			 value[24];
	size_t			 value_len;
	bool			 has_value;
};

/* Prepares c for a body. */
void	 chunk_init(struct chunk *c, const struct limits *limits);

/*
 * Decodes up to the next event.  *used is how many of the len bytes at p were
 * taken, out (for CHUNK_DATA and CHUNK_TRAILER) the slice of them to use.
 * After CHUNK_BAD, c->why says what was wrong and the stream must be given
 * up: it cannot be framed any more.
 */
enum chunk_event chunk_parse(struct chunk *c, const char *p, size_t len,
	    size_t *used, struct slice *out);

/*
 * Writes the head of a chunk of size bytes (> 0) to dst, CHUNK_HEAD_MAX
 * bytes, without a NUL.  Returns its length.
 */
size_t	 chunk_format(char *dst, uint64_t size);

#endif
