/* SPDX-License-Identifier: ISC */
#ifndef SERVICES_LIST_H
#define SERVICES_LIST_H

#include "service.h"

/* The services that icapd ships, ended by NULL. */
const struct service *const *service_list(void);

#endif
