/* SPDX-License-Identifier: ISC */
#ifndef SERVICES_OPTIONS_H
#define SERVICES_OPTIONS_H

#include "../proto/reply.h"
#include "../proto/request.h"
#include "plan.h"

/* What an OPTIONS reply says beside the service's own words. */
struct options {
	const struct txn_plan	*plan;
	const char		*istag;
	const char		*id_header;	/* field with the id, or NULL */
	const char		*id;		/* of the transaction */
	unsigned int		 max_connections;	/* workers */
	bool			 offers_trailers;	/* the request does */
	time_t			 now;
	bool			 close;
};

/* Formats the reply to an OPTIONS request (RFC 3507 4.10.2). */
void	 options_format(struct reply *r, const struct options *o);

#endif
