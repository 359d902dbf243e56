/* SPDX-License-Identifier: ISC */
/*
 * Reading and editing heads (services/edit.c): untouched lines stay as they
 * came, the framing stays the server's, and nothing a service passes on can
 * become a line of its own.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "adapt.h"

static struct adapt	*a;

static void
setup(void)
{
	ck_assert_ptr_nonnull(a = calloc(1, sizeof(*a)));
	a->ask.respmod = true;
	a->ask.body = "hello";
	a->ask.len = 5;
	a->ask.head = "HTTP/1.1 200 Fine\r\nServer:s\r\nX-A: 1\r\n"
	    "content-LENGTH:  5\r\nx-a:\t2 \r\nFold: a\r\n b\r\nX-A: 3\r\n\r\n";
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

static void
check_http(const char *expect)
{
	struct text	 got = { .len = 0 };

	got.s[0] = '\0';
	text_add(&got, a->reply.http.p, a->reply.http.len);
	ck_assert_str_eq(got.s, expect);
}

#define is(call, text) do {						\
	const char	*is_p = (call);					\
	check_text(is_p, len, text);					\
} while (0)

static void
check_text(const char *p, size_t len, const char *expect)
{
	ck_assert_uint_eq(len, strlen(expect));
	if (len > 0)
		ck_assert_int_eq(memcmp(p, expect, len), 0);
}

/* ---- reading ------------------------------------------------------------ */

static enum verdict
serve_reading(struct txn *t, void *instance)
{
	size_t	 len, pos = 0;

	(void)instance;
	ck_assert_int_eq(txn_is_response(t), 1);
	is(txn_request_line(t, &len), "GET http://h/a HTTP/1.1");
	is(txn_status_line(t, &len), "HTTP/1.1 200 Fine");
	is(txn_method(t, &len), "GET");
	is(txn_uri(t, &len), "http://h/a");
	ck_assert_int_eq(txn_response_status(t), 200);
	is(txn_request_header(t, "host", &len), "h");
	is(txn_response_header(t, "SERVER", &len), "s");
	is(txn_response_header(t, "X-A", &len), "1");
	is(txn_response_header(t, "Fold", &len), "a\r\n b");
	is(txn_next_response_header(t, "x-A", &pos, &len), "1");
	is(txn_next_response_header(t, "x-A", &pos, &len), "2");
	is(txn_next_response_header(t, "x-A", &pos, &len), "3");
	ck_assert_ptr_null(txn_next_response_header(t, "x-A", &pos, &len));
	ck_assert_uint_eq(len, 0);
	pos = 0;
	is(txn_next_request_header(t, "Host", &pos, &len), "h");
	ck_assert_ptr_null(txn_next_request_header(t, "Host", &pos, &len));
	ck_assert_ptr_null(txn_response_header(t, "Host", &len));
	ck_assert_uint_eq(len, 0);
	ck_assert_ptr_null(txn_request_header(t, "Server", &len));
	is(txn_icap_header(t, "x-client-ip", &len), "192.0.2.1");
	ck_assert_ptr_null(txn_icap_header(t, "X-None", &len));
	is(txn_arguments(t, &len), "arg=1");
	ck_assert_str_eq(txn_service_path(t), "test");
	ck_assert_int_eq(txn_has_body(t), 1);
	is(txn_request_head(t, &len), "GET http://h/a HTTP/1.1\r\n"
	    "Host: h\r\n\r\n");
	return VERDICT_UNCHANGED;
}

START_TEST(reading)
{
	a->ask.icap = "X-Client-IP: 192.0.2.1\r\n";
	run(serve_reading);
}
END_TEST

static enum verdict
serve_nothing_there(struct txn *t, void *instance)
{
	size_t	 len;

	(void)instance;
	(void)txn_request_head(t, &len);
	ck_assert_uint_eq(len, 0);
	(void)txn_response_head(t, &len);
	ck_assert_uint_eq(len, 0);
	(void)txn_request_line(t, &len);
	ck_assert_uint_eq(len, 0);
	(void)txn_status_line(t, &len);
	ck_assert_uint_eq(len, 0);
	(void)txn_method(t, &len);
	ck_assert_uint_eq(len, 0);
	(void)txn_uri(t, &len);
	ck_assert_uint_eq(len, 0);
	ck_assert_int_eq(txn_response_status(t), 0);
	ck_assert_ptr_null(txn_response_header(t, "Server", &len));
	errno = 0;
	ck_assert_int_eq(txn_set_header(t, "A", "b"), -1);
	ck_assert_int_eq(errno, ENOENT);
	ck_assert_int_eq(txn_add_header(t, "A", "b"), -1);
	ck_assert_int_eq(txn_remove_header(t, "A"), -1);
	ck_assert_int_eq(txn_set_start_line(t, "x", 1), -1);
	errno = 0;
	ck_assert_int_eq(txn_set_head(t, "a b c\r\n\r\n", 9), -1);
	ck_assert_int_eq(errno, ENOENT);
	return VERDICT_UNCHANGED;
}

START_TEST(nothing_there)
{
	a->ask.headless = true;
	run(serve_nothing_there);
}
END_TEST

/* ---- editing ------------------------------------------------------------ */

static enum verdict
serve_set(struct txn *t, void *instance)
{
	(void)instance;
	ck_assert_int_eq(txn_set_header(t, "X-A", "new"), 0);
	ck_assert_int_eq(txn_set_header(t, "X-B", ""), 0);
	return VERDICT_EDITED;
}

/* In the place of the first, the others go; odd lines stay odd. */
START_TEST(set)
{
	run(serve_set);
	check_http("HTTP/1.1 200 Fine\\r\\nServer:s\\r\\nX-A: new\\r\\n"
	    "content-LENGTH:  5\\r\\nFold: a\\r\\n b\\r\\nX-B: \\r\\n\\r\\n");
}
END_TEST

static enum verdict
serve_add_remove(struct txn *t, void *instance)
{
	size_t	 len;

	(void)instance;
	ck_assert_int_eq(txn_add_header(t, "X-A", "4"), 0);
	ck_assert_int_eq(txn_remove_header(t, "fold"), 0);
	ck_assert_int_eq(txn_remove_header(t, "None"), 0);
	is(txn_response_header(t, "X-A", &len), "1");
	ck_assert_ptr_null(txn_response_header(t, "Fold", &len));
	ck_assert_int_eq(txn_remove_header(t, "X-A"), 0);
	ck_assert_ptr_null(txn_response_header(t, "X-A", &len));
	ck_assert_int_eq(txn_add_header(t, "X-A", "5"), 0);
	ck_assert_int_eq(txn_add_header(t, "X-A", "6"), 0);
	/* one head is edited, the other is not */
	is(txn_request_header(t, "Host", &len), "h");
	ck_assert_ptr_null(txn_request_header(t, "X-A", &len));
	return VERDICT_EDITED;
}

START_TEST(add_and_remove)
{
	run(serve_add_remove);
	check_http("HTTP/1.1 200 Fine\\r\\nServer:s\\r\\n"
	    "content-LENGTH:  5\\r\\nX-A: 5\\r\\nX-A: 6\\r\\n\\r\\n");
}
END_TEST

static enum verdict
serve_start_line(struct txn *t, void *instance)
{
	const char	*line;
	size_t		 len;

	(void)instance;
	ck_assert_int_eq(txn_set_start_line(t, "HTTP/1.1 404 Gone fishing",
	    25), 0);
	ck_assert_int_eq(txn_response_status(t), 404);
	/* from itself, which moves */
	line = txn_status_line(t, &len);
	ck_assert_int_eq(txn_set_start_line(t, line, len - 8), 0);
	is(txn_status_line(t, &len), "HTTP/1.1 404 Gone");
	return VERDICT_EDITED;
}

START_TEST(start_line)
{
	run(serve_start_line);
	check_http("HTTP/1.1 404 Gone\\r\\nServer:s\\r\\nX-A: 1\\r\\n"
	    "content-LENGTH:  5\\r\\nx-a:\\x092 \\r\\nFold: a\\r\\n b\\r\\n"
	    "X-A: 3\\r\\n\\r\\n");
}
END_TEST

/* What may not be set, and why. */
static const struct {
	const char	*name;
	const char	*value;
	int		 error;
} bad_fields[] = {
	{ "A", "b\r\nC: d", EINVAL }, { "A", "b\nC: d", EINVAL },
	{ "A", "b\r", EINVAL }, { "A", "\n", EINVAL }, { "A", "\x01", EINVAL },
	{ "A", "\x7f", EINVAL }, { "A", NULL, EINVAL }, { "", "b", EINVAL },
	{ "A\r\nB", "c", EINVAL }, { "A B", "c", EINVAL },
	{ "A:", "b", EINVAL }, { "A\t", "b", EINVAL }, { "\xe4", "b", EINVAL },
	{ "Content-Length", "4", EPERM }, { "content-length", "4", EPERM },
	{ "Transfer-Encoding", "chunked", EPERM }, { "TE", "t", EPERM },
	{ "Connection", "close", EPERM }, { "Keep-Alive", "1", EPERM },
	{ "Proxy-Connection", "close", EPERM }, { "Trailer", "A", EPERM },
	{ "Upgrade", "h2c", EPERM },
};

static enum verdict
serve_bad_fields(struct txn *t, void *instance)
{
	size_t	 i;

	(void)instance;
	for (i = 0; i < ROWS(bad_fields); i++) {
		errno = 0;
		ck_assert_int_eq(txn_set_header(t, bad_fields[i].name,
		    bad_fields[i].value), -1);
		ck_assert_int_eq(errno, bad_fields[i].error);
		errno = 0;
		ck_assert_int_eq(txn_add_header(t, bad_fields[i].name,
		    bad_fields[i].value), -1);
		ck_assert_int_eq(errno, bad_fields[i].error);
	}
	errno = 0;
	ck_assert_int_eq(txn_remove_header(t, "Content-Length"), -1);
	ck_assert_int_eq(errno, EPERM);
	ck_assert_int_eq(txn_remove_header(t, "A B"), -1);
	ck_assert_int_eq(errno, EINVAL);
	ck_assert_int_eq(txn_set_start_line(t, "", 0), -1);
	ck_assert_int_eq(errno, EINVAL);
	ck_assert_int_eq(txn_set_start_line(t, "a\r\nb", 4), -1);
	ck_assert_int_eq(txn_set_start_line(t, "a\nb", 3), -1);
	ck_assert_int_eq(txn_set_start_line(t, "a\0b", 3), -1);
	return VERDICT_EDITED;
}

START_TEST(injection)
{
	run(serve_bad_fields);
	check_http("HTTP/1.1 200 Fine\\r\\nServer:s\\r\\nX-A: 1\\r\\n"
	    "content-LENGTH:  5\\r\\nx-a:\\x092 \\r\\nFold: a\\r\\n b\\r\\n"
	    "X-A: 3\\r\\n\\r\\n");
}
END_TEST

#define FRAMING	"content-LENGTH:  5\r\n"

/* Whole heads: those that may not be, NULs counted. */
static const struct {
	const char	*head;
	size_t		 len;
	int		 error;
} bad_heads[] = {
#define HEAD(s, error)	{ s, sizeof(s) - 1, error }
	HEAD("", EINVAL),
	HEAD("HTTP/1.1 200 OK\r\n" FRAMING, EINVAL),
	HEAD("HTTP/1.1 200 OK\r\n" FRAMING "\r\n\r\n", EINVAL),
	HEAD("HTTP/1.1 200 OK\r\n" FRAMING "\r\nX: y\r\n\r\n", EINVAL),
	HEAD("HTTP/1.1 200 OK\r\n" FRAMING "A: b\0c\r\n\r\n", EINVAL),
	HEAD("HTTP/1.1 200 OK\r\n" FRAMING "A: b\rc\r\n\r\n", EINVAL),
	HEAD("HTTP/1.1 200 OK\r\n\r\n", EPERM),
	HEAD("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", EPERM),
	HEAD("HTTP/1.1 200 OK\r\n" FRAMING FRAMING "\r\n", EPERM),
	HEAD("HTTP/1.1 200 OK\r\n" FRAMING "Connection: x\r\n\r\n", EPERM),
	HEAD("HTTP/1.1 200 OK\r\n" FRAMING "Connection : x\r\n\r\n", EPERM),
	HEAD("HTTP/1.1 200 OK\r\n" FRAMING "A: b\nTE: x\r\n\r\n", EPERM),
	HEAD("HTTP/1.1 200 OK\r\n" FRAMING "Transfer-Encoding: x\r\n\r\n",
	    EPERM),
};

static enum verdict
serve_set_head(struct txn *t, void *instance)
{
	static const char	 good[] = "HTTP/1.1 203 Other\r\nB: c\r\n"
				    FRAMING "D: e\r\n\r\n";
	const char		*head;
	char			*large;
	size_t			 i, len;

	(void)instance;
	for (i = 0; i < ROWS(bad_heads); i++) {
		errno = 0;
		if (txn_set_head(t, bad_heads[i].head, bad_heads[i].len) !=
		    -1 || errno != bad_heads[i].error)
			ck_abort_msg("head %zu: %s", i, strerror(errno));
	}
	ck_assert_ptr_nonnull(large = calloc(1, 200000));
	memset(large, 'x', 200000);
	errno = 0;
	ck_assert_int_eq(txn_set_head(t, large, 200000), -1);
	ck_assert_int_eq(errno, E2BIG);
	free(large);
	ck_assert_int_eq(txn_set_head(t, good, sizeof(good) - 1), 0);
	/* its own */
	head = txn_response_head(t, &len);
	ck_assert_int_eq(txn_set_head(t, head, len), 0);
	ck_assert_int_eq(txn_set_header(t, "D", "f"), 0);
	return VERDICT_EDITED;
}

START_TEST(whole_head)
{
	run(serve_set_head);
	check_http("HTTP/1.1 203 Other\\r\\nB: c\\r\\ncontent-LENGTH:  5\\r\\n"
	    "D: f\\r\\n\\r\\n");
}
END_TEST

/* A head without any fields has room for one. */
static enum verdict
serve_bare(struct txn *t, void *instance)
{
	(void)instance;
	ck_assert_int_eq(txn_set_head(t, "HTTP/1.1 200 OK\r\n\r\n", 19), 0);
	ck_assert_int_eq(txn_remove_header(t, "A"), 0);
	ck_assert_int_eq(txn_set_header(t, "A", "b"), 0);
	ck_assert_int_eq(txn_add_header(t, "A", "c"), 0);
	return VERDICT_EDITED;
}

START_TEST(bare_head)
{
	a->ask.head = "HTTP/1.0 200\r\n\r\n";
	run(serve_bare);
	check_http("HTTP/1.1 200 OK\\r\\nA: b\\r\\nA: c\\r\\n\\r\\n");
}
END_TEST

/* As large as the limit of heads and 64 KiB on top, and not a byte more. */
static enum verdict
serve_large(struct txn *t, void *instance)
{
	size_t	 len, n = 0;
	char	 value[1001];

	(void)instance;
	memset(value, 'v', 1000);
	value[1000] = '\0';
	while (txn_add_header(t, "X-Large", value) == 0)
		n++;
	ck_assert_int_eq(errno, E2BIG);
	ck_assert_int_eq(txn_set_header(t, "X-A", value), -1);
	ck_assert_int_eq(errno, E2BIG);
	(void)txn_response_head(t, &len);
	ck_assert_uint_le(len, ADAPT_HTTP_HEADS + 64 * 1024);
	ck_assert_uint_gt(len, 4096 + 63 * 1024);
	ck_assert_uint_gt(n, 60);
	return VERDICT_EDITED;
}

START_TEST(limit)
{
	run(serve_large);
	ck_assert_uint_gt(a->reply.http.len, 60000);
}
END_TEST

static void
add_tests(TCase *tc)
{
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, reading);
	tcase_add_test(tc, nothing_there);
	tcase_add_test(tc, set);
	tcase_add_test(tc, add_and_remove);
	tcase_add_test(tc, start_line);
	tcase_add_test(tc, injection);
	tcase_add_test(tc, whole_head);
	tcase_add_test(tc, bare_head);
	tcase_add_test(tc, limit);
}

int
main(void)
{
	return unit_main("edit", add_tests);
}
