/* SPDX-License-Identifier: ISC */
#ifndef SERVICES_CLAMAV_H
#define SERVICES_CLAMAV_H

#include "../proto/chars.h"
#include "clamav_cache.h"
#include "clamd.h"
#include "service.h"

/* What becomes of a body nobody knows enough about. */
enum clamav_policy {
	CLAMAV_BLOCK,
	CLAMAV_PASS,
	CLAMAV_FAIL
};

struct clamav_types;

/* One `clamav` section. */
struct clamav {
	struct clamd		*clamd;
	int64_t			 scan_timeout;	/* ms, for all of a body */
	uint64_t		 max_size;
	bool			 multipart;
	unsigned int		 max_parts;
	size_t			 trickle;	/* bytes at a time; 0: none */
	unsigned int		 trickle_ms;	/* and then a pause */
	uint64_t		 trickle_max;	/* bytes in all */
	enum clamav_policy	 policy[CLAMD_NRESULTS];
	struct service_template	*page;		/* infected; or NULL */
	struct service_template	*unscanned_page;
	struct clamav_types	*types;		/* NULL: all are scanned */
	struct clamav_cache	*cache;		/* NULL: off */
	struct clamav_digest	*digest;
	struct gunzip		*gunzip;	/* NULL before it is needed */

	struct service_counter	*hits;		/* of the cache */
	struct service_counter	*misses;
	struct service_counter	*evictions;
	struct service_gauge	*entries;
	struct service_counter	*unscanned[CLAMD_NRESULTS];
};

/* clamav_conf.c: open() and close() of the contract. */
int	 clamav_open(const struct service_setup *setup, void **instance);
void	 clamav_close(void *instance);

/*
 * clamav_types.c: which types are scanned.  Returns NULL after
 * setup->error(), and where both lists are empty.
 */
struct clamav_types *clamav_types_new(const struct service_setup *setup);
void	 clamav_types_free(struct clamav_types *t);

/*
 * May a body with this Content-Type (empty: none) and these first bytes pass
 * without a scan?
 */
bool	 clamav_types_skip(struct clamav_types *t, struct slice declared,
	    const char *bytes, size_t len);

/*
 * clamav_form.c: what a Content-Type says of a body.  Sets the boundary, in
 * the text of the type, of a form.
 */
enum clamav_form_kind {
	CLAMAV_FORM_NONE,		/* it is no multipart */
	CLAMAV_FORM_IS,			/* with a boundary, the same for all */
	CLAMAV_FORM_UNCLEAR		/* readers may differ about it */
};
enum clamav_form_kind clamav_form_type(struct slice type,
	    struct slice *boundary);

/* Longest boundary, bytes; RFC 2046 has 70. */
#define CLAMAV_BOUNDARY_MAX	200

struct clamav_delimiter {
	size_t		 at;
	size_t		 end;		/* behind its line */
	unsigned int	 odd;		/* why it may be none, or 0 */
	bool		 is_last;	/* with "--" behind */
};

/*
 * The parts of such a body: next returns the contents of the one that follows,
 * as offset and length.  Where it is open what a delimiter is there are parts
 * that overlap, but no more than twice the body in all.  When there are no
 * more, doubt says why these may not be all that somebody sees in it, or
 * NULL; and is_coded that one of them is in base64 or the like, which some
 * readers undo (RFC 7578 4.7).
 */
struct clamav_form {
	const char		*p;	/* the whole body */
	size_t			 len;
	char			 line[2 + CLAMAV_BOUNDARY_MAX];
	size_t			 line_len;	/* "--" and boundary */
	bool			 is_strict;	/* for everybody; or anybody */
	bool			 more;
	struct clamav_delimiter	 next;
	size_t			 closed;	/* the first end of all parts */
	bool			 found;
	unsigned int		 odd;		/* the one kind there is */
	bool			 is_mixed;
	bool			 is_nested;	/* a part has parts */
	bool			 is_coded;
};
void	 clamav_form_init(struct clamav_form *f, struct slice boundary,
	    const char *p, size_t len);
bool	 clamav_form_next(struct clamav_form *f, size_t *offset,
	    size_t *len);
const char *clamav_form_doubt(const struct clamav_form *f);

#endif
