/* SPDX-License-Identifier: ISC */
/*
 * Connections: open, send, read, and how they end. Used by the statements
 * of icapt_run.c. Sockets do not block; every wait is a poll that gives up
 * after the timeout, so that a server that hangs costs a failure and not
 * the run. While it sends nothing is read, unless a request says "duplex":
 * most real clients are like that, and a server must bear it.
 * Whether an answer is right is not decided here, only whether it came.
 */
#include <sys/socket.h>
#include <sys/types.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "icapt_conn.h"

#define IN_SIZE		65536
#define OUT_SIZE	65536
/*
 * Between pieces, so that a server has a chance to read one before the
 * next has come. Nothing depends on it.
 */
#define PACE_NS		200000

static int	 conn_wait(struct conn *, int, short *);
static void	 conn_drain(struct conn *);

int
conn_open(struct icapt *ic, struct conn *c)
{
	struct addrinfo	 hints, *ai, *a;
	int		 one = 1, err, flags;
	char		 name[sizeof(c->name)];

	memcpy(name, c->name, sizeof(name));
	memset(c, 0, sizeof(*c));
	memcpy(c->name, name, sizeof(name));
	c->ic = ic;
	c->fd = -1;
	memset(&hints, 0, sizeof(hints));
	hints.ai_socktype = SOCK_STREAM;
	if ((err = getaddrinfo(ic->host, ic->port, &hints, &ai)) != 0)
		return icapt_fail(ic, "an address", "%s: %s", ic->host,
		    gai_strerror(err));
	for (a = ai; a != NULL; a = a->ai_next) {
		c->fd = socket(a->ai_family, a->ai_socktype, a->ai_protocol);
		if (c->fd == -1)
			continue;
		if (connect(c->fd, a->ai_addr, a->ai_addrlen) == 0)
			break;
		err = errno;
		close(c->fd);
		c->fd = -1;
	}
	freeaddrinfo(ai);
	if (c->fd == -1)
		return icapt_fail(ic, "a connection", "%s", strerror(err));
	if (setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one,
	    sizeof(one)) == -1 || (flags = fcntl(c->fd, F_GETFL)) == -1 ||
	    fcntl(c->fd, F_SETFL, flags | O_NONBLOCK) == -1 ||
	    (c->in = malloc(IN_SIZE)) == NULL) {
		close(c->fd);
		c->fd = -1;
		return icapt_fail(ic, "a connection", "%s", strerror(errno));
	}
	reply_init(&c->reply, NULL);
	return 0;
}

void
conn_close(struct conn *c, int reset)
{
	struct linger	 l = { 1, 0 };

	if (c->fd == -1)
		return;
	if (reset)
		(void)setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &l, sizeof(l));
	close(c->fd);
	c->fd = -1;
	free(c->in);
	c->in = NULL;
	reply_fini(&c->reply);
	if (c->ic->verbose)
		printf("   %s: %s\n", c->name, reset ? "reset" : "closed");
}

int
conn_shut(struct conn *c)
{
	if (c->ic->verbose)
		printf("   %s: half-closed\n", c->name);
	if (shutdown(c->fd, SHUT_WR) == -1 && errno != ENOTCONN)
		return icapt_fail(c->ic, "a half-close", "%s",
		    strerror(errno));
	return 0;
}

/* Wait until the socket is ready; 0 at the timeout. */
static int
conn_wait(struct conn *c, int timeout, short *events)
{
	struct pollfd	 pfd;
	int		 n;

	pfd.fd = c->fd;
	pfd.events = *events;
	do
		n = poll(&pfd, 1, timeout);
	while (n == -1 && errno == EINTR);
	*events = pfd.revents;
	return n > 0;
}

int
conn_fill(struct conn *c)
{
	short	 ev = POLLIN;
	ssize_t	 n;

	if (c->eof)
		return 0;
	if (c->off > 0) {
		memmove(c->in, c->in + c->off, c->n);
		c->off = 0;
	}
	for (;;) {
		n = recv(c->fd, c->in + c->n, IN_SIZE - c->n, 0);
		if (n > 0) {
			icapt_show(c->ic, "<", c->name, c->in + c->n,
			    (size_t)n);
			c->n += (size_t)n;
			return 1;
		}
		if (n == 0) {
			c->eof = 1;
			return 0;
		}
		if (errno != EAGAIN && errno != EINTR) {
			c->eof = c->rst = 1;
			return 0;
		}
		ev = POLLIN;
		if (!conn_wait(c, c->ic->timeout, &ev))
			return -1;
	}
}

int
conn_pending(struct conn *c)
{
	short	 ev = POLLIN;

	return c->n > 0 || (!c->eof && conn_wait(c, 0, &ev));
}

/* Read what has come while sending, for "duplex". */
static void
conn_drain(struct conn *c)
{
	enum reply_parse	 res;
	size_t			 used;

	if (!c->reading) {
		reply_fini(&c->reply);
		reply_init(&c->reply, c->has_msg ? &c->msg.content : NULL);
		c->reading = 1;
	}
	while (conn_pending(c)) {
		if (c->n == 0 && conn_fill(c) != 1)
			return;
		res = reply_parse(&c->reply, c->in + c->off, c->n, &used);
		c->off += used;
		c->n -= used;
		if (res != REPLY_MORE)
			return;		/* conn_read will find it */
	}
}

static int
conn_write(struct conn *c, const char *p, size_t n, int duplex)
{
	short	 ev;
	ssize_t	 k;

	while (n > 0 && c->werr == 0) {
		k = send(c->fd, p, n, MSG_NOSIGNAL);
		if (k > 0) {
			p += k;
			n -= (size_t)k;
			c->sent += (uint64_t)k;
			continue;
		}
		if (errno == EINTR)
			continue;
		if (errno != EAGAIN) {
			c->werr = errno;
			if (c->ic->verbose)
				printf("   %s: send: %s\n", c->name,
				    strerror(errno));
			break;
		}
		ev = duplex ? POLLOUT | POLLIN : POLLOUT;
		if (!conn_wait(c, c->ic->timeout, &ev))
			return icapt_fail(c->ic, "the server to take what is "
			    "sent", "nothing taken after %llu bytes",
			    (unsigned long long)c->sent);
		if (duplex && (ev & POLLIN))
			conn_drain(c);
	}
	return 0;
}

int
conn_send(struct conn *c, const char *p, size_t n, uint64_t by)
{
	struct timespec	 ts = { 0, PACE_NS };
	size_t		 k;

	icapt_show(c->ic, ">", c->name, p, n);
	if (by == 0)
		return conn_write(c, p, n, 0);
	for (; n > 0 && c->werr == 0; p += k, n -= k) {
		k = n < by ? n : (size_t)by;
		if (conn_write(c, p, k, 0) == -1)
			return -1;
		(void)nanosleep(&ts, NULL);
	}
	return 0;
}

int
conn_feed(struct conn *c, struct feed *f, uint64_t by, int duplex)
{
	char	*buf;
	size_t	 n;
	int	 res = 0;

	if ((buf = malloc(OUT_SIZE)) == NULL)
		abort();
	while (res == 0 && c->werr == 0 &&
	    (n = feed_read(f, buf, OUT_SIZE)) > 0) {
		if (by > 0)
			res = conn_send(c, buf, n, by);
		else {
			icapt_show(c->ic, ">", c->name, buf, n);
			res = conn_write(c, buf, n, duplex);
		}
		if (duplex && res == 0)
			conn_drain(c);
	}
	free(buf);
	return res;
}

int
conn_request(struct conn *c, const struct msg *m)
{
	struct icapt	*ic = c->ic;
	struct feed	 f;
	struct text	 probe;

	c->msg = *m;
	c->has_msg = 1;
	c->paused = msg_has_rest(m);
	c->cont = c->probed = c->reading = 0;
	msg_feed(ic, m, &f);
	if (m->probe && !c->paused && !m->close) {
		probe = conn_probe_text(ic);
		f.post = icapt_join(ic, f.post, probe);
		c->probed = 1;
	}
	return conn_feed(c, &f, m->by, m->duplex);
}

int
conn_continue(struct conn *c)
{
	struct icapt	*ic = c->ic;
	struct feed	 f;

	msg_feed_rest(ic, &c->msg, &f);
	c->paused = 0;
	c->cont = 1;
	if (c->msg.probe && !c->msg.close) {
		f.post = icapt_join(ic, f.post, conn_probe_text(ic));
		c->probed = 1;
	}
	return conn_feed(c, &f, c->msg.by, c->msg.duplex);
}

struct text
conn_probe_text(struct icapt *ic)
{
	static unsigned int	 serial;

	return icapt_textf(ic, "OPTIONS icap://%s:%s/%s?n=%ld.%u ICAP/1.0\r\n"
	    "Host: %s:%s\r\nConnection: close\r\n\r\n", ic->host, ic->port,
	    ic->service, (long)getpid(), serial++, ic->host, ic->port);
}

int
conn_probe(struct conn *c)
{
	struct text	 t = conn_probe_text(c->ic);

	c->probed = 1;
	return conn_send(c, t.p, t.n, 0);
}

static void
conn_read_begin(struct conn *c)
{
	if (c->reading)
		return;
	reply_fini(&c->reply);
	reply_init(&c->reply, c->has_msg ? &c->msg.content : NULL);
	c->reading = 1;
}

enum conn_result
conn_read_part(struct conn *c, uint64_t size)
{
	size_t	 used;
	int	 n;

	conn_read_begin(c);
	while (c->reply.size < size) {
		if (c->n == 0) {
			if ((n = conn_fill(c)) == -1)
				return CONN_TIMEOUT;
			if (n == 0)
				return c->reply.begun ? CONN_BROKEN : CONN_END;
		}
		switch (reply_parse(&c->reply, c->in + c->off, 1, &used)) {
		case REPLY_BAD:
			return CONN_BAD;
		case REPLY_OK:
			c->reading = 0;
			break;
		case REPLY_MORE:
			break;
		}
		c->off += used;
		c->n -= used;
		if (!c->reading)
			return c->reply.size < size ? CONN_END : CONN_REPLY;
	}
	return CONN_REPLY;
}

enum conn_result
conn_read(struct conn *c)
{
	size_t	 used;
	int	 n;

	conn_read_begin(c);
	for (;;) {
		switch (reply_parse(&c->reply, c->in + c->off, c->n, &used)) {
		case REPLY_OK:
			c->off += used;
			c->n -= used;
			c->reading = 0;
			return CONN_REPLY;
		case REPLY_BAD:
			c->off += used;
			c->n -= used;
			return CONN_BAD;
		case REPLY_MORE:
			break;
		}
		c->off += used;
		c->n -= used;
		if ((n = conn_fill(c)) == -1)
			return CONN_TIMEOUT;
		if (n == 0)
			return c->reply.begun ? CONN_BROKEN : CONN_END;
	}
}

int
conn_fail(struct conn *c, enum conn_result res, const char *expected)
{
	struct reply	*r = &c->reply;
	char		 buf[512];
	const char	*what = c->rst ? "a reset" : "the end";

	switch (res) {
	case CONN_REPLY:
		return icapt_fail(c->ic, expected, "%s", r->head.p);
	case CONN_END:
		return icapt_fail(c->ic, expected, "%s of the connection",
		    what);
	case CONN_BROKEN:
		return icapt_fail(c->ic, expected, "%s in the middle of: %s",
		    what, icapt_escape(buf, sizeof(buf), r->head.p != NULL ?
		    r->head.p : r->acc, r->head.p != NULL ? r->head.n :
		    r->nacc));
	case CONN_TIMEOUT:
		return icapt_fail(c->ic, expected, "nothing more within the "
		    "timeout, after: %s", icapt_escape(buf, sizeof(buf),
		    r->head.p != NULL ? r->head.p : r->acc,
		    r->head.p != NULL ? r->head.n : r->nacc));
	case CONN_BAD:
		return icapt_fail(c->ic, expected, "%s: %s", r->why,
		    icapt_escape(buf, sizeof(buf), r->nacc > 0 ? r->acc :
		    r->head.p, r->nacc > 0 ? r->nacc : r->head.n));
	}
	return -1;
}

int
conn_check_closed(struct conn *c)
{
	char	 buf[512];
	int	 n;

	if (c->n == 0) {
		if ((n = conn_fill(c)) == -1)
			return icapt_fail(c->ic, "the end of the connection",
			    "nothing within the timeout");
		if (n == 0) {
			if (c->rst && c->ic->form)
				return icapt_fail(c->ic, "the end of the "
				    "connection", "a reset");
			return 0;
		}
	}
	return icapt_fail(c->ic, "the end of the connection, no more bytes",
	    "%s", icapt_escape(buf, sizeof(buf), c->in + c->off, c->n));
}
