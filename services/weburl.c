/* SPDX-License-Identifier: ISC */
/*
 * URLs in one normal form.  Called by the block lists, for what lists hold
 * and for what clients ask for: both go the same way, so that no spelling of
 * a URL slips through.  It must not allocate, for it runs in each
 * transaction; only a host that is not ASCII costs a call of libidn2.
 *
 * Rules: RFC 3986 6.2.2 (case, escapes, dots), and where browsers differ from
 * it what they do (numbers as addresses, repeated slashes).  All is in lower
 * case, as lists are.  Where it is open which host is meant there is none: a
 * guess would be a way past the lists.
 */
#include <sys/socket.h>

#include <arpa/inet.h>

#include <stddef.h>
#include <string.h>

#include "idn.h"
#include "weburl.h"

#define LABEL_MAX	63	/* RFC 1035 2.3.4 */

/* Browsers know these by name; each has its usual port. */
static const struct {
	const char	*name;
	const char	*port;
} schemes[] = {
	{ "http", "80" }, { "https", "443" }, { "ftp", "21" },
	{ "ws", "80" }, { "wss", "443" }
};
#define NSCHEMES	(sizeof(schemes) / sizeof(schemes[0]))

static int
fail(struct weburl *u, const char *why)
{
	u->why = why;
	return -1;
}

/* Where the first of these bytes is, or the end. */
static size_t
find_any(struct slice s, const char *bytes)
{
	const char	*p;

	for (; *bytes != '\0' && s.len > 0; bytes++)
		if ((p = memchr(s.p, *bytes, s.len)) != NULL)
			s.len = (size_t)(p - s.p);
	return s.len;
}

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

/*
 * The address of IPv4 that it stands for, or NULL: its last four bytes, by RFC
 * 4291 2.5.5 (mapped, compatible), RFC 2765 2.1 (translated), RFC 6052 2.1
 * (NAT64), or those behind the prefix of RFC 3056 2 (6to4).
 */
static const unsigned char *
find_wrapped(const struct in6_addr *in6)
{
	static const unsigned char	 prefix[][12] = {
		{ [10] = 0xff, [11] = 0xff },
		{ 0 },
		{ [8] = 0xff, [9] = 0xff },
		{ [1] = 0x64, [2] = 0xff, [3] = 0x9b }
	};
	size_t				 i;

	if (IN6_IS_ADDR_UNSPECIFIED(in6) || IN6_IS_ADDR_LOOPBACK(in6))
		return NULL;
	if (in6->s6_addr[0] == 0x20 && in6->s6_addr[1] == 0x02)
		return in6->s6_addr + 2;
	for (i = 0; i < sizeof(prefix) / sizeof(prefix[0]); i++)
		if (memcmp(in6->s6_addr, prefix[i], sizeof(prefix[i])) == 0)
			return in6->s6_addr + 12;
	return NULL;
}

/* The text between brackets.  A zone is dropped. */
static int
normalize_v6(char *host, size_t *len, struct slice text)
{
	char		 copy[INET6_ADDRSTRLEN];
	const char	*zone;
	const void	*v4;
	struct in6_addr	 in6;

	if ((zone = memchr(text.p, '%', text.len)) != NULL)
		text.len = (size_t)(zone - text.p);
	if (text.len == 0 || text.len >= sizeof(copy))
		return -1;
	memcpy(copy, text.p, text.len);
	copy[text.len] = '\0';
	if (inet_pton(AF_INET6, copy, &in6) != 1)
		return -1;
	if ((v4 = find_wrapped(&in6)) != NULL) {
		if (inet_ntop(AF_INET, v4, host, INET_ADDRSTRLEN) == NULL)
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
	char		 plain[4 * WEBURL_HOST_MAX];
	struct slice	 host = { plain, 0 };
	size_t		 i, n = 0;
	bool		 is_ascii = true;
	int		 c;

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
		if (plain[i] <= ' ' || plain[i] == 0x7f)
			return -1;
	host.len = n;
	if (find_any(host, "/@:?#%[]\\") < n)
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

/* ":port", or nothing. */
static int
set_port(struct weburl *u, struct slice s)
{
	struct slice	 port = { s.p + 1, s.len - 1 };
	uint64_t	 n;

	if (s.len == 0 || (s.len == 1 && s.p[0] == ':'))
		return 0;
	if (s.p[0] != ':' || chars_parse_uint(port, 65535, &n) == -1)
		return -1;
	for (; port.len > 1 && port.p[0] == '0'; port.len--)
		port.p++;
	u->port = port;
	return 0;
}

/* user@host:port or user@[v6]:port */
static int
set_authority(struct weburl *u, struct slice s)
{
	struct slice	 host, rest;
	const char	*p;
	int		 result;

	if (s.len == 0)
		return fail(u, "no URL to look for");
	if ((p = memrchr(s.p, '@', s.len)) != NULL) {
		s.len -= (size_t)(p + 1 - s.p);
		s.p = p + 1;
	}
	host = s;
	if (s.len > 0 && s.p[0] == '[') {
		if ((p = memchr(s.p, ']', s.len)) == NULL)
			return fail(u, "a URL with a host that cannot be");
		host.p++;
		host.len = (size_t)(p++ - host.p);
	} else if ((p = memchr(s.p, ':', s.len)) != NULL)
		host.len = (size_t)(p - host.p);
	else
		p = s.p + s.len;
	/* so an address of IPv6 without brackets is none: where is its end? */
	rest.p = p;
	rest.len = (size_t)(s.p + s.len - p);
	if (set_port(u, rest) == -1)
		return fail(u, "a URL with a port that cannot be");
	u->is_address = u->is_invalid = false;
	if (host.p > s.p) {
		u->is_address = true;
		result = normalize_v6(u->text, &u->host_len, host);
	} else
		result = set_host(u, host);
	if (result == -1) {
		u->host_len = 0;
		return fail(u, "a URL with a host that cannot be");
	}
	return 0;
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

/*
 * A path on its way into its normal form.  Of one that does not fit the
 * segments behind the limit are counted, as each ".." takes one of them away
 * before it reaches what is kept.
 */
struct path {
	char	*text;
	size_t	 from;		/* behind the first slash */
	size_t	 room;		/* bytes that are kept */
	size_t	 segment;	/* where the last one begins */
	size_t	 n;
	size_t	 cut;		/* where the first that does not fit begins */
	size_t	 behind;	/* segments from there on */
};

static void
end_segment(struct path *p, bool has_slash)
{
	bool	 is_up = p->n - p->segment == 2 &&
		    memcmp(p->text + p->segment, "..", 2) == 0;
	size_t	 closed = close_segment(p->text,
		    p->behind > 0 ? p->room : p->from, p->segment, p->n);

	if (p->behind > 0) {
		if (is_up)
			p->behind--;
		else if (closed > p->segment)
			p->behind++;
		p->n = p->behind > 0 ? p->room : p->cut;
	} else if (closed < p->n || closed == p->segment)
		p->n = closed;
	else if (p->n + has_slash <= p->room) {
		if (has_slash)
			p->text[p->n++] = '/';
	} else {
		p->cut = p->segment;
		p->behind = 1;
		p->n = p->room;
	}
	p->segment = p->n;
}

/* Puts the next one in, while it matters: three bytes tell "..". */
static void
add_byte(struct path *p, struct slice s, size_t *i)
{
	char	 unused[3];

	if (p->n < p->room + 3)
		p->n += put(p->text + p->n, s, i);
	else
		(void)put(unused, s, i);
}

/* Returns 0, or -1 where it does not fit: its beginning is there then. */
static int
set_path(struct weburl *u, struct slice s)
{
	struct path	 p = { .text = u->text, .n = u->host_len };
	size_t		 max = p.n + WEBURL_PATH_MAX, i = 0;

	/* the byte behind the limit tells whether a segment ends there */
	p.room = max + 1;
	p.text[p.n++] = '/';
	p.from = p.segment = p.n;
	if (s.len > 0 && s.p[0] == '/')
		i = 1;
	while (i < s.len && s.p[i] != '?')
		if (s.p[i] == '/' || s.p[i] == '\\') {
			end_segment(&p, true);
			i++;
		} else
			add_byte(&p, s, &i);
	end_segment(&p, false);
	if (i < s.len && p.n < p.room) {
		p.text[p.n++] = '?';
		for (i++; i < s.len && p.n < p.room;)
			add_byte(&p, s, &i);
	}
	u->is_cut = p.n > max;
	if (u->is_cut)
		p.n = p.room;
	/* "/" alone is the host */
	u->len = p.n == p.from ? u->host_len : p.n;
	return u->is_cut || s.len > WEBURL_PATH_MAX ? -1 : 0;
}

/* ---- what others call --------------------------------------------------- */

static bool
is_digits(struct slice s)
{
	return chars_span(s.p, s.len, CHARS_DIGIT) == s.len;
}

/* Cuts "scheme://" off, if it is there. */
static int
cut_scheme(struct weburl *u, struct slice *s)
{
	struct slice	 name = *s, rest;
	size_t		 i;

	name.len = chars_span(s->p, s->len < 32 ? s->len : 32, CHARS_TOKEN);
	if (name.len == 0 || name.len == s->len || s->p[name.len] != ':')
		return 0;
	rest.p = s->p + name.len + 1;
	rest.len = s->len - name.len - 1;
	if (rest.len >= 2 && rest.p[0] == '/' && rest.p[1] == '/') {
		u->scheme = name;
		s->p = rest.p + 2;
		s->len = rest.len - 2;
		return 0;
	}
	/* "http:/host" is one to a browser, to others a path, or a host http */
	for (i = 0; i < NSCHEMES; i++)
		if (slice_is_nocase(name, schemes[i].name) &&
		    (rest.len == 0 || !is_digits(rest)))
			return fail(u, "a URL without // before its host");
	return 0;
}

/* Cuts the authority off. */
static int
cut_authority(struct weburl *u, struct slice *s, struct slice *authority)
{
	const char	*at;
	size_t		 end;

	authority->p = s->p;
	authority->len = find_any(*s, "/?#");
	/* to browsers a backslash ends it, to others it belongs to a user */
	end = find_any(*authority, "\\");
	if (end < authority->len) {
		at = memrchr(authority->p, '@', authority->len);
		if (at != NULL && at > authority->p + end)
			return fail(u, "a URL with a backslash before an @");
		authority->len = end;
	}
	s->p += authority->len;
	s->len -= authority->len;
	return 0;
}

int
weburl_parse(struct weburl *u, struct slice target, struct slice host)
{
	memset(u, 0, offsetof(struct weburl, is_address));
	if (target.len == 0)
		return fail(u, "no URL to look for");
	if (target.p[0] == '/' || (target.len == 1 && target.p[0] == '*')) {
		/* it is a host and a port, and no list */
		if (find_any(host, "@/?#\\,") < host.len)
			return fail(u, "a Host field that is no host");
		if (target.p[0] == '*')
			target.len = 0;
	} else if (cut_scheme(u, &target) == -1 ||
	    cut_authority(u, &target, &host) == -1)
		return -1;
	if (set_authority(u, host) == -1)
		return -1;
	u->path = target;
	u->path.len = find_any(target, "#");
	u->len = u->host_len;
	if (u->path.len > 0 && set_path(u, u->path) == -1) {
		u->text[u->len] = '\0';
		return fail(u, "a URL that is too long");
	}
	u->text[u->len] = '\0';
	return 0;
}

static char *
add(char *dst, struct slice s)
{
	if (s.len > 0)
		memcpy(dst, s.p, s.len);
	return dst + s.len;
}

size_t
weburl_format(const struct weburl *u, enum weburl_form form, bool is_tunnel,
    char *dst)
{
	static const struct slice	 colon = { ":", 1 }, slash = { "/", 1 };
	static const struct slice	 slashes = { "://", 3 };
	struct slice			 scheme = { "http", 4 };
	struct slice			 host = { u->text, u->host_len };
	struct slice			 path = u->path;
	const char			*usual = "443";
	char				*p = dst;
	size_t				 i;

	if (u->scheme.len > 0)
		scheme = u->scheme;
	for (i = 0; i < NSCHEMES && !is_tunnel; i++)
		if (slice_is_nocase(scheme, schemes[i].name))
			usual = schemes[i].port;
	if (!is_tunnel)
		p = add(add(p, scheme), slashes);
	p = add(p, host);
	if (form == WEBURL_SENT && u->port.len > 0 &&
	    !slice_is(u->port, usual))
		p = add(add(p, colon), u->port);
	if (form == WEBURL_NORMAL) {
		path.p = u->text + u->host_len;
		path.len = u->len - u->host_len;
	}
	if (!is_tunnel && (path.len == 0 || path.p[0] != '/'))
		p = add(p, slash);
	if (!is_tunnel)
		p = add(p, path);
	*p = '\0';
	return (size_t)(p - dst);
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
