/* SPDX-License-Identifier: ISC */
/*
 * The encapsulated body of a request: takes the chunks off, pauses at the end
 * of a preview, and asks for the rest.  Called by txn.c on behalf of services
 * and of the reply.
 *
 * Bytes are decoded in the stream's buffer, where they were received: chunk
 * data is closed up over the framing between it, so a piece is usually as
 * large as what one recv brought.  Only what must wait (a client that writes
 * everything before it reads, a service that reads before it decides) is
 * copied, into the spool.  This file must not know about verdicts.
 */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "body.h"

/* Receive at most this at once: fits a core's cache twice. */
#define RECV_MAX	(128 * 1024)

/* Move unparsed bytes to the front when there is less room than this. */
#define ROOM_MIN	(16 * 1024)

static const char continue_reply[] = "ICAP/1.0 100 Continue\r\n\r\n";

void
body_init(struct body *b, const struct request *r, struct stream *s,
    struct spool *spool)
{
	memset(b, 0, sizeof(*b));
	b->s = s;
	b->limits = r->limits;
	b->spool = spool;
	b->base = b->lent = s->in.rd;
	assert(s->in.size - b->base >= BODY_RESERVE + ROOM_MIN);
	b->has_preview = r->has_preview && r->method != ICAP_OPTIONS;
	b->preview = r->preview;
	if (r->encap.body == ENCAP_NULL_BODY)
		b->state = BODY_END;
	else if (b->has_preview)
		b->state = BODY_PREVIEW;
	else
		b->state = BODY_REST;
	chunk_init(&b->chunk, b->limits);
}

void
body_fini(struct body *b)
{
	free(b->trailers);
	b->trailers = NULL;
	if (spool_is_used(b->spool))
		spool_clear(b->spool);
}

static int
body_broken(struct body *b, int status, const char *why)
{
	b->state = BODY_BROKEN;
	b->fault.status = status;
	b->fault.why = why;
	return -1;
}

/* Something failed while bytes were moved. */
static int
body_failed(struct body *b)
{
	switch (errno) {
	case ETIMEDOUT:
		return body_broken(b, 408, "body not received in time");
	case EFBIG:
		return body_broken(b, 413, "body exceeds the spool limit");
	case ENOSPC:
	case EDQUOT:
		return body_broken(b, 500, "no space left for the spool");
	case ECONNRESET:
	case EPIPE:
		return body_broken(b, 0, "client went away in the body");
	default:
		return body_broken(b, 500, "body could not be received");
	}
}

static int
body_add_trailer(struct body *b, struct slice bytes)
{
	/* the decoder counts: there are never more than the limit */
	if (b->trailers == NULL &&
	    (b->trailers = malloc(b->limits->trailers)) == NULL)
		return -1;
	assert(bytes.len <= b->limits->trailers - b->trailers_len);
	memcpy(b->trailers + b->trailers_len, bytes.p, bytes.len);
	b->trailers_len += bytes.len;
	return 0;
}

/*
 * A last chunk.  In a preview it ends the preview only, unless the client
 * said ieof.  A client that sent more than it announced did not mean a
 * preview at all: its end is the end (C143).
 */
static void
body_end_chunks(struct body *b)
{
	if (b->state == BODY_PREVIEW && !b->chunk.ieof &&
	    b->received <= b->preview) {
		b->state = BODY_PAUSED;
		b->trailers_len = 0;
	} else
		b->state = BODY_END;
}

static void
body_add_pending(struct body *b, struct slice data)
{
	char	*end;
	size_t	 n;

	if (b->state == BODY_PREVIEW && b->nfirst < BODY_FIRST) {
		n = BODY_FIRST - (size_t)b->nfirst;
		if (n > data.len)
			n = data.len;
		memcpy(b->first + b->nfirst, data.p, n);
		b->nfirst = (uint8_t)(b->nfirst + n);
	}
	b->received += data.len;
	if (b->pending.len == 0) {
		b->pending = data;
		return;
	}
	end = b->s->in.mem + (b->pending.p - b->s->in.mem) + b->pending.len;
	if (end != data.p)
		memmove(end, data.p, data.len);
	b->pending.len += data.len;
}

static bool
body_is_receiving(const struct body *b)
{
	return b->state == BODY_PREVIEW || b->state == BODY_REST;
}

/* Decodes what lies in the buffer.  Returns 0, or -1 with the fault. */
static int
body_decode(struct body *b)
{
	struct buf		*in = &b->s->in;
	struct slice		 out;
	enum chunk_event	 event;
	size_t			 used;

	while (body_is_receiving(b) && buf_len(in) > 0) {
		event = chunk_parse(&b->chunk, buf_data(in), buf_len(in),
		    &used, &out);
		buf_consume(in, used);
		switch (event) {
		case CHUNK_BAD:
			return body_broken(b, 400, b->chunk.why);
		case CHUNK_DATA:
			body_add_pending(b, out);
			break;
		case CHUNK_TRAILER:
			if (body_add_trailer(b, out) == -1)
				return body_failed(b);
			break;
		case CHUNK_END:
			body_end_chunks(b);
			break;
		case CHUNK_MORE:
			break;
		}
	}
	return 0;
}

/*
 * Receives once and decodes, behind what was lent and what is pending, and
 * leaves `reserve` bytes of the buffer free.  Returns 1 when it received
 * something, 0 when there is no room, -1 with the fault or (EAGAIN) none.
 */
static int
body_receive(struct body *b, size_t reserve)
{
	struct buf	*in = &b->s->in;
	size_t		 floor = b->lent, room;
	int		 n;

	if (b->pending.len > 0)
		floor = (size_t)(b->pending.p - in->mem) + b->pending.len;
	if (buf_len(in) == 0)
		in->rd = in->wr = floor;
	else if (buf_room(in) < reserve + ROOM_MIN)
		buf_shift(in, floor);
	if ((room = buf_room(in)) <= reserve)
		return 0;
	room -= reserve;
	n = stream_fill(b->s, room < RECV_MAX ? room : RECV_MAX);
	if (n == -1 && errno == EAGAIN && b->s->wake_at != 0)
		return -1;			/* the caller is wanted */
	if (n == -1)
		return body_failed(b);
	if (n == 0)
		return body_broken(b, 0, "client closed in the body");
	return body_decode(b) == -1 ? -1 : 1;
}

static int
body_continue(struct body *b)
{
	if (stream_write(b->s, continue_reply,
	    sizeof(continue_reply) - 1) == -1)
		return body_failed(b);
	b->continued = true;
	b->state = BODY_REST;
	chunk_init(&b->chunk, b->limits);
	return 0;
}

/* Something pending, or nothing more to come: 1, 0, or -1 with the fault. */
static int
body_wait(struct body *b)
{
	/* what was lent is free again */
	b->lent = b->base;
	while (b->pending.len == 0) {
		if (b->state == BODY_BROKEN)
			return -1;
		if (b->state == BODY_END)
			return 0;
		if (b->state == BODY_PAUSED && body_continue(b) == -1)
			return -1;
		if (buf_len(&b->s->in) > 0 && body_decode(b) == -1)
			return -1;
		if (b->pending.len == 0 && body_is_receiving(b) &&
		    body_receive(b, BODY_RESERVE) == -1)
			return -1;
	}
	return 1;
}

static void
body_take_pending(struct body *b, struct slice *bytes)
{
	*bytes = b->pending;
	b->lent = (size_t)(b->pending.p - b->s->in.mem) + b->pending.len;
	b->pending.len = 0;
}

int
body_next(struct body *b, struct body_piece *piece)
{
	int	 more;

	piece->fd = -1;
	if (!b->remember)
		spool_forget(b->spool);
	if (spool_left(b->spool) > 0) {
		spool_peek(b->spool, &piece->mem, &piece->offset, &piece->len);
		if (piece->mem.len == 0)
			piece->fd = b->spool->fd;
		spool_consume(b->spool, piece->len);
		return 1;
	}
	if ((more = body_wait(b)) != 1)
		return more;
	body_take_pending(b, &piece->mem);
	piece->len = piece->mem.len;
	if (b->remember) {
		if (spool_append(b->spool, piece->mem.p,
		    piece->mem.len) == -1)
			return body_failed(b);
		spool_consume(b->spool, piece->len);
	}
	return 1;
}

ssize_t
body_read(struct body *b, char *dst, size_t size)
{
	ssize_t	 n;
	int	 more;

	if (size == 0)
		return 0;
	if (!b->remember)
		spool_forget(b->spool);
	if (spool_left(b->spool) > 0) {
		if ((n = spool_read(b->spool, dst, size)) == -1)
			return body_failed(b);
		return n;
	}
	if ((more = body_wait(b)) != 1)
		return more;
	if (size > b->pending.len)
		size = b->pending.len;
	memcpy(dst, b->pending.p, size);
	b->pending.p += size;
	b->pending.len -= size;
	if (b->remember) {
		if (spool_append(b->spool, dst, size) == -1)
			return body_failed(b);
		spool_consume(b->spool, size);
	}
	return (ssize_t)size;
}

/* Moves what is pending behind what was read before. */
static int
body_spool_pending(struct body *b)
{
	if (b->pending.len > 0 && spool_append(b->spool, b->pending.p,
	    b->pending.len) == -1)
		return body_failed(b);
	b->pending.len = 0;
	return 0;
}

/* A peek after a rewind: the spool's bytes, and then those still to come. */
static int
body_peek_spool(struct body *b, size_t want, struct slice *bytes)
{
	uint64_t	 offset, len;
	ssize_t		 n;

	if (body_decode(b) == -1 || body_spool_pending(b) == -1)
		return -1;
	while (spool_left(b->spool) < want && body_is_receiving(b))
		if (body_receive(b, BODY_RESERVE) == -1 ||
		    body_spool_pending(b) == -1)
			return -1;
	spool_peek(b->spool, bytes, &offset, &len);
	if (bytes->len > 0)
		return 0;
	/* in the file: the free part of the buffer will do */
	bytes->p = buf_space(&b->s->in);
	if (len > buf_room(&b->s->in))
		len = buf_room(&b->s->in);
	n = pread(b->spool->fd, buf_space(&b->s->in), (size_t)len,
	    (off_t)offset);
	if (n <= 0) {
		errno = EIO;
		return body_failed(b);
	}
	bytes->len = (size_t)n;
	return 0;
}

int
body_peek(struct body *b, size_t want, struct slice *bytes)
{
	int	 n = 1;

	b->lent = b->base;
	if (spool_left(b->spool) > 0)
		return body_peek_spool(b, want, bytes);
	if (body_decode(b) == -1)
		return -1;
	while (n == 1 && b->pending.len < want && body_is_receiving(b))
		if ((n = body_receive(b, BODY_RESERVE)) == -1)
			return -1;
	*bytes = b->pending;
	return b->state == BODY_BROKEN ? -1 : 0;
}

void
body_remember(struct body *b)
{
	b->remember = true;
}

void
body_rewind(struct body *b)
{
	spool_rewind(b->spool);
}

int
body_spool(struct body *b)
{
	struct body_piece	 piece;
	uint64_t		 pos = b->spool->pos;
	int			 more;

	assert(b->remember);
	while ((more = body_next(b, &piece)) == 1)
		;
	b->spool->pos = pos;
	return more;
}

/*
 * The peer has sent something while a write of ours is stuck: it goes to the
 * spool.  What is being written may lie in the buffer below b->lent.
 */
static int
body_ahead(void *arg)
{
	struct body	*b = arg;

	if (!body_is_receiving(b))
		return 0;
	if (body_decode(b) == -1 || (b->pending.len == 0 &&
	    body_is_receiving(b) && body_receive(b, 0) == -1)) {
		errno = ECONNABORTED;
		return -1;
	}
	if (body_spool_pending(b) == -1)
		return -1;
	return body_is_receiving(b) ? 1 : 0;
}

int
body_settle(struct body *b)
{
	int	 n;

	b->lent = b->base;
	while (b->state == BODY_PREVIEW) {
		if (body_decode(b) == -1)
			return -1;
		if (b->state != BODY_PREVIEW)
			break;
		if ((n = body_receive(b, BODY_RESERVE)) == -1 ||
		    (n == 0 && body_spool_pending(b) == -1))
			return -1;
	}
	return b->state == BODY_BROKEN ? -1 : 0;
}

int
body_commit(struct body *b)
{
	if (body_settle(b) == -1 ||
	    (b->state == BODY_PAUSED && body_continue(b) == -1))
		return -1;
	b->remember = false;
	body_read_ahead(b);
	return 0;
}

void
body_read_ahead(struct body *b)
{
	if (body_is_receiving(b)) {
		b->s->ahead = body_ahead;
		b->s->ahead_arg = b;
	}
}

uint64_t
body_kept(const struct body *b)
{
	if (!b->remember || (b->state != BODY_REST && b->state != BODY_END))
		return 0;
	return b->spool->len;
}

void
body_look(const struct body *b, uint64_t offset, uint64_t len,
    struct body_piece *piece)
{
	uint64_t	 pos = b->spool->pos;

	assert(offset < b->spool->len);
	b->spool->pos = offset;
	spool_peek(b->spool, &piece->mem, &piece->offset, &piece->len);
	b->spool->pos = pos;
	if (piece->len > len)
		piece->len = len;
	piece->fd = piece->mem.len > 0 ? -1 : b->spool->fd;
	if (piece->fd == -1)
		piece->mem.len = (size_t)piece->len;
}

void
body_seek(struct body *b, uint64_t offset)
{
	assert(offset <= b->spool->len);
	b->spool->pos = offset;
}

bool
body_is_complete(const struct body *b)
{
	return b->state == BODY_END && b->pending.len == 0 &&
	    spool_left(b->spool) == 0;
}

bool
body_is_read(const struct body *b)
{
	return b->state == BODY_PAUSED || b->state == BODY_END;
}

int
body_drain_some(struct body *b)
{
	b->s->ahead = NULL;
	b->lent = b->base;
	if (b->state == BODY_BROKEN || body_decode(b) == -1)
		return -1;
	b->pending.len = 0;
	if (!body_is_receiving(b))
		return 0;
	if (body_receive(b, BODY_RESERVE) == -1)
		return -1;
	b->pending.len = 0;
	return 0;
}

int
body_drain(struct body *b)
{
	do
		if (body_drain_some(b) == -1)
			return -1;
	while (!body_is_read(b));
	return 0;
}
