/* SPDX-License-Identifier: ISC */
/*
 * The list of auxiliary processes that the master keeps running beside the
 * workers, in the order in which they are started.  Called by master.c.  To
 * add one see struct master_aux in master.h; this is the line to write.
 */
#include <stddef.h>

#include "helpers.h"

static const struct master_aux	 helpers[] = {
	{ NULL, NULL, NULL },
};

const struct master_aux *
helper_list(void)
{
	return helpers;
}
