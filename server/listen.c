/* SPDX-License-Identifier: ISC */
/*
 * Listening sockets: opens and names them.  Called by main.c before the first
 * fork.  Options that connections inherit from their listener are set here
 * once, so that accepting one costs no further system call.  Nothing is ever
 * accepted here.
 */
#include <sys/socket.h>
#include <sys/types.h>

#include <netinet/in.h>
#include <netinet/tcp.h>

#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "listen.h"

/*
 * Seconds a connection may stay silent before it reaches accept().  Proxies
 * open connections long before they use them; these cost no worker.
 */
#define DEFER_ACCEPT	30

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
