/* SPDX-License-Identifier: ISC */
/*
 * A service manager in small, for the tests of starting and stopping: it
 * holds a listening socket on a free port of the loopback interface, prints
 * "port N", and starts COMMAND with that socket as descriptor 3 (LISTEN_FDS),
 * once for each line it reads, printing "pid N" each time.  When its input
 * ends it ends; what it has started is for the script to stop.
 *
 *	activate [-b] COMMAND...
 *
 * With -b descriptor 3 is a file, not a socket.
 */

#include <sys/socket.h>
#include <sys/wait.h>

#include <netinet/in.h>

#include <err.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LISTEN_FD	3

static int
listen_loopback(void)
{
	struct sockaddr_in sin;
	socklen_t len = sizeof(sin);
	int fd;

	memset(&sin, 0, sizeof(sin));
	sin.sin_family = AF_INET;
	sin.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if ((fd = socket(AF_INET, SOCK_STREAM, 0)) == -1 ||
	    bind(fd, (struct sockaddr *)&sin, sizeof(sin)) == -1 ||
	    listen(fd, 1024) == -1 ||
	    getsockname(fd, (struct sockaddr *)&sin, &len) == -1)
		err(1, "listener");
	printf("port %u\n", ntohs(sin.sin_port));
	return fd;
}

static void
run(int fd, char *argv[])
{
	char text[32];

	snprintf(text, sizeof(text), "%ld", (long)getpid());
	if (setenv("LISTEN_PID", text, 1) == -1 ||
	    setenv("LISTEN_FDS", "1", 1) == -1)
		err(1, "setenv");
	if (fd != LISTEN_FD && dup2(fd, LISTEN_FD) == -1)
		err(1, "dup2");
	if (fd != LISTEN_FD)
		close(fd);
	execvp(argv[0], argv);
	err(1, "%s", argv[0]);
}

int
main(int argc, char *argv[])
{
	char line[64];
	int ch, fd, is_bad = 0, status;
	pid_t pid;

	while ((ch = getopt(argc, argv, "+b")) != -1) {
		if (ch != 'b')
			errx(2, "usage: activate [-b] command ...");
		is_bad = 1;
	}
	if (optind == argc)
		errx(2, "usage: activate [-b] command ...");
	fd = is_bad ? open("/dev/null", O_RDONLY) : listen_loopback();
	if (fd == -1)
		err(1, "/dev/null");
	fflush(stdout);
	while (fgets(line, sizeof(line), stdin) != NULL) {
		if ((pid = fork()) == -1)
			err(1, "fork");
		if (pid == 0)
			run(fd, argv + optind);
		printf("pid %ld\n", (long)pid);
		fflush(stdout);
		while (waitpid(-1, &status, WNOHANG) > 0)
			printf("status %d\n", WEXITSTATUS(status));
	}
	while (waitpid(-1, &status, 0) > 0) {
		printf("status %d\n", WIFEXITED(status) ?
		    WEXITSTATUS(status) : 128 + WTERMSIG(status));
		fflush(stdout);
	}
	return 0;
}
