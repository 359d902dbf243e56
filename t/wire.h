/* SPDX-License-Identifier: ISC */
#ifndef T_WIRE_H
#define T_WIRE_H

#include <errno.h>

#include "../proto/body.h"

/*
 * A client in memory, as a stream's ops see it.  Set the members of the first
 * group before wire_start(), look at those of the second afterwards.
 */
struct wire {
	const char	*in;		/* what it sends */
	size_t		 in_len;
	size_t		 at;		/* its first piece ends here, 0: no */
	size_t		 step;		/* the others' size, 0: all */
	size_t		 gate;		/* behind this it waits for an answer */
	int		 end;		/* then: 0 half-closes, or an errno */
	size_t		 send_max;	/* takes so much at once, 0: all */
	bool		 again;		/* every second send is EAGAIN */
	size_t		 deaf;		/* reads nothing before it sent this */
	int		 send_error;	/* errno of sends after send_limit */
	size_t		 send_limit;

	size_t		 in_pos;	/* bytes delivered */
	char		*out;		/* what it got */
	size_t		 out_len;
	size_t		 out_size;
	size_t		 answered_at;	/* in_pos when the first byte came */
	unsigned int	 recvs;
	unsigned int	 sends;		/* that took something */
	unsigned int	 waits;
	int64_t		 wait;		/* the last recv's or wait's limit */
};

/* Connects s to the wire, with a minute's patience. */
void	 wire_start(struct wire *w, struct stream *s);
void	 wire_fini(struct wire *w);

/* One request as a session receives it. */
struct message {
	struct request		 request;
	struct header_field	 field[256];
	struct slice		 req_hdr;
	struct slice		 res_hdr;
	struct body		 body;
	struct spool		 spool;
	struct fault		 fault;
	bool			 has_body;	/* body_init() was called */
};

/*
 * Receives a head and the encapsulated heads and prepares the body, the way
 * RFC 3507 has it.  Returns PARSE_OK, PARSE_BAD with m->fault, or PARSE_MORE
 * when the client stopped before.  message_fini() in any case.
 */
enum parse message_receive(struct message *m, struct stream *s,
	    const struct limits *limits);
void	 message_fini(struct message *m);

#endif
