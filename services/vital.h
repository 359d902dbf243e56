/* SPDX-License-Identifier: ISC */
#ifndef SERVICES_VITAL_H
#define SERVICES_VITAL_H

#include <stdbool.h>

#include "service.h"

/* Bytes of the texts that are shown, with the NUL; longer ones are cut. */
#define VITAL_SERVICE	64
#define VITAL_KIND	32
#define VITAL_NAME	128
#define VITAL_HELP	128
#define VITAL_WHY	160

/* Most counters; number 0 is where those go that nobody sees. */
#define VITAL_CELLS	256

/* A back-end, as all processes know it. */
struct vital_state {
	uint32_t	 turn;		/* odd while it is written */
	uint32_t	 state;		/* enum backend_state */
	int64_t		 since;		/* of that state, stream_now() */
	char		 why[VITAL_WHY];
};

/* Whose it is and what it is called; texts that stay. */
struct vital_name {
	const char	*service;	/* title of the section */
	const char	*kind;		/* name of the service */
	const char	*name;
	const char	*help;		/* of numbers, else NULL */
};

/*
 * What setup->backend() and the like return.  Zeroed but for its name it is
 * private to this process and what forks from it; the server then gives it a
 * place that is shared, before the fork.
 */
struct service_backend {
	struct vital_name	 is;
	bool			 needed;
	struct vital_state	 own;
	struct vital_state	*shared;	/* or NULL */
};

struct service_counter {
	struct vital_name	 is;
	unsigned int		 cell;		/* 0: not shown */
};

struct service_gauge {
	struct vital_name	 is;
	bool			 is_set;
	int64_t			 own;
	int64_t			*shared;	/* or NULL */
};

/* Is it a name for numbers: a-z, 0-9 and _, and not what we add to it? */
bool	 vital_is_name(const char *name);

/* What a back-end or gauge knows by itself is told to all from now on. */
void	 vital_share_backend(struct service_backend *b,
	    struct vital_state *shared);
void	 vital_share_gauge(struct service_gauge *g, int64_t *shared);

/* This process counts in these VITAL_CELLS cells, which nobody else writes. */
void	 vital_use(uint64_t *cells);

/* Copies a state that others may be writing.  The text ends with a NUL. */
void	 vital_read(const struct vital_state *s, struct vital_state *copy);

/* That of a back-end, wherever it is. */
void	 vital_get(const struct service_backend *b, struct vital_state *copy);

/* Copies a text, as UTF-8 of one line whatever it was. */
void	 vital_copy(char *dst, size_t size, const char *src);

/* "up" and the like. */
const char *vital_state_name(enum backend_state state);

#endif
