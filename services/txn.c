/* SPDX-License-Identifier: ISC */
/*
 * A transaction: runs the services of a plan on a message and turns what they
 * say into the cheapest legal reply.  Called by session.c (txn_run) and by
 * services (bodies, notes; heads are edit.c's, pages respond.c's, users
 * identity.c's, bytes before the verdict release.c's).  What a verdict means
 * on the wire is decided here and nowhere else:
 *
 *	unchanged	204 where the client allows it (RFC 3507 4.6), which a
 *			preview always does; else 200 with the message
 *	edited		206 with use-original-body=0 where allowed; else 200
 *	rewritten	206 with the new beginning where the rest stays and
 *			the client allows it; else 200, begun while the service
 *			still writes once there is too much to keep
 *	replaced	200 with a HTTP response, before the rest of the
 *			request is read
 *	failed		what `on-error` says: never silently unchanged
 *
 * It must not know any service, nor log.
 */
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../proto/http.h"
#include "txn.h"

/* What a service writes is kept so long, so that Content-Length can be had. */
#define WRITTEN_MAX	(64 * 1024)

/* Room for one copy between spools, bytes. */
#define COPY_MAX	(16 * 1024)

/*
 * After an early reply so much of the request is still read, for the sake of
 * the connection; a client that sends more loses it.  Bytes.
 */
#define EARLY_DRAIN_MAX	(UINT64_C(64) * 1024 * 1024)

/* A service can look this far ahead, bytes; the buffer has room for it. */
#define PEEK_MAX	(64 * 1024)

static const struct slice	 nothing = { NULL, 0 };

/* ---- what services ask ------------------------------------------------- */

int
txn_has_body(const struct txn *t)
{
	return t->request->encap.body != ENCAP_NULL_BODY;
}

/* Bytes of a spool in one piece, which the seam to its file may forbid. */
static ssize_t
txn_peek_spool(struct txn *t, struct spool *sp, size_t want,
    const char **bytes)
{
	struct slice	 mem;
	uint64_t	 offset, len, pos = sp->pos;
	size_t		 n;
	ssize_t		 got = 0;

	if (want > spool_left(sp))
		want = (size_t)spool_left(sp);
	spool_peek(sp, &mem, &offset, &len);
	if (mem.len >= want) {
		*bytes = want > 0 ? mem.p : "";
		return (ssize_t)want;
	}
	if (bytes_reserve(&t->peeked, want) == -1)
		return -1;
	for (n = 0; n < want; n += (size_t)got)
		if ((got = spool_read(sp, t->peeked.p + n, want - n)) <= 0)
			break;
	sp->pos = pos;
	*bytes = t->peeked.p;
	return got == -1 ? -1 : (ssize_t)n;
}

ssize_t
txn_peek(struct txn *t, size_t want, const char **bytes)
{
	struct slice	 s;
	ssize_t		 n;

	*bytes = "";
	if (want > PEEK_MAX)
		want = PEEK_MAX;
	if (t->source != NULL) {
		if ((n = txn_peek_spool(t, t->source, want, bytes)) == -1)
			t->read_failed = true;
		return n;
	}
	if (body_peek(&t->body, want, &s) == -1)
		return -1;
	if (s.len < want && spool_left(t->body.spool) > s.len)
		return txn_peek_spool(t, t->body.spool, want, bytes);
	if (s.len > 0)
		*bytes = s.p;
	return (ssize_t)(s.len < want ? s.len : want);
}

int
txn_peek_is_all(const struct txn *t)
{
	if (t->source != NULL)
		return spool_left(t->source) <= PEEK_MAX;
	return t->body.state == BODY_END && spool_left(t->body.spool) +
	    t->body.pending.len <= PEEK_MAX;
}

/*
 * The body could not be had for it is time to release some of it.  Returns
 * whether that was so and is done.
 */
static bool
txn_is_woken(struct txn *t)
{
	if (t->stream->wake_at == 0 || errno != EAGAIN ||
	    t->body.state == BODY_BROKEN)
		return false;
	t->stream->wake_at = 0;
	(void)txn_release_due(t);
	return t->body.state != BODY_BROKEN;
}

ssize_t
txn_read(struct txn *t, void *dst, size_t size)
{
	ssize_t	 n;

	if (t->source != NULL) {
		if ((n = spool_read(t->source, dst, size)) == -1)
			t->read_failed = true;
		return n;
	}
	/* until the reply begins the message may have to go back whole */
	if (!t->started)
		body_remember(&t->body);
	do {
		t->stream->wake_at = t->release.at;
		n = body_read(&t->body, dst, size);
	} while (n == -1 && txn_is_woken(t));
	t->stream->wake_at = 0;
	if (n > 0)
		t->consumed += (uint64_t)n;
	return n;
}

/* What is in a spool has to be copied, as it may be in its file. */
static ssize_t
txn_next_copy(struct txn *t, const char **bytes)
{
	if (bytes_reserve(&t->peeked, PEEK_MAX) == -1) {
		t->read_failed = true;
		return -1;
	}
	*bytes = t->peeked.p;
	return txn_read(t, t->peeked.p, PEEK_MAX);
}

ssize_t
txn_next(struct txn *t, const char **bytes)
{
	struct body_piece	 piece;
	int			 more;

	*bytes = "";
	if (!t->started && t->source == NULL)
		body_remember(&t->body);
	do {
		if (t->source != NULL || spool_left(t->body.spool) > 0)
			return txn_next_copy(t, bytes);
		t->stream->wake_at = t->release.at;
		more = body_next(&t->body, &piece);
	} while (more == -1 && txn_is_woken(t));
	t->stream->wake_at = 0;
	if (more != 1)
		return more;
	t->consumed += piece.len;
	*bytes = piece.mem.p;
	return (ssize_t)piece.len;
}

void
txn_want_fd(struct txn *t, uint64_t size)
{
	if (t->source == NULL && !spool_is_used(t->body.spool))
		spool_want_fd(t->body.spool, size);
}

int
txn_body_fd(struct txn *t, uint64_t *size)
{
	struct spool	*sp = t->source;
	int		 fd, result;

	if ((t->started && t->released == 0) || t->written.len > 0 ||
	    (t->capture != NULL && t->capture->len > 0)) {
		errno = EINVAL;		/* part of it may be gone */
		return -1;
	}
	if (sp == NULL) {
		body_remember(&t->body);
		do {
			t->stream->wake_at = t->release.at;
			result = body_spool(&t->body);
		} while (result == -1 && txn_is_woken(t));
		t->stream->wake_at = 0;
		if (result == -1)
			return -1;
		sp = t->body.spool;
	}
	if ((fd = spool_fd(sp)) != -1)
		*size = sp->len;
	return fd;
}

int64_t
txn_time_left(const struct txn *t)
{
	int64_t	 left;

	if (t->stream->deadline == 0)
		return INT64_MAX;
	left = t->stream->deadline - stream_now();
	return left > 0 ? left : 0;
}

int
txn_part_fd(struct txn *t, uint64_t offset, uint64_t len)
{
	struct spool	*sp = t->source != NULL ? t->source : t->body.spool;

	if (len > sp->len || offset > sp->len - len) {
		errno = EINVAL;
		return -1;
	}
	return spool_part(sp, offset, len);
}

/* All that is made becomes what the spool holds. */
static int
txn_make(struct spool *sp, ssize_t (*make)(void *arg, const char **bytes),
    void *arg)
{
	const char	*bytes;
	ssize_t		 n;

	while ((n = make(arg, &bytes)) > 0)
		if (spool_append(sp, bytes, (size_t)n) == -1)
			return -1;
	return (int)n;
}

int
txn_made_fd(struct txn *t, uint64_t expected,
    ssize_t (*make)(void *arg, const char **bytes), void *arg, uint64_t *size)
{
	const struct spool	*like = t->body.spool;
	struct spool		 sp;
	int			 fd = -1, saved;

	spool_init(&sp, like->dir, like->mem_max, like->max);
	spool_want_fd(&sp, expected);
	if (txn_make(&sp, make, arg) == 0 && (fd = spool_fd(&sp)) != -1) {
		*size = sp.len;
		fd = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	}
	saved = errno;
	spool_clear(&sp);
	errno = saved;
	return fd;
}

void
txn_note(struct txn *t, const char *key, const char *value)
{
	struct txn_note	*note;

	if (t->nnotes == TXN_NOTES_MAX)
		return;
	note = &t->note[t->nnotes++];
	note->key = key;
	(void)strlcpy(note->value, value, sizeof(note->value));
}

void
txn_unscanned(struct txn *t, const char *why)
{
	t->unscanned = true;
	(void)strlcpy(t->why, why, sizeof(t->why));
}

enum verdict
txn_fail(struct txn *t, const char *why)
{
	(void)strlcpy(t->why, why, sizeof(t->why));
	return VERDICT_FAILED;
}

/* Headers of a reply that are the server's. */
static bool
txn_is_ours(const char *name)
{
	static const char *const	 ours[] = { "Allow", "Encapsulated",
					    "ISTag", "Preview" };
	size_t				 i;

	for (i = 0; i < sizeof(ours) / sizeof(ours[0]); i++)
		if (strcasecmp(name, ours[i]) == 0)
			return true;
	return false;
}

static int
txn_check_reply_field(const char *name, const char *value)
{
	if (txn_check_field(name, value) == -1)
		return -1;
	if (txn_is_ours(name)) {
		errno = EPERM;
		return -1;
	}
	return 0;
}

/* Writes one line that every client can read (C184): ASCII, and no tabs. */
static void
txn_format_field(char *dst, const char *name, struct slice value)
{
	size_t	 nlen = strlen(name), i;
	char	 c;

	memcpy(dst, name, nlen);
	memcpy(dst + nlen, ": ", 2);
	for (i = 0; i < value.len; i++) {
		c = value.p[i];
		dst[nlen + 2 + i] = c == '\t' ? ' ' : (c & 0x80) != 0 ? '?' :
		    c;
	}
	memcpy(dst + nlen + 2 + i, "\r\n", 2);
}

static struct txn_trailer *
txn_find_trailer(struct txn *t, const char *name)
{
	unsigned int	 i;

	for (i = 0; i < t->ntrailers; i++)
		if (strcasecmp(t->trailer[i].name, name) == 0)
			return &t->trailer[i];
	return NULL;
}

int
txn_announce_trailer(struct txn *t, const char *name)
{
	if (txn_check_reply_field(name, NULL) == -1)
		return -1;
	if ((t->request->allow & ALLOW_TRAILERS) == 0) {
		errno = EOPNOTSUPP;
		return -1;
	}
	if (t->started) {
		errno = EALREADY;
		return -1;
	}
	if (txn_find_trailer(t, name) != NULL)
		return 0;
	if (t->ntrailers == TXN_TRAILERS_MAX ||
	    strlen(name) >= sizeof(t->trailer[0].name)) {
		errno = E2BIG;
		return -1;
	}
	t->trailer[t->ntrailers].value[0] = '\0';
	(void)strlcpy(t->trailer[t->ntrailers++].name, name,
	    sizeof(t->trailer[0].name));
	return 0;
}

/* The reply has begun: only what it has promised can still be said. */
static int
txn_set_trailer(struct txn *t, const char *name, struct slice value)
{
	struct txn_trailer	*trailer;

	if (!t->promised || (trailer = txn_find_trailer(t, name)) == NULL) {
		errno = EALREADY;
		return -1;
	}
	if (value.len >= sizeof(trailer->value)) {
		errno = E2BIG;
		return -1;
	}
	memcpy(trailer->value, value.p, value.len);
	trailer->value[value.len] = '\0';
	return 0;
}

int
txn_reply_header(struct txn *t, const char *name, const char *value)
{
	struct txn_trailer	*trailer;
	struct slice		 s;
	size_t			 n;

	if (value == NULL) {
		errno = EINVAL;
		return -1;
	}
	if (txn_check_reply_field(name, value) == -1)
		return -1;
	s.p = value;
	s.len = strlen(value);
	s = slice_trim(s);
	if (s.len == 0) {
		errno = EINVAL;
		return -1;
	}
	if (t->started)
		return txn_set_trailer(t, name, s);
	n = strlen(name) + s.len + 4;
	if (n > sizeof(t->reply_headers) - t->reply_headers_len) {
		errno = E2BIG;
		return -1;
	}
	txn_format_field(t->reply_headers + t->reply_headers_len, name, s);
	t->reply_headers_len += n;
	/* what is in the head need not be promised */
	if ((trailer = txn_find_trailer(t, name)) != NULL)
		*trailer = t->trailer[--t->ntrailers];
	return 0;
}

/* ---- sending ------------------------------------------------------------ */

/* The body could not be had: the client is told if nothing was sent yet. */
static int
txn_broken(struct txn *t)
{
	t->fault = t->body.fault;
	if (t->status != 0) {
		t->fault.status = 0;
		t->reset = true;
	}
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

/* Something of ours failed. */
static int
txn_failed(struct txn *t, const char *why)
{
	t->fault.why = why;
	t->fault.status = t->status != 0 ? 0 : 500;
	t->reset = t->status != 0;
	return -1;
}

/* A service is still at work: what it announced comes behind the body. */
static void
txn_promise_trailers(struct txn *t)
{
	char		 names[TXN_TRAILERS_MAX * (TXN_TRAILER_NAME_MAX + 2)];
	unsigned int	 i;

	names[0] = '\0';
	for (i = 0; i < t->ntrailers; i++) {
		if (i > 0)
			(void)strlcat(names, ", ", sizeof(names));
		(void)strlcat(names, t->trailer[i].name, sizeof(names));
	}
	t->promised = reply_addf(&t->reply, "Allow", "trailers") == 0 &&
	    reply_addf(&t->reply, "Trailer", "%s", names) == 0;
}

static void
txn_start_reply(struct txn *t, int status)
{
	t->close = t->request->close || t->closing(t->closing_arg);
	t->status = status;
	t->started = true;
	reply_start(&t->reply, status, t->istag, t->close);
	reply_add_lines(&t->reply, t->reply_headers, t->reply_headers_len);
	if (t->serving && t->ntrailers > 0)
		txn_promise_trailers(t);
}

/* ICAP head and HTTP head wait for the first bytes of the body. */
static void
txn_start_message(struct txn *t, int status, enum encap_entity hdr,
    struct slice head, enum encap_entity body)
{
	struct reply_body	*rb = &t->reply_body;

	txn_start_reply(t, status);
	reply_end(&t->reply, hdr, head.len, body);
	t->http_out = head;
	t->is_response_out = hdr == ENCAP_RES_HDR;
	rb->s = t->stream;
	rb->lead[0].iov_base = t->reply.head;
	rb->lead[0].iov_len = t->reply.len;
	rb->lead[1].iov_base = (void *)(uintptr_t)head.p;
	rb->lead[1].iov_len = head.len;
	rb->nlead = 2;
}

void
txn_start_adapted(struct txn *t, int status, enum encap_entity body)
{
	txn_start_message(t, status,
	    txn_is_response(t) ? ENCAP_RES_HDR : ENCAP_REQ_HDR, txn_head(t),
	    body);
}

/* The block behind the body that the reply's head has promised (C170, C173). */
static int
txn_send_trailers(struct txn *t)
{
	char			 block[TXN_TRAILERS_MAX *
				    (sizeof(struct txn_trailer) + 4) + 2];
	const struct txn_trailer *trailer;
	struct slice		 value;
	size_t			 len = 0;
	unsigned int		 i;

	for (i = 0; i < t->ntrailers; i++) {
		trailer = &t->trailer[i];
		value.p = trailer->value[0] != '\0' ? trailer->value : "-";
		value.len = strlen(value.p);
		txn_format_field(block + len, trailer->name, value);
		len += strlen(trailer->name) + value.len + 4;
	}
	memcpy(block + len, "\r\n", 2);
	if (stream_write(t->stream, block, len + 2) == -1)
		return txn_lost(t);
	return 0;
}

static int
txn_send_chunk(struct txn *t, struct slice bytes, bool last,
    struct slice trailers)
{
	t->body_out += bytes.len;
	if (reply_send_chunk(&t->reply_body, bytes, last, trailers) == -1)
		return txn_lost(t);
	return last && t->promised ? txn_send_trailers(t) : 0;
}

/* A message without a body: its heads in one write. */
static int
txn_send_heads(struct txn *t)
{
	struct reply_body	*rb = &t->reply_body;

	if (stream_writev(t->stream, rb->lead, rb->nlead) == -1)
		return txn_lost(t);
	return 0;
}

/* HTTP trailers belong to the body they came with, not to a new one. */
static struct slice
txn_trailers(const struct txn *t)
{
	struct slice	 s = { t->body.trailers, t->body.trailers_len };

	return t->rewritten ? nothing : s;
}

/*
 * Sends what is left of the original body; `piece`, where more is 1, is the
 * first of it.
 */
static int
txn_send_original(struct txn *t, struct body_piece *piece, int more)
{
	for (; more == 1; more = body_next(&t->body, piece)) {
		if (piece->fd != -1) {
			t->body_out += piece->len;
			if (reply_send_file(&t->reply_body, piece->fd,
			    piece->offset, piece->len) == -1)
				return txn_lost(t);
		} else if (body_is_complete(&t->body))
			return txn_send_chunk(t, piece->mem, true,
			    txn_trailers(t));
		else if (txn_send_chunk(t, piece->mem, false, nothing) == -1)
			return -1;
	}
	if (more == -1)
		return txn_broken(t);
	return txn_send_chunk(t, nothing, true, txn_trailers(t));
}

/* ---- verdicts ----------------------------------------------------------- */

/* RFC 3507 4.6; a preview may always be answered so, before any 100. */
static bool
txn_allows_204(const struct txn *t)
{
	return (t->request->allow & ALLOW_204) != 0 ||
	    (t->request->has_preview && !t->body.continued);
}

/*
 * draft-icap-ext-partial-content: offered with 204 it holds everywhere, alone
 * only in answer to a preview that the client waits behind: after one that
 * was everything (ieof) Squid takes it for an error.  A message needs a head
 * and a body (C164).  Returns 1, 0, or -1 when the body is broken.
 */
static int
txn_allows_206(struct txn *t)
{
	if ((t->request->allow & ALLOW_206) == 0 || !txn_has_body(t) ||
	    txn_head(t).len == 0)
		return 0;
	if ((t->request->allow & ALLOW_204) != 0)
		return 1;
	if (!t->request->has_preview || t->body.continued)
		return 0;
	if (body_settle(&t->body) == -1)
		return -1;
	return t->body.state == BODY_PAUSED;
}

/* 204: the client keeps what it has.  Its body is read to the end first. */
static int
txn_reply_204(struct txn *t)
{
	if (body_drain(&t->body) == -1)
		return txn_broken(t);
	txn_start_reply(t, 204);
	reply_end(&t->reply, ENCAP_RES_HDR, 0, ENCAP_NULL_BODY);
	if (reply_send(&t->reply, t->stream) == -1)
		return txn_lost(t);
	return 0;
}

/* 200 with the head as it is now and the body as it came. */
static int
txn_reply_original(struct txn *t)
{
	struct body_piece	 piece;
	enum encap_entity	 body = t->request->encap.body;
	int			 more;

	body_rewind(&t->body);
	if (body_commit(&t->body) == -1 ||
	    (more = body_next(&t->body, &piece)) == -1)
		return txn_broken(t);
	/* g3 refuses an empty body after Content-Length: 0 (C196) */
	if (more == 0 && txn_head(t).len > 0 && t->body.trailers_len == 0)
		body = ENCAP_NULL_BODY;
	txn_start_adapted(t, 200, body);
	if (body == ENCAP_NULL_BODY)
		return txn_send_heads(t);
	return txn_send_original(t, &piece, more);
}

/* 206: new head, new beginning (maybe none), and the client's own rest. */
static int
txn_reply_206(struct txn *t)
{
	struct slice	 bytes = { t->written.p, t->written.len };

	if (body_drain(&t->body) == -1)
		return txn_broken(t);
	txn_start_adapted(t, 206, t->request->encap.body);
	if (txn_send_chunk(t, bytes, false, nothing) == -1)
		return -1;
	if (reply_send_original(&t->reply_body, t->consumed) == -1)
		return txn_lost(t);
	return 0;
}

/* Another head: 206 where the client keeps the body, else 200. */
static int
txn_reply_edited(struct txn *t)
{
	int	 partial = txn_allows_206(t);

	t->consumed = 0;
	t->written.len = 0;
	if (partial == -1)
		return txn_broken(t);
	return partial ? txn_reply_206(t) : txn_reply_original(t);
}

/*
 * Length of a message whose first bytes were replaced, from what its head
 * says of the original; or -1.
 */
static int64_t
txn_new_length(const struct txn *t)
{
	struct slice	 value;
	uint64_t	 old;

	if (!http_find(txn_head(t), "Content-Length", &value) ||
	    chars_parse_uint(value, INT64_MAX / 2, &old) == -1 ||
	    old <= t->consumed)
		return -1;
	return (int64_t)(t->written.len + (old - t->consumed));
}

/* Begins the reply to a message with another body, of len bytes or (-1) ?. */
static int
txn_start_rewritten(struct txn *t, int64_t len)
{
	enum encap_entity	 body = t->request->encap.body;

	if (txn_set_length(t, len) == -1)
		return txn_failed(t, "no memory for the head");
	if (body == ENCAP_NULL_BODY)
		body = txn_is_response(t) ? ENCAP_RES_BODY : ENCAP_REQ_BODY;
	if (len == 0 && txn_head(t).len > 0)
		body = ENCAP_NULL_BODY;
	txn_start_adapted(t, 200, body);
	return 0;
}

/*
 * Begins it while the service is still at work: the client is asked for the
 * rest now, and nothing can be taken back from here on.
 */
static int
txn_start_early(struct txn *t)
{
	if (t->source == NULL && body_commit(&t->body) == -1)
		return txn_broken(t);
	return txn_start_rewritten(t, -1);
}

static int
txn_flush_written(struct txn *t, bool last)
{
	struct slice	 bytes = { t->written.p, t->written.len };

	t->written.len = 0;
	return txn_send_chunk(t, bytes, last, nothing);
}

static int
txn_put(struct txn *t, const void *src, size_t size)
{
	struct slice	 bytes = { src, size };

	if (t->capture != NULL)
		return spool_append(t->capture, src, size);
	if (size <= WRITTEN_MAX - t->written.len)
		return bytes_add(&t->written, src, size);
	/* once it has begun, src may lie where the body is received */
	if (!t->started)
		return bytes_add(&t->written, src, size) == -1 ||
		    txn_start_early(t) == -1 ? -1 :
		    txn_flush_written(t, false);
	if (txn_flush_written(t, false) == -1)
		return -1;
	if (size > WRITTEN_MAX)
		return txn_send_chunk(t, bytes, false, nothing);
	return bytes_add(&t->written, src, size);
}

int
txn_write(struct txn *t, const void *src, size_t size)
{
	if (size == 0)
		return 0;
	if (t->released > 0)
		t->write_failed = true;		/* the head says otherwise */
	if (t->write_failed || txn_put(t, src, size) == -1) {
		t->write_failed = true;
		return -1;
	}
	return 0;
}

void
txn_write_rest(struct txn *t)
{
	t->write_rest = true;
}

/* The last step has written a whole body, here or already on the wire. */
static int
txn_reply_written(struct txn *t)
{
	if (!t->started) {
		/* read what nobody wanted, but do not ask for more of it */
		if (body_drain(&t->body) == -1)
			return txn_broken(t);
		if (txn_start_rewritten(t, (int64_t)t->written.len) == -1)
			return -1;
		if (t->written.len == 0 && txn_head(t).len > 0)
			return txn_send_heads(t);
	}
	return txn_flush_written(t, true);
}

/* Sends what is left of a spool, and ends the body. */
static int
txn_send_spool(struct txn *t, struct spool *sp)
{
	struct slice	 mem;
	uint64_t	 offset, len;

	while (spool_left(sp) > 0) {
		spool_peek(sp, &mem, &offset, &len);
		spool_consume(sp, len);
		if (mem.len > 0) {
			if (txn_send_chunk(t, mem, spool_left(sp) == 0,
			    nothing) == -1)
				return -1;
			if (spool_left(sp) == 0)
				return 0;
			continue;
		}
		t->body_out += len;
		if (reply_send_file(&t->reply_body, sp->fd, offset, len) == -1)
			return txn_lost(t);
	}
	return txn_send_chunk(t, nothing, true, nothing);
}

/* What it has written, and then the rest of what an earlier one wrote. */
static int
txn_reply_source_rest(struct txn *t)
{
	if (!t->started) {
		if (body_drain(&t->body) == -1)
			return txn_broken(t);
		if (txn_start_rewritten(t, (int64_t)(t->written.len +
		    spool_left(t->source))) == -1)
			return -1;
		if (t->reply_body.lead[1].iov_len > 0 &&
		    t->written.len + spool_left(t->source) == 0)
			return txn_send_heads(t);
	}
	if (txn_flush_written(t, false) == -1)
		return -1;
	return txn_send_spool(t, t->source);
}

/* What it has written, and then the rest of the original. */
static int
txn_reply_rest(struct txn *t)
{
	struct body_piece	 piece;
	int64_t			 len;
	int			 more, partial;

	partial = t->started ? 0 : txn_allows_206(t);
	if (partial == -1)
		return txn_broken(t);
	if (partial) {
		len = txn_new_length(t);
		if (txn_set_length(t, len) == -1)
			return txn_failed(t, "no memory for the head");
		return txn_reply_206(t);
	}
	if (!t->started && body_commit(&t->body) == -1)
		return txn_broken(t);
	if ((more = body_next(&t->body, &piece)) == -1)
		return txn_broken(t);
	if (!t->started) {
		/* nothing is left: the length is known for sure */
		len = more == 0 ? (int64_t)t->written.len :
		    txn_new_length(t);
		if (txn_start_rewritten(t, len) == -1)
			return -1;
		if (len == 0 && txn_head(t).len > 0)
			return txn_send_heads(t);
	}
	if (txn_flush_written(t, false) == -1)
		return -1;
	return txn_send_original(t, &piece, more);
}

/* An earlier step has rewritten the body, the last has left it as it is. */
static int
txn_reply_source(struct txn *t)
{
	spool_rewind(t->source);
	t->written.len = 0;
	return txn_reply_source_rest(t);
}

static int
txn_reply_rewritten(struct txn *t)
{
	if (!t->rewritten)
		return txn_reply_source(t);
	if (!t->write_rest)
		return txn_reply_written(t);
	return t->source != NULL ? txn_reply_source_rest(t) :
	    txn_reply_rest(t);
}

/* Nothing was there, and nothing has come of it: no new length, then. */
static bool
txn_is_still_empty(const struct txn *t)
{
	if (txn_has_body(t) || t->started)
		return false;
	if (!t->rewritten)
		return t->source->len == 0;
	return t->written.len == 0 && (!t->write_rest || t->source == NULL ||
	    spool_left(t->source) == 0);
}

/*
 * Called while an early reply is stuck because the client still sends: what
 * it sends will not be needed.
 */
static int
txn_drop_ahead(void *arg)
{
	struct txn	*t = arg;

	if (body_is_read(&t->body))
		return 0;
	if (body_drain_some(&t->body) == -1) {
		errno = ECONNABORTED;
		return -1;
	}
	t->stream->ahead = txn_drop_ahead;
	return body_is_read(&t->body) ? 0 : 1;
}

/* 200 with a response of the service's own, as early as possible. */
static int
txn_reply_replaced(struct txn *t)
{
	struct slice	 head, body;

	if (t->response.len == 0)
		return txn_failed(t, "service replaced a message by nothing");
	head.p = t->response.p;
	head.len = t->response_head;
	body.p = head.p + head.len;
	body.len = t->response.len - head.len;
	t->stream->ahead = txn_drop_ahead;
	t->stream->ahead_arg = t;
	if (body.len == 0) {
		txn_start_message(t, 200, ENCAP_RES_HDR, head,
		    ENCAP_NULL_BODY);
		return txn_send_heads(t);
	}
	txn_start_message(t, 200, ENCAP_RES_HDR, head, ENCAP_RES_BODY);
	return txn_send_chunk(t, body, true, nothing);
}

/*
 * The verdict came too late to withhold all of it, but not the rest.  The
 * reply ends where it is, in the middle of a chunk.
 */
static int
txn_cut(struct txn *t)
{
	char	 after[40];
	size_t	 len;

	(void)snprintf(after, sizeof(after), "cut after %llu bytes",
	    (unsigned long long)t->released);
	len = strnlen(t->why, sizeof(t->why) - sizeof(after) - 2);
	(void)snprintf(t->why + len, sizeof(t->why) - len, "%s%s",
	    len > 0 ? "; " : "", after);
	t->fault.status = 0;
	t->fault.why = "cut";
	t->cut = t->reset = true;
	return -1;
}

/* Part of the body has been released: all the rest of it follows, or none. */
static int
txn_reply_released(struct txn *t)
{
	struct body_piece	 piece;
	struct slice		 first;
	char			 byte;
	int			 more;

	if (t->verdict != VERDICT_UNCHANGED && t->verdict != VERDICT_EDITED &&
	    (t->body.state != BODY_BROKEN || t->body.fault.status != 0))
		return txn_cut(t);
	if (t->body.state == BODY_BROKEN)
		return txn_broken(t);
	if (t->release.failed)
		return txn_lost(t);
	body_seek(&t->body, t->released);
	if (body_commit(&t->body) == -1 || body_read(&t->body, &byte, 1) != 1)
		return txn_broken(t);
	/* completes the open chunk; as much as is held back comes behind */
	first.p = &byte;
	first.len = 1;
	if (txn_send_chunk(t, first, false, nothing) == -1)
		return -1;
	if ((more = body_next(&t->body, &piece)) == -1)
		return txn_broken(t);
	return txn_send_original(t, &piece, more);
}

static int
txn_reply(struct txn *t)
{
	if (t->released > 0)
		return txn_reply_released(t);
	switch (t->verdict) {
	case VERDICT_UNCHANGED:
		if (txn_allows_204(t))
			return txn_reply_204(t);
		return txn_reply_original(t);
	case VERDICT_EDITED:
		return txn_reply_edited(t);
	case VERDICT_REWRITTEN:
		return txn_is_still_empty(t) ? txn_reply_original(t) :
		    txn_reply_rewritten(t);
	case VERDICT_REPLACED:
		return txn_reply_replaced(t);
	case VERDICT_FAILED:
		if (t->body.state == BODY_BROKEN)
			return txn_broken(t);
		if (t->started && t->fault.why != NULL)
			return -1;		/* the client is gone */
		return txn_failed(t, t->why);
	case VERDICT_NONE:
		break;
	}
	return txn_failed(t, "service returned no verdict");
}

/* ---- the chain ---------------------------------------------------------- */

/* Appends what a step left unread to what it wrote. */
static int
txn_capture_rest(struct txn *t)
{
	char	 copy[COPY_MAX];
	ssize_t	 n;

	while ((n = txn_read(t, copy, sizeof(copy))) > 0)
		if (spool_append(t->capture, copy, (size_t)n) == -1)
			return -1;
	return (int)n;
}

/*
 * What a service says, held against what happened to it: it may have
 * overlooked that reading or writing failed.
 */
static enum verdict
txn_check_step(struct txn *t, enum verdict verdict)
{
	if (verdict == VERDICT_FAILED)
		return verdict;
	if (t->body.state == BODY_BROKEN)
		return txn_fail(t, t->body.fault.why);
	if (t->read_failed)
		return txn_fail(t, "body could not be read");
	if (t->identity_failed && verdict != VERDICT_REPLACED)
		return txn_fail(t, "no memory for who has asked");
	if (t->released > 0 && verdict == VERDICT_REWRITTEN)
		return txn_fail(t, "service rewrote what it had released");
	if (verdict != VERDICT_REWRITTEN)
		return t->started && t->released == 0 ?
		    txn_fail(t, "service gave up while it wrote") : verdict;
	if (t->write_failed)
		return txn_fail(t, "body could not be written");
	if (t->capture != NULL && t->write_rest && txn_capture_rest(t) == -1)
		return txn_fail(t, "body could not be read or kept");
	return verdict;
}

/*
 * One service.  Each reads the body from its beginning: the original, or what
 * an earlier one has made of it.
 */
static enum verdict
txn_run_step(struct txn *t, const struct txn_step *step)
{
	struct bytes	 before = { NULL, 0, 0 };
	enum verdict	 verdict;

	t->consumed = 0;
	t->write_rest = t->write_failed = t->read_failed = false;
	t->release.at = 0;
	t->ntrailers = 0;
	t->capture = NULL;
	if (t->source != NULL)
		spool_rewind(t->source);
	else
		body_rewind(&t->body);
	if (!t->last_step) {
		t->capture = t->source == &t->spools->out[0] ?
		    &t->spools->out[1] : &t->spools->out[0];
		if (spool_is_used(t->capture))
			spool_clear(t->capture);
	}
	if (t->head.len > 0 && bytes_add(&before, t->head.p,
	    t->head.len) == -1)
		return txn_fail(t, "no memory for the head");
	t->serving = true;
	verdict = step->service->serve(t, step->instance);
	t->serving = false;
	verdict = txn_check_step(t, verdict);
	if (verdict != VERDICT_EDITED && verdict != VERDICT_REWRITTEN) {
		/* what it did to the message does not count */
		if (t->started && t->sent.p == NULL)
			t->sent = t->head;	/* but was sent: the log's */
		else
			bytes_free(&t->head);
		t->head = before;
	} else
		bytes_free(&before);
	if (verdict != VERDICT_REWRITTEN)
		t->written.len = 0;
	else if (t->capture != NULL)
		t->source = t->capture;
	else
		t->rewritten = true;
	return verdict;
}

/*
 * A service has failed: on-error decides.  Returns the verdict that takes the
 * failure's place.
 */
static enum verdict
txn_on_error(struct txn *t)
{
	t->unscanned = true;
	if (t->why[0] == '\0')
		(void)txn_fail(t, t->body.state == BODY_BROKEN ?
		    t->body.fault.why : "service failed");
	/* nobody left to protect, or too late to choose */
	if (t->body.state == BODY_BROKEN ||
	    (t->started && t->released == 0))
		return VERDICT_FAILED;
	switch (t->plan->on_error) {
	case ON_ERROR_PASS:
		return VERDICT_UNCHANGED;
	case ON_ERROR_BLOCK:
		if (txn_respond_unscanned(t) == 0)
			return VERDICT_REPLACED;
		break;
	case ON_ERROR_FAIL:
		break;
	}
	return VERDICT_FAILED;
}

/* Index of the last step that serves this method, or nsteps. */
static unsigned int
txn_last_step(const struct txn *t, unsigned int method)
{
	unsigned int	 i, last = t->plan->nsteps;

	for (i = 0; i < t->plan->nsteps; i++)
		if ((t->plan->step[i].service->methods & method) != 0)
			last = i;
	return last;
}

/* What all steps together have made of the message. */
static enum verdict
txn_combine(const struct txn *t)
{
	if (t->rewritten || t->source != NULL)
		return VERDICT_REWRITTEN;
	if (t->head.len > 0)
		return VERDICT_EDITED;
	return VERDICT_UNCHANGED;
}

static enum verdict
txn_run_chain(struct txn *t)
{
	const struct txn_step	*step;
	enum verdict		 verdict;
	unsigned int		 method, i, last;

	method = txn_is_response(t) ? SERVICE_RESPMOD : SERVICE_REQMOD;
	last = txn_last_step(t, method);
	for (i = 0; i < t->plan->nsteps; i++) {
		step = &t->plan->step[i];
		if ((step->service->methods & method) == 0)
			continue;
		/* a shadow must be able to take everything back */
		t->last_step = i == last && !t->plan->shadow;
		verdict = txn_run_step(t, step);
		if (verdict != VERDICT_UNCHANGED)
			t->decided = step->service;
		if (verdict == VERDICT_NONE) {
			t->unscanned = true;
			return txn_fail(t, "service returned no verdict");
		}
		if (verdict == VERDICT_FAILED)
			verdict = txn_on_error(t);
		if (verdict == VERDICT_REPLACED || verdict == VERDICT_FAILED)
			return verdict;
	}
	return txn_combine(t);
}

/* What a shadow found is logged; the client gets its message back. */
static void
txn_take_back(struct txn *t)
{
	t->reply_headers_len = 0;
	if (t->verdict == VERDICT_UNCHANGED ||
	    t->body.state == BODY_BROKEN)
		return;
	t->shadowed = true;
	t->source = NULL;
	txn_forget_edits(t);
}

/*
 * A reply may be sent before the request was read.  The rest is read for the
 * sake of the connection, up to a limit.
 */
static int
txn_finish(struct txn *t)
{
	uint64_t	 before = t->body.received;

	while (!body_is_read(&t->body)) {
		if (t->body.received - before > EARLY_DRAIN_MAX) {
			t->fault.status = 0;
			t->fault.why = "client sends on after an early reply";
			return -1;
		}
		if (body_drain_some(&t->body) == -1)
			return txn_broken(t);
	}
	return 0;
}

void
txn_init(struct txn *t)
{
	memset(t, 0, offsetof(struct txn, why));
	t->why[0] = '\0';
}

int
txn_run(struct txn *t, const struct txn_plan *plan)
{
	enum verdict	 found;
	int		 result;

	t->plan = plan;
	body_init(&t->body, t->request, t->stream, &t->spools->body);
	if (plan->nsteps > 1 || plan->shadow)
		body_remember(&t->body);
	found = t->verdict = txn_run_chain(t);
	if (plan->shadow) {
		txn_take_back(t);
		if (t->shadowed)
			t->verdict = VERDICT_UNCHANGED;
	}
	result = txn_reply(t);
	if (t->shadowed)
		t->verdict = found;
	if (result == 0)
		result = txn_finish(t);
	t->stream->ahead = NULL;
	return result;
}

void
txn_fini(struct txn *t)
{
	size_t	 i;

	body_fini(&t->body);
	for (i = 0; i < 2; i++)
		if (spool_is_used(&t->spools->out[i]))
			spool_clear(&t->spools->out[i]);
	if (t->written.p != NULL)
		bytes_free(&t->written);
	if (t->head.p != NULL)
		bytes_free(&t->head);
	if (t->sent.p != NULL)
		bytes_free(&t->sent);
	if (t->response.p != NULL)
		bytes_free(&t->response);
	if (t->peeked.p != NULL)
		bytes_free(&t->peeked);
	for (i = 0; i < TXN_NIDENTITY; i++)
		free(t->identity[i]);
}
