/* SPDX-License-Identifier: ISC */
#ifndef ICAPT_SCRIPT_H
#define ICAPT_SCRIPT_H

#include "icapt.h"

#define SCRIPT_WORDS	256
#define SCRIPT_NUMBERS	128

struct script;

/* One line, its words not yet expanded. */
struct line {
	int		 no;
	int		 nword;
	struct text	*word;		/* as written */
	int		 match;		/* index of the end of a loop */
};

/* Read a file; NULL after a message on stderr. */
struct script *script_open(struct icapt *, const char *);
const char *script_name(const struct script *);
/* The numbers it claims, as one text. */
const char *script_numbers(const struct script *);
int	 script_lines(const struct script *, struct line **);
/* Expand a word; on failure -1 after a message on stderr. */
int	 script_expand(struct script *, int, struct text, struct text *);
void	 script_set(struct script *, const char *, struct text);
/* Complain about a line on stderr; returns -1. */
int	 script_error(const struct script *, int, const char *, ...)
	    __attribute__((__format__(printf, 3, 4)));

#endif
