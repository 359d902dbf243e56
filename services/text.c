/* SPDX-License-Identifier: ISC */
/*
 * Bytes that grow: heads being edited, responses being made.  Called by the
 * parts of txn.  It sets no limits; who fills a text from the wire does.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "text.h"

int
text_splice(struct text *t, size_t at, size_t old_len, const void *p,
    size_t len)
{
	size_t	 need = t->len - old_len + len, size;
	char	*grown;

	assert(at <= t->len && old_len <= t->len - at);
	if (need > t->size) {
		for (size = 1024; size < need; size *= 2)
			;
		if ((grown = realloc(t->p, size)) == NULL)
			return -1;
		t->p = grown;
		t->size = size;
	}
	if (t->p == NULL)
		return 0;
	memmove(t->p + at + len, t->p + at + old_len, t->len - at - old_len);
	if (len > 0)
		memcpy(t->p + at, p, len);
	t->len = need;
	return 0;
}

int
text_add(struct text *t, const void *p, size_t len)
{
	return text_splice(t, t->len, 0, p, len);
}

int
text_adds(struct text *t, const char *s)
{
	return text_add(t, s, strlen(s));
}

void
text_free(struct text *t)
{
	free(t->p);
	memset(t, 0, sizeof(*t));
}
