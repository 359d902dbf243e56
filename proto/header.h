/* SPDX-License-Identifier: ISC */
#ifndef PROTO_HEADER_H
#define PROTO_HEADER_H

#include "chars.h"
#include "parse.h"

struct header_field {
	struct slice	 name;
	struct slice	 value;		/* trimmed, folds are blanks */
};

/*
 * The fields of one ICAP head, as slices of the buffer they were received
 * into.  `field` is the caller's storage for `max` fields.
 */
struct header {
	struct header_field	*field;
	unsigned int		 max;
	unsigned int		 count;
};

/* Empties h and gives it storage for max fields. */
void	 header_init(struct header *h, struct header_field *storage,
	    unsigned int max);

/*
 * Adds one line, `len` bytes without its CRLF, to h (RFC 3507 4.3, RFC 9112
 * 5).  A line that begins with a blank continues the field before it: the
 * bytes between the two, which must lie in the same buffer, are overwritten
 * with blanks, hence p is not const.  Returns 0, or -1 and the fault: no
 * colon, a name that is no token, a blank before the colon, a control
 * character, a fold with nothing to continue, more than max fields.
 */
int	 header_parse_line(struct header *h, char *p, size_t len,
	    struct fault *fault);

/* First field of that name, whatever its case, or NULL. */
const struct header_field *header_find(const struct header *h,
	    const char *name);

#endif
