/* SPDX-License-Identifier: ISC */
#ifndef SERVICES_EXPR_H
#define SERVICES_EXPR_H

#include <stdbool.h>
#include <stddef.h>

#include "bytes.h"

/* A compiled regular expression (PCRE2). */
struct expr;

/* Room for what is wrong with one. */
#define EXPR_WHY_MAX	160

#define EXPR_NOCASE	0x01u
/*
 * Compiles to machine code as well.  Only in the master, in open(): a worker's
 * sandbox does not let memory become a program.
 */
#define EXPR_JIT	0x02u

/*
 * Compiles.  Returns NULL and says in why (EXPR_WHY_MAX bytes) what is wrong;
 * always where PCRE2 is not built in.
 */
struct expr *expr_new(const char *pattern, size_t len, unsigned int flags,
	    char *why);
void	 expr_free(struct expr *e);

/*
 * Does it match?  1 or 0, or -1 where it gave up: its work is bounded,
 * whatever the expression and the subject are.
 */
int	 expr_match(const struct expr *e, const char *subject, size_t len);

/*
 * Replaces each match by the replacement, in which $1 or ${1} stands for the
 * first group, $0 for the match and $$ for a dollar sign.  Returns the number
 * of them, and the result in out if there are any; or -1 with errno: ELOOP as
 * above, E2BIG when it would be larger than size bytes, or ENOMEM.
 */
int	 expr_replace(const struct expr *e, const char *subject, size_t len,
	    const char *replacement, size_t size, struct bytes *out);

/* Checks the groups a replacement names.  Returns 0, or -1 and why. */
int	 expr_check_replacement(const struct expr *e, const char *replacement,
	    char *why);

bool	 expr_is_built_in(void);

#endif
