/* SPDX-License-Identifier: ISC */
/*
 * Regular expressions.  Called by services that have them; the only file that
 * knows PCRE2.  What is matched comes from the wire, so the work of a match
 * is bounded: an expression that gives up says so and is never taken for one
 * that does not match.  Nothing here makes memory executable after open().
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "expr.h"

#ifdef HAVE_PCRE2

#define PCRE2_CODE_UNIT_WIDTH	8
#include <pcre2.h>

/* Calls of the matching function; some milliseconds at most. */
#define MATCH_LIMIT	100000

/* Memory of one match when it is interpreted, KiB. */
#define HEAP_LIMIT	1024

/* Groups that can be told apart. */
#define GROUPS_MAX	100

struct expr {
	pcre2_code	*code;
};

/*
 * What a match works with: one for all of the process, as only one is made at
 * a time, and as a set for each of thousands would be memory of each worker.
 */
static pcre2_match_data		*data;
static pcre2_match_context	*context;
static unsigned long		 users;		/* expressions */

static int
take_data(void)
{
	if (users == 0) {
		data = pcre2_match_data_create(GROUPS_MAX, NULL);
		context = pcre2_match_context_create(NULL);
		if (data == NULL || context == NULL) {
			pcre2_match_context_free(context);
			pcre2_match_data_free(data);
			return -1;
		}
		(void)pcre2_set_match_limit(context, MATCH_LIMIT);
		(void)pcre2_set_heap_limit(context, HEAP_LIMIT);
	}
	users++;
	return 0;
}

static void
give_data(void)
{
	if (--users > 0)
		return;
	pcre2_match_context_free(context);
	pcre2_match_data_free(data);
}

struct expr *
expr_new(const char *pattern, size_t len, unsigned int flags, char *why)
{
	struct expr	*e;
	PCRE2_SIZE	 at = 0;
	int		 error = 0;
	size_t		 n;

	if ((e = calloc(1, sizeof(*e))) == NULL || take_data() == -1) {
		(void)snprintf(why, EXPR_WHY_MAX, "no memory");
		free(e);
		return NULL;
	}
	e->code = pcre2_compile((PCRE2_SPTR)pattern, len,
	    PCRE2_NEVER_BACKSLASH_C |
	    ((flags & EXPR_NOCASE) != 0 ? PCRE2_CASELESS : 0), &error, &at,
	    NULL);
	if (e->code == NULL) {
		if (pcre2_get_error_message(error, (PCRE2_UCHAR *)why,
		    EXPR_WHY_MAX) < 0)
			(void)snprintf(why, EXPR_WHY_MAX, "error %d", error);
		n = strlen(why);
		(void)snprintf(why + n, EXPR_WHY_MAX - n,
		    " at its byte %zu", (size_t)at + 1);
		expr_free(e);
		return NULL;
	}
	/* where it cannot be had the expression is interpreted */
	if ((flags & EXPR_JIT) != 0)
		(void)pcre2_jit_compile(e->code, PCRE2_JIT_COMPLETE);
	return e;
}

void
expr_free(struct expr *e)
{
	if (e == NULL)
		return;
	pcre2_code_free(e->code);
	free(e);
	give_data();
}

/* Number of groups set plus one, 0 for no match, or -1. */
static int
match_at(const struct expr *e, const char *subject, size_t len, size_t start,
    uint32_t options)
{
	int	 n;

	n = pcre2_match(e->code, (PCRE2_SPTR)subject, len, start, options,
	    data, context);
	if (n == PCRE2_ERROR_NOMATCH)
		return 0;
	if (n == 0)
		return GROUPS_MAX;
	return n > 0 ? n : -1;
}

int
expr_match(const struct expr *e, const char *subject, size_t len)
{
	int	 n = match_at(e, subject, len, 0, 0);

	return n > 0 ? 1 : n;
}

/* "$1", "${12}", "$$" at p: its length and group (-1: a dollar), or 0. */
static size_t
parse_group(const char *p, int *group)
{
	size_t	 i = 1;
	bool	 brace;

	if (p[1] == '$') {
		*group = -1;
		return 2;
	}
	brace = p[1] == '{';
	i += brace;
	if (p[i] < '0' || p[i] > '9')
		return 0;
	*group = p[i++] - '0';
	if (p[i] >= '0' && p[i] <= '9')
		*group = *group * 10 + (p[i++] - '0');
	if (brace && p[i++] != '}')
		return 0;
	return i;
}

int
expr_check_replacement(const struct expr *e, const char *replacement,
    char *why)
{
	const char	*p = replacement;
	uint32_t	 groups = 0;
	size_t		 n;
	int		 group;

	(void)pcre2_pattern_info(e->code, PCRE2_INFO_CAPTURECOUNT, &groups);
	while ((p = strchr(p, '$')) != NULL) {
		if ((n = parse_group(p, &group)) == 0) {
			(void)snprintf(why, EXPR_WHY_MAX, "a dollar sign is "
			    "written $$, a group $1 or ${1}");
			return -1;
		}
		if (group > (int)groups) {
			(void)snprintf(why, EXPR_WHY_MAX, "there is no group "
			    "%d", group);
			return -1;
		}
		p += n;
	}
	return 0;
}

static int
put_replacement(struct bytes *out, const char *p, const char *subject,
    const PCRE2_SIZE *ovector, int groups)
{
	const char	*dollar;
	size_t		 n;
	int		 group;

	while ((dollar = strchr(p, '$')) != NULL) {
		if (bytes_add(out, p, (size_t)(dollar - p)) == -1 ||
		    (n = parse_group(dollar, &group)) == 0)
			return -1;
		p = dollar + n;
		if (group == -1) {
			if (bytes_adds(out, "$") == -1)
				return -1;
		} else if (group < groups &&
		    ovector[2 * group] != PCRE2_UNSET &&
		    bytes_add(out, subject + ovector[2 * group],
		    ovector[2 * group + 1] - ovector[2 * group]) == -1)
			return -1;
	}
	return bytes_adds(out, p);
}

int
expr_replace(const struct expr *e, const char *subject, size_t len,
    const char *replacement, size_t size, struct bytes *out)
{
	const PCRE2_SIZE	*ovector;
	size_t			 pos = 0, copied = 0;
	int			 n, count = 0;

	out->len = 0;
	while (pos <= len) {
		n = match_at(e, subject, len, pos, 0);
		if (n == -1) {
			errno = ELOOP;
			return -1;
		}
		if (n == 0)
			break;
		ovector = pcre2_get_ovector_pointer(data);
		/* \K may put the start behind the end */
		if (ovector[0] > ovector[1] || ovector[0] < copied) {
			errno = ELOOP;
			return -1;
		}
		if (bytes_add(out, subject + copied,
		    ovector[0] - copied) == -1 ||
		    put_replacement(out, replacement, subject, ovector,
		    n) == -1)
			return -1;
		if (out->len > size) {
			errno = E2BIG;
			return -1;
		}
		count++;
		copied = ovector[1];
		pos = ovector[1] + (ovector[0] == ovector[1]);
	}
	if (count > 0 && bytes_add(out, subject + copied, len - copied) == -1)
		return -1;
	if (out->len > size) {
		errno = E2BIG;
		return -1;
	}
	return count;
}

bool
expr_is_built_in(void)
{
	return true;
}

#else

struct expr *
expr_new(const char *pattern, size_t len, unsigned int flags, char *why)
{
	(void)pattern;
	(void)len;
	(void)flags;
	(void)snprintf(why, EXPR_WHY_MAX, "icapd was built without PCRE2");
	return NULL;
}

void
expr_free(struct expr *e)
{
	(void)e;
}

int
expr_match(const struct expr *e, const char *subject, size_t len)
{
	(void)e;
	(void)subject;
	(void)len;
	return -1;
}

int
expr_replace(const struct expr *e, const char *subject, size_t len,
    const char *replacement, size_t size, struct bytes *out)
{
	(void)e;
	(void)subject;
	(void)len;
	(void)replacement;
	(void)size;
	(void)out;
	return -1;
}

int
expr_check_replacement(const struct expr *e, const char *replacement,
    char *why)
{
	(void)e;
	(void)replacement;
	(void)why;
	return -1;
}

bool
expr_is_built_in(void)
{
	return false;
}

#endif
