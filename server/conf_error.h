/* SPDX-License-Identifier: ISC */
#ifndef SERVER_CONF_ERROR_H
#define SERVER_CONF_ERROR_H

#include <stdarg.h>
#include <stdbool.h>

#include "arena.h"

/* A place in a file; line 0 is the file as a whole, file NULL none. */
struct conf_where {
	const char	*file;
	int		 line;
};

struct conf_error;

/* What is wrong, collected to be told all at once.  Start with zeroes. */
struct conf_errors {
	struct arena		*arena;		/* of all texts */
	struct conf_error	*error;
	unsigned int		 n;
};

/*
 * Adds "what, and what was expected".  The same text at the same place is
 * added only once.
 */
void	 conf_error(struct conf_errors *e, struct conf_where where,
	    const char *fmt, ...) __attribute__((format(printf, 3, 4)));
void	 conf_verror(struct conf_errors *e, struct conf_where where,
	    const char *fmt, va_list ap)
	    __attribute__((format(printf, 3, 0)));

/* Is there one for that place? */
bool	 conf_error_is_at(const struct conf_errors *e,
	    struct conf_where where);

/*
 * Hands all to report(), as `file:line: text`, by file in the order in which
 * they first came up, then by line.
 */
void	 conf_error_report(struct conf_errors *e,
	    void (*report)(const char *message));

#endif
