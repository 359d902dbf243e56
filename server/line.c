/* SPDX-License-Identifier: ISC */
/*
 * Composing one line of a log: numbers, times, and bytes from the wire that
 * must not be able to end the line, end the string they stand in, or talk to
 * a terminal.  Called by record.c, log.c, metrics.c.  It is on the way of
 * each transaction: no printf, no allocation.
 */
#include <endian.h>

#include "line.h"

#define TIME_DOT	20	/* bytes of a time up to its seconds' dot */
#define SECOND_MAX	INT64_C(253402300799)	/* end of the year 9999 */
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

/* Four digits, zeros before the number. */
static char *
put_four(char *d, unsigned int n)
{
	memcpy(d, pairs + 2 * (n / 100), 2);
	memcpy(d + 2, pairs + 2 * (n % 100), 2);
	return d + 4;
}

char *
put_uint(char *d, uint64_t n)
{
	if (n >= 10000)
		return put_four(put_uint(d, n / 10000),
		    (unsigned int)(n % 10000));
	if (n >= 1000)
		return put_four(d, (unsigned int)n);
	if (n >= 100) {
		*d++ = (char)('0' + n / 100);
		n %= 100;
	} else if (n < 10) {
		*d++ = (char)('0' + n);
		return d;
	}
	memcpy(d, pairs + 2 * n, 2);
	return d + 2;
}

void
line_uint(struct line *l, uint64_t n)
{
	char	 digits[PUT_UINT];

	line_add(l, digits, (size_t)(put_uint(digits, n) - digits));
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

#define ONES	UINT64_C(0x0101010101010101)
#define HIGH	UINT64_C(0x8080808080808080)

/* Eight digits at once: a digit a byte, then those above 9 moved to 'a'. */
static char *
put_hex_half(char *d, uint32_t n)
{
	uint64_t	 w = n, above;

	w = (w << 16 | w) & UINT64_C(0x0000ffff0000ffff);
	w = (w << 8 | w) & UINT64_C(0x00ff00ff00ff00ff);
	w = (w << 4 | w) & UINT64_C(0x0f0f0f0f0f0f0f0f);
	above = (w + ONES * 6) >> 4 & ONES;
	w = htobe64(w + ONES * '0' + above * ('a' - '9' - 1));
	memcpy(d, &w, sizeof(w));
	return d + sizeof(w);
}

char *
put_hex(char *d, uint64_t n)
{
	return put_hex_half(put_hex_half(d, (uint32_t)(n >> 32)), (uint32_t)n);
}

void
line_hex(struct line *l, uint64_t n)
{
	char	 digits[16];

	line_add(l, digits, (size_t)(put_hex(digits, n) - digits));
}

/*
 * 2006-01-02T15:04:05. of a second since 1970.  By hand, for gmtime_r and
 * strftime look for the time zone: system calls, and memory of each worker.
 * A year begins with March here, so that its odd day is the last.
 */
static void
put_second(char *d, int64_t second)
{
	unsigned int	 of_day = (unsigned int)(second % 86400);
	unsigned int	 day = (unsigned int)(second / 86400) + 719468;
	unsigned int	 era = day / 146097, year, month;

	day %= 146097;
	year = (day - day / 1460 + day / 36524 - day / 146096) / 365;
	day -= 365 * year + year / 4 - year / 100;
	month = (5 * day + 2) / 153;
	day -= (153 * month + 2) / 5;
	month = month < 10 ? month + 3 : month - 9;
	d = put_four(d, year + era * 400 + (month <= 2));
	*d++ = '-';
	d = put_bytes(d, pairs + 2 * month, 2);
	*d++ = '-';
	d = put_bytes(d, pairs + 2 * (day + 1), 2);
	*d++ = 'T';
	d = put_bytes(d, pairs + 2 * (of_day / 3600), 2);
	*d++ = ':';
	d = put_bytes(d, pairs + 2 * (of_day / 60 % 60), 2);
	*d++ = ':';
	d = put_bytes(d, pairs + 2 * (of_day % 60), 2);
	*d = '.';
}

char *
put_time(char *d, int64_t us)
{
	static char	 text[TIME_DOT];	/* of that second */
	static int64_t	 second = -1;
	int64_t		 now;
	unsigned int	 ms;

	/* four digits for the year */
	if (us < 0 || us / 1000000 > SECOND_MAX)
		us = 0;
	now = us / 1000000;
	ms = (unsigned int)(us % 1000000) / 1000;
	if (now != second) {
		put_second(text, now);
		second = now;
	}
	d = put_bytes(d, text, TIME_DOT);
	*d++ = (char)('0' + ms / 100);
	d = put_bytes(d, pairs + 2 * (ms % 100), 2);
	*d++ = 'Z';
	return d;
}

void
line_time(struct line *l, int64_t us)
{
	char	 text[PUT_TIME];

	line_add(l, text, (size_t)(put_time(text, us) - text));
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

/* Has one of eight bytes the value v?  (Hacker's Delight 6-1) */
static inline uint64_t
has_byte(uint64_t w, unsigned char v)
{
	w ^= ONES * v;
	return (w - ONES) & ~w & HIGH;
}

/*
 * Are the eight bytes at p plain?  Those below 0x20 and from 0x7f on, and the
 * two that are escaped, show in the high bits.  May say no in vain, never yes.
 */
static inline bool
is_plain_word(uint64_t w)
{
	return (((w - ONES * 0x20) | (w + ONES) | w) & HIGH) == 0 &&
	    has_byte(w, '"') == 0 && has_byte(w, '\\') == 0;
}

/*
 * Copies plain bytes as long as there are any, in eights as far as that goes.
 * Returns how many.
 */
static size_t
put_plain(char *d, const unsigned char *p, size_t len)
{
	size_t		 n;
	uint64_t	 w;

	for (n = 0; n + 8 <= len; n += 8) {
		memcpy(&w, p + n, 8);
		if (!is_plain_word(w))
			break;
		memcpy(d + n, &w, 8);
	}
	for (; n < len && plain[p[n]]; n++)
		d[n] = (char)p[n];
	return n;
}

static void
line_wire(struct line *l, struct slice s, size_t cut,
    size_t (*escape)(const unsigned char *, size_t, char *, size_t *))
{
	const unsigned char	*p = (const unsigned char *)s.p;
	const unsigned char	*end;
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
		n = (size_t)(end - p) < limit - l->len ?
		    (size_t)(end - p) : limit - l->len;
		n = put_plain(l->p + l->len, p, n);
		if (n > 0 && l->len < soft)
			safe = l->len + n < soft ? l->len + n : soft;
		l->len += n;
		if ((p += n) == end)
			return;
		if (plain[*p])
			goto cut;
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

/*
 * Most values are short and plain: those are checked and copied in words of
 * eight bytes or less, of which the last two may overlap.
 */
static inline bool
line_plain(struct line *l, struct slice s, size_t cut)
{
	const char	*p = s.p;
	char		*d = l->p + l->len;
	size_t		 len = s.len, n;
	uint64_t	 w;
	uint32_t	 first, last;

	if (len > cut || len > l->max - l->len)
		return false;
	if (len >= 8) {
		for (n = 0; n + 8 < len; n += 8) {
			memcpy(&w, p + n, 8);
			if (!is_plain_word(w))
				return false;
			memcpy(d + n, &w, 8);
		}
		memcpy(&w, p + len - 8, 8);
		if (!is_plain_word(w))
			return false;
		memcpy(d + len - 8, &w, 8);
	} else if (len >= 4) {
		memcpy(&first, p, 4);
		memcpy(&last, p + len - 4, 4);
		if (!is_plain_word((uint64_t)first << 32 | last))
			return false;
		memcpy(d, &first, 4);
		memcpy(d + len - 4, &last, 4);
	} else {
		for (n = 0; n < len; n++) {
			if (!plain[(unsigned char)p[n]])
				return false;
			d[n] = p[n];
		}
	}
	l->len += len;
	return true;
}

void
line_json(struct line *l, struct slice s, size_t cut)
{
	if (!line_plain(l, s, cut))
		line_wire(l, s, cut, json_char);
}

void
line_escape(struct line *l, struct slice s, size_t cut)
{
	if (!line_plain(l, s, cut))
		line_wire(l, s, cut, text_char);
}

static bool
line_is_cut(const struct line *l)
{
	return l->len >= 3 && memcmp(l->p + l->len - 3, "...", 3) == 0;
}

void
line_word(struct line *l, struct slice s, size_t cut)
{
	const char	*blank;
	size_t		 limit, n;

	limit = cut < l->max - l->len ? l->len + cut : l->max;
	if (limit < l->len + 3)
		return;
	while (s.len > 0 && (blank = memchr(s.p, ' ', s.len)) != NULL) {
		/* the last three are kept for the mark of a cut */
		n = (size_t)(blank - s.p);
		line_escape(l, (struct slice){ s.p, n }, limit - 3 - l->len);
		if (limit - l->len < strlen("\\x20...")) {
			if (!line_is_cut(l))
				line_lit(l, "...");
			return;
		}
		line_lit(l, "\\x20");
		s.p += n + 1;
		s.len -= n + 1;
	}
	line_escape(l, s, limit - l->len);
}
