/* SPDX-License-Identifier: ISC */
/*
 * The services this program has: those icapd_main() was given.  Called by it
 * and by the configuration.  It must not know any by itself, so that a server
 * of somebody else's does not link ours.
 */
#include <string.h>

#include "registry.h"

static const struct service *const	 none[] = { NULL };
static const struct service *const	*registered = none;

void
registry_use(const struct service *const services[])
{
	registered = services;
}

const struct service *const *
registry_list(void)
{
	return registered;
}

const struct service *
registry_find(const char *name)
{
	const struct service *const	*svc;

	for (svc = registered; *svc != NULL; svc++)
		if (strcmp((*svc)->name, name) == 0)
			return *svc;
	return NULL;
}

const char *
registry_default(void)
{
	if (registry_find("echo") != NULL)
		return "echo";
	return registered[0] != NULL ? registered[0]->name : "";
}
