/* SPDX-License-Identifier: ISC */
#ifndef ICAPT_RUN_H
#define ICAPT_RUN_H

#include "icapt_script.h"

enum run_result { RUN_OK, RUN_FAIL, RUN_SKIP, RUN_ERROR };

struct run_server {		/* what OPTIONS said */
	int		 asked;
	int		 has100;	/* it asks for the rest of a preview */
	int		 has204;
	int		 has206;
	int		 reqmod;
	int		 respmod;
	int64_t		 preview;	/* -1: none */
};

struct run_define {
	const char	*name;
	const char	*value;
};

/* Ask the server what it can do; -1 if it cannot be reached. */
int	 run_discover(struct icapt *, struct run_server *);
/*
 * Run a script. The failures of its cases are put into the text that is
 * printed under its line; or the reason why it was skipped.
 */
enum run_result run_script(struct icapt *, struct script *,
	    const struct run_server *, const struct run_define *, int,
	    struct text *);

#endif
