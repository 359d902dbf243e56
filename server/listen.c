/* SPDX-License-Identifier: ISC */
/*
 * Listening sockets: opens, inherits and names them.  Called by start.c
 * before the first fork.  Options that connections inherit from their
 * listener are set here once, so that accepting one costs no further system
 * call.  Nothing is ever accepted here.
 */
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/un.h>

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
 * Seconds a connection may stay silent before it reaches accept(), where the
 * socket was opened by somebody else.  Proxies open connections long before
 * they use them; these cost no worker.
 */
#define DEFER_ACCEPT	30

/* The first descriptor that is inherited. */
#define LISTEN_FIRST	3

static void
close_keeping_errno(int fd)
{
	int	 saved = errno;

	(void)close(fd);
	errno = saved;
}

/* What connections inherit; defer in seconds, 0: off. */
static int
listen_set_options(int fd, int defer)
{
	static const int	 on = 1;

	return setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on,
	    sizeof(on)) == -1 || setsockopt(fd, IPPROTO_TCP, TCP_DEFER_ACCEPT,
	    &defer, sizeof(defer)) == -1 ? -1 : 0;
}

static int
listen_address(const struct addrinfo *ai, const struct conf_listen *l,
    const char **why)
{
	static const int	 on = 1;
	int			 fd;

	*why = "socket";
	fd = socket(ai->ai_family, ai->ai_socktype | SOCK_CLOEXEC,
	    ai->ai_protocol);
	if (fd == -1)
		return -1;
	*why = "setsockopt";
	if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) == 0 &&
	    listen_set_options(fd, (int)(l->defer_accept / 1000)) == 0) {
		*why = "bind";
		if (bind(fd, ai->ai_addr, ai->ai_addrlen) == 0) {
			*why = "listen";
			if (listen(fd, l->backlog) == 0)
				return fd;
		}
	}
	close_keeping_errno(fd);
	return -1;
}

static int
listen_tcp(const struct conf_listen *l, const char **why)
{
	struct addrinfo	 hints, *res, *ai;
	int		 fd = -1, error, saved;

	memset(&hints, 0, sizeof(hints));
	hints.ai_socktype = SOCK_STREAM;
	hints.ai_flags = AI_PASSIVE;
	if ((error = getaddrinfo(l->host, l->port, &hints, &res)) != 0) {
		*why = gai_strerror(error);
		errno = error == EAI_SYSTEM ? errno : 0;
		return -1;
	}
	for (ai = res; ai != NULL && fd == -1; ai = ai->ai_next)
		fd = listen_address(ai, l, why);
	saved = errno;
	freeaddrinfo(res);
	errno = saved;
	return fd;
}

/* A socket file that nobody listens on is left over from a crash. */
static int
listen_remove_stale(const struct sockaddr_un *sun)
{
	struct stat	 st;
	int		 fd, result;

	if (lstat(sun->sun_path, &st) == -1)
		return errno == ENOENT ? 0 : -1;
	errno = ENOTSOCK;
	if (!S_ISSOCK(st.st_mode) ||
	    (fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)) == -1)
		return -1;
	result = connect(fd, (const struct sockaddr *)sun, sizeof(*sun));
	close_keeping_errno(fd);
	if (result == 0) {
		errno = EADDRINUSE;
		return -1;
	}
	return errno == ECONNREFUSED ? unlink(sun->sun_path) : -1;
}

static int
listen_unix(const struct conf_listen *l, const char **why)
{
	struct sockaddr_un	 sun;
	mode_t			 mask;
	int			 fd, result;

	memset(&sun, 0, sizeof(sun));
	sun.sun_family = AF_UNIX;
	*why = "path";
	if (strlcpy(sun.sun_path, l->path, sizeof(sun.sun_path)) >=
	    sizeof(sun.sun_path)) {
		errno = ENAMETOOLONG;
		return -1;
	}
	if (listen_remove_stale(&sun) == -1)
		return -1;
	*why = "socket";
	if ((fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)) == -1)
		return -1;
	*why = "bind";
	mask = umask(0177);		/* until owner and mode are set */
	result = bind(fd, (struct sockaddr *)&sun, sizeof(sun));
	(void)umask(mask);
	if (result == 0) {
		*why = "owner or mode";
		if (((l->uid == (uid_t)-1 && l->gid == (gid_t)-1) ||
		    chown(l->path, l->uid, l->gid) == 0) &&
		    chmod(l->path, l->mode) == 0) {
			*why = "listen";
			if (listen(fd, l->backlog) == 0)
				return fd;
		}
		(void)unlink(l->path);
	}
	close_keeping_errno(fd);
	return -1;
}

int
listen_open(const struct conf_listen *l, const char **why)
{
	return l->path != NULL ? listen_unix(l, why) : listen_tcp(l, why);
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
	(void)listen_set_options(fd, DEFER_ACCEPT);
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
	char				 host[NI_MAXHOST], port[NI_MAXSERV];
	const struct sockaddr_un	*sun;

	if (ss->ss_family == AF_UNIX) {
		sun = (const struct sockaddr_un *)ss;
		(void)snprintf(dst, size, "unix:%.*s",
		    (int)sizeof(sun->sun_path), sun->sun_path);
	} else if (getnameinfo((const struct sockaddr *)ss, len, host,
	    sizeof(host), port, sizeof(port),
	    NI_NUMERICHOST | NI_NUMERICSERV) != 0)
		(void)snprintf(dst, size, "unknown");
	else if (ss->ss_family == AF_INET6)
		(void)snprintf(dst, size, "[%s]:%s", host, port);
	else
		(void)snprintf(dst, size, "%s:%s", host, port);
}

static bool
listen_is_same(const struct sockaddr_storage *ss, const struct sockaddr *sa)
{
	const struct sockaddr_in	*a = (const void *)ss;
	const struct sockaddr_in	*b = (const void *)sa;
	const struct sockaddr_in6	*c = (const void *)ss;
	const struct sockaddr_in6	*d = (const void *)sa;

	if (ss->ss_family != sa->sa_family)
		return false;
	if (sa->sa_family == AF_INET)
		return a->sin_addr.s_addr == b->sin_addr.s_addr &&
		    (b->sin_port == 0 || a->sin_port == b->sin_port);
	return sa->sa_family == AF_INET6 && memcmp(&c->sin6_addr,
	    &d->sin6_addr, sizeof(c->sin6_addr)) == 0 &&
	    (d->sin6_port == 0 || c->sin6_port == d->sin6_port);
}

bool
listen_is_at(int fd, const struct conf_listen *l)
{
	struct sockaddr_storage	 ss;
	struct addrinfo		 hints, *res, *ai;
	socklen_t		 len = sizeof(ss);
	bool			 found = false;

	memset(&hints, 0, sizeof(hints));
	hints.ai_socktype = SOCK_STREAM;
	hints.ai_flags = AI_PASSIVE;
	if (getsockname(fd, (struct sockaddr *)&ss, &len) == -1 ||
	    getaddrinfo(l->host, l->port, &hints, &res) != 0)
		return false;
	for (ai = res; ai != NULL && !found; ai = ai->ai_next)
		found = listen_is_same(&ss, ai->ai_addr);
	freeaddrinfo(res);
	return found;
}

void
listen_find_file(int fd, struct listen_file *file)
{
	struct sockaddr_un	 sun;
	struct stat		 st;
	socklen_t		 len = sizeof(sun);

	file->path[0] = '\0';
	memset(&sun, 0, sizeof(sun));
	if (getsockname(fd, (struct sockaddr *)&sun, &len) == -1 ||
	    len > sizeof(sun) || sun.sun_family != AF_UNIX ||
	    sun.sun_path[0] != '/')
		return;
	(void)snprintf(file->path, sizeof(file->path), "%.*s",
	    (int)sizeof(sun.sun_path), sun.sun_path);
	if (lstat(file->path, &st) == -1 || !S_ISSOCK(st.st_mode)) {
		file->path[0] = '\0';
		return;
	}
	file->dev = st.st_dev;
	file->ino = st.st_ino;
}

void
listen_remove_file(struct listen_file *file)
{
	struct stat	 st;

	/* while the socket is open nobody else can get the number */
	if (file->path[0] != '\0' && lstat(file->path, &st) == 0 &&
	    st.st_dev == file->dev && st.st_ino == file->ino)
		(void)unlink(file->path);
	file->path[0] = '\0';
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
