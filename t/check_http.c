/* SPDX-License-Identifier: ISC */
/*
 * Encapsulated HTTP heads (conformance.md A5): opaque bytes between two
 * offsets, checked no further than framing needs, and looked into leniently.
 */
#include <stdlib.h>
#include <string.h>

#include "../proto/http.h"
#include "unit.h"

/* A copy as long as it says, so that ASan sees a step too far. */
static struct slice
exact(const char *s)
{
	struct slice	 slice = unit_slice(s);
	char		*p = malloc(slice.len + (slice.len == 0));

	ck_assert_ptr_nonnull(p);
	memcpy(p, s, slice.len);
	slice.p = p;
	return slice;
}

static void
release(struct slice s)
{
	free((char *)(uintptr_t)s.p);
}

static const struct {
	const char	*head;
	int		 status;
} heads[] = {
	{ "GET / HTTP/1.1\r\nHost: h\r\n\r\n", 0 },
	/* C086: whatever a proxy sees */
	{ "GET http://h/ HTTP/1.1\r\n\r\n", 0 },
	{ "CONNECT h:443 HTTP/1.1\r\nHost: h:443\r\n\r\n", 0 },
	{ "OPTIONS * HTTP/1.1\r\n\r\n", 0 },
	{ "GET ftp://h/x HTTP/1.1\r\n\r\n", 0 },
	{ "PUT /p HTTP/1.0\r\n\r\n", 0 },
	{ "FOO / HTTP/1.1\r\n\r\n", 0 },
	{ "GET /a b\303\266 HTTP/1.1\r\n\r\n", 0 },
	/* C087 */
	{ "HTTP/1.1 200\r\n\r\n", 0 },
	{ "HTTP/1.0 200 OK\r\n\r\n", 0 },
	{ "HTTP/2 200\r\n\r\n", 0 },
	{ "ICY 200 OK\r\n\r\n", 0 },
	/* C085: folds, obs-text, duplicates */
	{ "HTTP/1.1 200 OK\r\nA: b\r\n c\r\nA: \351\r\n\r\n", 0 },
	/* C088: two blocks in one section (toolarium, ICAP-avscan) */
	{ "GET / HTTP/1.1\r\n\r\nHTTP/1.1 200 OK\r\nA: b\r\n\r\n", 0 },
	/* C089: no status line (ICAP-avscan) */
	{ "Content-Length: 572939\r\n\r\n", 0 },
	/* C081, C084: ends with an empty line at the offset */
	{ "GET / HTTP/1.1\r\nHost: h\r\n\r", 400 },
	{ "GET / HTTP/1.1\r\nHost: h\r\n", 400 },
	{ "GET / HTTP/1.1\r\nHost: h\r\n\r\n1", 400 },
	/* C093: line feeds alone do not end a head */
	{ "GET / HTTP/1.1\nHost: h\n\n", 400 },
	{ "GET / HTTP/1.1\r\n\n", 400 },
	/* C094: and there must be something before it */
	{ "\r\n", 400 },
	{ "\r\n\r\n", 400 },
	{ "\r\n\r\n\r\n", 400 },
	{ "\n\n\r\n\r\n", 400 },
	{ "a", 400 },
	{ "", 400 },
	{ "a\r\n\r\n", 0 },
};

START_TEST(heads_end_where_they_should)
{
	struct fault	 fault = { 0, NULL };
	struct slice	 head = exact(heads[_i].head);

	ck_assert_int_eq(http_check_head(head, &fault),
	    heads[_i].status == 0 ? 0 : -1);
	ck_assert_int_eq(fault.status, heads[_i].status);
	ck_assert_int_eq(fault.why != NULL, heads[_i].status != 0);
	release(head);
}
END_TEST

/* C093: a NUL is a byte like others. */
START_TEST(heads_may_hold_nul)
{
	static const char	 head[] = "GET / HTTP/1.1\r\n"
				    "A: \0b\r\nC: d\r\n\r\n";
	struct slice		 s = { head, sizeof(head) - 1 }, value;
	struct fault		 fault = { 0, NULL };

	ck_assert_int_eq(http_check_head(s, &fault), 0);
	ck_assert(http_find(s, "C", &value));
	ck_assert(slice_is(value, "d"));
	ck_assert(http_find(s, "A", &value));
	ck_assert_uint_eq(value.len, 2);
}
END_TEST

static const struct {
	const char	*head;
	const char	*line;
	const char	*parts;		/* method|target|version */
	int		 status;
} lines[] = {
	{ "GET / HTTP/1.1\r\nA: b\r\n\r\n", "GET / HTTP/1.1",
	    "GET|/|HTTP/1.1", 0 },
	{ "GET /a b HTTP/1.1\r\n\r\n", "GET /a b HTTP/1.1",
	    "GET|/a b|HTTP/1.1", 0 },
	{ "GET /\r\n\r\n", "GET /", "GET|/|", 0 },
	{ "GET\r\n\r\n", "GET", "GET||", 0 },
	{ "GET \r\n\r\n", "GET ", "GET||", 0 },
	{ "GET  HTTP/1.1\r\n\r\n", "GET  HTTP/1.1", "GET||HTTP/1.1", 0 },
	{ "CONNECT h:443 HTTP/1.1\r\n\r\n", "CONNECT h:443 HTTP/1.1",
	    "CONNECT|h:443|HTTP/1.1", 0 },
	{ "GET / HTTP/1.1\n\r\n\r\n", "GET / HTTP/1.1", "GET|/|HTTP/1.1", 0 },
	{ "no end", "no end", "no|end|", 0 },
	{ "HTTP/1.1 200 OK\r\n\r\n", "HTTP/1.1 200 OK",
	    "HTTP/1.1|200|OK", 200 },
	{ "HTTP/1.1 404\r\n\r\n", "HTTP/1.1 404", "HTTP/1.1|404|", 404 },
	{ "ICY 200 OK\r\n\r\n", "ICY 200 OK", "ICY|200|OK", 200 },
	{ "HTTP/2 304\r\n\r\n", "HTTP/2 304", "HTTP/2|304|", 304 },
	{ "HTTP/1.1 2000 OK\r\n\r\n", "HTTP/1.1 2000 OK",
	    "HTTP/1.1|2000|OK", 0 },
	{ "HTTP/1.1 -1\r\n\r\n", "HTTP/1.1 -1", "HTTP/1.1|-1|", 0 },
	{ "HTTP/1.1 \r\n\r\n", "HTTP/1.1 ", "HTTP/1.1||", 0 },
	{ "Content-Length: x\r\n\r\n", "Content-Length: x",
	    "Content-Length:|x|", 0 },
	{ "\r\n", "", "||", 0 },
};

START_TEST(start_lines_are_taken_apart)
{
	struct slice	 head = exact(lines[_i].head);
	struct slice	 line = http_start_line(head), m, t, v;
	struct text	 got = { .len = 0 };

	ck_assert(slice_is(line, lines[_i].line));
	http_split_request(line, &m, &t, &v);
	text_add(&got, m.p, m.len);
	text_addf(&got, "|");
	text_add(&got, t.p, t.len);
	text_addf(&got, "|");
	text_add(&got, v.p, v.len);
	ck_assert_str_eq(got.s, lines[_i].parts);
	ck_assert_int_eq(http_status(line), lines[_i].status);
	release(head);
}
END_TEST

#define HEAD	"GET / HTTP/1.1\r\nHost: h\r\nX-A:1\r\nx-a: 2\r\n" \
		"Fold: a\r\n\tb\r\nEmpty:\r\nLast:  z \t\r\n\r\n"

static const struct {
	const char	*head;
	const char	*name;
	const char	*value;		/* NULL: not there */
} fields[] = {
	{ HEAD, "Host", "h" },
	{ HEAD, "hOST", "h" },
	{ HEAD, "X-A", "1" },
	{ HEAD, "Fold", "a\\r\\n\\x09b" },
	{ HEAD, "Empty", "" },
	{ HEAD, "Last", "z" },
	{ HEAD, "Hos", NULL },
	{ HEAD, "Hosts", NULL },
	{ HEAD, "GET / HTTP/1.1", NULL },
	{ HEAD, "b", NULL },
	{ HEAD, "X", NULL },
	/* odd heads are looked into all the same */
	{ "GET / HTTP/1.1\r\n\r\n", "Host", NULL },
	{ "GET / HTTP/1.1\nHost: h\nA: b\n\n", "Host", "h" },
	{ "GET / HTTP/1.1\r\nHost: cut", "Host", "cut" },
	{ "GET / HTTP/1.1\r\nHost:", "Host", "" },
	{ "GET / HTTP/1.1\r\nHost", "Host", NULL },
	/* folds at the ends are no part of a value, a lone CR is */
	{ "GET / HTTP/1.1\r\nA: b\r\n ", "A", "b" },
	{ "GET / HTTP/1.1\r\nA:\r\n b\n\tc\r\n \r\n\t\r\n\r\n", "A",
	    "b\\n\\x09c" },
	{ "GET / HTTP/1.1\r\nA:\n \n\t\r\n\r\n", "A", "" },
	{ "GET / HTTP/1.1\r\nA:\r b\r\r\n\r\n", "A", "\\r b\\r" },
	{ "GET / HTTP/1.1\r\n", "Host", NULL },
	{ "GET / HTTP/1.1", "Host", NULL },
	/* a blank before the colon hides nothing */
	{ "GET / HTTP/1.1\r\nHost : h\r\n\r\n", "Host", "h" },
	{ "GET / HTTP/1.1\r\n Host\t :h\r\n\r\n", "Host", "h" },
	{ "GET / HTTP/1.1\r\nHo st: h\r\n\r\n", "Host", NULL },
	{ "GET / HTTP/1.1\r\n: h\r\n\r\n", "Host", NULL },
	{ "", "Host", NULL },
	/* C088: the first of two heads in one section */
	{ "GET / HTTP/1.1\r\nA: 1\r\n\r\nHTTP/1.1 200 OK\r\nA: 2\r\nB: 3"
	    "\r\n\r\n", "A", "1" },
	{ "GET / HTTP/1.1\r\nA: 1\r\n\r\nHTTP/1.1 200 OK\r\nA: 2\r\nB: 3"
	    "\r\n\r\n", "B", NULL },
	{ "GET / HTTP/1.1\n\nA: 1\r\n\r\n", "A", NULL },
};

START_TEST(fields_are_found)
{
	struct slice	 head = exact(fields[_i].head), value;
	struct text	 got = { .len = 0 };

	got.s[0] = '\0';
	if (fields[_i].value == NULL)
		ck_assert(!http_find(head, fields[_i].name, &value));
	else {
		ck_assert(http_find(head, fields[_i].name, &value));
		text_add(&got, value.p, value.len);
		ck_assert_str_eq(got.s, fields[_i].value);
	}
	release(head);
}
END_TEST

/* Field by field: name, value and the length of all of it. */
START_TEST(fields_come_one_after_the_other)
{
	static const char	*expect[] = {
		"Host=h 9", "X-A=1 7", "x-a=2 8", "Fold=a\\r\\n\\x09b 13",
		"Empty= 8", "Last=z 12"
	};
	struct slice		 head = exact(HEAD);
	struct http_field	 f;
	struct text		 got;
	size_t			 pos = 0, i;

	for (i = 0; http_next_field(head, &pos, &f); i++) {
		got.len = 0;
		ck_assert_uint_lt(i, ROWS(expect));
		text_add(&got, f.name.p, f.name.len);
		text_addf(&got, "=");
		text_add(&got, f.value.p, f.value.len);
		text_addf(&got, " %zu", f.line.len);
		ck_assert_str_eq(got.s, expect[i]);
	}
	ck_assert_uint_eq(i, ROWS(expect));
	ck_assert_uint_eq(pos, head.len - 2);
	release(head);
}
END_TEST

/* Whoever decides by a field can see all of them. */
START_TEST(fields_of_a_name_come_one_after_the_other)
{
	static const char	*expect[] = { "1", "2", "", "3" };
	struct slice		 head = exact("GET / HTTP/1.1\r\nA: 1\r\n"
				    "B: b\r\na : 2\r\nA\t:\r\nAA: x\r\n"
				    "A:3\r\nC: c\r\n\r\nA: 4\r\n\r\n");
	struct http_field	 f;
	size_t			 pos = 0, i;

	for (i = 0; http_find_next(head, "A", &pos, &f); i++) {
		ck_assert_uint_lt(i, ROWS(expect));
		ck_assert(slice_is(f.value, expect[i]));
	}
	ck_assert_uint_eq(i, ROWS(expect));
	pos = 0;
	ck_assert(!http_find_next(head, "D", &pos, &f));
	release(head);
}
END_TEST

START_TEST(a_line_without_a_colon_has_no_parts)
{
	struct slice		 head = exact("GET / HTTP/1.1\r\nodd\r\n\r\n");
	struct http_field	 f;
	size_t			 pos = 0;

	ck_assert(http_next_field(head, &pos, &f));
	ck_assert(slice_is(f.line, "odd\r\n"));
	ck_assert_uint_eq(f.name.len, 0);
	ck_assert_uint_eq(f.value.len, 0);
	release(head);
}
END_TEST

/* What a RESPMOD without req-hdr gives to a service (C058). */
START_TEST(an_absent_head_holds_nothing)
{
	struct slice	 none = { NULL, 0 }, m, t, v;

	ck_assert_uint_eq(http_start_line(none).len, 0);
	http_split_request(none, &m, &t, &v);
	ck_assert_uint_eq(m.len + t.len + v.len, 0);
	ck_assert_int_eq(http_status(none), 0);
	ck_assert(!http_find(none, "Host", &v));
}
END_TEST

static void
add(TCase *tc)
{
	unit_add_rows(tc, heads_end_where_they_should, heads);
	tcase_add_test(tc, heads_may_hold_nul);
	unit_add_rows(tc, start_lines_are_taken_apart, lines);
	unit_add_rows(tc, fields_are_found, fields);
	tcase_add_test(tc, fields_come_one_after_the_other);
	tcase_add_test(tc, fields_of_a_name_come_one_after_the_other);
	tcase_add_test(tc, a_line_without_a_colon_has_no_parts);
	tcase_add_test(tc, an_absent_head_holds_nothing);
}

int
main(void)
{
	return unit_main("http", add);
}
