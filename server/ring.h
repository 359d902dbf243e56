/* SPDX-License-Identifier: ISC */
#ifndef SERVER_RING_H
#define SERVER_RING_H

#include <sys/types.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Different logs at a time, those of configurations on their way out too. */
#define RING_LOGS	32

/* Pseudo log: the last errors and blocks, for icapctl and the status page. */
#define RING_RECENT	0xffff

/* Longest line with its newline; longer ones are cut. */
#define RING_LINE_MAX	8192

/* Sizes of one ring; a power of two. */
#define RING_SIZE_MIN	(128 * 1024)
#define RING_SIZE_MAX	(16 * 1024 * 1024)

/* Rings before those of the workers, that of place i is RING_WORKER + i. */
enum ring_extra { RING_MASTER, RING_LOGGER, RING_STATUS, RING_WATCH,
    RING_RELOAD, RING_WORKER };

/* A line on its way; p ends with a newline. */
struct ring_line {
	uint16_t	 log;		/* ring_add_log(), or RING_RECENT */
	uint8_t		 level;		/* enum log_level */
	uint8_t		 kind;		/* enum ring_kind */
	uint32_t	 len;
	const char	*p;
};

enum ring_kind { RING_EVENT, RING_ACCESS, RING_BLOCKED };

/* One of the last errors; the logger alone writes it. */
struct ring_recent {
	uint64_t	 number;	/* 1, 2, ...; 0 while being written */
	int64_t		 when;		/* seconds since 1970 */
	uint8_t		 level;
	uint8_t		 kind;
	char		 text[246];	/* printable ASCII, NUL-terminated */
};

#define RING_RECENTS	32

/* A place for a log: the master takes and ends it, the logger frees it. */
enum ring_log_state { RING_LOG_FREE, RING_LOG_USED,
    RING_LOG_ENDING };		/* no more lines come */

/* Of a write: see logger.c. */
enum ring_phase { RING_IDLE, RING_ANNOUNCED, RING_WRITTEN };

/* Longest path of a log. */
#define RING_PATH_MAX	255

/*
 * A log and what became of it.  The master writes path, serial and state, and
 * zeroes the rest while the place is free; the rest is the logger's.  The path
 * is to be shown, and nothing else: see struct ring_name.
 */
struct ring_log {
	char		 path[RING_PATH_MAX + 1];
	uint32_t	 state;		/* enum ring_log_state */
	uint32_t	 serial;	/* of the logs that had this place */
	uint64_t	 lines;		/* written */
	uint64_t	 bytes;
	uint64_t	 lost;		/* lines given up */
	uint64_t	 lost_before;	/* and before it began to fail */
	uint64_t	 errors;	/* writes and opens that failed */
	uint32_t	 failing;	/* now */
	uint32_t	 phase;		/* enum ring_phase */
	uint64_t	 dev;		/* the write under way: file, */
	uint64_t	 ino;
	uint64_t	 offset;	/* its length before, */
	uint64_t	 len;		/* bytes, */
	uint64_t	 lines_then;	/* and both counters after it */
	uint64_t	 bytes_then;
	uint32_t	 first;		/* the ring the next one begins at */
	uint32_t	 reserved;
};

/*
 * Which log has a place, and where it goes.  Each process has these in memory
 * of its own, as the master had them when it forked it, so that no worker can
 * change them.  A place whose log has another serial now was taken later.
 */
struct ring_name {
	uint32_t	 serial;
	bool		 is_wanted;	/* by a configuration */
	char		 path[RING_PATH_MAX + 1];
};

/* How far a log has got in a ring; the logger's. */
struct ring_cursor {
	uint64_t	 tail;		/* written up to here */
	uint64_t	 next;		/* and to here when the write is done */
};

/* What others may see, too: in shared memory, and zeroed at the start. */
struct ring_public {
	uint32_t		 nlogs;		/* places ever used */
	uint32_t		 reserved;
	uint64_t		 waits;		/* of workers for room */
	uint64_t		 dropped;	/* events that had none */
	uint64_t		 reopened;	/* times the files were */
	struct ring_log		 log[RING_LOGS];
	struct ring_recent	 recent[RING_RECENTS];
};

/*
 * A copy that can be shown whatever a worker has written there: numbers of
 * something are bounded, texts end, and recents are whole or have number 0.
 */
void	 ring_copy_public(const struct ring_public *pub,
	    struct ring_public *copy);

struct rings;

/*
 * Maps rings for at most n places (and RING_WORKER more) of size bytes each,
 * shared with children.  pub is the caller's, in shared memory.  NULL with
 * errno.
 */
struct rings *rings_open(unsigned int n, size_t size,
	    struct ring_public *pub);
void	 rings_close(struct rings *rs);

/*
 * For the master: finds or adds a log.  Returns its number, or -1 with errno:
 * ENOSPC when there is no place left, ENAMETOOLONG.  One that was added is
 * known to loggers that are forked from now on; for others its lines stay in
 * the rings.  rings_end_log(): nobody puts lines for it any more.  What is in
 * the rings is written, then its place is free.
 */
int	 rings_add_log(struct rings *rs, const char *path);
void	 rings_end_log(struct rings *rs, unsigned int log);

/* The number of a log that was added, or -1. */
int	 rings_find_log(const struct rings *rs, const char *path);

unsigned int rings_count(const struct rings *rs);	/* ever taken */
unsigned int rings_logs(const struct rings *rs);	/* places, free too */

/* Is there a log in that place? */
static inline bool
ring_log_is_used(const struct ring_log *log)
{
	return __atomic_load_n(&log->state, __ATOMIC_ACQUIRE) != RING_LOG_FREE;
}

struct ring_log *rings_log(struct rings *rs, unsigned int log);
const struct ring_name *rings_name(const struct rings *rs, unsigned int log);
struct ring_recent *rings_recent(struct rings *rs);	/* RING_RECENTS */

/*
 * The producer of ring i is this process from now on.  The ring has one
 * producer at a time: a worker's place.  Waits while the logger buries what
 * another has left there.  ring_leave(): that process has gone.
 */
void	 ring_take(struct rings *rs, unsigned int i, pid_t pid);
void	 ring_leave(struct rings *rs, unsigned int i, pid_t pid);
pid_t	 ring_owner(const struct rings *rs, unsigned int i);

/*
 * Where in ring i the text of the next line will be, to be composed there: at
 * least RING_LINE_MAX bytes.  NULL when these are not free in one piece; any
 * other memory is as good.
 */
char	*ring_room(const struct rings *rs, unsigned int i);

/*
 * Puts n lines into ring i, all of them or none: who is killed half-way has
 * put none.  When there is no room it waits for the logger if `wait`, else
 * returns -1.  `done` says that these are the lines of the transaction that
 * ring_intend() announced.
 */
int	 ring_put(struct rings *rs, unsigned int i,
	    const struct ring_line *line, unsigned int n, bool wait,
	    bool done);

/*
 * Announces a transaction whose line will come: should its worker die
 * before, the worker's successor finds here what is known about it.  At most
 * RING_INTENT_MAX bytes.  ring_intent_space() is where to write them,
 * ring_intend() declares them valid.
 */
#define RING_INTENT_MAX	1000
void	*ring_intent_space(struct rings *rs, unsigned int i);
void	 ring_intend(struct rings *rs, unsigned int i);
void	 ring_forget(struct rings *rs, unsigned int i);
bool	 ring_has_intent(const struct rings *rs, unsigned int i);

/* An event was left out, since it could not wait. */
void	 rings_count_dropped(struct rings *rs);

/* What follows is the logger's. */

void	 rings_count_reopen(struct rings *rs);

/* Frees the place of a log that has ended, unless it was added again. */
bool	 rings_free_log(struct rings *rs, unsigned int log);

/*
 * Becomes the producer of a ring that nobody owns, is empty, and has an
 * intent; until ring_unclaim(), which a successor may call as well.
 */
bool	 ring_claim(struct rings *rs, unsigned int i);
void	 ring_unclaim(struct rings *rs, unsigned int i);

/* Ends of ring i: bytes ever put, and bytes that may be overwritten. */
uint64_t ring_head(const struct rings *rs, unsigned int i);
uint64_t ring_tail(const struct rings *rs, unsigned int i);
struct ring_cursor *ring_cursor(struct rings *rs, unsigned int i,
	    unsigned int log);
struct ring_cursor *ring_recent_cursor(struct rings *rs, unsigned int i);

/*
 * Where the log of that cursor goes on in ring i, up to `end`: never further
 * before it than a ring is long.
 */
uint64_t ring_start(const struct rings *rs, unsigned int i,
	    const struct ring_cursor *cursor, uint64_t end);

/*
 * The line at *pos, which moves on to the next one.  Its text lies in two
 * pieces where the ring ends: line->p is not set, ring_copy() fetches it.
 * Returns the position of the text.
 */
uint64_t ring_next(const struct rings *rs, unsigned int i, uint64_t *pos,
	    struct ring_line *line);
void	 ring_copy(const struct rings *rs, unsigned int i, uint64_t at,
	    char *dst, size_t len);

/* Gives back what all cursors have passed, and wakes who waits for it. */
void	 ring_release(struct rings *rs, unsigned int i);

/* Is ring i more than half full? */
bool	 ring_is_crowded(const struct rings *rs, unsigned int i);

/*
 * Sleeps until a ring is crowded (or, if `any`, holds anything), a signal
 * handler has called rings_alarm(), or ms milliseconds (-1: no end) are over.
 */
void	 rings_sleep(struct rings *rs, bool any, int ms);
void	 rings_alarm(struct rings *rs);

#endif
