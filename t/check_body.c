/* SPDX-License-Identifier: ISC */
/*
 * Bodies over the memory client (conformance.md A6, A7): preview, 100
 * Continue and the rest are one sequence of bytes, however they arrive and
 * however they are read.  In the rows a bar marks the byte before which the
 * client waits for an answer; it is not sent.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "unit.h"
#include "wire.h"

/* Small heads keep the buffer small, so that bodies outgrow it. */
static const struct limits small = {
	.request_line = 256, .head = 512, .http_heads = 512, .fields = 16,
	.chunk_line = 64, .trailers = 64
};

#define BUFFER	(1024 + BODY_RESERVE + 20 * 1024)

static const char continue_reply[] = "ICAP/1.0 100 Continue\r\n\r\n";

/* How a body is read to its end; the bytes are the same. */
enum reading {
	READ_NEXT,		/* piece by piece */
	READ_COPY,		/* three bytes at a time */
	READ_PEEK,		/* with a look before each piece */
	READ_TWICE,		/* two bytes, and then from the start */
	READ_ALL_TWICE,		/* all, and then from the start */
	READ_SPOOLED,		/* two bytes, then all is received first */
	READ_SETTLED,		/* once it is known whether there is more */
	READ_COMMIT,		/* as for a reply that has begun */
	READINGS
};

struct bytes {
	char	*p;
	size_t	 len;
	size_t	 size;
};

static void
bytes_add(struct bytes *b, const char *p, size_t len)
{
	if (len > b->size - b->len) {
		b->size = 2 * b->size + len;
		unit_must((b->p = realloc(b->p, b->size)) != NULL);
	}
	if (len > 0)
		memcpy(b->p + b->len, p, len);
	b->len += len;
}

static void
bytes_add_piece(struct bytes *b, const struct body_piece *piece)
{
	char	*p;

	unit_must(piece->len > 0);
	if (piece->fd == -1) {
		unit_must(piece->mem.len == piece->len);
		bytes_add(b, piece->mem.p, piece->mem.len);
		return;
	}
	unit_must((p = malloc((size_t)piece->len)) != NULL);
	unit_must(pread(piece->fd, p, (size_t)piece->len,
	    (off_t)piece->offset) == (ssize_t)piece->len);
	bytes_add(b, p, (size_t)piece->len);
	free(p);
}

static int
read_pieces(struct body *b, struct bytes *got, bool peek)
{
	struct body_piece	 piece;
	struct slice		 seen = { NULL, 0 };
	char			*copy = NULL;
	size_t			 start, n;
	int			 more;

	for (;;) {
		if (peek && body_peek(b, 5, &seen) == -1)
			return -1;
		if (seen.len > 0) {
			unit_must((copy = malloc(seen.len)) != NULL);
			memcpy(copy, seen.p, seen.len);
		}
		start = got->len;
		if ((more = body_next(b, &piece)) == 1)
			bytes_add_piece(got, &piece);
		/* what was seen is what comes */
		n = got->len - start < seen.len ? got->len - start : seen.len;
		if (n > 0)
			unit_must(memcmp(copy, got->p + start, n) == 0);
		unit_must(more != 0 || seen.len == 0);
		free(copy);
		copy = NULL;
		if (more != 1)
			return more;
	}
}

static int
read_copies(struct body *b, struct bytes *got, size_t most)
{
	char	 dst[3];
	ssize_t	 n;

	while (got->len < most) {
		n = body_read(b, dst, most - got->len < sizeof(dst) ?
		    most - got->len : sizeof(dst));
		if (n <= 0)
			return (int)n;
		bytes_add(got, dst, (size_t)n);
	}
	return 0;
}

static int
read_body(struct body *b, struct bytes *got, enum reading how)
{
	struct bytes	 first = { NULL, 0, 0 };
	size_t		 n;
	int		 result;

	switch (how) {
	case READ_COPY:
		return read_copies(b, got, SIZE_MAX);
	case READ_TWICE:
	case READ_ALL_TWICE:
		body_remember(b);
		result = read_copies(b, &first,
		    how == READ_TWICE ? 2 : SIZE_MAX);
		if (result == 0) {
			body_rewind(b);
			result = read_pieces(b, got, true);
			n = first.len < got->len ? first.len : got->len;
			ck_assert_int_eq(n == 0 ? 0 :
			    memcmp(first.p, got->p, n), 0);
			ck_assert(result != 0 || first.len <= got->len);
		}
		free(first.p);
		return result;
	case READ_SPOOLED:
		body_remember(b);
		if (read_copies(b, got, 2) == -1 || body_spool(b) == -1)
			return -1;
		unit_must(body_is_read(b));
		return read_pieces(b, got, true);
	case READ_SETTLED:
		if (body_settle(b) == -1)
			return -1;
		unit_must(!b->continued && b->state != BODY_PREVIEW);
		return read_pieces(b, got, false);
	case READ_COMMIT:
		if (body_commit(b) == -1)
			return -1;
		return read_pieces(b, got, false);
	default:
		return read_pieces(b, got, how == READ_PEEK);
	}
}

struct play {
	enum reading	 how;
	int		 end;		/* errno behind the last byte */
};

/* The gate is where the bar is; returns the message without it. */
static char *
remove_bar(const char *in, size_t len, size_t *gate, size_t *out_len)
{
	const char	*bar = memchr(in, '|', len);
	char		*p = malloc(len + 1);

	ck_assert_ptr_nonnull(p);
	*gate = bar == NULL ? 0 : (size_t)(bar - in);
	if (bar == NULL)
		*gate = len;
	memcpy(p, in, *gate);
	if (bar != NULL)
		memcpy(p + *gate, bar + 1, len - *gate - 1);
	*out_len = bar == NULL ? len : len - 1;
	if (bar == NULL)
		*gate = 0;
	return p;
}

static void
show_body(struct message *m, int result, const struct bytes *got,
    struct text *out)
{
	if (result == -1) {
		ck_assert_int_eq(m->body.state, BODY_BROKEN);
		ck_assert_ptr_nonnull(m->body.fault.why);
		text_addf(out, "%d", m->body.fault.status);
		return;
	}
	ck_assert(body_is_complete(&m->body));
	ck_assert_ptr_null(m->body.fault.why);
	text_add(out, got->p, got->len);
	if (m->body.trailers_len > 0) {
		text_addf(out, " trailers ");
		text_add(out, m->body.trailers, m->body.trailers_len);
	}
	if (m->body.continued)
		text_addf(out, " 100");
}

/* Receives a message; its heads' lengths, its body, and what is left over. */
static void
play_message(const struct cut *cut, const char *in, size_t len,
    const void *arg, struct text *out)
{
	const struct play	*play = arg;
	struct bytes		 got = { NULL, 0, 0 };
	struct message		 m;
	struct stream		 s;
	struct wire		 w = { .at = cut->at, .step = cut->step,
				    .end = play->end };
	char			*bytes;
	int			 result;

	w.in = bytes = remove_bar(in, len, &w.gate, &w.in_len);
	ck_assert_int_eq(stream_init(&s, BUFFER), 0);
	wire_start(&w, &s);
	switch (message_receive(&m, &s, &small)) {
	case PARSE_BAD:
		text_addf(out, "head %d", m.fault.status);
		break;
	case PARSE_MORE:
		text_addf(out, "head more");
		break;
	case PARSE_OK:
		text_addf(out, "%zu+%zu ", m.req_hdr.len, m.res_hdr.len);
		result = read_body(&m.body, &got, play->how);
		show_body(&m, result, &got, out);
		if (result == 0 && buf_len(&s.in) + w.in_len != w.in_pos)
			text_addf(out, " rest %zu",
			    buf_len(&s.in) + w.in_len - w.in_pos);
		/* C146: these bytes, C123: and not before the preview's end */
		ck_assert_uint_eq(w.out_len, m.body.continued ?
		    sizeof(continue_reply) - 1 : 0);
		if (m.body.continued)
			ck_assert_int_eq(memcmp(w.out, continue_reply,
			    w.out_len), 0);
		if (w.gate != 0 && w.out_len > 0)
			ck_assert_uint_eq(w.answered_at, w.gate);
		break;
	}
	message_fini(&m);
	wire_fini(&w);
	stream_fini(&s);
	free(got.p);
	free(bytes);
}

#define POST(h)	"REQMOD icap://h/e ICAP/1.0\r\n" h \
		"Encapsulated: req-hdr=0, req-body=48\r\n\r\n" \
		"POST /u HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\n"
#define PRE(n)	POST("Preview: " #n "\r\n")
#define GET(h)	"REQMOD icap://h/e ICAP/1.0\r\n" h "\r\n" \
		"GET / HTTP/1.1\r\nHost: h\r\n\r\n"
#define NEXT	"OPTIONS icap://h/e ICAP/1.0\r\n\r\n"		/* 31 */
#define END	"0\r\n\r\n"
#define HELLO	"5\r\nhello\r\n"
#define FIFTY	"01234567890123456789012345678901234567890123456789"

static const struct {
	const char	*in;
	int		 end;
	const char	*expect;
} rows[] = {
	{ POST("") HELLO END, 0, "48+0 hello" },
	{ POST("") END, 0, "48+0 " },
	/* C049, C112: the next request begins right behind the body */
	{ POST("Content-Length: 3\r\n") HELLO END NEXT, 0,
	    "48+0 hello rest 31" },
	{ POST("") HELLO "0\r\nX-Sum: abc\r\n\r\n" NEXT, 0,
	    "48+0 hello trailers X-Sum: abc\\r\\n rest 31" },
	/* C054, C060: bare bodies */
	{ "REQMOD icap://h/e ICAP/1.0\r\nEncapsulated: req-body=0\r\n\r\n"
	    HELLO END, 0, "0+0 hello" },
	{ "RESPMOD icap://h/e ICAP/1.0\r\nHost:h\r\nEncapsulated: res-body=0"
	    "\r\n\r\n" HELLO END, 0, "0+0 hello" },
	/* C063, C142: a body of OPTIONS has no preview */
	{ "OPTIONS icap://h/e ICAP/1.0\r\nEncapsulated: opt-body=0\r\n\r\n"
	    "3\r\nabc\r\n" END NEXT, 0, "0+0 abc rest 31" },
	{ "OPTIONS icap://h/e ICAP/1.0\r\nEncapsulated: opt-body=0\r\n"
	    "Preview: 9\r\n\r\n3\r\nabc\r\n" END NEXT, 0, "0+0 abc rest 31" },
	{ "OPTIONS icap://h/e ICAP/1.0\r\nPreview: 0\r\n\r\n" NEXT, 0,
	    "0+0  rest 31" },
	/* C061, C081, C084, C094: heads end at their offsets */
	{ GET("Encapsulated: req-hdr=0, null-body=26\r\n"), 0, "head 400" },
	{ GET("Encapsulated: req-hdr=0, null-body=28\r\n"), 0, "head more" },
	{ GET("Encapsulated: req-hdr=0, null-body=28\r\n") "O", 0,
	    "head 400" },
	{ "REQMOD icap://h/e ICAP/1.0\r\nEncapsulated: req-hdr=0, null-body=2"
	    "\r\n\r\n\r\n", 0, "head 400" },
	/* C088: two blocks in one section (toolarium, ICAP-avscan) */
	{ "REQMOD icap://h/e ICAP/1.0\r\nEncapsulated: req-hdr=0, req-body=37"
	    "\r\n\r\nGET / HTTP/1.1\r\n\r\nHTTP/1.1 200 OK\r\n\r\n" HELLO END,
	    0, "37+0 hello" },
	/* C090: Content-Length in the head is not believed */
	{ "RESPMOD icap://h/e ICAP/1.0\r\nEncapsulated: res-hdr=0, res-body=38"
	    "\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n" HELLO END,
	    0, "0+38 hello" },
	/* C115: truncated anywhere: nobody is there to be told */
	{ POST(""), 0, "48+0 0" },
	{ POST("") "5", 0, "48+0 0" },
	{ POST("") "5\r\nhel", 0, "48+0 0" },
	{ POST("") HELLO, 0, "48+0 0" },
	{ POST("") HELLO "0\r\n", 0, "48+0 0" },
	{ POST("") "5\r\nhel", ECONNRESET, "48+0 0" },
	{ POST("") "5\r\nhel", ETIMEDOUT, "48+0 408" },
	/* C116: egirna's missing CRLF is waited for */
	{ PRE(4) "4\r\nhell\r\n" END "|1\r\no\r\n0\r\n", ETIMEDOUT,
	    "48+0 408" },
	/* C117: ieof without a preview is an ordinary end */
	{ POST("") HELLO "0; ieof\r\n\r\n" NEXT, 0, "48+0 hello rest 31" },
	/* C118, C119: what follows the end is not ours */
	{ GET("Encapsulated: req-hdr=0, null-body=27\r\n") END, 0,
	    "27+0  rest 5" },
	{ POST("") END END, 0, "48+0  rest 5" },
	/* bad chunks, before and after the 100 */
	{ POST("") "5x\r\nhello\r\n" END, 0, "48+0 400" },
	{ POST("") "-5\r\nhello\r\n" END, 0, "48+0 400" },
	{ POST("") "5\r\nhelloX0\r\n\r\n", 0, "48+0 400" },
	{ PRE(9) "5\r\nhello0\r\n\r\n", 0, "48+0 400" },
	{ PRE(4) "4\r\nhell\r\n" END "|1\r\nok0\r\n\r\n", 0, "48+0 400" },
	/* C121, C122 */
	{ PRE(4) "4\r\nhell\r\n" END "|1\r\no\r\n" END NEXT, 0,
	    "48+0 hello 100 rest 31" },
	/* C008: the rest comes before it was asked for */
	{ PRE(4) "4\r\nhell\r\n" END "1\r\no\r\n" END NEXT, 0,
	    "48+0 hello 100 rest 31" },
	/* C124, C145: ieof ends it at once */
	{ PRE(1024) HELLO "0; ieof\r\n\r\n" NEXT, 0, "48+0 hello rest 31" },
	{ PRE(5) HELLO "0; ieof\r\n\r\n" NEXT, 0, "48+0 hello rest 31" },
	/* C125, C126 */
	{ PRE(0) END "|" HELLO END, 0, "48+0 hello 100" },
	{ PRE(0) "0; ieof\r\n\r\n" NEXT, 0, "48+0  rest 31" },
	/* C127: nothing follows, so nothing is waited for */
	{ GET("Preview: 0\r\nEncapsulated: req-hdr=0, null-body=27\r\n"),
	    ETIMEDOUT, "27+0 " },
	{ GET("Preview: 0\r\nEncapsulated: req-hdr=0, null-body=27\r\n") NEXT,
	    0, "27+0  rest 31" },
	/* C128: nothing follows the 100 but the end */
	{ PRE(5) HELLO END "|" END NEXT, 0, "48+0 hello 100 rest 31" },
	/* C129: a preview in several chunks */
	{ PRE(4) "2\r\nhe\r\n2\r\nll\r\n" END "|1\r\no\r\n" END, 0,
	    "48+0 hello 100" },
	/* C130: shorter than announced (g3) */
	{ PRE(1024) HELLO END "|6\r\n world\r\n" END, 0,
	    "48+0 hello world 100" },
	/* C131, C143: longer than announced: its end is the end */
	{ PRE(4) HELLO END NEXT, 0, "48+0 hello rest 31" },
	{ PRE(0) "1\r\nh\r\n4\r\nello\r\n" END, ETIMEDOUT, "48+0 hello" },
	/* C134: Skyhigh ends its preview with 0; */
	{ PRE(4) "4\r\nhell\r\n0;\r\n\r\n|1\r\no\r\n" END, 0,
	    "48+0 hello 100" },
	/* C135, C136: what is not ieof */
	{ PRE(9) HELLO "0; ieofx\r\n\r\n|" END, 0, "48+0 hello 100" },
	{ PRE(9) "5; ieof\r\nhello\r\n" END "|" END, 0, "48+0 hello 100" },
	/* C138: ieof after a 100 is an ordinary end */
	{ PRE(4) "4\r\nhell\r\n" END "|1\r\no\r\n0; ieof\r\n\r\n" NEXT, 0,
	    "48+0 hello 100 rest 31" },
	/* C141: the client dies or is silent after the 100 */
	{ PRE(4) "4\r\nhell\r\n" END, 0, "48+0 0" },
	{ PRE(4) "4\r\nhell\r\n" END, ETIMEDOUT, "48+0 408" },
	{ PRE(4) "4\r\nhell\r\n" END "|1\r\n", ECONNRESET, "48+0 0" },
	/* C144: trailers of a preview are not the body's */
	{ PRE(4) "4\r\nhell\r\n0\r\nX: y\r\n\r\n|1\r\no\r\n" END, 0,
	    "48+0 hello 100" },
	{ PRE(4) "4\r\nhell\r\n0\r\nX: y\r\n\r\n|1\r\no\r\n0\r\nA: b\r\n\r\n",
	    0, "48+0 hello trailers A: b\\r\\n 100" },
	{ PRE(9) HELLO "0; ieof\r\nX: y\r\n\r\n", 0,
	    "48+0 hello trailers X: y\\r\\n" },
	/* limits of this test: 64 bytes of trailers, with their line ends */
	{ POST("") "0\r\nA:" FIFTY "1234567890\r\n\r\n", 0,
	    "48+0  trailers A:" FIFTY "1234567890\\r\\n" },
	{ POST("") "0\r\nA:" FIFTY "12345678901\r\n\r\n", 0, "48+0 400" },
};

START_TEST(bodies_are_one_sequence)
{
	struct play	 play = { .end = rows[_i].end };

	for (play.how = 0; play.how < READINGS; play.how++)
		unit_check_splits(play_message, rows[_i].in,
		    strlen(rows[_i].in), &play, rows[_i].expect);
}
END_TEST

static const struct {
	const char	*vector;
	const char	*expect;
} vectors[] = {
	{ "rfc3507-1", "170+0 " },
	{ "rfc3507-2", "147+0 I am posting this information." },
	{ "rfc3507-3", "119+0 " },
	{ "rfc3507-4", "137+159 This is data that was returned by an origin "
	    "server." },
	{ "rfc3507-options", "0+0 " },
	{ "reqmod-get", "27+0 " },
	{ "reqmod-post", "48+0 hello" },
	{ "respmod-s", "27+64 hello" },
	{ "respmod-304", "27+40 " },
};

START_TEST(vectors_are_received)
{
	struct play	 play = { .end = ETIMEDOUT };
	size_t		 len;
	char		*in = unit_read_vector(vectors[_i].vector, &len);

	for (play.how = 0; play.how < READINGS; play.how++)
		unit_check_splits(play_message, in, len, &play,
		    vectors[_i].expect);
	free(in);
}
END_TEST

/* One message at hand, with its client. */
struct talk {
	struct wire	 w;
	struct stream	 s;
	struct message	 m;
};

/* The client sends in pieces of `step` bytes, the first `at` long. */
static void
talk_start(struct talk *t, const char *in, size_t len, size_t at, size_t step)
{
	memset(&t->w, 0, sizeof(t->w));
	t->w.in = in;
	t->w.in_len = len;
	t->w.at = at;
	t->w.step = step;
	ck_assert_int_eq(stream_init(&t->s, BUFFER), 0);
	wire_start(&t->w, &t->s);
	ck_assert_int_eq(message_receive(&t->m, &t->s, &small), PARSE_OK);
}

static void
talk_stop(struct talk *t)
{
	message_fini(&t->m);
	wire_fini(&t->w);
	stream_fini(&t->s);
}

/* C121, C123: a look at the preview does not ask for the rest. */
START_TEST(a_peek_asks_for_nothing)
{
	static const char	 in[] = PRE(4) "4\r\nhell\r\n" END;
	struct talk		 t;
	struct slice		 seen;

	talk_start(&t, in, sizeof(in) - 1, 0, 0);
	ck_assert_int_eq(body_peek(&t.m.body, 2, &seen), 0);
	ck_assert_uint_ge(seen.len, 2);
	ck_assert_int_eq(body_peek(&t.m.body, 4096, &seen), 0);
	ck_assert(slice_is(seen, "hell"));
	ck_assert_int_eq(t.m.body.state, BODY_PAUSED);
	ck_assert(!body_is_complete(&t.m.body));
	ck_assert_uint_eq(t.w.out_len, 0);
	talk_stop(&t);
}
END_TEST

/* C140: after a final reply to a preview nothing more comes. */
static const struct {
	const char	*in;
	int		 end;
	int		 result;
	size_t		 rest;
} drains[] = {
	{ POST("") HELLO END NEXT, 0, 0, 31 },
	{ POST("") HELLO, 0, -1, 0 },
	{ POST("") "x", 0, -1, 0 },
	{ PRE(4) "4\r\nhell\r\n" END NEXT, 0, 0, 31 },
	{ PRE(9) HELLO "0; ieof\r\n\r\n" NEXT, 0, 0, 31 },
	{ PRE(4) HELLO END NEXT, 0, 0, 31 },
	{ PRE(0) END, ETIMEDOUT, 0, 0 },
	{ GET("Encapsulated: req-hdr=0, null-body=27\r\n") NEXT, ETIMEDOUT, 0,
	    31 },
	{ PRE(4) "4\r\nhell\r\n0\r\n", ETIMEDOUT, -1, 0 },
};

static void
play_drain(const struct cut *cut, const char *in, size_t len,
    const void *arg, struct text *out)
{
	const int	*end = arg;
	struct talk	 t;
	int		 result;

	talk_start(&t, in, len, cut->at, cut->step);
	t.w.end = *end;
	result = body_drain(&t.m.body);
	unit_must(body_is_read(&t.m.body) == (result == 0));
	text_addf(out, "%d rest %zu sent %zu", result, result == -1 ? 0 :
	    buf_len(&t.s.in) + t.w.in_len - t.w.in_pos, t.w.out_len);
	talk_stop(&t);
}

/* A body that was looked at, or half read, is drained as well. */
START_TEST(what_is_pending_is_drained)
{
	static const char	 in[] = POST("") HELLO HELLO END NEXT;
	struct talk		 t;
	struct slice		 seen;
	char			 c;

	talk_start(&t, in, sizeof(in) - 1, 0, 3);
	ck_assert(!body_is_read(&t.m.body));
	ck_assert_int_eq(body_read(&t.m.body, &c, 1), 1);
	ck_assert_int_eq(body_peek(&t.m.body, 6, &seen), 0);
	ck_assert_int_eq(body_drain_some(&t.m.body), 0);
	ck_assert(!body_is_read(&t.m.body));
	ck_assert_int_eq(body_drain(&t.m.body), 0);
	ck_assert(body_is_read(&t.m.body));
	ck_assert_uint_eq(buf_len(&t.s.in) + t.w.in_len - t.w.in_pos, 31);
	talk_stop(&t);
}
END_TEST

START_TEST(drained_bodies_leave_the_next_request)
{
	char	 expect[64];

	snprintf(expect, sizeof(expect), "%d rest %zu sent 0",
	    drains[_i].result, drains[_i].rest);
	unit_check_splits(play_drain, drains[_i].in, strlen(drains[_i].in),
	    &drains[_i].end, expect);
}
END_TEST

/* A long body: larger than the buffer and than what the spool keeps. */
static char *
make_long(const char *body, size_t len, size_t chunk, size_t preview,
    size_t *out_len)
{
	struct bytes	 m = { NULL, 0, 0 };
	char		 head[CHUNK_HEAD_MAX], request[200];
	size_t		 pos, n;

	n = (size_t)snprintf(request, sizeof(request),
	    "REQMOD icap://h/e ICAP/1.0\r\n%s%.0zu%s"
	    "Encapsulated: req-body=0\r\n\r\n",
	    preview == 0 ? "" : "Preview: ", preview,
	    preview == 0 ? "" : "\r\n");
	bytes_add(&m, request, n);
	for (pos = 0; pos < len; pos += n) {
		n = len - pos < chunk ? len - pos : chunk;
		if (pos < preview && n > preview - pos)
			n = preview - pos;
		bytes_add(&m, head, chunk_format(head, n));
		bytes_add(&m, body + pos, n);
		bytes_add(&m, "\r\n", 2);
		if (pos < preview && pos + n == preview)
			bytes_add(&m, END, 5);
	}
	bytes_add(&m, END, 5);
	*out_len = m.len;
	return m.p;
}

static const struct {
	size_t	 len;
	size_t	 chunk;
	size_t	 step;		/* bytes a recv brings */
	size_t	 preview;
} longs[] = {
	{ 300000, 300000, 0, 0 },
	{ 300000, 300000, 1000, 0 },
	{ 300000, 65536, 0, 4096 },
	{ 300000, 4096, 1460, 1024 },
	{ 300000, 17, 0, 100000 },
	{ 300000, 17, 3, 0 },
	{ 10000, 1, 0, 0 },			/* C097 */
	{ 10000, 1, 7, 5000 },
	{ 20479, 20479, 1, 0 },
	{ 300000, 100000, 70000, 1 },
};

START_TEST(long_bodies_come_whole)
{
	char		*p = unit_pattern(longs[_i].len), *in;
	struct bytes	 got = { NULL, 0, 0 };
	struct talk	 t;
	size_t		 len;
	enum reading	 how;

	in = make_long(p, longs[_i].len, longs[_i].chunk, longs[_i].preview,
	    &len);
	for (how = 0; how < READINGS; how++) {
		talk_start(&t, in, len, 0, longs[_i].step);
		got.len = 0;
		ck_assert_int_eq(read_body(&t.m.body, &got, how), 0);
		ck_assert_uint_eq(got.len, longs[_i].len);
		ck_assert_int_eq(memcmp(got.p, p, got.len), 0);
		ck_assert(t.m.body.continued == (longs[_i].preview > 0));
		ck_assert_uint_eq(buf_len(&t.s.in), 0);
		talk_stop(&t);
	}
	free(got.p);
	free(in);
	free(p);
}
END_TEST

/*
 * C293: the client writes everything before it reads.  Each piece is written
 * as it comes, and must be intact although more is read meanwhile.
 */
static int
echo(struct talk *t)
{
	struct body_piece	 piece;
	char			*p;
	int			 more;

	if (body_commit(&t->m.body) == -1)
		return -1;
	while ((more = body_next(&t->m.body, &piece)) == 1) {
		if (piece.fd != -1) {
			if (stream_sendfile(&t->s, piece.fd,
			    (off_t)piece.offset, piece.len) == -1)
				return -1;
			continue;
		}
		/* a copy cannot change while it is sent; the piece must not */
		unit_must((p = malloc(piece.mem.len)) != NULL);
		memcpy(p, piece.mem.p, piece.mem.len);
		more = stream_write(&t->s, piece.mem.p, piece.mem.len);
		unit_must(memcmp(p, piece.mem.p, piece.mem.len) == 0);
		free(p);
		if (more == -1)
			return -1;
	}
	return more;
}

static void
check_deaf(const char *in, size_t len, size_t at, size_t step, bool preview,
    const char *body, size_t body_len)
{
	struct talk	 t;
	size_t		 skip = 0;

	talk_start(&t, in, len, at, step);
	/* deaf from the start, or as soon as it was asked for the rest */
	if (preview) {
		ck_assert_int_eq(body_commit(&t.m.body), 0);
		skip = sizeof(continue_reply) - 1;
	}
	t.w.deaf = len;
	ck_assert_int_eq(echo(&t), 0);
	ck_assert_uint_eq(t.w.out_len, skip + body_len);
	ck_assert_int_eq(memcmp(t.w.out + skip, body, body_len), 0);
	talk_stop(&t);
}

START_TEST(deaf_clients_do_not_deadlock)
{
	char	*p = unit_pattern(longs[_i].len), *in, *end;
	size_t	 len;

	in = make_long(p, longs[_i].len, longs[_i].chunk, longs[_i].preview,
	    &len);
	/* the body with the head, or the first piece as large as can be */
	ck_assert_ptr_nonnull(end = memmem(in, len, "\r\n\r\n", 4));
	check_deaf(in, len, 0, longs[_i].step, longs[_i].preview != 0, p,
	    longs[_i].len);
	check_deaf(in, len, (size_t)(end + 4 - in), longs[_i].step,
	    longs[_i].preview != 0, p, longs[_i].len);
	free(in);
	free(p);
}
END_TEST

/* C120, C228: a spool that may hold no more, or has nowhere to put it. */
static const struct {
	uint64_t	 max;
	const char	*dir;
	int		 status;
} spools[] = {
	{ 10000, "/tmp", 413 },
	{ UINT64_C(1) << 40, "no-such-folder", 500 },
};

START_TEST(a_body_that_cannot_be_kept_is_refused)
{
	struct bytes	 got = { NULL, 0, 0 };
	char		*p = unit_pattern(300000), *in;
	struct talk	 t;
	size_t		 len;
	int		 way;

	in = make_long(p, 300000, 65536, 0, &len);
	for (way = 0; way < 3; way++) {
		talk_start(&t, in, len, 0, 0);
		spool_init(&t.m.spool, spools[_i].dir, 4096, spools[_i].max);
		t.w.deaf = way == 2 ? len : 0;
		got.len = 0;
		if (way == 2)
			ck_assert_int_eq(echo(&t), -1);
		else {
			body_remember(&t.m.body);
			ck_assert_int_eq(way == 0 ?
			    read_pieces(&t.m.body, &got, false) :
			    read_copies(&t.m.body, &got, SIZE_MAX), -1);
		}
		ck_assert_int_eq(t.m.body.state, BODY_BROKEN);
		ck_assert_int_eq(t.m.body.fault.status, spools[_i].status);
		/* and it stays broken */
		ck_assert_int_eq(read_pieces(&t.m.body, &got, false), -1);
		ck_assert_int_eq(body_drain(&t.m.body), -1);
		talk_stop(&t);
	}
	free(got.p);
	free(in);
	free(p);
}
END_TEST

/* Nothing of a body is there for the next one, wherever it was kept. */
START_TEST(a_finished_body_leaves_its_spool_empty)
{
	static const char	 in[] = POST("") HELLO END;
	struct bytes		 got = { NULL, 0, 0 };
	struct talk		 t;

	talk_start(&t, in, sizeof(in) - 1, 0, 0);
	t.m.spool.mem_max = (size_t)_i;
	body_remember(&t.m.body);
	ck_assert_int_eq(read_copies(&t.m.body, &got, SIZE_MAX), 0);
	body_rewind(&t.m.body);
	body_fini(&t.m.body);
	ck_assert_uint_eq(spool_left(&t.m.spool), 0);
	ck_assert_int_eq(t.m.spool.fd, -1);
	talk_stop(&t);
	free(got.p);
}
END_TEST

/* Peeks see through to the spool, in memory or in its file. */
START_TEST(a_rewound_body_can_be_peeked_at)
{
	struct bytes	 got = { NULL, 0, 0 };
	char		*p = unit_pattern(300000), *in;
	struct slice	 seen;
	struct talk	 t;
	size_t		 len;

	in = make_long(p, 300000, 65536, 0, &len);
	talk_start(&t, in, len, 0, 1000);
	body_remember(&t.m.body);
	ck_assert_int_eq(read_copies(&t.m.body, &got, 10), 0);
	body_rewind(&t.m.body);
	ck_assert_int_eq(body_peek(&t.m.body, 2000, &seen), 0);
	ck_assert_uint_ge(seen.len, 2000);
	ck_assert_int_eq(memcmp(seen.p, p, seen.len), 0);
	/* 4096 bytes are in memory, the others in the file */
	got.len = 0;
	ck_assert_int_eq(read_copies(&t.m.body, &got, 100000), 0);
	body_rewind(&t.m.body);
	got.len = 0;
	ck_assert_int_eq(read_copies(&t.m.body, &got, 50000), 0);
	ck_assert_int_eq(body_peek(&t.m.body, 100, &seen), 0);
	ck_assert_uint_ge(seen.len, 100);
	ck_assert_int_eq(memcmp(seen.p, p + 50000, seen.len), 0);
	ck_assert_int_eq(read_copies(&t.m.body, &got, SIZE_MAX), 0);
	ck_assert_uint_eq(got.len, 300000);
	ck_assert_int_eq(memcmp(got.p, p, 300000), 0);
	ck_assert_int_eq(body_peek(&t.m.body, 100, &seen), 0);
	ck_assert_uint_eq(seen.len, 0);
	talk_stop(&t);
	free(got.p);
	free(in);
	free(p);
}
END_TEST

static void
add(TCase *tc)
{
	unit_add_rows(tc, bodies_are_one_sequence, rows);
	unit_add_rows(tc, vectors_are_received, vectors);
	tcase_add_test(tc, a_peek_asks_for_nothing);
	tcase_add_test(tc, what_is_pending_is_drained);
	unit_add_rows(tc, drained_bodies_leave_the_next_request, drains);
	unit_add_rows(tc, long_bodies_come_whole, longs);
	unit_add_rows(tc, deaf_clients_do_not_deadlock, longs);
	unit_add_rows(tc, a_body_that_cannot_be_kept_is_refused, spools);
	tcase_add_loop_test(tc, a_finished_body_leaves_its_spool_empty, 0, 8);
	tcase_add_test(tc, a_rewound_body_can_be_peeked_at);
}

int
main(void)
{
	return unit_main("body", add);
}
