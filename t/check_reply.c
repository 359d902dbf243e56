/* SPDX-License-Identifier: ISC */
/*
 * Replies (conformance.md 0a and A11): the exact bytes, in one write, to a
 * peer that takes them as slowly as it likes.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../proto/reply.h"
#include "unit.h"
#include "wire.h"

#define TAG	"ISTag: \"tag-1\"\r\n"

static struct stream	 stream;
static struct wire	 wire;

static void
setup(void)
{
	memset(&wire, 0, sizeof(wire));
	wire.in = "";
	ck_assert_int_eq(stream_init(&stream, 64), 0);
	wire_start(&wire, &stream);
}

static void
teardown(void)
{
	wire_fini(&wire);
	stream_fini(&stream);
}

static void
check_sent(const char *expect)
{
	struct text	 got = { .len = 0 }, want = { .len = 0 };

	got.s[0] = want.s[0] = '\0';
	text_add(&got, wire.out, wire.out_len);
	text_add(&want, expect, strlen(expect));
	ck_assert_str_eq(got.s, want.s);
	ck_assert_uint_eq(stream.bytes_out, strlen(expect));
}

/* C177-C179, C182-C184: status line, ISTag, what was added, Encapsulated. */
static const struct {
	int			 status;
	bool			 close;
	enum encap_entity	 hdr;
	size_t			 hdr_len;
	enum encap_entity	 body;
	const char		*expect;
} heads[] = {
	/* C154: the 204 that every client can delimit */
	{ 204, false, ENCAP_REQ_HDR, 0, ENCAP_NULL_BODY,
	    "ICAP/1.0 204 No modifications needed\r\n" TAG
	    "Encapsulated: null-body=0\r\n\r\n" },
	{ 200, false, ENCAP_RES_HDR, 64, ENCAP_RES_BODY,
	    "ICAP/1.0 200 OK\r\n" TAG
	    "Encapsulated: res-hdr=0, res-body=64\r\n\r\n" },
	{ 200, true, ENCAP_REQ_HDR, 27, ENCAP_NULL_BODY,
	    "ICAP/1.0 200 OK\r\n" TAG "Connection: close\r\n"
	    "Encapsulated: req-hdr=0, null-body=27\r\n\r\n" },
	{ 200, false, ENCAP_REQ_HDR, 0, ENCAP_REQ_BODY,
	    "ICAP/1.0 200 OK\r\n" TAG "Encapsulated: req-body=0\r\n\r\n" },
	{ 200, false, ENCAP_REQ_HDR, 0, ENCAP_OPT_BODY,
	    "ICAP/1.0 200 OK\r\n" TAG "Encapsulated: opt-body=0\r\n\r\n" },
	{ 206, false, ENCAP_RES_HDR, 64, ENCAP_RES_BODY,
	    "ICAP/1.0 206 Partial Content\r\n" TAG
	    "Encapsulated: res-hdr=0, res-body=64\r\n\r\n" },
	{ 404, true, ENCAP_REQ_HDR, 0, ENCAP_NULL_BODY,
	    "ICAP/1.0 404 ICAP Service not found\r\n" TAG
	    "Connection: close\r\nEncapsulated: null-body=0\r\n\r\n" },
	{ 200, false, ENCAP_RES_HDR, SIZE_MAX, ENCAP_NULL_BODY,
	    "ICAP/1.0 200 OK\r\n" TAG
	    "Encapsulated: res-hdr=0, null-body=18446744073709551615"
	    "\r\n\r\n" },
};

START_TEST(heads_are_exact)
{
	struct reply	 r;

	reply_start(&r, heads[_i].status, "tag-1", heads[_i].close);
	reply_end(&r, heads[_i].hdr, heads[_i].hdr_len, heads[_i].body);
	ck_assert_int_eq(r.status, heads[_i].status);
	ck_assert(!r.overflow);
	ck_assert_int_eq(reply_send(&r, &stream), 0);
	ck_assert_uint_eq(wire.sends, 1);
	check_sent(heads[_i].expect);
}
END_TEST

/* C177: every status has a reason. */
START_TEST(reasons_are_never_empty)
{
	const char	*reason;
	int		 status;

	for (status = 100; status < 600; status++) {
		reason = reply_reason(status);
		ck_assert_uint_gt(strlen(reason), 0);
		ck_assert_ptr_null(strpbrk(reason, "\r\n"));
	}
}
END_TEST

/* C184, C191: one blank, never an empty value, never another line. */
static const struct {
	const char	*value;
	const char	*line;		/* NULL: left out */
} values[] = {
	{ "x", "X-A: x\r\n" },
	{ " \tx y\t ", "X-A: x y\r\n" },
	{ "a\tb", "X-A: a\tb\r\n" },
	{ "", NULL },
	{ " \t ", NULL },
	{ "a\r\nSet-Cookie: b", NULL },
	{ "a\nb", NULL },
	{ "a\rb", NULL },
	{ "a\033b", NULL },
	{ "a\177", NULL },
};

START_TEST(values_cannot_split_a_reply)
{
	struct reply	 r, f;
	const char	*line = values[_i].line;
	char		 expect[200];
	int		 result = line == NULL ? -1 : 0;

	reply_start(&r, 200, "tag-1", false);
	reply_start(&f, 200, "tag-1", false);
	ck_assert_int_eq(reply_add(&r, "X-A", unit_slice(values[_i].value)),
	    result);
	ck_assert_int_eq(reply_addf(&f, "X-A", "%s", values[_i].value),
	    result);
	ck_assert_uint_eq(f.len, r.len);
	ck_assert_int_eq(memcmp(f.head, r.head, r.len), 0);
	ck_assert(!r.overflow);
	reply_end(&r, ENCAP_RES_HDR, 0, ENCAP_NULL_BODY);
	ck_assert_int_eq(reply_send(&r, &stream), 0);
	snprintf(expect, sizeof(expect), "ICAP/1.0 200 OK\r\n" TAG "%s"
	    "Encapsulated: null-body=0\r\n\r\n", line == NULL ? "" : line);
	check_sent(expect);
}
END_TEST

START_TEST(a_nul_cannot_be_in_a_value)
{
	struct slice	 value = { "a\0b", 3 };
	struct reply	 r;

	reply_start(&r, 200, "tag-1", false);
	ck_assert_int_eq(reply_add(&r, "X-A", value), -1);
}
END_TEST

/* C185: no head is longer than 8192 bytes, whatever is put into it. */
START_TEST(heads_stay_below_their_limit)
{
	struct reply	 r;
	struct slice	 value;
	char		*p = malloc(10000);
	size_t		 len, most = 0;

	ck_assert_ptr_nonnull(p);
	memset(p, 'x', 10000);
	value.p = p;
	for (len = 7900; len <= 8192; len++) {
		value.len = len;
		reply_start(&r, 200, "tag-1", true);
		if (reply_add(&r, "X-Long", value) == 0) {
			ck_assert(!r.overflow);
			ck_assert_uint_eq(most, len == 7900 ? 0 : len - 1);
			most = len;
		} else
			ck_assert(r.overflow);
		/* another that is too long changes nothing */
		(void)reply_add(&r, "X-More", value);
		reply_end(&r, ENCAP_RES_HDR, SIZE_MAX, ENCAP_RES_BODY);
		ck_assert_uint_le(r.len, REPLY_HEAD_MAX);
		ck_assert_int_eq(memcmp(r.head + r.len - 4, "\r\n\r\n", 4), 0);
	}
	ck_assert_uint_gt(most, 7900);
	reply_start(&r, 200, "tag-1", true);
	ck_assert_int_eq(reply_addf(&r, "X-Long", "%.*s", 1023, p), 0);
	ck_assert(!r.overflow);
	ck_assert_int_eq(reply_addf(&r, "X-Long", "%.*s", 1024, p), -1);
	ck_assert(r.overflow);

	/* lines that were ready before */
	reply_start(&r, 200, "tag-1", true);
	len = r.len;
	reply_add_lines(&r, "A: b\r\nC: d\r\n", 12);
	reply_add_lines(&r, NULL, 0);
	ck_assert_uint_eq(r.len, len + 12);
	ck_assert(!r.overflow);
	reply_add_lines(&r, p, 8192 - r.len);
	ck_assert_uint_eq(r.len, len + 12);
	ck_assert(r.overflow);
	free(p);
}
END_TEST

START_TEST(refusals_say_why_and_close)
{
	struct fault	 fault = { 400, "no Encapsulated header" };

	ck_assert_int_eq(reply_refuse(&stream, &fault, "tag-1", NULL, NULL), 0);
	ck_assert_uint_eq(wire.sends, 1);
	check_sent("ICAP/1.0 400 Bad request\r\n" TAG "Connection: close\r\n"
	    "X-Error-Reason: no Encapsulated header\r\n"
	    "Encapsulated: null-body=0\r\n\r\n");
}
END_TEST

/* C229: a service's reasons may be anything, line ends too. */
START_TEST(what_is_wrong_here_is_not_told)
{
	struct fault	 fault = { 500, "socket /run/x: no\r\nSet-Cookie: y" };

	ck_assert_int_eq(reply_refuse(&stream, &fault, "tag-1", NULL, NULL), 0);
	check_sent("ICAP/1.0 500 Server error\r\n" TAG
	    "Connection: close\r\nEncapsulated: null-body=0\r\n\r\n");
}
END_TEST

static void
add_lead(struct reply_body *rb, char *icap, char *http)
{
	memset(rb, 0, sizeof(*rb));
	rb->s = &stream;
	rb->lead[0].iov_base = icap;
	rb->lead[0].iov_len = strlen(icap);
	rb->lead[1].iov_base = http;
	rb->lead[1].iov_len = strlen(http);
	rb->nlead = 2;
}

/* C186, C187, C189: pieces of a body, each with its chunk; one write each. */
static const struct {
	const char	*pieces[4];	/* the last one ends the body */
	const char	*trailers;
	const char	*expect;
	unsigned int	 sends;
} bodies[] = {
	{ { "hello" }, "", "5\r\nhello\r\n0\r\n\r\n", 1 },
	{ { "" }, "", "0\r\n\r\n", 1 },
	{ { "", "hello" }, "", "5\r\nhello\r\n0\r\n\r\n", 1 },
	{ { "hello", "" }, "", "5\r\nhello\r\n0\r\n\r\n", 2 },
	{ { "0123456789abcdef", "", "!" }, "",
	    "10\r\n0123456789abcdef\r\n1\r\n!\r\n0\r\n\r\n", 2 },
	/* C113 */
	{ { "hello" }, "X-Sum: abc\r\n",
	    "5\r\nhello\r\n0\r\nX-Sum: abc\r\n\r\n", 1 },
	{ { "hello", "" }, "A: b\r\nC: d\r\n",
	    "5\r\nhello\r\n0\r\nA: b\r\nC: d\r\n\r\n", 2 },
};

START_TEST(bodies_are_chunked)
{
	char			 icap[] = "<icap>", http[] = "<http>";
	char			 expect[200];
	struct reply_body	 rb;
	size_t			 i, send_max;
	bool			 last;

	snprintf(expect, sizeof(expect), "<icap><http>%s", bodies[_i].expect);
	for (send_max = 0; send_max < strlen(expect); send_max++) {
		teardown();
		setup();
		wire.send_max = send_max;
		wire.again = send_max % 2 == 1;
		add_lead(&rb, icap, http);
		for (i = 0, last = false; !last; i++) {
			last = i == 3 || bodies[_i].pieces[i + 1] == NULL;
			ck_assert_int_eq(reply_send_chunk(&rb,
			    unit_slice(bodies[_i].pieces[i]), last,
			    unit_slice(bodies[_i].trailers)), 0);
		}
		check_sent(expect);
		if (send_max == 0)
			ck_assert_uint_eq(wire.sends, bodies[_i].sends);
	}
}
END_TEST

/* C160-C162: the end of a 206. */
START_TEST(partial_bodies_refer_to_the_original)
{
	char			 icap[] = "<icap>", http[] = "<http>";
	struct slice		 none = { NULL, 0 };
	struct reply_body	 rb;

	add_lead(&rb, icap, http);
	ck_assert_int_eq(reply_send_original(&rb, 0), 0);
	ck_assert_uint_eq(wire.sends, 1);
	check_sent("<icap><http>0; use-original-body=0\r\n\r\n");

	teardown();
	setup();
	add_lead(&rb, icap, http);
	ck_assert_int_eq(reply_send_chunk(&rb, unit_slice("HEY"), false,
	    none), 0);
	ck_assert_int_eq(reply_send_original(&rb, UINT64_MAX), 0);
	check_sent("<icap><http>3\r\nHEY\r\n"
	    "0; use-original-body=18446744073709551615\r\n\r\n");
}
END_TEST

START_TEST(files_are_sent_as_chunks)
{
	char			 icap[] = "<icap>", http[] = "<http>";
	char			 path[] = "reply.XXXXXX";
	struct slice		 none = { NULL, 0 };
	struct reply_body	 rb;
	int			 fd = mkstemp(path);

	ck_assert_int_ne(fd, -1);
	ck_assert_int_eq(unlink(path), 0);
	ck_assert_int_eq(write(fd, "0123456789", 10), 10);
	wire.send_max = (size_t)_i;
	add_lead(&rb, icap, http);
	ck_assert_int_eq(reply_send_file(&rb, fd, 2, 5), 0);
	ck_assert_int_eq(reply_send_file(&rb, fd, 9, 1), 0);
	ck_assert_int_eq(reply_send_chunk(&rb, none, true, none), 0);
	check_sent("<icap><http>5\r\n23456\r\n1\r\n9\r\n0\r\n\r\n");
	/* a file that has shrunk ends the reply without a last chunk */
	ck_assert_int_eq(reply_send_file(&rb, fd, 9, 2), -1);
	ck_assert_int_eq(errno, EIO);
	close(fd);
}
END_TEST

START_TEST(a_client_that_goes_away_is_an_error)
{
	char			 icap[] = "<icap>", http[] = "<http>";
	struct slice		 none = { NULL, 0 };
	struct fault		 fault = { 400, "x" };
	struct reply_body	 rb;
	struct reply		 r;

	wire.send_error = EPIPE;
	add_lead(&rb, icap, http);
	ck_assert_int_eq(reply_send_chunk(&rb, unit_slice("x"), true, none),
	    -1);
	ck_assert_int_eq(errno, EPIPE);
	ck_assert_int_eq(reply_send_original(&rb, 0), -1);
	ck_assert_int_eq(reply_send_file(&rb, 0, 0, 1), -1);
	ck_assert_int_eq(reply_refuse(&stream, &fault, "tag-1", NULL, NULL),
	    -1);
	reply_start(&r, 204, "tag-1", false);
	reply_end(&r, ENCAP_RES_HDR, 0, ENCAP_NULL_BODY);
	ck_assert_int_eq(reply_send(&r, &stream), -1);
	ck_assert_uint_eq(wire.out_len, 0);
}
END_TEST

static void
add(TCase *tc)
{
	tcase_add_checked_fixture(tc, setup, teardown);
	unit_add_rows(tc, heads_are_exact, heads);
	tcase_add_test(tc, reasons_are_never_empty);
	unit_add_rows(tc, values_cannot_split_a_reply, values);
	tcase_add_test(tc, a_nul_cannot_be_in_a_value);
	tcase_add_test(tc, heads_stay_below_their_limit);
	tcase_add_test(tc, refusals_say_why_and_close);
	tcase_add_test(tc, what_is_wrong_here_is_not_told);
	unit_add_rows(tc, bodies_are_chunked, bodies);
	tcase_add_test(tc, partial_bodies_refer_to_the_original);
	tcase_add_loop_test(tc, files_are_sent_as_chunks, 0, 6);
	tcase_add_test(tc, a_client_that_goes_away_is_an_error);
}

int
main(void)
{
	return unit_main("reply", add);
}
