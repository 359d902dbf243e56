/* SPDX-License-Identifier: ISC */
/*
 * Chunked bodies (conformance.md A6 and the last-chunk forms of A7): each row
 * whole, byte by byte and split at every point.  The decoder is strict where
 * framing rests on it, and every leniency here is named for who needs it.
 */
#include <stdlib.h>
#include <string.h>

#include "../proto/chunk.h"
#include "unit.h"

static const struct limits standard = LIMITS_DEFAULT;

static void
play_chunks(const struct cut *cut, const char *in, size_t len,
    const void *arg, struct text *out)
{
	struct text		 trailers = { .len = 0 };
	struct chunk		 c;
	struct slice		 piece;
	enum chunk_event	 event = CHUNK_MORE;
	size_t			 pos = 0, next, used;
	char			*mem = NULL;

	trailers.s[0] = '\0';
	chunk_init(&c, arg);
	while (event != CHUNK_BAD && event != CHUNK_END && pos < len) {
		/* a fresh piece of memory each: nothing may be kept */
		next = cut_next(cut, pos, len);
		free(mem);
		unit_must((mem = malloc(next - pos)) != NULL);
		memcpy(mem, in + pos, next - pos);
		event = chunk_parse(&c, mem, next - pos, &used, &piece);
		unit_must(used <= next - pos);
		if (event == CHUNK_MORE)
			unit_must(used == next - pos);
		if (event == CHUNK_DATA)
			text_add(out, piece.p, piece.len);
		if (event == CHUNK_TRAILER)
			text_add(&trailers, piece.p, piece.len);
		if (event == CHUNK_DATA || event == CHUNK_TRAILER) {
			unit_must(piece.len > 0);
			unit_must(piece.p >= mem &&
			    piece.p + piece.len == mem + used);
		}
		pos += used;
	}
	free(mem);
	if (event == CHUNK_BAD) {
		ck_assert_ptr_nonnull(c.why);
		text_addf(out, " bad");
		return;
	}
	ck_assert_ptr_null(c.why);
	if (trailers.len > 0)
		text_addf(out, " trailers %s", trailers.s);
	if (c.ieof)
		text_addf(out, " ieof");
	if (c.has_original)
		text_addf(out, " original %llu",
		    (unsigned long long)c.original);
	if (event != CHUNK_END)
		text_addf(out, " more");
	else if (pos < len)
		text_addf(out, " rest %zu", len - pos);
}

#define END	"0\r\n\r\n"
#define OK(s)	s "\r\nhello\r\n" END

static const struct {
	const char	*in;
	const char	*expect;
} rows[] = {
	{ "5\r\nhello\r\n" END, "hello" },
	{ END, "" },
	/* C095: hexadecimal digits of both cases */
	{ "a\r\n0123456789\r\n" END, "0123456789" },
	{ "A\r\n0123456789\r\n" END, "0123456789" },
	{ "1f\r\n0123456789012345678901234567890\r\n" END,
	    "0123456789012345678901234567890" },
	{ "1F\r\n0123456789012345678901234567890\r\n" END,
	    "0123456789012345678901234567890" },
	/* C096: leading zeros */
	{ OK("0005"), "hello" },
	{ OK("00000000000000000000000000000000005"), "hello" },
	{ "5\r\nhello\r\n000\r\n\r\n", "hello" },
	/* C097: boundaries anywhere, and CRLFs as data */
	{ "1\r\nh\r\n1\r\ne\r\n2\r\nll\r\n1\r\no\r\n" END, "hello" },
	{ "4\r\n\r\n\r\n\r\n" END, "\\r\\n\\r\\n" },
	{ "5\r\n0\r\n\r\n\r\n" END, "0\\r\\n\\r\\n" },
	/* C098, C099: up to 2^60 and nothing wraps around */
	{ "C0000000\r\nx", "x more" },
	{ "100000000\r\nx", "x more" },
	{ "fffffffffffffff\r\nx", "x more" },
	{ "1000000000000000\r\nx", "x more" },
	{ "0001000000000000000\r\nx", "x more" },
	{ "1000000000000001\r\nx", " bad" },
	{ "7FFFFFFFFFFFFFFF\r\nx", " bad" },
	{ "FFFFFFFFFFFFFFFF\r\nx", " bad" },
	{ "10000000000000000\r\nx", " bad" },
	{ OK("10000000000000005"), " bad" },
	{ OK("1000000000000000000000000000000000000000000000000000000000005"),
	    " bad" },
	/* C100: no prefixes */
	{ OK("0x5"), " bad" },
	{ OK("0X5"), " bad" },
	{ OK("+5"), " bad" },
	{ OK("-5"), " bad" },
	{ "-0\r\n\r\n", " bad" },
	{ "-0x0\r\n\r\n", " bad" },
	{ OK("0_5"), " bad" },
	{ OK("5_"), " bad" },
	{ OK("\331\245"), " bad" },
	{ OK("5h"), " bad" },
	{ OK("5."), " bad" },
	/* C101, C103: a size line begins with the size */
	{ OK(" 5"), " bad" },
	{ OK("\t5"), " bad" },
	{ "\r\n5\r\nhello\r\n" END, " bad" },
	{ "\r\n", " bad" },
	{ ";ieof\r\n\r\n", " bad" },
	{ "5\r\nhello\r\n\r\n" END, "hello bad" },
	{ "5\r\nhello\r\n\r\n\r\n", "hello bad" },
	{ "5\r\nhello\r\n;x\r\n\r\n", "hello bad" },
	/* C102: a few blanks behind it (IBM, Squid) */
	{ OK("5 "), "hello" },
	{ OK("5\t"), "hello" },
	{ "5\r\nhello\r\n0 \r\n\r\n", "hello" },
	{ OK("5                "), "hello" },			/* 16 */
	{ OK("5                 "), " bad" },			/* 17 */
	/* C104 */
	{ OK("5g"), " bad" },
	{ OK("5 hello"), " bad" },
	{ OK("5 5"), " bad" },
	{ OK("Z"), " bad" },
	{ "1these-bytes\r\nx\r\n" END, " bad" },
	/* C105, C106: CRLF ends a line, and only that */
	{ "5\nhello\r\n" END, " bad" },
	{ "5\r\nhello\r\n0\n\r\n", "hello bad" },
	{ "5\r\nhello\r\n0\r\n\n", "hello bad" },
	{ "5\rXhello\r\n" END, " bad" },
	{ "5\r\r\nhello\r\n" END, " bad" },
	{ "5;a=b\r\rXhello\r\n" END, " bad" },
	{ "5;a\nhello\r\n" END, " bad" },
	{ "0\r\n\rX", " bad" },
	{ "0\r\n\r\r\n", " bad" },
	/* C107: exactly CRLF behind the data */
	{ "5\r\nhelloX0\r\n\r\n", "hello bad" },
	{ "5\r\nhello\n0\r\n\r\n", "hello bad" },
	{ "5\r\nhelloX\n0\r\n\r\n", "hello bad" },
	{ "5\r\nhello0\r\n\r\n", "hello bad" },
	{ "5\r\nhello\rX0\r\n\r\n", "hello bad" },
	{ "5\r\nhello\r\r\n0\r\n\r\n", "hello bad" },
	{ "3\r\nhello\r\n" END, "hel bad" },
	{ "5\r\nhello\r\nXX" END, "hello bad" },
	/* C108: unknown extensions mean nothing */
	{ OK("5;foo"), "hello" },
	{ OK("5;foo=bar"), "hello" },
	{ OK("5; a=b; c"), "hello" },
	{ OK("5;a=\"q;\\\"x\\\"\""), "hello" },
	{ OK("5 ; a = b"), "hello" },
	{ OK("5\t;\ta\t=\t\"b\"\t;c"), "hello" },
	{ OK("5;a=\"\""), "hello" },
	{ OK("5;a=\"\344\""), "hello" },
	{ "5\r\nhello\r\n0;foo=bar\r\n\r\n", "hello" },
	/* C109: Skyhigh's icaptest ends its preview with 0; */
	{ OK("5;"), "hello" },
	{ OK("5; "), "hello" },
	{ "5\r\nhello\r\n0;\r\n\r\n", "hello" },
	{ OK("5;;a"), " bad" },
	{ OK("5;=x"), " bad" },
	{ OK("5;a="), " bad" },
	{ OK("5;a=;b"), " bad" },
	{ OK("5;a b"), " bad" },
	{ OK("5;a=b c"), " bad" },
	{ OK("5;a=\"b\"c"), " bad" },
	{ OK("5;a=b=c"), " bad" },
	{ OK("5;a=\"unterminated"), " bad" },
	{ OK("5;a@b"), " bad" },
	{ OK("5;\344"), " bad" },
	/* C110: no control characters */
	{ "5;a=\"x\ny\"\r\nhello\r\n" END, " bad" },
	{ "5;a=\"x\r\ny\"\r\nhello\r\n" END, " bad" },
	{ "5;a=\"x\\\ny\"\r\nhello\r\n" END, " bad" },
	{ "5;a=\"x\\\r\ny\"\r\nhello\r\n" END, " bad" },
	{ OK("5;a=\"\001\""), " bad" },
	{ OK("5;\001"), " bad" },
	/* C112: trailers, whole, and nothing of what follows them */
	{ "0\r\nX-Sum: abc\r\n\r\n", " trailers X-Sum: abc\\r\\n" },
	{ "1\r\nx\r\n0\r\nA: b\r\nC:\r\nD: \344\t\r\n\r\nOPTIONS",
	    "x trailers A: b\\r\\nC:\\r\\nD: \\xe4\\x09\\r\\n rest 7" },
	{ "0; ieof\r\nX: y\r\n\r\n", " trailers X: y\\r\\n ieof" },
	/* C114: their syntax; they never mean anything */
	{ "0\r\nContent-Length: 1\r\nEncapsulated: x\r\n\r\nx",
	    " trailers Content-Length: 1\\r\\nEncapsulated: x\\r\\n rest 1" },
	{ "0\r\ngarbage\r\n\r\n", " bad" },
	{ "0\r\n: x\r\n\r\n", " bad" },
	{ "0\r\nA : x\r\n\r\n", " bad" },
	{ "0\r\n A: x\r\n\r\n", " bad" },
	{ "0\r\nA: x\n\r\n", " bad" },
	{ "0\r\nA: x\ry\r\n\r\n", " bad" },
	{ "0\r\nA: \001\r\n\r\n", " bad" },
	{ "0\r\nA: x\r\n\n", " bad" },
	/* C115: truncated anywhere is not an end */
	{ "5", " more" },
	{ "5\r\nhel", "hel more" },
	{ "5\r\nhello\r\n0\r\n", "hello more" },
	{ "5\r\nhello\r\n0\r\n\r", "hello more" },
	/* C119: nothing behind the end belongs to the body (g3, e2guardian) */
	{ END END, " rest 5" },
	{ "5\r\nhello\r\n" END "OPTIONS", "hello rest 7" },
	/* C134: how ieof is spelt */
	{ "5\r\nhello\r\n0; ieof\r\n\r\n", "hello ieof" },
	{ "0;ieof\r\n\r\n", " ieof" },
	{ "0; ieof\r\n\r\n", " ieof" },
	{ "0 ; ieof\r\n\r\n", " ieof" },
	{ "0;\tieof\r\n\r\n", " ieof" },
	{ "0; IEOF\r\n\r\n", " ieof" },
	{ "00; ieof\r\n\r\n", " ieof" },
	{ "0; ieof \r\n\r\n", " ieof" },
	/* C135: and what only looks like it */
	{ "0; foo=1; ieof\r\n\r\n", " ieof" },
	{ "0; ieof; foo\r\n\r\n", " ieof" },
	{ "0; ieofx\r\n\r\n", "" },
	{ "0; xieof\r\n\r\n", "" },
	{ "0; ieo\r\n\r\n", "" },
	{ "0; foo=ieof\r\n\r\n", "" },
	{ "0; foo=\"; ieof\"\r\n\r\n", "" },
	{ "0; ieof=1\r\n\r\n", "" },
	{ "0; ieofieofieofieofieofieofieofieof\r\n\r\n", "" },
	/* C136: only on the last chunk */
	{ OK("5; ieof"), "hello" },
	/* the last chunk of a 206 */
	{ "0; use-original-body=0\r\n\r\n", " original 0" },
	{ "3\r\nHEY\r\n0; use-original-body=3\r\n\r\n", "HEY original 3" },
	{ "0; use-original-body=1152921504606846976\r\n\r\n",
	    " original 1152921504606846976" },
	{ "0; use-original-body=1152921504606846977\r\n\r\n", " bad" },
	{ "0; use-original-body=18446744073709551617\r\n\r\n", " bad" },
	{ "0; use-original-body=1000000000000000000000000000000000\r\n\r\n",
	    " bad" },
	{ "0; use-original-body=000000000000000000000005\r\n\r\n",
	    " original 5" },
	{ "0; use-original-body=0000000000000000000000005\r\n\r\n", " bad" },
	{ "0; use-original-body=-1\r\n\r\n", " bad" },
	{ "0; use-original-body=0x1\r\n\r\n", " bad" },
	{ "0; use-original-body\r\n\r\n", "" },
	{ OK("5; use-original-body=-1"), "hello" },
};

START_TEST(bodies_are_decoded_or_refused)
{
	unit_check_splits(play_chunks, rows[_i].in, strlen(rows[_i].in),
	    &standard, rows[_i].expect);
}
END_TEST

/* C110: a string cannot hold these. */
START_TEST(nul_bytes_are_refused)
{
	static const char	 name[] = "5;a\0\r\nhello\r\n" END;
	static const char	 quoted[] = "5;a=\"\0\"\r\nhello\r\n" END;
	static const char	 size[] = "5\0\r\nhello\r\n" END;
	static const char	 trailer[] = "0\r\nA: \0\r\n\r\n";
	static const char	 data[] = "1\r\n\0\r\n" END;

	unit_check_splits(play_chunks, name, sizeof(name) - 1, &standard,
	    " bad");
	unit_check_splits(play_chunks, quoted, sizeof(quoted) - 1, &standard,
	    " bad");
	unit_check_splits(play_chunks, size, sizeof(size) - 1, &standard,
	    " bad");
	unit_check_splits(play_chunks, trailer, sizeof(trailer) - 1,
	    &standard, " bad");
	unit_check_splits(play_chunks, data, sizeof(data) - 1, &standard,
	    "\\x00");
}
END_TEST

/*
 * C111, C114: n - 1, n, n + 1.  A size line counts with its CR, trailers
 * with their line ends; the empty line behind them is none, so that bodies
 * pass where no trailer may.
 */
static const struct {
	const char	*in;
	struct limits	 limits;
	const char	*expect;
} limited[] = {
	{ OK("5;abcdefg"), { .chunk_line = 11, .trailers = 0 }, "hello" },
	{ OK("5;abcdefg"), { .chunk_line = 10, .trailers = 0 }, "hello" },
	{ OK("5;abcdefg"), { .chunk_line = 9, .trailers = 0 }, " bad" },
	{ OK("000000005"), { .chunk_line = 10, .trailers = 0 }, "hello" },
	{ OK("000000005"), { .chunk_line = 9, .trailers = 0 }, " bad" },
	{ "5\r\nhello\r\n0;abcdefg\r\n\r\n",
	    { .chunk_line = 9, .trailers = 0 }, "hello bad" },
	{ "0\r\nA: bcd\r\n\r\n", { .chunk_line = 9, .trailers = 9 },
	    " trailers A: bcd\\r\\n" },
	{ "0\r\nA: bcd\r\n\r\n", { .chunk_line = 9, .trailers = 8 },
	    " trailers A: bcd\\r\\n" },
	{ "0\r\nA: bcd\r\n\r\n", { .chunk_line = 9, .trailers = 7 }, " bad" },
	{ "0\r\nA: bcd\r\n\r\n", { .chunk_line = 9, .trailers = 0 }, " bad" },
	{ "0\r\nA:\r\nB:\r\n\r\n", { .chunk_line = 9, .trailers = 8 },
	    " trailers A:\\r\\nB:\\r\\n" },
	{ "0\r\nA:\r\nB:\r\n\r\n", { .chunk_line = 9, .trailers = 7 },
	    " bad" },
	{ END, { .chunk_line = 9, .trailers = 0 }, "" },
};

START_TEST(limits_hold_to_the_byte)
{
	unit_check_splits(play_chunks, limited[_i].in,
	    strlen(limited[_i].in), &limited[_i].limits, limited[_i].expect);
}
END_TEST

/* C097, C098: a chunk of many gigabytes streams, and so do many of one byte. */
START_TEST(huge_chunks_stream)
{
	static char	 zeros[1 << 16];
	struct chunk	 c;
	struct slice	 piece;
	uint64_t	 left = UINT64_C(0x140000000);
	size_t		 used, n;

	chunk_init(&c, &standard);
	ck_assert_int_eq(chunk_parse(&c, "140000000\r\n", 11, &used, &piece),
	    CHUNK_MORE);
	for (; left > 0; left -= n) {
		n = left < sizeof(zeros) ? (size_t)left : sizeof(zeros);
		unit_must(chunk_parse(&c, zeros, n, &used,
		    &piece) == CHUNK_DATA);
		unit_must(used == n && piece.len == n);
	}
	ck_assert_int_eq(chunk_parse(&c, "\r\n" END, 7, &used, &piece),
	    CHUNK_END);
	ck_assert_uint_eq(used, 7);
}
END_TEST

START_TEST(an_ended_body_stays_ended)
{
	struct chunk	 c;
	struct slice	 piece;
	size_t		 used = 1;

	chunk_init(&c, &standard);
	ck_assert_int_eq(chunk_parse(&c, END, 5, &used, &piece), CHUNK_END);
	ck_assert_int_eq(chunk_parse(&c, "5\r\n", 3, &used, &piece),
	    CHUNK_END);
	ck_assert_uint_eq(used, 0);
}
END_TEST

/* C187: lower-case hexadecimal, no leading zeros, nothing else. */
static const struct {
	uint64_t	 size;
	const char	*head;
} heads[] = {
	{ 1, "1\r\n" },
	{ 9, "9\r\n" },
	{ 10, "a\r\n" },
	{ 16, "10\r\n" },
	{ 255, "ff\r\n" },
	{ 65536, "10000\r\n" },
	{ UINT64_C(0x80000000), "80000000\r\n" },
	{ UINT64_C(0x123456789abcdef0), "123456789abcdef0\r\n" },
	{ UINT64_MAX, "ffffffffffffffff\r\n" },
};

START_TEST(heads_are_plain_hexadecimal)
{
	char	*dst = malloc(CHUNK_HEAD_MAX);

	ck_assert_ptr_nonnull(dst);
	ck_assert_uint_eq(chunk_format(dst, heads[_i].size),
	    strlen(heads[_i].head));
	ck_assert_int_eq(memcmp(dst, heads[_i].head, strlen(heads[_i].head)),
	    0);
	free(dst);
}
END_TEST

static void
add(TCase *tc)
{
	unit_add_rows(tc, bodies_are_decoded_or_refused, rows);
	tcase_add_test(tc, nul_bytes_are_refused);
	unit_add_rows(tc, limits_hold_to_the_byte, limited);
	tcase_add_test(tc, huge_chunks_stream);
	tcase_add_test(tc, an_ended_body_stays_ended);
	unit_add_rows(tc, heads_are_plain_hexadecimal, heads);
}

int
main(void)
{
	return unit_main("chunk", add);
}
