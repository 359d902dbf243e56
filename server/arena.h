/* SPDX-License-Identifier: ISC */
#ifndef SERVER_ARENA_H
#define SERVER_ARENA_H

#include <stddef.h>

/* Memory that is given back all at once.  Running out of it is fatal. */
struct arena;

struct arena	*arena_new(void);

/* NULL is allowed. */
void		 arena_free(struct arena *a);

/* Zeroed and aligned for anything. */
void		*arena_alloc(struct arena *a, size_t n, size_t size);

/* A copy of the old array of n elements with room for one more. */
void		*arena_grow(struct arena *a, const void *old, size_t n,
		    size_t size);

char		*arena_copy(struct arena *a, const char *text);
char		*arena_printf(struct arena *a, const char *fmt, ...)
		    __attribute__((format(printf, 2, 3)));

#endif
