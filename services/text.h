/* SPDX-License-Identifier: ISC */
#ifndef SERVICES_TEXT_H
#define SERVICES_TEXT_H

#include <stddef.h>

/* Bytes that grow; zeroed is empty. */
struct text {
	char	*p;
	size_t	 len;
	size_t	 size;
};

/* Appends.  Returns 0, or -1 with errno ENOMEM and the text as it was. */
int	 text_add(struct text *t, const void *p, size_t len);
int	 text_adds(struct text *t, const char *s);

/*
 * Puts len bytes in the place of old_len bytes at offset at.  Returns 0, or
 * -1 with errno ENOMEM.
 */
int	 text_splice(struct text *t, size_t at, size_t old_len, const void *p,
	    size_t len);

void	 text_free(struct text *t);

#endif
