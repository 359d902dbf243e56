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

/* Longer names of users are cut: bytes. */
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
 * like base64.  With must_decode a text without a scheme will do.  Returns
 * what is to be freed, or NULL.
 */
static char *
identity_decode(struct txn *t, struct slice value, bool must_decode)
{
	size_t	 n = value.len, size = n + 4;
	char	*plain, *padded;
	int	 len;

	if (n == 0)
		return NULL;
	if ((plain = malloc(2 * size)) == NULL) {
		t->identity_failed = true;
		return NULL;
	}
	padded = plain + size;
	memcpy(padded, value.p, n);
	while (n % 4 != 0)
		padded[n++] = '=';		/* some leave it out */
	padded[n] = '\0';
	len = b64_pton(padded, (unsigned char *)plain, size - 1);
	if (len > 0 && is_printable(plain, (size_t)len)) {
		plain[len] = '\0';
		if (must_decode || strstr(plain, "://") != NULL)
			return plain;
	}
	free(plain);
	return NULL;
}

static char *
identity_make(struct txn *t, struct slice value)
{
	char	*text = NULL, *start;

	if (value.len < IDENTITY_MAX)
		text = identity_decode(t, value, false);
	else
		value.len = IDENTITY_MAX;
	if (text == NULL)
		text = strndup(value.len > 0 ? value.p : "", value.len);
	if (text != NULL && (start = strstr(text, "://")) != NULL)
		memmove(text, start + 3, strlen(start + 3) + 1);
	return text;
}

/*
 * The next of what commas separate, with its blanks, unless there is nothing
 * else between them.  Quotes are part of a name here.
 */
static bool
next_group(struct slice *list, struct slice *one)
{
	const char	*comma;

	while (list->len > 0) {
		*one = *list;
		comma = memchr(list->p, ',', list->len);
		if (comma != NULL)
			one->len = (size_t)(comma - list->p);
		list->p += one->len + (comma != NULL);
		list->len -= one->len + (comma != NULL);
		if (slice_trim(*one).len > 0)
			return true;
	}
	return false;
}

/* Appends a list, each element without its scheme. */
static int
add_groups(struct bytes *out, struct slice list)
{
	struct slice	 one;
	const char	*start;
	size_t		 n;

	while (next_group(&list, &one)) {
		if (out->len > 0 && bytes_adds(out, ",") == -1)
			return -1;
		n = chars_span(one.p, one.len, CHARS_BLANK);
		if (bytes_add(out, one.p, n) == -1)
			return -1;
		if ((start = memmem(one.p, one.len, "://", 3)) != NULL)
			n = (size_t)(start + 3 - one.p);
		if (bytes_add(out, one.p + n, one.len - n) == -1)
			return -1;
	}
	return 0;
}

/*
 * A list of names, of base64, or in one base64; a plain name among others is
 * not decoded, even if it could be.
 */
static int
add_field(struct txn *t, struct bytes *out, struct slice value)
{
	struct slice	 list = value, one;
	bool		 encoded = true;
	char		*text;
	int		 result = 0;

	while (encoded && next_group(&list, &one)) {
		text = identity_decode(t, slice_trim(one), true);
		encoded = text != NULL;
		free(text);
	}
	while (result == 0 && next_group(&value, &one)) {
		text = identity_decode(t, slice_trim(one), encoded);
		if (text != NULL) {
			one.p = text;
			one.len = strlen(text);
		}
		result = add_groups(out, one);
		free(text);
	}
	return result;
}

static char *
identity_make_groups(struct txn *t)
{
	const struct header	*h = &t->request->header;
	struct bytes		 out;
	unsigned int		 i;
	int			 result = 0;

	memset(&out, 0, sizeof(out));
	for (i = 0; i < h->count && result == 0; i++)
		if (slice_is_nocase(h->field[i].name,
		    "X-Authenticated-Groups"))
			result = add_field(t, &out, h->field[i].value);
	if (result == -1 || bytes_add(&out, "", 1) == -1)
		bytes_free(&out);
	return out.p;
}

/* Nobody, and a failure of the service that has asked, without memory. */
static const char *
identity_show(struct txn *t, enum txn_identity which)
{
	if (t->identity[which] != NULL)
		return t->identity[which];
	t->identity_failed = true;
	return "";
}

static const char *
identity_get(struct txn *t, enum txn_identity which, const char *const *names)
{
	const struct header_field	*f = NULL;
	struct slice			 none = { "", 0 };
	size_t				 i;

	if (t->identity[which] == NULL) {
		for (i = 0; names[i] != NULL && f == NULL; i++)
			f = header_find(&t->request->header, names[i]);
		t->identity[which] = identity_make(t, f != NULL ? f->value :
		    none);
	}
	return identity_show(t, which);
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
	if (t->identity[TXN_GROUPS] == NULL)
		t->identity[TXN_GROUPS] = identity_make_groups(t);
	return identity_show(t, TXN_GROUPS);
}
