/* SPDX-License-Identifier: ISC */
#ifndef SERVER_CONF_H
#define SERVER_CONF_H

#include <stdbool.h>
#include <stdint.h>

#include "../proto/parse.h"
#include "../services/service.h"
#include "log.h"

/* Times in milliseconds, sizes in bytes. */
struct conf_timeouts {
	int64_t		 head;		/* a whole ICAP and HTTP head */
	int64_t		 body;		/* without progress in a body */
	int64_t		 write;		/* without progress in a reply */
	int64_t		 keep_alive;	/* idle between requests */
	int64_t		 transaction;	/* everything */
	int64_t		 stop;		/* drain before workers are killed */
};

/* A path and what is served there. */
struct conf_service {
	const char		*path;	/* without slashes at the ends */
	const struct service	*service;
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
	unsigned int		 options_ttl;	/* seconds */
	bool			 print_requests;	/* on standard output */
	struct conf_service	 service[1];
	unsigned int		 nservices;
	char			 istag[33];
};

#define CONF_WORKERS_MAX	4096

/* Fills in the defaults, which icapd(8) documents. */
void	 conf_init(struct conf *conf);

/*
 * Computes the ISTag from everything that a verdict depends on.  Must be
 * called once, when the configuration is complete.
 */
void	 conf_make_istag(struct conf *conf);

/* The service at that path (as uri_decode_path() gives it), or NULL. */
const struct conf_service *conf_find_service(const struct conf *conf,
	    const char *path);

#endif
