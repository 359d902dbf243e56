/* SPDX-License-Identifier: ISC */
#ifndef SERVICES_PLAN_H
#define SERVICES_PLAN_H

#include <stdbool.h>

#include "service.h"

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

/*
 * What runs at one path of the ICAP URI, in this order, and what OPTIONS says
 * of it.
 */
struct txn_plan {
	const char		*path;		/* no slash at its ends */
	struct txn_step		*step;
	unsigned int		 nsteps;
	enum on_error		 on_error;
	bool			 shadow;	/* run, change nothing */
	const struct service_template *page;	/* of ON_ERROR_BLOCK, or NULL */

	long			 preview;	/* bytes; -1: none */
	bool			 preview_set;	/* by the configuration */
	unsigned int		 options_ttl;	/* seconds */
	const char		*transfer_preview;	/* lists, or NULL */
	const char		*transfer_ignore;
	const char		*transfer_complete;
	const char		*x_include;	/* header names, or NULL */

	unsigned int		 methods;	/* plan_finish() computes it */
};

/*
 * Computes what a chain is from its members: the union of their methods, and
 * the largest preview unless the configuration has set one.
 */
void	 plan_finish(struct txn_plan *plan);

#endif
