/* SPDX-License-Identifier: ISC */
#ifndef SERVICES_HOURS_H
#define SERVICES_HOURS_H

#include <stdbool.h>
#include <time.h>

/* Times of the week. */
struct hours {
	unsigned char	 days;		/* bit 0: Sunday */
	int		 from;		/* minute of the day */
	int		 to;		/* the first one after it */
};

/*
 * "mon-fri 08:00-17:00", "sat,sun", "daily 22:00-06:00" (until the morning of
 * the next day).  Returns 0, or -1 when it is not one of these.
 */
int	 hours_parse(struct hours *h, const char *text);

bool	 hours_has(const struct hours *h, unsigned int count,
	    const struct tm *tm);

#endif
