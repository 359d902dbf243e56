/* SPDX-License-Identifier: ISC */
/*
 * The compiled-in services.  To add one: its file, a line in each of the two
 * lists here, a line in Makefile.am, a section in icapd.conf(5) and a wire
 * script in t/.
 */
#include <string.h>

#include "list.h"

#ifdef HAVE_BLOCKLIST
extern const struct service svc_blocklist;
#endif
extern const struct service svc_echo;
extern const struct service svc_headers;

static const struct service *const services[] = {
#ifdef HAVE_BLOCKLIST
	&svc_blocklist,
#endif
	&svc_echo,
	&svc_headers,
	NULL
};

const struct service *const *
service_list(void)
{
	return services;
}

const struct service *
service_find(const char *name)
{
	size_t	 i;

	for (i = 0; services[i] != NULL; i++)
		if (strcmp(services[i]->name, name) == 0)
			return services[i];
	return NULL;
}
