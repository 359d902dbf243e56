/* SPDX-License-Identifier: ISC */
#ifndef SERVICES_TXN_H
#define SERVICES_TXN_H

#include "../proto/body.h"
#include "../proto/reply.h"
#include "../proto/request.h"
#include "service.h"

/*
 * One ICAP request and its reply, as the server hands it to a service.  The
 * session fills in the first part, txn_run() the second.
 */
struct txn {
	const struct request	*request;
	struct stream		*stream;
	struct slice		 req_head;	/* in the stream's buffer */
	struct slice		 res_head;
	const char		*istag;
	struct spool		*spool;		/* empty */
	/* Asked when the reply begins: is it the last on this connection? */
	bool			(*closing)(void *arg);
	void			*closing_arg;

	struct body		 body;
	enum verdict		 verdict;
	const char		*why;		/* of VERDICT_FAILED */
	int			 status;	/* ICAP status sent, or 0 */
	bool			 close;		/* and it was announced */
	struct fault		 fault;		/* not answered yet, or 0 */
	uint64_t		 body_out;	/* body bytes sent */
};

/*
 * Runs the service on a transaction whose heads were consumed, and sends the
 * reply.  Returns 0 when the reply is complete and the request was read to
 * its end, so that the connection can go on (unless t->close).  Returns -1
 * when it must end: t->fault.status is what the client is still to be told,
 * or 0 when part of a reply was sent or nobody is there.
 */
int	 txn_run(struct txn *t, const struct service *service);

#endif
