/* SPDX-License-Identifier: ISC */
/*
 * Multipart bodies as clamav takes them apart: what a Content-Type says, and
 * where parts begin and end.  Whatever some reader of a form may see as a part
 * has to be one here, or the form has to be in doubt.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../services/clamav.h"
#include "unit.h"

#define FORM	"multipart/form-data; "

/* What the Content-Type says: "?" unclear, NULL no form, else the boundary. */
static const struct {
	const char	*type;
	const char	*boundary;
} types[] = {
	{ "", NULL },
	{ "text/plain; boundary=XX", NULL },
	{ "multipartx; boundary=XX", NULL },
	{ "application/vnd.multipart+json", NULL },
	{ FORM "boundary=XX", "XX" },
	{ "Multipart/Form-Data; Boundary=\"XX\"", "XX" },
	{ "multipart/mixed; boundary=XX", "XX" },
	{ "multipart/related; type=\"a/b; c\"; boundary=XX; start=\"<a>\"",
	    "XX" },
	{ " " FORM "boundary=XX", "XX" },
	{ "multipart/form-data ;\tboundary=XX ; charset=x ;", "XX" },
	{ "multipart/form-data;\r\n boundary=XX", "XX" },
	{ "multipart/form-data;;boundary=XX", "XX" },
	{ FORM "boundary=--WebKitFormBoundaryA", "--WebKitFormBoundaryA" },
	{ FORM "boundary=*****", "*****" },
	{ FORM "boundary=\"=_a'()+/:?.b\"", "=_a'()+/:?.b" },
	{ FORM "boundary==XX", "=XX" },
	/* in quotes a blank is one, and a comma */
	{ FORM "boundary=\"=_mixed 0052287D80258B9A_=\"",
	    "=_mixed 0052287D80258B9A_=" },
	{ FORM "boundary=\"B  B\"; charset=x", "B  B" },
	{ FORM "boundary=\"B,B,\"", "B,B," },
	{ FORM "a=\"x\\\"; y\"; boundary=XX", "XX" },
	/* none */
	{ "multipart/form-data", "?" },
	{ "multipart/", "?" },
	{ FORM "boundary=", "?" },
	{ FORM "boundary=\"\"", "?" },
	{ FORM "boundary", "?" },
	/* what is another one for somebody */
	{ FORM "xboundary=CC; boundary=BB", "?" },
	{ FORM "boundary=BB; xboundary=CC", "?" },
	{ FORM "x=boundary=CC; boundary=BB", "?" },
	{ FORM "x=\"; Boundary=CC\"; boundary=BB", "?" },
	{ FORM "boundary=BB; boundary=CC", "?" },
	{ FORM "boundary=BB; BOUNDARY=BB", "?" },
	{ FORM "boundary*=''BB", "?" },
	{ FORM "boundary*0=B; boundary*1=B", "?" },
	{ FORM "boundary = BB", "?" },
	{ FORM "boundary= BB", "?" },
	{ FORM "boundary=\"B\\B\"", "?" },
	{ FORM "boundary=\" BB\"", "?" },
	{ FORM "boundary=\"BB \"", "?" },
	{ FORM "boundary=\" \"", "?" },
	{ FORM "boundary=\"B\tB\"", "?" },
	{ FORM "boundary=\"B\r\n B\"", "?" },
	{ FORM "boundary=\"B;B\"", "?" },
	{ FORM "boundary=\"B;B\"; boundary=BB", "?" },
	{ FORM "boundary=\"BB", "?" },
	{ FORM "boundary=\"BB\\\"", "?" },
	{ FORM "boundary=\"BB\"C", "?" },
	{ FORM "boundary=B\"B", "?" },
	{ FORM "boundary=B,B", "?" },
	{ FORM "boundary=B\\B", "?" },
	{ FORM "boundary=BB CC", "?" },
	{ FORM "boundary=B\303\244", "?" },
	{ FORM "charset; boundary=BB", "?" },
	{ FORM "=x; boundary=BB", "?" },
	{ "multipart/form-data, boundary=BB", "?" },
	{ "multipart/form-data boundary=BB", "?" },
	{ "multipart /form-data; boundary=BB", "?" },
	{ "text/plain, multipart/form-data; boundary=BB", "?" },
	{ "text/plain; x=multipart/form-data; boundary=BB", "?" },
};

START_TEST(type_is_understood)
{
	static const enum clamav_form_kind	 kinds[] = {
		CLAMAV_FORM_NONE, CLAMAV_FORM_UNCLEAR, CLAMAV_FORM_IS
	};
	const char		*want = types[_i].boundary;
	size_t			 len = strlen(types[_i].type);
	char			*copy = malloc(len + 1);
	struct slice		 type = { copy, len }, boundary;
	enum clamav_form_kind	 kind;

	ck_assert(copy != NULL);
	memcpy(copy, types[_i].type, len);	/* and no NUL */
	kind = clamav_form_type(type, &boundary);
	ck_assert_int_eq(kind, kinds[want == NULL ? 0 :
	    strcmp(want, "?") == 0 ? 1 : 2]);
	if (kind == CLAMAV_FORM_IS)
		ck_assert(slice_is(boundary, want));
	free(copy);
}
END_TEST

START_TEST(boundary_has_a_limit)
{
	char		 type[400];
	struct slice	 boundary;
	size_t		 n;

	for (n = CLAMAV_BOUNDARY_MAX - 1; n <= CLAMAV_BOUNDARY_MAX + 1; n++) {
		(void)strlcpy(type, FORM "boundary=", sizeof(type));
		memset(type + strlen(type), 'x', n + 1);
		type[strlen(FORM "boundary=") + n] = '\0';
		ck_assert_int_eq(clamav_form_type(unit_slice(type),
		    &boundary), n <= CLAMAV_BOUNDARY_MAX ? CLAMAV_FORM_IS :
		    CLAMAV_FORM_UNCLEAR);
	}
}
END_TEST

/* The contents of the parts, each in brackets; and is it in doubt? */
static const struct {
	const char	*body;
	const char	*parts;
	bool		 doubt;
} forms[] = {
	{ "--XX\r\nA: b\r\n\r\none\r\n--XX\r\nA: b\r\n\r\ntwo\r\n--XX--\r\n",
	    "[one][two]", false },
	{ "--XX\r\nA: b\r\nC: d\r\n\r\n\r\n--XX\r\n\r\n\r\n--XX--",
	    "[][]", false },
	{ "pre\r\n--XX\r\n\r\none\r\n--XX--\r\npost", "[one][post]", false },
	{ "--XX--\r\n", "", false },
	{ "--XX--", "", false },
	/* lines end in LF */
	{ "--XX\nA: b\n\none\n--XX\n\ntwo\n--XX--\n", "[one][two]", false },
	{ "pre\r\n--XX\n\none\n--XX--\n", "[one]", false },
	{ "--XX\r\nA: b\n\none\r\n--XX--\r\n", "[A: b\n\none][one]", false },
	{ "--XX\r\nA: b\n\none\r\n\r\ntwo\r\n--XX--\r\n",
	    "[two][one\r\n\r\ntwo]", false },
	/* no end, no header, nothing */
	{ "--XX\r\nA: b\r\n\r\none", "[one]", false },
	{ "--XX\r\none\r\n--XX--\r\n", "[one]", false },
	{ "--XX\r\n--XX--\r\n", "[]", false },
	{ "--XX", "[]", false },
	{ "--XX\r\nA: b\r\n--XX\r\nC: d\r\n\r\none\r\n--XX--",
	    "[A: b][one]", false },
	/* what is a delimiter for some */
	{ "--XX\r\n\r\na--XX\r\n-XX\r\n--XX--\r\n", "[a--XX\r\n-XX][a][-XX]",
	    false },
	{ "--XX\r\n\r\none\r\n--XXyz\r\ntwo\r\n--XX--\r\n",
	    "[one\r\n--XXyz\r\ntwo][one][yz\r\ntwo]", false },
	{ "--XX\r\n\r\none\n--XX\r\n\r\ntwo\r\n--XX--\r\n",
	    "[one\n--XX\r\n\r\ntwo][one][two]", false },
	{ "--XX\r\n\r\none\r\n--XX \t\r\n\r\ntwo\r\n--XX--\r\n",
	    "[one\r\n--XX \t\r\n\r\ntwo][one][two]", false },
	{ "--XX\r\n\r\none\r\n--XX--\r\n--XX\r\n\r\ntwo\r\n--XX--\r\n",
	    "[one][two]", false },
	{ "--XX\r\n\r\none\r\n--XX--x\r\n\r\ntwo\r\n--XX--\r\n",
	    "[one\r\n--XX--x\r\n\r\ntwo][one][two]", false },
	{ "x--XX\r\n\r\none", "[one]", false },
	/* and of more than one kind, so that there are more ways to cut it */
	{ "--XX\r\n\r\none\n--XX\r\n\r\ntwo\r\n--XXyz\r\n\r\nx\r\n--XX--",
	    "[one\n--XX\r\n\r\ntwo\r\n--XXyz\r\n\r\nx][one][two][x]", true },
	{ "--XX--XX", "", true },
	{ "nothing", "", true },
	{ "-XX", "", true },
};

START_TEST(parts_of_a_form)
{
	struct clamav_form	 f;
	struct clamav_part	 part;
	struct text		 out = { "", 0 };
	size_t			 len = strlen(forms[_i].body);
	char			*body = malloc(len + 1);
	unsigned int		 parts = 0;

	ck_assert(body != NULL);
	memcpy(body, forms[_i].body, len);
	clamav_form_init(&f, unit_slice("XX"), body, len);
	while (clamav_form_next(&f, &part) && parts++ < 20) {
		ck_assert(part.offset <= len && part.len <= len - part.offset);
		ck_assert(part.head.p + part.head.len == body + part.offset);
		text_addf(&out, "[%.*s]", (int)part.len, body + part.offset);
	}
	ck_assert_str_eq(out.s, forms[_i].parts);
	ck_assert_int_eq(clamav_form_doubt(&f) != NULL, forms[_i].doubt);
	free(body);
}
END_TEST

/* A header that some see: "c"oded, "n"ested. */
static const struct {
	const char	*body;
	const char	*expect;
} headers[] = {
	{ "--XX\r\nContent-Transfer-Encoding: base64\r\n\r\nx\r\n--XX--", "" },
	{ "--XX\r\nA: b\n\nContent-Transfer-Encoding: base64\r\n\r\nx\r\n--XX",
	    "c" },
	{ "--XX\r\nContent-Transfer-Encoding: base64\r\nx\r\n--XX--", "c" },
	{ "--XX\r\nContent-Transfer-Encoding: binary\r\nx\r\n--XX--", "" },
	{ "--XX\r\nContent-Type: message/rfc822\r\nx\r\n--XX--", "n" },
	{ "--XX\nA: b\n\nContent-Transfer-Encoding: binary\r\n\r\nx\n--XX--",
	    "" },
	{ "--XX\nA: b\n\nContent-Type: Multipart/mixed\r\n\r\nx\n--XX--", "n" },
	{ "--XX\nA: b\n\nContent-Type: message/rfc822\r\n\r\nx\n--XX--", "n" },
};

START_TEST(header_that_some_see)
{
	struct clamav_form	 f;
	struct clamav_part	 part;
	struct slice		 body = unit_slice(headers[_i].body);
	char			 saw[4];

	clamav_form_init(&f, unit_slice("XX"), body.p, body.len);
	while (clamav_form_next(&f, &part))
		;
	(void)snprintf(saw, sizeof(saw), "%s%s", f.is_coded ? "c" : "",
	    f.is_nested ? "n" : "");
	ck_assert_str_eq(saw, headers[_i].expect);
	ck_assert(!f.is_nested || clamav_form_doubt(&f) != NULL);
}
END_TEST

/* Every body of a few pieces: nothing is read beyond it, and it ends. */
START_TEST(any_body_has_an_end)
{
	static const char *const	 pieces[] = {
		"--XX", "\r\n", "\n", "\r", "-", "a", " "
	};
	struct clamav_form		 f;
	struct clamav_part		 part;
	char				 text[64], *body;
	size_t				 len, sum;
	unsigned int			 i, k, left;

	for (i = 0; i < 117649; i++) {		/* 7 to the 6th */
		text[0] = '\0';
		for (k = 0, left = i; k < 6; k++, left /= 7)
			(void)strlcat(text, pieces[left % 7], sizeof(text));
		len = strlen(text);
		ck_assert((body = malloc(len)) != NULL);
		memcpy(body, text, len);
		clamav_form_init(&f, unit_slice("XX"), body, len);
		for (sum = 0; clamav_form_next(&f, &part); sum += part.len)
			ck_assert(part.offset <= len &&
			    part.len <= len - part.offset);
		ck_assert(sum <= 2 * len);
		ck_assert_int_eq(clamav_form_doubt(&f) == NULL ||
		    f.is_mixed, strstr(text, "--XX") != NULL);
		free(body);
	}
}
END_TEST

static void
add(TCase *tc)
{
	unit_add_rows(tc, type_is_understood, types);
	tcase_add_test(tc, boundary_has_a_limit);
	unit_add_rows(tc, parts_of_a_form, forms);
	unit_add_rows(tc, header_that_some_see, headers);
	tcase_add_test(tc, any_body_has_an_end);
}

int
main(void)
{
	return unit_main("form", add);
}
