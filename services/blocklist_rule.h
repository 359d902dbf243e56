/* SPDX-License-Identifier: ISC */
#ifndef SERVICES_BLOCKLIST_RULE_H
#define SERVICES_BLOCKLIST_RULE_H

#include "blocklist_make.h"
#include "hours.h"
#include "network.h"
#include "service.h"

enum blocklist_action {
	BLOCKLIST_BLOCK,
	BLOCKLIST_REDIRECT,
	BLOCKLIST_LOG,
	BLOCKLIST_ALLOW
};

/* What becomes of whom, when, and for which lists. */
struct blocklist_rule {
	const char		*name;
	uint64_t		 lists;
	bool			 any;		/* whatever the URL is */
	struct network		*client;
	unsigned int		 nclients;
	char			**user;
	unsigned int		 nusers;
	char			**group;
	unsigned int		 ngroups;
	char			**type;		/* of responses */
	unsigned int		 ntypes;
	struct hours		*when;
	unsigned int		 nwhen;
	enum blocklist_action	 action;
	int			 status;
	const char		*redirect;
	const struct service_template *page;
};

/*
 * Reads the section of a rule.  Returns 0, or -1 after setup->error_at().
 * Texts are those of the section; blocklist_rule_fini() frees the rest.
 */
int	 blocklist_rule_init(struct blocklist_rule *rule,
	    const struct service_setup *setup, cfg_t *section,
	    const struct blocklist_sources *s);
void	 blocklist_rule_fini(struct blocklist_rule *rule);

/*
 * Does it apply to this transaction, whatever the lists?  type is that of a
 * response, empty in a request.  Returns 1 or 0, or -1 without memory: then
 * nobody knows.
 */
int	 blocklist_rule_applies(const struct blocklist_rule *rule,
	    struct txn *txn, struct slice type);

/* Variables of a redirect; the last has a NULL name. */
bool	 blocklist_rule_is_var(struct slice name);

/*
 * Writes the URL of a redirect with its variables, escaped.  Returns 0, or
 * -1 where it does not fit.
 */
int	 blocklist_rule_format(const char *redirect,
	    const struct service_var *vars, char *dst, size_t size);

#endif
