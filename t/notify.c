/* SPDX-License-Identifier: ISC */
/*
 * The other end of NOTIFY_SOCKET: prints each line of each datagram that
 * comes to the socket it makes, after "ready", until its input ends.
 *
 *	notify PATH
 *
 * A PATH that begins with @ is in the abstract name space.
 */

#include <sys/socket.h>
#include <sys/un.h>

#include <err.h>
#include <poll.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

int
main(int argc, char *argv[])
{
	struct sockaddr_un sun;
	struct pollfd pfd[2];
	char buf[4096];
	socklen_t size;
	size_t len;
	ssize_t n;
	int fd;

	if (argc != 2)
		errx(2, "usage: notify path");
	len = strlen(argv[1]);
	memset(&sun, 0, sizeof(sun));
	sun.sun_family = AF_UNIX;
	if (len < 2 || len >= sizeof(sun.sun_path))
		errx(2, "%s: too long", argv[1]);
	memcpy(sun.sun_path, argv[1], len);
	if (argv[1][0] == '@')
		sun.sun_path[0] = '\0';
	size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len);
	if ((fd = socket(AF_UNIX, SOCK_DGRAM, 0)) == -1 ||
	    bind(fd, (struct sockaddr *)&sun, size) == -1)
		err(1, "%s", argv[1]);
	printf("ready\n");
	fflush(stdout);
	for (;;) {
		pfd[0].fd = STDIN_FILENO;
		pfd[1].fd = fd;
		pfd[0].events = pfd[1].events = POLLIN;
		if (poll(pfd, 2, -1) == -1)
			err(1, "poll");
		if (pfd[1].revents != 0) {
			if ((n = recv(fd, buf, sizeof(buf), 0)) == -1)
				err(1, "recv");
			printf("%.*s\n", (int)n, buf);
			fflush(stdout);
		}
		if (pfd[0].revents != 0 && read(STDIN_FILENO, buf,
		    sizeof(buf)) <= 0)
			break;
	}
	return 0;
}
