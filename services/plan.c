/* SPDX-License-Identifier: ISC */
/*
 * Plans: chains of services at a path.  Called by the configuration when it
 * is complete.  It must not run anything.
 */
#include "plan.h"

void
plan_finish(struct txn_plan *plan)
{
	const struct service	*service;
	unsigned int		 i;

	plan->methods = 0;
	if (!plan->preview_set)
		plan->preview = -1;
	for (i = 0; i < plan->nsteps; i++) {
		service = plan->step[i].service;
		plan->methods |= service->methods;
		if (!plan->preview_set && service->preview > plan->preview)
			plan->preview = service->preview;
	}
}
