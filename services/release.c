/* SPDX-License-Identifier: ISC */
/*
 * Bytes of a body that the client gets before the verdict is known, so that
 * it does not give up waiting.  Called by services through the contract, and
 * by txn.c while it waits for a body; the end of such a reply is txn.c's.
 *
 * What holds here whatever the verdict will be: the last bytes of the body
 * are not sent, the chunk that is sent last stays open, and a message whose
 * end its reader might not miss is not released at all.  Whoever was given a
 * part can therefore see that it is one.
 */
#include <errno.h>
#include <limits.h>
#include <string.h>
#include <unistd.h>

#include "../proto/http.h"
#include "txn.h"

/* Does the client's client know chunks?  Else the end is the end. */
static bool
has_chunks(struct slice req_head)
{
	struct slice	 method, target, version;

	http_split_request(http_start_line(req_head), &method, &target,
	    &version);
	if (version.len < 6 || memcmp(version.p, "HTTP/", 5) != 0)
		return false;
	return (version.p[5] >= '2' && version.p[5] <= '9') ||
	    (version.len == 8 && memcmp(version.p, "HTTP/1.1", 8) == 0);
}

/*
 * How long is the message, as its reader sees it?  A shorter one than its
 * body would be complete too early.  UINT64_MAX where the head does not say
 * so; -1 where it cannot be relied on.
 */
static int
find_length(const struct txn *t, struct slice head, uint64_t *length)
{
	struct http_field	 f;
	uint64_t		 n;
	size_t			 pos = 0;

	*length = UINT64_MAX;
	while (http_next_field(head, &pos, &f)) {
		if (slice_is_nocase(f.name, "Content-Range"))
			return -1;
		if (!slice_is_nocase(f.name, "Content-Length"))
			continue;
		if (chars_parse_uint(f.value, UINT64_MAX / 2, &n) == -1 ||
		    (*length != UINT64_MAX && *length != n))
			return -1;
		*length = n;
	}
	return *length != UINT64_MAX || has_chunks(t->req_head) ? 0 : -1;
}

/*
 * A request would be acted upon by a server.  What a service before this one
 * has written, and what one behind this one will say, is no longer open.  A
 * part of a resource (206) could be put together with another part.
 */
static bool
release_is_allowed(struct txn *t)
{
	struct slice	 head = txn_head(t);

	return t->serving && t->last_step && txn_is_response(t) &&
	    txn_has_body(t) && t->source == NULL && !t->started &&
	    t->written.len == 0 && head.len > 0 &&
	    http_status(http_start_line(head)) != 206 &&
	    find_length(t, head, &t->release.length) == 0;
}

static bool
release_may(struct txn *t)
{
	return t->released > 0 || release_is_allowed(t);
}

/* The head as it is now; from here on the body is held as a 200's. */
static int
release_begin(struct txn *t)
{
	/* who asks for the rest alone has it judged without its beginning */
	if (txn_set_header(t, "Accept-Ranges", "none") == -1)
		return -1;
	body_read_ahead(&t->body);
	txn_start_adapted(t, 200, t->request->encap.body);
	return 0;
}

/* Sends one piece of what is kept.  Returns its length, or -1. */
static ssize_t
release_piece(struct txn *t, uint64_t size)
{
	struct body_piece	 piece;
	struct slice		 bytes;
	char			 copy[4096];
	ssize_t			 n;

	body_look(&t->body, t->released, size, &piece);
	bytes = piece.mem;
	if (piece.fd != -1) {
		if (piece.len > sizeof(copy))
			piece.len = sizeof(copy);
		do
			n = pread(piece.fd, copy, (size_t)piece.len,
			    (off_t)piece.offset);
		while (n == -1 && errno == EINTR);
		if (n <= 0)
			return -1;
		bytes.p = copy;
		bytes.len = (size_t)n;
	}
	t->released += bytes.len;
	t->body_out += bytes.len;
	if (reply_send_open(&t->reply_body, bytes) == -1)
		return -1;
	return (ssize_t)bytes.len;
}

ssize_t
txn_release(struct txn *t, size_t size)
{
	uint64_t	 most;
	size_t		 done = 0;
	ssize_t		 n;

	if (!release_may(t)) {
		errno = EPERM;
		return -1;
	}
	most = body_kept(&t->body);
	if (most > t->release.length)
		most = t->release.length;
	if (size == 0 || most < SERVICE_HOLD_BACK + t->released + 1)
		return 0;
	most -= SERVICE_HOLD_BACK + t->released;
	if (size > most)
		size = (size_t)most;
	if (t->release.failed || (!t->started && release_begin(t) == -1)) {
		errno = EPIPE;
		return -1;
	}
	for (; done < size; done += (size_t)n)
		if ((n = release_piece(t, size - done)) == -1) {
			t->release.failed = true;
			errno = EPIPE;
			return -1;
		}
	return (ssize_t)size;
}

void
txn_release_every(struct txn *t, size_t size, unsigned int ms, uint64_t most)
{
	t->release.at = 0;
	if (size == 0 || ms == 0 || !release_may(t))
		return;
	t->release.size = size;
	t->release.ms = ms;
	t->release.most = most;
	t->release.at = stream_now() + ms;
}

int
txn_release_due(struct txn *t)
{
	uint64_t	 size;
	int64_t		 left;

	if (t->release.at == 0)
		return -1;
	if ((left = t->release.at - stream_now()) > 0)
		return left < INT_MAX ? (int)left : INT_MAX;
	size = t->released < t->release.most ?
	    t->release.most - t->released : 0;
	if (size > t->release.size)
		size = t->release.size;
	if (size == 0 || txn_release(t, (size_t)size) == -1) {
		t->release.at = 0;
		return -1;
	}
	t->release.at = stream_now() + t->release.ms;
	return t->release.ms < INT_MAX ? (int)t->release.ms : INT_MAX;
}
