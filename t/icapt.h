/* SPDX-License-Identifier: ISC */
#ifndef ICAPT_H
#define ICAPT_H

#include <stddef.h>
#include <stdint.h>

/*
 * What all parts of icapt share: the options, the failure being told, and
 * text with a length.
 */
struct text {
	char	*p;		/* always followed by a NUL not counted in n */
	size_t	 n;
};

struct piece;			/* one allocation of the arena */

struct icapt {
	const char	*host;
	const char	*port;
	const char	*service;
	const char	*reads;		/* -D reads=..., or NULL */
	int		 timeout;	/* ms, for each wait */
	int		 verbose;
	int		 relaxed;	/* -r */
	int		 form;		/* rules of form hold in this script */
	struct piece	*arena;		/* all text of the running script */
	char		 expected[256];
	char		 got[1024];
};

/* Note a failure; the format tells what came. Always returns -1. */
int	 icapt_fail(struct icapt *, const char *, const char *, ...)
	    __attribute__((__format__(printf, 3, 4)));
/* Memory that lives until the script ends; never NULL. */
void	*icapt_alloc(struct icapt *, size_t);
/* A copy of n bytes, NUL added. */
struct text icapt_text(struct icapt *, const void *, size_t);
/* Both texts, one after the other. */
struct text icapt_join(struct icapt *, struct text, struct text);
/* A formatted text. */
struct text icapt_textf(struct icapt *, const char *, ...)
	    __attribute__((__format__(printf, 2, 3)));
/* Free the arena. */
void	 icapt_free(struct icapt *);
/* Bytes made printable, cut to fit; returns the buffer. */
const char *icapt_escape(char *, size_t, const void *, size_t);
/* Print bytes of the dialogue, with -v. */
void	 icapt_show(struct icapt *, const char *, const char *, const void *,
	    size_t);

#endif
