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

void
options_format(struct reply *r, const struct options *o)
{
	const struct service	*svc = o->service;

	reply_start(r, 200, o->istag, o->close);
	options_add_date(r, o->now);
	(void)reply_addf(r, "Methods", "%s", options_methods(svc->methods));
	(void)reply_addf(r, "Service", "icapd %s, %s", svc->name,
	    svc->summary);
	(void)reply_addf(r, "Service-ID", "%s", svc->name);
	(void)reply_addf(r, "Max-Connections", "%u", o->max_connections);
	(void)reply_addf(r, "Options-TTL", "%u", o->ttl);
	(void)reply_addf(r, "Allow", "204");
	if (svc->preview >= 0) {
		(void)reply_addf(r, "Preview", "%ld", svc->preview);
		/* without this Squid never sends one (C218) */
		(void)reply_addf(r, "Transfer-Preview", "*");
	}
	reply_end(r, ENCAP_RES_HDR, 0, ENCAP_NULL_BODY);
}
