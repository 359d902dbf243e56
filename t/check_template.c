/* SPDX-License-Identifier: ISC */
/*
 * Pages and responses that replace a message (services/template.c and
 * respond.c): each variable is escaped for the place it stands in, malformed
 * files are told, and a service cannot break the response's head.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../services/template.h"
#include "adapt.h"

static char	 error[512];

static void setup_error(const struct service_setup *, const char *, ...)
    __attribute__((format(printf, 2, 3)));

static void
setup_error(const struct service_setup *s, const char *fmt, ...)
{
	va_list	 ap;

	(void)s;
	va_start(ap, fmt);
	(void)vsnprintf(error, sizeof(error), fmt, ap);
	va_end(ap);
}

static const struct service_setup	 service_setup = {
	.name = "test", .error = setup_error,
};

/* A page from a file that holds these bytes. */
static struct service_template *
open_page(const char *suffix, const char *bytes, size_t len)
{
	struct service_template	*page;
	char			 path[128];
	int			 fd;

	(void)snprintf(path, sizeof(path), "/tmp/check_template.XXXXXX%s",
	    suffix);
	ck_assert_int_ne(fd = mkstemps(path, (int)strlen(suffix)), -1);
	ck_assert_int_eq(write(fd, bytes, len), (ssize_t)len);
	ck_assert_int_eq(close(fd), 0);
	error[0] = '\0';
	page = service_template_open(&service_setup, path);
	ck_assert_int_eq(unlink(path), 0);
	return page;
}

static const struct service_var	 vars[] = {
	{ "title", "<Bad & \"worse\">" },
	{ "odd", "a'b\n\x01\x7f/?\xc3\xbc" },
	{ "latin", "gr\xfcn" },
	{ "null", NULL },
	{ NULL, NULL }
};

static const struct {
	const char	*suffix;
	const char	*page;
	const char	*expect;
} pages[] = {
	{ ".html", "", "" },
	{ ".html", "plain\n", "plain\n" },
	{ ".html", "<b>%{title}</b>",
	    "<b>&lt;Bad &amp; &quot;worse&quot;&gt;</b>" },
	{ "", "%{odd}", "a&#39;b   /?\xc3\xbc" },
	{ ".html", "<a href=\"/?u=%{odd:url}\">",
	    "<a href=\"/?u=a%27b%0A%01%7F%2F%3F%C3%BC\">" },
	{ ".html", "[%{none}%{null}]", "[]" },
	/* per cent signs */
	{ ".html", "100%% of %{odd:url}",
	    "100% of a%27b%0A%01%7F%2F%3F%C3%BC" },
	{ ".html", "100%", "100%" },
	{ ".html", "%", "%" },
	{ ".html", "%%{title}", "%{title}" },
	{ ".html", "%%%{null}%%", "%%" },
	{ ".html", "width:50%;", "width:50%;" },
	/* JSON: always valid */
	{ ".json", "{\"t\":\"%{title}\"}",
	    "{\"t\":\"\\u003cBad & \\u0022worse\\u0022>\"}" },
	{ ".json", "%{odd}", "a'b\\u000a\\u0001\\u007f/?\xc3\xbc" },
	{ ".json", "%{latin}", "gr\\u00fcn" },
	{ ".txt", "%{title} %{odd}", "<Bad & \"worse\"> a'b   /?\xc3\xbc" },
};

START_TEST(escapes)
{
	struct service_template	*page;
	struct bytes		 out = { NULL, 0, 0 };
	const char		*type;

	page = open_page(pages[_i].suffix, pages[_i].page,
	    strlen(pages[_i].page));
	ck_assert_str_eq(error, "");
	ck_assert_ptr_nonnull(page);
	ck_assert_ptr_nonnull(type = template_format(page, 0, vars, &out));
	ck_assert_int_eq(bytes_add(&out, "", 1), 0);
	ck_assert_str_eq(out.p, pages[_i].expect);
	ck_assert_str_eq(type, strcmp(pages[_i].suffix, ".json") == 0 ?
	    "application/json" : strcmp(pages[_i].suffix, ".txt") == 0 ?
	    "text/plain; charset=utf-8" : "text/html; charset=utf-8");
	bytes_free(&out);
	service_template_close(page);
}
END_TEST

static const struct {
	const char	*page;
	const char	*line;		/* in the message */
} malformed[] = {
	{ "%{", "line 1" }, { "a\n\n%{title", "line 3" },
	{ "%{}", "line 1" }, { "%{a b}", "line 1" },
	{ "%{:url}", "line 1" }, { "ok %{title}\n%{ti\ntle}", "line 2" },
	{ "%%%{", "line 1" },
};

START_TEST(malformed_pages)
{
	ck_assert_ptr_null(open_page(".html", malformed[_i].page,
	    strlen(malformed[_i].page)));
	ck_assert_ptr_nonnull(strstr(error, malformed[_i].line));
	ck_assert_ptr_nonnull(strstr(error, "expected %{name}"));
}
END_TEST

START_TEST(files)
{
	struct service_template	*page;
	char			*large = calloc(1, 256 * 1024 + 1);

	ck_assert_ptr_nonnull(large);
	memset(large, 'x', 256 * 1024 + 1);
	ck_assert_ptr_null(service_template_open(&service_setup, NULL));
	ck_assert_ptr_null(service_template_open(&service_setup,
	    "/nonexistent/page"));
	ck_assert_str_eq(error, "template \"/nonexistent/page\": No such file "
	    "or directory, expected a readable file");
	ck_assert_ptr_null(service_template_open(&service_setup, "/tmp"));
	ck_assert_ptr_nonnull(strstr(error, "Is a directory"));
	page = open_page(".html", large, 256 * 1024);
	ck_assert_ptr_nonnull(page);
	service_template_close(page);
	ck_assert_ptr_null(open_page(".html", large, 256 * 1024 + 1));
	ck_assert_ptr_nonnull(strstr(error, "expected a file of at most"));
	service_template_close(NULL);
	free(large);
}
END_TEST

/* ---- responses ---------------------------------------------------------- */

static struct adapt	*a;

static void
setup(void)
{
	ck_assert_ptr_nonnull(a = calloc(1, sizeof(*a)));
}

static void
teardown(void)
{
	adapt_fini(a);
	free(a);
}

static void
run(enum verdict (*serve)(struct txn *, void *))
{
	a->serve = serve;
	adapt_run(a);
	ck_assert_int_eq(a->result, 0);
}

static bool
http_has(const char *line)
{
	return memmem(a->reply.http.p, a->reply.http.len, line,
	    strlen(line)) != NULL;
}

static bool
body_has(const char *text)
{
	return memmem(a->reply.body, a->reply.body_len, text,
	    strlen(text)) != NULL;
}

static enum verdict
serve_page(struct txn *t, void *instance)
{
	const struct service_var	 v[] = {
		{ "title", "Blocked" }, { "reason", "Not <here>." },
		{ "threat", "Eicar & co" }, { NULL, NULL }
	};

	(void)instance;
	ck_assert_int_eq(txn_respond_template(t, 403, NULL, v), 0);
	ck_assert_int_eq(txn_respond_header(t, "X-Page", "1"), 0);
	return VERDICT_REPLACED;
}

#define REQUEST(uri, more)	"GET " uri " HTTP/1.1\r\nHost: h.test\r\n" \
				more "\r\n"

START_TEST(builtin_page)
{
	a->ask.head = REQUEST("/x?<s>&\"", "Accept: text/html, */*;q=0.8\r\n");
	a->ask.icap = "X-Client-IP: 192.0.2.1\r\nX-Authenticated-User: al\r\n";
	run(serve_page);
	ck_assert(http_has("HTTP/1.1 403 Forbidden\r\n"));
	ck_assert(http_has("\r\nContent-Type: text/html; charset=utf-8\r\n"));
	ck_assert(http_has("\r\nCache-Control: no-store\r\n"));
	ck_assert(http_has("\r\nX-Page: 1\r\n"));
	ck_assert(body_has("<title>Blocked</title>"));
	ck_assert(body_has("Not &lt;here&gt;."));
	ck_assert(body_has("<th>threat</th><td>Eicar &amp; co</td>"));
	ck_assert(body_has(
	    "<td>http://h.test/x?&lt;s&gt;&amp;&quot;</td>"));
	ck_assert(body_has("<th>client</th><td>192.0.2.1</td>"));
	ck_assert(body_has("<th>user</th><td>al</td>"));
	ck_assert(body_has("<th>id</th><td>id-1</td>"));
	ck_assert(!body_has("<s>"));
}
END_TEST

/* Who gets JSON: who prefers it, which no browser does. */
static const struct {
	const char	*head;
	bool		 json;
} accepts[] = {
	{ REQUEST("/", ""), false },
	{ REQUEST("/", "Accept: application/json\r\n"), true },
	{ REQUEST("/", "Accept: text/html, application/json;q=0.9\r\n"),
	    false },
	{ REQUEST("/", "Accept: text/html;q=0.5, application/json\r\n"), true },
	{ REQUEST("/", "Accept: application/problem+json\r\n"), true },
	{ REQUEST("/", "Accept: application/json;q=0\r\n"), false },
	{ REQUEST("/", "Accept: */*\r\n"), false },
	{ REQUEST("/", "Accept: ;;;q,,,=;q=\r\n"), false },
	{ REQUEST("/", "Accept: application/json; q=.5 ,text/html; Q=0.4\r\n"),
	    true },
	{ REQUEST("/", "Accept: application/json;q=99999999999999\r\n"), true },
};

START_TEST(accept)
{
	setup();
	a->ask.head = accepts[_i].head;
	run(serve_page);
	ck_assert_int_eq(http_has("Content-Type: application/json\r\n"),
	    accepts[_i].json);
	ck_assert_int_eq(body_has("\"threat\":\"Eicar & co\""),
	    accepts[_i].json);
	teardown();
}
END_TEST

static enum verdict
serve_bad_responses(struct txn *t, void *instance)
{
	char	 long_type[600];
	int	 i;

	(void)instance;
	errno = 0;
	ck_assert_int_eq(txn_respond_header(t, "A", "b"), -1);
	ck_assert_int_eq(errno, ENOENT);
	for (i = 0; i < 700; i += i < 199 || i > 599 ? 1 : 400) {
		if (i >= 200 && i <= 599)
			continue;
		errno = 0;
		ck_assert_int_eq(txn_respond(t, i, NULL, NULL, 0), -1);
		ck_assert_int_eq(errno, EINVAL);
	}
	ck_assert_int_eq(txn_respond(t, 403, "text/plain\r\nA: b", "x", 1), -1);
	ck_assert_int_eq(txn_respond(t, 204, "text/plain", "x", 1), -1);
	ck_assert_int_eq(txn_respond(t, 304, "text/plain", "x", 1), -1);
	memset(long_type, 'x', sizeof(long_type) - 1);
	long_type[sizeof(long_type) - 1] = '\0';
	ck_assert_int_eq(txn_respond(t, 403, long_type, "x", 1), -1);
	ck_assert_int_eq(txn_respond(t, 299, "text/plain", "x\0y", 3), 0);
	errno = 0;
	ck_assert_int_eq(txn_respond_header(t, "A", "b\r\nC: d"), -1);
	ck_assert_int_eq(errno, EINVAL);
	ck_assert_int_eq(txn_respond_header(t, "A\nB", "b"), -1);
	ck_assert_int_eq(txn_respond_header(t, "A", NULL), -1);
	ck_assert_int_eq(txn_respond_header(t, "Content-Length", "9"), -1);
	ck_assert_int_eq(errno, EPERM);
	ck_assert_int_eq(txn_respond_header(t, "Location", "/x"), 0);
	return VERDICT_REPLACED;
}

START_TEST(bad_responses)
{
	run(serve_bad_responses);
	ck_assert(http_has("HTTP/1.1 299 Unknown\r\nContent-Length: 3\r\n"));
	ck_assert(http_has("\r\nLocation: /x\r\n\r\n"));
	ck_assert_uint_eq(a->reply.body_len, 3);
}
END_TEST

/* RFC 9110 8.6: no length where there is no content by definition. */
static enum verdict
serve_no_content(struct txn *t, void *instance)
{
	(void)instance;
	ck_assert_int_eq(txn_respond(t, 204, NULL, NULL, 0), 0);
	return VERDICT_REPLACED;
}

START_TEST(no_content)
{
	run(serve_no_content);
	ck_assert_str_eq(a->reply.entity, "null-body");
	ck_assert(!http_has("Content-Length"));
}
END_TEST

static enum verdict
serve_many_vars(struct txn *t, void *instance)
{
	struct service_var	 many[65];
	size_t			 i;

	(void)instance;
	for (i = 0; i < 64; i++) {
		many[i].name = "v";
		many[i].value = "w";
	}
	many[64].name = NULL;
	ck_assert_int_eq(txn_respond_template(t, 403, NULL, many), 0);
	return VERDICT_REPLACED;
}

/* More than there is room for: the server's own are still there. */
START_TEST(many_vars)
{
	char	 uri[4000];
	int	 n;

	n = snprintf(uri, sizeof(uri), "GET /");
	memset(uri + n, 'u', 3500);
	(void)snprintf(uri + n + 3500, sizeof(uri) - (size_t)n - 3500,
	    " HTTP/1.1\r\nHost: h\r\n\r\n");
	a->ask.head = uri;
	run(serve_many_vars);
	ck_assert(body_has("<th>url</th><td>http://h/uuu"));
	ck_assert(body_has("<th>service</th><td>test</td>"));
	ck_assert_uint_lt(a->reply.body_len, 5000);
}
END_TEST

static void
add_pages(TCase *tc)
{
	unit_add_rows(tc, escapes, pages);
	unit_add_rows(tc, malformed_pages, malformed);
	unit_add_rows(tc, accept, accepts);
	tcase_add_test(tc, files);
}

static void
add_tests(TCase *tc)
{
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, builtin_page);
	tcase_add_test(tc, bad_responses);
	tcase_add_test(tc, no_content);
	tcase_add_test(tc, many_vars);
}

int
main(void)
{
	int	 pages_failed = unit_main("template: pages", add_pages);
	int	 failed = unit_main("template", add_tests);

	return pages_failed != EXIT_SUCCESS ? pages_failed : failed;
}
