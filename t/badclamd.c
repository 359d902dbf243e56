/* SPDX-License-Identifier: ISC */
/*
 * Engines that do not do what clamd(8) does, for clamav_slow.sh: Unix sockets
 * in the folder that is its argument, and one on TCP, whose port it prints
 * when all are there.
 *
 *	full	has no room for a connection; so has the one on TCP
 *	deaf	reads nothing behind a request for a scan
 *	mute	reads all of it, and says nothing
 *	garbage	answers at once what is no reply
 *
 * All but full say their version when they are asked.  It ends when its
 * standard input does.
 */
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <netinet/in.h>

#include <err.h>
#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CLIENTS_MAX	64
#define FILL_MAX	16	/* connections that a queue of none may have */
#define FILL_MS		200	/* loopback is there at once, or never */
#define WORD_MAX	64

enum kind { DEAF, MUTE, GARBAGE, KINDS };

struct client {
	int		 fd;		/* -1: free */
	enum kind	 kind;
	bool		 is_scan;	/* what comes is a body */
	unsigned int	 id;
	size_t		 len;
	char		 word[WORD_MAX];
};

static struct client	 client[CLIENTS_MAX];

static int
listen_at(const struct sockaddr *sa, socklen_t len, int backlog)
{
	int	 fd = socket(sa->sa_family, SOCK_STREAM, 0);

	if (fd == -1 || bind(fd, sa, len) == -1 || listen(fd, backlog) == -1)
		err(1, "listen");
	return fd;
}

/* Connects until there is no room. */
static void
fill(const struct sockaddr *sa, socklen_t len)
{
	struct pollfd	 pfd = { .events = POLLOUT };
	int		 i;

	for (i = 0; i < FILL_MAX; i++) {
		pfd.fd = socket(sa->sa_family, SOCK_STREAM | SOCK_NONBLOCK,
		    0);
		if (pfd.fd == -1)
			err(1, "socket");
		if (connect(pfd.fd, sa, len) == -1 && (errno != EINPROGRESS ||
		    poll(&pfd, 1, FILL_MS) == 0))
			return;
	}
	errx(1, "the queue has no end");
}

static int
listen_unix(const char *dir, const char *name, int backlog)
{
	struct sockaddr_un	 sun = { .sun_family = AF_UNIX };
	int			 fd, n;

	n = snprintf(sun.sun_path, sizeof(sun.sun_path), "%s/%s", dir, name);
	if (n < 0 || (size_t)n >= sizeof(sun.sun_path))
		errx(1, "%s: too long", dir);
	fd = listen_at((struct sockaddr *)&sun, sizeof(sun), backlog);
	/* workers of root are somebody else */
	if (chmod(sun.sun_path, 0777) == -1)
		err(1, "%s", sun.sun_path);
	if (backlog == 0)
		fill((struct sockaddr *)&sun, sizeof(sun));
	return fd;
}

static void
listen_tcp(void)
{
	struct sockaddr_in	 sin = { .sin_family = AF_INET };
	socklen_t		 len = sizeof(sin);
	int			 fd;

	sin.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	fd = listen_at((struct sockaddr *)&sin, sizeof(sin), 0);
	if (getsockname(fd, (struct sockaddr *)&sin, &len) == -1)
		err(1, "getsockname");
	fill((struct sockaddr *)&sin, sizeof(sin));
	(void)printf("port %d\n", ntohs(sin.sin_port));
	(void)fflush(stdout);
}

static void
client_end(struct client *c)
{
	(void)close(c->fd);
	c->fd = -1;
}

static void
client_say(struct client *c, const char *text)
{
	char	 reply[128];
	int	 n = snprintf(reply, sizeof(reply), "%u: %s", c->id, text);

	if (send(c->fd, reply, (size_t)n + 1, MSG_NOSIGNAL) == -1)
		client_end(c);
}

static void
client_word(struct client *c)
{
	if (strcmp(c->word, "zIDSESSION") == 0)
		return;
	c->id++;
	if (strcmp(c->word, "zVERSION") == 0) {
		client_say(c, "ClamAV 1.0.0/1/now");
		return;
	}
	c->is_scan = true;
	if (c->kind == GARBAGE)
		client_say(c, "all is well");
}

static void
client_read(struct client *c)
{
	static char	 piece[65536];
	ssize_t		 n, i;

	/* a descriptor that comes with it is closed by the kernel */
	if ((n = recv(c->fd, piece, sizeof(piece), 0)) <= 0) {
		client_end(c);
		return;
	}
	for (i = 0; i < n && c->fd != -1 && !c->is_scan; i++) {
		if (c->len == sizeof(c->word))
			errx(1, "a command without an end");
		c->word[c->len++] = piece[i];
		if (piece[i] == '\0') {
			client_word(c);
			c->len = 0;
		}
	}
}

static void
client_add(int fd, enum kind kind)
{
	struct client	*c;

	if (fd == -1)
		err(1, "accept");
	for (c = client; c < client + CLIENTS_MAX; c++)
		if (c->fd == -1) {
			memset(c, 0, sizeof(*c));
			c->fd = fd;
			c->kind = kind;
			return;
		}
	(void)close(fd);
}

int
main(int argc, char *argv[])
{
	static const char *const	 name[KINDS] = {
		[DEAF] = "deaf", [MUTE] = "mute", [GARBAGE] = "garbage"
	};
	struct pollfd			 pfd[1 + KINDS + CLIENTS_MAX];
	unsigned int			 i;

	if (argc != 2)
		errx(1, "usage: badclamd folder");
	memset(pfd, 0, sizeof(pfd));
	pfd[0].events = POLLIN;
	for (i = 0; i < KINDS; i++) {
		pfd[1 + i].fd = listen_unix(argv[1], name[i], 64);
		pfd[1 + i].events = POLLIN;
	}
	for (i = 0; i < CLIENTS_MAX; i++)
		client[i].fd = -1;
	(void)listen_unix(argv[1], "full", 0);
	listen_tcp();
	for (;;) {
		for (i = 0; i < CLIENTS_MAX; i++) {
			pfd[1 + KINDS + i].fd = client[i].fd;
			/* of a deaf one only the end is of interest */
			pfd[1 + KINDS + i].events = client[i].is_scan &&
			    client[i].kind == DEAF ? 0 : POLLIN;
		}
		if (poll(pfd, 1 + KINDS + CLIENTS_MAX, -1) == -1)
			err(1, "poll");
		if (pfd[0].revents != 0)
			return 0;
		for (i = 0; i < CLIENTS_MAX; i++)
			if (client[i].fd != -1 &&
			    pfd[1 + KINDS + i].revents != 0)
				client_read(&client[i]);
		for (i = 0; i < KINDS; i++)
			if (pfd[1 + i].revents != 0)
				client_add(accept(pfd[1 + i].fd, NULL, NULL),
				    (enum kind)i);
	}
}
