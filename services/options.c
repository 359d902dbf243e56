/* SPDX-License-Identifier: ISC */
/*
 * The reply to OPTIONS: what a service can do, said so that every surveyed
 * client takes it (conformance.md 0a, A14).  Called by session.c.
 */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "options.h"

/* RFC 9110 5.6.7; not strftime, which speaks the locale's language. */
static void
options_add_date(struct reply *r, time_t now)
{
	static const char	 days[] = "SunMonTueWedThuFriSat";
	static const char	 months[] =
	    "JanFebMarAprMayJunJulAugSepOctNovDec";
	struct tm		 tm;

	if (gmtime_r(&now, &tm) == NULL)
		return;
	(void)reply_addf(r, "Date", "%.3s, %02d %.3s %d %02d:%02d:%02d GMT",
	    days + 3 * tm.tm_wday, tm.tm_mday, months + 3 * tm.tm_mon,
	    tm.tm_year + 1900, tm.tm_hour, tm.tm_min, tm.tm_sec);
}

static const char *
options_methods(unsigned int methods)
{
	if (methods == SERVICE_REQMOD)
		return "REQMOD";
	if (methods == SERVICE_RESPMOD)
		return "RESPMOD";
	return "REQMOD, RESPMOD";
}

/* One member: what it says of itself; a chain: their names. */
static void
options_add_service(struct reply *r, const struct txn_plan *plan)
{
	char		 names[256];
	unsigned int	 i;

	if (plan->nsteps == 1)
		(void)reply_addf(r, "Service", "icapd %s, %s",
		    plan->step[0].service->name,
		    plan->step[0].service->summary);
	else {
		names[0] = '\0';
		for (i = 0; i < plan->nsteps; i++) {
			if (i > 0)
				(void)strlcat(names, " ", sizeof(names));
			(void)strlcat(names, plan->step[i].service->name,
			    sizeof(names));
		}
		(void)reply_addf(r, "Service", "icapd chain: %s", names);
	}
	(void)reply_addf(r, "Service-ID", "%s", plan->path);
}

static void
options_add_preview(struct reply *r, const struct txn_plan *plan)
{
	bool	 any = false;

	if (plan->transfer_ignore != NULL)
		any = reply_addf(r, "Transfer-Ignore", "%s",
		    plan->transfer_ignore) == 0;
	if (plan->transfer_complete != NULL)
		any = reply_addf(r, "Transfer-Complete", "%s",
		    plan->transfer_complete) == 0 || any;
	if (plan->preview >= 0)
		(void)reply_addf(r, "Preview", "%ld", plan->preview);
	/* without one Squid never sends a preview (C218) */
	if (plan->transfer_preview != NULL)
		(void)reply_addf(r, "Transfer-Preview", "%s",
		    plan->transfer_preview);
	else if (plan->preview >= 0 && !any)
		(void)reply_addf(r, "Transfer-Preview", "*");
}

void
options_format(struct reply *r, const struct options *o)
{
	const struct txn_plan	*plan = o->plan;

	reply_start(r, 200, o->istag, o->close);
	options_add_date(r, o->now);
	(void)reply_addf(r, "Methods", "%s", options_methods(plan->methods));
	options_add_service(r, plan);
	(void)reply_addf(r, "Max-Connections", "%u", o->max_connections);
	(void)reply_addf(r, "Options-TTL", "%u", plan->options_ttl);
	/* g3 refuses the service over a word it did not offer (C175) */
	(void)reply_addf(r, "Allow", "204, 206%s",
	    o->offers_trailers ? ", trailers" : "");
	options_add_preview(r, plan);
	if (plan->x_include != NULL)
		(void)reply_addf(r, "X-Include", "%s", plan->x_include);
	reply_end(r, ENCAP_RES_HDR, 0, ENCAP_NULL_BODY);
}
