/* SPDX-License-Identifier: ISC */
/*
 * A load client for the tests of processes: many connections at a time, each
 * sending header-only RESPMODs, every reply checked.  It says what became of
 * every transaction:
 *
 *	ok	answered by a 204 and nothing else
 *	busy	answered by a 503 that announces the close
 *	retried	not answered, but sent on a connection that had been used
 *		before and was closed without a byte of a reply: every client
 *		sends such a request again (RFC 9112 9.3.1), and so do we.  Not
 *		where the connection had been idle for so long that it may be
 *		closed: that says how late we are
 *	lost	anything else: refused, reset or closed in a new connection or
 *		within a reply, or a reply that nobody asked for
 *
 * It runs until its standard input ends, or has sent -n requests.  Then it
 * prints one line of "name value" pairs; least is the number of replies of
 * the connection that got fewest.  With -v each loss is told on stderr.
 * Standard output says "running" when each connection had its first reply.
 */

#include <sys/socket.h>

#include <netinet/in.h>
#include <netinet/tcp.h>

#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define CONNECTIONS_MAX	2000
#define REPLY_MAX	2048	/* bytes of a head */
#define SAMPLES_MAX	1000000	/* latencies kept */
#define LEAVE_IDLE	1000000	/* us: a worker that leaves waits so long */
#define HTTP_REPLY	"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n"

enum state {
	STATE_WAITING,		/* for the time of the next request */
	STATE_CONNECTING,
	STATE_SENT,
	STATE_HELD		/* idle for ever: -H */
};

struct conn {
	int		 fd;	/* -1: none */
	enum state	 state;
	int		 reused;
	int		 late;		/* idle for longer than LEAVE_IDLE */
	long long	 next;		/* us: when to send */
	long long	 since;		/* us: of this transaction */
	unsigned long	 replies;
	size_t		 len;
	char		 reply[REPLY_MAX + 1];
};

static void	 usage(void) __attribute__((__noreturn__));
static unsigned long number_parse(const char *, unsigned long);
static long long now_us(void);
static void	 conn_begin(struct conn *);
static void	 conn_connect(struct conn *);
static void	 conn_send(struct conn *);
static void	 conn_read(struct conn *);
static void	 conn_reply(struct conn *, size_t);
static void	 conn_gone(struct conn *, const char *);
static void	 conn_done(struct conn *);
static void	 conn_close(struct conn *);
static int	 is_finished(void);
static void	 report(void);

static struct conn	*conns;
static unsigned long	 nconns = 16, interval, limit, port;
static const char	*service = "echo";
static int		 each_new, hold, verbose, stopping;
static char		 request[1024];
static unsigned long	 begun, ok, busy, retried, lost, closed, running;
static unsigned int	*samples;
static unsigned long	 nsamples;

int
main(int argc, char *argv[])
{
	static struct pollfd pfd[CONNECTIONS_MAX + 1];
	unsigned long i;
	long long now, left, wait;
	char byte[64];
	int ch;

	while ((ch = getopt(argc, argv, "1Hc:i:n:p:s:v")) != -1) {
		switch (ch) {
		case '1':
			each_new = 1;
			break;
		case 'H':
			hold = 1;
			break;
		case 'c':
			nconns = number_parse(optarg, CONNECTIONS_MAX);
			break;
		case 'i':
			interval = number_parse(optarg, 1000000);
			break;
		case 'n':
			limit = number_parse(optarg, 1000000000);
			break;
		case 'p':
			port = number_parse(optarg, 65535);
			break;
		case 's':
			service = optarg;
			break;
		case 'v':
			verbose = 1;
			break;
		default:
			usage();
		}
	}
	if (port == 0 || nconns == 0 || optind != argc)
		usage();
	if (signal(SIGPIPE, SIG_IGN) == SIG_ERR)
		err(1, "signal");
	snprintf(request, sizeof(request),
	    "RESPMOD icap://127.0.0.1/%s ICAP/1.0\r\n"
	    "Host: 127.0.0.1\r\nAllow: 204\r\n"
	    "Encapsulated: res-hdr=0, null-body=%zu\r\n\r\n" HTTP_REPLY,
	    service, strlen(HTTP_REPLY));
	conns = calloc(nconns, sizeof(*conns));
	samples = calloc(SAMPLES_MAX, sizeof(*samples));
	if (conns == NULL || samples == NULL)
		err(1, "calloc");
	now = now_us();
	for (i = 0; i < nconns; i++) {
		conns[i].fd = -1;
		/* spread over the interval, as clients are */
		conns[i].next = now + (long long)(interval * 1000 * i / nconns);
	}
	while (!is_finished()) {
		now = now_us();
		wait = 1000000;
		for (i = 0; i < nconns; i++) {
			if (conns[i].state == STATE_WAITING &&
			    (stopping || (limit != 0 && begun >= limit)))
				continue;
			if (conns[i].state == STATE_WAITING) {
				left = conns[i].next - now;
				if (left <= 0)
					conn_begin(&conns[i]);
				else if (left < wait)
					wait = left;
			}
		}
		for (i = 0; i < nconns; i++) {
			pfd[i].fd = conns[i].fd;
			pfd[i].events = conns[i].state == STATE_CONNECTING ?
			    POLLOUT : POLLIN;
		}
		pfd[nconns].fd = limit == 0 && !stopping ? STDIN_FILENO : -1;
		pfd[nconns].events = POLLIN;
		if (poll(pfd, nconns + 1, (int)((wait + 999) / 1000)) == -1)
			err(1, "poll");
		if (pfd[nconns].revents != 0 &&
		    read(STDIN_FILENO, byte, sizeof(byte)) <= 0)
			stopping = 1;
		for (i = 0; i < nconns; i++) {
			if (conns[i].fd == -1 || pfd[i].fd != conns[i].fd ||
			    pfd[i].revents == 0)
				continue;
			if (conns[i].state == STATE_CONNECTING)
				conn_send(&conns[i]);
			else
				conn_read(&conns[i]);
		}
	}
	report();
	return 0;
}

static void
usage(void)
{
	fprintf(stderr, "usage: load -p port [-1Hv] [-c connections] "
	    "[-i ms] [-n requests] [-s service]\n");
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

static long long
now_us(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (long long)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

static int
is_finished(void)
{
	unsigned long i;

	if (!stopping && (limit == 0 || begun < limit))
		return 0;
	for (i = 0; i < nconns; i++)
		if (conns[i].state == STATE_CONNECTING ||
		    conns[i].state == STATE_SENT)
			return 0;
	return 1;
}

/* A new transaction. */
static void
conn_begin(struct conn *c)
{
	long long now = now_us();

	begun++;
	/* the last request is older than the reply, with which it began */
	c->late = now - c->since >= LEAVE_IDLE;
	c->since = now;
	if (c->fd != -1) {
		c->reused = 1;
		conn_send(c);
	} else
		conn_connect(c);
}

static void
conn_connect(struct conn *c)
{
	struct sockaddr_in sin;

	memset(&sin, 0, sizeof(sin));
	sin.sin_family = AF_INET;
	sin.sin_port = htons((in_port_t)port);
	sin.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if ((c->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0)) == -1)
		err(1, "socket");
	c->reused = 0;
	c->state = STATE_CONNECTING;
	if (connect(c->fd, (struct sockaddr *)&sin, sizeof(sin)) == -1 &&
	    errno != EINPROGRESS)
		conn_gone(c, strerror(errno));
}

static void
conn_send(struct conn *c)
{
	size_t len = strlen(request);
	ssize_t n;

	c->len = 0;
	c->state = STATE_SENT;
	n = send(c->fd, request, len, 0);
	if (n == -1)
		conn_gone(c, strerror(errno));
	else if ((size_t)n != len)
		errx(1, "a request does not fit into the socket");
}

static void
conn_read(struct conn *c)
{
	char *end;
	ssize_t n;

	if (c->len == REPLY_MAX)
		errx(1, "reply longer than %d bytes", REPLY_MAX);
	n = recv(c->fd, c->reply + c->len, REPLY_MAX - c->len, 0);
	if (n == -1 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		/* while nothing is asked the server may close */
		if (c->state == STATE_SENT)
			conn_gone(c, n == 0 ? "closed" : strerror(errno));
		else {
			closed++;
			conn_close(c);
		}
		return;
	}
	if (c->state != STATE_SENT) {
		lost++;
		if (verbose)
			warnx("%zd bytes that nobody asked for", n);
		conn_close(c);
		return;
	}
	c->len += (size_t)n;
	c->reply[c->len] = '\0';
	if ((end = strstr(c->reply, "\r\n\r\n")) != NULL)
		conn_reply(c, (size_t)(end + 4 - c->reply));
}

/* A whole head has come, of len bytes. */
static void
conn_reply(struct conn *c, size_t len)
{
	int close_it = strstr(c->reply, "\r\nConnection: close\r\n") != NULL;

	if (strncmp(c->reply, "ICAP/1.0 204 ", 13) == 0 && len == c->len &&
	    strstr(c->reply, "\r\nISTag: \"") != NULL) {
		ok++;
		if (nsamples < SAMPLES_MAX)
			samples[nsamples++] =
			    (unsigned int)(now_us() - c->since);
	} else if (strncmp(c->reply, "ICAP/1.0 503 ", 13) == 0 && close_it)
		busy++;
	else {
		lost++;
		if (verbose)
			warnx("reply: %.*s", (int)strcspn(c->reply, "\r\n"),
			    c->reply);
	}
	if (c->replies++ == 0 && ++running == nconns) {
		printf("running\n");
		fflush(stdout);
	}
	if (close_it)
		closed++;
	if (close_it || each_new)
		conn_close(c);
	conn_done(c);
}

/* No reply will come any more. */
static void
conn_gone(struct conn *c, const char *why)
{
	int again = c->reused && c->len == 0;

	conn_close(c);
	if (again) {
		if (c->late)
			closed++;
		else
			retried++;
		if (verbose)
			warnx("%s: %s", c->late ? "late" : "retried", why);
		conn_connect(c);
		return;
	}
	lost++;
	if (verbose)
		warnx("lost: %s after %zu bytes", why, c->len);
	conn_done(c);
}

static void
conn_done(struct conn *c)
{
	c->state = hold ? STATE_HELD : STATE_WAITING;
	c->next += (long long)interval * 1000;
	if (interval == 0 || c->next < c->since)
		c->next = c->since;
}

static void
conn_close(struct conn *c)
{
	if (c->fd != -1)
		close(c->fd);
	c->fd = -1;
	if (c->state == STATE_HELD)
		return;
	c->state = STATE_WAITING;
}

static int
by_size(const void *a, const void *b)
{
	unsigned int x = *(const unsigned int *)a;
	unsigned int y = *(const unsigned int *)b;

	return x < y ? -1 : x > y;
}

static void
report(void)
{
	unsigned long i, least = ~0UL;

	for (i = 0; i < nconns; i++)
		if (conns[i].replies < least)
			least = conns[i].replies;
	qsort(samples, nsamples, sizeof(*samples), by_size);
	printf("sent %lu ok %lu busy %lu retried %lu lost %lu closed %lu "
	    "least %lu p50_us %u p99_us %u max_us %u\n", begun, ok, busy,
	    retried, lost, closed, least,
	    nsamples ? samples[nsamples / 2] : 0,
	    nsamples ? samples[nsamples * 99 / 100] : 0,
	    nsamples ? samples[nsamples - 1] : 0);
}
