/* SPDX-License-Identifier: ISC */
/*
 * What clamav sees in heads, messages and parts of parts: every file that some
 * reader makes of them is handed on, and what readers may differ about has a
 * reason.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../services/clamav.h"
#include "unit.h"

#define CTE	"Content-Transfer-Encoding"
#define CT	"Content-Type"

/* ---- heads -------------------------------------------------------------- */

/*
 * "b"ase64, "q"uoted, "C": an odd coding; "m"ultipart, message "r", "h"ttp,
 * "K": an odd kind; "p"acked; "l"ength, "L": an odd one.
 */
static const struct {
	const char	*head;
	const char	*expect;
} heads[] = {
	{ "A: b", "" },
	{ CTE ": binary", "" },
	{ CTE ":\r\n 8bit\t", "" },
	{ "content-transfer-encoding:7BIT\r\nA: b", "" },
	{ CTE ":\r\nA: base64", "" },
	{ CTE ": base64", "b" },
	{ CTE ":BASE64 \r\nA: b", "b" },
	{ "A: b\r\n" CTE ": Quoted-Printable", "q" },
	{ CTE ":\r\n base64", "b" },
	{ "A: " CTE ": base64", "" },
	{ "A: b; " CTE ": base64\r\n" CTE ": binary", "" },
	/* which one, and is it one? */
	{ "A: b\r\n" CTE " : Quoted-Printable", "C" },
	{ CTE ": binary, base64", "C" },
	{ CTE ": 8bit\r\n base64", "C" },
	{ CTE ": 8bit\r\n" CTE ": base64", "C" },
	{ CTE ": base64\r\n" CTE ": base64", "C" },
	{ CTE ": 8bit\n" CTE ": base64", "C" },
	{ "A: b\r\nC: d\n" CTE ": base64", "C" },
	{ "A: b\r" CTE ": base64", "C" },
	{ "A: b\r\n " CTE ": base64", "C" },
	{ " " CTE ": base64", "C" },
	{ "nothing\r\n" CTE ": base64", "C" },
	{ "A: b\001\r\n" CTE ": base64", "C" },
	{ "A: b\n\n" CTE ": base64", "C" },
	{ CTE ": \"base64\"", "C" },
	{ CTE ": base64 (c)", "C" },
	{ CTE ": base64;", "C" },
	{ CTE ": x-uuencode", "C" },
	{ CTE ": gzip", "C" },
	{ CTE "\t: base64", "C" },
	/* types */
	{ CT ": text/plain", "" },
	{ "Content-Disposition: form-data; filename=\"multipart/x\"", "" },
	{ "X-" CT "-Options: nosniff", "" },
	{ CT ": Multipart/mixed; boundary=YY", "m" },
	{ CT ": multipart/mixed;\r\n boundary=\"YY\"", "m" },
	{ "X-" CT "-Options: nosniff\r\n" CT ": multipart/mixed; boundary=Y",
	    "m" },
	{ CT ": message/rfc822", "r" },
	{ CT ": message/rfc822; charset=x", "r" },
	{ CT ": application/http", "h" },
	{ CT ":Application/HTTP ; msgtype=request", "h" },
	{ CT ": message/http", "h" },
	{ CT ": application/http-index-format", "" },
	{ CT ": message/partial; number=1", "K" },
	{ CT ": multipart/mixed", "K" },
	{ CT ": text/plain\r\n" CT ": application/http", "K" },
	{ CT ": message/rfc822\r\n" CT ": message/rfc822", "K" },
	{ CT ": text/plain, message/rfc822", "K" },
	{ CT ": text/plain, application/http", "K" },
	{ "A: b\r\n" CT " : text/x, multipart/mixed", "K" },
	{ "A: b\r\n " CT ": message/rfc822", "K" },
	{ "A: b\r\nC: d\n" CT ": message/rfc822", "K" },
	{ CT ":\r\n multipart/mixed; boundary=YY\r\n" CTE ": base64", "bm" },
	/* codings of HTTP, and lengths */
	{ "Content-Encoding: identity\r\nTransfer-Encoding:", "" },
	{ "Content-Encoding: gzip", "p" },
	{ "transfer-encoding: chunked", "p" },
	{ "Vary: Content-Encoding\r\nTE: Transfer-Encoding: x", "" },
	{ "Content-Length: 12", "l" },
	{ "Content-Length: 12\r\nContent-Length: 12", "L" },
	{ "Content-Length: -1", "L" },
	{ "Content-Length : 1", "L" },
	{ "Content-Length:", "L" },
};

static void
describe(char *saw, const struct clamav_head *h)
{
	static const char *const	 coding[] = {
		[CLAMAV_CODING_NONE] = "", [CLAMAV_BASE64] = "b",
		[CLAMAV_QUOTED] = "q", [CLAMAV_CODING_ODD] = "C"
	};
	static const char *const	 kind[] = {
		[CLAMAV_FILE] = "", [CLAMAV_MULTIPART] = "m",
		[CLAMAV_MAIL] = "r", [CLAMAV_HTTP] = "h",
		[CLAMAV_KIND_ODD] = "K"
	};

	(void)snprintf(saw, 8, "%s%s%s%s", coding[h->coding], kind[h->kind],
	    h->is_packed ? "p" : "", !h->has_length ? "" :
	    h->is_length_odd ? "L" : "l");
}

START_TEST(head_of_a_part)
{
	static const char *const	 ends[] = { "\r\n\r\n", "\r\n", "" };
	struct clamav_head		 h;
	struct slice			 head;
	char				 text[256], saw[8];
	size_t				 i;

	for (i = 0; i < ROWS(ends); i++) {
		(void)snprintf(text, sizeof(text), "%s%s", heads[_i].head,
		    ends[i]);
		head.len = strlen(text);
		head.p = memcpy(malloc(head.len + 1), text, head.len);
		clamav_head_parse(&h, head);
		describe(saw, &h);
		ck_assert_msg(strcmp(saw, heads[_i].expect) == 0,
		    "%s: %s, not %s", text, saw, heads[_i].expect);
		if (h.kind == CLAMAV_MULTIPART)
			ck_assert(h.boundary.p > head.p && h.boundary.p +
			    h.boundary.len <= head.p + head.len);
		free((void *)(uintptr_t)head.p);
	}
}
END_TEST

/* The head in brackets and the rest; NULL: it is not clear. */
static const struct {
	const char	*message;
	bool		 is_http;
	const char	*expect;
} messages[] = {
	{ "A: b\r\n\r\none\r\n\r\ntwo", false, "[A: b\r\n\r\n]one\r\n\r\ntwo" },
	{ "A: b\n\none", false, "[A: b\n\n]one" },
	{ "\r\none", false, "[\r\n]one" },
	{ "A: b", false, "[A: b]" },
	{ "A: b\r\n", false, "[A: b\r\n]" },
	{ "POST /x HTTP/1.1\r\nA: b\r\n\r\none", true, "[A: b\r\n\r\n]one" },
	{ "HTTP/1.1 200 OK\r\n\r\none", true, "[\r\n]one" },
	{ "GET a HTTP/1.0", true, "[]" },
	{ "GET a HTTP/1.0\r\n", true, "[]" },
	{ "GET a HTTP/1.0\r\n\r\n", true, "[\r\n]" },
	{ "PATCH /x(1)?$a=b c HTTP/1.1\nA: b\n\none", true, "[A: b\n\n]one" },
	{ "From a b\r\nA: b\r\n\r\none", false, NULL },
	{ "A: b\r\nnothing\r\n\r\none", false, NULL },
	{ "A: b\n\r\none", false, NULL },
	{ "A: b\r\n\none", false, NULL },
	{ " A: b\r\n\r\none", false, NULL },
	{ "A: b\r\n\r\none", true, NULL },
	{ "POST /x\r\nA: b\r\n\r\none", true, NULL },
	{ "POST /x HTTP/1.1\nA: b\r\n\r\none", true, NULL },
	{ "\r\nPOST /x HTTP/1.1\r\nA: b\r\n\r\none", true, NULL },
	{ " HTTP/1.1\r\n\r\none", true, NULL },
	{ CTE ": base64 HTTP/1.1\r\n\r\none", true, NULL },
};

START_TEST(head_of_a_message)
{
	struct slice	 message = unit_slice(messages[_i].message), head, rest;
	struct text	 out = { "", 0 };

	if (!clamav_head_split(message, messages[_i].is_http, &head, &rest)) {
		ck_assert(messages[_i].expect == NULL);
		return;
	}
	text_addf(&out, "[%.*s]%.*s", (int)head.len, head.p, (int)rest.len,
	    rest.p);
	ck_assert(messages[_i].expect != NULL);
	ck_assert_str_eq(out.s, messages[_i].expect);
}
END_TEST

/* ---- all that is in a body ---------------------------------------------- */

struct seen {
	struct text		 out;
	const struct clamav_walk *walk;
	uint64_t		 bytes;
	unsigned int		 left;		/* files, and then no more */
};

static bool
see(void *arg, size_t offset, size_t len)
{
	struct seen	*seen = arg;

	ck_assert(offset <= seen->walk->len &&
	    len <= seen->walk->len - offset && len > 0);
	seen->bytes += len;
	text_addf(&seen->out, "[%.*s]", (int)len, seen->walk->p + offset);
	return seen->left-- > 1;
}

static bool
see_decoded(void *arg, struct clamav_decoder *d, size_t offset, size_t len)
{
	struct seen	*seen = arg;
	char		 dst[CLAMAV_DECODE_ROOM(256)];
	size_t		 n;

	ck_assert(len <= 256);
	n = clamav_decode_add(d, seen->walk->p + offset, len, dst);
	if (clamav_decode_end(d))
		text_addf(&seen->out, "{%.*s}", (int)n, dst);
	else
		d->is_odd = true;
	return true;
}

static void
see_reason(void *arg, enum clamd_result result, const char *text)
{
	struct seen	*seen = arg;

	ck_assert(*text != '\0');
	text_addf(&seen->out, "!%s", clamd_reason(result));
}

/* Its files: as they are, decoded, and reasons. */
static void
walk(struct seen *seen, const char *body, unsigned int max_parts,
    unsigned int files)
{
	struct clamav_walk	 w = {
		.len = strlen(body),
		.max_parts = max_parts,
		.scan = see,
		.decode = see_decoded,
		.reason = see_reason,
		.arg = seen,
	};
	char			*copy = malloc(w.len + 1);

	ck_assert(copy != NULL);
	w.p = memcpy(copy, body, w.len);
	memset(seen, 0, sizeof(*seen));
	seen->walk = &w;
	seen->left = files;
	(void)clamav_walk_form(&w, unit_slice("XX"));
	ck_assert(seen->bytes <= 2 * CLAMAV_DEPTH_MAX * w.len);
	free(copy);
}

#define IN	"--XX\r\n"
#define OUT	"\r\n--XX--"
#define B64	CTE ": base64\r\n"
#define YY	CT ": multipart/mixed; boundary=YY\r\n"
#define HTTP	CT ": application/http\r\n" CTE ": binary\r\n"
#define MAIL	CT ": message/rfc822\r\n"

static const struct {
	const char	*body;
	const char	*expect;
} bodies[] = {
	{ IN "A: b\r\n\r\none" OUT, "[one]" },
	/* codings */
	{ IN B64 "\r\nb25l" OUT, "[b25l]{one}" },
	{ "--XX\n" CTE ": base64\n\nb25l\n--XX--", "[b25l]{one}" },
	{ IN CTE ": quoted-printable\r\n\r\no=6Ee" OUT, "[o=6Ee]{one}" },
	{ IN CTE ": quoted-printable\r\n\r\no=\r\nn\r\ne" OUT,
	    "[o=\r\nn\r\ne]{on\r\ne}{on\ne}" },
	{ "--XX\n" CTE ": quoted-printable\n\no=\nn\ne\n--XX--",
	    "[o=\nn\ne]{on\ne}{on\r\ne}" },
	{ "--XX\n" CTE ": quoted-printable\n\no=\r\nn\n--XX--",
	    "[o=\r\nn]!encoded" },
	{ IN B64 "\r\nb25" OUT, "[b25]!encoded" },
	{ IN B64 "\r\nb25l\r\n\r\nb25l" OUT, "[b25l\r\n\r\nb25l]!encoded" },
	{ IN B64 B64 "\r\nb25l" OUT, "[b25l]!encoded" },
	{ IN CTE ": x-uue\r\n\r\nb25l" OUT, "[b25l]!encoded" },
	{ IN B64 "\r\n" OUT, "" },
	{ IN "Content-Encoding: gzip\r\n\r\none" OUT, "[one]!encoded" },
	/* for some its header ends before */
	{ IN "A: b\n\n" B64 "\r\nb25l" OUT,
	    "[b25l]!encoded[" B64 "\r\nb25l]!encoded" },
	/* both ways to cut it */
	{ IN B64 "\r\nb25l\n--XX\r\n\r\none" OUT,
	    "[b25l\n--XX\r\n\r\none]!encoded[b25l]{one}[one]" },
	/* parts in a part */
	{ IN YY "\r\n--YY\r\n\r\none\r\n--YY\r\n" B64 "\r\ndHdv\r\n--YY--" OUT,
	    "[--YY\r\n\r\none\r\n--YY\r\n" B64 "\r\ndHdv\r\n--YY--]"
	    "[one][dHdv]{two}" },
	{ IN YY B64 "\r\nb25l" OUT, "[b25l]!encoded" },
	{ IN YY "\r\none" OUT, "[one]!form" },
	{ IN CT ": multipart/mixed\r\n\r\none" OUT, "[one]!form" },
	{ IN CT ": multipart/mixed; boundary=XX\r\n\r\none" OUT,
	    "[one]!form" },
	{ IN YY YY "\r\n--YY\r\n\r\none\r\n--YY--" OUT,
	    "[--YY\r\n\r\none\r\n--YY--]!form" },
	{ IN CTE ": x\r\n" CT ": multipart/a\r\n\r\none" OUT,
	    "[one]!form!encoded" },
	{ IN B64 MAIL "\r\nb25l" OUT, "[b25l]!encoded" },
	/* messages */
	{ IN MAIL "\r\nA: b\r\n\r\none" OUT, "[A: b\r\n\r\none][one]" },
	{ IN MAIL "\r\n" B64 "\r\nb25l" OUT,
	    "[" B64 "\r\nb25l][b25l]{one}" },
	{ IN MAIL "\r\n" YY "\r\n--YY\r\n\r\none\r\n--YY--" OUT,
	    "[" YY "\r\n--YY\r\n\r\none\r\n--YY--]"
	    "[--YY\r\n\r\none\r\n--YY--][one]" },
	/* what is not clear in mail is the engine's */
	{ IN MAIL "\r\none" OUT, "[one]" },
	{ IN MAIL "\r\n" B64 "\r\nb25" OUT, "[" B64 "\r\nb25][b25]" },
	{ IN MAIL "\r\n" CT ": multipart/x\r\n\r\none" OUT,
	    "[" CT ": multipart/x\r\n\r\none][one]" },
	{ IN MAIL "\r\n" B64 "\r\nb25\r\n" IN B64 "\r\nb25" OUT,
	    "[" B64 "\r\nb25][b25][b25]!encoded" },
	{ IN HTTP "\r\nPUT /x HTTP/1.1\r\nA: b\r\n\r\none" OUT,
	    "[PUT /x HTTP/1.1\r\nA: b\r\n\r\none][one]" },
	{ IN HTTP "\r\nGET /x HTTP/1.1\r\nA: b\r\n\r\n" OUT,
	    "[GET /x HTTP/1.1\r\nA: b\r\n\r\n]" },
	{ IN HTTP "\r\nHTTP/1.1 200 OK\r\nContent-Encoding: br\r\n\r\none" OUT,
	    "[HTTP/1.1 200 OK\r\nContent-Encoding: br\r\n\r\none][one]"
	    "!encoded" },
	{ IN HTTP "\r\nnothing\r\n\r\none" OUT,
	    "[nothing\r\n\r\none]!form" },
	{ IN HTTP "\r\nPUT /x HTTP/1.1\r\nContent-Length: 3\r\n\r\none" OUT,
	    "[PUT /x HTTP/1.1\r\nContent-Length: 3\r\n\r\none][one]" },
	{ IN HTTP "\r\nPUT /x HTTP/1.1\r\nContent-Length: 9\r\n\r\none" OUT,
	    "[PUT /x HTTP/1.1\r\nContent-Length: 9\r\n\r\none][one]" },
	{ IN HTTP "\r\nPUT /x HTTP/1.1\r\nContent-Length: 3\r\n\r\none\r\n" OUT,
	    "[PUT /x HTTP/1.1\r\nContent-Length: 3\r\n\r\none\r\n]"
	    "[one\r\n][one]" },
	{ IN HTTP "\r\nPUT /x HTTP/1.1\r\nContent-Length: 1\r\n\r\none" OUT,
	    "[PUT /x HTTP/1.1\r\nContent-Length: 1\r\n\r\none][one]!form[o]" },
	{ IN HTTP "\r\nPUT /x HTTP/1.1\r\nContent-Length: a\r\n\r\none" OUT,
	    "[PUT /x HTTP/1.1\r\nContent-Length: a\r\n\r\none][one]!form" },
	/* a changeset */
	{ IN YY "\r\n--YY\r\n" HTTP "\r\nPUT /x HTTP/1.1\r\n" B64
	    "\r\nb25l\r\n--YY--" OUT,
	    "[--YY\r\n" HTTP "\r\nPUT /x HTTP/1.1\r\n" B64
	    "\r\nb25l\r\n--YY--][PUT /x HTTP/1.1\r\n" B64 "\r\nb25l]"
	    "[b25l]{one}" },
};

START_TEST(files_in_a_body)
{
	struct seen	 seen;

	walk(&seen, bodies[_i].body, 100, 100);
	ck_assert_str_eq(seen.out.s, bodies[_i].expect);
}
END_TEST

START_TEST(parts_are_counted)
{
	static const char	 body[] = IN YY "\r\n--YY\r\n\r\none"
				    "\r\n--YY\r\n\r\ntwo\r\n--YY--"
				    "\r\n" IN "\r\n\r\n--XX--";
	struct seen		 seen;
	unsigned int		 n;

	for (n = 1; n <= 5; n++) {
		walk(&seen, body, n, 100);
		ck_assert_int_eq(strstr(seen.out.s, "!limit") != NULL, n < 4);
		ck_assert_int_eq(strstr(seen.out.s, "[two]") != NULL, n > 2);
	}
}
END_TEST

/* Where scan() says that it is enough there is no other file. */
START_TEST(it_can_be_ended)
{
	struct seen	 seen;

	walk(&seen, IN MAIL "\r\nA: b\r\n\r\none\r\n" IN "\r\ntwo" OUT, 9, 2);
	ck_assert_str_eq(seen.out.s, "[A: b\r\n\r\none][one]");
	walk(&seen, IN B64 "\r\nb25l\r\n" IN "\r\ntwo" OUT, 9, 1);
	ck_assert_str_eq(seen.out.s, "[b25l]");
}
END_TEST

/* A message in a message, so many times: of as many levels as there may be. */
START_TEST(depth_has_a_limit)
{
	struct seen	 seen;
	char		 body[1024];
	unsigned int	 n, i;

	for (n = 0; n <= CLAMAV_DEPTH_MAX; n++) {
		(void)strlcpy(body, IN, sizeof(body));
		for (i = 0; i < n; i++)
			(void)strlcat(body, HTTP "\r\nPUT / HTTP/1.1\r\n",
			    sizeof(body));
		(void)strlcat(body, "A: b\r\n\r\none" OUT, sizeof(body));
		walk(&seen, body, 100, 100);
		ck_assert(strstr(seen.out.s, "!limit") == NULL);
		ck_assert_int_eq(strstr(seen.out.s, "!form") != NULL,
		    n >= CLAMAV_DEPTH_MAX);
		ck_assert_int_eq(strstr(seen.out.s, "[one]") != NULL,
		    n < CLAMAV_DEPTH_MAX);
	}
}
END_TEST

/* Delimiters that are all open: the work does not double with each level. */
START_TEST(work_has_a_bound)
{
	static struct seen	 seen;
	char			 body[2048], text[128];
	int			 i;

	(void)strlcpy(body, "\n--XX\n", sizeof(body));
	for (i = 0; i < CLAMAV_DEPTH_MAX; i++) {
		(void)snprintf(text, sizeof(text), CT ": multipart/a; "
		    "boundary=Y%d\r\n\r\n--Y%d\r\n%s\n--Y%dx\n", i, i,
		    i == CLAMAV_DEPTH_MAX - 1 ? "\r\n" : "", i);
		(void)strlcat(body, text, sizeof(body));
	}
	(void)strlcat(body, "end\r\n--XX--", sizeof(body));
	walk(&seen, body, 10000, 10000);
	ck_assert(seen.bytes > 2 * strlen(body));
}
END_TEST

/* All bodies of a few pieces: it ends, within bounds that walk() looks at. */
START_TEST(any_body_has_an_end)
{
	static const char *const	 pieces[] = {
		IN, OUT, "--YY\r\n", YY "\r\n", MAIL "\r\n", HTTP "\r\n",
		B64 "\r\n", "PUT / HTTP/1.1\r\n", "Content-Length: 1\r\n",
		"AAAA", "\r\n", "\n"
	};
	struct seen			 seen;
	char				 text[256];
	unsigned int			 i, k, left;

	for (i = 0; i < 12 * 12 * 12 * 12; i++) {
		(void)strlcpy(text, IN, sizeof(text));
		for (k = 0, left = i; k < 4; k++, left /= 12)
			(void)strlcat(text, pieces[left % 12], sizeof(text));
		walk(&seen, text, 100, 100);
	}
}
END_TEST

static void
add(TCase *tc)
{
	unit_add_rows(tc, head_of_a_part, heads);
	unit_add_rows(tc, head_of_a_message, messages);
	unit_add_rows(tc, files_in_a_body, bodies);
	tcase_add_test(tc, parts_are_counted);
	tcase_add_test(tc, it_can_be_ended);
	tcase_add_test(tc, depth_has_a_limit);
	tcase_add_test(tc, work_has_a_bound);
	tcase_add_test(tc, any_body_has_an_end);
}

int
main(void)
{
	return unit_main("parts", add);
}
