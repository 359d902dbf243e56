/* SPDX-License-Identifier: ISC */
#ifndef SERVICES_CLAMAV_CACHE_H
#define SERVICES_CLAMAV_CACHE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "clamd.h"

#define CLAMAV_DIGEST	32	/* bytes of SHA-256 */

/* SHA-256 of what is given in pieces. */
struct clamav_digest;

/*
 * Returns NULL with errno: ENOTSUP when there is no SHA-256 in this build.
 * Made once and used again for each body.
 */
struct clamav_digest *clamav_digest_new(void);
void	 clamav_digest_free(struct clamav_digest *d);

/* Each returns 0, or -1: then there is no digest of this body. */
int	 clamav_digest_start(struct clamav_digest *d);
int	 clamav_digest_add(struct clamav_digest *d, const void *p, size_t len);
int	 clamav_digest_end(struct clamav_digest *d,
	    unsigned char key[CLAMAV_DIGEST]);

/*
 * Verdicts by digest and version of the databases, in memory that is shared
 * with all processes forked later.
 */
struct clamav_cache;

/*
 * Makes one with room for about so many verdicts, which are good for `time`
 * milliseconds.  Returns NULL with errno.
 */
struct clamav_cache *clamav_cache_new(size_t entries, int64_t time);
void	 clamav_cache_free(struct clamav_cache *c);

/* Is there a verdict that holds at this time (of clamd_now())? */
bool	 clamav_cache_find(struct clamav_cache *c,
	    const unsigned char key[CLAMAV_DIGEST], uint64_t version,
	    int64_t now, struct clamd_verdict *v);

/*
 * Keeps a verdict, where it is one: clean or infected.  The oldest that
 * stands in its way is forgotten.  Returns whether that one was still good.
 */
bool	 clamav_cache_add(struct clamav_cache *c,
	    const unsigned char key[CLAMAV_DIGEST], uint64_t version,
	    int64_t now, const struct clamd_verdict *v);

/* Places that were ever filled. */
uint64_t clamav_cache_entries(const struct clamav_cache *c);

#endif
