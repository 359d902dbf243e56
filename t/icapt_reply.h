/* SPDX-License-Identifier: ISC */
#ifndef ICAPT_REPLY_H
#define ICAPT_REPLY_H

#include "icapt_msg.h"

#define REPLY_FIELDS	128
#define REPLY_KEEP	(1 << 20)	/* of a body: enough to tell and test */

enum reply_parse { REPLY_OK, REPLY_MORE, REPLY_BAD };

struct field {
	const char	*name;
	const char	*value;
	const char	*raw;		/* after the colon, as it came */
};

/* One answer, read byte by byte if need be. */
struct reply {
	int		 state;
	struct text	 head;		/* without the empty line */
	size_t		 headsize;	/* with it */
	int		 status;
	struct field	 field[REPLY_FIELDS];
	int		 nfield;
	char		 hdr[16];	/* "req-hdr", or "" */
	char		 body[16];	/* "req-body", "null-body", or "" */
	uint64_t	 bodyoff;
	char		*sect;		/* the header section */
	size_t		 nsect;
	char		*acc;		/* the line or head being read */
	size_t		 nacc;
	size_t		 maxacc;
	uint64_t	 left;		/* of this chunk */
	uint64_t	 size;		/* of the body, so far */
	char		*keep;		/* its beginning */
	size_t		 nkeep;
	char		*end;		/* from the last chunk on */
	size_t		 nend;
	int64_t		 original;	/* use-original-body, or -1 */
	const struct content *want;	/* what the body should be, or NULL */
	int64_t		 differ;	/* where it is not, or -1 */
	int		 begun;		/* at least one byte came */
	const char	*why;		/* what is bad */
};

/* Begin an answer; want is what its body is compared with, or NULL. */
void	 reply_init(struct reply *, const struct content *);
/* Give back what the answer holds. */
void	 reply_fini(struct reply *);
/* Read some bytes; the last argument is how many were used. */
enum reply_parse reply_parse(struct reply *, const char *, size_t, size_t *);
/* The first field of that name, or NULL. */
const struct field *reply_find(const struct reply *, const char *);

/* The rules of an answer to a message; 0, or -1 with the failure noted. */
int	 reply_check_any(struct icapt *, const struct reply *);
int	 reply_check_200(struct icapt *, const struct reply *,
	    const struct msg *);
int	 reply_check_204(struct icapt *, const struct reply *,
	    const struct msg *, int);
int	 reply_check_206(struct icapt *, const struct reply *,
	    const struct msg *, int);
int	 reply_check_echo(struct icapt *, const struct reply *,
	    const struct msg *);
int	 reply_check_options(struct icapt *, const struct reply *,
	    const struct msg *);
/* The answer without its date and its chunking, to compare it. */
struct text reply_canon(struct icapt *, const struct reply *);

#endif
