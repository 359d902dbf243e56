/* SPDX-License-Identifier: ISC */
/*
 * Fuzz target: the whole dialogue of a body over a client in memory.  An
 * input is two bytes that say how the client sends and takes, six that say
 * what is done with the body, and the bytes of the connection.  However it is
 * read, the bytes must be those that reading the same connection byte by byte
 * gives, and nothing may be sent but one 100 and what we echo.
 */
#include <string.h>
#include <unistd.h>

#include "fuzz.h"
#include "wire.h"

#define OPS	6
#define PREFIX	(2 + OPS)

static const struct limits limits = {
	.request_line = 256, .head = 1024, .http_heads = 1024, .fields = 16,
	.chunk_line = 64, .trailers = 128
};

#define BUFFER	(2048 + BODY_RESERVE + 17 * 1024)

static const char continue_reply[] = "ICAP/1.0 100 Continue\r\n\r\n";
#define CONTINUE_LEN	(sizeof(continue_reply) - 1)

enum op {
	OP_NEXT, OP_READ, OP_PEEK, OP_REMEMBER, OP_REWIND, OP_SPOOL,
	OP_COMMIT, OP_DRAIN_OR_SETTLE, OPS_MAX
};

struct run {
	struct wire	 w;
	struct stream	 s;
	struct message	 m;
	enum parse	 received;
	int		 result;	/* 0: read to the end, -1: fault */
	size_t		 pos;		/* bytes of the body read */
	size_t		 memory;	/* of the spool */
	bool		 remembered;
	bool		 committed;
	size_t		 deaf;		/* once the reply has begun */
	size_t		 echoed_from;	/* pos when committed */
	bool		 drained;
};

static void
run_start(struct run *r, const uint8_t *data, size_t len, int end)
{
	memset(r, 0, sizeof(*r));
	r->w.in = (const char *)data;
	r->w.in_len = len;
	r->w.end = end;
	must(stream_init(&r->s, BUFFER) == 0);
	wire_start(&r->w, &r->s);
	r->result = 1;
}

static void
run_stop(struct run *r)
{
	message_fini(&r->m);
	wire_fini(&r->w);
	stream_fini(&r->s);
}

/* Bytes of the connection that belong to this message. */
static size_t
run_used(const struct run *r)
{
	return r->w.in_pos - buf_len(&r->s.in);
}

/* How it must be: byte by byte, so that all before a fault is seen. */
static char *
run_plain(struct run *r, size_t len)
{
	struct body_piece	 piece;
	char			*body;

	must((body = malloc(len + 1)) != NULL);
	r->received = message_receive(&r->m, &r->s, &limits);
	if (r->received != PARSE_OK)
		return body;
	while ((r->result = body_next(&r->m.body, &piece)) == 1) {
		must(piece.fd == -1 && piece.len == piece.mem.len);
		must(piece.len > 0 && piece.len <= len - r->pos);
		memcpy(body + r->pos, piece.mem.p, piece.mem.len);
		r->pos += piece.mem.len;
	}
	return body;
}

static void
must_be_body(const struct run *plain, const char *body, size_t pos,
    const char *p, size_t len)
{
	must(pos <= plain->pos && len <= plain->pos - pos);
	must(len == 0 || memcmp(body + pos, p, len) == 0);
}

static void
check_piece(const struct run *plain, const char *body, size_t pos,
    const struct body_piece *piece)
{
	char	*p;

	must(piece->len > 0);
	if (piece->fd == -1) {
		must(piece->mem.len == piece->len);
		must_be_body(plain, body, pos, piece->mem.p, piece->mem.len);
		return;
	}
	must((p = malloc((size_t)piece->len)) != NULL);
	must(pread(piece->fd, p, (size_t)piece->len, (off_t)piece->offset) ==
	    (ssize_t)piece->len);
	must_be_body(plain, body, pos, p, (size_t)piece->len);
	free(p);
}

static int
run_next(struct run *r, const struct run *plain, const char *body)
{
	struct body_piece	 piece;
	int			 more;

	if ((more = body_next(&r->m.body, &piece)) != 1)
		return more;
	check_piece(plain, body, r->pos, &piece);
	if (r->committed) {
		if ((piece.fd == -1 ? stream_write(&r->s, piece.mem.p,
		    piece.mem.len) : stream_sendfile(&r->s, piece.fd,
		    (off_t)piece.offset, piece.len)) == -1)
			return -1;
		/* not a byte of it may have changed meanwhile */
		check_piece(plain, body, r->pos, &piece);
	}
	r->pos += (size_t)piece.len;
	return 1;
}

static int
run_read(struct run *r, const struct run *plain, const char *body,
    size_t size)
{
	char	 dst[64];
	ssize_t	 n;

	n = body_read(&r->m.body, dst, size);
	if (n <= 0)
		return (int)n;
	must((size_t)n <= size);
	must_be_body(plain, body, r->pos, dst, (size_t)n);
	r->pos += (size_t)n;
	return 1;
}

static int
run_peek(struct run *r, const struct run *plain, const char *body,
    size_t want)
{
	struct slice	 seen;
	size_t		 sent = r->w.out_len;

	if (body_peek(&r->m.body, want, &seen) == -1)
		return -1;
	must(r->w.out_len == sent);
	must_be_body(plain, body, r->pos, seen.p, seen.len);
	return 1;
}

/* One step; the contract of body.h says when it may be taken. */
static int
run_op(struct run *r, const struct run *plain, const char *body, uint8_t op)
{
	size_t	 size = (size_t)(op >> 5) * 9;

	switch ((enum op)(op % OPS_MAX)) {
	case OP_READ:
		if (r->committed)
			break;		/* only what is echoed is counted */
		return run_read(r, plain, body, size + 1);
	case OP_PEEK:
		return run_peek(r, plain, body, size * size);
	case OP_REMEMBER:
		if (r->pos == 0 && !r->committed) {
			body_remember(&r->m.body);
			r->remembered = true;
		}
		return 1;
	case OP_REWIND:
		if (!r->remembered || r->committed)
			break;
		body_rewind(&r->m.body);
		r->pos = 0;
		return 1;
	case OP_SPOOL:
		if (!r->remembered || r->committed)
			break;
		return body_spool(&r->m.body) == -1 ? -1 : 1;
	case OP_COMMIT:
		if (r->committed)
			break;
		if (body_commit(&r->m.body) == -1)
			return -1;
		r->committed = true;
		r->echoed_from = r->pos;
		r->w.deaf = r->deaf;
		return 1;
	case OP_DRAIN_OR_SETTLE:
		if (op < 128) {
			if (r->committed)
				break;
			return body_settle(&r->m.body) == -1 ? -1 : 1;
		}
		r->drained = true;
		return body_drain(&r->m.body);
	default:
		break;
	}
	return run_next(r, plain, body);
}

static void
run_script(struct run *r, const struct run *plain, const char *body,
    const uint8_t *ops)
{
	unsigned int	 i;

	r->received = message_receive(&r->m, &r->s, &limits);
	if (r->received != PARSE_OK)
		return;
	r->m.spool.mem_max = r->memory;
	/* steps that do not advance end; then it is read */
	for (i = 0; r->result == 1 && i < 200; i++)
		r->result = run_op(r, plain, body, ops[i % OPS]);
	while (r->result == 1)
		r->result = run_next(r, plain, body);
}

static void
must_be_same(const struct run *r, const struct run *plain)
{
	size_t	 out = r->w.out_len, sent;

	must(r->received == plain->received);
	if (r->received == PARSE_BAD) {
		must(r->m.fault.status == plain->m.fault.status);
		must(out == 0);
	}
	if (r->received != PARSE_OK)
		return;
	/* at most one 100, only for a preview, and first */
	sent = r->m.body.continued ? CONTINUE_LEN : 0;
	must(sent == 0 || r->m.request.has_preview);
	must(out >= sent && (sent == 0 ||
	    memcmp(r->w.out, continue_reply, sent) == 0));
	must(r->committed || out == sent);
	if (r->drained) {
		must(r->result == -1 || plain->result == -1 ||
		    run_used(r) <= run_used(plain));
		return;
	}
	must(r->result == plain->result);
	if (r->result == -1) {
		must(r->m.body.state == BODY_BROKEN);
		must(r->m.body.fault.status == plain->m.body.fault.status);
		return;
	}
	must(r->pos == plain->pos);
	must(r->m.body.continued == plain->m.body.continued);
	must(run_used(r) == run_used(plain));
	must(body_is_complete(&r->m.body) && body_is_read(&r->m.body));
	must(r->m.body.trailers_len == plain->m.body.trailers_len);
	must(!r->committed || out - sent == r->pos - r->echoed_from);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct run	 plain, r;
	char		*body;
	int		 end;

	if (len < PREFIX)
		return 0;
	end = (data[1] & 64) != 0 ? ETIMEDOUT : 0;
	run_start(&plain, data + PREFIX, len - PREFIX, end);
	plain.w.step = 1;
	body = run_plain(&plain, len);
	run_start(&r, data + PREFIX, len - PREFIX, end);
	r.w.step = data[0] & 63;
	r.w.at = (size_t)data[0] * 2;
	r.w.send_max = data[1] & 15;
	r.w.again = (data[1] & 16) != 0;
	/* it may send all of this message, but no pipelined one, first */
	r.deaf = (data[1] & 32) != 0 ? run_used(&plain) : 0;
	r.memory = (data[1] & 128) != 0 ? 32 : 4096;
	run_script(&r, &plain, body, data + 2);
	must_be_same(&r, &plain);
	run_stop(&r);
	run_stop(&plain);
	free(body);
	return 0;
}
