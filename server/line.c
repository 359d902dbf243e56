/* SPDX-License-Identifier: ISC */
/*
 * Composing one line of a log: numbers, times, and bytes from the wire that
 * must not be able to end the line, end the string they stand in, or talk to
 * a terminal.  Called by record.c, log.c, metrics.c.  It is on the way of
 * each transaction: no printf, no allocation.
 */
#include <time.h>

#include "line.h"

#define ESCAPE_MAX	12	/* longest escape: a surrogate pair */

void
line_init(struct line *l, char *p, size_t max)
{
	l->p = p;
	l->len = 0;
	l->max = max;
}

void
line_text(struct line *l, const char *text)
{
	line_add(l, text, strlen(text));
}

void
line_char(struct line *l, char c)
{
	line_add(l, &c, 1);
}

void
line_padded(struct line *l, uint64_t n, unsigned int width)
{
	char		 digits[20];
	unsigned int	 i = sizeof(digits);

	do {
		digits[--i] = (char)('0' + n % 10);
		n /= 10;
	} while (n > 0 || (i > 0 && sizeof(digits) - i < width));
	line_add(l, digits + i, sizeof(digits) - i);
}

void
line_uint(struct line *l, uint64_t n)
{
	line_padded(l, n, 1);
}

void
line_int(struct line *l, int64_t n)
{
	if (n < 0) {
		line_char(l, '-');
		line_uint(l, (uint64_t)0 - (uint64_t)n);
	} else
		line_uint(l, (uint64_t)n);
}

static const char	 hex[] = "0123456789abcdef";

void
line_hex(struct line *l, uint64_t n)
{
	char		 digits[16];
	unsigned int	 i;

	for (i = 16; i-- > 0; n >>= 4)
		digits[i] = hex[n & 15];
	line_add(l, digits, sizeof(digits));
}

void
line_time(struct line *l, int64_t us)
{
	static char	 text[24];	/* of that second */
	static time_t	 second = -1;
	static size_t	 len;
	struct tm	 tm;
	time_t		 now = (time_t)(us / 1000000);

	if (now != second) {
		if (gmtime_r(&now, &tm) == NULL)
			return;
		len = strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &tm);
		second = now;
	}
	line_add(l, text, len);
	line_char(l, '.');
	line_padded(l, (uint64_t)(us % 1000000) / 1000, 3);
	line_char(l, 'Z');
}

/*
 * The character that begins at p, RFC 3629 4.  Returns its length, or 0 when
 * the bytes are not valid UTF-8.
 */
static size_t
utf8_parse(const unsigned char *p, size_t len, uint32_t *c)
{
	size_t		 n, i;
	uint32_t	 min;

	if (p[0] >= 0xc2 && p[0] <= 0xdf) {
		n = 2;
		min = 0x80;
		*c = p[0] & 0x1fu;
	} else if ((p[0] & 0xf0) == 0xe0) {
		n = 3;
		min = 0x800;
		*c = p[0] & 0x0fu;
	} else if (p[0] >= 0xf0 && p[0] <= 0xf4) {
		n = 4;
		min = 0x10000;
		*c = p[0] & 0x07u;
	} else
		return 0;
	if (len < n)
		return 0;
	for (i = 1; i < n; i++) {
		if ((p[i] & 0xc0) != 0x80)
			return 0;
		*c = *c << 6 | (p[i] & 0x3fu);
	}
	if (*c < min || *c > 0x10ffff || (*c >= 0xd800 && *c <= 0xdfff))
		return 0;
	return n;
}

static char *
put_u(char *p, uint32_t c)
{
	*p++ = '\\';
	*p++ = 'u';
	*p++ = hex[c >> 12 & 15];
	*p++ = hex[c >> 8 & 15];
	*p++ = hex[c >> 4 & 15];
	*p++ = hex[c & 15];
	return p;
}

static char *
put_x(char *p, unsigned char c)
{
	*p++ = '\\';
	*p++ = 'x';
	*p++ = hex[c >> 4];
	*p++ = hex[c & 15];
	return p;
}

/* One character at p into dst.  Returns how many bytes it took. */
static size_t
json_char(const unsigned char *p, size_t len, char *dst, size_t *n)
{
	char		*d = dst;
	uint32_t	 c;
	size_t		 used = 1;

	if (*p == '"' || *p == '\\') {
		*d++ = '\\';
		*d++ = (char)*p;
	} else if (*p < 0x80) {
		d = put_u(d, *p);
	} else if ((used = utf8_parse(p, len, &c)) == 0) {
		*d++ = '\\';
		d = put_x(d, *p);
		used = 1;
	} else if (c >= 0x10000) {
		c -= 0x10000;
		d = put_u(d, 0xd800 | c >> 10);
		d = put_u(d, 0xdc00 | (c & 0x3ff));
	} else
		d = put_u(d, c);
	*n = (size_t)(d - dst);
	return used;
}

static size_t
text_char(const unsigned char *p, size_t len, char *dst, size_t *n)
{
	(void)len;
	if (*p == '"' || *p == '\\') {
		dst[0] = '\\';
		dst[1] = (char)*p;
		*n = 2;
	} else
		*n = (size_t)(put_x(dst, *p) - dst);
	return 1;
}

static bool
is_plain(unsigned char c)
{
	return c >= 0x20 && c < 0x7f && c != '"' && c != '\\';
}

static void
line_wire(struct line *l, struct slice s, size_t cut,
    size_t (*escape)(const unsigned char *, size_t, char *, size_t *))
{
	const unsigned char	*p = (const unsigned char *)s.p;
	const unsigned char	*end, *run;
	size_t			 limit, soft;	/* the latter without "..." */
	size_t			 safe, n, used;
	char			 c[ESCAPE_MAX];

	limit = cut < l->max - l->len ? l->len + cut : l->max;
	if (s.len == 0 || limit < l->len + 3)
		return;
	end = p + s.len;
	soft = limit - 3;
	safe = l->len;
	while (p < end) {
		for (run = p; p < end && is_plain(*p); p++)
			;
		n = (size_t)(p - run);
		if (n > limit - l->len)
			n = limit - l->len;
		if (n > 0 && l->len < soft)
			safe = l->len + n < soft ? l->len + n : soft;
		line_add(l, (const char *)run, n);
		if (run + n < p)
			goto cut;
		if (p == end)
			return;
		used = escape(p, (size_t)(end - p), c, &n);
		if (n > limit - l->len)
			goto cut;
		line_add(l, c, n);
		if (l->len <= soft)
			safe = l->len;
		p += used;
	}
	return;

cut:
	l->len = safe;
	line_lit(l, "...");
}

void
line_json(struct line *l, struct slice s, size_t cut)
{
	line_wire(l, s, cut, json_char);
}

void
line_escape(struct line *l, struct slice s, size_t cut)
{
	line_wire(l, s, cut, text_char);
}
