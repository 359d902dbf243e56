/* SPDX-License-Identifier: ISC */
/*
 * The reply to OPTIONS: what a service can do, said so that every surveyed
 * client takes it (conformance.md 0a, A14).  Called by session.c.
 */
#include <string.h>
#include <time.h>

#include "options.h"

static void
two_digits(char *dst, int n)
{
	dst[0] = (char)('0' + n / 10 % 10);
	dst[1] = (char)('0' + n % 10);
}

/* RFC 9110 5.6.7; not strftime, which speaks the locale's language. */
static void
options_add_date(struct reply *r, time_t now)
{
	static const char	 days[] = "SunMonTueWedThuFriSat";
	static const char	 months[] =
	    "JanFebMarAprMayJunJulAugSepOctNovDec";
	char			 text[] = "Sun, 06 Nov 1994 08:49:37 GMT";
	struct tm		 tm;

	if (gmtime_r(&now, &tm) == NULL)
		return;
	memcpy(text, days + 3 * tm.tm_wday, 3);
	two_digits(text + 5, tm.tm_mday);
	memcpy(text + 8, months + 3 * tm.tm_mon, 3);
	two_digits(text + 12, (tm.tm_year + 1900) / 100);
	two_digits(text + 14, (tm.tm_year + 1900) % 100);
	two_digits(text + 17, tm.tm_hour);
	two_digits(text + 20, tm.tm_min);
	two_digits(text + 23, tm.tm_sec);
	(void)reply_add_text(r, "Date", text);
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
	(void)reply_add_text(r, "Service-ID", plan->path);
}

/* Adds a list, and "*" if it has to stand in this one. */
static void
options_add_list(struct reply *r, const char *name, const char *list,
    bool star)
{
	char		 all[REPLY_HEAD_MAX];
	struct slice	 value;

	if (list == NULL && !star)
		return;
	if (list != NULL && star) {
		(void)strlcpy(all, list, sizeof(all));
		(void)strlcat(all, ", *", sizeof(all));
		list = all;
	} else if (list == NULL)
		list = "*";
	value.p = list;
	value.len = strlen(list);
	(void)reply_add(r, name, value);
}

static bool
options_has_star(const char *list)
{
	struct slice	 s = { list, list != NULL ? strlen(list) : 0 };

	return slice_list_has(s, "*");
}

/*
 * Where there is any list one of them has "*" (C217), and with a preview
 * Squid has to be told which files are meant, or it never sends one (C218).
 */
static void
options_add_preview(struct reply *r, const struct txn_plan *plan)
{
	bool	 any, star;

	any = plan->transfer_preview != NULL ||
	    plan->transfer_ignore != NULL || plan->transfer_complete != NULL;
	star = (any || plan->preview >= 0) &&
	    !options_has_star(plan->transfer_preview) &&
	    !options_has_star(plan->transfer_ignore) &&
	    !options_has_star(plan->transfer_complete);
	options_add_list(r, "Transfer-Ignore", plan->transfer_ignore,
	    false);
	options_add_list(r, "Transfer-Complete",
	    plan->transfer_complete, star && plan->preview < 0);
	if (plan->preview >= 0)
		(void)reply_add_uint(r, "Preview", (uint64_t)plan->preview);
	options_add_list(r, "Transfer-Preview", plan->transfer_preview,
	    star && plan->preview >= 0);
}

void
options_format(struct reply *r, const struct options *o)
{
	const struct txn_plan	*plan = o->plan;

	reply_start(r, 200, o->istag, o->close);
	options_add_date(r, o->now);
	(void)reply_add_text(r, "Methods", options_methods(plan->methods));
	options_add_service(r, plan);
	(void)reply_add_uint(r, "Max-Connections", o->max_connections);
	(void)reply_add_uint(r, "Options-TTL", plan->options_ttl);
	/* g3 refuses the service over a word it did not offer (C175) */
	(void)reply_add_text(r, "Allow", o->offers_trailers ?
	    "204, 206, trailers" : "204, 206");
	options_add_preview(r, plan);
	if (plan->x_include != NULL)
		(void)reply_add_text(r, "X-Include", plan->x_include);
	if (o->id_header != NULL)
		(void)reply_add_text(r, o->id_header, o->id);
	reply_end(r, ENCAP_RES_HDR, 0, ENCAP_NULL_BODY);
}
