/* SPDX-License-Identifier: ISC */
#ifndef SERVER_SESSION_H
#define SERVER_SESSION_H

#include "../proto/request.h"
#include "../services/txn.h"
#include "board.h"
#include "conf.h"
#include "report.h"

/* How a signal handler reaches into a session. */
struct session_signals {
	volatile sig_atomic_t	 park;	/* give the connection up when idle */
	volatile sig_atomic_t	 leave;	/* the process is to end, not at once */
	volatile sig_atomic_t	 idle;	/* its descriptor while idle, or -1 */
};

/* What a worker keeps for all its sessions, one at a time. */
struct session {
	const struct conf	*conf;
	struct board		*board;
	struct board_slot	*slot;
	struct session_signals	*signals;
	int			 listener;	/* its descriptor */
	unsigned int		 number;	/* of the worker */
	unsigned int		 pool;		/* of the listener */
	const struct conf_listen *listen;	/* the same */

	int			 fd;
	struct stream_fd	 sf;
	struct stream		 stream;
	struct txn_spools	 spools;
	struct request		 request;
	struct header_field	*fields;
	const struct txn_plan	*plan;
	struct txn		*running;	/* &txn while a plan runs */
	bool			 reset;		/* the connection's end */
	struct txn		 txn;		/* its end is seldom used */
	struct report		 report;
};

/*
 * Prepares ss, whose first part the caller has filled in: reserves the
 * memory for all that follows.  Returns 0, or -1 with errno.
 */
int	 session_init(struct session *ss);

/* Serves one connection to its end and closes it. */
void	 session_run(struct session *ss, int fd);

/*
 * Answers the first request of a connection with 503, whatever it is, and
 * closes it: nobody has time for the client.
 */
void	 session_refuse_busy(struct session *ss, int fd);

#endif
