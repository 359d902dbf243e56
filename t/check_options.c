/* SPDX-License-Identifier: ISC */
/*
 * OPTIONS replies and what a chain offers (conformance.md A14; options.c,
 * plan.c).
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../services/options.h"
#include "strict.h"
#include "unit.h"

static const struct service	 one = {
	.name = "one", .summary = "does one thing",
	.methods = SERVICE_RESPMOD, .preview = 1024,
};
static const struct service	 two = {
	.name = "two", .summary = "does another",
	.methods = SERVICE_REQMOD, .preview = 4096,
};
static const struct service	 none = {
	.name = "none", .summary = "wants no preview",
	.methods = SERVICE_REQMOD, .preview = -1,
};

static struct txn_step	 steps[3];
static struct txn_plan	 plan;
static struct options	 o;
static struct reply	 reply;
static struct strict	 got;

static void
setup(void)
{
	memset(&plan, 0, sizeof(plan));
	memset(steps, 0, sizeof(steps));
	memset(&o, 0, sizeof(o));
	plan.path = "filter";
	plan.step = steps;
	plan.nsteps = 1;
	plan.options_ttl = 600;
	steps[0].service = &one;
	o.plan = &plan;
	o.istag = "tag-1";
	o.max_connections = 64;
	o.now = 1735689599;
}

static void
format(void)
{
	plan_finish(&plan);
	options_format(&reply, &o);
	ck_assert(!reply.overflow);
	strict_read(&got, reply.head, reply.len, ICAP_OPTIONS);
	ck_assert_int_eq(got.status, 200);
}

static void
check(const char *name, const char *expect)
{
	struct slice	 value = strict_header(&got, name);
	char		 text[REPLY_HEAD_MAX];

	ck_assert_uint_lt(value.len, sizeof(text));
	memcpy(text, value.p, value.len);
	text[value.len] = '\0';
	ck_assert_str_eq(text, expect);
}

START_TEST(golden)
{
	format();
	check("Date", "Tue, 31 Dec 2024 23:59:59 GMT");
	check("Methods", "RESPMOD");
	check("Service", "icapd one, does one thing");
	check("Service-ID", "filter");
	check("ISTag", "\"tag-1\"");
	check("Max-Connections", "64");
	check("Options-TTL", "600");
	check("Allow", "204, 206");
	check("Preview", "1024");
	check("Transfer-Preview", "*");
	check("Transfer-Ignore", "");
	check("Transfer-Complete", "");
	check("X-Include", "");
	check("Connection", "");
	check("Opt-body-type", "");
	check("Encapsulated", "null-body=0");
}
END_TEST

/* C207: what a chain is, it is from its members. */
START_TEST(chain)
{
	plan.nsteps = 3;
	steps[1].service = &two;
	steps[2].service = &none;
	format();
	check("Methods", "REQMOD, RESPMOD");
	check("Service", "icapd chain: one two none");
	check("Preview", "4096");
}
END_TEST

START_TEST(preview_of_configuration)
{
	plan.preview_set = true;
	plan.preview = 30;
	format();
	check("Preview", "30");
	plan.preview = -1;
	format();
	check("Preview", "");
	check("Transfer-Preview", "");
}
END_TEST

/* C217, C218: one "*" wherever there is a list, and with a preview. */
static const struct {
	bool		 preview;
	const char	*lists[3];	/* preview, ignore, complete */
	const char	*expect[3];
} transfers[] = {
	{ true, { NULL, NULL, NULL }, { "*", "", "" } },
	{ false, { NULL, NULL, NULL }, { "", "", "" } },
	{ true, { NULL, "gif, png", NULL }, { "*", "gif, png", "" } },
	{ true, { "html", NULL, NULL }, { "html, *", "", "" } },
	{ true, { "html", NULL, "*" }, { "html", "", "*" } },
	{ true, { NULL, "*", NULL }, { "", "*", "" } },
	{ true, { "html", "gif", "exe" }, { "html, *", "gif", "exe" } },
	{ true, { "*", "gif", "exe" }, { "*", "gif", "exe" } },
	{ false, { NULL, "gif", NULL }, { "", "gif", "*" } },
	{ false, { NULL, "gif", "exe" }, { "", "gif", "exe, *" } },
};

START_TEST(transfer)
{
	steps[0].service = transfers[_i].preview ? &one : &none;
	plan.transfer_preview = transfers[_i].lists[0];
	plan.transfer_ignore = transfers[_i].lists[1];
	plan.transfer_complete = transfers[_i].lists[2];
	format();
	check("Transfer-Preview", transfers[_i].expect[0]);
	check("Transfer-Ignore", transfers[_i].expect[1]);
	check("Transfer-Complete", transfers[_i].expect[2]);
}
END_TEST

/* A long list is not left out. */
START_TEST(long_list)
{
	char	 list[4001];
	size_t	 i;

	for (i = 0; i + 5 <= sizeof(list) - 1; i += 5)
		memcpy(list + i, "abc, ", 5);
	memcpy(list + i - 2, "d", 2);
	plan.transfer_ignore = list;
	format();
	check("Transfer-Ignore", list);
}
END_TEST

/* C175: g3 refuses a service over a word that it did not offer. */
START_TEST(trailers_if_offered)
{
	o.offers_trailers = true;
	plan_finish(&plan);
	options_format(&reply, &o);
	ck_assert_ptr_nonnull(memmem(reply.head, reply.len,
	    "\r\nAllow: 204, 206, trailers\r\n", 29));
}
END_TEST

START_TEST(rest)
{
	o.close = true;
	plan.x_include = "X-Client-IP, X-Authenticated-User";
	format();
	check("Connection", "close");
	check("X-Include", "X-Client-IP, X-Authenticated-User");
}
END_TEST

static void
add_tests(TCase *tc)
{
	tcase_add_checked_fixture(tc, setup, NULL);
	tcase_add_test(tc, golden);
	tcase_add_test(tc, chain);
	tcase_add_test(tc, preview_of_configuration);
	unit_add_rows(tc, transfer, transfers);
	tcase_add_test(tc, long_list);
	tcase_add_test(tc, trailers_if_offered);
	tcase_add_test(tc, rest);
}

int
main(void)
{
	return unit_main("options", add_tests);
}
