/* SPDX-License-Identifier: ISC */
/*
 * Request heads (conformance.md A2, A3): each row whole, byte by byte and
 * split at every point.  The bytes behind those delivered are line feeds, so
 * a parser that looks too far sees ends of lines that are not there.
 */
#include <stdlib.h>
#include <string.h>

#include "../proto/request.h"
#include "unit.h"

#define U	"icap://h/echo"
#define R(line)	line " ICAP/1.0\r\nHost: h\r\n\r\n"
#define H(hdrs)	"REQMOD " U " ICAP/1.0\r\nHost: h\r\n" hdrs "\r\n"
#define GET	"Encapsulated: req-hdr=0, null-body=27\r\n"

static const struct limits standard = LIMITS_DEFAULT;

static void
show_request(const struct request *r, const struct fault *body,
    struct text *out)
{
	text_addf(out, "%s %.*s", request_method_name(r->method),
	    (int)r->target.len, r->target.p);
	if (r->allow != 0)
		text_addf(out, " allow%s%s%s",
		    (r->allow & ALLOW_204) != 0 ? " 204" : "",
		    (r->allow & ALLOW_206) != 0 ? " 206" : "",
		    (r->allow & ALLOW_TRAILERS) != 0 ? " trailers" : "");
	if (r->has_preview)
		text_addf(out, " preview %llu", (unsigned long long)r->preview);
	if (r->close)
		text_addf(out, " close");
	if (body->why != NULL)
		text_addf(out, " %d", body->status);
	else
		text_addf(out, " %zu+%zu %s", r->encap.req_hdr,
		    r->encap.res_hdr, encap_name(r->encap.body));
	text_addf(out, " %u", r->header.count);
}

static void
play_request(const struct cut *cut, const char *in, size_t len,
    const void *arg, struct text *out)
{
	const struct limits	*limits = arg;
	struct request		 r;
	struct header_field	*storage;
	struct fault		 fault = { 0, NULL };
	enum parse		 result = PARSE_MORE;
	size_t			 pos = 0, next;
	char			*mem;

	ck_assert_ptr_nonnull(mem = malloc(len));
	storage = calloc(limits->fields, sizeof(*storage));
	ck_assert_ptr_nonnull(storage);
	memset(mem, '\n', len);
	request_init(&r, limits, storage);
	while (pos < len && result == PARSE_MORE) {
		unit_must(fault.why == NULL);
		next = cut_next(cut, pos, len);
		memcpy(mem + pos, in + pos, next - pos);
		pos = next;
		result = request_parse(&r, mem, pos, &fault);
	}
	switch (result) {
	case PARSE_BAD:
		ck_assert_ptr_nonnull(fault.why);
		text_addf(out, "%d", fault.status);
		break;
	case PARSE_MORE:
		text_addf(out, "more");
		break;
	case PARSE_OK:
		ck_assert_uint_le(r.len, pos);
		(void)request_parse_body(&r, &fault);
		show_request(&r, &fault, out);
		text_addf(out, " rest %zu", len - r.len);
		break;
	}
	free(storage);
	free(mem);
}

static const struct {
	const char	*in;
	const char	*expect;
} rows[] = {
	/* C009, C061: a request line and no Encapsulated */
	{ R("OPTIONS icap://127.0.0.1:1344/echo"),
	    "OPTIONS icap://127.0.0.1:1344/echo 0+0 null-body 1 rest 0" },
	/* C002, C004: not a byte of the next request is used */
	{ R("OPTIONS " U) R("OPTIONS " U),
	    "OPTIONS " U " 0+0 null-body 1 rest 43" },
	/* C005: empty lines before it, but not for ever */
	{ "\r\n\r\n" R("OPTIONS " U), "OPTIONS " U " 0+0 null-body 1 rest 0" },
	{ "\r\n\r\n\r\n\r\n\r\n\r\n\r\n" R("OPTIONS " U),
	    "OPTIONS " U " 0+0 null-body 1 rest 0" },
	{ "\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n" R("OPTIONS " U),
	    "OPTIONS " U " 0+0 null-body 1 rest 0" },
	{ "\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n" R("OPTIONS " U), "400" },
	/* C011, C012: a token that is no method of ours, once it is whole */
	{ R("LOGMOD " U), "501" },
	{ R("reqmod " U), "501" },
	{ R("Options " U), "501" },
	{ R("REQMODX " U), "501" },
	{ R("REQMO " U), "501" },
	{ "LOGMOD " U " ICAP/1.0\r\nHost: h\r\n", "more" },
	/* C013: no token */
	{ R("REQ<MOD " U), "400" },
	{ R(" REQMOD " U), "400" },
	{ R("\tREQMOD " U), "400" },
	/* C014: one blank between the parts */
	{ R("OPTIONS  " U), "400" },
	{ R("OPTIONS " U " "), "400" },
	{ R("OPTIONS\t" U), "400" },
	{ "OPTIONS " U " ICAP/1.0 \r\n\r\n", "400" },
	/* C017, C018, C021 */
	{ R("OPTIONS /echo"), "400" },
	{ R("OPTIONS http://h/echo"), "400" },
	{ R("OPTIONS icap://user:pw@h/echo"),
	    "OPTIONS icap://user:pw@h/echo 0+0 null-body 1 rest 0" },
	{ R("OPTIONS icap://h/\344"), "400" },
	/* C028: other versions; C029: higher minor ones are as good as 1.0 */
	{ "OPTIONS " U " ICAP/2.0\r\n\r\n", "505" },
	{ "OPTIONS " U " ICAP/0.9\r\n\r\n", "505" },
	{ "LOGMOD " U " ICAP/2.0\r\n\r\n", "505" },
	{ "OPTIONS " U " ICAP/1.1\r\n\r\n",
	    "OPTIONS " U " 0+0 null-body 0 rest 0" },
	/* C030: no versions at all */
	{ "OPTIONS " U " ICAP/1\r\n\r\n", "400" },
	{ "OPTIONS " U " ICAP/1.\r\n\r\n", "400" },
	{ "OPTIONS " U " ICAP/01.00\r\n\r\n", "400" },
	{ "OPTIONS " U " ICAP/1.x\r\n\r\n", "400" },
	{ "OPTIONS " U " icap/1.0\r\n\r\n", "400" },
	{ "OPTIONS " U " \r\n\r\n", "400" },
	{ "OPTIONS " U "\r\n\r\n", "400" },
	{ "OPTIONS\r\n\r\n", "400" },
	/* C031: HTTP */
	{ "GET / HTTP/1.1\r\nHost: x\r\n\r\n", "400" },
	{ "CONNECT x:443 HTTP/1.1\r\n\r\n", "400" },
	/* C034, C035, C036 */
	{ H("eNcApSuLaTeD: req-hdr=0, null-body=27\r\nPREVIEW: 0\r\n"
	    "aLLow: 204\r\n"),
	    "REQMOD " U " allow 204 preview 0 27+0 null-body 4 rest 0" },
	{ H("Connection:  close  \r\nEncapsulated:  req-hdr=0, null-body=27"
	    "\r\n"), "REQMOD " U " close 27+0 null-body 3 rest 0" },
	{ H("Allow: 204,\r\n 206\r\nEncapsulated: req-hdr=0,\r\n\tnull-body=27"
	    "\r\n"), "REQMOD " U " allow 204 206 27+0 null-body 3 rest 0" },
	/* C037, C040, C041 */
	{ H("Encapsulated : req-hdr=0, null-body=27\r\n"), "400" },
	{ H(GET "garbage\r\n"), "400" },
	{ H(GET ": x\r\n"), "400" },
	{ H(GET "Enc apsulated: x\r\n"), "400" },
	{ "OPTIONS " U " ICAP/1.0\r\n folded: x\r\n\r\n", "400" },
	/* C038: lines end with CRLF */
	{ "OPTIONS " U " ICAP/1.0\nHost: h\n\n", "400" },
	{ "OPTIONS " U " ICAP/1.0\r\nHost: h\n\r\n", "400" },
	{ "OPTIONS " U " ICAP/1.0\r\nHost: h\r\n\n", "400" },
	{ "\nOPTIONS " U " ICAP/1.0\r\n\r\n", "400" },
	/* C039 */
	{ H(GET "X: a\rb\r\n"), "400" },
	{ H(GET "X: \001\r\n"), "400" },
	{ "OPTIONS " U "\r ICAP/1.0\r\n\r\n", "400" },
	/* C042, C043, C048-C050, C176: of no consequence here */
	{ H(GET "X-Authenticated-User: \344\366\r\nUser-Agent: \377\r\n"),
	    "REQMOD " U " 27+0 null-body 4 rest 0" },
	{ H(GET "X-Foo: 1\r\nFoo: 2\r\nTransfer-Encoding: chunked\r\n"
	    "Content-Length: 572939\r\nTrailer: X-Sum\r\nPragma: x\r\n"),
	    "REQMOD " U " 27+0 null-body 8 rest 0" },
	/* C044: Host */
	{ "REQMOD " U " ICAP/1.0\r\n" GET "\r\n",
	    "REQMOD " U " 27+0 null-body 1 rest 0" },
	{ H(GET "Host: h\r\n"), "REQMOD " U " 27+0 null-body 3 rest 0" },
	{ H(GET "Host: other\r\n"), "400" },
	/* C045: framing headers come once */
	{ H(GET GET), "400" },
	{ H(GET "Encapsulated: req-hdr=0, null-body=28\r\n"), "400" },
	{ H(GET "Preview: 1\r\nPreview: 1\r\n"), "400" },
	{ H(GET "Preview: 1\r\nPreview: 2\r\n"), "400" },
	/* C046: lists add up */
	{ H(GET "Allow: 204\r\nAllow: 206\r\nConnection: x\r\n"
	    "Connection: close\r\n"),
	    "REQMOD " U " allow 204 206 close 27+0 null-body 6 rest 0" },
	{ H(GET "Connection: keep-alive, Close\r\n"),
	    "REQMOD " U " close 27+0 null-body 3 rest 0" },
	{ H(GET "Connection: x-close, closed\r\n"),
	    "REQMOD " U " 27+0 null-body 3 rest 0" },
	/* C047: Allow is a list of tokens */
	{ H(GET "Allow: 2040\r\n"), "REQMOD " U " 27+0 null-body 3 rest 0" },
	{ H(GET "Allow: x204\r\n"), "REQMOD " U " 27+0 null-body 3 rest 0" },
	{ H(GET "Allow: \"204\"\r\n"), "REQMOD " U " 27+0 null-body 3 rest 0" },
	{ H(GET "Allow: 204;q=1\r\n"), "REQMOD " U " 27+0 null-body 3 rest 0" },
	{ H(GET "Allow: ,204,\r\n"),
	    "REQMOD " U " allow 204 27+0 null-body 3 rest 0" },
	{ H(GET "Allow: 206, Trailers\r\n"),
	    "REQMOD " U " allow 206 trailers 27+0 null-body 3 rest 0" },
	{ H(GET "Allow:\r\n"), "REQMOD " U " 27+0 null-body 3 rest 0" },
	/* C055, C064: nothing to adapt */
	{ H("Encapsulated: null-body=0\r\n"), "REQMOD " U " 400 2 rest 0" },
	{ H(""), "REQMOD " U " 400 1 rest 0" },
	{ H("Encapsulated:\r\n"), "REQMOD " U " 400 2 rest 0" },
	{ H("Encapsulated: req-body=0\r\n"),
	    "REQMOD " U " 0+0 req-body 2 rest 0" },
	/* C062, C063 */
	{ "OPTIONS " U " ICAP/1.0\r\nEncapsulated: null-body=0\r\n\r\n",
	    "OPTIONS " U " 0+0 null-body 1 rest 0" },
	{ "OPTIONS " U " ICAP/1.0\r\nEncapsulated: opt-body=0\r\n\r\n3\r\n",
	    "OPTIONS " U " 0+0 opt-body 1 rest 3" },
	/* C079 */
	{ H("Encapsulated: req-hdr=0, req-body=262144\r\n"),
	    "REQMOD " U " 262144+0 req-body 2 rest 0" },
	{ H("Encapsulated: req-hdr=0, req-body=262145\r\n"),
	    "REQMOD " U " 413 2 rest 0" },
	/* C132, C133: previews */
	{ H(GET "Preview: 1048576\r\n"),
	    "REQMOD " U " preview 1048576 27+0 null-body 3 rest 0" },
	{ H(GET "Preview: 2147483647\r\n"),
	    "REQMOD " U " preview 2147483647 27+0 null-body 3 rest 0" },
	{ H(GET "Preview: 1099511627776\r\n"),
	    "REQMOD " U " preview 1099511627776 27+0 null-body 3 rest 0" },
	{ H(GET "Preview: 1099511627777\r\n"), "400" },
	{ H(GET "Preview: 99999999999999999999\r\n"), "400" },
	{ H(GET "Preview: 18446744073709551616\r\n"), "400" },
	{ H(GET "Preview: -1\r\n"), "400" },
	{ H(GET "Preview: abc\r\n"), "400" },
	{ H(GET "Preview: 1024abc\r\n"), "400" },
	{ H(GET "Preview:  \r\n"), "400" },
	{ H(GET "Preview: 1e3\r\n"), "400" },
	{ H(GET "Preview: 0x10\r\n"), "400" },
	{ H(GET "Preview: 1, 2\r\n"), "400" },
	/* unfinished */
	{ "\r\n", "more" },
	{ "REQMOD " U " ICAP/1.0\r\n", "more" },
	{ "REQMOD " U " ICAP/1.0\r\n\r", "more" },
};

START_TEST(heads_are_understood_or_refused)
{
	unit_check_splits(play_request, rows[_i].in, strlen(rows[_i].in),
	    &standard, rows[_i].expect);
}
END_TEST

/* C039: a string cannot hold these. */
START_TEST(nul_bytes_are_refused)
{
	static const char	 value[] = H(GET "X: a\0b\r\n");
	static const char	 uri[] = "OPTIONS icap://h/e\0o ICAP/1.0\r\n"
				    "\r\n";

	unit_check_splits(play_request, value, sizeof(value) - 1, &standard,
	    "400");
	unit_check_splits(play_request, uri, sizeof(uri) - 1, &standard, "400");
}
END_TEST

/* C031, C032, C038: refused at this byte, not after the head's time-out. */
static const struct {
	const char	*in;
	size_t		 len;
} early[] = {
	{ "\026\003\001\002\001", 1 },		/* TLS hello */
	{ "\200\056\001", 1 },			/* SSL 2 hello */
	{ " ", 1 },
	{ "REQ<", 4 },
	{ "\n", 1 },
	{ "\rX", 2 },
	{ "OPTIONS " U " ICAP/1.0\n", 31 },
	{ "GET / HTTP/1.1\r\n", 16 },
	{ "OPTIONS " U " ICAP/1.0\r\nHost: h\n", 40 },
	{ "OPTIONS " U " ICAP/1.0\r\n:\r\n", 35 },
	{ "SSH-2.0-OpenSSH_9.2p1\r", 22 },
};

START_TEST(hopeless_bytes_are_refused_at_once)
{
	struct cut	 cut = { 0, 1 };
	struct text	 got = { .len = 0 };

	play_request(&cut, early[_i].in, early[_i].len, &standard, &got);
	ck_assert_str_eq(got.s, "400");
	if (early[_i].len == 1)
		return;
	got.len = 0;
	play_request(&cut, early[_i].in, early[_i].len - 1, &standard, &got);
	ck_assert_str_eq(got.s, "more");
}
END_TEST

/* C033, C051: n - 1, n, n + 1 of each limit, at every split. */
static const struct {
	const char	*in;
	struct limits	 limits;
	const char	*expect;
} limited[] = {
#define LINE	"OPTIONS " U " ICAP/1.0"			/* 30 */
#define OK	"OPTIONS " U " 0+0 null-body "
	{ LINE "\r\n\r\n", { .request_line = 31, .head = 99, .fields = 1 },
	    OK "0 rest 0" },
	{ LINE "\r\n\r\n", { .request_line = 30, .head = 99, .fields = 1 },
	    OK "0 rest 0" },
	{ LINE "\r\n\r\n", { .request_line = 29, .head = 99, .fields = 1 },
	    "414" },
	{ LINE, { .request_line = 29, .head = 99, .fields = 1 }, "414" },
	/* wrong twice: what comes first decides (C007) */
	{ LINE "\n\n", { .request_line = 29, .head = 99, .fields = 1 },
	    "414" },
	{ "OPTIONSOPTIONS<" LINE "\r\n\r\n",
	    { .request_line = 13, .head = 99, .fields = 1 }, "414" },
	{ "OPTIONSOPTIONS<" LINE "\r\n\r\n",
	    { .request_line = 14, .head = 99, .fields = 1 }, "400" },
	{ LINE "\r\nA: b\r\n\r\n",				/* 40 */
	    { .request_line = 31, .head = 41, .fields = 1 }, OK "1 rest 0" },
	{ LINE "\r\nA: b\r\n\r\n",
	    { .request_line = 31, .head = 40, .fields = 1 }, OK "1 rest 0" },
	{ LINE "\r\nA: b\r\n\r\n",
	    { .request_line = 31, .head = 39, .fields = 1 }, "400" },
	{ LINE "\r\nA: b\r\n\r\n" LINE "\r\n\r\n",	/* pipelined */
	    { .request_line = 31, .head = 40, .fields = 1 }, OK "1 rest 34" },
	{ LINE "\r\nA: bbb\r",			/* full, and no end */
	    { .request_line = 31, .head = 39, .fields = 1 }, "400" },
	{ LINE "\r\nA: bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb",
	    { .request_line = 31, .head = 40, .fields = 1 }, "400" },
	{ "\r\n\r\n" LINE "\r\n\r\n",			/* they count, too */
	    { .request_line = 31, .head = 38, .fields = 1 }, OK "0 rest 0" },
	{ "\r\n\r\n" LINE "\r\n\r\n",
	    { .request_line = 31, .head = 37, .fields = 1 }, "400" },
	{ LINE "\r\nA: b\r\nC: d\r\n\r\n",
	    { .request_line = 31, .head = 99, .fields = 3 }, OK "2 rest 0" },
	{ LINE "\r\nA: b\r\nC: d\r\n\r\n",
	    { .request_line = 31, .head = 99, .fields = 2 }, OK "2 rest 0" },
	{ LINE "\r\nA: b\r\nC: d\r\n\r\n",
	    { .request_line = 31, .head = 99, .fields = 1 }, "400" },
};

START_TEST(limits_hold_to_the_byte)
{
	unit_check_splits(play_request, limited[_i].in,
	    strlen(limited[_i].in), &limited[_i].limits, limited[_i].expect);
}
END_TEST

/* C033, C051: the defaults, whole and in pieces. */
START_TEST(default_limits_hold)
{
	static const size_t	 steps[] = { 0, 1000, 16384 };
	struct cut		 cut = { 0, steps[_i] };
	struct text		 got;
	char			*p;
	size_t			 i;

	/* a mebibyte of request line, and one of header, without an end */
	ck_assert_ptr_nonnull(p = malloc(1 << 20));
	memset(p, 'a', 1 << 20);
	memcpy(p, "OPTIONS icap://h/", 17);
	got.len = 0;
	play_request(&cut, p, 1 << 20, &standard, &got);
	ck_assert_str_eq(got.s, "414");
	memcpy(p, LINE "\r\nX: ", 35);
	got.len = 0;
	play_request(&cut, p, 1 << 20, &standard, &got);
	ck_assert_str_eq(got.s, "400");

	/* one value of 60000 bytes, and 200 or 201 fields */
	memcpy(p + 60000, "\r\n\r\n", 4);
	got.len = 0;
	play_request(&cut, p, 60004, &standard, &got);
	ck_assert_str_eq(got.s, OK "1 rest 0");
	for (i = 0; i < 201; i++)
		memcpy(p + 32 + i * 6, "A: b\r\n", 6);
	memcpy(p + 32 + 200 * 6, "\r\n", 2);
	got.len = 0;
	play_request(&cut, p, 32 + 200 * 6 + 2, &standard, &got);
	ck_assert_str_eq(got.s, OK "200 rest 0");
	memcpy(p + 32 + 200 * 6, "A: b\r\n\r\n", 8);
	got.len = 0;
	play_request(&cut, p, 32 + 201 * 6 + 2, &standard, &got);
	ck_assert_str_eq(got.s, "400");
	free(p);
}
END_TEST

static const struct {
	const char	*vector;
	const char	*expect;
} vectors[] = {
	{ "rfc3507-1", "REQMOD icap://icap-server.net/server?arg=87 "
	    "170+0 null-body 2 rest 170" },
	{ "rfc3507-2", "REQMOD icap://icap-server.net/server?arg=87 "
	    "147+0 req-body 2 rest 188" },
	{ "rfc3507-3", "REQMOD icap://icap-server.net/content-filter "
	    "119+0 null-body 2 rest 119" },
	{ "rfc3507-4", "RESPMOD icap://icap.example.org/satisf "
	    "137+159 res-body 2 rest 358" },
	{ "rfc3507-options", "OPTIONS icap://icap.server.net/sample-service "
	    "0+0 null-body 2 rest 0" },
	{ "reqmod-get", "REQMOD icap://127.0.0.1:1344/echo "
	    "27+0 null-body 2 rest 27" },
	{ "reqmod-post", "REQMOD icap://127.0.0.1:1344/echo "
	    "48+0 req-body 2 rest 63" },
	{ "respmod-s", "RESPMOD icap://127.0.0.1:1344/echo "
	    "27+64 res-body 2 rest 106" },
	{ "respmod-304", "RESPMOD icap://127.0.0.1:1344/echo "
	    "27+40 null-body 2 rest 67" },
};

START_TEST(vectors_are_understood)
{
	size_t	 len;
	char	*in = unit_read_vector(vectors[_i].vector, &len);

	unit_check_splits(play_request, in, len, &standard,
	    vectors[_i].expect);
	free(in);
}
END_TEST

/* A time-out is told (408) only to a client that has begun to speak. */
START_TEST(empty_lines_are_no_beginning)
{
	struct header_field	 storage[4];
	struct limits		 limits = LIMITS_DEFAULT;
	struct request		 r;
	struct fault		 fault;
	char			 in[] = "\r\n\r\nO";

	limits.fields = 4;
	request_init(&r, &limits, storage);
	ck_assert(!request_has_begun(&r, 0));
	ck_assert_int_eq(request_parse(&r, in, 4, &fault), PARSE_MORE);
	ck_assert(!request_has_begun(&r, 4));
	ck_assert_int_eq(request_parse(&r, in, 5, &fault), PARSE_MORE);
	ck_assert(request_has_begun(&r, 5));
}
END_TEST

START_TEST(methods_have_names)
{
	ck_assert_str_eq(request_method_name(ICAP_OPTIONS), "OPTIONS");
	ck_assert_str_eq(request_method_name(ICAP_REQMOD), "REQMOD");
	ck_assert_str_eq(request_method_name(ICAP_RESPMOD), "RESPMOD");
	ck_assert_str_eq(request_method_name(ICAP_UNKNOWN), "UNKNOWN");
}
END_TEST

static void
add(TCase *tc)
{
	unit_add_rows(tc, heads_are_understood_or_refused, rows);
	tcase_add_test(tc, nul_bytes_are_refused);
	unit_add_rows(tc, hopeless_bytes_are_refused_at_once, early);
	unit_add_rows(tc, limits_hold_to_the_byte, limited);
	tcase_add_loop_test(tc, default_limits_hold, 0, 3);
	unit_add_rows(tc, vectors_are_understood, vectors);
	tcase_add_test(tc, empty_lines_are_no_beginning);
	tcase_add_test(tc, methods_have_names);
}

int
main(void)
{
	return unit_main("request", add);
}
