/* SPDX-License-Identifier: ISC */
/*
 * Memory that is given back all at once: what one configuration is made of.
 * Called by the modules of conf.  Nothing here is on the way of a
 * transaction, so each piece is simply a malloc of its own in a list; that
 * also lets the sanitizers see where one ends.
 */
#include <sys/queue.h>

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "arena.h"
#include "log.h"

struct piece {
	SLIST_ENTRY(piece)	 next;
	max_align_t		 bytes[];
};

struct arena {
	SLIST_HEAD(, piece)	 pieces;
};

struct arena *
arena_new(void)
{
	struct arena	*a;

	if ((a = malloc(sizeof(*a))) == NULL)
		fatal(EXIT_SICK, "memory for the configuration");
	SLIST_INIT(&a->pieces);
	return a;
}

void
arena_free(struct arena *a)
{
	struct piece	*p;

	if (a == NULL)
		return;
	while ((p = SLIST_FIRST(&a->pieces)) != NULL) {
		SLIST_REMOVE_HEAD(&a->pieces, next);
		free(p);
	}
	free(a);
}

void *
arena_alloc(struct arena *a, size_t n, size_t size)
{
	struct piece	*p = NULL;

	if (size == 0 || n <= (SIZE_MAX - sizeof(*p)) / size)
		p = calloc(1, sizeof(*p) + n * size);
	if (p == NULL)
		fatal(EXIT_SICK, "memory for the configuration");
	SLIST_INSERT_HEAD(&a->pieces, p, next);
	return p->bytes;
}

void *
arena_grow(struct arena *a, const void *old, size_t n, size_t size)
{
	void	*p = arena_alloc(a, n + 1, size);

	if (n > 0)
		memcpy(p, old, n * size);
	return p;
}

char *
arena_copy(struct arena *a, const char *text)
{
	size_t	 size = strlen(text) + 1;

	return memcpy(arena_alloc(a, size, 1), text, size);
}

char *
arena_printf(struct arena *a, const char *fmt, ...)
{
	va_list	 ap;
	char	*text, *copy;
	int	 n;

	va_start(ap, fmt);
	n = vasprintf(&text, fmt, ap);
	va_end(ap);
	if (n == -1)
		fatal(EXIT_SICK, "memory for the configuration");
	copy = arena_copy(a, text);
	free(text);
	return copy;
}
