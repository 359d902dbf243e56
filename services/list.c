/* SPDX-License-Identifier: ISC */
/*
 * The compiled-in services.  To add one: its file, a line in each of the two
 * lists here, a line in Makefile.am, a section in icapd.conf(5) and a wire
 * script in t/.
 */
#include <string.h>

#include "list.h"

extern const struct service svc_clamav;
extern const struct service svc_echo;

static const struct service *const services[] = {
	&svc_clamav,
	&svc_echo,
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
