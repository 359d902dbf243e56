/* SPDX-License-Identifier: ISC */
#ifndef SERVER_CONF_BUILD_H
#define SERVER_CONF_BUILD_H

#include "conf.h"
#include "conf_error.h"
#include "conf_key.h"
#include "conf_parse.h"

/* A configuration while it is loaded. */
struct conf_load {
	struct conf			*conf;
	struct arena			*arena;
	struct conf_text		 text;
	struct conf_errors		 errors;
	struct conf_listen		*listen;	/* conf->listen */
	bool				 is_rehearsed;	/* of conf_args */
};

/* Turns the text into l->conf and opens the services. */
void	 conf_build(struct conf_load *l);

/* The same for args->name: echo there, requests on standard output. */
void	 conf_build_name(struct conf_load *l, const struct conf_args *args);

/* Has the services that are open read what the configuration names. */
void	 conf_build_load(struct conf_load *l);

/*
 * Checks users, folders and files; with check_listeners also that the
 * listeners can be bound.
 */
void	 conf_check(struct conf_load *l, bool check_listeners);

/* Where a key is set; if it is not, the file as a whole. */
struct conf_where conf_where_of(const struct conf_load *l,
	    const char *section, const char *key);

#endif
