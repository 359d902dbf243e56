/* SPDX-License-Identifier: ISC */
#ifndef SERVER_HELPERS_H
#define SERVER_HELPERS_H

#include "master.h"

/* The auxiliary processes; the last one's name is NULL. */
const struct master_aux *helper_list(void);

#endif
