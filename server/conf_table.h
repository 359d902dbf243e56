/* SPDX-License-Identifier: ISC */
#ifndef SERVER_CONF_TABLE_H
#define SERVER_CONF_TABLE_H

#include <confuse.h>

#include "arena.h"
#include "conf_error.h"

/* Keys that are the parser's own begin with this. */
#define CONF_TABLE_OWN	'.'

/* What the options of the tables call. */
struct conf_table_callbacks {
	const char	*own_open;	/* hidden list of each section */
	const char	*own_end;	/* hidden key of each section */
	cfg_callback_t	 open;		/* its default: the section begins */
	cfg_callback_t	 inner_open;	/* of a section in a service's */
	cfg_callback_t	 ignored_open;
	cfg_callback_t	 end;
	cfg_callback_t	 text;
	cfg_callback_t	 number;	/* CFGT_INT, CFGT_BOOL of services */
	cfg_callback_t	 ignored;
	cfg_func_t	 include;
};

/* A name that is in no table. */
struct conf_ignore;

/*
 * Makes the table of the top level and all below it: the core's keys, the
 * sections of the services, and what is to be ignored.
 */
cfg_opt_t *conf_table_build(const struct conf_table_callbacks *callbacks,
	    const struct conf_ignore *ignore, struct arena *arena);

/*
 * Converts the text of an integer (with k, M, G) or a boolean.  Returns 0, or
 * -1 and a zero; conf_table_expect() names what would be right.
 */
int	 conf_table_number(const cfg_opt_t *opt, const char *text,
	    void *result);
const char *conf_table_expect(const cfg_opt_t *opt);

/* The words for yes and no.  Returns 0, or -1 for another word. */
int	 conf_table_bool(const char *text, bool *value);

/*
 * The name of a scope: "" for the top level, that of the section, or for a
 * section that is itself ignored its name after a CONF_TABLE_OWN.
 */
const char *conf_table_scope(const cfg_t *cfg,
	    const struct conf_table_callbacks *callbacks,
	    struct arena *arena);

/* Notes a name that is unknown in cfg.  Nothing is reported yet. */
void	 conf_ignore_add(struct conf_ignore **list, const char *scope,
	    const char *name, const cfg_t *cfg, struct conf_where where,
	    struct arena *arena);

/*
 * It was taken for a key, then for a section, then for one with a title: try
 * the next.  Returns false where there is none.
 */
bool	 conf_ignore_retry(struct conf_ignore *list, const char *scope,
	    const char *name);

/* Reports that name as unknown at that place.  Returns false if it is not. */
bool	 conf_ignore_report(struct conf_ignore *list, const char *scope,
	    const char *name, struct conf_where where,
	    struct conf_errors *errors);

/* Reports those that were never seen again, and forgets who was. */
void	 conf_ignore_rest(struct conf_ignore *list,
	    struct conf_errors *errors);

#endif
