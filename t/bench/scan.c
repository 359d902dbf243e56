/* SPDX-License-Identifier: ISC */
/*
 * The load of the scanning benchmark, run by t/bench/scan.sh.  Each client is
 * a process that has one body after the other looked at:
 *
 *	fildes PATH		by clamd(8), as a descriptor
 *	stream PATH		by clamd(8), its bytes over the socket
 *	icap PORT SERVICE	by an ICAP server, in a RESPMOD without a
 *				preview that may be answered with 204
 *
 * The first two are what clamd alone takes: a session (IDSESSION) for each
 * client, bodies that are there already, and nothing done but the hand-over.
 * No two bodies are the same, so that nothing is remembered by clamd or by
 * who asks it; they are random bytes, which have no type to be unpacked.
 *
 * Every reply has to say that the body is clean, or with -i, which puts a
 * signature at its end, that it is not: else there is nothing to measure.
 */
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>

#include <netinet/in.h>
#include <netinet/tcp.h>

#include <err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* A chunk of INSTREAM or of ICAP, bytes. */
#define CHUNK		(64 * 1024)

/* Times that are kept of each client. */
#define TIMES_MAX	100000

#define CLIENTS_MAX	256

struct client {
	unsigned int	 n;
	unsigned int	 wrong;
	float		 us[TIMES_MAX];
};

static char		*body;
static size_t		 size = 10 * 1024;
static int		 body_fd = -1;		/* for fildes */
static int		 infected;
static const char	*service;
static int		 s;			/* the connection */
static unsigned int	 id;			/* of the session's request */

static void	 usage(void) __attribute__((__noreturn__));

static void
usage(void)
{
	fprintf(stderr, "usage: scan [-c clients] [-d seconds] [-i signature] "
	    "[-s bytes]\n    fildes path | stream path | icap port service\n");
	exit(2);
}

static double
now(void)
{
	struct timespec	 ts;

	(void)clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec * 1e6 + (double)ts.tv_nsec / 1e3;
}

static void
connect_to(const struct sockaddr *sa, socklen_t len)
{
	int	 on = 1;

	if ((s = socket(sa->sa_family, SOCK_STREAM, 0)) == -1 ||
	    connect(s, sa, len) == -1)
		err(1, "connect");
	if (sa->sa_family == AF_INET)
		(void)setsockopt(s, IPPROTO_TCP, TCP_NODELAY, &on,
		    sizeof(on));
}

static void
connect_path(const char *path)
{
	struct sockaddr_un	 sun = { .sun_family = AF_UNIX };

	if ((size_t)snprintf(sun.sun_path, sizeof(sun.sun_path), "%s",
	    path) >= sizeof(sun.sun_path))
		errx(1, "%s: too long", path);
	connect_to((struct sockaddr *)&sun, sizeof(sun));
	if (send(s, "zIDSESSION", 11, 0) != 11)
		err(1, "send");
}

static void
connect_port(const char *port)
{
	struct sockaddr_in	 sin = { .sin_family = AF_INET };

	sin.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	sin.sin_port = htons((unsigned short)strtoul(port, NULL, 10));
	connect_to((struct sockaddr *)&sin, sizeof(sin));
}

static void
write_all(struct iovec *iov, int n)
{
	ssize_t	 sent;

	while (n > 0) {
		if ((sent = writev(s, iov, n)) == -1)
			err(1, "writev");
		for (; n > 0 && (size_t)sent >= iov->iov_len; iov++, n--)
			sent -= (ssize_t)iov->iov_len;
		if (n > 0) {
			iov->iov_base = (char *)iov->iov_base + sent;
			iov->iov_len -= (size_t)sent;
		}
	}
}

static void
iov_set(struct iovec *iov, const void *p, size_t len)
{
	iov->iov_base = (void *)(uintptr_t)p;
	iov->iov_len = len;
}

/* Until `end` has come; dst is terminated. */
static void
read_reply(char *dst, size_t max, const char *end, size_t end_len)
{
	size_t	 len = 0;
	ssize_t	 n;

	do {
		if ((n = read(s, dst + len, max - 1 - len)) <= 0)
			errx(1, "the server closed the connection");
		len += (size_t)n;
		dst[len] = '\0';
	} while (len < end_len ||
	    memcmp(dst + len - end_len, end, end_len) != 0);
}

/* Is it what clamd says of a body that is (not) clean? */
static int
read_clamd(void)
{
	char		 reply[4096], want[16];
	size_t		 len;

	read_reply(reply, sizeof(reply), "\0", 1);
	(void)snprintf(want, sizeof(want), "%u: ", id);
	if (strncmp(reply, want, strlen(want)) != 0)
		return 0;
	len = strlen(reply);
	return infected ? len > 6 && strcmp(reply + len - 6, " FOUND") == 0 :
	    len > 4 && strcmp(reply + len - 4, ": OK") == 0;
}

static int
scan_fildes(void)
{
	static char	 command[] = "zFILDES\0";
	union {
		struct cmsghdr	 align;
		char		 space[CMSG_SPACE(sizeof(int))];
	}		 control;
	struct iovec	 iov = { command, sizeof(command) };
	struct msghdr	 msg;
	struct cmsghdr	*cmsg;

	memset(&control, 0, sizeof(control));
	memset(&msg, 0, sizeof(msg));
	msg.msg_iov = &iov;
	msg.msg_iovlen = 1;
	msg.msg_control = control.space;
	msg.msg_controllen = sizeof(control.space);
	cmsg = CMSG_FIRSTHDR(&msg);
	cmsg->cmsg_level = SOL_SOCKET;
	cmsg->cmsg_type = SCM_RIGHTS;
	cmsg->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(cmsg), &body_fd, sizeof(int));
	if (sendmsg(s, &msg, 0) == -1)
		err(1, "sendmsg");
	id++;
	return read_clamd();
}

static int
scan_stream(void)
{
	struct iovec	 iov[4];
	unsigned char	 head[4];
	size_t		 done = 0, len;
	int		 n = 0;

	iov_set(&iov[n++], "zINSTREAM", 10);
	while (done < size) {
		len = size - done < CHUNK ? size - done : CHUNK;
		head[0] = 0;
		head[1] = (unsigned char)(len >> 16);
		head[2] = (unsigned char)(len >> 8);
		head[3] = (unsigned char)len;
		iov_set(&iov[n++], head, 4);
		iov_set(&iov[n++], body + done, len);
		if ((done += len) == size)
			iov_set(&iov[n++], "\0\0\0", 4);
		write_all(iov, n);
		n = 0;
	}
	id++;
	return read_clamd();
}

static int
scan_icap(void)
{
	static char	 http[256], head[768];
	struct iovec	 iov[5];
	char		 line[32], reply[16384];
	size_t		 done = 0, len;
	int		 n = 0;

	(void)snprintf(http, sizeof(http), "HTTP/1.1 200 OK\r\n"
	    "Content-Type: application/octet-stream\r\n"
	    "Content-Length: %zu\r\n\r\n", size);
	(void)snprintf(head, sizeof(head), "RESPMOD icap://127.0.0.1/%s "
	    "ICAP/1.0\r\nHost: 127.0.0.1\r\nAllow: 204\r\n"
	    "Encapsulated: res-hdr=0, res-body=%zu\r\n\r\n%s", service,
	    strlen(http), http);
	iov_set(&iov[n++], head, strlen(head));
	while (done < size) {
		len = size - done < CHUNK ? size - done : CHUNK;
		(void)snprintf(line, sizeof(line), "%s%zx\r\n",
		    done > 0 ? "\r\n" : "", len);
		iov_set(&iov[n++], line, strlen(line));
		iov_set(&iov[n++], body + done, len);
		if ((done += len) == size)
			iov_set(&iov[n++], "\r\n0\r\n\r\n", 7);
		write_all(iov, n);
		n = 0;
	}
	if (infected) {
		/* the page that is sent instead is nobody's business */
		if (read(s, reply, 12) != 12)
			return 0;
		return memcmp(reply, "ICAP/1.0 200", 12) == 0;
	}
	read_reply(reply, sizeof(reply), "\r\n\r\n", 4);
	return strncmp(reply, "ICAP/1.0 204", 12) == 0;
}

/* Random bytes of its own, and with each scan another number in front. */
static void
make_body(unsigned int client, const char *signature)
{
	uint32_t	 x = 2463534242u + client * 7919;
	size_t		 i;

	if ((body_fd = memfd_create("body", MFD_CLOEXEC)) == -1 ||
	    ftruncate(body_fd, (off_t)size) == -1)
		err(1, "memfd");
	body = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, body_fd,
	    0);
	if (body == MAP_FAILED)
		err(1, "mmap");
	for (i = 0; i < size; i++) {
		x ^= x << 13;
		x ^= x >> 17;
		x ^= x << 5;
		body[i] = (char)(x >> 11);
	}
	/* of what nobody knows the beginning of, nothing is a type */
	memset(body, 0xf7, 16);
	if (signature != NULL)
		memcpy(body + size - strlen(signature), signature,
		    strlen(signature));
}

static void
run(struct client *c, int (*scan)(void), double until, int once)
{
	struct timespec	 wall;
	uint64_t	 turn;
	double		 start, end;

	(void)clock_gettime(CLOCK_REALTIME, &wall);
	turn = (uint64_t)wall.tv_sec * 1000000000 + (uint64_t)wall.tv_nsec;
	do {
		turn++;
		memcpy(body + 16, &turn, sizeof(turn));
		start = now();
		if (!scan())
			c->wrong++;
		end = now();
		if (c->n < TIMES_MAX)
			c->us[c->n] = (float)(end - start);
		c->n++;
	} while (!once && end < until);
}

static int
by_size(const void *a, const void *b)
{
	float	 x = *(const float *)a, y = *(const float *)b;

	return (x > y) - (x < y);
}

static int
report(struct client *c, unsigned int clients, double us)
{
	struct rusage	 ru;
	unsigned int	 i, k, n = 0, wrong = 0;
	size_t		 total = 0;
	float		*all;

	if ((all = malloc((size_t)clients * sizeof(c->us))) == NULL)
		err(1, NULL);
	for (i = 0; i < clients; i++) {
		n += c[i].n;
		wrong += c[i].wrong;
		for (k = 0; k < c[i].n && k < TIMES_MAX; k++)
			all[total++] = c[i].us[k];
	}
	if (n == 0)
		errx(1, "no transaction");
	qsort(all, total, sizeof(*all), by_size);
	(void)getrusage(RUSAGE_CHILDREN, &ru);
	printf("transactions %u\nrate %.1f\np50_us %.0f\np99_us %.0f\n"
	    "wrong %u\nown_cpu_us %.1f\n", n, (double)n / us * 1e6,
	    (double)all[total / 2], (double)all[total * 99 / 100], wrong,
	    ((double)(ru.ru_utime.tv_sec + ru.ru_stime.tv_sec) * 1e6 +
	    (double)(ru.ru_utime.tv_usec + ru.ru_stime.tv_usec)) / n);
	free(all);
	return wrong > 0;
}

int
main(int argc, char *argv[])
{
	struct client	*c;
	const char	*signature = NULL;
	double		 start, seconds = 1;
	unsigned int	 clients = 1, i;
	int		 ch, status, bad = 0, (*scan)(void);

	while ((ch = getopt(argc, argv, "c:d:i:s:")) != -1)
		switch (ch) {
		case 'c':
			clients = (unsigned int)strtoul(optarg, NULL, 10);
			break;
		case 'd':
			seconds = strtod(optarg, NULL);
			break;
		case 'i':
			signature = optarg;
			infected = 1;
			break;
		case 's':
			size = strtoul(optarg, NULL, 10);
			break;
		default:
			usage();
		}
	argc -= optind;
	argv += optind;
	if (argc == 2 && strcmp(argv[0], "fildes") == 0)
		scan = scan_fildes;
	else if (argc == 2 && strcmp(argv[0], "stream") == 0)
		scan = scan_stream;
	else if (argc == 3 && strcmp(argv[0], "icap") == 0) {
		scan = scan_icap;
		service = argv[2];
	} else
		usage();
	if (clients < 1 || clients > CLIENTS_MAX || size < 1024)
		usage();
	c = mmap(NULL, clients * sizeof(*c), PROT_READ | PROT_WRITE,
	    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (c == MAP_FAILED)
		err(1, "mmap");
	start = now();
	for (i = 0; i < clients; i++)
		switch (fork()) {
		case -1:
			err(1, "fork");
		case 0:
			if (scan == scan_icap)
				connect_port(argv[1]);
			else
				connect_path(argv[1]);
			make_body(i, signature);
			run(&c[i], scan, start + seconds * 1e6, infected);
			_exit(0);
		}
	while (wait(&status) != -1)
		if (status != 0)
			bad = 1;
	return report(c, clients, now() - start) || bad;
}
