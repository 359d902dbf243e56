/* SPDX-License-Identifier: ISC */
#ifndef SERVICES_CLAMD_ENGINE_H
#define SERVICES_CLAMD_ENGINE_H

#include <sys/types.h>
#include <sys/socket.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lookup.h"

/* Addresses of a name that are tried. */
#define CLAMD_ADDRESSES_MAX	4

enum clamd_mode { CLAMD_FILDES, CLAMD_STREAM };

struct clamd_address {
	struct sockaddr_storage	 sa;
	socklen_t		 len;
};

struct clamd_shared;
struct service_backend;

/* One clamd, and the session that this process has with it. */
struct clamd_engine {
	enum clamd_mode		 mode;
	char			*name;		/* as it was configured */
	char			*path;		/* of a Unix socket, or NULL */
	char			*host;
	char			*port;
	bool			 is_name;	/* to be looked up */
	struct clamd_shared	*shared;	/* what all processes know */
	struct service_backend	*backend;	/* for people, or NULL */
	bool			 is_told;	/* that it does not answer */

	int			 fd;		/* or -1 */
	int			 place;		/* among the keepers, or -1 */
	unsigned int		 id;		/* of the last request */
	bool			 is_used;	/* it has had an answer */
};

/* What is done while a process waits; see clamd_on_wait(). */
struct clamd_wait {
	int	 (*due)(void *arg);		/* or NULL */
	void	*arg;
};

/*
 * Waits for events.  Returns what has happened, 0 with errno ETIMEDOUT when
 * the deadline has passed, or -1.
 */
int	 clamd_wait_for(const struct clamd_wait *w, int fd, short events,
	    int64_t deadline);

/*
 * Understands an address, and makes the memory that processes forked later
 * share.  An address in digits is known at once, one of a name is looked up
 * by who polls.  Returns 0, or -1 with errno; fini takes both.
 */
int	 clamd_engine_init(struct clamd_engine *e, const char *address);
void	 clamd_engine_fini(struct clamd_engine *e);

/*
 * Another one, of the configuration before, is the same engine: what is known
 * of that one is known of this one.
 */
void	 clamd_engine_inherit(struct clamd_engine *e,
	    const struct clamd_engine *other);

/*
 * Takes what was found for its name; what was known stays where that is
 * nothing.  For one process alone.  set_addresses does so with addresses.
 */
void	 clamd_engine_take(struct clamd_engine *e,
	    const struct lookup_answer *found);
void	 clamd_engine_set_addresses(struct clamd_engine *e,
	    const struct clamd_address *address, unsigned int n);
bool	 clamd_engine_has_address(const struct clamd_engine *e);

/*
 * Returns a connection, or -1 with errno.  ETIMEDOUT: one of its addresses at
 * least was silent.  Each gets its share of the time, and the one that was
 * good the last time is tried first.  A path is below root where that is not
 * NULL.
 */
int	 clamd_engine_connect(const struct clamd_engine *e,
	    const struct clamd_wait *w, const char *root, int64_t deadline);

/*
 * What becomes of it, for all processes to know.  A failure is `silent` when
 * it took the time that an answer may take, and not an error at once.  One
 * that is doubted is asked for its version before it gets another body.
 */
void	 clamd_engine_works(struct clamd_engine *e);
void	 clamd_engine_failed(struct clamd_engine *e, bool silent);
void	 clamd_engine_doubt(struct clamd_engine *e);

/* When it has failed, or 0: it works, as far as anybody knows. */
int64_t	 clamd_engine_failed_at(const struct clamd_engine *e);

/*
 * May this process ask it?  One that was silent is left alone for a while,
 * and is then asked by one process, to which `limit` ms are given for it.
 */
bool	 clamd_engine_may_ask(struct clamd_engine *e, int64_t limit);

/*
 * A number for its version (of programs and databases): as last heard of, and
 * as it is, which is not known some seconds later.  0: it is not known.
 */
void	 clamd_engine_set_version(struct clamd_engine *e, const char *text,
	    size_t len);
uint64_t clamd_engine_last_version(const struct clamd_engine *e);
uint64_t clamd_engine_version(const struct clamd_engine *e);

/* Is it time to ask for the version, in a session that is to be used? */
bool	 clamd_engine_wants_version(const struct clamd_engine *e);

/*
 * May this process keep its session, one of at most `keep` of all?  Takes a
 * place, or renews its own.
 */
bool	 clamd_engine_keep(struct clamd_engine *e, unsigned int keep);

/* Ends the session. */
void	 clamd_engine_close(struct clamd_engine *e);

#endif
