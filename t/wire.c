/* SPDX-License-Identifier: ISC */
/*
 * A client that exists only in memory: it delivers its bytes in pieces of any
 * size, may wait for an answer in between, and takes what is sent as slowly
 * as a test wants.  Used by check_stream, check_reply, check_body and
 * fuzz_body.  It must stay deterministic: no clock, no descriptors, and where
 * a real client would leave the server waiting it fails with ETIMEDOUT.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../proto/http.h"
#include "wire.h"

/* Has the client been told to go on with the rest? */
static bool
wire_is_continued(const struct wire *w)
{
	static const char	 head[] =
	    "ICAP/1.0 100 Continue\r\n\r\n";
	size_t			 len = sizeof(head) - 1;

	return w->out_len >= len && memcmp(w->out, head, len) == 0;
}

/* Delivered bytes may go up to here now. */
static size_t
wire_limit(const struct wire *w)
{
	if (w->gate != 0 && w->gate < w->in_len && !wire_is_continued(w))
		return w->gate;
	return w->in_len;
}

static ssize_t
wire_recv(void *arg, void *dst, size_t len, int64_t wait)
{
	struct wire	*w = arg;
	size_t		 n = wire_limit(w) - w->in_pos;

	assert(len > 0 && wait > 0);
	w->recvs++;
	w->wait = wait;
	if (w->in_pos == w->in_len) {
		errno = w->end;
		return w->end == 0 ? 0 : -1;
	}
	if (n == 0) {
		errno = ETIMEDOUT;
		return -1;
	}
	if (w->in_pos < w->at && n > w->at - w->in_pos)
		n = w->at - w->in_pos;
	else if (w->in_pos >= w->at && w->step != 0 && n > w->step)
		n = w->step;
	if (n > len)
		n = len;
	memcpy(dst, w->in + w->in_pos, n);
	w->in_pos += n;
	return (ssize_t)n;
}

static bool
wire_is_deaf(const struct wire *w)
{
	return w->in_pos < w->deaf && w->in_pos < wire_limit(w);
}

static void
wire_take(struct wire *w, const void *p, size_t len)
{
	if (w->out_len == 0 && len > 0)
		w->answered_at = w->in_pos;
	if (len > w->out_size - w->out_len) {
		w->out_size = 2 * w->out_size + len + 256;
		w->out = realloc(w->out, w->out_size);
		assert(w->out != NULL);
	}
	memcpy(w->out + w->out_len, p, len);
	w->out_len += len;
}

/* May a send go on?  Else errno says why not. */
static bool
wire_is_ready(struct wire *w)
{
	if (w->send_error != 0 && w->out_len >= w->send_limit)
		errno = w->send_error;
	else if (wire_is_deaf(w) || (w->again && w->waits <= w->sends))
		errno = EAGAIN;
	else
		return true;
	return false;
}

static ssize_t
wire_send(void *arg, const struct iovec *iov, int n)
{
	struct wire	*w = arg;
	size_t		 room = w->send_max, len, sent = 0;
	int		 i;

	assert(n > 0 && iov[0].iov_len > 0);
	if (!wire_is_ready(w))
		return -1;
	w->sends++;
	for (i = 0; i < n; i++) {
		len = iov[i].iov_len;
		if (w->send_max != 0 && len > room)
			len = room;
		wire_take(w, iov[i].iov_base, len);
		room -= len;
		sent += len;
		if (len < iov[i].iov_len)
			break;
	}
	return (ssize_t)sent;
}

static ssize_t
wire_sendfile(void *arg, int fd, off_t *offset, size_t len)
{
	struct wire	*w = arg;
	char		 bytes[4096];
	ssize_t		 n;

	if (!wire_is_ready(w))
		return -1;
	if (len > sizeof(bytes))
		len = sizeof(bytes);
	if (w->send_max != 0 && len > w->send_max)
		len = w->send_max;
	if ((n = pread(fd, bytes, len, *offset)) <= 0)
		return n;
	w->sends++;
	wire_take(w, bytes, (size_t)n);
	*offset += n;
	return n;
}

static int
wire_wait(void *arg, int events, int64_t wait)
{
	struct wire	*w = arg;
	int		 ready = 0;

	assert(events != 0 && wait > 0);
	w->waits++;
	w->wait = wait;
	if ((events & STREAM_IN) != 0 &&
	    (w->in_pos < wire_limit(w) || w->in_pos == w->in_len))
		ready |= STREAM_IN;
	if ((events & STREAM_OUT) != 0 && !wire_is_deaf(w))
		ready |= STREAM_OUT;
	if (ready == 0) {
		errno = ETIMEDOUT;
		return -1;
	}
	return ready;
}

static const struct stream_ops wire_ops = {
	.recv = wire_recv,
	.send = wire_send,
	.sendfile = wire_sendfile,
	.wait = wire_wait,
};

void
wire_start(struct wire *w, struct stream *s)
{
	stream_start(s, &wire_ops, w);
	s->patience_in = s->patience_out = 60000;
}

void
wire_fini(struct wire *w)
{
	free(w->out);
	w->out = NULL;
	w->out_len = w->out_size = 0;
}

/* The heads between the ICAP head and the body; they stay in the buffer. */
static enum parse
message_receive_heads(struct message *m, struct stream *s)
{
	size_t	 len = m->request.encap.req_hdr + m->request.encap.res_hdr;

	while (buf_len(&s->in) < len)
		if (stream_fill(s, buf_room(&s->in) - BODY_RESERVE) != 1)
			return PARSE_MORE;
	m->req_hdr.p = buf_data(&s->in);
	m->req_hdr.len = m->request.encap.req_hdr;
	m->res_hdr.p = m->req_hdr.p + m->req_hdr.len;
	m->res_hdr.len = m->request.encap.res_hdr;
	buf_consume(&s->in, len);
	if ((m->req_hdr.len > 0 &&
	    http_check_head(m->req_hdr, &m->fault) == -1) ||
	    (m->res_hdr.len > 0 &&
	    http_check_head(m->res_hdr, &m->fault) == -1))
		return PARSE_BAD;
	return PARSE_OK;
}

enum parse
message_receive(struct message *m, struct stream *s,
    const struct limits *limits)
{
	enum parse	 result;

	assert(limits->fields <= sizeof(m->field) / sizeof(m->field[0]));
	assert(s->in.size > limits->head + limits->http_heads + BODY_RESERVE);
	memset(m, 0, sizeof(*m));
	spool_init(&m->spool, "/tmp", 4096, UINT64_C(1) << 30);
	buf_shift(&s->in, 0);
	request_init(&m->request, limits, m->field);
	while ((result = request_parse(&m->request, buf_data(&s->in),
	    buf_len(&s->in), &m->fault)) == PARSE_MORE)
		if (stream_fill(s, buf_room(&s->in) - BODY_RESERVE) != 1)
			return PARSE_MORE;
	if (result == PARSE_BAD)
		return PARSE_BAD;
	buf_consume(&s->in, m->request.len);
	if (request_parse_body(&m->request, &m->fault) == -1)
		return PARSE_BAD;
	if ((result = message_receive_heads(m, s)) != PARSE_OK)
		return result;
	body_init(&m->body, &m->request, s, &m->spool);
	m->has_body = true;
	return PARSE_OK;
}

void
message_fini(struct message *m)
{
	if (m->has_body)
		body_fini(&m->body);
	m->has_body = false;
}
