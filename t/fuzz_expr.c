/* SPDX-License-Identifier: ISC */
/*
 * Fuzz target: regular expressions and what the headers service puts in the
 * place of a match.  The input is an expression, a line further its
 * replacement, and behind that what comes from the wire.  No input may run
 * for ever or make more than was allowed, and a match that is replaced by
 * itself changes nothing.
 */
#include <string.h>

#include "../services/expr.h"
#include "fuzz.h"

#define RESULT_MAX	8192		/* of a result, bytes */

static void
check_replace(const struct expr *e, const char *replacement,
    const char *subject, size_t len)
{
	struct bytes	 out = { NULL, 0, 0 };
	char		 why[EXPR_WHY_MAX] = "";
	int		 n, matched = expr_match(e, subject, len);

	must(matched >= -1 && matched <= 1);
	if (expr_check_replacement(e, replacement, why) == -1) {
		must(why[0] != '\0');
		return;
	}
	n = expr_replace(e, subject, len, replacement, RESULT_MAX, &out);
	must(n >= -1);
	/* one may give up where the other did not get to */
	if (matched == 0)
		must(n <= 0);
	if (n > 0)
		must(out.len <= RESULT_MAX);
	n = expr_replace(e, subject, len, "$0", RESULT_MAX, &out);
	if (n > 0) {
		must(out.len == len);
		must(len == 0 || memcmp(out.p, subject, len) == 0);
	}
	bytes_free(&out);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static const unsigned int	 flags[] = {
		0, EXPR_NOCASE, EXPR_JIT
	};
	const char	*pattern = (const char *)data, *end = pattern + len;
	const char	*newline, *behind;
	char		 why[EXPR_WHY_MAX] = "", replacement[512], *subject;
	struct expr	*e;
	size_t		 i, n, n_subject;

	if (len > 4096 || (newline = memchr(pattern, '\n', len)) == NULL)
		return 0;
	n = (size_t)(newline - pattern);
	behind = memchr(newline + 1, '\n', (size_t)(end - newline - 1));
	if (behind == NULL ||
	    (size_t)(behind - newline) > sizeof(replacement))
		return 0;
	/* as the configuration has it: a text */
	memcpy(replacement, newline + 1, (size_t)(behind - newline - 1));
	replacement[behind - newline - 1] = '\0';
	behind++;
	/* exactly as large as it is, so that ASan sees a step too far */
	n_subject = (size_t)(end - behind);
	must((subject = malloc(n_subject > 0 ? n_subject : 1)) != NULL);
	memcpy(subject, behind, n_subject);
	for (i = 0; i < sizeof(flags) / sizeof(flags[0]); i++) {
		if ((e = expr_new(pattern, n, flags[i], why)) == NULL) {
			must(why[0] != '\0');
			continue;
		}
		check_replace(e, replacement, subject, n_subject);
		expr_free(e);
	}
	free(subject);
	return 0;
}
