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

	struct service_counter	*hits;		/* of the cache */
	struct service_counter	*misses;
	struct service_counter	*evictions;
	struct service_gauge	*entries;
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
 * clamav_form.c: the parts of a multipart/form-data body.  init returns
 * whether the Content-Type is that of one, with a boundary; next returns the
 * contents of the part that follows, as offset and length.
 */
struct clamav_form {
	const char	*p;		/* the whole body */
	size_t		 len;
	size_t		 pos;
	struct slice	 boundary;	/* in the Content-Type */
};
bool	 clamav_form_init(struct clamav_form *f, struct slice type,
	    const char *p, size_t len);
bool	 clamav_form_next(struct clamav_form *f, size_t *offset,
	    size_t *len);

#endif
