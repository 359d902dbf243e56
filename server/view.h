/* SPDX-License-Identifier: ISC */
#ifndef SERVER_VIEW_H
#define SERVER_VIEW_H

#include "conf.h"
#include "ring.h"
#include "tally.h"

/*
 * What administrators are told: made by the master before the first fork,
 * inherited by everybody.  With path not NULL the counters are in that file.
 */
struct view;

/*
 * For at most max processes; once, in the master.  NULL with errno.
 * view_get() is what was made, in the master and all that it forks.
 */
struct view *view_open(unsigned int max, const struct conf_view *conf,
	    const char *path);
struct view *view_get(void);

struct rings *view_rings(const struct view *v);
struct tally *view_tally(const struct view *v);

/*
 * Makes the logs of a configuration known, and its paths; at the start and
 * for each reload, before its workers are forked.  Returns 0, or -1 with
 * errno, and nothing is changed: ENOSPC when there is no place for another
 * log, ENAMETOOLONG.
 */
int	 view_add(struct view *v, struct conf *conf);

/*
 * For the master: were logs added since view_show()?  A logger that was forked
 * before does not know where they go, so there must be another.
 */
bool	 view_has_added(const struct view *v);

/* For the master: no process uses that configuration any more. */
void	 view_del(struct view *v, const struct conf *conf);

/*
 * For the master: of those that were added it is the current one.  What it
 * wants is shown, and the master's events go to its logs.  The next logger is
 * one for it.
 */
void	 view_show(struct view *v, const struct conf *conf);

/* For the master: that process, of that place of the board, has gone. */
void	 view_leave(struct view *v, unsigned int i, pid_t pid);

/*
 * In each process after the fork, and in the master: its events go to the
 * logs of conf from now on.  `ring` is RING_MASTER or another.
 */
void	 view_use(struct view *v, unsigned int ring, const struct conf *conf);

/* The services of this process count in its place, that of the board. */
void	 view_use_place(struct view *v, unsigned int i);

/* The access logs of conf for its workers.  Returns their number. */
unsigned int view_logs(struct view *v, const struct conf *conf,
	    struct record_log log[CONF_LOGS_MAX]);

/*
 * Runs the logger in this process, forked by that master; *jobs as for
 * logger_run().  Never returns.
 */
void	 view_run_logger(struct view *v, const struct conf *conf,
	    pid_t master, uint64_t *jobs) __attribute__((noreturn));

#endif
