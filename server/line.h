/* SPDX-License-Identifier: ISC */
#ifndef SERVER_LINE_H
#define SERVER_LINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "../proto/chars.h"

/*
 * A line being composed in the caller's memory.  What does not fit is left
 * out, silently: line_room() says in advance.
 */
struct line {
	char	*p;
	size_t	 len;
	size_t	 max;
};

void	 line_init(struct line *l, char *p, size_t max);

/* Appends what fits. */
void	 line_fill(struct line *l, const char *p);

/*
 * Appends bytes that need no care.  Inlined, so that a literal becomes a few
 * moves of constant size.
 */
static inline void
line_add(struct line *l, const char *p, size_t len)
{
	if (len > l->max - l->len) {
		line_fill(l, p);
		return;
	}
	memcpy(l->p + l->len, p, len);
	l->len += len;
}

#define line_lit(l, text)	line_add((l), "" text, sizeof(text) - 1)

void	 line_text(struct line *l, const char *text);
void	 line_char(struct line *l, char c);
void	 line_uint(struct line *l, uint64_t n);
void	 line_int(struct line *l, int64_t n);
void	 line_hex(struct line *l, uint64_t n);	/* 16 digits */

/*
 * The same at a place that has room for certain: for the part of a line whose
 * greatest length is known.  Each returns the end of what it wrote.
 */
#define PUT_UINT	20	/* bytes a number has at most */
#define PUT_TIME	24	/* those of a time, always */

static inline char *
put_bytes(char *d, const char *p, size_t len)
{
	memcpy(d, p, len);
	return d + len;
}

#define put_lit(d, text)	put_bytes((d), "" text, sizeof(text) - 1)

char	*put_uint(char *d, uint64_t n);
char	*put_hex(char *d, uint64_t n);		/* 16 digits */
char	*put_time(char *d, int64_t us);

/* A time on the wall clock, microseconds since 1970, as ISO 8601 in UTC. */
void	 line_time(struct line *l, int64_t us);

/*
 * Bytes from the wire, at most `cut` bytes of output, the last three of which
 * are "..." when something was cut.  Both write printable ASCII only.
 *
 * line_json: for the inside of a JSON string.  Characters in valid UTF-8
 * become \uXXXX, bytes that are not become \\xXX (two characters \ and x
 * once parsed).
 *
 * line_escape: for text; control and other bytes, the backslash and the
 * quotation mark become \xXX, \\ and \".
 *
 * line_word: the same for one word among others: a blank becomes \x20, so
 * that no client can add words of its own.
 */
void	 line_json(struct line *l, struct slice s, size_t cut);
void	 line_escape(struct line *l, struct slice s, size_t cut);
void	 line_word(struct line *l, struct slice s, size_t cut);

#endif
