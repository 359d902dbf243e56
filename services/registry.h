/* SPDX-License-Identifier: ISC */
#ifndef SERVICES_REGISTRY_H
#define SERVICES_REGISTRY_H

#include "service.h"

/* These are the services from now on: a list ended by NULL, which is kept. */
void	 registry_use(const struct service *const services[]);

/* The services, ended by NULL; none before registry_use(). */
const struct service *const *registry_list(void);

/* The one of that name, or NULL. */
const struct service *registry_find(const char *name);

/*
 * Name of the one that a server without a configuration serves: "echo", or
 * the first where there is none; "" where there are no services.
 */
const char *registry_default(void);

#endif
