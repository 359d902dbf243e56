/* SPDX-License-Identifier: ISC */
/*
 * Unit test of weburl.c, hours.c, network.c and expr.c: what the services
 * that decide by URL, time, client and expression are made of.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../services/expr.h"
#include "../services/hours.h"
#include "../services/idn.h"
#include "../services/network.h"
#include "../services/weburl.h"
#include "unit.h"

static const struct {
	const char	*target;
	const char	*host;
	const char	*expect;	/* NULL: there is none */
} urls[] = {
	{ "http://ads.example/", "", "ads.example" },
	{ "http://ADS.Example.", "", "ads.example" },
	{ "http://ads.example..", "", "ads.example" },
	{ "http://.ads.example", "", "ads.example" },
	{ "ads.example:443", "", "ads.example" },
	{ "http://user:pw@ads.example:8080/", "", "ads.example" },
	{ "http://good.example@ads.example/", "", "ads.example" },
	{ "http://ads.example/@good.example", "",
	    "ads.example/@good.example" },
	{ "http://a%64s.ex%41mple/", "", "ads.example" },
	{ "http://ads%2eexample/", "", "ads.example" },
	{ "http://ads.example%00/", "", NULL },
	{ "http://ads.example%2fx/", "", NULL },
	{ "http://good.example%40ads.example/", "", NULL },
	{ "http://ads.example%/", "", NULL },
	{ "http://ads.example%3a80/", "", NULL },
	{ "http://a%2541.example/", "", NULL },
	{ "/path", "Ads.Example:80", "ads.example/path" },
	{ "/", "ads.example", "ads.example" },
	{ "*", "ads.example", "ads.example" },
	{ "/path", "", NULL },
	{ "", "ads.example", NULL },
	{ "http:///path", "ads.example", NULL },
	{ "http://ads.example?q=1", "", "ads.example/?q=1" },
	{ "http://ads.example#x", "", "ads.example" },
	{ "http://ads.example/a#x", "", "ads.example/a" },
	{ "http://ads.example\\a", "", "ads.example/a" },
	{ "http://ads.example\\a/@x", "", "ads.example/a/@x" },
	/* which host is it? */
	{ "http://fine.example\\@ads.example/", "", NULL },
	{ "http://u@fine.example\\x@ads.example/", "", NULL },
	{ "http:/ads.example/", "fine.example", NULL },
	{ "http:ads.example/", "fine.example", NULL },
	{ "HTTPS:\\\\ads.example/", "", NULL },
	{ "http:", "", NULL },
	{ "http:443", "", "http" },
	{ "ads.example:/x", "", "ads.example/x" },
	{ "http:////ads.example/", "", NULL },
	{ "http://ads.example:80:80/", "", NULL },
	{ "http://ads.example:x/", "", NULL },
	{ "http://ads.example:65535/", "", "ads.example" },
	{ "http://ads.example:65536/", "", NULL },
	{ "http://ads.example:/", "", "ads.example" },
	{ "2001:db8::1:443", "", NULL },
	{ "2001:db8:0:0:0:0:0:1:443", "", NULL },
	{ "http://[::1]x/", "", NULL },
	/* an absolute target has its host (RFC 9112 3.2.2) */
	{ "http://ads.example/", "fine.example", "ads.example" },
	{ "/", "fine.example/@ads.example", NULL },
	{ "/", "fine.example@ads.example", NULL },
	{ "/", "fine.example?", NULL },
	{ "/", "fine.example\\ads", NULL },
	{ "/", "fine.example,ads.example", NULL },
	{ "/", "fine.example ads.example", NULL },
	{ "/", "fine.example\r\n ads.example", NULL },
	{ "*", "fine.example, ads.example", NULL },
	/* addresses */
	{ "http://127.0.0.1/", "", "127.0.0.1" },
	{ "http://2130706433/", "", "127.0.0.1" },
	{ "http://0x7f.1/", "", "127.0.0.1" },
	{ "http://0177.0.0.01/", "", "127.0.0.1" },
	{ "http://127.0.0.1./", "", "127.0.0.1" },
	{ "http://1.2.3.4.5/", "", "1.2.3.4.5" },
	{ "http://1.2.3.256/", "", "1.2.3.256" },
	{ "http://[2001:DB8:0:0::7]:80/x", "", "[2001:db8::7]/x" },
	{ "[2001:db8::7]:443", "", "[2001:db8::7]" },
	{ "http://[::ffff:127.0.0.1]/", "", "127.0.0.1" },
	{ "http://[fe80::1%25eth0]/", "", "[fe80::1]" },
	{ "http://[::10.0.0.1]/", "", "10.0.0.1" },
	{ "http://[::a00:1]/x", "", "10.0.0.1/x" },
	{ "http://[::ffff:0:10.0.0.1]/", "", "10.0.0.1" },
	{ "http://[64:ff9b::10.0.0.1]/", "", "10.0.0.1" },
	{ "http://[64:FF9B:0:0:0:0:a00:1]:8080/", "", "10.0.0.1" },
	{ "http://[2002:a00:1::5]/", "", "10.0.0.1" },
	{ "http://[2002:0A00:0001:2::10.0.0.2]/x", "", "10.0.0.1/x" },
	{ "http://[2001:a00:1::5]/", "", "[2001:a00:1::5]" },
	{ "http://[64:ff9b:1::10.0.0.1]/", "", "[64:ff9b:1::a00:1]" },
	{ "http://[::]/", "", "[::]" },
	{ "http://[::1]/", "", "[::1]" },
	{ "http://[::1/", "", NULL },
	{ "http://[x]/", "", NULL },
	/* paths */
	{ "http://a.example/A/B", "", "a.example/a/b" },
	{ "http://a.example/./x", "", "a.example/x" },
	{ "http://a.example/y/../x", "", "a.example/x" },
	{ "http://a.example/../../x", "", "a.example/x" },
	{ "http://a.example/a/b/../../x", "", "a.example/x" },
	{ "http://a.example//x///y", "", "a.example/x/y" },
	{ "http://a.example/x/", "", "a.example/x/" },
	{ "http://a.example/x/.", "", "a.example/x/" },
	{ "http://a.example/x/..", "", "a.example" },
	{ "http://a.example/%78", "", "a.example/x" },
	{ "http://a.example/%2e%2E/x", "", "a.example/x" },
	{ "http://a.example/a%2fb", "", "a.example/a%2fb" },
	{ "http://a.example/%", "", "a.example/%25" },
	{ "http://a.example/%4", "", "a.example/%254" },
	{ "http://a.example/%%%36%31", "", "a.example/%25%2561" },
	{ "http://a.example/\xc3\xbc", "", "a.example/%c3%bc" },
	{ "http://a.example/%C3%BC", "", "a.example/%c3%bc" },
	{ "http://a.example/x?A=/../b", "", "a.example/x?a=/../b" },
};

START_TEST(url)
{
	static struct weburl	 u;
	int			 result;

	result = weburl_parse(&u, unit_slice(urls[_i].target),
	    unit_slice(urls[_i].host));
	ck_assert_int_eq(result, urls[_i].expect == NULL ? -1 : 0);
	if (result == 0) {
		ck_assert_str_eq(u.text, urls[_i].expect);
		ck_assert_uint_eq(u.len, strlen(u.text));
	}
}
END_TEST

/* A normal form is its own. */
START_TEST(url_twice)
{
	static struct weburl	 u, again;
	struct slice		 s;

	if (urls[_i].expect == NULL)
		return;
	ck_assert_int_eq(weburl_parse(&again, unit_slice(urls[_i].expect),
	    unit_slice("")), 0);
	ck_assert_str_eq(again.text, urls[_i].expect);
	/* and each beginning of it is read without harm */
	s = unit_slice(urls[_i].target);
	for (; s.len > 0; s.len--) {
		char	*copy = malloc(s.len);
		struct slice	 cut = { copy, s.len };

		memcpy(copy, s.p, s.len);
		(void)weburl_parse(&u, cut, unit_slice("h.example"));
		free(copy);
	}
}
END_TEST

START_TEST(url_unicode)
{
	static struct weburl	 u;
	int			 expect = idn_is_built_in() ? 0 : -1;

	ck_assert_int_eq(weburl_parse(&u,
	    unit_slice("http://B\xc3\xbc" "cher.example/"), unit_slice("")),
	    expect);
	if (expect == 0)
		ck_assert_str_eq(u.text, "xn--bcher-kva.example");
	/* an ideographic full stop */
	ck_assert_int_eq(weburl_parse(&u,
	    unit_slice("ads\xe3\x80\x82" "example"), unit_slice("")), expect);
	if (expect == 0)
		ck_assert_str_eq(u.text, "ads.example");
	/* what IDNA makes of a wide slash is no host (found by fuzzing) */
	ck_assert_int_eq(weburl_parse(&u,
	    unit_slice("good.example\xef\xbc\x8f" "ads.example"),
	    unit_slice("")), -1);
	ck_assert_int_eq(weburl_parse(&u,
	    unit_slice("ads\xe3\x80\x80" "example"), unit_slice("")), -1);
	ck_assert_int_eq(weburl_parse(&u, unit_slice("\xff\xfe.example"),
	    unit_slice("")), -1);
}
END_TEST

START_TEST(url_long)
{
	static struct weburl	 u;
	static char		 text[WEBURL_PATH_MAX + 8];
	struct slice		 s = { text, 0 };
	size_t			 len;

	/* hosts at the limit */
	for (len = WEBURL_HOST_MAX - 1; len <= WEBURL_HOST_MAX + 1; len++) {
		memset(text, 'a', len);
		s.len = len;
		ck_assert_int_eq(weburl_parse(&u, s, unit_slice("")),
		    len <= WEBURL_HOST_MAX ? 0 : -1);
	}
	/* slashes that are dropped count as well */
	memset(text, '/', sizeof(text));
	text[0] = 'a';
	for (len = WEBURL_PATH_MAX - 1; len <= WEBURL_PATH_MAX + 1; len++) {
		s.len = 1 + len;
		ck_assert_int_eq(weburl_parse(&u, s, unit_slice("")),
		    len <= WEBURL_PATH_MAX ? 0 : -1);
		ck_assert_str_eq(u.text, "a");
	}
}
END_TEST

/* A path at the limit, of bytes that stay or become escapes; the host stays. */
START_TEST(url_limit)
{
	static struct weburl	 u;
	static char		 text[WEBURL_PATH_MAX + 64];
	struct slice		 s = { text, 0 };
	size_t			 len, i, n;

	for (len = WEBURL_PATH_MAX - 1; len <= WEBURL_PATH_MAX + 1; len++) {
		n = (size_t)snprintf(text, sizeof(text), "http://a.b/");
		for (i = 1; _i == 0 && i < len; i++)
			text[n++] = 'x';
		if (_i == 1) {
			for (i = 0; i < (len - 1) % 3; i++)
				text[n++] = '?';
			for (i = 0; i < (len - 1) / 3; i++)
				text[n++] = '\xff';
		}
		s.len = n;
		ck_assert_int_eq(weburl_parse(&u, s, unit_slice("")),
		    len <= WEBURL_PATH_MAX ? 0 : -1);
		ck_assert_uint_eq(u.host_len, 3);
		ck_assert_uint_eq(u.len, 3 + len);
		ck_assert(u.is_cut == (len > WEBURL_PATH_MAX));
		ck_assert_uint_eq(strlen(u.text), u.len);
		if (len > WEBURL_PATH_MAX)
			ck_assert_str_eq(u.why, "a URL that is too long");
		/* what is behind a fragment does not count */
		memset(text + n, '#', 8);
		s.len = n + 8;
		ck_assert_int_eq(weburl_parse(&u, s, unit_slice("")),
		    len <= WEBURL_PATH_MAX ? 0 : -1);
	}
}
END_TEST

/* What is longer has the beginning of its normal form, and nothing else. */
static const struct {
	const char	*before;
	const char	*again;		/* so many times */
	size_t		 times;
	const char	*behind;
	const char	*expect;
	bool		 is_cut;	/* it goes on like that */
} long_paths[] = {
	{ "a.b/", "x", 9000, "/../bad", "a.b/bad", false },
	{ "a.b/k/", "x", 9000, "/y/z/../.././../bad", "a.b/k/bad", false },
	{ "a.b/k/", "x", 9000, "/%2E%2e\\bad", "a.b/k/bad", false },
	{ "a.b/k/", "x", 9000, "/y/%2e/..//bad/../..", "a.b/k/", false },
	{ "a.b/k/", "x", 9000, "/../../..", "a.b", false },
	{ "a.b/k/", "x", 9000, "/..?q/..", "a.b/k/?q/..", false },
	{ "a.b", "/", 9000, "bad/", "a.b/bad/", false },
	{ "a.b", "/.", 5000, "/bad", "a.b/bad", false },
	{ "a.b", "/s/..", 5000, "/bad", "a.b/bad", false },
	{ "a.b/bad/", "x", 9000, "", "a.b/bad/x", true },
	{ "a.b/bad?", "x", 9000, "/../..", "a.b/bad?x", true },
	{ "a.b/bad?", "/..", 9000, "", "a.b/bad?/..", true },
	{ "a.b/", "s/", 9000, "../..?x", "a.b/s/s/", true },
	{ "a.b/", "x", 9000, "/...", "a.b/x", true },
	{ "a.b/", "x", 9000, "/y/../z", "a.b/x", true },
	{ "a.b/", "\xff", 3000, "/y", "a.b/%ff%ff", true },
};

START_TEST(url_longer)
{
	static struct weburl	 u;
	struct slice		 s;
	char			*text = malloc(65536);
	size_t			 i, len;

	ck_assert_ptr_nonnull(text);
	(void)strlcpy(text, long_paths[_i].before, 65536);
	len = strlen(text);
	for (i = 0; i < long_paths[_i].times; i++)
		len += strlcpy(text + len, long_paths[_i].again, 65536 - len);
	len += strlcpy(text + len, long_paths[_i].behind, 65536 - len);
	ck_assert_ptr_nonnull(s.p = realloc(text, len));
	s.len = len;
	(void)weburl_parse(&u, s, unit_slice(""));
	ck_assert_uint_eq(strlen(u.text), u.len);
	ck_assert(u.is_cut == long_paths[_i].is_cut);
	if (u.is_cut) {
		ck_assert_uint_eq(u.len, 3 + WEBURL_PATH_MAX + 1);
		u.text[strlen(long_paths[_i].expect)] = '\0';
	}
	ck_assert_str_eq(u.text, long_paths[_i].expect);
	free((char *)(uintptr_t)s.p);
}
END_TEST

/* Any path, and one with segments put in that are taken back. */
START_TEST(url_detours)
{
	static const char *const	 seen[] = {
		"/a", "/b", "/..", "/.", "//", "/%61", "/...", "/a;b"
	};
	static const size_t		 lengths[] = { 1, 100, 8180, 8191,
		9000 };
	static struct weburl		 u, v;
	static char			 plain[256], padded[400000];
	size_t				 n, len, deep[4];
	unsigned int			 i, k, m, depth;

	for (i = 0; i < 500; i++) {
		n = strlcpy(plain, "a.b", sizeof(plain));
		len = strlcpy(padded, "a.b", sizeof(padded));
		for (k = 0; k < 6; k++) {
			depth = arc4random_uniform(4);
			for (m = 0; m < depth; m++) {
				deep[m] = lengths[arc4random_uniform(
				    ROWS(lengths))];
				padded[len++] = '/';
				memset(padded + len, 'x', deep[m]);
				len += deep[m];
			}
			for (m = 0; m < depth; m++)
				len += strlcpy(padded + len, "/..",
				    sizeof(padded) - len);
			m = arc4random_uniform(ROWS(seen));
			n += strlcpy(plain + n, seen[m], sizeof(plain) - n);
			len += strlcpy(padded + len, seen[m],
			    sizeof(padded) - len);
		}
		(void)weburl_parse(&u, unit_slice(plain), unit_slice(""));
		(void)weburl_parse(&v, unit_slice(padded), unit_slice(""));
		ck_assert_msg(strcmp(u.text, v.text) == 0 && !v.is_cut,
		    "%s: %s", plain, v.text);
	}
}
END_TEST

static const struct {
	const char	*target;
	bool		 is_tunnel;
	const char	*sent;
	const char	*normal;
} forms[] = {
	{ "http://A.example", false, "http://a.example/",
	    "http://a.example/" },
	{ "https://u@A.example:443/X%41/../y?b#c", false,
	    "https://a.example/X%41/../y?b", "https://a.example/y?b" },
	{ "http://a.example:080?b", false, "http://a.example/?b",
	    "http://a.example/?b" },
	{ "http://a.example:443/", false, "http://a.example:443/",
	    "http://a.example/" },
	{ "https://a.example:08443/", false, "https://a.example:8443/",
	    "https://a.example/" },
	{ "/x", false, "http://h.example:81/x", "http://h.example/x" },
	{ "ftp://a.example:21/", false, "ftp://a.example/",
	    "ftp://a.example/" },
	{ "a.example:443", true, "a.example", "a.example" },
	{ "A.example:8443", true, "a.example:8443", "a.example" },
	{ "[::ffff:127.0.0.1]:443", true, "127.0.0.1", "127.0.0.1" },
	{ "http://a.example\\b", false, "http://a.example/\\b",
	    "http://a.example/b" },
};

START_TEST(form)
{
	static struct weburl	 u;
	static char		 text[WEBURL_TEXT_MAX];

	ck_assert_int_eq(weburl_parse(&u, unit_slice(forms[_i].target),
	    unit_slice("h.example:81")), 0);
	ck_assert_uint_eq(weburl_format(&u, WEBURL_SENT, forms[_i].is_tunnel,
	    text), strlen(forms[_i].sent));
	ck_assert_str_eq(text, forms[_i].sent);
	ck_assert_uint_eq(weburl_format(&u, WEBURL_NORMAL,
	    forms[_i].is_tunnel, text), strlen(forms[_i].normal));
	ck_assert_str_eq(text, forms[_i].normal);
}
END_TEST

static const struct {
	const char	*host;
	bool		 strict;
} hosts[] = {
	{ "ads.example", true }, { "a", true }, { "a_b.example", true },
	{ "127.0.0.1", true }, { "[::1]", true }, { "xn--bcher-kva.example",
	    true }, { "-a.example", false }, { "a-.example", false },
	{ "a..example", false }, { "a*.example", false },
	{ "a,b.example", false }, { "1.2.3.256", false },
	{ "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.b",
	    true },
	{ "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.b",
	    false },
};

START_TEST(strict)
{
	static struct weburl	 u;

	ck_assert_int_eq(weburl_parse(&u, unit_slice(hosts[_i].host),
	    unit_slice("")), 0);
	ck_assert_int_eq(weburl_is_strict(&u), hosts[_i].strict);
}
END_TEST

/* ---- hours --------------------------------------------------------------- */

static const struct {
	const char	*text;
	int		 day;		/* 0: Sunday; -1: it is malformed */
	int		 hour;
	int		 minute;
	bool		 has;
} times[] = {
	{ "mon-fri 08:00-17:00", 1, 8, 0, true },
	{ "mon-fri 08:00-17:00", 1, 7, 59, false },
	{ "mon-fri 08:00-17:00", 5, 16, 59, true },
	{ "mon-fri 08:00-17:00", 5, 17, 0, false },
	{ "mon-fri 08:00-17:00", 6, 12, 0, false },
	{ "sat,sun", 0, 0, 0, true }, { "sat,sun", 1, 0, 0, false },
	{ "sat sun", 6, 23, 59, true }, { "fri-mon", 0, 1, 0, true },
	{ "fri-mon", 3, 1, 0, false }, { "08:00-09:00", 3, 8, 30, true },
	{ "daily 22:00-06:00", 3, 23, 0, true },
	{ "daily 22:00-06:00", 3, 5, 59, true },
	{ "daily 22:00-06:00", 3, 6, 0, false },
	{ "fri 22:00-06:00", 6, 5, 0, true },
	{ "fri 22:00-06:00", 5, 5, 0, false },
	{ "Mon 8:00-24:00", 1, 23, 59, true },
	{ "", -1, 0, 0, false }, { "monday", -1, 0, 0, false },
	{ "mon 25:00-26:00", -1, 0, 0, false },
	{ "mon 08:60-09:00", -1, 0, 0, false },
	{ "mon 08:00", -1, 0, 0, false }, { "mon 8-9", -1, 0, 0, false },
	{ "mon 08:00-08:00", -1, 0, 0, false },
	{ "mon 08:00-09:00 10:00-11:00", -1, 0, 0, false },
	{ "mon-", -1, 0, 0, false }, { "-mon", -1, 0, 0, false },
};

START_TEST(hours)
{
	struct hours	 h;
	struct tm	 tm;

	ck_assert_int_eq(hours_parse(&h, times[_i].text),
	    times[_i].day == -1 ? -1 : 0);
	if (times[_i].day == -1)
		return;
	memset(&tm, 0, sizeof(tm));
	tm.tm_wday = times[_i].day;
	tm.tm_hour = times[_i].hour;
	tm.tm_min = times[_i].minute;
	ck_assert_int_eq(hours_has(&h, 1, &tm), times[_i].has);
}
END_TEST

/* ---- networks ------------------------------------------------------------ */

static const struct {
	const char	*network;
	const char	*address;
	int		 has;		/* -1: it is malformed */
} networks[] = {
	{ "10.0.0.0/8", "10.1.2.3", 1 }, { "10.0.0.0/8", "11.1.2.3", 0 },
	{ "10.0.0.0/8", "::ffff:10.1.2.3", 1 }, { "10.1.2.3", "10.1.2.3", 1 },
	{ "10.1.2.3", "10.1.2.4", 0 }, { "10.1.2.128/25", "10.1.2.127", 0 },
	{ "10.1.2.128/25", "10.1.2.128", 1 }, { "0.0.0.0/0", "9.9.9.9", 1 },
	{ "0.0.0.0/0", "2001:db8::1", 0 }, { "::/0", "9.9.9.9", 1 },
	{ "2001:db8::/32", "2001:db8:1::1", 1 },
	{ "2001:db8::/33", "2001:db8:8000::1", 0 },
	{ "10.0.0.0/8", "", 0 }, { "10.0.0.0/8", "ten", 0 },
	{ "10.0.0.0/33", "", -1 }, { "10.0.0.0/", "", -1 },
	{ "10.0.0/8", "", -1 }, { "::/129", "", -1 }, { "x", "", -1 },
};

START_TEST(network)
{
	struct network	 n;

	ck_assert_int_eq(network_parse(&n, networks[_i].network),
	    networks[_i].has == -1 ? -1 : 0);
	if (networks[_i].has != -1)
		ck_assert_int_eq(network_has(&n, 1, networks[_i].address),
		    networks[_i].has);
}
END_TEST

/* ---- expressions --------------------------------------------------------- */

START_TEST(expressions)
{
	struct bytes	 out;
	struct expr	*e;
	char		 why[EXPR_WHY_MAX] = "";

	memset(&out, 0, sizeof(out));
	if (!expr_is_built_in()) {
		ck_assert_ptr_null(expr_new("a", 1, 0, why));
		ck_assert_str_ne(why, "");
		return;
	}
	ck_assert_ptr_null(expr_new("a(", 2, 0, why));
	ck_assert_ptr_nonnull(strstr(why, "byte 3"));
	e = expr_new("(b+)(c)?", 8, _i == 0 ? 0 : EXPR_JIT, why);
	ck_assert_ptr_nonnull(e);
	ck_assert_int_eq(expr_match(e, "xbbx", 4), 1);
	ck_assert_int_eq(expr_match(e, "xBBx", 4), 0);
	ck_assert_int_eq(expr_replace(e, "abbcabd", 7, "<$1$2$$>", 100, &out),
	    2);
	ck_assert_uint_eq(out.len, 13);
	ck_assert_mem_eq(out.p, "a<bbc$>a<b$>d", 13);
	ck_assert_int_eq(expr_replace(e, "xyz", 3, "", 100, &out), 0);
	ck_assert_int_eq(expr_replace(e, "bbbb", 4, "12345", 4, &out), -1);
	ck_assert_int_eq(expr_check_replacement(e, "$1${2}$0$$", why), 0);
	ck_assert_int_eq(expr_check_replacement(e, "$3", why), -1);
	ck_assert_int_eq(expr_check_replacement(e, "$", why), -1);
	ck_assert_int_eq(expr_check_replacement(e, "${1", why), -1);
	expr_free(e);
	e = expr_new("x*", 2, 0, why);
	ck_assert_int_eq(expr_replace(e, "axb", 3, "-", 100, &out), 4);
	ck_assert_mem_eq(out.p, "-a--b-", 6);
	expr_free(e);
	bytes_free(&out);
}
END_TEST

/* An expression that would take for ever gives up, and says so. */
START_TEST(expressions_limit)
{
	static const char	 text[] = "(a+)+b|(a|aa)+c";
	struct expr		*e;
	char			 why[EXPR_WHY_MAX], subject[4000];

	if (!expr_is_built_in())
		return;
	e = expr_new(text, sizeof(text) - 1, _i == 0 ? 0 : EXPR_JIT, why);
	ck_assert_ptr_nonnull(e);
	memset(subject, 'a', sizeof(subject));
	/* PCRE2 would know that there is no b */
	subject[sizeof(subject) - 2] = '!';
	subject[sizeof(subject) - 1] = 'b';
	ck_assert_int_ne(expr_match(e, subject, sizeof(subject)), 0);
	subject[sizeof(subject) - 1] = 'c';
	ck_assert_int_eq(expr_match(e, subject, sizeof(subject)), -1);
	expr_free(e);
}
END_TEST

static void
add(TCase *tc)
{
	unit_add_rows(tc, url, urls);
	unit_add_rows(tc, url_twice, urls);
	tcase_add_test(tc, url_unicode);
	tcase_add_test(tc, url_long);
	unit_add_rows(tc, url_longer, long_paths);
	tcase_add_test(tc, url_detours);
	tcase_add_loop_test(tc, url_limit, 0, 2);
	unit_add_rows(tc, form, forms);
	unit_add_rows(tc, strict, hosts);
	unit_add_rows(tc, hours, times);
	unit_add_rows(tc, network, networks);
	tcase_add_loop_test(tc, expressions, 0, 2);
	tcase_add_loop_test(tc, expressions_limit, 0, 2);
}

int
main(void)
{
	return unit_main("weburl", add);
}
