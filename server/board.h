/* SPDX-License-Identifier: ISC */
#ifndef SERVER_BOARD_H
#define SERVER_BOARD_H

#include <sys/types.h>

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>

/*
 * The layout, from the start of the region or of the file:
 *
 *	0		struct board_head, padded to BOARD_HEAD_SIZE
 *	head_size	max places, slot_size (struct board_slot) each
 *	behind them	2 * BOARD_SOURCES struct board_source
 *
 * Only [0, nslots) of the places were ever used; the rest is a hole that
 * costs no memory until it is read.  A change of the layout is a new
 * BOARD_VERSION; readers must refuse any other than theirs (board_map does).
 */
#define BOARD_MAGIC	0x42504143u	/* "CAPB" in memory */
#ifndef BOARD_VERSION		/* a test has another one */
#define BOARD_VERSION	5
#endif
#define BOARD_HEAD_SIZE	8192
#define BOARD_FILE	"icapd.board"	/* in the run directory */
#define BOARD_LOCK	".lock"		/* suffix, while it is replaced */

/* Most listeners, each with workers of its own. */
#define BOARD_POOLS	16

/* Most lists and engines that are looked after, of one generation. */
#define BOARD_SOURCES	256

/*
 * What a process does.  Everything from BOARD_READING to BOARD_SERVICE is a
 * transaction that must not be given up.
 */
enum board_state {
	BOARD_FREE,		/* no process */
	BOARD_STARTING,
	BOARD_ACCEPT,		/* waits for a connection */
	BOARD_IDLE,		/* waits for a request on a connection */
	BOARD_READING,		/* a request has begun */
	BOARD_SERVICE,		/* a service runs, or its reply is written */
	BOARD_LEAVING,		/* told to stop, or done */
	BOARD_AUX		/* an auxiliary process, not a worker */
};

/* A client's address as the kernel gave it; family 0: none. */
struct board_peer {
	uint16_t	 family;	/* AF_INET, AF_INET6 */
	uint16_t	 port;		/* network order */
	uint8_t		 address[16];	/* 4 of them with AF_INET */
};

/*
 * One process's place, two cache lines of its own.  The process alone writes
 * to it; the master does while the place is BOARD_FREE.  Times are
 * stream_now(); the counters are of this process and start at 0 with it.
 */
struct board_slot {
	int32_t		 pid;
	uint32_t	 state;		/* enum board_state */
	int64_t		 since;		/* of that state */
	int64_t		 deadline;	/* of the transaction, 0: none */
	uint64_t	 connections;	/* accepted */
	uint64_t	 transactions;	/* answered */
	uint64_t	 bytes_in;
	uint64_t	 bytes_out;
	int32_t		 service;	/* index in the configuration, or -1 */
	uint32_t	 generation;	/* of the configuration */

	uint64_t	 refused;	/* connections of clients not allowed */
	uint64_t	 overload;	/* and answered 503, nobody had time */
	struct board_peer peer;		/* of the connection */
	uint32_t	 pool;		/* index of the listener */
	int64_t		 started;	/* when it was forked */
	int64_t		 reserved[2];
};

enum board_outcome {
	BOARD_SOURCE_UNCHANGED,
	BOARD_SOURCE_CHANGED,
	BOARD_SOURCE_FAILED	/* what was in use stays so, see why */
};

/* A list, or an engine, as the watch process has last been asked to see it. */
struct board_source {
	uint64_t	 updates;	/* even; odd while it looks */
	uint64_t	 entries;
	uint64_t	 refused;	/* lines that are no entries */
	uint32_t	 outcome;	/* enum board_outcome */
	uint32_t	 reserved;
	char		 section[64];
	char		 name[64];	/* empty: the section itself */
	char		 why[352];	/* also: the first line refused */
};

enum board_reload {
	BOARD_RELOAD_NONE,
	BOARD_RELOAD_RUNNING,	/* the new generation is starting */
	BOARD_RELOAD_OK,
	BOARD_RELOAD_BAD	/* everything stayed, see reload_why */
};

/*
 * What a board begins with, in each version from BOARD_STEM_SINCE on, whatever
 * is behind it: icapctl(8) of one version has a daemon of another upgraded,
 * and has to see how that ends.  It never changes.
 */
#define BOARD_STEM_SINCE	5
struct board_stem {
	uint32_t	 magic;
	uint32_t	 version;
	uint64_t	 upgrades_failed;
	char		 program[64];		/* "icapd 0.1.0" */
	char		 upgrade_why[192];	/* of the last that failed */
};

/* The part the master writes.  Texts end with a NUL. */
struct board_head {
	struct board_stem stem;
	uint64_t	 size;		/* bytes of the region */
	uint32_t	 head_size;
	uint32_t	 slot_size;
	uint32_t	 max;		/* places there can be */
	uint32_t	 nslots;	/* places ever used */

	int32_t		 master;	/* pid */
	uint32_t	 generation;	/* of the configuration, from 1 */
	int64_t		 started;	/* stream_now() */
	int64_t		 started_time;	/* seconds since 1970 */

	uint32_t	 workers;	/* wanted, of the current generation */
	uint32_t	 reload;	/* enum board_reload, of the last one */
	int64_t		 reload_time;	/* its end, seconds since 1970 */
	uint64_t	 reloads;	/* that succeeded */
	uint64_t	 reloads_failed;
	uint64_t	 reloads_begun;	/* one more: a new outcome will come */

	uint64_t	 parks;		/* idle connections given up */
	uint64_t	 forks;
	uint64_t	 deaths;	/* that were not asked for */
	uint64_t	 hung;		/* of those: killed past the deadline */

	/* Counters of processes that have ended, by what they counted. */
	uint64_t	 burials;	/* odd while one is added here */
	uint64_t	 past_connections;
	uint64_t	 past_transactions;
	uint64_t	 past_bytes_in;
	uint64_t	 past_bytes_out;
	uint64_t	 past_refused;
	uint64_t	 past_overload;

	/* The watch process, and its sources, of the generation modulo 2. */
	int32_t		 watch[2];	/* pid, 0: there is none */
	uint32_t	 nsources[2];

	/* By listener: a client waits and none of its workers is free. */
	uint32_t	 waiting[BOARD_POOLS];
	uint32_t	 queued[BOARD_POOLS];	/* clients, when last looked */

	char		 istag[64];
	char		 reload_why[256];
	char		 conf_file[512];	/* or empty */
	char		 changes[2048];	/* that the generation made, by line */
};

struct board;

/*
 * Maps a board for at most max processes, shared with children.  With path
 * not NULL it is that file, made anew, that others may map read-only; this
 * process then holds a lock on it until it ends, which its children do not
 * inherit.  (To open and close the file in this process would give the lock
 * back.)  Without path it is anonymous.  NULL with errno.
 */
struct board *board_open(unsigned int max, const char *path);

/*
 * Who looks whether somebody holds the board of that name, and makes, renames
 * or removes it after that, does so under this lock, for no longer than that
 * takes.  It is a file beside it, which goes with it.  board_lock() waits for
 * its turn; returns 0, or -1 with errno: EBUSY when that takes seconds.
 */
struct board_lock {
	int	 fd;
	char	 path[PATH_MAX];
};
int	 board_lock(struct board_lock *lock, const char *path);
void	 board_unlock(struct board_lock *lock);

/* Removes the file, if it still is what board_open() has made: true. */
bool	 board_remove(const char *path);

/*
 * Who holds the board that is open as fd: the process that made it, by the
 * kernel's word, so that neither a file that was left behind nor what is in
 * it can name somebody else.  0: nobody.  -1: somebody whom we cannot see.
 */
pid_t	 board_find_holder(int fd);

/*
 * Maps the board of another process, open as fd, to be read only.  NULL with
 * *why, a static text, when it is none, or errno ENOTSUP, of another version.
 */
const struct board *board_map(int fd, const char **why);

/*
 * Copies the stem of the board that is open as fd, of this version or
 * another.  Returns -1 if it has none: of one from before there were any.
 */
int	 board_read_stem(int fd, struct board_stem *copy);

/* Gives back what board_map() returned. */
void	 board_unmap(const struct board *b);

struct board_head *board_head(struct board *b);
const struct board_head *board_see_head(const struct board *b);
struct board_slot *board_slot(struct board *b, unsigned int i);
const struct board_slot *board_see_slot(const struct board *b,
	    unsigned int i);

/* The sources of a generation, BOARD_SOURCES of them. */
struct board_source *board_sources(struct board *b, unsigned int generation);
const struct board_source *board_see_sources(const struct board *b,
	    unsigned int generation);

/* How many places there can be, and how many to look at. */
unsigned int board_max(const struct board *b);
unsigned int board_places(const struct board *b);

/*
 * What is shown or compared is a copy, made once, in which everything is fit
 * to be used: texts end, numbers of something are at most what there is, and
 * a state is one.  board_copy_source() returns how many sources there are,
 * and copies nothing if i is none of them.
 */
void	 board_copy_head(const struct board *b, struct board_head *copy);
void	 board_copy_slot(const struct board *b, unsigned int i,
	    struct board_slot *copy);
unsigned int board_copy_source(const struct board *b,
	    unsigned int generation, unsigned int i,
	    struct board_source *copy);

/* Since then, and never less than 0, whatever a worker has written there. */
int64_t	 board_age(int64_t now, int64_t since);

/*
 * The process of that place has ended: it is free, and what it counted, if
 * `counts`, is added to the past.  For the master.
 */
void	 board_bury(struct board *b, unsigned int i, bool counts,
	    int64_t now);

/* What all workers that there are and were have counted. */
struct board_sum {
	uint64_t	 connections;
	uint64_t	 transactions;
	uint64_t	 refused;
	uint64_t	 overload;
	unsigned int	 by_state[BOARD_AUX + 1];
};
void	 board_sum(const struct board *b, struct board_sum *sum);

/*
 * A process enters a state.  Plain stores; the state is last, so that who
 * sees it sees the rest.
 */
void	 board_enter(struct board_slot *slot, enum board_state state,
	    int64_t now);

/*
 * Is any worker of the same listener as i waiting for a connection?  Looks
 * first at those after i.
 */
bool	 board_has_free(struct board *b, unsigned int i);

/*
 * What processes tell the master through its pipe.  A message is one byte of
 * kind and two of the sender's place, so that writes never mix.
 */
#define BOARD_NEWS_READY	'r'
#define BOARD_NEWS_SHORT	's'
#define BOARD_NEWS_SIZE		3

/* Tells it.  A full pipe is no failure: the master has enough to do. */
int	 board_tell(int pipe, char kind, unsigned int i);

/*
 * Worker i has just taken a connection: if it was the last free one, the
 * master is told through the pipe.
 */
void	 board_tell_short(struct board *b, unsigned int i, int pipe);

/* Is that what the process of place i does? */
bool	 board_is_in(const struct board *b, unsigned int i,
	    enum board_state state);

/* How many connections are open from that client's address? */
unsigned int board_count_peer(struct board *b, const struct board_peer *peer);

/* "unknown" where it is no enum board_state. */
const char *board_state_name(unsigned int state);

#endif
