/* SPDX-License-Identifier: ISC */
#ifndef SERVICES_IDN_H
#define SERVICES_IDN_H

#include <stddef.h>

/*
 * Replaces a host name in UTF-8 (*len bytes and a NUL) by its form in ASCII
 * (UTS 46, RFC 5891).  Returns 0, or -1 where it has none, where it does not
 * fit into size bytes, and always where libidn2 is not built in.
 */
int	 idn_to_ascii(char *host, size_t size, size_t *len);

/* For tests and summaries: is it built in? */
int	 idn_is_built_in(void);

#endif
