/* SPDX-License-Identifier: ISC */
#ifndef SERVICES_BLOCKLIST_SHARE_H
#define SERVICES_BLOCKLIST_SHARE_H

#include <stdbool.h>
#include <stdint.h>

/*
 * How all processes of the daemon come by a new file that one of them has
 * made: a number in shared memory says that there is one, and its descriptor
 * lies in a socket, where each may look at it and none takes it away.
 */
struct blocklist_share;

/* Before the fork.  Returns NULL with errno. */
struct blocklist_share *blocklist_share_new(uint64_t version);
void	 blocklist_share_free(struct blocklist_share *s);

/* The two descriptors that processes have to keep. */
void	 blocklist_share_get_fds(const struct blocklist_share *s, int *fd);

/*
 * Hands a file to all.  One process only may do so.  Returns 0, or -1 with
 * errno; then all goes on with the one before.
 */
int	 blocklist_share_put(struct blocklist_share *s, int fd,
	    uint64_t version);

/* The number of files handed out so far; costs nothing. */
uint32_t blocklist_share_get_number(const struct blocklist_share *s);

/*
 * A descriptor of the latest file, the caller's, and its number.  Returns -1
 * when it is just being exchanged; ask again at the next occasion.
 */
int	 blocklist_share_take(struct blocklist_share *s, uint32_t *number);

/* What was said of the latest one. */
uint64_t blocklist_share_get_version(const struct blocklist_share *s);

#endif
