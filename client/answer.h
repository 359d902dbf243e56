/* SPDX-License-Identifier: ISC */
#ifndef CLIENT_ANSWER_H
#define CLIENT_ANSWER_H

#include "../proto/chunk.h"
#include "../proto/encap.h"
#include "../proto/header.h"

/* Fields of one ICAP head that are looked at; more are refused. */
#define ANSWER_FIELDS	200

enum answer_event {
	ANSWER_BAD = -1,	/* not a reply; see why */
	ANSWER_MORE,		/* more bytes are needed */
	ANSWER_HEAD,		/* the ICAP head is complete */
	ANSWER_HTTP,		/* bytes of the encapsulated head */
	ANSWER_BODY,		/* bytes of the body, without chunks */
	ANSWER_TRAILER,		/* bytes of the trailer section */
	ANSWER_END		/* the reply is complete */
};

enum answer_state {
	ANSWER_S_HEAD,
	ANSWER_S_HTTP,
	ANSWER_S_BODY,
	ANSWER_S_END
};

/* Where the fields of an ICAP head are kept; shared by many answers. */
struct answer_fields {
	struct header		 header;
	struct header_field	 field[ANSWER_FIELDS];
	struct slice		 version;	/* of the status line */
	struct slice		 reason;
};

/*
 * Parser of one ICAP reply.  Like the decoder of chunks it sees bytes, hands
 * out slices of them, and keeps nothing but numbers.
 */
struct answer {
	enum answer_state	 state;
	enum icap_method	 method;	/* that is answered */
	int			 status;
	bool			 close;		/* Connection: close */
	bool			 has_istag;
	struct encap		 encap;
	struct chunk		 chunk;		/* after the end: 206's word */
	size_t			 left;		/* of the HTTP head, bytes */
	char			 tail[4];	/* its last bytes */
	const char		*why;		/* after ANSWER_BAD */
};

/* Prepares a for the reply to a request of that method. */
void	 answer_init(struct answer *a, enum icap_method method);

/*
 * Parses up to the next event.  *used is how many of the len bytes at p were
 * taken; out is the slice of them to use.  While the head is incomplete
 * nothing is taken: call again with the same bytes and more.  f is filled in
 * with ANSWER_HEAD and is slices of p.  Folded lines are unfolded in place.
 */
enum answer_event answer_parse(struct answer *a, struct answer_fields *f,
	    char *p, size_t len, size_t *used, struct slice *out);

#endif
