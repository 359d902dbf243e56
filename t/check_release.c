/* SPDX-License-Identifier: ISC */
/*
 * Bytes before the verdict (services/release.c): whatever the sizes and
 * whoever the client, less than the whole body has gone when a bad verdict
 * comes, no last chunk follows it, and a good one gives every byte.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "adapt.h"
#include "script.h"

#define HOLD	SERVICE_HOLD_BACK

static struct adapt	*a;

static void
setup(void)
{
	unit_must((a = calloc(1, sizeof(*a))) != NULL);
	a->ask.respmod = true;
	a->ask.allow = "204, 206";
	a->ask.len = 50000;
	a->ask.body = unit_pattern(a->ask.len);
}

static void
teardown(void)
{
	adapt_fini(a);
	free((char *)(uintptr_t)a->ask.body);
	free(a);
}

static void
check_shows(const char *expect)
{
	struct text	 got = { .len = 0 };

	adapt_show(a, &got);
	ck_assert_str_eq(got.s, expect);
}

/* ---- what a client has of a reply that was broken off -------------------- */

struct part {
	bool		 begun;
	size_t		 len;		/* body bytes */
	bool		 complete;	/* a last chunk came */
	bool		 in_chunk;	/* the end is inside of one */
};

/* Written from RFC 9112 7.1, for a reader as careless as they get. */
static void
read_part(const char *p, size_t n, const char *body, struct part *part)
{
	const char	*end = p + n, *mark;
	size_t		 size, have, head = 0;

	memset(part, 0, sizeof(*part));
	if (n >= 25 && memcmp(p, "ICAP/1.0 100 Continue\r\n\r\n", 25) == 0)
		p += 25;
	if (p == end)
		return;
	part->begun = true;
	unit_must(memcmp(p, "ICAP/1.0 200 OK\r\n", 17) == 0);
	unit_must((mark = memmem(p, (size_t)(end - p), "res-body=", 9)) !=
	    NULL);
	head = strtoul(mark + 9, NULL, 10);
	unit_must((mark = memmem(p, (size_t)(end - p), "\r\n\r\n", 4)) !=
	    NULL);
	p = mark + 4;
	unit_must((size_t)(end - p) >= head);
	p += head;
	while (p < end) {
		size = strtoul(p, (char **)(uintptr_t)&mark, 16);
		unit_must(mark > p && end - mark >= 2 &&
		    memcmp(mark, "\r\n", 2) == 0);
		p = mark + 2;
		if (size == 0) {
			part->complete = true;
			return;
		}
		have = (size_t)(end - p) < size ? (size_t)(end - p) : size;
		unit_must(memcmp(p, body + part->len, have) == 0);
		part->len += have;
		p += have;
		if (have < size) {
			part->in_chunk = true;
			return;
		}
		unit_must(end - p >= 2 && memcmp(p, "\r\n", 2) == 0);
		p += 2;
	}
}

/* The promise of service.h about a verdict that came too late. */
static void
check_part(size_t expect, const char *what)
{
	const struct txn	*t = &a->txn;
	struct part		 part;

	read_part(a->wire.out, a->wire.out_len, a->ask.body, &part);
	if (a->result != -1 || !t->cut || !t->reset || t->fault.status != 0 ||
	    part.complete || !part.in_chunk || part.len != expect ||
	    t->released != expect || t->body_out != expect ||
	    expect + HOLD > a->ask.len)
		ck_abort_msg("%s: %zu of %zu bytes: %zu came, expected %zu; "
		    "%llu released, result %d", what, part.len, a->ask.len,
		    part.len, expect, (unsigned long long)t->released,
		    a->result);
}

/* ---- every size --------------------------------------------------------- */

static const size_t	 lengths[] = {
	0, 1, 2, 4095, 4096, 4097, HOLD - 1, HOLD, HOLD + 1, HOLD + 2,
	HOLD + 3, HOLD + 4095, HOLD + 4096, HOLD + 4097, HOLD + 8193, 2 * HOLD,
	65535, 65536, 100000
};

static const size_t	 wanted[] = { 1, 2, 1000, 4097, 8192, 1000000 };

static const struct {
	const char	*allow;
	const char	*preview;
	bool		 deaf;
	size_t		 step;
	size_t		 send_max;
	size_t		 chunk;
} clients[] = {
	{ "204, 206, trailers", NULL, false, 0, 0, 0 },
	{ NULL, "1024", false, 0, 0, 0 },
	{ "204, 206", "4", true, 0, 3, 777 },
	{ "204", NULL, true, 1000, 0, 10 },
	{ "204", "1024", false, 333, 1, 0 },
};

static const struct {
	const char	*words;
	bool		 good;
	enum on_error	 on_error;
} verdicts[] = {
	{ "unchanged", true, ON_ERROR_FAIL },
	{ "edited", true, ON_ERROR_FAIL },
	{ "fail:engine", true, ON_ERROR_PASS },
	{ "respond:403=no replaced", false, ON_ERROR_PASS },
	{ "replaced", false, ON_ERROR_PASS },
	{ "fail:engine", false, ON_ERROR_FAIL },
	{ "fail:engine", false, ON_ERROR_BLOCK },
	{ "rewritten", false, ON_ERROR_FAIL },
	{ "careless write:x rewritten", false, ON_ERROR_FAIL },
	{ "none", false, ON_ERROR_PASS },
};

/* How the service gets the body. */
static const char *const	 ways[] = { "read", "next", "want:0 next fd",
				    "want:100000 read" };

/* Bytes that two calls may release of a body that was read to its end. */
static size_t
expected(size_t len, size_t size)
{
	size_t	 most = len > HOLD ? len - HOLD : 0;

	return 2 * size < most ? 2 * size : most;
}

static void
check_whole(size_t expect, const char *what)
{
	char	*got;
	size_t	 len;

	if (a->result != 0 || a->txn.cut || a->txn.reset)
		ck_abort_msg("%s: %zu bytes: %s", what, a->ask.len,
		    a->txn.fault.why != NULL ? a->txn.fault.why : "");
	unit_must(a->txn.released == expect);
	unit_must(expect == 0 || a->reply.status == 200);
	unit_must(a->ask.len == 0 || a->reply.status == 204 ||
	    a->reply.original != -1 || a->txn.body_out == a->ask.len);
	got = adapt_body(a, &len);
	unit_must(len == a->ask.len && memcmp(got, a->ask.body, len) == 0);
	free(got);
}

static void
play(size_t client, size_t length, size_t size, size_t verdict)
{
	char	 words[256];
	size_t	 expect = expected(lengths[length], wanted[size]);

	unit_must((a = calloc(1, sizeof(*a))) != NULL);
	a->ask.respmod = true;
	a->ask.allow = clients[client].allow;
	a->ask.preview = clients[client].preview;
	a->ask.chunk = clients[client].chunk;
	a->deaf = clients[client].deaf;
	a->wire.step = clients[client].step;
	a->wire.send_max = clients[client].send_max;
	a->ask.len = lengths[length];
	a->ask.body = unit_pattern(a->ask.len);
	a->on_error = verdicts[verdict].on_error;
	(void)snprintf(words, sizeof(words), "%s release:%zu release:%zu %s",
	    ways[(client + length + verdict) % ROWS(ways)], wanted[size],
	    wanted[size], verdicts[verdict].words);
	a->script[0] = words;
	adapt_run(a);
	if (verdicts[verdict].good)
		check_whole(expect, words);
	else if (expect > 0)
		check_part(expect, words);
	else
		unit_must(!a->txn.cut && a->txn.released == 0);
	teardown();
}

START_TEST(every_size)
{
	size_t	 i, k;

	for (i = 0; i < ROWS(lengths); i++)
		for (k = 0; k < ROWS(wanted); k++)
			play((size_t)_i / ROWS(verdicts), i, k,
			    (size_t)_i % ROWS(verdicts));
}
END_TEST

/* What was not read is not there to be released. */
START_TEST(as_far_as_it_was_read)
{
	a->script[0] = "read:16384 release:9 read:10 release:100 release:1 "
	    "respond:403=no replaced";
	adapt_run(a);
	ck_assert_ptr_nonnull(strstr(a->saw.s, "release 0, read 10 "));
	ck_assert_ptr_nonnull(strstr(a->saw.s, "release 10, release 0"));
	check_part(10, "read in parts");
}
END_TEST

/* The service has seen enough, and the rest never went by it. */
START_TEST(rest_unread)
{
	a->script[0] = "read:20000 release:1000 unchanged";
	adapt_run(a);
	check_shows("200 res-hdr res-body [50000]");
	check_whole(1000, "unread");
}
END_TEST

START_TEST(by_descriptor)
{
	a->script[0] = "read:20000 release:10 fd release:1000000 read "
	    "unchanged";
	adapt_run(a);
	check_whole(50000 - HOLD, "fd");
}
END_TEST

/* ---- where it is not permitted ------------------------------------------ */

static const struct {
	const char	*what;
	struct ask	 ask;		/* but for the body */
	const char	*script[ADAPT_STEPS];
	bool		 shadow;
	bool		 may;
} asked[] = {
	{ "a response", { .respmod = true }, { "read release:9 unchanged" },
	    false, true },
	{ "a request", { .respmod = false }, { "read release:9 unchanged" },
	    false, false },
	{ "no HTTP head", { .respmod = true, .headless = true },
	    { "read release:9 unchanged" }, false, false },
	{ "a shadow", { .respmod = true }, { "read release:9 unchanged" },
	    true, false },
	{ "a chain, first", { .respmod = true },
	    { "read release:9 unchanged", "unchanged" }, false, false },
	{ "a chain, last", { .respmod = true },
	    { "unchanged", "read release:9 unchanged" }, false, true },
	{ "behind one that edits", { .respmod = true },
	    { "set:A=b edited", "read release:9 unchanged" }, false, true },
	{ "behind one that rewrites", { .respmod = true },
	    { "copy rewritten", "read release:9 unchanged" }, false, false },
	{ "after writing", { .respmod = true },
	    { "read write:x release:9 unchanged" }, false, false },
	{ "no length", { .respmod = true, .length = "" },
	    { "read release:9 unchanged" }, false, true },
	{ "no length, for HTTP/1.0", { .respmod = true, .length = "",
	    .request = "GET http://h/a HTTP/1.0\r\n\r\n" },
	    { "read release:9 unchanged" }, false, false },
	{ "no length, for HTTP/2", { .respmod = true, .length = "",
	    .request = "GET http://h/a HTTP/2\r\n\r\n" },
	    { "read release:9 unchanged" }, false, true },
	{ "no length, for HTTP/0.9", { .respmod = true, .length = "",
	    .request = "GET http://h/a\r\n\r\n" },
	    { "read release:9 unchanged" }, false, false },
	{ "a length, for HTTP/1.0", { .respmod = true,
	    .request = "GET http://h/a HTTP/1.0\r\n\r\n" },
	    { "read release:9 unchanged" }, false, true },
	{ "no length a number", { .respmod = true, .length = "5x" },
	    { "read release:9 unchanged" }, false, false },
	{ "two lengths", { .respmod = true, .length = "30000",
	    .http = "Content-Length: 30001\r\n" },
	    { "read release:9 unchanged" }, false, false },
	{ "the same twice", { .respmod = true, .length = "30000",
	    .http = "content-length: 30000\r\n" },
	    { "read release:9 unchanged" }, false, true },
	{ "a part (206)", { .respmod = true, .head = "HTTP/1.1 206 Partial\r\n"
	    "Content-Length: 30000\r\n\r\n" },
	    { "read release:9 unchanged" }, false, false },
	{ "a part", { .respmod = true, .http = "Content-Range: bytes 0-1/9\r\n"
	    }, { "read release:9 unchanged" }, false, false },
};

START_TEST(permitted)
{
	struct text	 got = { .len = 0 };
	bool		 may = asked[_i].may;

	unit_must((a = calloc(1, sizeof(*a))) != NULL);
	a->ask = asked[_i].ask;
	a->ask.allow = "204";
	a->ask.len = 30000;
	a->ask.body = unit_pattern(a->ask.len);
	memcpy(a->script, asked[_i].script, sizeof(a->script));
	a->shadow = asked[_i].shadow;
	adapt_run(a);
	adapt_show(a, &got);
	if ((strstr(a->saw.s, "release 9") != NULL) != may ||
	    (strstr(a->saw.s, "release -1: Operation not permitted") ==
	    NULL) != may)
		ck_abort_msg("%s: %s; %s", asked[_i].what, a->saw.s, got.s);
	ck_assert_uint_eq(a->txn.released, may ? 9 : 0);
	ck_assert_int_eq(a->result, 0);
	teardown();
}
END_TEST

/* A reader that counts: less than the head says, whatever the body has. */
START_TEST(length_shorter_than_body)
{
	a->ask.length = "16484";
	a->script[0] = "read release:1000000 respond:403=no replaced";
	adapt_run(a);
	check_part(100, "shorter");
}
END_TEST

START_TEST(length_zero)
{
	a->ask.length = "0";
	a->script[0] = "read release:1000000 unchanged";
	adapt_run(a);
	ck_assert_uint_eq(a->txn.released, 0);
}
END_TEST

/* ---- previews, heads, trailers ------------------------------------------ */

START_TEST(not_in_the_preview)
{
	a->ask.preview = "40000";
	a->script[0] = "read:40000 release:1 read:1 release:1 unchanged";
	adapt_run(a);
	check_shows("100 200 res-hdr res-body [50000]");
	ck_assert_ptr_nonnull(strstr(a->saw.s, "release 0, read 1 "));
	ck_assert_ptr_nonnull(strstr(a->saw.s, "release 1"));
}
END_TEST

START_TEST(all_in_the_preview)
{
	a->ask.preview = "60000";
	a->script[0] = "read release:1 unchanged";
	adapt_run(a);
	check_shows("200 res-hdr res-body [50000]");
}
END_TEST

/* Of the head only what stood in it when the first byte went counts. */
START_TEST(head)
{
	struct text	 http = { .len = 0 };

	a->ask.http = "Accept-Ranges: bytes\r\n";
	a->script[0] = "set:One=1 edited";
	a->script[1] = "read set:Two=2 release:1 set:Three=3 add:Three=3 "
	    "remove:Server line:HTTP/1.1_400_No unchanged";
	adapt_run(a);
	text_add(&http, a->reply.http.p, a->reply.http.len);
	ck_assert_str_eq(http.s, "HTTP/1.1 200 OK\\r\\nServer: s\\r\\n"
	    "Accept-Ranges: none\\r\\nContent-Length: 50000\\r\\nOne: 1\\r\\n"
	    "Two: 2\\r\\n\\r\\n");
	ck_assert_ptr_nonnull(strstr(a->saw.s, "release 1, "
	    "set: Operation already in progress, "
	    "add: Operation already in progress, "
	    "remove: Operation already in progress, "
	    "line: Operation already in progress"));
}
END_TEST

START_TEST(no_accept_ranges_without_release)
{
	a->ask.allow = NULL;
	a->script[0] = "read release:0 unchanged";
	adapt_run(a);
	ck_assert_ptr_null(memmem(a->reply.http.p, a->reply.http.len,
	    "Accept-Ranges", 13));
}
END_TEST

START_TEST(trailers)
{
	a->ask.allow = "204, trailers";
	a->ask.trailers = "X-Sum: 1\r\n";
	a->script[0] = "trailer:X-Result read release:1 reply:X-Result=clean "
	    "unchanged";
	adapt_run(a);
	check_shows("200 res-hdr res-body [50000] X-Sum: 1\\r\\n then "
	    "X-Result: clean\\r\\n");
}
END_TEST

START_TEST(no_trailers_when_cut)
{
	a->ask.allow = "204, trailers";
	a->ask.trailers = "X-Sum: 1\r\n";
	a->script[0] = "trailer:X-Result read release:1 reply:X-Result=bad "
	    "respond:403=no replaced";
	adapt_run(a);
	check_part(1, "trailers");
	ck_assert_ptr_null(memmem(a->wire.out, a->wire.out_len, "X-Sum", 5));
	ck_assert_ptr_null(memmem(a->wire.out, a->wire.out_len, "bad", 3));
}
END_TEST

/* ---- what the log says -------------------------------------------------- */

START_TEST(cut_is_told)
{
	a->script[0] = "read release:1000 respond:403=no replaced";
	adapt_run(a);
	check_part(1000, "told");
	ck_assert_int_eq(a->txn.verdict, VERDICT_REPLACED);
	ck_assert_int_eq(a->txn.status, 200);
	ck_assert_str_eq(a->txn.why, "cut after 1000 bytes");
	ck_assert(!a->txn.unscanned);
}
END_TEST

START_TEST(cut_unscanned_is_told)
{
	a->on_error = ON_ERROR_BLOCK;
	a->script[0] = "read release:1000 fail:engine";
	adapt_run(a);
	check_part(1000, "told");
	ck_assert_str_eq(a->txn.why, "engine; cut after 1000 bytes");
	ck_assert(a->txn.unscanned);
}
END_TEST

START_TEST(passed_unscanned_is_told)
{
	a->on_error = ON_ERROR_PASS;
	a->script[0] = "read release:1000 fail:engine";
	adapt_run(a);
	check_whole(1000, "told");
	ck_assert_str_eq(a->txn.why, "engine");
	ck_assert(a->txn.unscanned);
	ck_assert_int_eq(a->txn.verdict, VERDICT_UNCHANGED);
}
END_TEST

/* ---- what goes wrong in the middle -------------------------------------- */

START_TEST(client_goes)
{
	a->wire.send_error = EPIPE;
	a->wire.send_limit = 600;
	a->script[0] = "read release:1000 release:1000 release:1000 unchanged";
	adapt_run(a);
	ck_assert_ptr_nonnull(strstr(a->saw.s, "release 1000, "
	    "release -1: Broken pipe, release -1: Broken pipe"));
	check_shows("fault 0: client went away while we wrote");
	ck_assert(!a->txn.cut);
}
END_TEST

/* The verdict is known all the same, and is logged. */
START_TEST(client_goes_and_it_was_bad)
{
	a->wire.send_error = EPIPE;
	a->wire.send_limit = 600;
	a->script[0] = "read release:1000 release:1000 respond:403=no replaced";
	adapt_run(a);
	ck_assert_int_eq(a->txn.verdict, VERDICT_REPLACED);
	ck_assert(a->txn.cut);
}
END_TEST

/* Half of it comes, and then nonsense. */
START_TEST(body_breaks)
{
	struct part	 part;

	a->on_error = ON_ERROR_PASS;
	a->ask.broken = "zz\r\n";
	a->wire.step = 1000;
	a->script[0] = "read:20000 release:1000 read unchanged";
	adapt_run(a);
	check_part(1000, "broken");
	ck_assert_str_eq(a->txn.why, "chunk without a size; "
	    "cut after 1000 bytes");
	read_part(a->wire.out, a->wire.out_len, a->ask.body, &part);
	ck_assert_uint_eq(part.len, 1000);
}
END_TEST

/* The verdict was good, but the rest of the body is not. */
START_TEST(rest_breaks)
{
	struct part	 part;

	a->ask.broken = "zz\r\n";
	a->wire.step = 1000;
	a->script[0] = "read:20000 release:1000 unchanged";
	adapt_run(a);
	check_shows("fault 0: chunk without a size");
	ck_assert(a->txn.reset);
	read_part(a->wire.out, a->wire.out_len, a->ask.body, &part);
	ck_assert(!part.complete);
}
END_TEST

START_TEST(no_more_room)
{
	a->spool_max = 30000;
	a->script[0] = "read:20000 release:1000 careless read unchanged";
	adapt_run(a);
	check_part(1000, "no room");
	ck_assert_str_eq(a->txn.why, "body exceeds the spool limit; "
	    "cut after 1000 bytes");
}
END_TEST

/* ---- the clock ---------------------------------------------------------- */

START_TEST(every_so_often)
{
	a->script[0] = "every:100=1=250 read due unchanged";
	adapt_run(a);
	ck_assert_ptr_nonnull(strstr(a->saw.s, "due -1"));
	check_whole(250, "every");
}
END_TEST

START_TEST(every_so_often_and_bad)
{
	a->script[0] = "every:100=1=250 read due respond:403=no replaced";
	adapt_run(a);
	check_part(250, "every");
}
END_TEST

START_TEST(never_in_a_request)
{
	a->ask.respmod = false;
	a->script[0] = "every:100=1=250 read due unchanged";
	adapt_run(a);
	ck_assert_ptr_nonnull(strstr(a->saw.s, "due -1"));
	ck_assert_uint_eq(a->txn.released, 0);
}
END_TEST

START_TEST(ended_again)
{
	a->script[0] = "every:100=1=250 every:0=0=0 read due unchanged";
	adapt_run(a);
	ck_assert_uint_eq(a->txn.released, 0);
}
END_TEST

static void
add_tests(TCase *tc)
{
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, as_far_as_it_was_read);
	tcase_add_test(tc, rest_unread);
	tcase_add_test(tc, by_descriptor);
	tcase_add_test(tc, length_shorter_than_body);
	tcase_add_test(tc, length_zero);
	tcase_add_test(tc, not_in_the_preview);
	tcase_add_test(tc, all_in_the_preview);
	tcase_add_test(tc, head);
	tcase_add_test(tc, no_accept_ranges_without_release);
	tcase_add_test(tc, trailers);
	tcase_add_test(tc, no_trailers_when_cut);
	tcase_add_test(tc, cut_is_told);
	tcase_add_test(tc, cut_unscanned_is_told);
	tcase_add_test(tc, passed_unscanned_is_told);
	tcase_add_test(tc, client_goes);
	tcase_add_test(tc, client_goes_and_it_was_bad);
	tcase_add_test(tc, body_breaks);
	tcase_add_test(tc, rest_breaks);
	tcase_add_test(tc, no_more_room);
	tcase_add_test(tc, every_so_often);
	tcase_add_test(tc, every_so_often_and_bad);
	tcase_add_test(tc, never_in_a_request);
	tcase_add_test(tc, ended_again);
}

static void
add_tables(TCase *tc)
{
	tcase_add_loop_test(tc, every_size, 0,
	    (int)(ROWS(clients) * ROWS(verdicts)));
	unit_add_rows(tc, permitted, asked);
}

int
main(void)
{
	int	 tables = unit_main("release: tables", add_tables);
	int	 tests = unit_main("release", add_tests);

	return tables != EXIT_SUCCESS ? tables : tests;
}
