/* SPDX-License-Identifier: ISC */
/*
 * A transaction: what a service may ask of it, and what its verdict means on
 * the wire.  Called by session.c (txn_run) and by services (all else).  The
 * cheapest legal reply is chosen here and nowhere else:
 *
 *	unchanged	204 where the client allows it (RFC 3507 4.6), which a
 *			preview always does; else 200 with the message
 *	failed		500, for silence must never mean clean
 *
 * It must not know any service, nor log.
 */
#include <assert.h>
#include <string.h>

#include "txn.h"

int
txn_is_response(const struct txn *t)
{
	return t->request->method == ICAP_RESPMOD;
}

const char *
txn_request_head(const struct txn *t, size_t *len)
{
	*len = t->req_head.len;
	return t->req_head.p;
}

const char *
txn_response_head(const struct txn *t, size_t *len)
{
	*len = t->res_head.len;
	return t->res_head.p;
}

const char *
txn_arguments(const struct txn *t, size_t *len)
{
	*len = t->request->uri.query.len;
	return t->request->uri.query.p;
}

/* May the answer be 204, now or, if nothing is read, later? */
static bool
txn_allows_204(const struct txn *t)
{
	return (t->request->allow & ALLOW_204) != 0 ||
	    (t->request->has_preview && !t->body.continued);
}

ssize_t
txn_read(struct txn *t, void *dst, size_t size)
{
	/*
	 * Without a 204 to fall back on an unchanged message has to be sent
	 * back, so what is read must be kept.
	 */
	if (!t->body.remember && (t->request->allow & ALLOW_204) == 0)
		body_remember(&t->body);
	return body_read(&t->body, dst, size);
}

ssize_t
txn_peek(struct txn *t, size_t want, const char **bytes)
{
	struct slice	 s;

	if (body_peek(&t->body, want, &s) == -1)
		return -1;
	*bytes = s.p;
	return (ssize_t)(s.len < want ? s.len : want);
}

enum verdict
txn_fail(struct txn *t, const char *why)
{
	t->why = why;
	return VERDICT_FAILED;
}

/* The body could not be had: the client is told if nothing was sent yet. */
static int
txn_broken(struct txn *t)
{
	t->fault = t->body.fault;
	if (t->status != 0)
		t->fault.status = 0;
	return -1;
}

/* A write failed: nobody is there to be told. */
static int
txn_lost(struct txn *t)
{
	if (t->body.state == BODY_BROKEN)
		t->fault.why = t->body.fault.why;
	else
		t->fault.why = "client went away while we wrote";
	t->fault.status = 0;
	return -1;
}

static void
txn_start_reply(struct txn *t, struct reply *r, int status)
{
	t->close = t->request->close || t->closing(t->closing_arg);
	t->status = status;
	reply_start(r, status, t->istag, t->close);
}

/* 204: the client keeps what it has.  Its body is read to the end first. */
static int
txn_reply_204(struct txn *t)
{
	struct reply	 r;

	if (body_drain(&t->body) == -1)
		return txn_broken(t);
	txn_start_reply(t, &r, 204);
	reply_end(&r, ENCAP_RES_HDR, 0, ENCAP_NULL_BODY);
	if (reply_send(&r, t->stream) == -1)
		return txn_lost(t);
	return 0;
}

/* Sends the pieces of the original body, the first of which is given. */
static int
txn_send_original(struct txn *t, struct reply_body *rb,
    struct body_piece *piece)
{
	struct slice	 none = { NULL, 0 }, trailers;
	bool		 last = false;
	int		 more = 1;

	while (more == 1) {
		t->body_out += piece->len;
		if (piece->fd != -1) {
			if (reply_send_file(rb, piece->fd, piece->offset,
			    piece->len) == -1)
				return txn_lost(t);
		} else {
			last = body_is_complete(&t->body);
			trailers.p = t->body.trailers;
			trailers.len = t->body.trailers_len;
			if (reply_send_chunk(rb, piece->mem, last,
			    last ? trailers : none) == -1)
				return txn_lost(t);
		}
		more = last ? 0 : body_next(&t->body, piece);
	}
	if (more == -1)
		return txn_broken(t);
	if (last)
		return 0;
	trailers.p = t->body.trailers;
	trailers.len = t->body.trailers_len;
	if (reply_send_chunk(rb, none, true, trailers) == -1)
		return txn_lost(t);
	return 0;
}

/*
 * 200 with the message as it came: the head of the side that is adapted, byte
 * for byte, and the body.
 */
static int
txn_reply_original(struct txn *t)
{
	struct reply		 r;
	struct reply_body	 rb;
	struct body_piece	 piece;
	struct slice		 head;
	enum encap_entity	 hdr, body;
	int			 more;

	if (txn_is_response(t)) {
		head = t->res_head;
		hdr = ENCAP_RES_HDR;
	} else {
		head = t->req_head;
		hdr = ENCAP_REQ_HDR;
	}
	body_rewind(&t->body);
	if (body_commit(&t->body) == -1)
		return txn_broken(t);
	if ((more = body_next(&t->body, &piece)) == -1)
		return txn_broken(t);
	body = t->request->encap.body;
	/* g3 refuses an empty body after Content-Length: 0 (C196) */
	if (more == 0 && head.len > 0 && t->body.trailers_len == 0)
		body = ENCAP_NULL_BODY;

	txn_start_reply(t, &r, 200);
	reply_end(&r, hdr, head.len, body);
	rb.s = t->stream;
	rb.lead[0].iov_base = r.head;
	rb.lead[0].iov_len = r.len;
	rb.lead[1].iov_base = (void *)(uintptr_t)head.p;
	rb.lead[1].iov_len = head.len;
	rb.nlead = 2;
	if (body == ENCAP_NULL_BODY) {
		if (stream_writev(t->stream, rb.lead, rb.nlead) == -1)
			return txn_lost(t);
		return 0;
	}
	if (more == 0) {
		piece.mem.len = 0;
		piece.len = 0;
		piece.fd = -1;
	}
	return txn_send_original(t, &rb, &piece);
}

static int
txn_reply(struct txn *t)
{
	switch (t->verdict) {
	case VERDICT_UNCHANGED:
		if (txn_allows_204(t))
			return txn_reply_204(t);
		return txn_reply_original(t);
	case VERDICT_FAILED:
		if (t->body.state == BODY_BROKEN)
			return txn_broken(t);
		t->fault.status = 500;
		t->fault.why = t->why != NULL ? t->why : "service failed";
		return -1;
	case VERDICT_NONE:
		break;
	}
	t->fault.status = 500;
	t->fault.why = "service returned no verdict";
	return -1;
}

int
txn_run(struct txn *t, const struct service *service)
{
	int	 result;

	body_init(&t->body, t->request, t->stream, t->spool);
	t->verdict = service->serve(t);
	result = txn_reply(t);
	/* RFC 3507 4.5: after a final reply to a preview nothing more comes */
	if (result == 0 && body_drain(&t->body) == -1)
		result = txn_broken(t);
	t->stream->ahead = NULL;
	body_fini(&t->body);
	return result;
}
