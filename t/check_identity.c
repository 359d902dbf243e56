/* SPDX-License-Identifier: ISC */
/*
 * Who is behind a message (services/identity.c), in the forms that real
 * proxies send.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <resolv.h>

#include "adapt.h"

static const struct {
	const char	*icap;
	const char	*client;
	const char	*user;
	const char	*groups;
} rows[] = {
	{ "", "", "", "" },
	{ "X-Client-IP: 192.0.2.1\r\n", "192.0.2.1", "", "" },
	{ "x-client-ip:  2001:db8::1 \r\n", "2001:db8::1", "", "" },
	/* plain, with a scheme, and base64 of one with a scheme */
	{ "X-Authenticated-User: alice\r\n", "", "alice", "" },
	{ "X-Authenticated-User: Local://alice\r\n", "", "alice", "" },
	{ "X-Authenticated-User: LDAP://ldap.h/cn=a,o=b\r\n", "",
	    "ldap.h/cn=a,o=b", "" },
	{ "X-Authenticated-User: TG9jYWw6Ly9hbGljZQ==\r\n", "", "alice", "" },
	{ "X-Authenticated-User: TG9jYWw6Ly9hbGljZQ\r\n", "", "alice", "" },
	{ "X-Authenticated-User: V2luTlQ6Ly9ET01cYWxpY2U=\r\n", "",
	    "DOM\\alice", "" },
	/* names that could be base64 and are not meant so */
	{ "X-Authenticated-User: anna\r\n", "", "anna", "" },
	{ "X-Authenticated-User: YWxpY2U=\r\n", "", "YWxpY2U=", "" },
	{ "X-Client-Username: bob\r\n", "", "bob", "" },
	{ "X-Client-Username: bob\r\nX-Authenticated-User: alice\r\n", "",
	    "alice", "" },
	{ "X-Authenticated-User: \xfc\xff\r\n", "", "\xfc\xff", "" },
	/* groups: base64 without a scheme is decoded, if it is text then */
	{ "X-Authenticated-Groups: c3RhZmY=\r\n", "", "", "staff" },
	{ "X-Authenticated-Groups: staff\r\n", "", "", "staff" },
	{ "X-Authenticated-Groups: user\r\n", "", "", "user" },
	{ "X-Authenticated-Groups: R3LDvG4=\r\n", "", "", "Gr\xc3\xbcn" },
	/* latin1 within: not taken for text */
	{ "X-Authenticated-Groups: R3L8bg==\r\n", "", "", "R3L8bg==" },
	/* several: each with its scheme, each in base64, fields of them */
	{ "X-Authenticated-Groups: TG9jYWw6Ly9zdGFmZixMb2NhbDovL2Fk"
	    "bWlu\r\n", "", "",
	    "staff,admin" },
	{ "X-Authenticated-Groups: Local://staff, D://admin\r\n", "", "",
	    "staff, admin" },
	{ "X-Authenticated-Groups: V2luTlQ6Ly9EL2E=, YWRtaW4=\r\n", "", "",
	    "D/a,admin" },
	{ "X-Authenticated-Groups: c3RhZmY=,YWRtaW4=\r\n", "", "",
	    "staff,admin" },
	{ "X-Authenticated-Groups: V2luTlQ6Ly9h\r\n"
	    "x-authenticated-groups: b\r\nX-Authenticated-Groups:\r\n"
	    "X-Authenticated-Groups: Local://c\r\n", "", "", "a,b,c" },
	{ "X-Authenticated-Groups:\r\nX-Authenticated-Groups: ,a, ,\r\n", "",
	    "", "a" },
	/* a plain list with something that could be base64 */
	{ "X-Authenticated-Groups: ZmluYW5jZQ==,a b\r\n", "", "",
	    "ZmluYW5jZQ==,a b" },
	{ "X-Authenticated-Groups: V2luTlQ6Ly94,a b\r\n", "", "", "x,a b" },
	/* names with commas of their own */
	{ "X-Authenticated-Groups: TERBUDovL2gvY249V2ViIEEsb3U9YiwgTERBUDov"
	    "L2gvY249YyxvdT1k\r\n", "", "",
	    "h/cn=Web A,ou=b, h/cn=c,ou=d" },
	/* a NUL or a line end within */
	{ "X-Authenticated-Groups: YQBi\r\n", "", "", "YQBi" },
	{ "X-Authenticated-User: TG9jYWw6Ly9hCmI=\r\n", "",
	    "TG9jYWw6Ly9hCmI=", "" },
	{ "X-Authenticated-User: ://\r\n", "", "", "" },
	{ "X-Authenticated-User: ====\r\n", "", "====", "" },
};

static int	 row;

static enum verdict
serve(struct txn *t, void *instance)
{
	(void)instance;
	ck_assert_str_eq(txn_client_address(t), rows[row].client);
	ck_assert_str_eq(txn_user(t), rows[row].user);
	ck_assert_str_eq(txn_groups(t), rows[row].groups);
	/* asked again it is the same text */
	ck_assert_ptr_eq(txn_user(t), txn_user(t));
	return VERDICT_UNCHANGED;
}

START_TEST(forms)
{
	struct adapt	*a = calloc(1, sizeof(*a));

	ck_assert_ptr_nonnull(a);
	row = _i;
	a->ask.icap = rows[_i].icap;
	a->serve = serve;
	adapt_run(a);
	ck_assert_int_eq(a->result, 0);
	adapt_fini(a);
	free(a);
}
END_TEST

static size_t	 user_len;

static enum verdict
serve_long(struct txn *t, void *instance)
{
	(void)instance;
	user_len = strlen(txn_user(t));
	return VERDICT_UNCHANGED;
}

/* A name is cut at 1 KiB, decoded or not. */
START_TEST(long_names)
{
	static const size_t	 lengths[] = { 1020, 1023, 1024, 1025, 3000 };
	struct adapt		*a;
	char			 line[3100];
	size_t			 i, n;

	for (i = 0; i < ROWS(lengths); i++) {
		n = (size_t)snprintf(line, sizeof(line),
		    "X-Authenticated-User: ");
		memset(line + n, 'A', lengths[i]);
		memcpy(line + n + lengths[i], "\r\n", 3);
		ck_assert_ptr_nonnull(a = calloc(1, sizeof(*a)));
		a->ask.icap = line;
		a->serve = serve_long;
		adapt_run(a);
		ck_assert_int_eq(a->result, 0);
		ck_assert_uint_eq(user_len,
		    lengths[i] < 1024 ? lengths[i] : 1024);
		adapt_fini(a);
		free(a);
	}
}
END_TEST

static char	 last_group[32];

static enum verdict
serve_many(struct txn *t, void *instance)
{
	const char	*groups = txn_groups(t);

	(void)instance;
	ck_assert_uint_gt(strlen(groups), 1024);
	(void)strlcpy(last_group, strrchr(groups, ',') + 1,
	    sizeof(last_group));
	return VERDICT_UNCHANGED;
}

/* Groups are not cut: the last one may be what a rule is for. */
START_TEST(many_groups)
{
	struct adapt	*a = calloc(1, sizeof(*a));
	char		 list[5000], line[8000];
	size_t		 n = 0;
	int		 i;

	ck_assert_ptr_nonnull(a);
	for (i = 0; i < 100; i++)
		n += (size_t)snprintf(list + n, sizeof(list) - n,
		    "%sWinNT://group-number-%d", i > 0 ? "," : "", i);
	i = snprintf(line, sizeof(line), "X-Authenticated-Groups: ");
	if (_i == 0)
		(void)strlcpy(line + i, list, sizeof(line) - (size_t)i);
	else
		ck_assert_int_gt(b64_ntop((unsigned char *)list, n, line + i,
		    sizeof(line) - (size_t)i), 3000);
	(void)strlcat(line, "\r\n", sizeof(line));
	last_group[0] = '\0';
	a->ask.icap = line;
	a->serve = serve_many;
	adapt_run(a);
	ck_assert_int_eq(a->result, 0);
	ck_assert_str_eq(last_group, "group-number-99");
	adapt_fini(a);
	free(a);
}
END_TEST

static void
add_tests(TCase *tc)
{
	unit_add_rows(tc, forms, rows);
	tcase_add_test(tc, long_names);
	tcase_add_loop_test(tc, many_groups, 0, 2);
}

int
main(void)
{
	return unit_main("identity", add_tests);
}
