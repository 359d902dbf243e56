/* SPDX-License-Identifier: ISC */
#ifndef SERVICES_GUNZIP_H
#define SERVICES_GUNZIP_H

#include <stdbool.h>
#include <stddef.h>

struct gunzip;

/* Memory for one body at a time, some 60 KiB, or NULL; the caller's. */
struct gunzip *gunzip_new(void);
void	 gunzip_free(struct gunzip *g);

/* A body begins; the next len bytes of it. */
void	 gunzip_start(struct gunzip *g);
void	 gunzip_add(struct gunzip *g, const char *bytes, size_t len);

/*
 * Was that gzip as all readers understand it: members (RFC 1952 2.2) and
 * nothing else, with less than 1 GiB in them?  The only one may end early.
 */
bool	 gunzip_is_plain(const struct gunzip *g);

#endif
