/* SPDX-License-Identifier: ISC */
#ifndef SERVICES_CLAMD_H
#define SERVICES_CLAMD_H

#include <sys/types.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * What came of a scan.  Only CLAMD_CLEAN means that an engine has looked at
 * every byte and found nothing; all behind CLAMD_INFECTED mean that nobody
 * knows.
 */
enum clamd_result {
	CLAMD_CLEAN,
	CLAMD_INFECTED,
	CLAMD_DOWN,		/* no engine can be reached */
	CLAMD_TIMEOUT,		/* none has answered in time */
	CLAMD_TOO_LARGE,	/* more than the engine takes */
	CLAMD_ENCRYPTED,	/* it cannot look inside */
	CLAMD_ENCODED,		/* in a coding it does not know */
	CLAMD_FORM,		/* who knows what its parts are */
	CLAMD_PARTIAL,		/* the rest may make it something else */
	CLAMD_LIMIT,		/* it gave up: too deep, too much */
	CLAMD_ERROR,		/* anything else */
	CLAMD_NRESULTS
};

#define CLAMD_TEXT_MAX		128
#define CLAMD_ENGINES_MAX	16
#define CLAMD_REPLY_MAX		4096	/* bytes; real ones have 100 */

/*
 * The result, and the name of what was found or the words of the engine; and
 * a number for the version of that engine: 0 where it is not known, or became
 * another one meanwhile.
 */
struct clamd_verdict {
	enum clamd_result	 result;
	char			 text[CLAMD_TEXT_MAX];
	uint64_t		 version;
};

/* The bytes of a file that are to be scanned. */
struct clamd_body {
	int		 fd;		/* the engine gets it: to read only */
	uint64_t	 offset;
	uint64_t	 len;

	/*
	 * Makes a file with these bytes alone, to read only, or returns -1
	 * with errno; NULL where fd is one already.
	 */
	int		 (*part)(void *arg, uint64_t offset, uint64_t len);
	void		*arg;
};

/* How long things may take, milliseconds. */
struct clamd_timeouts {
	int64_t	 connect;	/* and until it has said its version */
	int64_t	 write;		/* until the engine takes more */
	int64_t	 reply;		/* for the verdict, once all was sent */
};

struct clamd;
struct service_backend;

/*
 * Makes a client without engines.  All processes together keep that many
 * idle sessions with each engine, at most; others end theirs.  Its state that
 * processes share (who is up, which database) is in memory mapped here, so it
 * has to be made before they are forked.  Returns NULL with errno.
 */
struct clamd *clamd_new(const struct clamd_timeouts *timeouts,
	    unsigned int keep);
void	 clamd_free(struct clamd *c);

/*
 * Adds an engine: "unix:/path" (the body goes as a descriptor),
 * "stream:/path" (its bytes go over that socket), "host:port",
 * "[address]:port".  Nothing is connected, no name is looked up: clamd_poll()
 * does that.  What a client made before knows of the same engine is known.
 * Returns 0, or -1 with errno EINVAL, E2BIG or ENOMEM.
 */
int	 clamd_add(struct clamd *c, const char *address);

/*
 * What becomes of the engine that was added last is told to that back-end:
 * by clamd_poll(), and by clamd_scan() where it cannot be reached.
 */
void	 clamd_tell(struct clamd *c, struct service_backend *backend);

/*
 * Paths of sockets are below that directory for clamd_poll(), which is called
 * outside of it; NULL, or a text that stays.
 */
void	 clamd_set_root(struct clamd *c, const char *root);

/*
 * Has a body scanned.  Asks one engine after the other until one gives a
 * verdict or the deadline (of clamd_now()) has passed: in their order those
 * that work, and behind them those that do not, but of these no one that was
 * silent when it was asked, until it has been left alone for a while.  Never
 * fails: what is not known is said in v, by the first that had something else
 * to say than that it is down.
 */
void	 clamd_scan(struct clamd *c, const struct clamd_body *b,
	    int64_t deadline, struct clamd_verdict *v);

/*
 * While clamd_scan() waits for an engine, due(arg) is called: it does what it
 * has to, and returns the milliseconds until it wants to be called again, -1
 * for never.  NULL ends that.
 */
void	 clamd_on_wait(struct clamd *c, int (*due)(void *arg), void *arg);

/*
 * Asks each engine for its version, over a connection of its own.  Calls tell
 * (or NULL) when one does not answer any more, and when it does again.
 */
void	 clamd_poll(struct clamd *c, void (*tell)(const char *engine,
	    bool works));

/*
 * A number for the databases of all engines that were ever heard of; 0 when
 * none was.
 */
uint64_t clamd_version(const struct clamd *c);

/*
 * A number for the database of the engine that the next scan begins with; 0
 * when it is not known, or was not heard of for some seconds.
 */
uint64_t clamd_next_version(const struct clamd *c);

/* Closes the connections that this process has. */
void	 clamd_stop(struct clamd *c);

/* "down" and the like. */
const char *clamd_reason(enum clamd_result result);

/* Milliseconds of the monotonic clock. */
int64_t	 clamd_now(void);

/*
 * Understands one reply, without its NUL.  It has to be the one to the
 * request number id of a session, about `fd[N]` or `stream`.  Returns whether
 * it was: if not the connection is of no more use, and v says CLAMD_ERROR.
 */
bool	 clamd_parse(const char *reply, size_t len, unsigned int id,
	    struct clamd_verdict *v);

#endif
