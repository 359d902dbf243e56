/* SPDX-License-Identifier: ISC */
/*
 * What the unit tests share: the drivers that play a table's inputs in every
 * possible segmentation, and text to compare what came of it.  Linked into
 * every check_*; knows libcheck and no module under test but chars.  It must
 * not hold expectations of its own: those stand in the tables.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "unit.h"

size_t
cut_next(const struct cut *cut, size_t pos, size_t len)
{
	if (pos < cut->at)
		return cut->at < len ? cut->at : len;
	if (cut->step != 0 && len - pos > cut->step)
		return pos + cut->step;
	return len;
}

void
text_addf(struct text *t, const char *fmt, ...)
{
	va_list	 ap;
	int	 n;

	va_start(ap, fmt);
	n = vsnprintf(t->s + t->len, sizeof(t->s) - t->len, fmt, ap);
	va_end(ap);
	unit_must(n >= 0 && (size_t)n < sizeof(t->s) - t->len);
	t->len += (size_t)n;
}

void
text_add(struct text *t, const char *p, size_t len)
{
	size_t	 i;

	for (i = 0; i < len; i++) {
		if (p[i] == '\r')
			text_addf(t, "\\r");
		else if (p[i] == '\n')
			text_addf(t, "\\n");
		else if (p[i] >= ' ' && p[i] <= '~')
			text_addf(t, "%c", p[i]);
		else
			text_addf(t, "\\x%02x", (unsigned char)p[i]);
	}
}

static void
unit_check_cut(unit_play *play, const struct cut *cut, const char *in,
    size_t len, const void *arg, const char *expect)
{
	struct text	 shown = { .len = 0 }, got = { .len = 0 };

	got.s[0] = '\0';
	play(cut, in, len, arg, &got);
	if (strcmp(got.s, expect) == 0)
		return;
	text_add(&shown, in, len < 300 ? len : 300);
	ck_abort_msg("cut at %zu, step %zu: %s\n  expected: %s\n  got:      %s",
	    cut->at, cut->step, shown.s, expect, got.s);
}

void
unit_check_splits(unit_play *play, const char *in, size_t len,
    const void *arg, const char *expect)
{
	struct cut	 cut = { 0, 0 };

	unit_check_cut(play, &cut, in, len, arg, expect);
	for (cut.at = 1; cut.at < len; cut.at++)
		unit_check_cut(play, &cut, in, len, arg, expect);
	cut.at = 0;
	for (cut.step = 1; cut.step <= 3; cut.step += 2)
		unit_check_cut(play, &cut, in, len, arg, expect);
}

struct slice
unit_slice(const char *s)
{
	struct slice	 slice;

	slice.p = s;
	slice.len = strlen(s);
	return slice;
}

char *
unit_read_vector(const char *name, size_t *len)
{
	const char	*srcdir = getenv("top_srcdir");
	char		 path[4096], *p;
	FILE		*f;
	long		 size;

	snprintf(path, sizeof(path), "%s/t/vectors/%s",
	    srcdir != NULL ? srcdir : ".", name);
	if ((f = fopen(path, "rb")) == NULL)
		ck_abort_msg("%s: %s", path, strerror(errno));
	ck_assert_int_eq(fseek(f, 0, SEEK_END), 0);
	size = ftell(f);
	ck_assert_int_gt(size, 0);
	rewind(f);
	ck_assert_ptr_nonnull(p = malloc((size_t)size + 1));
	ck_assert_uint_eq(fread(p, 1, (size_t)size, f), (size_t)size);
	p[size] = '\0';
	fclose(f);
	*len = (size_t)size;
	return p;
}

char *
unit_pattern(size_t n)
{
	unsigned int	 x = 1;
	char		*p;
	size_t		 i;

	ck_assert_ptr_nonnull(p = malloc(n + 1));
	for (i = 0; i < n; i++) {
		x = x * 1103515245u + 12345u;
		p[i] = (char)(x >> 16);
	}
	p[n] = '\0';
	return p;
}

int
unit_main(const char *name, void (*add)(TCase *))
{
	Suite	*suite = suite_create(name);
	TCase	*tc = tcase_create(name);
	SRunner	*runner;
	int	 failed;

	/* a hang must show, but a slow machine must not fail */
	tcase_set_timeout(tc, 60);
	add(tc);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
