/* SPDX-License-Identifier: ISC */
#ifndef CLIENT_ONCE_H
#define CLIENT_ONCE_H

#include <stdio.h>

#include "talk.h"

/* Exit statuses of icapc; see icapc(1). */
#define ICAPC_OK	0
#define ICAPC_FAILED	1
#define ICAPC_USAGE	2
#define ICAPC_BLOCKED	3
#define ICAPC_REFUSED	4
#define ICAPC_BAD	5

/* What a reply has to be, how it is got, how long may be waited for it. */
struct demand {
	int		 status;	/* of the ICAP reply; 0: any */
	bool		 echo;		/* the message as it was sent */
	int64_t		 timeout;	/* ms without progress */
	struct tls	*tls;		/* NULL: plain */
};

/* Bytes that were collected. */
struct heap {
	char		*p;
	size_t		 len;
	size_t		 room;
};

/* A reply, as it was kept. */
struct outcome {
	int		 status;
	bool		 complete;
	bool		 continued;
	bool		 close;
	struct encap	 encap;
	bool		 has_original;
	uint64_t	 original;
	struct heap	 icap;		/* the head, unfolded lines with LF */
	struct heap	 http;		/* the head as it came */
	struct heap	 body;
	struct heap	 trailers;
	int64_t		 usec;		/* from sending to the last byte */
	const char	*why;		/* when it is not good */
};

/*
 * Makes one transaction with one of the addresses of *ai, which is set to the
 * one that worked.  Dialogue, where not NULL, is shown who says what.
 * Returns ICAPC_OK, _FAILED or _BAD, the last two with o->why.
 */
int	 once_run(struct outcome *o, const struct addrinfo **ai,
	    const struct message *m, const struct demand *demand,
	    FILE *dialogue);
void	 once_free(struct outcome *o);

/* What the outcome means: an exit status. */
int	 once_judge(const struct outcome *o, const struct message *m);

/* Prints the outcome for a person. */
void	 once_show(const struct outcome *o, const struct message *m, FILE *f);

/*
 * Writes the body that results: what came, completed by what was sent.
 * Returns 0, or -1 with errno.
 */
int	 once_write(const struct outcome *o, const struct message *m, FILE *f);

#endif
