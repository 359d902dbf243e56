/* SPDX-License-Identifier: ISC */
#ifndef T_ADAPT_H
#define T_ADAPT_H

#include "../services/txn.h"
#include "strict.h"
#include "unit.h"
#include "wire.h"

#define ADAPT_STEPS	3

#define ADAPT_HTTP_HEADS	(12 * 1024)	/* their limit, bytes */

/* The ICAP request a test makes.  Zeroed: REQMOD, GET, no body, no Allow. */
struct ask {
	bool		 respmod;
	bool		 headless;	/* the body alone (C054, C060) */
	const char	*allow;		/* "204, 206" */
	const char	*preview;	/* bytes it announces, as digits */
	bool		 polite;	/* no ieof, though all is in it */
	bool		 eager;		/* sends all, whatever it announced */
	const char	*request;	/* head in RESPMOD; NULL: a GET */
	const char	*icap;		/* more ICAP header lines */
	const char	*http;		/* more lines in the adapted head */
	const char	*head;		/* or all of the adapted head */
	const char	*body;		/* NULL: null-body */
	size_t		 len;
	const char	*length;	/* NULL: right, "": none */
	const char	*trailers;	/* of the body */
	size_t		 chunk;		/* bytes of one, 0: all there are */
	const char	*broken;	/* stands behind half of the body */
};

/* A transaction over the memory client, from the request to the reply. */
struct adapt {
	struct ask	 ask;
	const char	*script[ADAPT_STEPS];	/* script.h; NULL: no more */
	unsigned int	 methods[ADAPT_STEPS];	/* 0: both */
	/* instead of the scripts */
	enum verdict	 (*serve)(struct txn *txn, void *instance);
	enum on_error	 on_error;
	bool		 shadow;
	bool		 closing;
	uint64_t	 spool_max;		/* 0: enough */
	bool		 deaf;		/* sends all before it reads */
	struct wire	 wire;			/* in and gate are set */

	int		 result;		/* of txn_run() */
	bool		 answered;		/* reply holds one */
	struct strict	 reply;
	struct text	 saw;			/* what the scripts did */
	struct txn	 txn;

	struct stream	 stream;
	struct message	 message;
	struct txn_spools spools;
	struct txn_plan	 plan;
	struct txn_step	 step[ADAPT_STEPS];
	struct service	 service[ADAPT_STEPS];
	char		*request;
};

/*
 * Runs the services on the request and reads the reply, which must be right
 * if the transaction was.  adapt_fini() afterwards.
 */
void	 adapt_run(struct adapt *a);
void	 adapt_fini(struct adapt *a);

/*
 * In short what came of it: "100 204", "200 res-hdr res-body [hello]",
 * "206 ... [HEY]+3", or "fault 500: why".  Long bodies are "[<size>]".
 */
void	 adapt_show(const struct adapt *a, struct text *out);

/*
 * The body as the client has it in the end: from the reply, its own, or both.
 * The caller frees.
 */
char	*adapt_body(const struct adapt *a, size_t *len);

#endif
