/* SPDX-License-Identifier: ISC */
#ifndef SERVER_OUTPUT_H
#define SERVER_OUTPUT_H

#include <sys/stat.h>
#include <sys/types.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "log.h"
#include "ring.h"

/* Before one that has failed is tried again, milliseconds. */
#define OUTPUT_RETRY	1000

enum output_kind { OUTPUT_FILE, OUTPUT_STDOUT, OUTPUT_SYSLOG };

/*
 * Where the lines of one log go.  The logger looks at all of it, and may have
 * it tried at once (`retry`).
 */
struct output {
	struct ring_log	*log;
	uint32_t	 serial;	/* of that log; 0: there is none */
	char		 path[RING_PATH_MAX + 1];
	enum output_kind kind;
	int		 fd;		/* -1: closed */
	bool		 regular;	/* a file of ours, else a stream */
	bool		 blocks;	/* a write to it may */
	bool		 emptied;	/* the logger's: no lines are left */
	bool		 is_locked;	/* by output_lock() */
	off_t		 end;		/* of our last write; 0: not known */
	int64_t		 retry;		/* when to try again; 0: works */
	int64_t		 stalled;	/* since when a stream takes nothing */
	size_t		 nrest;		/* of what it has taken a part of */
	char		 rest[RING_LINE_MAX];
};

/* The output of a log of that name, closed; and an end to it. */
void	 output_init(struct output *out, struct ring_log *log,
	    const struct ring_name *name);
void	 output_fini(struct output *out);

/* Opens it: 0, or -1 and it has failed. */
int	 output_open(struct output *out);
void	 output_close(struct output *out);

/*
 * Who writes to a file of ours has locked it: while two daemons run, as they
 * do during an upgrade, the loggers of both do so.  Returns 0 and what the
 * file is; or -1 and it has failed, for another has it for too long.  Where
 * locks are not to be had it goes without, and nothing is cut off.
 */
int	 output_lock(struct output *out, struct stat *st);
void	 output_unlock(struct output *out);

/*
 * Ends a line that somebody else has left unfinished, so that ours does not
 * become a part of it.  Returns 0, or -1 and it has failed.
 */
int	 output_end_line(struct output *out, struct stat *st);

/*
 * Writes to a file of ours.  Returns the bytes written, which are fewer than
 * len if it has failed.
 */
size_t	 output_write(struct output *out, const char *p, size_t len);

/*
 * How many of these bytes are in the file, from that offset on?  0 if it may
 * not be read.
 */
size_t	 output_compare(const struct output *out, off_t offset, const char *p,
	    size_t len);

/* Cuts off what is from `from` to `to`, if the file is ours and ends there. */
void	 output_cut(struct output *out, off_t from, off_t to);

/*
 * Offers whole lines, len bytes of at most PIPE_BUF or a single line, to a
 * stream that has no rest.  Returns the bytes it took at once; the others are
 * the rest, which is its from now on.  Or 0 if it takes none, or -1 if it has
 * failed: then no byte is its.
 */
ssize_t	 output_offer(struct output *out, const char *p, size_t len);

/* Offers the rest.  Returns the same. */
ssize_t	 output_resume(struct output *out);

/*
 * Sends one line to the log of the system, which has no rest.  Returns len, 0
 * or -1 likewise.
 */
ssize_t	 output_send(struct output *out, enum log_level level, const char *p,
	    size_t len);

/* What it has the beginning of will not be finished. */
void	 output_drop_rest(struct output *out);

/* Would it take bytes now? */
bool	 output_takes(const struct output *out);

/*
 * It cannot be written: tried again in a second.  Says so, with errno if that
 * is not 0, and counts it.  output_works(): it can, and how much was lost.
 */
void	 output_failed(struct output *out, const char *what);
void	 output_works(struct output *out);

/* Lines given up since it began to fail. */
unsigned long long output_count_lost(const struct output *out);

#endif
