/* SPDX-License-Identifier: ISC */
/*
 * The services that icapd ships.  To add one: its file, a line in each of the
 * two lists here, a line in Makefile.am, a section in icapd.conf(5) and a wire
 * script in t/.
 */
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
