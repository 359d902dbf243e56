/* SPDX-License-Identifier: ISC */
/*
 * Character classes and slices: the alphabet the parsers are written in.
 * Called by every module of proto/ and by services.  It must not depend on
 * the locale, so nothing of <ctype.h> is used here.
 */
#include "chars.h"

#define CTL	0
#define HT	(CHARS_TEXT | CHARS_BLANK)
#define SP	(CHARS_TEXT | CHARS_BLANK)
#define SEP	(CHARS_TEXT | CHARS_VISIBLE)
#define TOK	(CHARS_TEXT | CHARS_VISIBLE | CHARS_TOKEN)
#define DIG	(TOK | CHARS_DIGIT | CHARS_HEX)
#define HEX	(TOK | CHARS_HEX)
#define OBS	CHARS_TEXT
#define OBS16	OBS, OBS, OBS, OBS, OBS, OBS, OBS, OBS, \
		OBS, OBS, OBS, OBS, OBS, OBS, OBS, OBS

const unsigned char	 chars_classes[256] = {
	/* 0x00 */
	CTL, CTL, CTL, CTL, CTL, CTL, CTL, CTL,
	CTL, HT,  CTL, CTL, CTL, CTL, CTL, CTL,
	CTL, CTL, CTL, CTL, CTL, CTL, CTL, CTL,
	CTL, CTL, CTL, CTL, CTL, CTL, CTL, CTL,
	/* 0x20: SP ! " # $ % & '  ( ) * + , - . / */
	SP,  TOK, SEP, TOK, TOK, TOK, TOK, TOK,
	SEP, SEP, TOK, TOK, SEP, TOK, TOK, SEP,
	/* 0x30: 0-7  8 9 : ; < = > ? */
	DIG, DIG, DIG, DIG, DIG, DIG, DIG, DIG,
	DIG, DIG, SEP, SEP, SEP, SEP, SEP, SEP,
	/* 0x40: @ A-G  H-O */
	SEP, HEX, HEX, HEX, HEX, HEX, HEX, TOK,
	TOK, TOK, TOK, TOK, TOK, TOK, TOK, TOK,
	/* 0x50: P-W  X-Z [ \ ] ^ _ */
	TOK, TOK, TOK, TOK, TOK, TOK, TOK, TOK,
	TOK, TOK, TOK, SEP, SEP, SEP, TOK, TOK,
	/* 0x60: ` a-g  h-o */
	TOK, HEX, HEX, HEX, HEX, HEX, HEX, TOK,
	TOK, TOK, TOK, TOK, TOK, TOK, TOK, TOK,
	/* 0x70: p-w  x-z { | } ~ DEL */
	TOK, TOK, TOK, TOK, TOK, TOK, TOK, TOK,
	TOK, TOK, TOK, SEP, TOK, SEP, TOK, CTL,
	/* 0x80-0xff */
	OBS16, OBS16, OBS16, OBS16, OBS16, OBS16, OBS16, OBS16
};

/* The same byte eight times. */
#define EIGHT(byte)	(UINT64_C(0x0101010101010101) * (byte))

/*
 * Are the eight bytes at p neither below `low` nor DEL, and have no bit of
 * `not`?  It may say no where it is yes, but not the other way round.
 */
static inline bool
chars_are_eight(const char *p, unsigned char low, unsigned char not)
{
	uint64_t	 x, del;

	memcpy(&x, p, sizeof(x));
	del = x ^ EIGHT(0x7f);
	/* a borrow out of a byte sets its top bit, and maybe more */
	return ((((x - EIGHT(low)) & ~x) | ((del - EIGHT(0x01)) & ~del)) &
	    EIGHT(0x80)) == 0 && (x & EIGHT(not)) == 0;
}

/* Leading bytes of p, at least 8, that are such; may stop early, as above. */
static inline size_t
chars_span_eights(const char *p, size_t len, unsigned char low,
    unsigned char not)
{
	size_t	 i;

	for (i = 0; i + 8 <= len; i += 8)
		if (!chars_are_eight(p + i, low, not))
			return i;
	/* the last ones together with some that were looked at */
	return chars_are_eight(p + len - 8, low, not) ? len : i;
}

size_t
chars_span_text(const char *p, size_t len)
{
	return chars_span_eights(p, len, 0x20, 0);
}

size_t
chars_span_visible(const char *p, size_t len)
{
	return chars_span_eights(p, len, 0x21, 0x80);
}

size_t
chars_utf8(const char *p, size_t len)
{
	const unsigned char	*u = (const unsigned char *)p;
	unsigned long		 c;
	size_t			 n, i;

	if (len == 0)
		return 0;
	if (u[0] < 0x80)
		return 1;
	if (u[0] < 0xc2 || u[0] > 0xf4)
		return 0;
	n = u[0] < 0xe0 ? 2 : u[0] < 0xf0 ? 3 : 4;
	if (len < n)
		return 0;
	c = u[0] & (0x7fu >> n);
	for (i = 1; i < n; i++) {
		if ((u[i] & 0xc0) != 0x80)
			return 0;
		c = c << 6 | (u[i] & 0x3fu);
	}
	/* no longer than need be, no surrogates, not above U+10FFFF */
	if ((n == 3 && c < 0x800) || (n == 4 && c < 0x10000) ||
	    (c >= 0xd800 && c <= 0xdfff) || c > 0x10ffff)
		return 0;
	return n;
}

int
chars_hex(unsigned char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

int
chars_parse_uint(struct slice s, uint64_t max, uint64_t *number)
{
	uint64_t	 n = 0;
	unsigned int	 digit;
	size_t		 i;

	if (s.len == 0)
		return -1;
	for (i = 0; i < s.len; i++) {
		if (s.p[i] < '0' || s.p[i] > '9')
			return -1;
		digit = (unsigned int)(s.p[i] - '0');
		if (digit > max || n > (max - digit) / 10)
			return -1;
		n = n * 10 + digit;
	}
	*number = n;
	return 0;
}

bool
slice_next(struct slice *list, struct slice *element)
{
	bool	 quoted;
	size_t	 i;

	while (list->len > 0) {
		quoted = false;
		for (i = 0; i < list->len; i++) {
			if (quoted && list->p[i] == '\\' && i + 1 < list->len)
				i++;
			else if (list->p[i] == '"')
				quoted = !quoted;
			else if (list->p[i] == ',' && !quoted)
				break;
		}
		element->p = list->p;
		element->len = i;
		*element = slice_trim(*element);
		if (i < list->len)
			i++;
		list->p += i;
		list->len -= i;
		if (element->len > 0)
			return true;
	}
	return false;
}

bool
slice_list_has(struct slice list, const char *is)
{
	struct slice	 element;

	while (slice_next(&list, &element))
		if (slice_is_nocase(element, is))
			return true;
	return false;
}

void
chars_clean(char *text, size_t size, char keep)
{
	unsigned char	*p = (unsigned char *)text;

	for (text[size - 1] = '\0'; *p != '\0'; p++)
		if ((*p < 0x20 && *p != (unsigned char)keep) || *p == 0x7f)
			*p = '?';
}
