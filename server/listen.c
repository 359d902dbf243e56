/* SPDX-License-Identifier: ISC */
/*
 * Listening sockets: opens, inherits and names them.  Called by start.c
 * before the first fork.  Options that connections inherit from their
 * listener are set here once, so that accepting one costs no further system
 * call.  Nothing is ever accepted here.
 */
#include <sys/socket.h>
#include <sys/types.h>

#include <netinet/in.h>
#include <netinet/tcp.h>

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "listen.h"

/*
 * Seconds a connection may stay silent before it reaches accept().  Proxies
 * open connections long before they use them; these cost no worker.
 */
#define DEFER_ACCEPT	30

/* The first descriptor that is inherited. */
#define LISTEN_FIRST	3

static int
listen_address(const struct addrinfo *ai, int backlog, const char **why)
{
	static const int	 on = 1, defer = DEFER_ACCEPT;
	int			 fd, saved;

	*why = "socket";
	fd = socket(ai->ai_family, ai->ai_socktype | SOCK_CLOEXEC,
	    ai->ai_protocol);
	if (fd == -1)
		return -1;
	*why = "setsockopt";
	if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) == -1 ||
	    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)) == -1 ||
	    setsockopt(fd, IPPROTO_TCP, TCP_DEFER_ACCEPT, &defer,
	    sizeof(defer)) == -1)
		goto fail;
	*why = "bind";
	if (bind(fd, ai->ai_addr, ai->ai_addrlen) == -1)
		goto fail;
	*why = "listen";
	if (listen(fd, backlog) == -1)
		goto fail;
	return fd;

fail:
	saved = errno;
	(void)close(fd);
	errno = saved;
	return -1;
}

int
listen_open(const char *host, const char *port, int backlog, const char **why)
{
	struct addrinfo	 hints, *res, *ai;
	int		 fd = -1, error, saved;

	memset(&hints, 0, sizeof(hints));
	hints.ai_socktype = SOCK_STREAM;
	hints.ai_flags = AI_PASSIVE;
	if ((error = getaddrinfo(host, port, &hints, &res)) != 0) {
		*why = gai_strerror(error);
		errno = error == EAI_SYSTEM ? errno : 0;
		return -1;
	}
	for (ai = res; ai != NULL && fd == -1; ai = ai->ai_next)
		fd = listen_address(ai, backlog, why);
	saved = errno;
	freeaddrinfo(res);
	errno = saved;
	return fd;
}

/* A number from the environment, which must not be left there. */
static int
listen_take_number(const char *name, int max)
{
	const char	*text = getenv(name), *error;
	int		 n;

	if (text == NULL)
		return -1;
	n = (int)strtonum(text, 0, max, &error);
	if (unsetenv(name) == -1 || error != NULL)
		return -1;
	return n;
}

static int
listen_check(int fd, const char **why)
{
	static const int	 on = 1, defer = DEFER_ACCEPT;
	int			 value, flags;
	socklen_t		 len = sizeof(value);

	*why = "not open";
	if ((flags = fcntl(fd, F_GETFD)) == -1)
		return -1;
	*why = "not a socket";
	if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &value, &len) == -1)
		return -1;
	*why = "not a stream socket";
	if (value != SOCK_STREAM)
		return -1;
	*why = "not listening";
	len = sizeof(value);
	if (getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &value, &len) == -1 ||
	    value == 0)
		return -1;
	*why = "not usable";
	if (fcntl(fd, F_SETFD, flags | FD_CLOEXEC) == -1 ||
	    (flags = fcntl(fd, F_GETFL)) == -1 ||
	    fcntl(fd, F_SETFL, flags & ~O_NONBLOCK) == -1)
		return -1;
	/* speed only; a socket that is not TCP does without */
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	(void)setsockopt(fd, IPPROTO_TCP, TCP_DEFER_ACCEPT, &defer,
	    sizeof(defer));
	return 0;
}

int
listen_inherit(int *fds, int max, int *bad, const char **why)
{
	int	 pid, n, i;

	pid = listen_take_number("LISTEN_PID", INT_MAX);
	n = listen_take_number("LISTEN_FDS", INT_MAX);
	(void)unsetenv("LISTEN_FDNAMES");
	if (n <= 0 || pid != getpid())
		return 0;
	*bad = LISTEN_FIRST + max;
	*why = "too many listeners";
	if (n > max)
		return -1;
	for (i = 0; i < n; i++) {
		*bad = fds[i] = LISTEN_FIRST + i;
		if (listen_check(fds[i], why) == -1)
			return -1;
	}
	return n;
}

static void
listen_format(const struct sockaddr_storage *ss, socklen_t len, char *dst,
    size_t size)
{
	char	 host[NI_MAXHOST], port[NI_MAXSERV];

	if (getnameinfo((const struct sockaddr *)ss, len, host, sizeof(host),
	    port, sizeof(port), NI_NUMERICHOST | NI_NUMERICSERV) != 0)
		(void)snprintf(dst, size, "unknown");
	else if (ss->ss_family == AF_INET6)
		(void)snprintf(dst, size, "[%s]:%s", host, port);
	else
		(void)snprintf(dst, size, "%s:%s", host, port);
}

void
listen_name(int fd, char *dst, size_t size)
{
	struct sockaddr_storage	 ss;
	socklen_t		 len = sizeof(ss);

	memset(&ss, 0, sizeof(ss));
	(void)getsockname(fd, (struct sockaddr *)&ss, &len);
	listen_format(&ss, len, dst, size);
}

void
listen_peer(int fd, char *dst, size_t size)
{
	struct sockaddr_storage	 ss;
	socklen_t		 len = sizeof(ss);

	memset(&ss, 0, sizeof(ss));
	if (getpeername(fd, (struct sockaddr *)&ss, &len) == -1)
		(void)snprintf(dst, size, "unknown");
	else
		listen_format(&ss, len, dst, size);
}
