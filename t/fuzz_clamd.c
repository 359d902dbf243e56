/* SPDX-License-Identifier: ISC */
/*
 * Fuzz target: replies of clamd(8).  Whatever the bytes are, a body is clean
 * only after exactly the reply that says so, to this very request.  What that
 * reply is, is written down here a second time, from its end to its start, so
 * that a mistake would have to be made twice.  The input is the reply.
 */
#include <string.h>

#include "../services/clamd.h"
#include "fuzz.h"

static bool
is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* Takes `text` off the end. */
static bool
cut(const char *p, size_t *len, const char *text)
{
	size_t	 n = strlen(text);

	if (*len < n || memcmp(p + *len - n, text, n) != 0)
		return false;
	*len -= n;
	return true;
}

/* Digits at the end, at least one and at most nine: how many? */
static size_t
digits(const char *p, size_t len)
{
	size_t	 n = 0;

	while (n < len && is_digit(p[len - 1 - n]))
		n++;
	return n <= 9 ? n : 0;
}

/* The number that it is the reply to, or -1: not one that says OK. */
static int64_t
clean_reply_to(const char *p, size_t len)
{
	int64_t	 id = 0;
	size_t	 n, i;

	if (!cut(p, &len, ": OK"))
		return -1;
	if (cut(p, &len, "]")) {
		if ((n = digits(p, len)) == 0)
			return -1;
		len -= n;
		if (!cut(p, &len, ": fd["))
			return -1;
	} else if (!cut(p, &len, ": stream"))
		return -1;
	if (len == 0 || digits(p, len) != len)
		return -1;
	for (i = 0; i < len; i++)
		id = id * 10 + (p[i] - '0');
	return id;
}

static void
check(const char *p, size_t len, unsigned int id, bool is_clean)
{
	struct clamd_verdict	 v;
	bool			 is_mine;
	size_t			 i, n;

	memset(&v, 0xff, sizeof(v));
	v.result = CLAMD_CLEAN;		/* what would be the worst to leave */
	is_mine = clamd_parse(p, len, id, &v);
	must(v.result < CLAMD_NRESULTS);
	must((v.result == CLAMD_CLEAN) == is_clean);
	must(is_mine || v.result == CLAMD_ERROR);
	n = strnlen(v.text, sizeof(v.text));
	must(n < sizeof(v.text));
	for (i = 0; i < n; i++)
		must(v.text[i] >= ' ' && v.text[i] <= '~');
	if (v.result == CLAMD_INFECTED)
		must(n > 0);
	must(clamd_reason(v.result) != NULL);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	const char	*p = (const char *)data;
	int64_t		 clean, id = 0;
	size_t		 i;

	/* the session's own number, where the reply begins with one */
	for (i = 0; i < len && i < 9 && is_digit(p[i]); i++)
		id = id * 10 + (p[i] - '0');
	clean = clean_reply_to(p, len);
	check(p, len, (unsigned int)id, clean == id);
	check(p, len, (unsigned int)id + 1, false);
	check(p, len, 0, clean == 0);
	/* cut short, it is another reply */
	i = fuzz_choose(data, len, len + 1);
	check(p, i, (unsigned int)id, clean_reply_to(p, i) == id);
	return 0;
}
