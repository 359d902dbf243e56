/* SPDX-License-Identifier: ISC */
#ifndef T_OPENED_H
#define T_OPENED_H

#include "../services/service.h"
#include "adapt.h"
#include "unit.h"

/* A service that was opened with a section, as the server would do it. */
struct opened {
	const struct service	*service;
	void			*instance;	/* NULL: it was refused */
	cfg_t			*cfg;
	struct text		 errors;	/* "KEY: what" lines */
	unsigned int		 kept;		/* descriptors */
	int			 keep[8];	/* the first of them */
	unsigned int		 folders;	/* made for it */
};

/* text is what stands between the braces of the section. */
void	 opened_init(struct opened *o, const struct service *service,
	    const char *text);
void	 opened_fini(struct opened *o);

/* Runs one transaction on it; a->ask is set.  adapt_fini() afterwards. */
void	 opened_run(struct opened *o, struct adapt *a);

#endif
