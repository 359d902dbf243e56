/* SPDX-License-Identifier: ISC */
/*
 * URLs in one normal form.  Called by the block lists, for what lists hold
 * and for what clients ask for: both go the same way, so that no spelling of
 * a URL slips through.  It must not allocate, for it runs in each
 * transaction; only a host that is not ASCII costs a call of libidn2.
 *
 * Rules: RFC 3986 6.2.2 (case, escapes, dots), and where browsers differ from
 * it what they do (numbers as addresses, repeated slashes).  All is in lower
 * case, as lists are.
 */
#include <sys/socket.h>

#include <arpa/inet.h>

#include <string.h>

#include "idn.h"
#include "weburl.h"

#define LABEL_MAX	63	/* RFC 1035 2.3.4 */

static char
lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c + ('a' - 'A')) : c;
}

/* "%41": its value, or -1. */
static int
unescape(const char *p, size_t len)
{
	int	 high, low;

	if (len < 3 || p[0] != '%' ||
	    (high = chars_hex((unsigned char)p[1])) == -1 ||
	    (low = chars_hex((unsigned char)p[2])) == -1)
		return -1;
	return high * 16 + low;
}

/* ---- hosts -------------------------------------------------------------- */

/* A part of a numeric host: 10, 0x0a, 012.  Returns 0, or -1. */
static int
parse_number(struct slice s, uint64_t *n)
{
	unsigned int	 base = 10;
	size_t		 i = 0;
	int		 digit;

	*n = 0;
	if (s.len >= 2 && s.p[0] == '0' && s.p[1] == 'x') {
		base = 16;
		i = 2;
	} else if (s.len >= 2 && s.p[0] == '0') {
		base = 8;
		i = 1;
	}
	if (s.len == 0)
		return -1;
	for (; i < s.len; i++) {
		digit = chars_hex((unsigned char)s.p[i]);
		if (digit == -1 || (unsigned int)digit >= base)
			return -1;
		*n = *n * base + (unsigned int)digit;
		if (*n > UINT32_MAX)
			return -1;
	}
	return 0;
}

/* Browsers take a host whose last part is a number for an address. */
static bool
is_numeric(const char *p, size_t len)
{
	struct slice	 last = { p, len };
	const char	*dot = memrchr(p, '.', len);
	uint64_t	 n;

	if (dot != NULL) {
		last.p = dot + 1;
		last.len = (size_t)(p + len - last.p);
	}
	if (last.len == 0 || !(last.p[0] >= '0' && last.p[0] <= '9'))
		return false;
	return chars_span(last.p, last.len, CHARS_DIGIT) == last.len ||
	    parse_number(last, &n) == 0;
}

/* 127.1, 0x7f.0.0.1, 2130706433: as 127.0.0.1.  Returns 0, or -1. */
static int
normalize_v4(char *host, size_t *len)
{
	const char	*p = host, *dot, *end = host + *len;
	uint64_t	 part[4], all = 0;
	struct slice	 s;
	struct in_addr	 in;
	unsigned int	 n = 0, i;

	for (;;) {
		if (n == 4)
			return -1;
		dot = memchr(p, '.', (size_t)(end - p));
		s.p = p;
		s.len = (size_t)((dot != NULL ? dot : end) - p);
		if (parse_number(s, &part[n++]) == -1)
			return -1;
		if (dot == NULL)
			break;
		p = dot + 1;
	}
	for (i = 0; i + 1 < n; i++) {
		if (part[i] > 255)
			return -1;
		all |= part[i] << (24 - 8 * i);
	}
	if (part[n - 1] >= UINT64_C(1) << (8 * (5 - n)))
		return -1;
	in.s_addr = htonl((uint32_t)(all | part[n - 1]));
	if (inet_ntop(AF_INET, &in, host, INET_ADDRSTRLEN) == NULL)
		return -1;
	*len = strlen(host);
	return 0;
}

/* The text between brackets.  A zone is dropped. */
static int
normalize_v6(char *host, size_t *len, struct slice text)
{
	char		 copy[INET6_ADDRSTRLEN];
	const char	*zone;
	struct in6_addr	 in6;

	if ((zone = memchr(text.p, '%', text.len)) != NULL)
		text.len = (size_t)(zone - text.p);
	if (text.len == 0 || text.len >= sizeof(copy))
		return -1;
	memcpy(copy, text.p, text.len);
	copy[text.len] = '\0';
	if (inet_pton(AF_INET6, copy, &in6) != 1)
		return -1;
	if (IN6_IS_ADDR_V4MAPPED(&in6)) {
		if (inet_ntop(AF_INET, in6.s6_addr + 12, host,
		    INET_ADDRSTRLEN) == NULL)
			return -1;
		*len = strlen(host);
		return 0;
	}
	host[0] = '[';
	if (inet_ntop(AF_INET6, &in6, host + 1, INET6_ADDRSTRLEN) == NULL)
		return -1;
	*len = strlen(host);
	host[(*len)++] = ']';
	return 0;
}

/* Writes the host in its normal form.  Returns 0, or -1. */
static int
set_host(struct weburl *u, struct slice text)
{
	char	 plain[4 * WEBURL_HOST_MAX];
	size_t	 i, n = 0;
	bool	 is_ascii = true;
	int	 c;

	u->is_address = u->is_invalid = false;
	for (i = 0; i < text.len; i++) {
		c = (unsigned char)text.p[i];
		if (c == '%') {
			c = unescape(text.p + i, text.len - i);
			i += 2;
		}
		if (c <= 0 || n == sizeof(plain) - 1)
			return -1;
		is_ascii = is_ascii && c < 0x80;
		plain[n++] = lower((char)c);
	}
	plain[n] = '\0';
	if (!is_ascii && idn_to_ascii(plain, sizeof(plain), &n) == -1)
		return -1;
	/* such a host does not exist, or is a trick: IDNA knows slashes too */
	for (i = 0; i < n; i++)
		if (plain[i] <= ' ' || plain[i] == 0x7f ||
		    strchr("/@:?#%[]\\", plain[i]) != NULL)
			return -1;
	while (n > 0 && plain[n - 1] == '.')
		n--;
	for (i = 0; i < n && plain[i] == '.'; i++)
		;
	if (n - i == 0 || n - i > WEBURL_HOST_MAX)
		return -1;
	u->host_len = n - i;
	memcpy(u->text, plain + i, u->host_len);
	if (is_numeric(u->text, u->host_len)) {
		/* 300.1.1.1 is nothing, and stays what it is */
		u->is_address = true;
		u->is_invalid = normalize_v4(u->text, &u->host_len) == -1;
	}
	return 0;
}

/* user@host:port or user@[v6]:port */
static int
set_authority(struct weburl *u, struct slice text)
{
	const char	*at, *end;

	if (text.len == 0)
		return -1;
	if ((at = memrchr(text.p, '@', text.len)) != NULL) {
		text.len -= (size_t)(at + 1 - text.p);
		text.p = at + 1;
	}
	if (text.len > 0 && text.p[0] == '[') {
		if ((end = memchr(text.p, ']', text.len)) == NULL)
			return -1;
		text.p++;
		text.len = (size_t)(end - text.p);
		u->is_address = true;
		u->is_invalid = false;
		return normalize_v6(u->text, &u->host_len, text);
	}
	if ((end = memchr(text.p, ':', text.len)) != NULL)
		text.len = (size_t)(end - text.p);
	return set_host(u, text);
}

/* ---- paths -------------------------------------------------------------- */

/* Escapes that mean nothing are resolved, what should be one is made one. */
static size_t
put(char *dst, struct slice s, size_t *i)
{
	static const char	 hex[] = "0123456789abcdef";
	static const char	 literal[] = "-._~!$&'()*+,;=:@";
	int			 c = (unsigned char)s.p[*i], raw;

	raw = unescape(s.p + *i, s.len - *i);
	if (raw == -1) {
		(*i)++;
		if (c > ' ' && c < 0x7f && c != '%') {
			dst[0] = lower((char)c);
			return 1;
		}
		raw = c;
	} else {
		*i += 3;
		if ((raw >= '0' && raw <= '9') || (raw >= 'a' && raw <= 'z') ||
		    (raw >= 'A' && raw <= 'Z') ||
		    (raw > ' ' && strchr(literal, raw) != NULL)) {
			dst[0] = lower((char)raw);
			return 1;
		}
	}
	dst[0] = '%';
	dst[1] = hex[raw >> 4];
	dst[2] = hex[raw & 15];
	return 3;
}

/*
 * A segment of the path is complete: drop it if it is "" or ".", and the one
 * before it too if it is "..".  Returns the new length.
 */
static size_t
close_segment(const char *text, size_t from, size_t segment, size_t n)
{
	size_t	 len = n - segment;

	if (len == 0 || (len == 1 && text[segment] == '.'))
		return segment;
	if (len != 2 || text[segment] != '.' || text[segment + 1] != '.')
		return n;
	/* from is behind the first slash, segment behind the last */
	if (segment == from)
		return from;
	for (n = segment - 1; n > from && text[n - 1] != '/'; n--)
		;
	return n;
}

static void
set_path(struct weburl *u, struct slice s)
{
	size_t	 n = u->host_len, max = n + WEBURL_PATH_MAX, from, segment;
	size_t	 i = 0, closed;
	bool	 is_query = false;

	u->text[n++] = '/';
	from = segment = n;
	if (s.len > 0 && s.p[0] == '/')
		i = 1;
	while (i < s.len && n + 4 < max && s.p[i] != '#') {
		if (!is_query && (s.p[i] == '/' || s.p[i] == '\\')) {
			closed = close_segment(u->text, from, segment, n);
			if (closed == n && n > segment)
				u->text[n++] = '/';
			else
				n = closed;
			segment = n;
			i++;
		} else if (!is_query && s.p[i] == '?') {
			n = close_segment(u->text, from, segment, n);
			u->text[n++] = '?';
			is_query = true;
			i++;
		} else
			n += put(u->text + n, s, &i);
	}
	if (!is_query)
		n = close_segment(u->text, from, segment, n);
	/* "/" alone is the host */
	u->len = n == from ? u->host_len : n;
}

/* ---- what others call --------------------------------------------------- */

/* "scheme://": its length, or 0. */
static size_t
scheme_len(struct slice s)
{
	size_t	 i;

	for (i = 0; i < s.len && i < 32; i++)
		if (s.p[i] == ':')
			break;
		else if (chars_span(s.p + i, 1, CHARS_TOKEN) == 0)
			return 0;
	if (i == 0 || i + 2 >= s.len || s.p[i] != ':' || s.p[i + 1] != '/' ||
	    s.p[i + 2] != '/')
		return 0;
	return i + 3;
}

int
weburl_parse(struct weburl *u, struct slice target, struct slice host)
{
	struct slice	 authority;
	size_t		 i;

	if (target.len == 0)
		return -1;
	if (target.p[0] == '/' || (target.len == 1 && target.p[0] == '*')) {
		authority = host;
	} else {
		i = scheme_len(target);
		target.p += i;
		target.len -= i;
		for (i = 0; i < target.len; i++)
			if (target.p[i] == '/' || target.p[i] == '?' ||
			    target.p[i] == '#' || target.p[i] == '\\')
				break;
		authority.p = target.p;
		authority.len = i;
		target.p += i;
		target.len -= i;
	}
	if (set_authority(u, authority) == -1)
		return -1;
	u->len = u->host_len;
	if (target.len > 0 && target.p[0] != '*')
		set_path(u, target);
	u->text[u->len] = '\0';
	return 0;
}

bool
weburl_is_strict(const struct weburl *u)
{
	static const char	 allowed[] = "abcdefghijklmnopqrstuvwxyz"
				    "0123456789-_";
	const char		*p = u->text, *end = p + u->host_len, *dot;
	size_t			 len;

	if (u->is_address)
		return !u->is_invalid;
	for (; p <= end; p = dot + 1) {
		if ((dot = memchr(p, '.', (size_t)(end - p))) == NULL)
			dot = end;
		len = (size_t)(dot - p);
		if (len == 0 || len > LABEL_MAX || p[0] == '-' ||
		    p[len - 1] == '-')
			return false;
		for (; p < dot; p++)
			if (memchr(allowed, *p, sizeof(allowed) - 1) == NULL)
				return false;
	}
	return true;
}
