/* SPDX-License-Identifier: ISC */
#ifndef ICAPT_CONN_H
#define ICAPT_CONN_H

#include "icapt_reply.h"

enum conn_result {
	CONN_REPLY,		/* an answer was read */
	CONN_END,		/* the end came before it */
	CONN_BROKEN,		/* the end came in the middle of it */
	CONN_TIMEOUT,
	CONN_BAD		/* it is malformed */
};

struct conn {
	struct icapt	*ic;
	char		 name[32];
	int		 fd;		/* -1: not open */
	char		*in;		/* bytes received and not read */
	size_t		 off;
	size_t		 n;
	int		 eof;
	int		 rst;		/* the end was a reset */
	int		 werr;		/* errno of a write, or 0 */
	uint64_t	 sent;
	struct msg	 msg;		/* the request sent last */
	int		 has_msg;
	int		 paused;	/* its rest waits for a 100 */
	int		 cont;		/* a 100 was read for it */
	int		 probed;	/* the oracle was sent */
	struct reply	 reply;		/* the answer read last */
	int		 reading;	/* or being read */
};

/* Connect; 0, or -1 with the failure noted. */
int	 conn_open(struct icapt *, struct conn *);
/* Close, with a reset if asked, and give back what it holds. */
void	 conn_close(struct conn *, int);
/* Close the sending half. */
int	 conn_shut(struct conn *);
/*
 * Send bytes, all at once or by so many. A server that has gone is no
 * failure here; one that takes nothing for the timeout is.
 */
int	 conn_send(struct conn *, const char *, size_t, uint64_t);
int	 conn_feed(struct conn *, struct feed *, uint64_t, int);
/* Send a message, or its preview; and what is to follow. */
int	 conn_request(struct conn *, const struct msg *);
int	 conn_continue(struct conn *);
/* Send the oracle's question. */
int	 conn_probe(struct conn *);
struct text conn_probe_text(struct icapt *);
/* Read an answer into c->reply. */
enum conn_result conn_read(struct conn *);
/* Read it as far as so many bytes of its body; CONN_REPLY if they are there. */
enum conn_result conn_read_part(struct conn *, uint64_t);
/* Note that instead of what was expected this result came; returns -1. */
int	 conn_fail(struct conn *, enum conn_result, const char *);
/* Read more bytes; -1 at the timeout, 0 at the end, else 1. */
int	 conn_fill(struct conn *);
/* Is there a byte to read, without waiting? */
int	 conn_pending(struct conn *);
/* Wait for the end; nothing may come before it. */
int	 conn_check_closed(struct conn *);

#endif
