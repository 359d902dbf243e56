/* SPDX-License-Identifier: ISC */
/*
 * A small ICAP client for the process tests (proc.sh): it holds icapd in a
 * state that a shell cannot, says on standard output when it is there, and
 * checks every reply to its last byte.
 *
 *	count	sends COUNT header-only RESPMODs, one after the other; each is
 *		answered by a 204 and nothing else.  On one connection, unless
 *		the server announces that it closes that
 *	idle	does the same, prints "idle", waits for the server to close
 *	half	sends half of a REQMOD and knows that it is being read, prints
 *		"half", waits for a line on standard input, sends the rest; the
 *		reply must be the message
 *	silent	opens COUNT connections, sends nothing on them, prints
 *		"silent", waits for the end of standard input
 *	gone	asks for a large echo, reads its first bytes, resets the
 *		connection
 *
 * Exit status 0 when all came as said, 1 with one line otherwise.  It must
 * not time anything: a server that hangs is for the script to find out.
 */

#include <sys/socket.h>

#include <netinet/in.h>

#include <err.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define REPLY_MAX	(4 * 1024 * 1024)	/* largest reply looked at */
#define HALF_SIZE	(1024 * 1024)	/* bytes of each half of "half" */
#define SNDBUF		65536		/* see run_half */
#define CHUNK		65536		/* bytes of each chunk */
#define GONE_CHUNKS	512		/* 32 MiB: no socket buffer holds it */
#define HTTP_REQUEST	"POST http://127.0.0.1/half HTTP/1.1\r\n" \
			"Host: 127.0.0.1\r\n\r\n"
#define HTTP_REPLY	"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n"

struct ping {
	int		 fd;
	int		 is_last;	/* the reply said that none follows */
	unsigned long	 port;
	size_t		 len;
	const char	*service;
	char		 buf[REPLY_MAX + 1];	/* always ends with a NUL */
};

struct ping_mode {
	const char	*name;
	void		(*run)(struct ping *, unsigned long);
};

static void	 usage(void) __attribute__((__noreturn__));
static unsigned long number_parse(const char *, unsigned long);
static void	 connect_loopback(struct ping *);
static void	 connect_again(struct ping *);
static void	 run_count(struct ping *, unsigned long);
static void	 run_idle(struct ping *, unsigned long);
static void	 run_half(struct ping *, unsigned long);
static void	 run_gone(struct ping *, unsigned long);
static void	 run_silent(struct ping *, unsigned long);
static void	 send_all(struct ping *, const void *, size_t);
static void	 send_text(struct ping *, const char *);
static void	 send_chunks(struct ping *, char, int);
static int	 recv_more(struct ping *);
static char	*recv_head(struct ping *, int);
static void	 recv_echo(struct ping *);
static size_t	 body_unchunk(char *, const char *);
static void	 expect_close(struct ping *);
static void	 say(const char *);

static const struct ping_mode modes[] = {
	{ "count", run_count },
	{ "idle", run_idle },
	{ "half", run_half },
	{ "gone", run_gone },
	{ "silent", run_silent },
};

int
main(int argc, char *argv[])
{
	static struct ping ping;
	unsigned long count = 1;
	size_t i;
	int ch;

	ping.service = "echo";
	while ((ch = getopt(argc, argv, "n:p:s:")) != -1) {
		switch (ch) {
		case 'n':
			count = number_parse(optarg, 10000000);
			break;
		case 'p':
			ping.port = number_parse(optarg, 65535);
			break;
		case 's':
			ping.service = optarg;
			break;
		default:
			usage();
		}
	}
	if (ping.port == 0 || argc - optind != 1)
		usage();
	if (signal(SIGPIPE, SIG_IGN) == SIG_ERR)
		err(1, "signal");
	for (i = 0; i < sizeof(modes) / sizeof(modes[0]); i++)
		if (strcmp(argv[optind], modes[i].name) == 0)
			break;
	if (i == sizeof(modes) / sizeof(modes[0]))
		usage();
	connect_loopback(&ping);
	modes[i].run(&ping, count);
	return 0;
}

static void
usage(void)
{
	fprintf(stderr, "usage: ping -p port [-n count] [-s service] "
	    "count | idle | half | gone | silent\n");
	exit(2);
}

static unsigned long
number_parse(const char *s, unsigned long max)
{
	const char	*why;
	long long	 n;

	n = strtonum(s, 0, (long long)max, &why);
	if (why != NULL)
		usage();
	return (unsigned long)n;
}

static void
connect_loopback(struct ping *p)
{
	struct sockaddr_in sin;

	memset(&sin, 0, sizeof(sin));
	sin.sin_family = AF_INET;
	sin.sin_port = htons((in_port_t)p->port);
	sin.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if ((p->fd = socket(AF_INET, SOCK_STREAM, 0)) == -1)
		err(1, "socket");
	if (connect(p->fd, (struct sockaddr *)&sin, sizeof(sin)) == -1)
		err(1, "connect to port %lu", p->port);
}

/* Another connection, once the server has closed as it said it would. */
static void
connect_again(struct ping *p)
{
	p->len = 0;
	expect_close(p);
	if (close(p->fd) == -1)
		err(1, "close");
	connect_loopback(p);
	p->is_last = 0;
}

static void
run_count(struct ping *p, unsigned long count)
{
	char request[1024];
	unsigned long i;
	char *end;

	snprintf(request, sizeof(request),
	    "RESPMOD icap://127.0.0.1/%s ICAP/1.0\r\n"
	    "Host: 127.0.0.1\r\nAllow: 204\r\n"
	    "Encapsulated: res-hdr=0, null-body=%zu\r\n\r\n" HTTP_REPLY,
	    p->service, strlen(HTTP_REPLY));
	for (i = 0; i < count; i++) {
		if (p->is_last)
			connect_again(p);
		p->len = 0;
		send_text(p, request);
		end = recv_head(p, 204);
		if (end != p->buf + p->len)
			errx(1, "reply %lu: bytes after the 204", i);
		if (strstr(p->buf, "\r\nISTag: \"") == NULL)
			errx(1, "reply %lu: no ISTag", i);
		p->is_last = strstr(p->buf,
		    "\r\nConnection: close\r\n") != NULL;
	}
}

static void
run_idle(struct ping *p, unsigned long count)
{
	do {
		run_count(p, count);
	} while (p->is_last);
	say("idle\n");
	p->len = 0;
	expect_close(p);
	say("closed\n");
}

/*
 * What fits in no socket buffer has been read by the server, in part, once it
 * is sent: the transaction is under way for certain when "half" is printed.
 */
static void
run_half(struct ping *p, unsigned long count)
{
	const int sndbuf = SNDBUF;
	char request[1024], line[64];

	(void)count;
	if (setsockopt(p->fd, SOL_SOCKET, SO_SNDBUF, &sndbuf,
	    sizeof(sndbuf)) == -1)
		err(1, "SO_SNDBUF");
	snprintf(request, sizeof(request),
	    "REQMOD icap://127.0.0.1/%s ICAP/1.0\r\nHost: 127.0.0.1\r\n"
	    "Encapsulated: req-hdr=0, req-body=%zu\r\n\r\n" HTTP_REQUEST,
	    p->service, strlen(HTTP_REQUEST));
	send_text(p, request);
	send_chunks(p, 'a', HALF_SIZE / CHUNK);
	say("half\n");
	if (read(STDIN_FILENO, line, sizeof(line)) == -1)
		err(1, "stdin");
	send_chunks(p, 'b', HALF_SIZE / CHUNK);
	send_text(p, "0\r\n\r\n");
	recv_echo(p);
	say("done\n");
}

static void
run_gone(struct ping *p, unsigned long count)
{
	struct linger linger = { 1, 0 };
	char request[1024];

	(void)count;
	snprintf(request, sizeof(request),
	    "RESPMOD icap://127.0.0.1/%s ICAP/1.0\r\nHost: 127.0.0.1\r\n"
	    "Encapsulated: res-hdr=0, res-body=%zu\r\n\r\n%s", p->service,
	    strlen(HTTP_REPLY), HTTP_REPLY);
	send_text(p, request);
	send_chunks(p, 'c', GONE_CHUNKS);
	send_text(p, "0\r\n\r\n");
	recv_head(p, 200);
	if (setsockopt(p->fd, SOL_SOCKET, SO_LINGER, &linger,
	    sizeof(linger)) == -1)
		err(1, "SO_LINGER");
	if (close(p->fd) == -1)
		err(1, "close");
	say("gone\n");
}

/* The descriptors are closed by the end of the program. */
static void
run_silent(struct ping *p, unsigned long count)
{
	char line[64];

	while (--count > 0)
		connect_loopback(p);
	say("silent\n");
	while (read(STDIN_FILENO, line, sizeof(line)) > 0)
		continue;
}

static void
send_all(struct ping *p, const void *data, size_t size)
{
	const char *from = data;
	ssize_t n;

	while (size > 0) {
		if ((n = send(p->fd, from, size, 0)) == -1) {
			if (errno == EINTR)
				continue;
			err(1, "send");
		}
		from += n;
		size -= (size_t)n;
	}
}

static void
send_text(struct ping *p, const char *text)
{
	send_all(p, text, strlen(text));
}

static void
send_chunks(struct ping *p, char letter, int count)
{
	static char data[CHUNK];
	char line[32];

	memset(data, letter, sizeof(data));
	snprintf(line, sizeof(line), "%zx\r\n", sizeof(data));
	while (count-- > 0) {
		send_text(p, line);
		send_all(p, data, sizeof(data));
		send_text(p, "\r\n");
	}
}

/* Appends what comes next; 0 when the server has closed its side. */
static int
recv_more(struct ping *p)
{
	ssize_t n;

	if (p->len == REPLY_MAX)
		errx(1, "reply longer than %d bytes", REPLY_MAX);
	do {
		n = recv(p->fd, p->buf + p->len, REPLY_MAX - p->len, 0);
	} while (n == -1 && errno == EINTR);
	if (n == -1)
		err(1, "recv");
	p->len += (size_t)n;
	p->buf[p->len] = '\0';
	return n > 0;
}

/* Reads a whole ICAP head of this status; returns where it ends. */
static char *
recv_head(struct ping *p, int status)
{
	char want[32], *end;

	do {
		if (!recv_more(p))
			errx(1, "closed after %zu bytes of a reply", p->len);
	} while ((end = strstr(p->buf, "\r\n\r\n")) == NULL);
	snprintf(want, sizeof(want), "ICAP/1.0 %d ", status);
	if (strncmp(p->buf, want, strlen(want)) != 0)
		errx(1, "expected %s, got %.*s", want,
		    (int)strcspn(p->buf, "\r\n"), p->buf);
	return end + 4;
}

static void
recv_echo(struct ping *p)
{
	size_t i, size;
	char *body;

	body = recv_head(p, 200);
	while (p->len < 5 ||
	    memcmp(p->buf + p->len - 5, "0\r\n\r\n", 5) != 0)
		if (!recv_more(p))
			errx(1, "closed after %zu bytes of a reply", p->len);
	if (strncmp(body, HTTP_REQUEST, strlen(HTTP_REQUEST)) != 0)
		errx(1, "the HTTP head came back changed");
	body += strlen(HTTP_REQUEST);
	size = body_unchunk(body, p->buf + p->len);
	if (size != 2 * HALF_SIZE)
		errx(1, "%zu bytes of body came back", size);
	for (i = 0; i < size; i++)
		if (body[i] != (i < HALF_SIZE ? 'a' : 'b'))
			errx(1, "byte %zu of the body came back changed", i);
}

/* Joins the chunks up to end in place; returns the size of the body. */
static size_t
body_unchunk(char *body, const char *end)
{
	size_t len = 0, size, digits;
	char *from = body;

	for (;;) {
		digits = strspn(from, "0123456789abcdefABCDEF");
		if (digits == 0 || digits > 6 ||
		    strncmp(from + digits, "\r\n", 2) != 0)
			errx(1, "bad chunk line: %.10s", from);
		size = strtoul(from, NULL, 16);
		from += digits + 2;
		if (size == 0)
			break;
		if ((size_t)(end - from) < size + 2 ||
		    strncmp(from + size, "\r\n", 2) != 0)
			errx(1, "chunk of %zu bytes does not end there", size);
		memmove(body + len, from, size);
		len += size;
		from += size + 2;
	}
	if (strcmp(from, "\r\n") != 0)
		errx(1, "bytes after the last chunk");
	return len;
}

static void
expect_close(struct ping *p)
{
	while (recv_more(p))
		continue;
	if (p->len != 0)
		errx(1, "%zu bytes that nobody asked for", p->len);
}

static void
say(const char *word)
{
	if (printf("%s", word) < 0 || fflush(stdout) == EOF)
		err(1, "stdout");
}
