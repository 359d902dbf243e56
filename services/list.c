/* SPDX-License-Identifier: ISC */
/*
 * The services that icapd ships.  To add one: its file, a line in each of the
 * two lists here, a line in Makefile.am, a section in icapd.conf(5) and a wire
 * script in t/.
 */
#include "list.h"

#ifdef HAVE_BLOCKLIST
extern const struct service svc_blocklist;
#endif
extern const struct service svc_clamav;
extern const struct service svc_echo;
extern const struct service svc_headers;

static const struct service *const services[] = {
#ifdef HAVE_BLOCKLIST
	&svc_blocklist,
#endif
	&svc_clamav,
	&svc_echo,
	&svc_headers,
	NULL
};

const struct service *const *
service_list(void)
{
	return services;
}
