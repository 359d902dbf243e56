/* SPDX-License-Identifier: ISC */
#ifndef SERVICES_LIST_H
#define SERVICES_LIST_H

#include "service.h"

/* The compiled-in services, ended by NULL. */
const struct service *const *service_list(void);

/* The one of that name, or NULL. */
const struct service *service_find(const char *name);

#endif
