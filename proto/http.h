/* SPDX-License-Identifier: ISC */
#ifndef PROTO_HTTP_H
#define PROTO_HTTP_H

#include "chars.h"
#include "parse.h"

/*
 * Checks the bytes of one encapsulated HTTP head: it must hold a start line
 * and end with an empty line, exactly at the offset Encapsulated announced
 * (RFC 3507 4.4.2).  Nothing else is checked: what proxies and file stores
 * put there is odder than any grammar, and it goes back as it came.  Returns
 * 0, or -1 and the fault (400).
 */
int	 http_check_head(struct slice head, struct fault *fault);

/* The first line of a head, without its CRLF. */
struct slice http_start_line(struct slice head);

/*
 * Splits a request line into method, target and version.  The target may
 * hold blanks; parts that are missing are empty.
 */
void	 http_split_request(struct slice line, struct slice *method,
	    struct slice *target, struct slice *version);

/* The status code of a status line, or 0 where it has none. */
int	 http_status(struct slice line);

/* One field of a head; parts that are missing are empty. */
struct http_field {
	struct slice	 line;		/* all of it, with folds and CRLF */
	struct slice	 name;		/* trimmed, as others may */
	struct slice	 value;		/* trimmed; with the CRLFs within it */
};

/*
 * The fields of a head one after the other: *pos is 0 at first.  Returns
 * false at the empty line; *pos is then its offset.
 */
bool	 http_next_field(struct slice head, size_t *pos,
	    struct http_field *f);

/*
 * The same, but only those of that name, whatever its case and whatever
 * blanks are around it.  Who decides something by a field looks at all of
 * them: which one counts is for others to say.
 */
bool	 http_find_next(struct slice head, const char *name, size_t *pos,
	    struct http_field *f);

/*
 * The value of the first of them, blanks trimmed; a folded value holds its
 * CRLFs.  Returns false when there is none.
 */
bool	 http_find(struct slice head, const char *name, struct slice *value);

#endif
