/* SPDX-License-Identifier: ISC */
/*
 * Transactions with a server on sockets that do not block: sends a message,
 * waits with the rest of it where a preview ends, takes the reply apart.
 * Called by once.c for one connection and by load.c for many.  It must not
 * wait, nor print.
 *
 * All talks receive into one buffer, which so stays in the cache; a head that
 * has come only in part is kept aside.
 */
#include <sys/socket.h>

#include <netinet/in.h>
#include <netinet/tcp.h>

#include <errno.h>
#include <netdb.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "talk.h"

/* Received at once; larger than any head, bytes. */
#define TALK_BUFFER	(256 * 1024)

int
talks_init(struct talks *all)
{
	memset(all, 0, sizeof(*all));
	all->size = TALK_BUFFER;
	return (all->buf = malloc(all->size)) == NULL ? -1 : 0;
}

void
talks_fini(struct talks *all)
{
	free(all->buf);
	all->buf = NULL;
}

void
talk_init(struct talk *t, struct talks *all)
{
	memset(t, 0, sizeof(*t));
	t->all = all;
	t->fd = -1;
}

void
talk_fini(struct talk *t)
{
	talk_close(t);
	free(t->kept);
	t->kept = NULL;
}

int
talk_open(struct talk *t, const struct addrinfo *ai)
{
	int	 on = 1;

	t->fd = socket(ai->ai_family, SOCK_STREAM | SOCK_NONBLOCK |
	    SOCK_CLOEXEC, 0);
	if (t->fd == -1)
		return -1;
	(void)setsockopt(t->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	if (connect(t->fd, ai->ai_addr, ai->ai_addrlen) == -1 &&
	    errno != EINPROGRESS) {
		talk_close(t);
		return -1;
	}
	t->shaken = t->all->tls == NULL;
	if (!t->shaken && (t->tls = tls_open(t->all->tls, t->fd)) == NULL) {
		talk_close(t);
		return -1;
	}
	return 0;
}

void
talk_close(struct talk *t)
{
	int	 saved = errno;

	tls_close(t->tls);
	t->tls = NULL;
	if (t->fd != -1)
		(void)close(t->fd);
	t->fd = -1;
	errno = saved;
}

void
talk_begin(struct talk *t, const struct message *m, bool closing)
{
	t->m = m;
	t->sent = 0;
	t->end = m->pause;
	t->continued = t->replied = t->is_bad = t->is_broken = false;
	t->closing = closing;
	t->kept_len = 0;
	t->why = NULL;
	answer_init(&t->answer, m->method);
}

/* The system refused: why, as one of few static texts that can be counted. */
static enum talk_result
talk_failed(struct talk *t)
{
	switch (errno) {
	case ECONNREFUSED:
		t->why = "connection refused";
		break;
	case ECONNRESET:
	case EPIPE:
		t->why = "connection reset by the server";
		break;
	case ENOMEM:
		t->why = "out of memory";
		break;
	case EHOSTUNREACH:
	case ENETUNREACH:
		t->why = "server cannot be reached";
		break;
	case ETIMEDOUT:
		t->why = "connection timed out";
		break;
	case EPROTO:
		if (t->tls != NULL && (t->why = tls_why(t->tls)) != NULL)
			break;
		/* FALLTHROUGH */
	default:
		t->why = "connection failed";
		break;
	}
	return TALK_BAD;
}

static enum talk_result
talk_bad(struct talk *t, const char *why)
{
	t->is_bad = true;
	t->why = why;
	return TALK_BAD;
}

static enum talk_result
talk_result(const struct talk *t)
{
	if (!t->replied || t->closing)
		return TALK_MORE;
	return t->sent == t->end || t->answer.close ? TALK_DONE : TALK_MORE;
}

enum talk_result
talk_shake(struct talk *t)
{
	if (!t->shaken && tls_shake(t->tls) == -1)
		return errno == EAGAIN ? TALK_MORE : talk_failed(t);
	t->shaken = true;
	return TALK_DONE;
}

static enum talk_result
talk_push(struct talk *t)
{
	ssize_t	 n;

	while (t->sent < t->end) {
		n = t->tls != NULL ?
		    tls_send(t->tls, t->m->wire + t->sent, t->end - t->sent) :
		    send(t->fd, t->m->wire + t->sent, t->end - t->sent,
		    MSG_NOSIGNAL);
		if (n == -1) {
			if (errno == EINTR)
				continue;
			if (errno == EAGAIN)
				return TALK_MORE;
			if (errno != EPIPE && errno != ECONNRESET)
				return talk_failed(t);
			/* a server that refuses early may have answered */
			t->is_broken = true;
			t->end = t->sent;
			break;
		}
		t->sent += (size_t)n;
		t->bytes_out += (uint64_t)n;
	}
	return talk_result(t);
}

enum talk_result
talk_send(struct talk *t)
{
	enum talk_result	 result;

	if ((result = talk_shake(t)) != TALK_DONE)
		return result;
	result = talk_push(t);
	if (result == TALK_MORE && t->is_broken)
		result = talk_recv(t, true);
	return result;
}

/* A complete reply: 100 Continue, or the final one. */
static enum talk_result
talk_take(struct talk *t, size_t left)
{
	if (t->answer.status == 100) {
		if (t->continued || t->end == t->m->len ||
		    t->sent < t->end)
			return talk_bad(t,
			    "100 Continue that was not asked for");
		t->continued = true;
		t->end = t->m->len;
		answer_init(&t->answer, t->m->method);
		return talk_push(t);
	}
	if (left > 0)
		return talk_bad(t, "bytes after the reply");
	if (t->answer.chunk.has_original &&
	    t->answer.chunk.original > t->m->body.len)
		return talk_bad(t, "use-original-body beyond the body");
	t->replied = true;
	return talk_result(t);
}

/* Keeps what has come of a head for the next time. */
static enum talk_result
talk_keep(struct talk *t, const char *p, size_t len)
{
	if (t->kept_room < len) {
		free(t->kept);
		t->kept_room = t->kept_len = 0;
		if ((t->kept = malloc(t->all->size)) == NULL)
			return talk_failed(t);
		t->kept_room = t->all->size;
	}
	memcpy(t->kept, p, len);
	t->kept_len = len;
	return TALK_MORE;
}

static enum talk_result
talk_parse(struct talk *t, char *p, size_t len)
{
	enum answer_event	 event;
	enum talk_result	 result;
	struct slice		 out;
	size_t			 used;

	if (t->replied)
		return talk_bad(t, "bytes after the reply");
	for (;;) {
		event = answer_parse(&t->answer, &t->all->fields, p, len,
		    &used, &out);
		p += used;
		len -= used;
		switch (event) {
		case ANSWER_BAD:
			return talk_bad(t, t->answer.why);
		case ANSWER_MORE:
			return len > 0 ? talk_keep(t, p, len) : TALK_MORE;
		case ANSWER_END:
			if (t->all->event(t, event, out) == -1)
				return talk_bad(t, t->why);
			result = talk_take(t, len);
			if (result != TALK_MORE || t->replied || len == 0)
				return result;
			break;
		default:
			if (t->all->event(t, event, out) == -1)
				return talk_bad(t, t->why);
			break;
		}
	}
}

static enum talk_result
talk_hangup(struct talk *t)
{
	if (t->replied && (t->closing || t->answer.close))
		return TALK_DONE;
	t->why = t->answer.state != ANSWER_S_HEAD || t->kept_len > 0 ?
	    "server closed in a reply" : "server closed without a reply";
	return TALK_BAD;
}

enum talk_result
talk_recv(struct talk *t, bool hup)
{
	struct talks		*all = t->all;
	enum talk_result	 result;
	size_t			 kept, room;
	ssize_t			 n;

	if (!t->shaken) {
		result = talk_send(t);
		if (result != TALK_MORE || !t->shaken)
			return result;
	}
	for (;;) {
		kept = t->kept_len;
		if (kept > 0)
			memcpy(all->buf, t->kept, kept);
		room = all->size - kept;
		n = t->tls != NULL ? tls_recv(t->tls, all->buf + kept, room) :
		    recv(t->fd, all->buf + kept, room, 0);
		if (n == -1) {
			if (errno == EINTR)
				continue;
			if (errno == EAGAIN)
				return TALK_MORE;
			/* unread bytes of ours turn its close into a reset */
			if (errno == ECONNRESET && t->replied)
				return talk_hangup(t);
			return talk_failed(t);
		}
		if (n == 0)
			return talk_hangup(t);
		t->bytes_in += (uint64_t)n;
		t->kept_len = 0;
		result = talk_parse(t, all->buf, kept + (size_t)n);
		if (result != TALK_MORE)
			return result;
		/* of TLS one record is had at a time */
		if ((size_t)n < room && !hup && t->tls == NULL &&
		    !t->is_broken && !(t->replied && t->closing))
			return TALK_MORE;
	}
}
