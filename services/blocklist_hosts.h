/* SPDX-License-Identifier: ISC */
#ifndef SERVICES_BLOCKLIST_HOSTS_H
#define SERVICES_BLOCKLIST_HOSTS_H

#include <sys/types.h>

#include <stdbool.h>
#include <stdint.h>

#include "lookup.h"
#include "weburl.h"

/* Most addresses of all names together; the others are not known. */
#define BLOCKLIST_ADDRESSES_MAX	LOOKUP_ADDRESSES_MAX

/* Names whose addresses all processes of the daemon know. */
struct blocklist_hosts;

/*
 * Before the fork.  section is for the log, ask for lookup_new().
 * Returns NULL with errno.
 */
struct blocklist_hosts *blocklist_hosts_new(const char *section,
	    lookup_ask *ask);

/* Waits for a look-up that is under way. */
void	 blocklist_hosts_free(struct blocklist_hosts *h);

/* Adds the host of a URL, once, unless it is an address.  Returns 0, or -1. */
int	 blocklist_hosts_add(struct blocklist_hosts *h,
	    const struct weburl *u);

/*
 * Looks them up, one after the other; one that cannot be found keeps the
 * addresses it had, which is said once.  Returns true when all of them have
 * been looked up; or false after a fifth of a second, as nobody knows how long
 * a name server takes: the look-up goes on meanwhile, and so does the next
 * call.
 * Only one process may do so.
 */
bool	 blocklist_hosts_look_up(struct blocklist_hosts *h);

/* Is the host of that URL an address that one of them has? */
bool	 blocklist_hosts_has(const struct blocklist_hosts *h,
	    const struct weburl *u);

#endif
