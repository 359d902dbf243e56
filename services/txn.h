/* SPDX-License-Identifier: ISC */
#ifndef SERVICES_TXN_H
#define SERVICES_TXN_H

#include "../proto/body.h"
#include "../proto/reply.h"
#include "../proto/request.h"
#include "bytes.h"
#include "plan.h"
#include "service.h"

#define TXN_NOTES_MAX		8
#define TXN_NOTE_MAX		256	/* bytes, with the NUL */
#define TXN_REPLY_HEADERS_MAX	4096	/* bytes of added ICAP headers */

#define TXN_TRAILERS_MAX	4
#define TXN_TRAILER_NAME_MAX	64	/* bytes, with the NUL */

struct txn_note {
	const char	*key;
	char		 value[TXN_NOTE_MAX];
};

/* A field that comes behind the body: a verdict that was late. */
struct txn_trailer {
	char		 name[TXN_TRAILER_NAME_MAX];
	char		 value[TXN_NOTE_MAX];	/* "": not known yet */
};

/* What goes to the client before the verdict, and when: release.c. */
struct txn_release {
	uint64_t	 length;	/* the head's, or UINT64_MAX */
	bool		 failed;	/* the client is gone */
	int64_t		 at;		/* the next time; 0: never */
	size_t		 size;		/* so much of it */
	unsigned int	 ms;		/* and again after */
	uint64_t	 most;		/* in all */
};

/* Spools a transaction may need at once. */
struct txn_spools {
	struct spool	 body;		/* what was read or came too early */
	struct spool	 out[2];	/* rewritten by a chain's steps */
};

/* What a client says of the user behind a message. */
enum txn_identity {
	TXN_CLIENT,
	TXN_USER,
	TXN_GROUPS,
	TXN_NIDENTITY
};

/*
 * One ICAP request and its reply, as the server hands it to services.  The
 * session fills in the first part, txn_run() the second; the third belongs to
 * the files of services/ that txn.c names.
 */
struct txn {
	const struct request	*request;
	struct stream		*stream;
	struct slice		 req_head;	/* in the stream's buffer */
	struct slice		 res_head;
	const char		*istag;
	const char		*id;		/* of the transaction, or "" */
	struct txn_spools	*spools;	/* empty */
	/* Asked when the reply begins: is it the last on this connection? */
	bool			(*closing)(void *arg);
	void			*closing_arg;

	enum verdict		 verdict;	/* of the whole plan */
	const struct service	*decided;	/* who gave it, or NULL */
	bool			 unscanned;	/* not examined: see why */
	bool			 shadowed;	/* and not executed */
	bool			 cut;		/* only `released` was sent */
	bool			 reset;		/* a reply lacks its end */
	uint64_t		 released;	/* body bytes, before it */
	int			 status;	/* ICAP status sent, or 0 */
	int			 http_status;	/* of a replacing response */
	bool			 close;		/* and it was announced */
	struct fault		 fault;		/* not answered yet, or 0 */
	uint64_t		 body_out;	/* body bytes sent */
	struct slice		 http_out;	/* HTTP head sent, or empty */
	bool			 is_response_out;	/* and it is one's */
	unsigned int		 nnotes;

	const struct txn_plan	*plan;
	struct body		 body;		/* body_in is body.received */
	struct spool		*source;	/* rewritten body, or NULL */
	struct spool		*capture;	/* takes what a step writes */
	bool			 last_step;
	uint64_t		 consumed;	/* bytes a step has read */
	bool			 write_rest;
	bool			 rewritten;
	bool			 read_failed;	/* of source */
	bool			 write_failed;
	bool			 serving;	/* a service is at work */
	bool			 promised;	/* trailer[], in the head */
	unsigned int		 ntrailers;	/* announced */
	struct bytes		 written;	/* not sent yet */
	bool			 started;	/* part of the reply is sent */
	struct reply_body	 reply_body;
	struct txn_release	 release;
	struct bytes		 head;		/* edited; empty: as it came */
	struct bytes		 sent;		/* or where http_out is */
	struct bytes		 response;	/* of txn_respond() */
	size_t			 response_head;	/* length of its head */
	struct bytes		 peeked;
	size_t			 reply_headers_len;
	char			*identity[TXN_NIDENTITY];
	bool			 identity_failed;	/* no memory for it */

	/* large, not zeroed by txn_init(), what is seldom used last */
	char			 why[TXN_NOTE_MAX];	/* "": no reason */
	struct reply		 reply;
	struct txn_note		 note[TXN_NOTES_MAX];
	struct txn_trailer	 trailer[TXN_TRAILERS_MAX];
	char			 reply_headers[TXN_REPLY_HEADERS_MAX];
};

/* Empties t; the first part is to be filled in next. */
void	 txn_init(struct txn *t);

/*
 * Runs a plan on a transaction whose heads were consumed, and sends the
 * reply.  Returns 0 when the reply is complete and the request was read to
 * its end, so that the connection can go on (unless t->close).  Returns -1
 * when it must end: t->fault.status is what the client is still to be told,
 * or 0 when part of a reply was sent or nobody is there.  With t->cut it was
 * broken off for its verdict, which is all there is to say; with t->reset the
 * connection must not end as if the reply were complete.
 */
int	 txn_run(struct txn *t, const struct txn_plan *plan);

/* Gives back what the transaction holds; after it was logged. */
void	 txn_fini(struct txn *t);

/* ---- between the files of services/ ----------------------------------- */

/*
 * txn.c: begins the reply with the head that is adapted, as it is now; goes
 * out with the first bytes of its body.
 */
void	 txn_start_adapted(struct txn *t, int status, enum encap_entity body);

/* The head that is adapted, with its edits: the reply's. */
struct slice txn_head(const struct txn *t);

/* edit.c: bytes that an edited head may have. */
size_t	 txn_head_max(const struct txn *t);

/*
 * edit.c: swaps the head for one that is the same but for names and values of
 * fields that do not frame the message.  Returns 0, or -1 with errno E2BIG or
 * EALREADY.  What is in *head afterwards is the caller's.
 */
int	 txn_swap_head(struct txn *t, struct bytes *head);

/* edit.c: drops the edits made so far. */
void	 txn_forget_edits(struct txn *t);

/*
 * edit.c: makes Content-Length say len, or (len < 0) nothing, where the head
 * has one.  Returns 0, or -1 with errno.
 */
int	 txn_set_length(struct txn *t, int64_t len);

/* respond.c: the page of `on-error = block`.  Returns 0, or -1. */
int	 txn_respond_unscanned(struct txn *t);

/*
 * edit.c: may a field of that name and value stand in a head?  Returns 0, or
 * -1 with errno EINVAL or EPERM (framing fields).
 */
int	 txn_check_field(const char *name, const char *value);

#endif
