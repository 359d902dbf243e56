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
line_fill(struct line *l, const char *p)
{
	memcpy(l->p + l->len, p, l->max - l->len);
	l->len = l->max;
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

static const char	 pairs[] =
    "0001020304050607080910111213141516171819"
    "2021222324252627282930313233343536373839"
    "4041424344454647484950515253545556575859"
    "6061626364656667686970717273747576777879"
    "8081828384858687888990919293949596979899";

void
line_padded(struct line *l, uint64_t n, unsigned int width)
{
	char		 digits[20];
	unsigned int	 i = sizeof(digits);
	uint32_t	 small;

	/* most numbers are small, and 32 bits divide faster */
	if (n < 10 && width == 1) {
		if (l->len < l->max)
			l->p[l->len++] = (char)('0' + n);
		return;
	}
	for (; n > UINT32_MAX; n /= 10)
		digits[--i] = (char)('0' + n % 10);
	for (small = (uint32_t)n; small >= 100; small /= 100) {
		i -= 2;
		memcpy(digits + i, pairs + 2 * (small % 100), 2);
	}
	if (small >= 10) {
		i -= 2;
		memcpy(digits + i, pairs + 2 * small, 2);
	} else
		digits[--i] = (char)('0' + small);
	while (i > 0 && sizeof(digits) - i < width)
		digits[--i] = '0';
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

/*
 * 2006-01-02T15:04:05.  Not by strftime, which looks for the time zone each
 * time: system calls, and 20 KiB of memory that a worker would not have.
 */
static void
line_second(struct line *l, time_t second)
{
	struct tm	 tm;

	if (gmtime_r(&second, &tm) == NULL)
		return;
	line_padded(l, (uint64_t)tm.tm_year + 1900, 4);
	line_char(l, '-');
	line_padded(l, (uint64_t)tm.tm_mon + 1, 2);
	line_char(l, '-');
	line_padded(l, (uint64_t)tm.tm_mday, 2);
	line_char(l, 'T');
	line_padded(l, (uint64_t)tm.tm_hour, 2);
	line_char(l, ':');
	line_padded(l, (uint64_t)tm.tm_min, 2);
	line_char(l, ':');
	line_padded(l, (uint64_t)tm.tm_sec, 2);
}

void
line_time(struct line *l, int64_t us)
{
	static char		 text[24];	/* of that second */
	static struct line	 kept = { text, 0, sizeof(text) };
	static time_t		 second = -1;
	time_t			 now = (time_t)(us / 1000000);

	if (now != second) {
		kept.len = 0;
		line_second(&kept, now);
		second = now;
	}
	line_add(l, text, kept.len);
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

#define P8	1, 1, 1, 1, 1, 1, 1, 1

/* Bytes that stand for themselves: printable, but the quote and backslash. */
static const unsigned char plain[256] = {
	/* 0x00 */
	0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
	0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
	/* 0x20 */
	1, 1, 0, 1, 1, 1, 1, 1, P8, P8, P8,
	/* 0x40 */
	P8, P8, P8, 1, 1, 1, 1, 0, 1, 1, 1,
	/* 0x60 */
	P8, P8, P8, 1, 1, 1, 1, 1, 1, 1, 0,
};

#define ONES	UINT64_C(0x0101010101010101)
#define HIGH	UINT64_C(0x8080808080808080)

/* Has one of eight bytes the value v?  (Hacker's Delight 6-1) */
static uint64_t
has_byte(uint64_t w, unsigned char v)
{
	w ^= ONES * v;
	return (w - ONES) & ~w & HIGH;
}

/*
 * The number of plain bytes at p, in eights: below 0x20, from 0x7f on, and
 * the two that are escaped show in the high bits.  May stop early, never
 * late.
 */
static size_t
plain_span(const unsigned char *p, size_t len)
{
	size_t		 n;
	uint64_t	 w;

	for (n = 0; n + 8 <= len; n += 8) {
		memcpy(&w, p + n, 8);
		if ((((w - ONES * 0x20) | (w + ONES) | w) & HIGH) != 0 ||
		    has_byte(w, '"') != 0 || has_byte(w, '\\') != 0)
			break;
	}
	return n;
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
		run = p;
		p += plain_span(p, (size_t)(end - p));
		for (; p < end && plain[*p]; p++)
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
