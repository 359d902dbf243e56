/* SPDX-License-Identifier: ISC */
/*
 * icapd: a server with the services we ship.  All it does is icapd_main()'s,
 * so that a server of somebody else's is no less than this one.
 */
#include "../services/list.h"
#include "info.h"

/* Most services, of services/list.c and of this layer. */
#define SERVICES_MAX	32

int
main(int argc, char *argv[])
{
	static const struct service	*all[SERVICES_MAX + 2];
	const struct service *const	*svc;
	size_t				 n = 0;

	for (svc = service_list(); *svc != NULL && n < SERVICES_MAX; svc++)
		all[n++] = *svc;
	all[n] = &svc_info;
	return icapd_main(argc, argv, all);
}
