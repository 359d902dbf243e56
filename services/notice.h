/* SPDX-License-Identifier: ISC */
#ifndef SERVICES_NOTICE_H
#define SERVICES_NOTICE_H

#include <stdbool.h>

/*
 * Where service_log() and service_warn() go; NULL is standard error.  Called
 * by the server before any service is opened.
 */
void	 notice_set(void (*sink)(bool warning, const char *message));

/* What stands behind the report of an update. */
struct service_outcome;
struct service_report {
	void		(*tell)(void *arg,
			    const struct service_outcome *outcome);
	void		*arg;
};

#endif
