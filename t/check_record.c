/* SPDX-License-Identifier: ISC */
/*
 * The access line: what stands in it, that nothing from the wire gets out of
 * its place, and c-icap's format codes.  That the JSON is JSON is checked by a
 * real parser in logs.sh; here it is looked at byte by byte.
 */
#include <sys/mman.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "../server/line.h"
#include "../server/record.h"
#include "unit.h"

static char	 out[RING_LINE_MAX];

static const char	 req[] =
    "GET http://example.com/a?b=\"c\" HTTP/1.1\r\n"
    "Host: example.com\r\nUser-Agent: tester 1.0\r\n\r\n";
static const char	 res[] =
    "HTTP/1.1 404 Not Found\r\nContent-Type: text/html\r\n\r\n";

static const char	 reply[] =
    "ICAP/1.0 200 OK\r\nISTag: \"tag\"\r\n"
    "Encapsulated: res-hdr=0, res-body=52\r\n\r\n";
static const char	 page[] =
    "HTTP/1.1 403 Forbidden\r\nContent-Type: text/plain\r\n\r\n";

static const struct record_note	 notes[] = {
	{ "threat", "EICAR \"test\"" },
	{ "scanner", "clamav" },
};

static struct header_field	 fields[] = {
	{ { "X-Server-IP", 11 }, { "198.51.100.7", 12 } },
	{ { "Host", 4 }, { "icap.example", 12 } },
};
static const struct header	 header = { fields, 2, 2 };

static void
sample(struct record *a)
{
	memset(a, 0, sizeof(*a));
	a->peer = "192.0.2.1";
	a->peer_port = 40000;
	a->local = "192.0.2.9";
	a->local_port = 1344;
	a->client = unit_slice("203.0.113.5");
	a->user = unit_slice("alice");
	a->method = ICAP_RESPMOD;
	a->service = "av";
	a->path = unit_slice("/av?x=1");
	a->header = &header;
	a->req_head = unit_slice(req);
	a->res_head = unit_slice(res);
	a->preview = 1024;
	a->preview_bytes = unit_slice("MZ\x90" "ABC");
	a->reply_head = unit_slice(reply);
	a->res_head_out = unit_slice(page);
	a->verdict = "replaced";
	a->decided = "clamav";
	a->status = 200;
	a->http_status = 403;
	a->blocked = true;
	a->note = notes;
	a->nnotes = 2;
	a->id = 0xabc;
	a->ordinal = 3;
	a->start = 1795000000123456;
	a->wait = 5000;
	a->read = 1500;
	a->serve = 20250;
	a->write = 300;
	a->bytes_in = 1111;
	a->bytes_out = 2222;
	a->body_in = 333;
	a->body_out = 444;
}

static void
format(const struct record *a, const struct record_log *log)
{
	size_t	 n;

	n = record_format_line(out, sizeof(out), a, log);
	ck_assert_uint_gt(n, 0);
	ck_assert_uint_le(n, sizeof(out));
	ck_assert_int_eq(out[n - 1], '\n');
	ck_assert_ptr_eq(memchr(out, '\n', n), out + n - 1);
	out[n - 1] = '\0';
	ck_assert_uint_eq(strlen(out), n - 1);
	/* nothing but printable ASCII */
	while (n-- > 1)
		unit_must(out[n - 1] >= 0x20 && out[n - 1] < 0x7f);
}

static const struct {
	const char	*format;
	const char	*expect;
} codes[] = {
	{ "%a %la %lp %>a %<A", "192.0.2.1 192.0.2.9 1344 203.0.113.5 "
	    "198.51.100.7" },
	{ "%ts %{m}ts %{u}ts", "1795000000 1795000000123 1795000000123456" },
	{ "%{%Y-%m-%d %H:%M:%S}tg", "2026-11-18 11:06:40" },
	{ "%tg", "18/Nov/2026:11:06:40 +0000" },
	{ "\"%>ho\"", "\"GET http://example.com/a?b=\\\"c\\\" HTTP/1.1\"" },
	{ "%{User-Agent}>ho %>ho{host} %{none}>ho",
	    "tester\\x201.0 example.com -" },
	{ "\"%<hi\" %{content-type}<hi",
	    "\"HTTP/1.1 404 Not Found\" text/html" },
	/* in quotes blanks are blanks, elsewhere they would make words */
	{ "%{User-Agent}>ho \"%{User-Agent}>ho\" \"\" %{User-Agent}>ho",
	    "tester\\x201.0 \"tester 1.0\" \"\" tester\\x201.0" },
	{ "%{a%nb}tg", "a\\x0ab" },
	{ "%huo %hu", "http://example.com/a?b=\\\"c\\\" "
	    "http://example.com/a?b=\\\"c\\\"" },
	{ "%iu %im %is", "/av?x=1 RESPMOD 200" },
	{ "%{Host}>ih %{Nope}>ih", "icap.example -" },
	{ "%{ISTag}<ih %{Nope}<ih %<ih", "\\\"tag\\\" - "
	    "ICAP/1.0\\x20200\\x20OK" },
	{ "%ipl %I %O %Ib %Ob", "1024 1111 2222 333 444" },
	/* heads as they came, and as they left */
	{ "%Ih %Oh", "470 496" },
	{ "%{content-type}<hi %{content-type}<ho", "text/html text/plain" },
	{ "%<hi, %<ho", "HTTP/1.1\\x20404\\x20Not\\x20Found, "
	    "HTTP/1.1\\x20403\\x20Forbidden" },
	{ "%bph %{2}bph %{0}bph %{32}bph",
	    "MZ\\x90AB MZ - MZ\\x90ABC" },
	{ "%un", "alice" },
	{ "%Sl", "threat: EICAR \\\"test\\\", scanner: clamav" },
	{ "%{threat}Sa %{virus_scan:threat}Sa %{x}Sa",
	    "EICAR\\x20\\\"test\\\" EICAR\\x20\\\"test\\\" -" },
	{ "%Tt %Tr %Tl %TL %Tp %TR", "22 20 21 0 20 1" },
	{ "%{u}Tt %{s}Tt %{n}TR", "22050 0 1500000" },
	{ "%Hs %id %iv %in %cn", "403 0000000000000abc replaced av 3" },
	{ "[%5is] [%-5is] [%2is] %%", "[  200] [200  ] [200] %" },
	{ "", "" },
	{ "plain", "plain" },
};

START_TEST(format_codes_mean_what_c_icap_says)
{
	struct record		 a;
	struct record_log	 log = { .form = RECORD_CUSTOM,
				    .cut = RECORD_CUT_DEFAULT };
	struct record_format	*f;
	const char		*why, *at;

	f = record_parse_format(codes[_i].format, &why, &at);
	if (f == NULL)
		ck_abort_msg("%s: %s at %s", codes[_i].format, why, at);
	log.format = f;
	sample(&a);
	format(&a, &log);
	ck_assert_str_eq(out, codes[_i].expect);
	record_free_format(f);
}
END_TEST

static const char *const	 bad_formats[] = {
	"%", "%q", "x %{abc", "%300a", "%-", "%5", "a%{b}", "%{a}{b}im",
	"%{33}bph", "%{x}bph", "%a\n%a", "a\r", "%{%H\n}tl", "\033[1m",
};

START_TEST(bad_formats_are_refused_with_a_reason)
{
	struct record_format	*f;
	const char		*why = NULL, *at = NULL;

	f = record_parse_format(bad_formats[_i], &why, &at);
	ck_assert_ptr_null(f);
	ck_assert_ptr_nonnull(why);
	unit_must(*at == '%' || (*at > 0 && *at < ' '));
}
END_TEST

START_TEST(ecs_has_its_fields)
{
	static const char *const	 has[] = {
		"{\"@timestamp\":\"2026-11-18T11:06:40.123Z\",",
		"\"ecs.version\":\"8.11.0\"", "\"event.duration\":22050000",
		"\"event.type\":[\"access\",\"denied\"]",
		"\"event.outcome\":\"success\"", "\"event.action\":\"RESPMOD\"",
		"\"source.ip\":\"192.0.2.1\"", "\"source.port\":40000",
		"\"client.ip\":\"203.0.113.5\"", "\"user.name\":\"alice\"",
		"\"icap.status\":200", "\"icap.verdict\":\"replaced\"",
		"\"icap.service\":\"av\"", "\"icap.path\":\"/av?x=1\"",
		"\"icap.preview\":1024", "\"icap.time.wait\":5000",
		"\"icap.time.read\":1500", "\"icap.time.service\":20250",
		"\"icap.time.write\":300", "\"icap.decided_by\":\"clamav\"",
		"\"transaction.id\":\"0000000000000abc\"",
		"\"http.response.status_code\":403",
		"\"http.request.method\":\"GET\"", "\"http.version\":\"1.1\"",
		"\"url.original\":\"http://example.com/a?b=\\\"c\\\"\"",
		"\"icap.note.threat\":\"EICAR \\\"test\\\"\"",
	};
	struct record		 a;
	struct record_log	 log = { .form = RECORD_ECS,
				    .cut = RECORD_CUT_DEFAULT };
	size_t			 i;

	sample(&a);
	format(&a, &log);
	for (i = 0; i < ROWS(has); i++)
		if (strstr(out, has[i]) == NULL)
			ck_abort_msg("no %s in %s", has[i], out);
	ck_assert_int_eq(out[strlen(out) - 1], '}');
	/* what is no address may not stand where one must */
	a.client = unit_slice("evil\"host");
	format(&a, &log);
	ck_assert_ptr_null(strstr(out, "client.ip"));
	ck_assert_ptr_nonnull(strstr(out, "evil\\\"host"));
}
END_TEST

/* A bad verdict came late, or none at all, which is a failure. */
START_TEST(what_was_cut_is_told)
{
	struct record		 a;
	struct record_log	 log = { .form = RECORD_ECS,
				    .cut = RECORD_CUT_DEFAULT };

	sample(&a);
	format(&a, &log);
	ck_assert_ptr_null(strstr(out, "icap.cut"));
	ck_assert_ptr_null(strstr(out, "icap.released"));
	a.cut = true;
	a.released = 5000;
	a.why = "cut after 5000 bytes";
	format(&a, &log);
	ck_assert_ptr_nonnull(strstr(out, "\"icap.cut\":true,"
	    "\"icap.released.bytes\":5000,"));
	ck_assert_ptr_nonnull(strstr(out, "\"event.reason\":"
	    "\"cut after 5000 bytes\""));
	ck_assert_ptr_nonnull(strstr(out, "\"event.type\":[\"access\","
	    "\"denied\"]"));
	ck_assert(record_is_wanted(&a, RECORD_BLOCKED));
	ck_assert(!record_is_wanted(&a, RECORD_ERRORS));
	a.blocked = false;
	ck_assert(record_is_wanted(&a, RECORD_ERRORS));
	format(&a, &log);
	ck_assert_ptr_nonnull(strstr(out, "\"event.outcome\":\"failure\""));
	log.form = RECORD_TEXT;
	format(&a, &log);
	ck_assert_ptr_nonnull(strstr(out, " CUT why=\"cut after 5000 bytes\""));
	/* a good verdict after a trickle */
	a.cut = false;
	log.form = RECORD_ECS;
	format(&a, &log);
	ck_assert_ptr_null(strstr(out, "icap.cut"));
	ck_assert_ptr_nonnull(strstr(out, "\"icap.released.bytes\":5000,"));
}
END_TEST

/* Words of the line as they would stand behind the user. */
START_TEST(no_value_makes_words_of_its_own)
{
	static const char	 forged[] = "bob /blk 200 replaced";
	struct record		 a;
	struct record_log	 log = { .form = RECORD_TEXT,
				    .cut = RECORD_CUT_DEFAULT };

	sample(&a);
	a.user = unit_slice(forged);
	a.client = unit_slice("10.0.0.1 eve");
	format(&a, &log);
	ck_assert_ptr_nonnull(strstr(out, " 192.0.2.1 10.0.0.1\\x20eve "
	    "bob\\x20/blk\\x20200\\x20replaced RESPMOD av 200 replaced "));
}
END_TEST

/* What the body was depends on the method, and on what was sent. */
START_TEST(ecs_says_whose_the_body_was)
{
	struct record		 a;
	struct record_log	 log = { .form = RECORD_ECS,
				    .cut = RECORD_CUT_DEFAULT };

	sample(&a);
	format(&a, &log);
	ck_assert_ptr_null(strstr(out, "http.request.body.bytes"));
	ck_assert_ptr_nonnull(strstr(out, "\"http.response.body.bytes\":333,"
	    "\"icap.response.body.bytes\":444,"));
	a.method = ICAP_REQMOD;
	format(&a, &log);
	ck_assert_ptr_nonnull(strstr(out, "\"http.request.body.bytes\":333,"
	    "\"http.response.body.bytes\":444,"));
	a.res_head_out.len = 0;			/* the request, edited */
	format(&a, &log);
	ck_assert_ptr_null(strstr(out, "http.response.body.bytes"));
	ck_assert_ptr_nonnull(strstr(out, "\"icap.response.body.bytes\":444,"));
}
END_TEST

/* One value after the other is replaced by every byte there is. */
START_TEST(no_byte_gets_out_of_its_value)
{
	static char		 bytes[65536], head[65536 + 64];
	struct record		 a;
	struct record_log	 log = { .cut = RECORD_CUT_MAX };
	struct slice		 evil = { bytes, 0 }, all;
	size_t			 len, n;
	int			 form, which, i;

	for (i = 0; i < (int)sizeof(bytes); i++)
		bytes[i] = (char)(i * 7 + i / 256);
	for (len = 1; len <= sizeof(bytes); len *= 4)
		for (form = 0; form < 3; form++)
			for (which = 0; which < 6; which++) {
				const char	*why, *at;

				sample(&a);
				evil.len = len;
				n = (size_t)snprintf(head, sizeof(head),
				    "GET ");
				memcpy(head + n, bytes, len);
				memcpy(head + n + len, " HTTP/1.1\r\n\r\n",
				    13);
				all.p = head;
				all.len = n + len + 13;
				if (which == 0)
					a.client = evil;
				else if (which == 1)
					a.user = evil;
				else if (which == 2)
					a.path = evil;
				else if (which == 3)
					a.req_head = all;
				else if (which == 4)
					a.res_head = all;
				else
					a.client = a.user = a.path =
					    a.req_head = a.res_head = evil;
				log.form = (enum record_form)form;
				log.format = record_parse_format(
				    "%>a %un %iu %>ho %<ho %huo %Sl",
				    &why, &at);
				format(&a, &log);
				record_free_format((void *)(uintptr_t)
				    log.format);
				if (form == RECORD_ECS)
					unit_must(out[strlen(out) - 1] == '}');
			}
}
END_TEST

static const struct {
	const char	*in;
	size_t		 len;
	size_t		 cut;
	const char	*json;
	const char	*text;
} escapes[] = {
	{ "plain", 5, 100, "plain", "plain" },
	{ "a\"b\\c", 5, 100, "a\\\"b\\\\c", "a\\\"b\\\\c" },
	{ "\r\n\t", 3, 100, "\\u000d\\u000a\\u0009", "\\x0d\\x0a\\x09" },
	{ "\0\x1b\x7f", 3, 100, "\\u0000\\u001b\\u007f", "\\x00\\x1b\\x7f" },
	/* U+00E9, U+20AC, U+1F600 */
	{ "\xc3\xa9", 2, 100, "\\u00e9", "\\xc3\\xa9" },
	{ "\xe2\x82\xac", 3, 100, "\\u20ac", "\\xe2\\x82\\xac" },
	{ "\xf0\x9f\x98\x80", 4, 100, "\\ud83d\\ude00",
	    "\\xf0\\x9f\\x98\\x80" },
	/* alone, too short, too long, a surrogate, beyond the end */
	{ "\x80", 1, 100, "\\\\x80", "\\x80" },
	{ "\xe2\x82", 2, 100, "\\\\xe2\\\\x82", "\\xe2\\x82" },
	{ "\xc0\xaf", 2, 100, "\\\\xc0\\\\xaf", "\\xc0\\xaf" },
	{ "\xed\xa0\x80", 3, 100, "\\\\xed\\\\xa0\\\\x80",
	    "\\xed\\xa0\\x80" },
	{ "\xf4\x90\x80\x80", 4, 100, "\\\\xf4\\\\x90\\\\x80\\\\x80",
	    "\\xf4\\x90\\x80\\x80" },
	/* cuts fall between characters and are marked */
	{ "0123456789", 10, 10, "0123456789", "0123456789" },
	{ "0123456789", 10, 9, "012345...", "012345..." },
	{ "abc\n\n", 5, 10, "abc...", "abc\\x0a..." },
	{ "\n\n\n", 3, 17, "\\u000a\\u000a...", "\\x0a\\x0a\\x0a" },
	{ "abc", 3, 2, "", "" },
};

START_TEST(bytes_are_escaped_and_cut)
{
	struct slice	 s = { escapes[_i].in, escapes[_i].len };
	struct line	 l;

	line_init(&l, out, sizeof(out) - 1);
	line_json(&l, s, escapes[_i].cut);
	out[l.len] = '\0';
	ck_assert_str_eq(out, escapes[_i].json);
	line_init(&l, out, sizeof(out) - 1);
	line_escape(&l, s, escapes[_i].cut);
	out[l.len] = '\0';
	ck_assert_str_eq(out, escapes[_i].text);
	/* none of them has a blank */
	line_init(&l, out, sizeof(out) - 1);
	line_word(&l, s, escapes[_i].cut);
	out[l.len] = '\0';
	ck_assert_str_eq(out, escapes[_i].text);
}
END_TEST

START_TEST(a_word_is_one_word_at_every_cut)
{
	static const char	 in[] = " a  b\nc d ";
	static const char	 whole[] =
	    "\\x20a\\x20\\x20b\\x0ac\\x20d\\x20";
	struct line		 l;
	size_t			 cut;

	for (cut = 0; cut < 64; cut++) {
		line_init(&l, out, sizeof(out) - 1);
		line_word(&l, unit_slice(in), cut);
		unit_must(l.len <= cut);
		unit_must(memchr(out, ' ', l.len) == NULL);
		out[l.len] = '\0';
		if (cut >= sizeof(whole) + 2)
			ck_assert_str_eq(out, whole);
		else if (cut >= 3 && cut < sizeof(whole) - 1)
			ck_assert_str_eq(out + l.len - 3, "...");
	}
}
END_TEST

START_TEST(numbers_and_times)
{
	struct line	 l;

	line_init(&l, out, sizeof(out) - 1);
	line_uint(&l, 0);
	line_char(&l, ' ');
	line_uint(&l, UINT64_MAX);
	line_char(&l, ' ');
	line_int(&l, INT64_MIN);
	line_char(&l, ' ');
	line_hex(&l, 0x123456789abcdef0);
	line_char(&l, ' ');
	line_time(&l, 999);
	line_char(&l, ' ');
	line_time(&l, 1795000000123456);
	out[l.len] = '\0';
	ck_assert_str_eq(out, "0 18446744073709551615 -9223372036854775808 "
	    "123456789abcdef0 1970-01-01T00:00:00.000Z "
	    "2026-11-18T11:06:40.123Z");
	/* a line that is full stays as long as it may be */
	line_init(&l, out, 3);
	line_text(&l, "abcdef");
	line_uint(&l, 1234);
	ck_assert_uint_eq(l.len, 3);
}
END_TEST

/* Values are looked at in words: an odd byte must show in each place. */
START_TEST(an_odd_byte_shows_wherever_it_stands)
{
	static const unsigned char	 odd[] = {
		'"', '\\', 0, 0x1f, 0x7f, 0x80, 0xff
	};
	char		 text[40], all[200], escape[8];
	struct slice	 s = { text, 0 };
	struct line	 l;
	size_t		 at;
	unsigned int	 i;

	for (s.len = 1; s.len <= sizeof(text); s.len++)
		for (at = 0; at < s.len; at++)
			for (i = 0; i < sizeof(odd); i++) {
				memset(text, '~', sizeof(text));
				text[at] = (char)odd[i];
				if (i < 2)
					(void)snprintf(escape, sizeof(escape),
					    "\\%c", odd[i]);
				else
					(void)snprintf(escape, sizeof(escape),
					    "\\x%02x", odd[i]);
				(void)snprintf(all, sizeof(all), "%.*s%s%.*s",
				    (int)at, text, escape,
				    (int)(s.len - at - 1), text + at + 1);
				line_init(&l, out, sizeof(out) - 1);
				line_escape(&l, s, 100);
				out[l.len] = '\0';
				ck_assert_str_eq(out, all);
			}
}
END_TEST

START_TEST(numbers_of_each_length)
{
	char		 text[24];
	uint64_t	 n;
	int		 d;

	for (n = 1; n < UINT64_MAX / 10; n *= 10)
		for (d = -1; d <= 1; d++) {
			(void)snprintf(text, sizeof(text), "%llu",
			    (unsigned long long)(n + (uint64_t)d));
			*put_uint(out, n + (uint64_t)d) = '\0';
			ck_assert_str_eq(out, text);
		}
}
END_TEST

/* Each day up to 2100 and some beyond, against the C library. */
START_TEST(times_are_those_of_gmtime)
{
	char		 text[40];
	struct tm	 tm;
	time_t		 t;

	for (t = 0; t < 253402300800; t += t < 4133980800 ? 86399 :
	    86400 * 97 + 12345) {
		ck_assert_ptr_nonnull(gmtime_r(&t, &tm));
		(void)strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S.000Z",
		    &tm);
		*put_time(out, (int64_t)t * 1000000) = '\0';
		ck_assert_str_eq(out, text);
	}
}
END_TEST

START_TEST(conditions)
{
	struct record	 a;

	sample(&a);
	ck_assert(record_is_wanted(&a, 0));
	ck_assert(record_is_wanted(&a, RECORD_BLOCKED));
	ck_assert(!record_is_wanted(&a, RECORD_ERRORS));
	ck_assert(!record_is_wanted(&a, RECORD_ERRORS | RECORD_UNSCANNED));
	a.blocked = false;
	a.status = 204;
	ck_assert(!record_is_wanted(&a, RECORD_BLOCKED));
	a.unscanned = true;
	ck_assert(record_is_wanted(&a, RECORD_UNSCANNED));
	ck_assert(!record_is_wanted(&a, RECORD_ERRORS));
	a.status = 500;
	ck_assert(record_is_wanted(&a, RECORD_ERRORS));
	a.status = 0;
	ck_assert(record_is_wanted(&a, RECORD_ERRORS));
}
END_TEST

/* A worker that died leaves enough for its successor to say so. */
START_TEST(a_transaction_that_killed_its_worker_is_logged)
{
	struct record		 a;
	struct record_log	 log = { .form = RECORD_ECS,
				    .cut = RECORD_CUT_DEFAULT };
	struct ring_public	*pub;
	struct ring_line	 line;
	struct rings		*rs;
	uint64_t		 pos = 0, at;

	pub = mmap(NULL, sizeof(*pub), PROT_READ | PROT_WRITE,
	    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ck_assert_ptr_ne(pub, MAP_FAILED);
	ck_assert_ptr_nonnull(rs = rings_open(1, RING_SIZE_MIN, pub));
	sample(&a);
	record_begin(rs, RING_WORKER, &a);
	ck_assert(ring_has_intent(rs, RING_WORKER));
	record_bury(rs, RING_WORKER, &log, 1);
	ck_assert(!ring_has_intent(rs, RING_WORKER));
	at = ring_next(rs, RING_WORKER, &pos, &line);
	ring_copy(rs, RING_WORKER, at, out, line.len);
	out[line.len] = '\0';
	ck_assert_ptr_nonnull(strstr(out, "\"event.outcome\":\"unknown\""));
	ck_assert_ptr_nonnull(strstr(out, "\"icap.worker_died\":true"));
	ck_assert_ptr_nonnull(strstr(out, "\"user.name\":\"alice\""));
	ck_assert_ptr_nonnull(strstr(out, "\"icap.path\":\"/av?x=1\""));
	ck_assert_ptr_nonnull(strstr(out, "http://example.com/a"));
	ck_assert_ptr_nonnull(strstr(out, "\"source.ip\":\"192.0.2.1\""));
	ck_assert_ptr_nonnull(strstr(out, "\"icap.service\":\"av\""));
	ck_assert_ptr_nonnull(strstr(out, "\"event.action\":\"RESPMOD\""));
	/* one that was logged is not logged again */
	record_begin(rs, RING_WORKER, &a);
	record_end(rs, RING_WORKER, &a, &log, 1);
	ck_assert(!ring_has_intent(rs, RING_WORKER));
	rings_close(rs);
	(void)munmap(pub, sizeof(*pub));
}
END_TEST

/* In the ring or beside it, around its end too: the line is the same. */
START_TEST(lines_in_the_ring_are_those_that_were_formatted)
{
	static struct record_log log = { 0, RECORD_ECS, NULL, 0, 1024 };
	static char		 inside[RING_LINE_MAX];
	struct ring_public	*pub;
	struct ring_line	 line;
	struct ring_cursor	*cursor;
	struct record		 a;
	struct rings		*rs;
	uint64_t		 pos = 0, at;
	unsigned int		 i, beside = 0;
	size_t			 n;

	pub = mmap(NULL, sizeof(*pub), PROT_READ | PROT_WRITE,
	    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ck_assert_ptr_ne(pub, MAP_FAILED);
	rs = rings_open(1, RING_SIZE_MIN, pub);
	ck_assert_ptr_nonnull(rs);
	ck_assert_int_eq(rings_add_log(rs, "/x"), 0);
	ring_take(rs, RING_WORKER, 1);
	sample(&a);
	for (i = 0; i < 1000; i++) {
		a.ordinal = (uint64_t)i * i * i;
		a.blocked = i % 3 == 0;		/* two lines */
		/* nothing encapsulated: the path says what was asked for */
		a.req_head.len = i % 2 == 0 ? sizeof(req) - 1 : 0;
		beside += ring_room(rs, RING_WORKER) == NULL;
		record_begin(rs, RING_WORKER, &a);
		record_end(rs, RING_WORKER, &a, &log, 1);
		n = record_format_line(out, sizeof(out), &a, &log);
		at = ring_next(rs, RING_WORKER, &pos, &line);
		ck_assert_uint_eq(line.len, n);
		ring_copy(rs, RING_WORKER, at, inside, n);
		ck_assert(memcmp(inside, out, n) == 0);
		if (a.blocked) {
			at = ring_next(rs, RING_WORKER, &pos, &line);
			ck_assert_uint_eq(line.log, RING_RECENT);
			ring_copy(rs, RING_WORKER, at, inside, line.len);
			inside[line.len] = '\0';
			ck_assert_ptr_nonnull(strstr(inside, i % 2 == 0 ?
			    ": GET http://example.com/a" : ": /av?x=1"));
		}
		ck_assert_uint_eq(pos, ring_head(rs, RING_WORKER));
		cursor = ring_cursor(rs, RING_WORKER, 0);
		cursor->tail = ring_recent_cursor(rs, RING_WORKER)->tail = pos;
		ring_release(rs, RING_WORKER);
	}
	ck_assert_uint_gt(beside, 0);
	ck_assert_uint_lt(beside, i / 2);
	rings_close(rs);
	(void)munmap(pub, sizeof(*pub));
}
END_TEST

static void
add(TCase *tc)
{
	unit_add_rows(tc, format_codes_mean_what_c_icap_says, codes);
	unit_add_rows(tc, bad_formats_are_refused_with_a_reason, bad_formats);
	unit_add_rows(tc, bytes_are_escaped_and_cut, escapes);
	tcase_add_test(tc, ecs_has_its_fields);
	tcase_add_test(tc, what_was_cut_is_told);
	tcase_add_test(tc, no_value_makes_words_of_its_own);
	tcase_add_test(tc, ecs_says_whose_the_body_was);
	tcase_add_test(tc, a_word_is_one_word_at_every_cut);
	tcase_add_test(tc, no_byte_gets_out_of_its_value);
	tcase_add_test(tc, numbers_and_times);
	tcase_add_test(tc, an_odd_byte_shows_wherever_it_stands);
	tcase_add_test(tc, numbers_of_each_length);
	tcase_add_test(tc, times_are_those_of_gmtime);
	tcase_add_test(tc, conditions);
	tcase_add_test(tc, lines_in_the_ring_are_those_that_were_formatted);
	tcase_add_test(tc, a_transaction_that_killed_its_worker_is_logged);
}

int
main(void)
{
	return unit_main("record", add);
}
