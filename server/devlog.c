/* SPDX-License-Identifier: ISC */
/*
 * The log of the system, /dev/log or another socket: what syslog(3) does, but
 * for waiting, which may last for as long as syslogd stands still.  Called by
 * output.c; it must not log.
 *
 * A message is what syslog(3) sends: the priority, the local time, our name
 * and pid (RFC 3164), and the line with its newline, as musl's has it.  That
 * ends it in a stream, and whoever reads datagrams leaves it out.
 */
#include <sys/socket.h>
#include <sys/un.h>

#include <errno.h>
#include <paths.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#include "devlog.h"

_Static_assert(DEVLOG_PATH_MAX < sizeof(((struct sockaddr_un *)0)->sun_path),
    "it fits");

const char *
devlog_find_path(const char *log)
{
	const size_t	 len = strlen(DEVLOG_NAME);

	if (strncmp(log, DEVLOG_NAME, len) != 0)
		return NULL;
	if (log[len] == '\0')
		return _PATH_LOG;
	return log[len] == ':' && log[len + 1] == '/' ? log + len + 1 : NULL;
}

/* -1 with errno: EPROTOTYPE if it is a socket of another type. */
static int
devlog_connect(const struct sockaddr_un *sun, int type)
{
	int	 fd, saved;

	if ((fd = socket(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK,
	    0)) == -1)
		return -1;
	if (connect(fd, (const struct sockaddr *)sun, sizeof(*sun)) == 0)
		return fd;
	saved = errno;
	(void)close(fd);
	errno = saved;
	return -1;
}

int
devlog_open(const char *path)
{
	struct sockaddr_un	 sun;
	int			 fd;

	memset(&sun, 0, sizeof(sun));
	sun.sun_family = AF_UNIX;
	if (strlcpy(sun.sun_path, path, sizeof(sun.sun_path)) >=
	    sizeof(sun.sun_path)) {
		errno = ENAMETOOLONG;
		return -1;
	}
	fd = devlog_connect(&sun, SOCK_DGRAM);
	if (fd == -1 && errno == EPROTOTYPE)
		fd = devlog_connect(&sun, SOCK_STREAM);
	return fd;
}

static size_t
devlog_format_head(char *dst, size_t size, enum log_level level)
{
	static const int	 severity[] = {
		[LOG_LEVEL_DEBUG] = LOG_DEBUG,
		[LOG_LEVEL_INFO] = LOG_INFO,
		[LOG_LEVEL_WARN] = LOG_WARNING,
		[LOG_LEVEL_ERROR] = LOG_ERR,
	};
	time_t			 now = time(NULL);
	struct tm		 tm;
	char			 when[32];
	int			 n;

	if (level > LOG_LEVEL_ERROR)
		level = LOG_LEVEL_ERROR;
	if (localtime_r(&now, &tm) == NULL ||
	    strftime(when, sizeof(when), "%b %e %T", &tm) == 0)
		when[0] = '\0';
	n = snprintf(dst, size, "<%d>%s icapd[%ld]: ",
	    LOG_DAEMON | severity[level], when, (long)getpid());
	return n > 0 && (size_t)n < size ? (size_t)n : 0;
}

ssize_t
devlog_send(int fd, enum log_level level, const char *p, size_t len)
{
	char		 head[96];
	struct iovec	 iov[2];
	struct msghdr	 msg;
	ssize_t		 n;

	iov[0].iov_base = head;
	iov[0].iov_len = devlog_format_head(head, sizeof(head), level);
	iov[1].iov_base = (void *)(uintptr_t)p;
	iov[1].iov_len = len;
	memset(&msg, 0, sizeof(msg));
	msg.msg_iov = iov;
	msg.msg_iovlen = 2;
	n = sendmsg(fd, &msg, MSG_NOSIGNAL);
	if (n == -1)
		return errno == EAGAIN || errno == ENOBUFS ? 0 : -1;
	if ((size_t)n == iov[0].iov_len + len)
		return (ssize_t)len;
	/* a stream has a part of it; in another one it is sent whole */
	errno = EMSGSIZE;
	return -1;
}
