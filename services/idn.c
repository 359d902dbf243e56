/* SPDX-License-Identifier: ISC */
/*
 * Host names that are not ASCII.  Called by weburl.c for the few that are
 * not; a proxy usually asks in punycode.  The only file that knows libidn2.
 */
#include <string.h>

#include "idn.h"

#ifdef HAVE_LIBIDN2

#include <idn2.h>

int
idn_to_ascii(char *host, size_t size, size_t *len)
{
	char	*ascii = NULL;
	size_t	 n;

	if (idn2_to_ascii_8z(host, &ascii, IDN2_NONTRANSITIONAL) != IDN2_OK)
		return -1;
	n = strlen(ascii);
	if (n < size) {
		memcpy(host, ascii, n + 1);
		*len = n;
	}
	idn2_free(ascii);
	return n < size ? 0 : -1;
}

int
idn_is_built_in(void)
{
	return 1;
}

#else

int
idn_to_ascii(char *host, size_t size, size_t *len)
{
	(void)host;
	(void)size;
	(void)len;
	return -1;
}

int
idn_is_built_in(void)
{
	return 0;
}

#endif
