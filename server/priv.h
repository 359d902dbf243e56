/* SPDX-License-Identifier: ISC */
#ifndef SERVER_PRIV_H
#define SERVER_PRIV_H

#include <sys/types.h>

#include <stdbool.h>
#include <stdint.h>

/* Supplementary groups a user may have. */
#define PRIV_GROUPS_MAX	64

/* What a worker may do. */
struct priv {
	/* who it is; priv_find_user() fills it in */
	bool		 is_drop;	/* change to the following */
	uid_t		 uid;
	gid_t		 gid;
	gid_t		 group[PRIV_GROUPS_MAX];
	int		 ngroups;
	char		 user[33];

	const char	*chroot;	/* or NULL; needs root */
	bool		 sandbox;	/* seccomp, where it is built in */
	bool		 core;		/* may leave a core file */
	uint64_t	 files;		/* descriptors; 0: as they are */
	uint64_t	 memory;	/* bytes of data; 0: no limit */
};

/* The defaults. */
void	 priv_init(struct priv *p);

/*
 * Looks up the user and group that workers run as.  Without a user, root
 * changes to the first of the users made for this that exists, and anybody
 * else stays who he is.  Returns 0, or -1 with *why, a static text.
 */
int	 priv_find_user(struct priv *p, const char *user, const char *group,
	    const char **why);

/*
 * Would that user be allowed to do it, as by access(2)?  Returns 0, or -1
 * with errno.  For the master before it forks, as long as nobody else runs.
 */
int	 priv_access(const struct priv *p, const char *path, int mode);

/* Closes all descriptors but 0, 1, 2 and those in keep, which it sorts. */
int	 priv_close_others(int *keep, unsigned int n);

/*
 * Asks for SIGTERM when the master dies.  Returns 0, or -1 when that has
 * happened already or cannot be had.
 */
int	 priv_follow(pid_t master);

/*
 * Gives up all that a worker does not need, in the order that works: groups,
 * root directory, user, new privileges, limits.  Fatal on failure: the caller
 * is not to go on with more than it was meant to have.  Must be called in a
 * child of the master, before it touches what a client sent.
 */
void	 priv_drop(const struct priv *p, pid_t master);

/*
 * Sets the title of this process, "icapd: worker 3 [idle]" for "worker 3
 * [idle]".  priv_init_title() must have been called first in main(): it moves
 * arguments and environment out of the way.
 */
void	 priv_init_title(int argc, char *argv[]);
void	 priv_title(const char *fmt, ...)
	    __attribute__((format(printf, 1, 2)));

/*
 * Replaces what stands in brackets at the title's end by a state that is as
 * long: for what changes with each connection, without printf.
 */
void	 priv_title_state(const char *state);

#endif
