/* SPDX-License-Identifier: ISC */
#ifndef SERVICES_LOOKUP_H
#define SERVICES_LOOKUP_H

#include <stdbool.h>
#include <time.h>

/* Most addresses of a name; the others are not known. */
#define LOOKUP_ADDRESSES_MAX	64

/* Looks names up, one at a time, and holds nobody up. */
struct lookup;

/*
 * Finds at most max addresses of a name, IPv4 as IPv4-mapped IPv6.  Returns
 * their number, or -1 and *why, a static text.  It may block; it is called in
 * a thread of its own and must not touch anything else.
 */
typedef int	 lookup_ask(const char *name, unsigned char (*address)[16],
		    unsigned int max, const char **why);

struct lookup_answer {
	int		 n;		/* or -1, or 0: it has none */
	const char	*why;		/* then */
	unsigned char	 address[LOOKUP_ADDRESSES_MAX][16];	/* or 0 */
};

/* ask NULL asks the system.  Nothing is begun.  Returns NULL with errno. */
struct lookup *lookup_new(lookup_ask *ask);

/* Waits for an answer that is under way. */
void	 lookup_free(struct lookup *l);

/* The time in so many milliseconds, for lookup_take(). */
struct timespec lookup_until(long ms);

/*
 * Asks for a name, which has to stay.  Returns the answer, that is there until
 * the next call, or NULL: there is none by then, it is to be called with the
 * same name again.
 */
const struct lookup_answer *lookup_take(struct lookup *l, const char *name,
	    const struct timespec *until);

#endif
