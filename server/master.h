/* SPDX-License-Identifier: ISC */
#ifndef SERVER_MASTER_H
#define SERVER_MASTER_H

#include "conf.h"
#include "worker.h"

/*
 * A process that the master keeps running beside the workers, such as a
 * logger.  To add one: write its run function in a file of its own, and its
 * line into helper_list() in helpers.c; nothing else has to know it.
 *
 * run() is called in the child after the fork, with the signals of the master
 * blocked and nothing open but standard input and output and what
 * `keeps` names; it sets up its own handlers and privileges (priv_drop())
 * and never returns.  It must watch for
 *	SIGTERM	finish what there is to do and exit with 0; sent after the
 *		last worker has gone, and after a reload: the process is
 *		started again with the new configuration then
 *	SIGUSR1	reopen log files
 * and ask for a SIGTERM on the master's death (priv_follow()).  The status
 * means the same as a worker's.  What dies is started again by the rules of
 * respawn.c, a process that lives 10 s counting as healthy.  Its place on the
 * board (w->number) is in state BOARD_AUX.
 */
struct master_aux {
	const char	*name;		/* "logger", for titles and messages */
	void		(*run)(const struct worker *w);
	/* Is it wanted with this configuration?  NULL: always. */
	bool		(*is_wanted)(const struct conf *conf);
	bool		is_last;	/* told to finish after all others */
	/* A descriptor that it keeps, too, or -1.  NULL: none. */
	int		(*keep)(void);
	/*
	 * Of a daemon and the binary that takes its place only one has it at
	 * a time: it ends when, and starts not before, the new one serves.
	 */
	bool		 is_single;
};

/* How the master ended. */
enum master_end {
	MASTER_STOPPED,		/* by a signal; no child is left */
	MASTER_REPLACED,	/* the same, and a new binary serves */
	MASTER_FAILED		/* no worker ever got ready; said why */
};

/*
 * What start.c gives the master.  The functions may be NULL where that is
 * said; all get arg.
 */
struct master_setup {
	struct conf	*conf;		/* the first one */
	struct board	*board;
	const int	*listener;
	unsigned int	 nlisteners;	/* at most BOARD_POOLS */
	bool		 is_successor;	/* another one serves until ready() */

	/* The first worker is ready: tell who waits for that. */
	void		(*ready)(void *arg);

	/*
	 * SIGHUP: loads and checks a new configuration.  Returns 0 and the
	 * new one, or -1 after having logged what is wrong with it, and
	 * leaves a line about it in why.  NULL: it cannot be reloaded.
	 * Before that rehearse() has done the same in a child (rehearse.h),
	 * gave up its privileges on the way, and has returned 0 and that tag
	 * (conf_get_tag()), or -1; then reload() is not called.
	 */
	int		(*reload)(void *arg, uint64_t tag, struct conf **next,
			    char *why, size_t size);
	int		(*rehearse)(void *arg, uint64_t *tag, char *why,
			    size_t size);

	/*
	 * Says what the new one changes, before it is tried, and writes the
	 * same to changes, by line.  May be NULL.
	 */
	void		(*compare)(const struct conf *old,
			    const struct conf *next, char *changes,
			    size_t size);

	/* The listeners are about to be closed for good.  May be NULL. */
	void		(*unlisten)(void *arg);

	/* Nobody uses that configuration any more.  May be NULL. */
	void		(*release)(void *arg, struct conf *conf);

	/*
	 * SIGUSR2, in a child: executes the new binary, which writes a byte
	 * to fd when it is ready.  Returns only if that fails, with errno.
	 * NULL: cannot be done.
	 */
	void		(*upgrade)(void *arg, int fd);

	void		*arg;
};

/*
 * Forks the workers on the listeners and supervises them until told to stop.
 */
enum master_end master_run(const struct master_setup *setup);

#endif
