/* SPDX-License-Identifier: ISC */
/*
 * What services have to say beside the outcome of transactions.  Called by
 * services through the contract; the server sets where it goes, as nothing
 * here may call upward.  Without a server (tests) it is standard error.
 */
#include <stdarg.h>
#include <stdio.h>

#include "notice.h"
#include "service.h"

static void	(*notice_sink)(bool warning, const char *message);

static void notice(bool warning, const char *fmt, va_list ap)
    __attribute__((format(printf, 2, 0)));

void
notice_set(void (*sink)(bool warning, const char *message))
{
	notice_sink = sink;
}

static void
notice(bool warning, const char *fmt, va_list ap)
{
	char	 text[1024];

	(void)vsnprintf(text, sizeof(text), fmt, ap);
	if (notice_sink != NULL)
		notice_sink(warning, text);
	else
		(void)fprintf(stderr, "%s\n", text);
}

void
service_log(const char *fmt, ...)
{
	va_list	 ap;

	va_start(ap, fmt);
	notice(false, fmt, ap);
	va_end(ap);
}

void
service_warn(const char *fmt, ...)
{
	va_list	 ap;

	va_start(ap, fmt);
	notice(true, fmt, ap);
	va_end(ap);
}

void
service_tell(struct service_report *report,
    const struct service_outcome *outcome)
{
	report->tell(report->arg, outcome);
}
