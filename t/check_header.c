/* SPDX-License-Identifier: ISC */
/*
 * The lines of an ICAP head, one after the other (conformance.md A3).  The
 * lines of a row are parsed where they lie, with their CRLFs between them, as
 * request.c does it.
 */
#include <stdlib.h>
#include <string.h>

#include "../proto/header.h"
#include "unit.h"

#define FIELDS	4

static const struct {
	const char	*lines;
	size_t		 len;		/* 0: strlen */
	const char	*expect;	/* name=value| of each, or the status */
} rows[] = {
	/* C034, C035: blanks around a value are not part of it */
	{ "Host:x", 0, "Host=x|" },
	{ "Host: x", 0, "Host=x|" },
	{ "hOsT:   x  y \t ", 0, "hOsT=x  y|" },
	{ "Connection:  close  ", 0, "Connection=close|" },
	{ "X:", 0, "X=|" },
	{ "X: \t ", 0, "X=|" },
	{ "X: a:b", 0, "X=a:b|" },
	{ "!#$%&'*+-.^_`|~09azAZ: x", 0, "!#$%&'*+-.^_`|~09azAZ=x|" },
	/* C036: a fold is blanks */
	{ "Allow: 204,\r\n 206", 0, "Allow=204,   206|" },
	{ "Encapsulated: req-hdr=0,\r\n\tnull-body=27", 0,
	    "Encapsulated=req-hdr=0,  \\x09null-body=27|" },
	{ "A:\r\n b\r\nC: d", 0, "A=b|C=d|" },
	{ "A: b\r\n \r\n\t\t\r\n c \r\nD: e", 0, "A=b          c|D=e|" },
	{ "A: b\r\n ", 0, "A=b|" },
	{ " A: b", 0, "400" },
	{ "\tb", 0, "400" },
	{ "A: b\r\n \001", 0, "400" },
	/* C037: no blank between name and colon */
	{ "Encapsulated : req-hdr=0, null-body=27", 0, "400" },
	{ "Encapsulated\t: req-hdr=0", 0, "400" },
	/* C039: no control characters */
	{ "Host: a\rb", 0, "400" },
	{ "Host: a\0b", 9, "400" },
	{ "X: \001", 0, "400" },
	{ "X: \177", 0, "400" },
	{ "X\0: a", 6, "400" },
	/* C040 */
	{ "garbage", 0, "400" },
	{ ": x", 0, "400" },
	{ ":", 0, "400" },
	/* C041: a name is a token */
	{ "Enc apsulated: x", 0, "400" },
	{ "H\303\266: x", 0, "400" },
	{ "X(Y): x", 0, "400" },
	{ "\"X\": x", 0, "400" },
	/* C042: values may hold any byte from 0x80 */
	{ "X-Authenticated-User: \344\366", 0,
	    "X-Authenticated-User=\\xe4\\xf6|" },
	{ "User-Agent: \377", 0, "User-Agent=\\xff|" },
	/* C051: so many fields and no more; a fold is not a field */
	{ "A:1\r\nB:2\r\nC:3", 0, "A=1|B=2|C=3|" },
	{ "A:1\r\nB:2\r\nC:3\r\nD:4", 0, "A=1|B=2|C=3|D=4|" },
	{ "A:1\r\nB:2\r\nC:3\r\nD:4\r\n 5", 0, "A=1|B=2|C=3|D=4   5|" },
	{ "A:1\r\nB:2\r\nC:3\r\nD:4\r\nE:5", 0, "400" },
};

START_TEST(lines_become_fields_or_are_refused)
{
	struct header_field	 storage[FIELDS];
	struct header		 h;
	struct fault		 fault = { 0, NULL };
	struct text		 got = { .len = 0 };
	size_t			 len = rows[_i].len;
	char			*mem, *p, *end, *next;
	unsigned int		 i;

	if (len == 0)
		len = strlen(rows[_i].lines);
	ck_assert_ptr_nonnull(mem = malloc(len));
	memcpy(mem, rows[_i].lines, len);
	header_init(&h, storage, FIELDS);
	for (p = mem; p != NULL; p = next) {
		end = memmem(p, len - (size_t)(p - mem), "\r\n", 2);
		next = end != NULL ? end + 2 : NULL;
		if (end == NULL)
			end = mem + len;
		if (header_parse_line(&h, p, (size_t)(end - p),
		    &fault) == -1)
			break;
		ck_assert_ptr_null(fault.why);
	}
	for (i = 0; p == NULL && i < h.count; i++) {
		text_add(&got, h.field[i].name.p, h.field[i].name.len);
		text_addf(&got, "=");
		text_add(&got, h.field[i].value.p, h.field[i].value.len);
		text_addf(&got, "|");
	}
	if (p != NULL) {
		ck_assert_ptr_nonnull(fault.why);
		text_addf(&got, "%d", fault.status);
	}
	ck_assert_str_eq(got.s, rows[_i].expect);
	free(mem);
}
END_TEST

START_TEST(an_empty_line_is_no_field)
{
	struct header_field	 storage[FIELDS];
	struct header		 h;
	struct fault		 fault = { 0, NULL };
	char			 line[] = "";

	header_init(&h, storage, FIELDS);
	ck_assert_int_eq(header_parse_line(&h, line, 0, &fault), -1);
	ck_assert_int_eq(fault.status, 400);
}
END_TEST

START_TEST(find_takes_the_first_whatever_its_case)
{
	struct header_field	 storage[FIELDS];
	struct header		 h;
	struct fault		 fault = { 0, NULL };
	char			 lines[][8] = {
		"X-A: 1", "Host: 2", "hOST: 3"
	};
	size_t			 i;

	header_init(&h, storage, FIELDS);
	ck_assert_ptr_null(header_find(&h, "Host"));
	for (i = 0; i < ROWS(lines); i++)
		ck_assert_int_eq(header_parse_line(&h, lines[i],
		    strlen(lines[i]), &fault), 0);
	ck_assert(slice_is(header_find(&h, "HOST")->value, "2"));
	ck_assert(slice_is(header_find(&h, "x-a")->value, "1"));
	ck_assert_ptr_null(header_find(&h, "X"));
	ck_assert_ptr_null(header_find(&h, "X-AB"));
	ck_assert_ptr_null(header_find(&h, ""));
}
END_TEST

static void
add(TCase *tc)
{
	unit_add_rows(tc, lines_become_fields_or_are_refused, rows);
	tcase_add_test(tc, an_empty_line_is_no_field);
	tcase_add_test(tc, find_takes_the_first_whatever_its_case);
}

int
main(void)
{
	return unit_main("header", add);
}
