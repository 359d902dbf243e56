/* SPDX-License-Identifier: ISC */
#ifndef SERVICES_TXN_H
#define SERVICES_TXN_H

#include "../proto/body.h"
#include "../proto/reply.h"
#include "../proto/request.h"
#include "service.h"

#define TXN_NOTES_MAX		8
#define TXN_NOTE_MAX		256	/* bytes, with the NUL */
#define TXN_REPLY_HEADERS_MAX	2048	/* bytes of added ICAP headers */

/* What becomes of a message that a service could not examine. */
enum on_error {
	ON_ERROR_FAIL,		/* 500: the client decides */
	ON_ERROR_PASS,		/* unchanged, marked unscanned */
	ON_ERROR_BLOCK		/* the page that says so */
};

/* One service of a chain. */
struct txn_step {
	const struct service	*service;
	void			*instance;
};

/* What runs at one path of the ICAP URI, in this order. */
struct txn_plan {
	const char		*path;		/* without slashes at the ends */
	const struct txn_step	*step;
	unsigned int		 nsteps;
	enum on_error		 on_error;
	bool			 shadow;	/* run and log, change nothing */
	const char		*template_file;	/* of ON_ERROR_BLOCK, or NULL */
};

struct txn_note {
	const char	*key;
	char		 value[TXN_NOTE_MAX];
};

/* Bytes that grow: heads being edited, responses being made. */
struct txn_text {
	char		*p;
	size_t		 len;
	size_t		 size;
};

/*
 * One ICAP request and its reply, as the server hands it to services.  The
 * session fills in the first part, txn_run() the second.
 */
struct txn {
	const struct request	*request;
	struct stream		*stream;
	struct slice		 req_head;	/* in the stream's buffer */
	struct slice		 res_head;
	const char		*istag;
	const char		*peer;		/* address of the ICAP client */
	struct spool		*spool;		/* empty */
	struct spool		*out_spool;	/* empty, for rewritten bodies */
	/* Asked when the reply begins: is it the last on this connection? */
	bool			(*closing)(void *arg);
	void			*closing_arg;

	/* outcome, for the log */
	enum verdict		 verdict;	/* of the whole plan */
	const struct service	*decided;	/* who said so, or NULL */
	bool			 unscanned;	/* not examined, by `why` */
	bool			 shadowed;	/* the verdict was not executed */
	char			 why[TXN_NOTE_MAX];
	int			 status;	/* ICAP status sent, or 0 */
	int			 http_status;	/* of a replacing response */
	bool			 close;		/* and it was announced */
	struct fault		 fault;		/* not answered yet, or 0 */
	uint64_t		 body_in;	/* body bytes decoded */
	uint64_t		 body_out;	/* body bytes sent */
	struct txn_note		 note[TXN_NOTES_MAX];
	unsigned int		 nnotes;

	/* txn.c's own */
	const struct txn_plan	*plan;
	struct body		 body;
	bool			 from_out;	/* an earlier step rewrote it */
	bool			 last_step;
	uint64_t		 consumed;	/* original bytes read by this step */
	struct txn_text		 head;		/* edited head, if edited */
	bool			 edited;
	struct txn_text		 response;	/* head and body of txn_respond */
	size_t			 response_head;	/* length of its head */
	struct txn_text		 written;	/* rewritten, not sent yet */
	bool			 rewriting;
	bool			 write_rest;
	bool			 started;	/* part of the reply is sent */
	struct reply_body	 reply_body;
	char			 reply_headers[TXN_REPLY_HEADERS_MAX];
	size_t			 reply_headers_len;
	char			*identity[3];	/* decoded, or NULL */
};

/*
 * Runs a plan on a transaction whose heads were consumed, and sends the
 * reply.  Returns 0 when the reply is complete and the request was read to
 * its end, so that the connection can go on (unless t->close).  Returns -1
 * when it must end: t->fault.status is what the client is still to be told,
 * or 0 when part of a reply was sent or nobody is there.
 */
int	 txn_run(struct txn *t, const struct txn_plan *plan);

#endif
