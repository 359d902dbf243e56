/* SPDX-License-Identifier: ISC */
/*
 * Plans: chains of services at a path.  Called by the configuration when it
 * is complete.  It must not run anything.
 */
#include "plan.h"

/* Instances know best, where there is one. */
static long
step_preview(const struct txn_step *step)
{
	return step->service->wants == NULL || step->instance == NULL ?
	    step->service->preview : step->service->wants(step->instance);
}

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
		if (!plan->preview_set &&
		    step_preview(&plan->step[i]) > plan->preview)
			plan->preview = step_preview(&plan->step[i]);
	}
}
