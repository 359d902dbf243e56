/* SPDX-License-Identifier: ISC */
#ifndef SERVER_START_H
#define SERVER_START_H

#include "conf.h"

/* A reload is done twice, see rehearse.h. */
enum start_turn {
	START_REHEARSAL,	/* in a child: conf_args.drop is wanted */
	START_REHEARSED,	/* conf_args.is_rehearsed */
	START_ALONE		/* that was in vain */
};

/* What main() knows; see master.h for the functions. */
struct start {
	char		**argv;		/* to be executed on an upgrade */
	struct conf	*conf;
	/* See master.h.  NULL: it cannot be reloaded. */
	int		(*reload)(void *arg, enum start_turn turn,
			    struct conf **next, char *why, size_t size);
	void		(*compare)(const struct conf *old,
			    const struct conf *next, char *changes,
			    size_t size);
	void		(*release)(void *arg, struct conf *conf);
	void		*arg;
};

/*
 * Must be the first thing in main(): makes room for process titles, and
 * remembers what the program was called with.
 */
void	 start_init(int argc, char *argv[]);

/*
 * Runs the daemon with a complete configuration, which it takes over: release
 * is called for it in the end, too.  Listeners, pid file, background, master.
 * Returns its exit status, in the background the one of
 * the start: 0 when the first worker is ready.
 */
int	 start_run(const struct start *s);

/*
 * Looks up what a configuration names (the user of the workers) and checks
 * what must be there; for reload functions, too.  Returns 0, or -1 with a
 * line in why.
 */
int	 start_check(struct conf *conf, char *why, size_t size);

#endif
