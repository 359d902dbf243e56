/* SPDX-License-Identifier: ISC */
/*
 * The floor of the benchmark: what the kernel takes for moving the bytes when
 * the server between does nothing.  Run by t/bench/run.sh, and by t/icapc.sh
 * as a server that answers whatever it is told to.
 *
 *	reply	one recv(2), one send(2) of the same bytes, and again
 *	relay	sends an ICAP head and then, as it comes, what follows the
 *		HTTP request head: a RESPMOD is echoed.  It looks at nothing
 *		but where the first request of a connection puts its parts,
 *		and whether a recv ended in the last chunk
 *
 * Workers are forked before, as many as told, and block in accept(2), like
 * those of icapd.  It must not parse or check: whoever sends anything else
 * than icapc does gets nonsense.
 */
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include <netinet/in.h>
#include <netinet/tcp.h>

#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Received at once, bytes. */
#define BUFFER		(128 * 1024)

/* Largest reply, bytes. */
#define REPLY_MAX	(64 * 1024)

#define LAST_CHUNK	"\r\n0\r\n\r\n"
#define LAST_LEN	(sizeof(LAST_CHUNK) - 1)

static const char reply_204[] =
    "ICAP/1.0 204 No modifications needed\r\n"
    "ISTag: \"icapd-0123456789abcdef\"\r\n"
    "Encapsulated: null-body=0\r\n\r\n";

static char		 buffer[BUFFER];
static char		 reply[REPLY_MAX];
static size_t		 reply_len;
static int		 closing;	/* one transaction a connection */

static void	 usage(void) __attribute__((__noreturn__));

static void
usage(void)
{
	fprintf(stderr, "usage: floor [-c] [-r file] [-w workers] "
	    "reply|relay\n");
	exit(2);
}

static int
send_all(int fd, struct iovec *iov, int n)
{
	struct msghdr	 msg;
	ssize_t		 sent;

	while (n > 0) {
		memset(&msg, 0, sizeof(msg));
		msg.msg_iov = iov;
		msg.msg_iovlen = (size_t)n;
		if ((sent = sendmsg(fd, &msg, MSG_NOSIGNAL)) == -1)
			return -1;
		while (n > 0 && (size_t)sent >= iov->iov_len) {
			sent -= (ssize_t)iov->iov_len;
			iov++;
			n--;
		}
		if (n > 0) {
			iov->iov_base = (char *)iov->iov_base + sent;
			iov->iov_len -= (size_t)sent;
		}
	}
	return 0;
}

static void
serve_reply(int fd)
{
	while (recv(fd, buffer, sizeof(buffer), 0) > 0) {
		if (send(fd, reply, reply_len, MSG_NOSIGNAL) == -1 || closing)
			break;
	}
}

/* Where the HTTP response begins, and the reply that announces it. */
static size_t
relay_start(size_t len)
{
	size_t	 res = 0, body = 0, end;
	char	*p;

	buffer[len < BUFFER ? len : BUFFER - 1] = '\0';
	if ((p = strstr(buffer, "\r\n\r\n")) == NULL)
		return 0;
	end = (size_t)(p + 4 - buffer);
	if ((p = strstr(buffer, "res-hdr=")) != NULL)
		res = strtoul(p + 8, NULL, 10);
	if ((p = strstr(buffer, "res-body=")) != NULL)
		body = strtoul(p + 9, NULL, 10);
	snprintf(reply, sizeof(reply), "ICAP/1.0 200 OK\r\n"
	    "ISTag: \"icapd-0123456789abcdef\"\r\n"
	    "Encapsulated: res-hdr=0, res-body=%zu\r\n\r\n", body - res);
	reply_len = strlen(reply);
	return end + res;
}

static void
serve_relay(int fd)
{
	struct iovec	 iov[2];
	ssize_t		 n;
	size_t		 skip = 0;
	int		 first = 1, n_iov;

	while ((n = recv(fd, buffer, sizeof(buffer) - 1, 0)) > 0) {
		if (skip == 0 && (skip = relay_start((size_t)n)) == 0)
			return;
		n_iov = 0;
		if (first) {
			iov[n_iov].iov_base = reply;
			iov[n_iov++].iov_len = reply_len;
		}
		iov[n_iov].iov_base = buffer + (first ? skip : 0);
		iov[n_iov++].iov_len = (size_t)n - (first ? skip : 0);
		first = (size_t)n >= LAST_LEN && memcmp(buffer + n - LAST_LEN,
		    LAST_CHUNK, LAST_LEN) == 0;
		if (send_all(fd, iov, n_iov) == -1)
			return;
	}
}

static void
work(int listener, void (*serve)(int))
{
	int	 fd;

	if (prctl(PR_SET_PDEATHSIG, SIGTERM) == -1)
		err(1, "prctl");
	for (;;) {
		if ((fd = accept(listener, NULL, NULL)) == -1)
			continue;
		serve(fd);
		(void)close(fd);
	}
}

static int
listen_any(void)
{
	struct sockaddr_in	 sin;
	socklen_t		 len = sizeof(sin);
	int			 fd, on = 1, defer = 5;

	memset(&sin, 0, sizeof(sin));
	sin.sin_family = AF_INET;
	sin.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if ((fd = socket(AF_INET, SOCK_STREAM, 0)) == -1 ||
	    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)) == -1 ||
	    setsockopt(fd, IPPROTO_TCP, TCP_DEFER_ACCEPT, &defer,
	    sizeof(defer)) == -1 ||
	    bind(fd, (struct sockaddr *)&sin, sizeof(sin)) == -1 ||
	    listen(fd, SOMAXCONN) == -1 ||
	    getsockname(fd, (struct sockaddr *)&sin, &len) == -1)
		err(1, "listen");
	printf("port %u\n", ntohs(sin.sin_port));
	return fd;
}

static void
reply_read(const char *name)
{
	ssize_t	 n;
	int	 fd;

	if ((fd = open(name, O_RDONLY)) == -1 ||
	    (n = read(fd, reply, sizeof(reply))) == -1)
		err(1, "%s", name);
	(void)close(fd);
	reply_len = (size_t)n;
}

int
main(int argc, char *argv[])
{
	void		(*serve)(int) = serve_reply;
	sigset_t	 set;
	long		 workers = 1, i;
	int		 ch, listener, signo;

	memcpy(reply, reply_204, sizeof(reply_204) - 1);
	reply_len = sizeof(reply_204) - 1;
	while ((ch = getopt(argc, argv, "cr:w:")) != -1) {
		switch (ch) {
		case 'c':
			closing = 1;
			break;
		case 'r':
			reply_read(optarg);
			break;
		case 'w':
			workers = strtol(optarg, NULL, 10);
			break;
		default:
			usage();
		}
	}
	if (argc - optind != 1 || workers < 1 || workers > 10000)
		usage();
	if (strcmp(argv[optind], "relay") == 0)
		serve = serve_relay;
	else if (strcmp(argv[optind], "reply") != 0)
		usage();

	listener = listen_any();
	for (i = 0; i < workers; i++) {
		switch (fork()) {
		case -1:
			err(1, "fork");
		case 0:
			work(listener, serve);
			_exit(0);
		}
	}
	if (fflush(stdout) == EOF)
		err(1, "standard output");
	/* the workers go when we do */
	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	if (sigprocmask(SIG_BLOCK, &set, NULL) == -1 ||
	    sigwait(&set, &signo) != 0)
		err(1, "signals");
	return 0;
}
