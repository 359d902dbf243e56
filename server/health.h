/* SPDX-License-Identifier: ISC */
#ifndef SERVER_HEALTH_H
#define SERVER_HEALTH_H

#include "metrics.h"

/* One back-end that is shown, as it was when it was looked at. */
struct health {
	const char		*service;	/* title of its section */
	const char		*kind;		/* name of the service */
	const char		*name;
	enum backend_state	 state;
	int64_t			 since;		/* seconds since 1970, or 0 */
	int64_t			 age;		/* of the state, ms, or -1 */
	bool			 needed;
	const char		*why;		/* or "" */
	struct vitals_label	 is;		/* these are in here */
	struct vital_state	 copy;
};

/*
 * Takes the next back-end that is shown, one service's together; *i is 0
 * before the first.  Returns false behind the last.
 */
bool	 health_next(const struct snapshot *s, unsigned int *i,
	    struct health *h);

/* "since 2026-11-22 16:40:12Z", or "" where nobody has looked yet. */
const char *health_since(const struct health *h);

/* Copies number i of s->nnumbers, and returns its value. */
int64_t	 health_number(const struct snapshot *s, unsigned int i,
	    struct vitals_number *n);

/* Text for who asks whether the daemon is ready, and why not. */
void	 health_format(struct page *p, const struct snapshot *s,
	    bool verbose);

/* The parts of metrics and JSON that are about all this. */
void	 health_format_metrics(struct page *p, const struct snapshot *s);
void	 health_format_json(struct page *p, const struct snapshot *s);

#endif
