/* SPDX-License-Identifier: ISC */
/*
 * Fuzz target: URLs in their normal form.  Whatever the bytes are, the result
 * is one text within its limits, without anything a list could not hold, and
 * it is its own normal form: else one spelling of a URL would slip through.
 * The input is the target, and behind a newline the Host field.
 */
#include <string.h>

#include "../services/weburl.h"
#include "fuzz.h"

static void
check(const struct weburl *u)
{
	size_t	 i;

	must(u->host_len > 0 && u->host_len <= WEBURL_HOST_MAX);
	must(u->len >= u->host_len && u->len < sizeof(u->text));
	must(strlen(u->text) == u->len);
	for (i = 0; i < u->len; i++) {
		must(u->text[i] > ' ' && u->text[i] != 0x7f);
		must(u->text[i] < 'A' || u->text[i] > 'Z');
	}
	must(memchr(u->text, '/', u->host_len) == NULL);
	must(u->len == u->host_len || u->text[u->host_len] == '/');
}

/* What expressions see has that host, and whatever was sent in it fits. */
static void
check_forms(const struct weburl *u)
{
	static char	 text[WEBURL_TEXT_MAX];
	size_t		 n;
	int		 i;

	for (i = 0; i < 4; i++) {
		n = weburl_format(u, i % 2 == 0 ? WEBURL_SENT : WEBURL_NORMAL,
		    i >= 2, text);
		must(n < sizeof(text) && text[n] == '\0');
		must(memmem(text, n, u->text, u->host_len) != NULL);
		must(n <= u->scheme.len + 8 + u->host_len + 6 + 1 +
		    WEBURL_PATH_MAX);
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static struct weburl	 u, again;
	struct slice		 target = { (const char *)data, len };
	struct slice		 host = { "", 0 }, text;
	const char		*newline;

	if (len == 0)
		return 0;
	if ((newline = memchr(data, '\n', len)) != NULL) {
		target.len = (size_t)(newline - target.p);
		host.p = newline + 1;
		host.len = len - target.len - 1;
	}
	if (weburl_parse(&u, target, host) == -1) {
		must(u.why != NULL);
		if (u.host_len > 0)
			check(&u);
		return 0;
	}
	check(&u);
	check_forms(&u);
	(void)weburl_is_strict(&u);
	text.p = u.text;
	text.len = u.len;
	host.len = 0;
	/* a host that only looks like something else is in no list */
	if (!weburl_is_strict(&u))
		return 0;
	must(weburl_parse(&again, text, host) == 0);
	must(again.len == u.len && again.host_len == u.host_len);
	must(memcmp(again.text, u.text, u.len) == 0);
	return 0;
}
