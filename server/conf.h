/* SPDX-License-Identifier: ISC */
#ifndef SERVER_CONF_H
#define SERVER_CONF_H

#include <sys/types.h>

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "../proto/parse.h"
#include "../services/plan.h"
#include "admit.h"
#include "log.h"
#include "priv.h"
#include "record.h"
#include "vitals.h"

struct arena;
struct conf_service;

/* Largest numbers of things, so that none of them is a way to run wild. */
#define CONF_WORKERS_MAX	4096	/* of all listeners */
#define CONF_LISTEN_MAX		BOARD_POOLS
#define CONF_PLANS_MAX		1024
#define CONF_KEEP_MAX	64	/* descriptors of services */
#define CONF_STEPS_MAX		16	/* services of one chain */

/* Processes of two generations, some more, and auxiliary ones. */
#define CONF_PROCESSES_MAX	(2 * CONF_WORKERS_MAX + 64)

/* listen "address" { } */
struct conf_listen {
	const char		*address;	/* as it was written */
	const char		*host;		/* of TCP; NULL: all */
	const char		*port;
	const char		*path;		/* of unix:, else NULL */
	unsigned int		 workers;
	int			 backlog;
	int64_t			 defer_accept;	/* ms, whole seconds; 0: off */
	unsigned int		 max_per_client;	/* 0: no limit */
	struct admit_list	 allow;		/* clients */
	mode_t			 mode;		/* of path */
	const char		*owner;		/* of path, "user:group" */
	uid_t			 uid;		/* the same; -1: unchanged */
	gid_t			 gid;
};

/* Times in milliseconds, sizes in bytes. */
struct conf_timeouts {
	int64_t		 head;		/* a whole ICAP and HTTP head */
	int64_t		 body;		/* without progress in a body */
	int64_t		 write;		/* without progress in a reply */
	int64_t		 keep_alive;	/* idle between requests */
	int64_t		 transaction;	/* everything */
	int64_t		 stop;		/* drain before workers are killed */
	int64_t		 grace;		/* over the time of a transaction */
	int64_t		 queue;		/* without a free worker; 0: no end */
};

/* Most logs. */
#define CONF_LOGS_MAX	8

/* One log, as configured. */
struct conf_log {
	const char	*path;		/* absolute, or "-" or "syslog" */
	bool		 access;	/* has a line for each transaction */
	bool		 events;	/* has the daemon's own messages */
	enum record_form form;		/* events: custom means text */
	const char	*format;	/* the text of a custom form */
	struct record_format *compiled;
	unsigned int	 only;		/* RECORD_*, 0: all transactions */
};

/* What an administrator gets to see. */
struct conf_view {
	struct conf_log	 log[CONF_LOGS_MAX];
	unsigned int	 nlogs;
	size_t		 log_ring;	/* of each worker, a power of two */
	size_t		 log_cut;	/* bytes of one value from the wire */
	const char	*id_header;	/* ICAP header with the id, or NULL */
	const char	*status_address;	/* as it was written, or NULL */
	const char	*status_host;	/* of the status listener, or NULL */
	const char	*status_port;
	unsigned int	 status_connections;
};

/* What belongs to a plan and is nobody else's business. */
struct conf_chain {
	const unsigned int	*instance;	/* of each step, as an index */
};

/* An ISTag as this process has last written it. */
struct conf_istag {
	uint64_t	 hash;
	/* "icapd-0123456789abcdef", at most 32 characters (RFC 3507 4.7) */
	char		 text[33];
};

/* A service that was opened: one section, or one without. */
struct conf_instance {
	const struct service	*service;
	const char		*name;		/* title of its section */
	void			*instance;
	bool			 is_open;
	cfg_t			*section;
	const char		*text;		/* the section, canonical */
};

struct conf {
	const char			*file;	/* read, or NULL */

	const struct conf_listen	*listen;
	unsigned int			 nlisten;
	unsigned int			 workers;	/* of all listeners */

	const char			*user;	/* NULL: stay who we are */
	const char			*group;	/* NULL: those of the user */
	struct priv			 priv;	/* start_check() looks up */
	const char			*pid_file;	/* NULL: none */
	bool				 daemonise;	/* main() says so */
	const char			*run_dir;	/* of the board */

	struct conf_timeouts		 timeouts;
	struct limits			 limits;
	const char			*spool_dir;
	size_t				 spool_memory;
	uint64_t			 spool_limit;

	bool				 print_requests;	/* on stdout */
	struct conf_view		 view;

	struct txn_plan			*plan;
	struct conf_chain		*chain;		/* [i] of plan[i] */
	const struct conf_service	*service;	/* as written */
	unsigned int			 nplans;
	struct conf_instance		*instance;
	unsigned int			 ninstances;
	struct service_template		**page;		/* opened for plans */
	unsigned int			 npages;
	int				 keep[CONF_KEEP_MAX];	/* services' */
	unsigned int			 nkeep;
	struct vitals_wanted		 wanted;	/* services' */

	/* [nplans] is that of all; tags are shared by all processes */
	uint64_t			*tag;
	struct conf_istag		*istag;

	struct arena			*arena;	/* holds all of the above */
	cfg_t				*cfg;	/* what services look into */
};

/*
 * What a configuration is made of: a file, or a name and the options that
 * belong to it.
 */
struct conf_args {
	const char	*file;		/* NULL: serve echo at name */
	const char	*name;
	const char	*host;
	const char	*port;
	unsigned int	 workers;

	/*
	 * Also try whether each listener can be bound, unless the daemon that
	 * runs now (by its pid file) holds it.  Not for a reload.
	 */
	bool		 check_listeners;

	/*
	 * Gives up privileges, when all is open, before anything is read that
	 * others may have written.  Returns 0, or -1 and nothing is.  NULL:
	 * they are kept.
	 */
	int		(*drop)(const struct conf *conf);

	/* A child has just loaded the same, and what it has left is taken. */
	bool		is_rehearsed;

	/* Gets each error: `file:line: what`, in order. */
	void		(*report)(const char *message);
};

/*
 * Loads a configuration and opens its services.  It is complete and checked
 * as far as it can be without changing anything: it may be loaded while
 * another one is in use.  Returns it, or NULL after args->report() was told
 * all that is wrong.  Texts of args must outlive it.
 */
struct conf *conf_load(const struct conf_args *args);

/* Closes its services and forgets it.  NULL is allowed. */
void	 conf_free(struct conf *conf);

/*
 * Writes the configuration in effect, defaults included, as a file that can
 * be loaded.
 */
void	 conf_print(const struct conf *conf, FILE *fp);

/*
 * Writes a line for each key: section, key, type, default, range, and
 * whether a reload applies it; separated by TABs.
 */
void	 conf_print_keys(FILE *fp);

/*
 * Computes the ISTags from everything that a verdict depends on, with what
 * version() of the services says now, for all processes that share conf.
 * Returns whether one of them has changed.
 */
bool	 conf_make_istag(const struct conf *conf);

/*
 * Path of the ICAP URI, without the slashes at its ends: letters, digits and
 * any of -._~/ (RFC 3986 2.3), so that it is never escaped.
 */
bool	 conf_is_path(const char *path);

/*
 * The section of the listener with that number.  Listeners that are inherited
 * may be more than the configuration names; they are like the last one.
 */
const struct conf_listen *conf_listen_of(const struct conf *conf,
	    unsigned int i);

/* What runs at that path (as uri_decode_path() gives it), or NULL. */
const struct txn_plan *conf_find_plan(const struct conf *conf,
	    const char *path);

/*
 * A number that is another one when anything is that a verdict depends on:
 * what all ISTags are made of.
 */
uint64_t conf_get_tag(const struct conf *conf);

/* The ISTag of one of its plans; of all of it for plan NULL. */
const char *conf_get_istag(const struct conf *conf,
	    const struct txn_plan *plan);

#endif
