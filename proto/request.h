/* SPDX-License-Identifier: ISC */
#ifndef PROTO_REQUEST_H
#define PROTO_REQUEST_H

#include "encap.h"
#include "header.h"
#include "uri.h"

/* What the client's Allow header offers (RFC 3507 4.6 and extensions). */
#define ALLOW_204	0x01
#define ALLOW_206	0x02
#define ALLOW_TRAILERS	0x04

/* Larger previews than this cannot be meant. */
#define REQUEST_PREVIEW_MAX	(UINT64_C(1) << 40)

/*
 * The head of one ICAP request, as slices of the buffer it lies in.  All
 * slices are valid until that buffer moves.
 */
struct request {
	enum icap_method	 method;
	struct slice		 method_name;
	struct slice		 target;	/* the ICAP URI as sent */
	struct uri		 uri;
	struct header		 header;
	struct encap		 encap;		/* after request_parse_body() */
	unsigned int		 allow;		/* ALLOW_* */
	bool			 has_preview;
	uint64_t		 preview;	/* bytes */
	bool			 close;		/* Connection: close */
	size_t			 len;		/* bytes of the head, once OK */

	/* the parser's own */
	const struct limits	*limits;
	size_t			 pos;		/* start of the next line */
	size_t			 seen;		/* bytes searched for its end */
	unsigned int		 empty_lines;
	bool			 has_line;
	int			 encapsulated;	/* index of the field, or -1 */
	struct fault		 late;		/* 501 or 505 */
};

/* Prepares r for one head; storage holds limits->fields fields. */
void	 request_init(struct request *r, const struct limits *limits,
	    struct header_field *storage);

/*
 * Parses a head that begins at p, of which len bytes have come so far.  Call
 * it again with the same p and more bytes after PARSE_MORE; nothing is looked
 * at twice.  PARSE_OK: r->len bytes were the head.  PARSE_BAD: the fault says
 * what to answer; what follows in the stream cannot be framed.  Folded lines
 * are unfolded in place.
 */
enum parse request_parse(struct request *r, char *p, size_t len,
	    struct fault *fault);

/*
 * Second step, for a head whose service is known to exist: Encapsulated,
 * which says what follows the head (RFC 3507 4.4.1).  Returns 0, or -1 and
 * the fault.
 */
int	 request_parse_body(struct request *r, struct fault *fault);

/* Has anything but skipped empty lines arrived? */
bool	 request_has_begun(const struct request *r, size_t len);

/* "OPTIONS", "REQMOD", "RESPMOD", or "UNKNOWN". */
const char *request_method_name(enum icap_method method);

#endif
