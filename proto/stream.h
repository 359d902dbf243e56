/* SPDX-License-Identifier: ISC */
#ifndef PROTO_STREAM_H
#define PROTO_STREAM_H

#include <sys/types.h>
#include <sys/uio.h>

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>

#include "buf.h"

#define STREAM_IN	0x01
#define STREAM_OUT	0x02

/* Most pieces one stream_writev() may take. */
#define STREAM_IOV_MAX	16

/*
 * How bytes are moved: a socket, TLS, or a test's memory.  Waits are in
 * milliseconds; -1 with errno on failure, ETIMEDOUT when the wait is over.
 */
struct stream_ops {
	/* Blocks up to `wait` for bytes.  0: the peer has finished sending. */
	ssize_t	 (*recv)(void *arg, void *dst, size_t len, int64_t wait);
	/* Takes what it can without blocking; EAGAIN when that is nothing. */
	ssize_t	 (*send)(void *arg, const struct iovec *iov, int n);
	/* The same from a file, or NULL where that cannot be had. */
	ssize_t	 (*sendfile)(void *arg, int fd, off_t *offset, size_t len);
	/* Waits for STREAM_IN and/or STREAM_OUT; returns those that are. */
	int	 (*wait)(void *arg, int events, int64_t wait);
};

/*
 * One connection as the protocol sees it: blocking reads into a buffer and
 * blocking writes, under deadlines.
 */
struct stream {
	const struct stream_ops	*ops;
	void			*arg;
	struct buf		 in;
	int64_t			 deadline;	/* stream_now(); 0: none */
	int64_t			 patience_in;	/* ms, one read; 0: none */
	int64_t			 patience_out;	/* for one write */
	/*
	 * Where not 0: at this time, of stream_now(), stream_fill() fails
	 * with EAGAIN rather than to wait or to read on, as there is
	 * something else to be done.  Patience is not renewed by that.
	 */
	int64_t			 wake_at;
	int64_t			 waited;	/* ms, for what has not come */
	bool			 eof;		/* peer has finished sending */
	uint64_t		 bytes_in;
	uint64_t		 bytes_out;

	/*
	 * Called when a write cannot go on and the peer has sent something:
	 * reads ahead, so that a peer which writes everything before it reads
	 * does not wait for us for ever.  Returns 1 to be called again, 0
	 * when it wants no more, -1 with errno to have the write fail.
	 */
	int			 (*ahead)(void *arg);
	void			*ahead_arg;
};

/* Monotonic clock, milliseconds. */
int64_t	 stream_now(void);

/*
 * Prepares s with a buffer of size bytes, to be freed by stream_fini().
 * Returns 0, or -1 with errno.
 */
int	 stream_init(struct stream *s, size_t size);
void	 stream_fini(struct stream *s);

/* Begins a new connection on s: buffer and counters empty. */
void	 stream_start(struct stream *s, const struct stream_ops *ops,
	    void *arg);

/* The same on a connected, blocking socket; sf is kept, fd not closed. */
struct stream_fd {
	int	 fd;
	bool	 armed;		/* SO_RCVTIMEO is set on it */
	bool	 hurry;		/* the peer is in the middle of a message */

	/*
	 * Where not NULL: a signal handler sets it and calls
	 * stream_fd_wake(); a read for which nothing has come then fails
	 * with ECANCELED, wherever the signal fell.
	 */
	const volatile sig_atomic_t *cancel;
};
void	 stream_start_fd(struct stream *s, struct stream_fd *sf, int fd);

/* For a signal handler: no read on fd blocks from now on. */
void	 stream_fd_wake(int fd);

/*
 * Waits for bytes and appends at most max of them to the buffer, in which
 * there must be room.  Returns 1, 0 when the peer has finished sending, or -1
 * with errno (ETIMEDOUT: patience_in or the deadline is over; EAGAIN: wake_at
 * has come).
 */
int	 stream_fill(struct stream *s, size_t max);

/*
 * Writes all bytes of the n pieces (n <= STREAM_IOV_MAX), which are changed
 * on the way.  Returns 0, or -1 with errno.
 */
int	 stream_writev(struct stream *s, struct iovec *iov, int n);
int	 stream_write(struct stream *s, const void *p, size_t len);

/* Writes len bytes of a file.  Returns 0, or -1 with errno. */
int	 stream_sendfile(struct stream *s, int fd, off_t offset, uint64_t len);

#endif
