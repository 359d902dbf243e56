/* SPDX-License-Identifier: ISC */
#ifndef PROTO_BUF_H
#define PROTO_BUF_H

#include <stddef.h>

/*
 * A piece of memory that bytes are received into and parsed in.  It never
 * moves and never grows: it is reserved once for the largest it may hold, and
 * pages nobody has written to cost nothing.
 *
 *	0        start          rd            wr             size
 *	+--------+--------------+-------------+--------------+
 *	| kept   | given out,   | received,   | free         |
 *	|        | maybe in use | not parsed  |              |
 *	+--------+--------------+-------------+--------------+
 */
struct buf {
	char	*mem;
	size_t	 size;		/* bytes reserved */
	size_t	 rd;		/* first byte that is not parsed yet */
	size_t	 wr;		/* end of what was received */
	size_t	 high;		/* highest wr since the last trim */
};

/* Reserves size bytes.  Returns 0, or -1 with errno; buf_fini() frees. */
int	 buf_init(struct buf *b, size_t size);
void	 buf_fini(struct buf *b);

/* Received and not parsed: where, and how many bytes. */
char	*buf_data(const struct buf *b);
size_t	 buf_len(const struct buf *b);

/* Free space behind them. */
char	*buf_space(const struct buf *b);
size_t	 buf_room(const struct buf *b);

/* n bytes were parsed (n <= buf_len), or received (n <= buf_room). */
void	 buf_consume(struct buf *b, size_t n);
void	 buf_produce(struct buf *b, size_t n);

/*
 * Moves what is not parsed down to offset `to` (<= rd), so that there is room
 * behind it.  What lay between is given up.
 */
void	 buf_shift(struct buf *b, size_t to);

/*
 * Gives the pages behind the first `keep` bytes back to the system, if they
 * were used since the last time.  Contents behind wr are lost.
 */
void	 buf_trim(struct buf *b, size_t keep);

#endif
