/* SPDX-License-Identifier: ISC */
#ifndef CLIENT_TALK_H
#define CLIENT_TALK_H

#include "answer.h"
#include "message.h"
#include "tls.h"

struct addrinfo;
struct talk;

enum talk_result {
	TALK_BAD = -1,		/* the connection is lost; see why */
	TALK_MORE,		/* wait until the socket is ready */
	TALK_DONE		/* the reply is complete and all was sent */
};

/*
 * What every talk of a process shares: memory to receive into, and who is
 * shown the replies.  `event` returns 0, or -1 and sets t->why.
 */
struct talks {
	char			*buf;
	size_t			 size;
	struct tls		*tls;	/* NULL: plain */
	struct answer_fields	 fields;
	int			 (*event)(struct talk *t,
				    enum answer_event event, struct slice s);
};

/* One connection, and the transaction under way on it. */
struct talk {
	struct talks		*all;
	const struct message	*m;
	int			 fd;
	struct tls_conn		*tls;		/* or NULL */
	bool			 shaken;	/* its handshake is through */
	size_t			 sent;
	size_t			 end;		/* send up to here */
	bool			 continued;	/* a 100 came */
	bool			 replied;	/* final reply is complete */
	bool			 is_bad;	/* protocol was violated */
	bool			 is_broken;	/* no more can be sent */
	bool			 closing;	/* wait for its close */
	struct answer		 answer;
	char			*kept;		/* part of a head */
	size_t			 kept_len;
	size_t			 kept_room;
	uint64_t		 bytes_in;
	uint64_t		 bytes_out;
	const char		*why;
};

/* Reserves memory for all talks.  Returns 0, or -1 with errno. */
int	 talks_init(struct talks *all);
void	 talks_fini(struct talks *all);

void	 talk_init(struct talk *t, struct talks *all);
void	 talk_fini(struct talk *t);

/*
 * Begins to connect; the socket does not block.  Returns 0, or -1 with errno.
 */
int	 talk_open(struct talk *t, const struct addrinfo *ai);
void	 talk_close(struct talk *t);

/*
 * Goes on with the handshake of TLS, if there is one: TALK_DONE when it is
 * through.  talk_send() and talk_recv() see to it themselves.
 */
enum talk_result talk_shake(struct talk *t);

/*
 * Begins a transaction.  With `closing` it is done only when the server has
 * closed the connection behind its reply.
 */
void	 talk_begin(struct talk *t, const struct message *m, bool closing);

/* Sends what can be sent.  TALK_DONE if that was all that was missing. */
enum talk_result talk_send(struct talk *t);

/*
 * Receives what there is.  hup: the server has closed its side, or the caller
 * does not know.
 */
enum talk_result talk_recv(struct talk *t, bool hup);

#endif
