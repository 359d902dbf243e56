/* SPDX-License-Identifier: ISC */
/*
 * Where logs go: files of ours, and streams, which are all others, for they
 * cannot be asked what they hold: standard output whatever it is, since
 * others may write there too, pipes, devices and the log of the system.
 * Called by logger.c.  It knows bytes and not rings, and it must not wait: a
 * stream is only given what it takes at once.
 *
 * An output that cannot be written, or a stream that has taken nothing for
 * PATIENCE, is failing: that is said once, it is tried again every
 * OUTPUT_RETRY, and that it works again is said with the lines that were lost.
 */
#include <sys/stat.h>
#include <sys/time.h>

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "../proto/stream.h"
#include "devlog.h"
#include "log.h"
#include "logger.h"
#include "output.h"

#define PATIENCE	1000		/* ms for a stream to take anything */
#define GUARD		100		/* ms for a write to a shared one */
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
	if (done == len)
		output_works(out);
	else
		output_failed(out, "write");
	return done;
}

bool
output_takes(const struct output *out)
{
	struct pollfd	 pfd = { .fd = out->fd, .events = POLLOUT };

	return poll(&pfd, 1, 0) == 1;
}

static void
output_guard(int ms)
{
	struct itimerval	 t;

	memset(&t, 0, sizeof(t));
	t.it_value.tv_usec = t.it_interval.tv_usec = ms * 1000;
	(void)setitimer(ITIMER_REAL, &t, NULL);
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
