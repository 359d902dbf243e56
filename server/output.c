/* SPDX-License-Identifier: ISC */
/*
 * Where logs go: files of ours, and streams, which are all others, for they
 * cannot be asked what they hold: standard output whatever it is, since
 * others may write there too, pipes, devices and the log of the system.
 * Called by logger.c.  It knows bytes and not rings, and it must not wait: a
 * stream is only given what it takes at once.
 *
 * A file of ours may be another daemon's, too, while that takes our place or
 * we take its.  So it is locked for a write and for what is cut off after one
 * that was cut short; who finds a line without an end there ends it.
 *
 * An output that cannot be written, or a stream that has taken nothing for
 * PATIENCE, is failing: that is said once, it is tried again every
 * OUTPUT_RETRY, and that it works again is said with the lines that were lost.
 */
#include <sys/file.h>
#include <sys/time.h>

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "../proto/stream.h"
#include "devlog.h"
#include "log.h"
#include "logger.h"
#include "output.h"

#define PATIENCE	1000		/* ms for a stream to take anything */
#define GUARD		100		/* ms for a write to a shared one */
#define LOCK_PATIENCE	10000		/* ms for another's write to a file */
#define LOG_MODE	0640

void
output_init(struct output *out, struct ring_log *log,
    const struct ring_name *name)
{
	memset(out, 0, offsetof(struct output, rest));
	out->log = log;
	out->serial = name->serial;
	out->fd = -1;
	(void)strlcpy(out->path, name->path, sizeof(out->path));
	out->kind = strcmp(out->path, LOGGER_STDOUT) == 0 ? OUTPUT_STDOUT :
	    devlog_find_path(out->path) != NULL ? OUTPUT_SYSLOG : OUTPUT_FILE;
}

void
output_fini(struct output *out)
{
	output_close(out);
	memset(out, 0, offsetof(struct output, rest));
}

int
output_open(struct output *out)
{
	struct stat	 st;

	out->regular = false;
	if (out->kind == OUTPUT_SYSLOG)
		out->fd = devlog_open(devlog_find_path(out->path));
	else if (out->kind == OUTPUT_STDOUT)
		out->fd = STDOUT_FILENO;
	else
		/* a fifo without a reader is an error, not to be waited for */
		out->fd = open(out->path, O_WRONLY | O_APPEND | O_CREAT |
		    O_CLOEXEC | O_NOCTTY | O_NONBLOCK, LOG_MODE);
	if (out->fd == -1 || fstat(out->fd, &st) == -1) {
		output_failed(out, "open");
		return -1;
	}
	out->end = 0;
	out->regular = out->kind == OUTPUT_FILE && S_ISREG(st.st_mode);
	out->blocks = out->kind == OUTPUT_STDOUT && !S_ISREG(st.st_mode);
	if (out->regular)
		output_drop_rest(out);
	return 0;
}

void
output_close(struct output *out)
{
	if (out->kind != OUTPUT_STDOUT && out->fd != -1)
		(void)close(out->fd);
	out->fd = -1;
	out->is_locked = false;
}

/* Only a change is worth a line: what was wrong, or how much is missing. */
void
output_failed(struct output *out, const char *what)
{
	struct ring_log	*log = out->log;

	log->errors++;
	if (out->retry == 0 && !log->failing) {
		log->lost_before = log->lost;
		log->failing = 1;
		if (errno != 0)
			log_error("log %s: %s", out->path, what);
		else
			log_errorx("log %s: %s", out->path, what);
	}
	out->retry = stream_now() + OUTPUT_RETRY;
	/* by then another syslogd may have that address */
	if (out->kind == OUTPUT_SYSLOG)
		output_close(out);
}

void
output_works(struct output *out)
{
	out->stalled = 0;
	out->retry = 0;
	/* the failure may be a predecessor's */
	if (!out->log->failing)
		return;
	out->log->failing = 0;
	log_warnx("log %s: works again, %llu lines were lost", out->path,
	    output_count_lost(out));
}

unsigned long long
output_count_lost(const struct output *out)
{
	return out->log->lost - out->log->lost_before;
}

void
output_drop_rest(struct output *out)
{
	if (out->nrest > 0)
		out->log->lost++;
	out->nrest = 0;
}

/* A call that takes longer is broken off.  0: it may take what it takes. */
static void
output_guard(int ms)
{
	struct itimerval	 t;

	memset(&t, 0, sizeof(t));
	t.it_value.tv_sec = t.it_interval.tv_sec = ms / 1000;
	t.it_value.tv_usec = t.it_interval.tv_usec = ms % 1000 * 1000;
	(void)setitimer(ITIMER_REAL, &t, NULL);
}

/* Waits for another's lock, but not where that was in vain a moment ago. */
static bool
output_wait_lock(const struct output *out)
{
	int64_t	 until = stream_now() + LOCK_PATIENCE;
	bool	 has;

	if (out->log->failing)
		return false;
	output_guard(LOCK_PATIENCE);
	while (!(has = flock(out->fd, LOCK_EX) == 0) && errno == EINTR &&
	    stream_now() < until)
		;
	output_guard(0);
	return has;
}

int
output_lock(struct output *out, struct stat *st)
{
	out->is_locked = flock(out->fd, LOCK_EX | LOCK_NB) == 0;
	if (!out->is_locked && errno == EWOULDBLOCK &&
	    !(out->is_locked = output_wait_lock(out))) {
		errno = 0;
		output_failed(out, "is locked by another process");
		return -1;
	}
	if (fstat(out->fd, st) == -1) {
		output_failed(out, "fstat");
		output_unlock(out);
		return -1;
	}
	return 0;
}

void
output_unlock(struct output *out)
{
	if (out->is_locked)
		(void)flock(out->fd, LOCK_UN);
	out->is_locked = false;
}

/* The file once more, to be read; or -1. */
static int
output_open_again(const struct output *out)
{
	char	 path[64];

	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", out->fd);
	return open(path, O_RDONLY | O_CLOEXEC);
}

int
output_end_line(struct output *out, struct stat *st)
{
	char	 last = '\n';
	int	 fd;

	if (st->st_size == out->end)
		return 0;
	if ((fd = output_open_again(out)) != -1) {
		if (pread(fd, &last, 1, st->st_size - 1) != 1)
			last = '\n';
		(void)close(fd);
	}
	if (last != '\n') {
		if (write(out->fd, "\n", 1) != 1) {
			output_failed(out, "write");
			return -1;
		}
		st->st_size++;
	}
	out->end = st->st_size;
	return 0;
}

size_t
output_compare(const struct output *out, off_t offset, const char *p,
    size_t len)
{
	char	 buf[4096];
	size_t	 done = 0, k;
	ssize_t	 n;
	int	 fd;

	if ((fd = output_open_again(out)) == -1)
		return 0;
	while (done < len && (n = pread(fd, buf, sizeof(buf), offset +
	    (off_t)done)) > 0) {
		for (k = 0; k < (size_t)n && done < len &&
		    buf[k] == p[done]; k++)
			done++;
		if (k < (size_t)n)
			break;
	}
	(void)close(fd);
	return done;
}

void
output_cut(struct output *out, off_t from, off_t to)
{
	struct stat	 st;

	if (out->is_locked && fstat(out->fd, &st) == 0 && st.st_size == to &&
	    ftruncate(out->fd, from) == -1)
		log_debug("log %s: ftruncate: %s", out->path, strerror(errno));
}

size_t
output_write(struct output *out, const char *p, size_t len)
{
	size_t	 done = 0;
	ssize_t	 n;

	while (done < len) {
		n = write(out->fd, p + done, len - done);
		if (n == -1 && errno == EINTR)
			continue;
		if (n <= 0)
			break;
		done += (size_t)n;
	}
	if (done == len) {
		out->end += (off_t)len;
		output_works(out);
	} else {
		out->end = 0;
		output_failed(out, "write");
	}
	return done;
}

bool
output_takes(const struct output *out)
{
	struct pollfd	 pfd = { .fd = out->fd, .events = POLLOUT };

	return poll(&pfd, 1, 0) == 1;
}

/*
 * Gives a stream as much as it takes at once, at most PIPE_BUF bytes, for
 * which a pipe that can be written to has room.  Standard output may be
 * shared, and so may neither be made non-blocking nor be relied upon to have
 * that room a moment later: there the write is broken off.
 */
static ssize_t
output_give(const struct output *out, const char *p, size_t len)
{
	ssize_t		 n;
	int		 saved;

	if (!output_takes(out))
		return 0;
	if (out->blocks)
		output_guard(GUARD);
	n = write(out->fd, p, len < PIPE_BUF ? len : PIPE_BUF);
	saved = errno;
	if (out->blocks)
		output_guard(0);
	errno = saved;
	if (n == -1 && (errno == EAGAIN || errno == EINTR))
		return 0;
	return n;
}

/* The stream took n bytes of what was offered, 0 or -1. */
static void
output_answer(struct output *out, ssize_t n)
{
	int64_t	 now;

	if (n > 0) {
		output_works(out);
		return;
	}
	if (n == -1) {
		/* who comes next does not have the beginning */
		if (errno == EPIPE)
			output_drop_rest(out);
		output_failed(out, "write");
		return;
	}
	now = stream_now();
	if (out->stalled == 0)
		out->stalled = now;
	if (now - out->stalled >= PATIENCE) {
		errno = 0;
		output_failed(out, "takes no lines");
	}
}

ssize_t
output_offer(struct output *out, const char *p, size_t len)
{
	ssize_t	 n = output_give(out, p, len);

	if (n > 0) {
		/* what it has begun to take is its */
		out->nrest = len - (size_t)n;
		memcpy(out->rest, p + n, out->nrest);
	}
	output_answer(out, n);
	return n;
}

ssize_t
output_resume(struct output *out)
{
	ssize_t	 n = output_give(out, out->rest, out->nrest);

	if (n > 0) {
		out->nrest -= (size_t)n;
		memmove(out->rest, out->rest + n, out->nrest);
	}
	output_answer(out, n);
	return n;
}

ssize_t
output_send(struct output *out, enum log_level level, const char *p,
    size_t len)
{
	ssize_t	 n = devlog_send(out->fd, level, p, len);

	if (n == -1) {
		/* it was restarted: no line is lost by that */
		output_close(out);
		if (output_open(out) == -1)
			return -1;
		n = devlog_send(out->fd, level, p, len);
	}
	output_answer(out, n);
	return n;
}
