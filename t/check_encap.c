/* SPDX-License-Identifier: ISC */
/*
 * The Encapsulated header (conformance.md A4): which lists are legal for
 * which message, and that no offset is believed without a check.
 */
#include <stdlib.h>
#include <string.h>

#include "../proto/encap.h"
#include "unit.h"

#define MAX	1000	/* bytes of heads */

static const struct {
	char		 message;	/* m, p, o: request; M, P, O: reply */
	const char	*value;
	const char	*expect;	/* lengths and body, or the status */
} rows[] = {
	/* C052-C054: REQMOD */
	{ 'm', "req-hdr=0, null-body=27", "27 0 null-body" },
	{ 'm', "req-hdr=0, req-body=48", "48 0 req-body" },
	{ 'm', "req-body=0", "0 0 req-body" },
	/* C055: legal as a list; request.c refuses it */
	{ 'm', "null-body=0", "0 0 null-body" },
	/* C056-C060: RESPMOD */
	{ 'p', "req-hdr=0, res-hdr=27, res-body=91", "27 64 res-body" },
	{ 'p', "req-hdr=0, res-hdr=27, null-body=67", "27 40 null-body" },
	{ 'p', "res-hdr=0, res-body=64", "0 64 res-body" },
	{ 'p', "res-hdr=0, null-body=40", "0 40 null-body" },
	{ 'p', "req-hdr=0, res-body=27", "27 0 res-body" },
	{ 'p', "res-body=0", "0 0 res-body" },
	/* C062, C063: OPTIONS */
	{ 'o', "null-body=0", "0 0 null-body" },
	{ 'o', "opt-body=0", "0 0 opt-body" },
	/* replies: C209, C193-C195, C200 */
	{ 'O', "null-body=0", "0 0 null-body" },
	{ 'O', "opt-body=0", "0 0 opt-body" },
	{ 'M', "req-hdr=0, null-body=170", "170 0 null-body" },
	{ 'M', "res-hdr=0, res-body=213", "0 213 res-body" },
	{ 'M', "null-body=0", "0 0 null-body" },
	{ 'P', "res-hdr=0, res-body=222", "0 222 res-body" },
	{ 'P', "req-hdr=0, res-hdr=27, res-body=91", "400" },
	{ 'P', "req-body=0", "400" },
	{ 'O', "res-body=0", "400" },
	{ 'M', "req-hdr=0, res-body=10", "400" },
	{ 'M', "res-hdr=0, req-body=10", "400" },
	{ 'M', "req-hdr=0, res-hdr=5, res-body=10", "400" },
	/* C065: a part that does not suit the method */
	{ 'm', "res-hdr=0, null-body=40", "400" },
	{ 'm', "req-hdr=0, res-body=27", "400" },
	{ 'p', "req-hdr=0, req-body=27", "400" },
	{ 'o', "req-hdr=0, null-body=27", "400" },
	/* C066: order */
	{ 'p', "res-hdr=0, req-hdr=64, res-body=91", "400" },
	{ 'm', "req-body=0, req-hdr=5", "400" },
	{ 'm', "null-body=0, req-hdr=5", "400" },
	/* C067: two bodies */
	{ 'p', "req-hdr=0, req-body=27, res-hdr=40, res-body=104", "400" },
	{ 'm', "req-hdr=0, req-body=27, null-body=40", "400" },
	{ 'm', "req-body=0, null-body=5", "400" },
	{ 'p', "res-body=0, null-body=5", "400" },
	/* C068: duplicates */
	{ 'm', "req-hdr=0, req-hdr=10, null-body=27", "400" },
	{ 'm', "req-hdr=0, null-body=27, null-body=27", "400" },
	{ 'm', "null-body=0, null-body=27", "400" },
	/* more entries than a message can have: c-icap overran its five */
	{ 'p', "req-hdr=0, res-hdr=1, res-body=2, null-body=3", "400" },
	{ 'p', "req-hdr=0, res-hdr=1, req-hdr=2, res-hdr=3, req-hdr=4, "
	    "res-body=5", "400" },
	/* C069: no body */
	{ 'm', "req-hdr=0", "400" },
	{ 'p', "req-hdr=0, res-hdr=27", "400" },
	{ 'm', "", "400" },
	{ 'm', " , ", "400" },
	/* C070: the first is at 0 */
	{ 'm', "req-hdr=5, null-body=32", "400" },
	{ 'm', "req-hdr=10, null-body=0", "400" },
	{ 'm', "null-body=1", "400" },
	{ 'o', "null-body=5", "400" },
	/* C071: offsets increase */
	{ 'p', "req-hdr=0, res-hdr=0, res-body=91", "400" },
	{ 'p', "req-hdr=0, res-hdr=91, res-body=27", "400" },
	{ 'm', "req-hdr=0, null-body=0", "400" },
	/* C072: unknown entities */
	{ 'm', "foo-hdr=0, null-body=27", "400" },
	{ 'm', "opt-body=0", "400" },
	{ 'p', "req-hdr=0, opt-body=27", "400" },
	{ 'm', "=0", "400" },
	{ 'm', "req-hdrs=0, null-body=27", "400" },
	{ 'm', "req-hd=0, null-body=27", "400" },
	/* C073: case does not matter in requests */
	{ 'm', "REQ-HDR=0, Null-Body=27", "27 0 null-body" },
	/* C074: separators; C309: NetCache has blanks only */
	{ 'm', "req-hdr=0,null-body=27", "27 0 null-body" },
	{ 'm', "req-hdr=0 , null-body=27", "27 0 null-body" },
	{ 'm', "req-hdr=0 null-body=27", "27 0 null-body" },
	{ 'm', "req-hdr=0,, null-body=27", "27 0 null-body" },
	{ 'm', "req-hdr=0, null-body=27,", "27 0 null-body" },
	{ 'm', "req-hdr=0,\t\tnull-body=27\t", "27 0 null-body" },
	{ 'p', "req-hdr=0 res-hdr=341 res-body=578", "341 237 res-body" },
	/* C075: blanks around the equals sign are taken */
	{ 'm', "req-hdr = 0, null-body\t=\t27", "27 0 null-body" },
	/* C076: offsets are digits */
	{ 'm', "req-hdr=+0, null-body=27", "400" },
	{ 'm', "req-hdr=-0, null-body=27", "400" },
	{ 'm', "req-hdr=0, null-body=-27", "400" },
	{ 'm', "req-hdr=0, null-body=0x1b", "400" },
	{ 'm', "req-hdr=0, null-body=1e1", "400" },
	{ 'm', "req-hdr=0, null-body=27;x", "400" },
	{ 'm', "req-hdr=0, null-body=27.0", "400" },
	{ 'm', "req-hdr=0, null-body=", "400" },
	{ 'm', "req-hdr=0, null-body= ", "400" },
	{ 'm', "req-hdr=0, null-body", "400" },
	{ 'm', "req-hdr=0, null-body=\"27\"", "400" },
	{ 'm', "req-hdr=0; null-body=27", "400" },
	{ 'm', "req-hdr=0null-body=27", "400" },
	/* C077: leading zeros */
	{ 'm', "req-hdr=0, null-body=0027", "27 0 null-body" },
	{ 'm', "req-hdr=0, null-body=000000000000000000000000000027",
	    "27 0 null-body" },
	/* C078: nothing wraps around */
	{ 'm', "req-hdr=0, null-body=4294967323", "413" },
	{ 'm', "req-hdr=0, null-body=18446744073709551643", "413" },
	{ 'm', "req-hdr=0, null-body=99999999999999999999999999999999999999"
	    "99999999999999999999999999999999999999999999999999999999999999",
	    "413" },
	{ 'm', "req-hdr=18446744073709551616, null-body=27", "413" },
	/* C079: the limit is known from the number; n-1, n, n+1 */
	{ 'm', "req-hdr=0, req-body=999", "999 0 req-body" },
	{ 'm', "req-hdr=0, req-body=1000", "1000 0 req-body" },
	{ 'm', "req-hdr=0, req-body=1001", "413" },
	{ 'p', "req-hdr=0, res-hdr=500, res-body=1000", "500 500 res-body" },
	{ 'p', "req-hdr=0, res-hdr=500, res-body=1001", "413" },
	{ 'p', "res-hdr=0, res-body=2147483647", "413" },
	{ 'm', "req-hdr=0, req-body=2000000000", "413" },
	/* C080 */
	{ 'm', "req-hdr=0, null-body=27 garbage", "400" },
	{ 'm', "req-hdr=0, null-body=27 27", "400" },
	{ 'm', "\"req-hdr=0\", null-body=27", "400" },
};

START_TEST(lists_are_legal_or_refused)
{
	static const char	 kinds[] = "ompOMP";
	struct encap		 e;
	struct fault		 fault = { 0, NULL };
	struct slice		 value = unit_slice(rows[_i].value);
	struct text		 got = { .len = 0 };
	size_t			 kind;
	char			*exact;

	kind = (size_t)(strchr(kinds, rows[_i].message) - kinds);
	ck_assert_ptr_nonnull(exact = malloc(value.len + (value.len == 0)));
	memcpy(exact, value.p, value.len);
	value.p = exact;
	if (encap_parse(&e, value, (enum icap_method)(kind % 3), kind >= 3,
	    MAX, &fault) == -1) {
		ck_assert_ptr_nonnull(fault.why);
		text_addf(&got, "%d", fault.status);
	} else
		text_addf(&got, "%zu %zu %s", e.req_hdr, e.res_hdr,
		    encap_name(e.body));
	ck_assert_str_eq(got.s, rows[_i].expect);
	free(exact);
}
END_TEST

/* C073: Squid compares the names we send with their case. */
START_TEST(names_are_lower_case)
{
	ck_assert_str_eq(encap_name(ENCAP_REQ_HDR), "req-hdr");
	ck_assert_str_eq(encap_name(ENCAP_RES_HDR), "res-hdr");
	ck_assert_str_eq(encap_name(ENCAP_REQ_BODY), "req-body");
	ck_assert_str_eq(encap_name(ENCAP_RES_BODY), "res-body");
	ck_assert_str_eq(encap_name(ENCAP_OPT_BODY), "opt-body");
	ck_assert_str_eq(encap_name(ENCAP_NULL_BODY), "null-body");
}
END_TEST

static void
add(TCase *tc)
{
	unit_add_rows(tc, lists_are_legal_or_refused, rows);
	tcase_add_test(tc, names_are_lower_case);
}

int
main(void)
{
	return unit_main("encap", add);
}
