/* SPDX-License-Identifier: ISC */
#ifndef SERVICES_BYTES_H
#define SERVICES_BYTES_H

#include <stddef.h>

/* Bytes that grow; zeroed is empty. */
struct bytes {
	char	*p;
	size_t	 len;
	size_t	 size;
};

/* Appends.  Returns 0, or -1 with errno ENOMEM and the text as it was. */
int	 bytes_add(struct bytes *t, const void *p, size_t len);
int	 bytes_adds(struct bytes *t, const char *s);

/* Makes room for so many bytes in all.  Returns 0, or -1 with errno ENOMEM. */
int	 bytes_reserve(struct bytes *t, size_t size);

/*
 * Puts len bytes in the place of old_len bytes at offset at.  Returns 0, or
 * -1 with errno ENOMEM and the text as it was.  p may point into it.
 */
int	 bytes_splice(struct bytes *t, size_t at, size_t old_len, const void *p,
	    size_t len);

void	 bytes_free(struct bytes *t);

#endif
