/* SPDX-License-Identifier: ISC */
/*
 * The ICAP URI of a request line.  Called by request.c and by clients that
 * take a URI on their command line.  The authority is split but never used
 * for routing (RFC 3507 4.2: a server answers to all its names), so its host
 * is checked for form only.
 */
#include <string.h>

#include "uri.h"

static int
uri_bad(struct fault *fault, const char *why)
{
	fault->status = 400;
	fault->why = why;
	return -1;
}

/* authority = [userinfo "@"] host [":" port] */
static int
uri_parse_authority(struct uri *u, struct slice a, struct fault *fault)
{
	const char	*at, *end;

	if ((at = memrchr(a.p, '@', a.len)) != NULL) {
		a.len -= (size_t)(at + 1 - a.p);
		a.p = at + 1;
	}
	u->port.p = a.p + a.len;
	u->port.len = 0;
	if (a.len > 0 && a.p[0] == '[') {
		if ((end = memchr(a.p, ']', a.len)) == NULL)
			return uri_bad(fault, "unclosed bracket in the URI");
		u->host.p = a.p + 1;
		u->host.len = (size_t)(end - u->host.p);
		end++;
	} else {
		if ((end = memchr(a.p, ':', a.len)) == NULL)
			end = a.p + a.len;
		u->host.p = a.p;
		u->host.len = (size_t)(end - a.p);
	}
	if (end < a.p + a.len) {
		if (*end != ':')
			return uri_bad(fault, "malformed host in the URI");
		u->port.p = end + 1;
		u->port.len = (size_t)(a.p + a.len - u->port.p);
		if (chars_span(u->port.p, u->port.len, CHARS_DIGIT) !=
		    u->port.len)
			return uri_bad(fault, "malformed port in the URI");
	}
	if (u->host.len == 0)
		return uri_bad(fault, "no host in the URI");
	return 0;
}

int
uri_parse(struct uri *u, struct slice text, struct fault *fault)
{
	struct slice	 authority;
	const char	*p = text.p, *end = text.p + text.len, *q;

	memset(u, 0, sizeof(*u));
	if (slice_begins_nocase(text, "icap://"))
		p += 7;
	else if (slice_begins_nocase(text, "icaps://")) {
		p += 8;
		u->tls = true;
	} else
		return uri_bad(fault, "not an icap URI");

	for (q = p; q < end && *q != '/' && *q != '?' && *q != '#'; q++)
		;
	authority.p = p;
	authority.len = (size_t)(q - p);
	if (uri_parse_authority(u, authority, fault) == -1)
		return -1;

	u->path.p = q;
	while (q < end && *q != '?' && *q != '#')
		q++;
	u->path.len = (size_t)(q - u->path.p);
	u->query.p = q;
	if (q < end && *q == '?') {
		u->has_query = true;
		u->query.p = ++q;
		while (q < end && *q != '#')
			q++;
		u->query.len = (size_t)(q - u->query.p);
	}
	if (q < end)
		return uri_bad(fault, "fragment in the URI");
	return 0;
}

int
uri_decode_path(const struct uri *u, char *dst, size_t size)
{
	const char	*p = u->path.p, *end = p + u->path.len;
	size_t		 n = 0;
	int		 high, low;
	char		 c;

	if (p < end)
		p++;				/* the leading slash */
	if (p < end && end[-1] == '/')
		end--;
	for (; p < end; p++) {
		c = *p;
		if (c == '%') {
			if (end - p < 3 ||
			    (high = chars_hex((unsigned char)p[1])) == -1 ||
			    (low = chars_hex((unsigned char)p[2])) == -1)
				return -1;
			c = (char)(high << 4 | low);
			p += 2;
		}
		if (c == '\0' || n + 1 >= size)
			return -1;
		dst[n++] = c;
	}
	if (size == 0)
		return -1;
	dst[n] = '\0';
	return (int)n;
}
