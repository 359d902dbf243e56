/* SPDX-License-Identifier: ISC */
/*
 * Bytes that grow: heads being edited, responses being made.  Called by the
 * parts of txn.  It sets no limits; who fills a text from the wire does.
 */
#include <assert.h>
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "bytes.h"

int
bytes_reserve(struct bytes *t, size_t need)
{
	size_t	 size;
	char	*grown;

	if (need <= t->size)
		return 0;
	if (need > SIZE_MAX / 2) {
		errno = ENOMEM;
		return -1;
	}
	for (size = 1024; size < need; size *= 2)
		;
	if ((grown = realloc(t->p, size)) == NULL)
		return -1;
	t->p = grown;
	t->size = size;
	return 0;
}

int
bytes_splice(struct bytes *t, size_t at, size_t old_len, const void *p,
    size_t len)
{
	uintptr_t	 start = (uintptr_t)t->p, from = (uintptr_t)p;
	void		*copy;
	int		 result;

	assert(at <= t->len && old_len <= t->len - at);
	if (t->p != NULL && len > 0 && from >= start &&
	    from - start < t->size) {
		/* a part of itself, which is about to move */
		if ((copy = malloc(len)) == NULL)
			return -1;
		memcpy(copy, p, len);
		result = bytes_splice(t, at, old_len, copy, len);
		free(copy);
		return result;
	}
	if (bytes_reserve(t, t->len - old_len + len) == -1)
		return -1;
	if (t->p == NULL)
		return 0;
	memmove(t->p + at + len, t->p + at + old_len, t->len - at - old_len);
	if (len > 0)
		memcpy(t->p + at, p, len);
	t->len = t->len - old_len + len;
	return 0;
}

int
bytes_add(struct bytes *t, const void *p, size_t len)
{
	return bytes_splice(t, t->len, 0, p, len);
}

int
bytes_adds(struct bytes *t, const char *s)
{
	return bytes_add(t, s, strlen(s));
}

void
bytes_free(struct bytes *t)
{
	free(t->p);
	memset(t, 0, sizeof(*t));
}
