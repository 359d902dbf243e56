/* SPDX-License-Identifier: ISC */
/*
 * Who is behind a message, as proxies say it (draft-stecher-icap-subid, and
 * what Squid, g3 and Blue Coat really send).  Called by services through the
 * contract.  Values are hints from a client that was let in; nothing here is
 * fatal and nothing may be trusted further than that client.
 */
#include <stdlib.h>
#include <string.h>

#include <resolv.h>

#include "../proto/header.h"
#include "txn.h"

/* Longer ones are cut: bytes. */
#define IDENTITY_MAX	1024

/* Text in UTF-8: what a plain name decodes to by chance is hardly ever that. */
static bool
is_printable(const char *p, size_t len)
{
	size_t	 i, n;

	for (i = 0; i < len; i += n) {
		if ((unsigned char)p[i] < 0x20 || p[i] == 0x7f)
			return false;
		if ((n = chars_utf8(p + i, len - i)) == 0)
			return false;
	}
	return len > 0;
}

/*
 * Base64 that stands for a text with a scheme ("WinNT://DOMAIN/user") is
 * decoded; anything else is taken as it is, for a plain name may well look
 * like base64.  With must_decode a text without a scheme will do.
 */
static size_t
identity_decode(char *dst, size_t size, struct slice value, bool must_decode)
{
	unsigned char	 plain[IDENTITY_MAX];
	char		 padded[IDENTITY_MAX + 4];
	size_t		 n = value.len;
	int		 len;

	if (n == 0 || n >= IDENTITY_MAX)
		return 0;
	memcpy(padded, value.p, n);
	while (n % 4 != 0)
		padded[n++] = '=';		/* some leave it out */
	padded[n] = '\0';
	len = b64_pton(padded, plain, sizeof(plain) - 1);
	if (len <= 0 || !is_printable((char *)plain, (size_t)len))
		return 0;
	plain[len] = '\0';
	if (!must_decode && strstr((char *)plain, "://") == NULL)
		return 0;
	return strlcpy(dst, (char *)plain, size);
}

static char *
identity_make(struct slice value, bool encoded)
{
	char	 text[IDENTITY_MAX + 1], *start;

	if (identity_decode(text, sizeof(text), value, encoded) == 0) {
		if (value.len > IDENTITY_MAX)
			value.len = IDENTITY_MAX;
		if (value.len > 0)
			memcpy(text, value.p, value.len);
		text[value.len] = '\0';
	}
	start = strstr(text, "://");
	return strdup(start != NULL ? start + 3 : text);
}

static const char *
identity_get(struct txn *t, enum txn_identity which, const char *const *names)
{
	const struct header_field	*f = NULL;
	struct slice			 none = { "", 0 };
	size_t				 i;
	bool				 encoded;

	if (t->identity[which] == NULL) {
		for (i = 0; names[i] != NULL && f == NULL; i++)
			f = header_find(&t->request->header, names[i]);
		/* the groups are always base64, a list in one */
		encoded = which == TXN_GROUPS;
		t->identity[which] = identity_make(f != NULL ? f->value : none,
		    encoded);
	}
	return t->identity[which] != NULL ? t->identity[which] : "";
}

const char *
txn_client_address(struct txn *t)
{
	static const char *const	 names[] = { "X-Client-IP", NULL };

	return identity_get(t, TXN_CLIENT, names);
}

const char *
txn_user(struct txn *t)
{
	static const char *const	 names[] = { "X-Authenticated-User",
					    "X-Client-Username", NULL };

	return identity_get(t, TXN_USER, names);
}

const char *
txn_groups(struct txn *t)
{
	static const char *const	 names[] = { "X-Authenticated-Groups",
					    NULL };

	return identity_get(t, TXN_GROUPS, names);
}
