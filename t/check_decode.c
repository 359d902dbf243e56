/* SPDX-License-Identifier: ISC */
/*
 * base64 and quoted-printable as clamav undoes them: what all readers take for
 * the same comes out, wherever it is cut, and whatever one of them may see
 * otherwise is odd.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../services/clamav.h"
#include "unit.h"

/* Decodes it in steps of so many bytes.  NULL: it is odd. */
static const char *
decode(struct clamav_decoder *d, struct slice s, size_t step)
{
	static struct text	 out;
	char			*dst, *piece;
	size_t			 len, n;

	memset(&out, 0, sizeof(out));
	while (s.len > 0) {
		len = s.len < step ? s.len : step;
		/* as large as they may be, so that ASan sees more */
		dst = malloc(CLAMAV_DECODE_ROOM(len));
		piece = malloc(len);
		ck_assert(dst != NULL && piece != NULL);
		memcpy(piece, s.p, len);
		n = clamav_decode_add(d, piece, len, dst);
		ck_assert(n <= CLAMAV_DECODE_ROOM(len));
		text_addf(&out, "%.*s", (int)n, dst);
		free(dst);
		free(piece);
		s.p += len;
		s.len -= len;
	}
	return clamav_decode_end(d) ? out.s : NULL;
}

/* The same in one piece, and in any steps. */
static void
check(enum clamav_coding coding, bool is_lf, bool to_lf, const char *coded,
    const char *want)
{
	struct clamav_decoder	 d;
	struct slice		 s = unit_slice(coded);
	const char		*got;
	size_t			 step;

	for (step = 1; step <= s.len + 1; step++) {
		clamav_decode_init(&d, coding, is_lf, to_lf);
		got = decode(&d, s, step);
		if (want == NULL)
			ck_assert_msg(got == NULL, "%s: %s", coded, got);
		else {
			ck_assert_msg(got != NULL, "%s: odd", coded);
			ck_assert_str_eq(got, want);
		}
	}
}

/* NULL: it is odd. */
static const struct {
	const char	*coded;
	const char	*plain;
} base64[] = {
	{ "", "" },
	{ "aGVsbG8=", "hello" },
	{ "aGVsbG8h", "hello!" },
	{ "aGVsbA==", "hell" },
	{ "aGVs\r\nbG8h\r\n", "hello!" },
	{ "aGVs\nbG8=\n\n", "hello" },
	{ "aGVsbG8=\r\n\r\n\r\n", "hello" },
	{ "aGVsbG8h\r\n\r\n\r\n", "hello!" },
	{ "aGVsbG8haGVsbG8haGVsbG8haGVsbG8haGVsbG8haGVsbG8haGVsbG8haGVsbG8h"
	    "aGVsbG8haGVsbG8h\r\naGVsbG8=", "hello!hello!hello!hello!hello!"
	    "hello!hello!hello!hello!hello!hello" },
	/* padding: none, too little, too much, in the middle, bits below it */
	{ "aGVsbG8", NULL },
	{ "aGVsbA", NULL },
	{ "aGVsbA=", NULL },
	{ "aGVsbA=\r\n=", NULL },
	{ "aGVsbA==\r\n=", NULL },
	{ "aGVsbG8h=", NULL },
	{ "aGVsbG8h====", NULL },
	{ "aGVsbG8==", NULL },
	{ "aGVsbA===", NULL },
	{ "a===", NULL },
	{ "=", NULL },
	{ "aGVsbG8=aGVs", NULL },
	{ "aGVsbG8=\r\naGVs", NULL },
	{ "aGVsbA==aGVs", NULL },
	{ "aGVsbA=a", NULL },
	{ "aGVsbG9=", NULL },
	{ "aGVsbB==", NULL },
	/* what is no digit */
	{ "aGVs bG8h", NULL },
	{ "aGVs\tbG8h", NULL },
	{ " aGVsbG8h", NULL },
	{ "aGVsbG8h ", NULL },
	{ "aGVs-_8h", NULL },
	{ "aGVs!bG8h", NULL },
	{ "aGVs\303\244bG8h", NULL },
	{ "aGVsbG8=\r\n.", NULL },
	{ "aGVsbG8=\r\n-- \r\nfoot", NULL },
	/* lines: of no whole fours, empty ones, with CR alone */
	{ "aGVsb\r\nG8h", NULL },
	{ "aG\r\nVsbG8h", NULL },
	{ "aGVs\r\n\r\nbG8h", NULL },
	{ "aGVs\n\nbG8h", NULL },
	{ "\r\naGVs", NULL },
	{ "aGVs\rbG8h", NULL },
	{ "aGVs\r", NULL },
	{ "aGVs\r\r\nbG8h", NULL },
	{ "aGVs\r\nbG8h\r\n\r\naGVs", NULL },
};

START_TEST(base64_is_undone)
{
	check(CLAMAV_BASE64, false, false, base64[_i].coded,
	    base64[_i].plain);
	check(CLAMAV_BASE64, true, true, base64[_i].coded, base64[_i].plain);
}
END_TEST

static const struct {
	const char	*coded;
	const char	*plain;
} quoted[] = {
	{ "", "" },
	{ "hello", "hello" },
	{ "a b\tc !\"<>~", "a b\tc !\"<>~" },
	{ "=41=7E=3D=C3=A4", "A~=\303\244" },
	{ "a=\r\nb=\r\nc", "abc" },
	{ "a =\r\n b", "a  b" },
	{ "a=20\r\nb=09\r\n", "a \r\nb\t\r\n" },
	{ "a\r\n\r\nb", "a\r\n\r\nb" },
	{ "\r\na", "\r\na" },
	{ "=\r\n\r\n", "\r\n" },
	{ "=0D=0A", "\r\n" },
	{ "1234567890123456789012345678901234567890123456789012345678901234567"
	    "890123456=\r\n", NULL },
	{ "123456789012345678901234567890123456789012345678901234567890123456"
	    "789012345=\r\n7", "123456789012345678901234567890123456789012345"
	    "6789012345678901234567890123457" },
	{ "1234567890123456789012345678901234567890123456789012345678901234567"
	    "890123456\r\n7", "1234567890123456789012345678901234567890123456"
	    "789012345678901234567890123456\r\n7" },
	{ "1234567890123456789012345678901234567890123456789012345678901234567"
	    "8901234567", NULL },
	/* digits */
	{ "=c3", NULL },
	{ "=Ab", NULL },
	{ "=4", NULL },
	{ "=4G", NULL },
	{ "=G4", NULL },
	{ "==", NULL },
	{ "=", NULL },
	{ "a=\r\n=", NULL },
	{ "= 41", NULL },
	{ "=4\r\n1", NULL },
	/* blanks before the end of a line */
	{ "a \r\nb", NULL },
	{ "a\t\r\nb", NULL },
	{ " ", NULL },
	{ "a= \r\nb", NULL },
	{ "a=\t\r\nb", NULL },
	/* ends of lines of another kind */
	{ "a\nb", NULL },
	{ "a=\nb", NULL },
	{ "a\rb", NULL },
	{ "a=\rb", NULL },
	{ "a\r", NULL },
	{ "a=\r", NULL },
	{ "a\r\r\n", NULL },
	/* bytes that are none of it */
	{ "a\303\244", NULL },
	{ "a\177", NULL },
	{ "a\001", NULL },
};

START_TEST(quoted_is_undone)
{
	check(CLAMAV_QUOTED, false, false, quoted[_i].coded,
	    quoted[_i].plain);
}
END_TEST

static const struct {
	const char	*coded;
	const char	*crlf;
	const char	*lf;
	bool		 is_lf;
} ends[] = {
	{ "a\r\nb=\r\nc\r\n", "a\r\nbc\r\n", "a\nbc\n", false },
	{ "a\nb=\nc\n", "a\r\nbc\r\n", "a\nbc\n", true },
	{ "a=0D=0Ab=\nc", "a\r\nbc", "a\r\nbc", true },
	{ "\n\n", "\r\n\r\n", "\n\n", true },
	{ "a\r\nb", NULL, NULL, true },
	{ "a=\r\nb", NULL, NULL, true },
	{ "a \nb", NULL, NULL, true },
};

START_TEST(ends_of_lines)
{
	struct clamav_decoder	 d;

	check(CLAMAV_QUOTED, ends[_i].is_lf, false, ends[_i].coded,
	    ends[_i].crlf);
	check(CLAMAV_QUOTED, ends[_i].is_lf, true, ends[_i].coded,
	    ends[_i].lf);
	if (ends[_i].lf == NULL)
		return;
	clamav_decode_init(&d, CLAMAV_QUOTED, ends[_i].is_lf, true);
	(void)decode(&d, unit_slice(ends[_i].coded), 1);
	ck_assert_int_eq(d.has_lines, strcmp(ends[_i].lf, ends[_i].crlf) != 0);
}
END_TEST

/* Every byte, alone and behind others, in both codings. */
START_TEST(every_byte)
{
	static const char	 digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				    "abcdefghijklmnopqrstuvwxyz0123456789+/";
	struct clamav_decoder	 d;
	char			 in[4] = { 'A', 'A', 'A', 'A' },
				 out[CLAMAV_DECODE_ROOM(4)];
	const char		*digit;
	size_t			 n;
	int			 c;

	for (c = 0; c < 256; c++) {
		in[3] = (char)c;
		clamav_decode_init(&d, CLAMAV_BASE64, false, false);
		n = clamav_decode_add(&d, in, 4, out);
		digit = c == 0 ? NULL : strchr(digits, c);
		ck_assert_int_eq(clamav_decode_end(&d), digit != NULL ||
		    c == '=');
		if (digit != NULL) {
			ck_assert_uint_eq(n, 3);
			ck_assert_int_eq(out[2], digit - digits);
		}
		clamav_decode_init(&d, CLAMAV_QUOTED, false, false);
		n = clamav_decode_add(&d, in + 3, 1, out);
		ck_assert_int_eq(clamav_decode_end(&d), c > ' ' && c < 127 &&
		    c != '=');
		ck_assert(!clamav_decode_end(&d) || (n == 1 && out[0] == c));
	}
}
END_TEST

static void
add(TCase *tc)
{
	unit_add_rows(tc, base64_is_undone, base64);
	unit_add_rows(tc, quoted_is_undone, quoted);
	unit_add_rows(tc, ends_of_lines, ends);
	tcase_add_test(tc, every_byte);
}

int
main(void)
{
	return unit_main("decode", add);
}
