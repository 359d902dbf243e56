/* SPDX-License-Identifier: ISC */
/*
 * The alphabet of the parsers: byte classes, numbers, slices, lists.  All
 * other units rest on these, so the tables go over every byte.
 */
#include <stdlib.h>
#include <string.h>

#include "unit.h"

static const char tchars[] = "!#$%&'*+-.^_`|~0123456789"
    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";

START_TEST(every_byte_has_its_classes)
{
	char	 ch = (char)_i;
	bool	 is_text = ch == '\t' || (_i >= 0x20 && _i != 0x7f);
	bool	 is_digit = _i >= '0' && _i <= '9';
	bool	 is_hex = is_digit || (_i >= 'a' && _i <= 'f') ||
		    (_i >= 'A' && _i <= 'F');

	ck_assert_uint_eq(chars_span(&ch, 1, CHARS_TOKEN),
	    _i != 0 && strchr(tchars, _i) != NULL);
	ck_assert_uint_eq(chars_span(&ch, 1, CHARS_TEXT), is_text);
	ck_assert_uint_eq(chars_span(&ch, 1, CHARS_VISIBLE),
	    _i > 0x20 && _i < 0x7f);
	ck_assert_uint_eq(chars_span(&ch, 1, CHARS_DIGIT), is_digit);
	ck_assert_uint_eq(chars_span(&ch, 1, CHARS_HEX), is_hex);
	ck_assert_uint_eq(chars_span(&ch, 1, CHARS_BLANK),
	    ch == ' ' || ch == '\t');
	ck_assert_int_eq(chars_hex((unsigned char)_i) != -1, is_hex);
}
END_TEST

/* Text is looked at in words: each byte at each place, among any others. */
START_TEST(text_is_the_same_in_any_place)
{
	static const char	 others[] = {
		'a', ' ', '\t', '~', '\200', '\377'
	};
	bool			 is_text = _i == '\t' ||
				    (_i >= 0x20 && _i != 0x7f);
	size_t			 len, pos, i;
	char			*p;

	for (len = 1; len <= 26; len++) {
		ck_assert_ptr_nonnull(p = malloc(len));
		for (i = 0; i < sizeof(others); i++) {
			memset(p, others[i], len);
			for (pos = 0; pos < len; pos++) {
				p[pos] = (char)_i;
				unit_must(chars_span(p, len, CHARS_TEXT) ==
				    (is_text ? len : pos));
				p[pos] = others[i];
			}
		}
		free(p);
	}
}
END_TEST

START_TEST(span_stops_at_the_first_other_byte)
{
	ck_assert_uint_eq(chars_span("12a", 3, CHARS_DIGIT), 2);
	ck_assert_uint_eq(chars_span("12a", 3, CHARS_HEX), 3);
	ck_assert_uint_eq(chars_span("1 2;", 4, CHARS_DIGIT | CHARS_BLANK), 3);
	ck_assert_uint_eq(chars_span("x", 0, CHARS_TOKEN), 0);
}
END_TEST

START_TEST(hex_digits_have_their_values)
{
	const char	*digits = "0123456789abcdef0123456789ABCDEF";
	int		 i;

	for (i = 0; i < 32; i++)
		ck_assert_int_eq(chars_hex((unsigned char)digits[i]), i % 16);
}
END_TEST

static const struct {
	const char	*s;
	uint64_t	 max;
	int		 result;
	uint64_t	 number;
} numbers[] = {
	{ "0", 0, 0, 0 },
	{ "1", 0, -1, 0 },
	{ "9", 5, -1, 0 },
	{ "9", 10, 0, 9 },
	{ "10", 10, 0, 10 },
	{ "11", 10, -1, 0 },
	{ "5", 5, 0, 5 },
	{ "100", 10, -1, 0 },
	{ "0010", 10, 0, 10 },
	{ "18446744073709551614", UINT64_MAX, 0, UINT64_MAX - 1 },
	{ "18446744073709551615", UINT64_MAX, 0, UINT64_MAX },
	{ "18446744073709551616", UINT64_MAX, -1, 0 },
	{ "18446744073709551643", UINT64_MAX, -1, 0 },
	{ "99999999999999999999999999999999", UINT64_MAX, -1, 0 },
	{ "", 10, -1, 0 },
	{ "-1", 10, -1, 0 },
	{ "+1", 10, -1, 0 },
	{ " 1", 10, -1, 0 },
	{ "1 ", 10, -1, 0 },
	{ "0x1", 10, -1, 0 },
	{ "1e1", 10, -1, 0 },
	{ "1.0", 10, -1, 0 },
};

START_TEST(numbers_are_digits_up_to_a_maximum)
{
	uint64_t	 n = 0;

	ck_assert_int_eq(chars_parse_uint(unit_slice(numbers[_i].s),
	    numbers[_i].max, &n), numbers[_i].result);
	if (numbers[_i].result == 0)
		ck_assert_uint_eq(n, numbers[_i].number);
}
END_TEST

START_TEST(trim_takes_blanks_off_both_ends)
{
	ck_assert(slice_is(slice_trim(unit_slice(" \ta b\t ")), "a b"));
	ck_assert(slice_is(slice_trim(unit_slice("a")), "a"));
	ck_assert_uint_eq(slice_trim(unit_slice(" \t ")).len, 0);
	ck_assert_uint_eq(slice_trim(unit_slice("")).len, 0);
}
END_TEST

START_TEST(slices_compare_whole)
{
	ck_assert(slice_is(unit_slice("Host"), "Host"));
	ck_assert(!slice_is(unit_slice("host"), "Host"));
	ck_assert(!slice_is(unit_slice("Hos"), "Host"));
	ck_assert(!slice_is(unit_slice("Hosts"), "Host"));
	ck_assert(slice_is_nocase(unit_slice("hOST"), "Host"));
	ck_assert(!slice_is_nocase(unit_slice("Hos"), "Host"));
	ck_assert(!slice_is_nocase(unit_slice("Hosts"), "Host"));
	ck_assert(slice_is_nocase(unit_slice(""), ""));
}
END_TEST

static const struct {
	const char	*list;
	const char	*elements;	/* each followed by a bar */
} lists[] = {
	{ "", "" },
	{ " , ,,\t", "" },
	{ "204", "204|" },
	{ "204,206", "204|206|" },
	{ " 204\t,\t206 ", "204|206|" },
	{ ",204,", "204|" },				/* C047 */
	{ "a,\"b,c\",d", "a|\"b,c\"|d|" },
	{ "\"a\\\",b\",c", "\"a\\\",b\"|c|" },
	{ "\"open, c", "\"open, c|" },
	{ "a b, c;q=\"1,2\"", "a b|c;q=\"1,2\"|" },
	{ "\"\\", "\"\\|" },
};

START_TEST(lists_split_at_commas)
{
	struct text	 got = { .len = 0 };
	struct slice	 list = unit_slice(lists[_i].list), element;

	got.s[0] = '\0';
	while (slice_next(&list, &element)) {
		text_add(&got, element.p, element.len);
		text_addf(&got, "|");
	}
	ck_assert_str_eq(got.s, lists[_i].elements);
	ck_assert_uint_eq(list.len, 0);
}
END_TEST

static const struct {
	const char	*list;
	const char	*is;
	bool		 has;
} has[] = {
	{ "x, close", "close", true },
	{ "x, CLOSE", "close", true },
	{ "closed", "close", false },
	{ "x-close", "close", false },
	{ "\"close\"", "close", false },
	{ "close;x", "close", false },
	{ "\"x, close, y\"", "close", false },
	{ "", "close", false },
};

START_TEST(lists_hold_elements_not_substrings)
{
	ck_assert(slice_list_has(unit_slice(has[_i].list), has[_i].is) ==
	    has[_i].has);
}
END_TEST

/* RFC 3629: shortest form, no surrogates, not above U+10FFFF, not cut. */
static const struct {
	const char	*p;
	size_t		 expect;
} utf8[] = {
	{ "", 0 }, { "a", 1 }, { "\x7f", 1 }, { "\x80", 0 }, { "\xc1\xbf", 0 },
	{ "\xc2\x80x", 2 }, { "\xdf\xbf", 2 }, { "\xc3", 0 }, { "\xc3x", 0 },
	{ "\xe0\x9f\xbf", 0 }, { "\xe0\xa0\x80", 3 }, { "\xe2\x82", 0 },
	{ "\xed\x9f\xbf", 3 }, { "\xed\xa0\x80", 0 }, { "\xed\xbf\xbf", 0 },
	{ "\xee\x80\x80", 3 }, { "\xf0\x8f\xbf\xbf", 0 },
	{ "\xf0\x90\x80\x80", 4 }, { "\xf4\x8f\xbf\xbf", 4 },
	{ "\xf4\x90\x80\x80", 0 }, { "\xf5\x80\x80\x80", 0 }, { "\xff", 0 },
};

START_TEST(utf8_characters)
{
	ck_assert_uint_eq(chars_utf8(utf8[_i].p, strlen(utf8[_i].p)),
	    utf8[_i].expect);
}
END_TEST

static const struct {
	const char	*text, *expect;
	size_t		 size;
	char		 keep;
} cleans[] = {
	{ "", "", 1, '\0' },
	{ "abc", "", 1, '\0' },
	{ "abc", "ab", 3, '\0' },
	{ "abc", "abc", 4, '\0' },
	{ "a\nb\033[2J\177\t", "a?b?[2J??", 32, '\0' },
	{ "a\nb\rc", "a\nb?c", 32, '\n' },
	{ "d\303\251j\303\240", "d\303\251j\303\240", 32, '\0' },
};

START_TEST(texts_are_cleaned)
{
	char	 text[32];

	(void)memset(text, 'x', sizeof(text));
	(void)memcpy(text, cleans[_i].text, strlen(cleans[_i].text) + 1);
	chars_clean(text, cleans[_i].size, cleans[_i].keep);
	ck_assert_str_eq(text, cleans[_i].expect);
}
END_TEST

static void
add(TCase *tc)
{
	tcase_add_loop_test(tc, every_byte_has_its_classes, 0, 256);
	tcase_add_loop_test(tc, text_is_the_same_in_any_place, 0, 256);
	tcase_add_test(tc, span_stops_at_the_first_other_byte);
	tcase_add_test(tc, hex_digits_have_their_values);
	unit_add_rows(tc, utf8_characters, utf8);
	unit_add_rows(tc, texts_are_cleaned, cleans);
	unit_add_rows(tc, numbers_are_digits_up_to_a_maximum, numbers);
	tcase_add_test(tc, trim_takes_blanks_off_both_ends);
	tcase_add_test(tc, slices_compare_whole);
	unit_add_rows(tc, lists_split_at_commas, lists);
	unit_add_rows(tc, lists_hold_elements_not_substrings, has);
}

int
main(void)
{
	return unit_main("chars", add);
}
