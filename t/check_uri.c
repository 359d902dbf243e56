/* SPDX-License-Identifier: ISC */
/*
 * The ICAP URI (conformance.md A2): what is taken apart and how, and what is
 * refused.
 */
#include <stdlib.h>
#include <string.h>

#include "../proto/uri.h"
#include "unit.h"

static const struct {
	const char	*uri;
	const char	*expect;	/* scheme host port path query */
} rows[] = {
	{ "icap://127.0.0.1:1344/echo", "icap 127.0.0.1 1344 /echo -" },
	/* C015, C016: the scheme's case does not matter */
	{ "ICAP://h/echo", "icap h  /echo -" },
	{ "icaps://127.0.0.1:11344/echo", "icaps 127.0.0.1 11344 /echo -" },
	{ "iCaPs://h/echo", "icaps h  /echo -" },
	/* C017, C018 */
	{ "/echo", "400" },
	{ "*", "400" },
	{ "http://h/echo", "400" },
	{ "icapx://h/echo", "400" },
	{ "icap:/h/echo", "400" },
	{ "icap:/", "400" },
	{ "icaps:/", "400" },
	{ "icap:", "400" },
	{ "icap", "400" },
	{ "i", "400" },
	{ "", "400" },
	/* C019: any authority will do */
	{ "icap://localhost/echo", "icap localhost  /echo -" },
	{ "icap://whatever.example:9999/echo",
	    "icap whatever.example 9999 /echo -" },
	{ "icap://h:/echo", "icap h  /echo -" },
	{ "icap://h:13x4/echo", "400" },
	{ "icap://h:1344:1/echo", "400" },
	{ "icap:///echo", "400" },
	{ "icap://:1344/echo", "400" },
	{ "icap://", "400" },
	/* C020: colons in brackets */
	{ "icap://[::1]:1344/echo", "icap ::1 1344 /echo -" },
	{ "icap://[::1]/echo", "icap ::1  /echo -" },
	{ "icap://[::1", "400" },
	{ "icap://[::1/echo", "400" },
	{ "icap://[]/echo", "400" },
	{ "icap://[::1]x/echo", "400" },
	{ "icap://[::1]:x/echo", "400" },
	/* C021: user information is dropped */
	{ "icap://user:pw@127.0.0.1/echo", "icap 127.0.0.1  /echo -" },
	{ "icap://u@v@[::1]:1/echo", "icap ::1 1 /echo -" },
	{ "icap://user@/echo", "400" },
	{ "icap://h/a@b", "icap h  /a@b -" },
	/* C022, C023: the first question mark begins the query */
	{ "icap://h/server?arg=87", "icap h  /server ?arg=87" },
	{ "icap://h/echo?", "icap h  /echo ?" },
	{ "icap://h/echo??a", "icap h  /echo ??a" },
	{ "icap://h/echo?a=b?c", "icap h  /echo ?a=b?c" },
	{ "icap://h/echo?a=%00", "icap h  /echo ?a=%00" },
	{ "icap://h/echo?a=/b", "icap h  /echo ?a=/b" },
	{ "icap://h?a", "icap h   ?a" },
	{ "icap://h/e#f", "400" },
	{ "icap://h/e?a#f", "400" },
	{ "icap://h#f", "400" },
	/* C026 */
	{ "icap://h", "icap h   -" },
	{ "icap://h/", "icap h  / -" },
};

START_TEST(uris_are_taken_apart)
{
	struct uri	 u;
	struct fault	 fault = { 0, NULL };
	struct slice	 text = unit_slice(rows[_i].uri);
	struct text	 got = { .len = 0 };
	char		*exact;

	/* exactly as long as it says, so that ASan sees a step too far */
	ck_assert_ptr_nonnull(exact = malloc(text.len + (text.len == 0)));
	memcpy(exact, text.p, text.len);
	text.p = exact;
	if (uri_parse(&u, text, &fault) == -1) {
		ck_assert_ptr_nonnull(fault.why);
		text_addf(&got, "%d", fault.status);
	} else {
		text_addf(&got, "%s %.*s %.*s %.*s ",
		    u.tls ? "icaps" : "icap",
		    (int)u.host.len, u.host.p, (int)u.port.len, u.port.p,
		    (int)u.path.len, u.path.p);
		if (u.has_query)
			text_addf(&got, "?%.*s", (int)u.query.len, u.query.p);
		else
			text_addf(&got, "-");
	}
	ck_assert_str_eq(got.s, rows[_i].expect);
	free(exact);
}
END_TEST

/* C024 and C026: what a path names. */
static const struct {
	const char	*path;
	size_t		 size;
	const char	*name;		/* NULL: refused */
} paths[] = {
	{ "", 16, "" },
	{ "/", 16, "" },
	{ "/echo", 16, "echo" },
	{ "/echo/", 16, "echo" },
	{ "/echo//", 16, "echo/" },
	{ "//echo", 16, "/echo" },
	{ "/./echo", 16, "./echo" },
	{ "/ECHO", 16, "ECHO" },
	{ "/%65cho", 16, "echo" },
	{ "/%65%63%68%6F", 16, "echo" },
	{ "/a%2Fb", 16, "a/b" },
	{ "/a%2f", 16, "a/" },
	{ "/a+b", 16, "a+b" },
	{ "/%e4", 16, "\344" },
	{ "/%", 16, NULL },
	{ "/%6", 16, NULL },
	{ "/%6/", 16, NULL },
	{ "/%6g", 16, NULL },
	{ "/%g6", 16, NULL },
	{ "/%-1", 16, NULL },
	{ "/a%00b", 16, NULL },		/* C023: nothing is cut at a NUL */
	{ "/echo", 6, "echo" },
	{ "/echo", 5, "echo" },
	{ "/echo", 4, NULL },
	{ "/", 1, "" },
	{ "/", 0, NULL },
};

START_TEST(paths_are_decoded_once)
{
	struct uri	 u;
	char		*dst, *exact;
	int		 n;

	memset(&u, 0, sizeof(u));
	u.path = unit_slice(paths[_i].path);
	ck_assert_ptr_nonnull(exact = malloc(u.path.len + (u.path.len == 0)));
	memcpy(exact, u.path.p, u.path.len);
	u.path.p = exact;
	ck_assert_ptr_nonnull(dst = malloc(paths[_i].size + 1));
	dst[paths[_i].size] = 'x';
	n = uri_decode_path(&u, dst, paths[_i].size);
	ck_assert_int_eq(dst[paths[_i].size], 'x');
	if (paths[_i].name == NULL)
		ck_assert_int_eq(n, -1);
	else {
		ck_assert_int_eq(n, (int)strlen(paths[_i].name));
		ck_assert_str_eq(dst, paths[_i].name);
	}
	free(exact);
	free(dst);
}
END_TEST

static void
add(TCase *tc)
{
	unit_add_rows(tc, uris_are_taken_apart, rows);
	unit_add_rows(tc, paths_are_decoded_once, paths);
}

int
main(void)
{
	return unit_main("uri", add);
}
