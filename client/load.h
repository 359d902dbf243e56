/* SPDX-License-Identifier: ISC */
#ifndef CLIENT_LOAD_H
#define CLIENT_LOAD_H

#include "once.h"

/* How much load. */
struct plan {
	unsigned int	 connections;
	uint64_t	 transactions;	/* 0: no limit */
	int64_t		 duration;	/* ms; 0: no limit */
	bool		 reconnect;	/* for each transaction */
	bool		 terse;		/* the report is for a program */
	bool		 progress;	/* show a line that changes */
};

/*
 * Sends m again and again as planned, to an address that is known to work;
 * each reply has to be like the outcome.  Prints the report.  Returns
 * ICAPC_OK when there were no errors, else ICAPC_FAILED.
 */
int	 load_run(const struct plan *plan, const struct addrinfo *ai,
	    const struct message *m, const struct demand *demand,
	    const struct outcome *pattern);

#endif
