/* SPDX-License-Identifier: ISC */
#ifndef T_UNIT_H
#define T_UNIT_H

#include <check.h>
#include <stddef.h>

#include "../proto/chars.h"
#include "../proto/parse.h"

/*
 * How an input is delivered: its first piece ends at `at` (0: nowhere), the
 * others have at most `step` bytes (0: all there is).
 */
struct cut {
	size_t	 at;
	size_t	 step;
};

/* Where the piece that begins at pos ends. */
size_t	 cut_next(const struct cut *cut, size_t pos, size_t len);

/* What a test saw, as text that a table can hold. */
struct text {
	char	 s[4096];
	size_t	 len;
};

void	 text_addf(struct text *t, const char *fmt, ...)
	    __attribute__((format(printf, 2, 3)));

/* Appends bytes: CR, LF and what cannot be printed as \r, \n, \xNN. */
void	 text_add(struct text *t, const char *p, size_t len);

/* Plays one input, delivered as cut says, and writes down what came of it. */
typedef void unit_play(const struct cut *cut, const char *in, size_t len,
	    const void *arg, struct text *out);

/*
 * Plays the input whole, byte by byte, in threes, and split at every point;
 * each time the text must be `expect`.
 */
void	 unit_check_splits(unit_play *play, const char *in, size_t len,
	    const void *arg, const char *expect);

/* A slice of a C string. */
struct slice unit_slice(const char *s);

/*
 * Contents of the file t/vectors/name, followed by a NUL that is not counted.
 * Fails the test when it cannot be read.  The caller frees.
 */
char	*unit_read_vector(const char *name, size_t *len);

/* n bytes of a pattern that has no short period; the caller frees. */
char	*unit_pattern(size_t n);

/* ck_assert for inner loops: Check takes a note of each one that holds. */
#define unit_must(holds) do {						\
	if (!(holds))							\
		ck_abort_msg("'%s' does not hold", #holds);		\
} while (0)

/* Runs the suite that `add` fills; what main() returns. */
int	 unit_main(const char *name, void (*add)(TCase *));

/* Number of rows of a table, and of its loop test. */
#define ROWS(table)	(sizeof(table) / sizeof((table)[0]))
#define unit_add_rows(tc, test, table)	\
	tcase_add_loop_test(tc, test, 0, (int)ROWS(table))

#endif
