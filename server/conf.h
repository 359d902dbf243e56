/* SPDX-License-Identifier: ISC */
#ifndef SERVER_CONF_H
#define SERVER_CONF_H

#include <stdbool.h>
#include <stdint.h>

#include "../proto/parse.h"
#include "../services/plan.h"
#include "access.h"
#include "log.h"
#include "record.h"
#include "priv.h"

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
	const char	*status_host;	/* of the status listener, or NULL */
	const char	*status_port;
	unsigned int	 status_connections;
};

struct conf {
	const char		*host;
	const char		*port;
	unsigned int		 workers;
	int			 backlog;
	struct conf_timeouts	 timeouts;
	struct limits		 limits;
	const char		*spool_dir;
	size_t			 spool_memory;
	uint64_t		 spool_limit;
	bool			 print_requests;	/* on standard output */
	struct txn_plan		*plan;
	unsigned int		 nplans;
	char			 istag[33];

	struct conf_view	 view;
	/* The life of the processes. */
	bool			 daemonise;	/* leave the foreground */
	const char		*pid_file;	/* or NULL */
	const char		*run_dir;	/* of the board, or NULL */
	const char		*user;		/* of workers, if we are root */
	const char		*group;		/* or NULL: that of the user */
	struct priv		 priv;		/* start_check() looks up */
	struct access		 access;	/* who may connect */
};

#define CONF_WORKERS_MAX	4096

/* Processes of two generations, some more, and auxiliary ones. */
#define CONF_PROCESSES_MAX	(2 * CONF_WORKERS_MAX + 64)

/* Fills in the defaults, which icapd(8) documents. */
void	 conf_init(struct conf *conf);

/*
 * Computes the ISTag from everything that a verdict depends on.  Must be
 * called once, when the configuration is complete.
 */
void	 conf_make_istag(struct conf *conf);

/* What runs at that path (as uri_decode_path() gives it), or NULL. */
const struct txn_plan *conf_find_plan(const struct conf *conf,
	    const char *path);

#endif
