/* SPDX-License-Identifier: ISC */
#ifndef T_SCRIPT_H
#define T_SCRIPT_H

#include "../services/service.h"

/*
 * Does what the words of a text say, separated by blanks or semicolons, and
 * returns the verdict that the last of them names:
 *
 *	peek:N read:N read	N bytes, or all there are
 *	write:TEXT fill:N	the text, or N bytes of a pattern
 *	upper copy rest		read all and write it, in capitals or as it
 *				is; the rest is the original's
 *	next			all there are, without a copy
 *	pass			the same, written as they lie there
 *	want:N fd		a descriptor is wanted; the body as one
 *	set:N=V add:N=V remove:N line:TEXT	edit the head
 *	respond:STATUS=TEXT	a response (no "=": without a body)
 *	reply:N=V trailer:N note:K=V
 *	release:N		before the verdict; every:N=MS=MOST due
 *	careless		from here on errors are overlooked
 *	unchanged edited rewritten replaced none fail:WHY
 *
 * A read or write that fails ends it with VERDICT_FAILED.
 */
enum verdict script_serve(struct txn *txn, const char *words);

/* Calls `saw` with a line for each thing a script finds out. */
void	 script_watch(void (*saw)(const char *line));

#endif
