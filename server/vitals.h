/* SPDX-License-Identifier: ISC */
#ifndef SERVER_VITALS_H
#define SERVER_VITALS_H

#include <stdbool.h>
#include <stdint.h>

#include "../services/vital.h"

/* Most of them since the start; what is shown once keeps its place. */
#define VITALS_BACKENDS	256
#define VITALS_NUMBERS	VITAL_CELLS	/* gauges need no cell, but a place */

/* Whose a place is, and which configurations it is part of. */
struct vitals_label {
	char		 service[VITAL_SERVICE];
	char		 kind[VITAL_KIND];
	char		 name[VITAL_NAME];
	uint32_t	 edition[2];	/* the current, another one; 0: none */
	uint32_t	 needed[2];
};

struct vitals_backend {
	struct vitals_label	 is;
	struct vital_state	 state;
};

struct vitals_number {
	struct vitals_label	 is;
	char			 help[VITAL_HELP];
	uint64_t		 is_gauge;
	int64_t			 value;		/* of a gauge */
};

/*
 * Part of the counters' file (tally.h).  The master alone gives places out,
 * and never takes one back; what is in them is written by whoever knows.  A
 * counter's value is the sum of the cells with its number.
 */
struct vitals {
	uint32_t		 editions;	/* configurations so far */
	uint32_t		 current;	/* the one that serves */
	uint32_t		 nbackends;
	uint32_t		 nnumbers;	/* number 0 is never used */
	struct vitals_backend	 backend[VITALS_BACKENDS];
	struct vitals_number	 number[VITALS_NUMBERS];
};

/* What the services of one configuration have asked for. */
struct vitals_wanted {
	struct service_backend	**backend;
	unsigned int		 nbackends;
	struct service_counter	**counter;
	unsigned int		 ncounters;
	struct service_gauge	**gauge;
	unsigned int		 ngauges;
	uint32_t		 edition;	/* vitals_add() gives it */
};

/*
 * Gives what a configuration wants its places, those it had before where
 * there are such.  Nothing of it is shown yet.  Returns 0, or -1 when there
 * is no room for all of it.  For the master, before the fork.
 */
int	 vitals_add(struct vitals *v, struct vitals_wanted *w);

/* That configuration is the current one: what it wants is shown. */
void	 vitals_show(struct vitals *v, const struct vitals_wanted *w);

/*
 * Is that place shown?  *needed tells whether the daemon is not ready without
 * that back-end or one that stands in for it; it may be NULL.
 */
bool	 vitals_is_shown(const struct vitals *v,
	    const struct vitals_label *is, bool *needed);

/* What it is called, as texts that end. */
void	 vitals_copy_label(const struct vitals_label *is,
	    struct vitals_label *copy);

/* How many places to look at. */
unsigned int vitals_backends(const struct vitals *v);
unsigned int vitals_numbers(const struct vitals *v);

/* The places that are shown, a service's together; returns their number. */
unsigned int vitals_list_backends(const struct vitals *v,
	    unsigned short place[VITALS_BACKENDS]);
unsigned int vitals_list_numbers(const struct vitals *v,
	    unsigned short place[VITALS_NUMBERS]);

/*
 * Has each service that needs one a back-end that works?  If not *who is the
 * title of one that has not; it may be NULL.
 */
bool	 vitals_is_ready(const struct vitals *v, const char **who);

#endif
