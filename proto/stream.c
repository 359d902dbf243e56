/* SPDX-License-Identifier: ISC */
/*
 * Blocking reads and writes with deadlines, over function pointers, and the
 * socket's own functions.  Called by session.c, body.c and reply.c.
 *
 * On the usual way a read is one recv(2) and a write one send(2), nothing
 * else: recv blocks under SO_RCVTIMEO, a tick that is set once a connection;
 * only when less than a tick of the time is left does poll(2) measure it.
 * The clock is read from the vDSO.  This file must not know what the bytes
 * mean.
 */
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/time.h>

#include <netinet/in.h>
#include <netinet/tcp.h>

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <string.h>
#include <time.h>

#include "stream.h"

/*
 * A blocked recv wakes this often to look at the clock, ms.  Deadlines are
 * kept to the millisecond all the same; the tick only bounds how much time
 * may be left when poll takes over.
 */
#define TICK_MS		10000

/*
 * And a poll that can be called off looks whether it was, ms: a signal that
 * falls between that look and the poll would be missed.
 */
#define LOOK_MS		250

/* No limit: a year, so that sums do not overflow. */
#define FOREVER_MS	(INT64_C(365) * 24 * 3600 * 1000)

int64_t
stream_now(void)
{
	struct timespec	 ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

int
stream_init(struct stream *s, size_t size)
{
	memset(s, 0, sizeof(*s));
	return buf_init(&s->in, size);
}

void
stream_fini(struct stream *s)
{
	buf_fini(&s->in);
}

void
stream_start(struct stream *s, const struct stream_ops *ops, void *arg)
{
	s->ops = ops;
	s->arg = arg;
	s->in.rd = s->in.wr = 0;
	s->deadline = s->patience_in = s->patience_out = 0;
	s->wake_at = s->waited = 0;
	s->eof = false;
	s->bytes_in = s->bytes_out = 0;
	s->ahead = NULL;
}

/* Milliseconds that the next wait may take; 0 when the time is over. */
static int64_t
stream_time_left(const struct stream *s, int64_t patience)
{
	int64_t	 left;

	if (patience == 0)
		patience = FOREVER_MS;
	if (s->deadline == 0)
		return patience;
	left = s->deadline - stream_now();
	if (left < 0)
		left = 0;
	return patience < left ? patience : left;
}

/* What stream_time_left() says of a read, after waits that were cut short. */
static int64_t
stream_time_left_in(const struct stream *s)
{
	if (s->waited == 0 || s->patience_in == 0)
		return stream_time_left(s, s->patience_in);
	if (s->waited >= s->patience_in)
		return 0;
	return stream_time_left(s, s->patience_in - s->waited);
}

/* The same as stream_fill(), but for wake_at. */
static ssize_t
stream_recv(struct stream *s, size_t max, int64_t left)
{
	int64_t	 wait;
	ssize_t	 n;

	if (s->wake_at == 0 || (wait = s->wake_at - stream_now()) >= left)
		return s->ops->recv(s->arg, buf_space(&s->in), max, left);
	if (wait <= 0) {
		errno = EAGAIN;
		return -1;
	}
	n = s->ops->recv(s->arg, buf_space(&s->in), max, wait);
	if (n == -1 && errno == ETIMEDOUT) {
		s->waited += wait;
		errno = EAGAIN;
	}
	return n;
}

int
stream_fill(struct stream *s, size_t max)
{
	ssize_t	 n;
	int64_t	 left;

	if (max > buf_room(&s->in))
		max = buf_room(&s->in);
	assert(max > 0);
	if ((left = stream_time_left_in(s)) == 0) {
		errno = ETIMEDOUT;
		return -1;
	}
	n = stream_recv(s, max, left);
	if (n == -1)
		return -1;
	s->waited = 0;
	if (n == 0) {
		s->eof = true;
		return 0;
	}
	buf_produce(&s->in, (size_t)n);
	s->bytes_in += (uint64_t)n;
	return 1;
}

/* A write is stuck: waits until it can go on, reading ahead meanwhile. */
static int
stream_wait_out(struct stream *s)
{
	int	 events, ready, more;
	int64_t	 left;

	for (;;) {
		events = STREAM_OUT;
		if (s->ahead != NULL)
			events |= STREAM_IN;
		if ((left = stream_time_left(s, s->patience_out)) == 0) {
			errno = ETIMEDOUT;
			return -1;
		}
		if ((ready = s->ops->wait(s->arg, events, left)) == -1)
			return -1;
		if ((ready & STREAM_IN) != 0 && s->ahead != NULL) {
			more = s->ahead(s->ahead_arg);
			if (more == -1)
				return -1;
			if (more == 0)
				s->ahead = NULL;
		}
		if ((ready & STREAM_OUT) != 0)
			return 0;
	}
}

/* Drops the first n bytes of the pieces; returns the index of what is left. */
static int
iov_skip(struct iovec *iov, int n, size_t bytes)
{
	int	 i;

	for (i = 0; i < n && bytes >= iov[i].iov_len; i++)
		bytes -= iov[i].iov_len;
	if (i < n) {
		iov[i].iov_base = (char *)iov[i].iov_base + bytes;
		iov[i].iov_len -= bytes;
	}
	return i;
}

int
stream_writev(struct stream *s, struct iovec *iov, int n)
{
	ssize_t	 sent;
	int	 i = 0;

	assert(n <= STREAM_IOV_MAX);
	i = iov_skip(iov, n, 0);
	while (i < n) {
		sent = s->ops->send(s->arg, iov + i, n - i);
		if (sent == -1) {
			if (errno != EAGAIN || stream_wait_out(s) == -1)
				return -1;
			continue;
		}
		s->bytes_out += (uint64_t)sent;
		i += iov_skip(iov + i, n - i, (size_t)sent);
	}
	return 0;
}

int
stream_write(struct stream *s, const void *p, size_t len)
{
	struct iovec	 iov;

	iov.iov_base = (void *)(uintptr_t)p;
	iov.iov_len = len;
	return stream_writev(s, &iov, 1);
}

int
stream_sendfile(struct stream *s, int fd, off_t offset, uint64_t len)
{
	ssize_t	 sent;
	size_t	 piece;

	while (len > 0) {
		piece = len > SSIZE_MAX / 2 ? SSIZE_MAX / 2 : (size_t)len;
		sent = s->ops->sendfile(s->arg, fd, &offset, piece);
		if (sent == -1) {
			if (errno != EAGAIN || stream_wait_out(s) == -1)
				return -1;
			continue;
		}
		if (sent == 0) {		/* the file is shorter */
			errno = EIO;
			return -1;
		}
		s->bytes_out += (uint64_t)sent;
		len -= (uint64_t)sent;
	}
	return 0;
}

static bool
fd_is_cancelled(const struct stream_fd *sf)
{
	return sf->cancel != NULL && *sf->cancel;
}

static int
fd_wait(void *arg, int events, int64_t wait)
{
	struct stream_fd	*sf = arg;
	struct pollfd		 pfd;
	int64_t			 until, left, look;
	int			 n, ready = 0;

	pfd.fd = sf->fd;
	pfd.events = 0;
	if ((events & STREAM_IN) != 0)
		pfd.events |= POLLIN;
	if ((events & STREAM_OUT) != 0)
		pfd.events |= POLLOUT;
	until = stream_now() + wait;
	do {
		if (fd_is_cancelled(sf)) {
			errno = ECANCELED;
			return -1;
		}
		left = until - stream_now();
		if (left < 0)
			left = 0;
		if (left > INT32_MAX)
			left = INT32_MAX;
		look = sf->cancel != NULL && left > LOOK_MS ? LOOK_MS : left;
		n = poll(&pfd, 1, (int)look);
	} while ((n == -1 && errno == EINTR) || (n == 0 && look < left));
	if (n == -1)
		return -1;
	if (n == 0) {
		errno = ETIMEDOUT;
		return -1;
	}
	/* errors and hang-ups show in the read or write that follows */
	if ((pfd.revents & (POLLIN | POLLHUP | POLLERR)) != 0)
		ready |= events & STREAM_IN;
	if ((pfd.revents & (POLLOUT | POLLHUP | POLLERR)) != 0)
		ready |= events & STREAM_OUT;
	return ready;
}

static int
fd_set_tick(int fd, int ms)
{
	struct timeval	 tv;

	tv.tv_sec = ms / 1000;
	tv.tv_usec = ms % 1000 * 1000;
	return setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv));
}

void
stream_fd_wake(int fd)
{
	/* a recv that blocks is interrupted, one that comes will not block */
	(void)fd_set_tick(fd, 1);
}

static ssize_t
fd_recv_now(struct stream_fd *sf, void *dst, size_t len)
{
	ssize_t	 n;

	do
		n = recv(sf->fd, dst, len, MSG_DONTWAIT);
	while (n == -1 && errno == EINTR);
	return n;
}

/*
 * A peer that writes a message in pieces may hold the next one back until it
 * has our acknowledgement (Nagle), which is delayed by 40 ms.
 */
static void
fd_ask_for_more(const struct stream_fd *sf)
{
	static const int	 on = 1;

	/* not every socket is TCP */
	(void)setsockopt(sf->fd, IPPROTO_TCP, TCP_QUICKACK, &on, sizeof(on));
}

static ssize_t
fd_recv(void *arg, void *dst, size_t len, int64_t wait)
{
	struct stream_fd	*sf = arg;
	int64_t			 until = 0, left = wait;
	ssize_t			 n;

	if (!sf->armed || sf->hurry || wait < TICK_MS) {
		n = fd_recv_now(sf, dst, len);
		if (n != -1 || errno != EAGAIN)
			return n;
		if (sf->hurry)
			fd_ask_for_more(sf);
		if (!sf->armed && fd_set_tick(sf->fd, TICK_MS) == -1)
			return -1;
		sf->armed = true;
	}
	for (;;) {
		if (fd_is_cancelled(sf)) {
			n = fd_recv_now(sf, dst, len);
			if (n == -1 && errno == EAGAIN)
				errno = ECANCELED;
			return n;
		}
		if (left < TICK_MS && fd_wait(sf, STREAM_IN, left) == -1) {
			if (errno == ECANCELED)
				continue;
			return -1;
		}
		n = recv(sf->fd, dst, len, 0);
		if (n != -1 || (errno != EAGAIN && errno != EINTR))
			return n;
		if (until == 0 && errno == EAGAIN)
			until = stream_now() + wait - TICK_MS;
		if (until != 0 && (left = until - stream_now()) <= 0) {
			errno = ETIMEDOUT;
			return -1;
		}
	}
}

static ssize_t
fd_send(void *arg, const struct iovec *iov, int n)
{
	struct stream_fd	*sf = arg;
	struct msghdr		 msg;
	ssize_t			 sent;

	/* most replies are one piece, and send is cheaper by 0.2 us */
	if (n == 1) {
		do
			sent = send(sf->fd, iov->iov_base, iov->iov_len,
			    MSG_DONTWAIT | MSG_NOSIGNAL);
		while (sent == -1 && errno == EINTR);
		return sent;
	}
	memset(&msg, 0, sizeof(msg));
	msg.msg_iov = (struct iovec *)(uintptr_t)iov;
	msg.msg_iovlen = (size_t)n;
	do
		sent = sendmsg(sf->fd, &msg, MSG_DONTWAIT | MSG_NOSIGNAL);
	while (sent == -1 && errno == EINTR);
	return sent;
}

static ssize_t
fd_sendfile(void *arg, int fd, off_t *offset, size_t len)
{
	struct stream_fd	*sf = arg;
	ssize_t			 sent;
	int			 flags, error;

	/* sendfile has no MSG_DONTWAIT, so the socket itself must not block */
	if ((flags = fcntl(sf->fd, F_GETFL)) == -1 ||
	    fcntl(sf->fd, F_SETFL, flags | O_NONBLOCK) == -1)
		return -1;
	do
		sent = sendfile(sf->fd, fd, offset, len);
	while (sent == -1 && errno == EINTR);
	error = errno;
	if (fcntl(sf->fd, F_SETFL, flags) == -1)
		return -1;
	errno = error;
	return sent;
}

static const struct stream_ops stream_fd_ops = {
	.recv = fd_recv,
	.send = fd_send,
	.sendfile = fd_sendfile,
	.wait = fd_wait,
};

void
stream_start_fd(struct stream *s, struct stream_fd *sf, int fd)
{
	sf->fd = fd;
	sf->armed = false;
	sf->hurry = false;
	sf->cancel = NULL;
	stream_start(s, &stream_fd_ops, sf);
}
