/* SPDX-License-Identifier: ISC */
/*
 * icapd: a server with the services we ship.  All it does is icapd_main()'s,
 * so that a server of somebody else's is no less than this one.
 */
#include "../services/list.h"

int
main(int argc, char *argv[])
{
	return icapd_main(argc, argv, service_list());
}
