/* SPDX-License-Identifier: ISC */
/*
 * Sends its standard input to a port of this host and copies what comes back
 * to standard output until the server closes: for requests that no client
 * would make.
 *
 *	raw PORT
 *
 * Exit status 0 when both sides have ended in order, else 1.  Its own side it
 * ends when all was sent.
 */
#include <sys/socket.h>

#include <netinet/in.h>

#include <err.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static int
connect_to(const char *port)
{
	struct sockaddr_in	 sin = { .sin_family = AF_INET };
	const char		*error;
	int			 fd;

	sin.sin_port = htons((uint16_t)strtonum(port, 1, 65535, &error));
	if (error != NULL)
		errx(2, "port is %s", error);
	sin.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if ((fd = socket(AF_INET, SOCK_STREAM, 0)) == -1)
		err(1, "socket");
	if (connect(fd, (struct sockaddr *)&sin, sizeof(sin)) == -1)
		err(1, "connect");
	return fd;
}

int
main(int argc, char *argv[])
{
	static char	 in[65536], out[65536];
	struct pollfd	 pfd[2];
	size_t		 len = 0, pos = 0;
	ssize_t		 n;
	int		 fd, more = 1;

	if (argc != 2)
		errx(2, "usage: raw port");
	if (signal(SIGPIPE, SIG_IGN) == SIG_ERR)
		err(1, "signal");
	fd = connect_to(argv[1]);
	for (;;) {
		if (more && pos == len) {
			if ((n = read(STDIN_FILENO, in, sizeof(in))) == -1)
				err(1, "standard input");
			pos = 0;
			len = (size_t)n;
			if (n == 0) {
				more = 0;
				(void)shutdown(fd, SHUT_WR);
			}
		}
		pfd[0].fd = fd;
		pfd[0].events = (short)(POLLIN | (more ? POLLOUT : 0));
		if (poll(pfd, 1, -1) == -1)
			err(1, "poll");
		if ((pfd[0].revents & (POLLIN | POLLHUP | POLLERR)) != 0) {
			if ((n = read(fd, out, sizeof(out))) == -1)
				err(1, "read");
			if (n == 0)
				return 0;
			if (fwrite(out, 1, (size_t)n, stdout) != (size_t)n)
				err(1, "standard output");
		}
		if ((pfd[0].revents & POLLOUT) != 0) {
			if ((n = send(fd, in + pos, len - pos,
			    MSG_DONTWAIT)) == -1 && errno != EAGAIN)
				err(1, "send");
			pos += n > 0 ? (size_t)n : 0;
		}
	}
}
