/* SPDX-License-Identifier: ISC */
#ifndef SERVICES_OPTIONS_H
#define SERVICES_OPTIONS_H

#include "../proto/reply.h"
#include "../proto/request.h"
#include "service.h"

/* What an OPTIONS reply says beside the service's own words. */
struct options {
	const struct service	*service;
	const char		*istag;
	unsigned int		 max_connections;	/* workers */
	unsigned int		 ttl;			/* seconds */
	time_t			 now;
	bool			 close;
};

/* Formats the reply to an OPTIONS request (RFC 3507 4.10.2). */
void	 options_format(struct reply *r, const struct options *o);

#endif
