/* SPDX-License-Identifier: ISC */
/*
 * Undoes base64 and quoted-printable (RFC 2045 6.7, 6.8) of a part, for the
 * file behind it to be scanned.  Called by clamav.c with the part in pieces,
 * cut anywhere.  It must not be lenient: who reads the part has a decoder that
 * skips, stops at, or makes something of what should not be there, and has
 * another file then.  So it takes only what comes out the same everywhere,
 * which is what encoders write, and calls all else odd.  It must never guess,
 * nor go on behind what is odd, nor learn to take more for some client's sake.
 */
#include <string.h>

#include "clamav.h"

/* Longest line of quoted-printable without its end (6.7, rule 5), bytes. */
#define QUOTED_LINE	76

/* That a byte is one of base64's; its value is below. */
#define IS		0x40u

static const unsigned char	 alphabet[256] = {
	['A'] = IS | 0, ['B'] = IS | 1, ['C'] = IS | 2, ['D'] = IS | 3,
	['E'] = IS | 4, ['F'] = IS | 5, ['G'] = IS | 6, ['H'] = IS | 7,
	['I'] = IS | 8, ['J'] = IS | 9, ['K'] = IS | 10, ['L'] = IS | 11,
	['M'] = IS | 12, ['N'] = IS | 13, ['O'] = IS | 14, ['P'] = IS | 15,
	['Q'] = IS | 16, ['R'] = IS | 17, ['S'] = IS | 18, ['T'] = IS | 19,
	['U'] = IS | 20, ['V'] = IS | 21, ['W'] = IS | 22, ['X'] = IS | 23,
	['Y'] = IS | 24, ['Z'] = IS | 25, ['a'] = IS | 26, ['b'] = IS | 27,
	['c'] = IS | 28, ['d'] = IS | 29, ['e'] = IS | 30, ['f'] = IS | 31,
	['g'] = IS | 32, ['h'] = IS | 33, ['i'] = IS | 34, ['j'] = IS | 35,
	['k'] = IS | 36, ['l'] = IS | 37, ['m'] = IS | 38, ['n'] = IS | 39,
	['o'] = IS | 40, ['p'] = IS | 41, ['q'] = IS | 42, ['r'] = IS | 43,
	['s'] = IS | 44, ['t'] = IS | 45, ['u'] = IS | 46, ['v'] = IS | 47,
	['w'] = IS | 48, ['x'] = IS | 49, ['y'] = IS | 50, ['z'] = IS | 51,
	['0'] = IS | 52, ['1'] = IS | 53, ['2'] = IS | 54, ['3'] = IS | 55,
	['4'] = IS | 56, ['5'] = IS | 57, ['6'] = IS | 58, ['7'] = IS | 59,
	['8'] = IS | 60, ['9'] = IS | 61, ['+'] = IS | 62, ['/'] = IS | 63,
};

/* What a piece may end behind. */
enum {
	TEXT,				/* nothing that needs more */
	CR,				/* of a line end */
	EQUALS,
	DIGIT,				/* "=" and one digit */
	SOFT_CR				/* "=" and a CR */
};

void
clamav_decode_init(struct clamav_decoder *d, enum clamav_coding coding,
    bool is_lf, bool to_lf)
{
	memset(d, 0, sizeof(*d));
	d->coding = coding;
	d->is_lf = is_lf;
	d->to_lf = to_lf;
}

/* ---- base64 ------------------------------------------------------------- */

/* A digit; the fourth makes three bytes. */
static size_t
base64_digit(struct clamav_decoder *d, unsigned char value, char *dst)
{
	if (d->is_ended || d->npad > 0) {
		d->is_odd = true;
		return 0;
	}
	d->bits = d->bits << 6 | (value & ~IS);
	if (++d->ndigits < 4)
		return 0;
	dst[0] = (char)(d->bits >> 16);
	dst[1] = (char)(d->bits >> 8);
	dst[2] = (char)d->bits;
	d->bits = d->ndigits = 0;
	return 3;
}

/* "=": in place of the last two digits or one, whose bits then are 0. */
static size_t
base64_pad(struct clamav_decoder *d, char *dst)
{
	size_t	 n = 0;

	d->npad++;
	if (d->is_ended || d->ndigits < 2) {
		d->is_odd = true;
		return 0;
	}
	if (d->ndigits + d->npad < 4)
		return 0;
	d->bits <<= 6 * d->npad;
	if ((d->bits & (d->npad == 2 ? 0xffffu : 0xffu)) != 0)
		d->is_odd = true;
	dst[n++] = (char)(d->bits >> 16);
	if (d->npad == 1)
		dst[n++] = (char)(d->bits >> 8);
	d->is_ended = true;
	d->ndigits = 0;
	return n;
}

/*
 * A line has whole fours, for those who decode line by line, and behind an
 * empty one there are no more, for those who take that for the end.
 */
static void
base64_line(struct clamav_decoder *d)
{
	if (d->ndigits > 0)
		d->is_odd = true;
	if (d->column == 0)
		d->is_ended = true;
	d->column = 0;
	d->state = TEXT;
}

static size_t
base64_byte(struct clamav_decoder *d, unsigned char c, char *dst)
{
	if (c == '\n') {
		base64_line(d);
		return 0;
	}
	if (d->state == CR) {
		d->is_odd = true;
		return 0;
	}
	if (c == '\r') {
		d->state = CR;
		return 0;
	}
	d->column++;
	if (c == '=')
		return base64_pad(d, dst);
	if (alphabet[c] == 0) {
		d->is_odd = true;
		return 0;
	}
	return base64_digit(d, alphabet[c], dst);
}

/* Whole fours at once: all of a line but its end.  Returns their bytes. */
static size_t
base64_fours(struct clamav_decoder *d, const unsigned char **p, size_t len,
    char *dst)
{
	const unsigned char	*s = *p, *end = s + len;
	unsigned char		 a, b, c, e;
	size_t			 n = 0;

	for (; end - s >= 4; s += 4, n += 3) {
		a = alphabet[s[0]];
		b = alphabet[s[1]];
		c = alphabet[s[2]];
		e = alphabet[s[3]];
		if ((a & b & c & e & IS) == 0)
			break;
		dst[n] = (char)(a << 2 | (b & 0x30) >> 4);
		dst[n + 1] = (char)(b << 4 | (c & 0x3c) >> 2);
		dst[n + 2] = (char)(c << 6 | (e & 0x3f));
	}
	d->column += (size_t)(s - *p);
	*p = s;
	return n;
}

static size_t
base64_add(struct clamav_decoder *d, const unsigned char *p, size_t len,
    char *dst)
{
	const unsigned char	*end = p + len;
	size_t			 n = 0;

	while (p < end && !d->is_odd) {
		if (d->state == TEXT && d->ndigits == 0 && !d->is_ended)
			n += base64_fours(d, &p, (size_t)(end - p), dst + n);
		if (p < end)
			n += base64_byte(d, *p++, dst + n);
	}
	return n;
}

/* ---- quoted-printable --------------------------------------------------- */

/*
 * The end of a line, which has no blanks before it (6.7, rule 3); what it is
 * in a file is for its reader to say, so both are asked for.
 */
static size_t
quoted_line(struct clamav_decoder *d, char *dst)
{
	size_t	 n = 0;

	if (d->is_blank)
		d->is_odd = true;
	d->state = TEXT;
	d->column = 0;
	d->has_lines = true;
	if (!d->to_lf)
		dst[n++] = '\r';
	dst[n++] = '\n';
	return n;
}

/* Capitals only: small ones are for some no digits (6.7, rule 1). */
static int
quoted_digit(unsigned char c)
{
	return c >= 'a' && c <= 'f' ? -1 : chars_hex(c);
}

/* Behind "=": two digits, or the end of a line that goes on. */
static size_t
quoted_equals(struct clamav_decoder *d, unsigned char c, char *dst)
{
	int	 digit = quoted_digit(c);

	if (d->state == DIGIT && digit != -1) {
		*dst = (char)(d->bits << 4 | (unsigned int)digit);
		d->state = TEXT;
		d->column++;
		return 1;
	}
	if (d->state == EQUALS && digit != -1) {
		d->bits = (unsigned int)digit;
		d->state = DIGIT;
		d->column++;
	} else if (d->state == EQUALS && c == '\r' && !d->is_lf)
		d->state = SOFT_CR;
	else if (c == '\n' && d->state == (d->is_lf ? EQUALS : SOFT_CR)) {
		d->state = TEXT;
		d->column = 0;
	} else
		d->is_odd = true;
	return 0;
}

/* Bytes for themselves, and what begins something else. */
static size_t
quoted_text(struct clamav_decoder *d, unsigned char c, char *dst)
{
	if (c == '\n' && d->is_lf)
		return quoted_line(d, dst);
	if (c == '\r' && !d->is_lf) {
		d->state = CR;
		return 0;
	}
	d->column++;
	d->is_blank = c == ' ' || c == '\t';
	if (c == '=') {
		d->state = EQUALS;
		return 0;
	}
	if (!d->is_blank && (c < 0x21 || c > 0x7e)) {
		d->is_odd = true;
		return 0;
	}
	*dst = (char)c;
	return 1;
}

static size_t
quoted_byte(struct clamav_decoder *d, unsigned char c, char *dst)
{
	size_t	 n = 0;

	if (d->state == TEXT)
		n = quoted_text(d, c, dst);
	else if (d->state != CR)
		n = quoted_equals(d, c, dst);
	else if (c == '\n')
		n = quoted_line(d, dst);
	else
		d->is_odd = true;
	if (d->column > QUOTED_LINE)
		d->is_odd = true;
	return n;
}

/* ---- both --------------------------------------------------------------- */

size_t
clamav_decode_add(struct clamav_decoder *d, const char *p, size_t len,
    char *dst)
{
	const unsigned char	*s = (const unsigned char *)p;
	size_t			 i, n = 0;

	if (d->coding == CLAMAV_BASE64)
		return base64_add(d, s, len, dst);
	for (i = 0; i < len && !d->is_odd; i++)
		n += quoted_byte(d, s[i], dst + n);
	return n;
}

bool
clamav_decode_end(const struct clamav_decoder *d)
{
	return !d->is_odd && d->state == TEXT && d->ndigits == 0 &&
	    !d->is_blank;
}
