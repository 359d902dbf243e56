/* SPDX-License-Identifier: ISC */
#ifndef SERVER_REPORT_H
#define SERVER_REPORT_H

#include "../proto/request.h"
#include "../services/txn.h"
#include "board.h"
#include "conf.h"
#include "record.h"
#include "view.h"

/* What a worker says about its transactions, one at a time. */
struct report {
	struct view		*view;
	unsigned int		 ring;
	struct tally_place	*place;
	const struct conf	*conf;
	unsigned int		 nlogs;		/* of transactions */
	struct record_log	 log[CONF_LOGS_MAX];
	bool			 wants_local;	/* a format has %la or %lp */
	int64_t			 offset;	/* wall clock - monotonic, us */
	int64_t			 offset_until;
	uint64_t		 last_id;
	char			 id[17];	/* the same in hexadecimal */

	/* of the connection */
	char			 peer[48];
	char			 local[48];
	uint64_t		 ordinal;

	/* of the transaction */
	bool			 is_open;
	bool			 has_heads;
	unsigned int		 service;	/* tally_find_service() */
	int64_t			 ready;		/* end of the one before */
	int64_t			 began;
	int64_t			 heads;		/* came in, as far as known */
	int64_t			 replied;
	struct record		 record;

	/* by index of the plan; its end is seldom used */
	unsigned char		 service_of[CONF_PLANS_MAX];
};

/* Prepares r in worker number i; buries its predecessor's transaction. */
void	 report_init(struct report *r, struct view *v, unsigned int i,
	    const struct conf *conf);

/* A connection was accepted. */
void	 report_connect(struct report *r, int fd,
	    const struct board_peer *peer);

/*
 * Since when nothing has been done for a client, stream_now().  The clock is
 * read three times for a transaction, and nobody need do it again.
 */
static inline int64_t
report_idle_since(const struct report *r)
{
	return r->ready / 1000;
}

/*
 * In this order: a request has begun (returns the time, stream_now()), more
 * of its heads had to be waited for, and they are there.
 */
int64_t	 report_begin(struct report *r);
void	 report_receive(struct report *r);
void	 report_heads(struct report *r, const struct request *request,
	    const struct txn_plan *plan, struct slice req_head,
	    struct slice res_head);

/* The reply begins.  May be called more than once. */
void	 report_reply(struct report *r);

/*
 * The transaction is over: says so.  status is what the client was told, 0 if
 * nothing; t is NULL when no service ran.
 */
void	 report_end(struct report *r, int status, const char *why,
	    const struct request *request, struct txn *t,
	    const struct stream *s);

#endif
