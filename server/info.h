/* SPDX-License-Identifier: ISC */
#ifndef SERVER_INFO_H
#define SERVER_INFO_H

#include "../services/service.h"
#include "board.h"

extern const struct service svc_info;

/* In the master, before the first fork: this board is what it shows. */
void	 info_use(const struct board *board);

#endif
