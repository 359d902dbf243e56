/* SPDX-License-Identifier: ISC */
/*
 * A tiny HTTP/1.1 origin server for the tests with real proxies (squid.sh).
 * It listens on 127.0.0.1, port 0, prints the port and serves until its
 * standard input ends, so that it cannot outlive the script that started it.
 * One thread a connection, blocking calls: many clients, straight-line code.
 *
 *	/size/N[/SEED]	    N pseudo-random bytes with Content-Length
 *	/chunked/N[/SEED]   the same chunked, in chunks of uneven sizes
 *	/close/N[/SEED]	    the same, its end is the end of the connection
 *	/hold/N[/SEED]	    half of N bytes, then waits for the client to leave;
 *			    prints "held" and "gone" on standard output
 *	/barrier/K/SEED    30000 + SEED bytes of SEED, once K clients have come
 *	/status/204, 304    no body
 *	/file/size, /file/chunked, /file/close
 *			    the file named by -f, as it is at that moment
 *	/head		    the head of the request, as text
 *
 * Any request body is read, and POST and PUT answer with its POSIX checksum
 * and size, as cksum(1) prints them.  `origin -g N SEED` writes the bytes of
 * /size/N/SEED to standard output, so that a script can compare files.
 *
 * It must not be lenient: what a proxy should not send gets a 400.
 */

#include <sys/socket.h>
#include <sys/stat.h>

#include <netinet/in.h>
#include <netinet/tcp.h>

#include <ctype.h>
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#define HEAD_MAX	(64 * 1024)	/* request head, bytes */
#define LINE_SIZE	1024		/* chunk size or trailer line, bytes */
#define PIECE		(16 * 1024)	/* bytes made and sent at once */
#define BACKLOG		256		/* more than the clients of any test */
#define BARRIER_SIZE	30000		/* least size of these, bytes */
#define CRC_POLY	0x04c11db7U	/* of POSIX cksum */

struct origin_client {
	int	 fd;
	size_t	 start;			/* unread bytes are buf[start..end) */
	size_t	 end;
	char	 buf[HEAD_MAX + 1];	/* one more for a NUL */
};

struct origin_request {
	char	 method[16];
	char	 path[256];
	int	 minor;			/* of HTTP/1.x */
	int	 is_chunked;
	int	 has_length;
	int	 wants_continue;
	int	 wants_close;
	uint64_t length;
	char	 head[4096];		/* for /head */
};

/* Where a body comes from: the state is the pattern's, or the chunks' only. */
struct origin_body {
	uint64_t size;
	uint64_t state;
	int	 fd;			/* of a file, or -1 */
};

struct origin_sum {
	uint32_t crc;
	uint64_t size;
};

static void	 usage(void) __attribute__((__noreturn__));
static void	 generate(const char *, const char *);
static int	 listen_loopback(void);
static void	 serve_until_eof(int);
static void	*client_run(void *);
static int	 client_serve(struct origin_client *);
static int	 client_fill(struct origin_client *);
static int	 client_line(struct origin_client *, char *, size_t);
static int	 head_read(struct origin_client *, struct origin_request *);
static int	 head_parse(char *, struct origin_request *);
static int	 field_parse(char *, struct origin_request *);
static int	 body_read(struct origin_client *, struct origin_request *,
		    struct origin_sum *);
static int	 body_take(struct origin_client *, uint64_t,
		    struct origin_sum *);
static int	 reply_object(int, struct origin_request *, const char *,
		    uint64_t, uint64_t);
static int	 reply_file(int, struct origin_request *, const char *);
static int	 reply_body(int, struct origin_request *, const char *,
		    struct origin_body *);
static int	 reply_sum(int, struct origin_request *, struct origin_sum *);
static int	 reply_head(int, struct origin_request *);
static int	 reply_status(int, struct origin_request *, const char *);
static int	 send_body(int, struct origin_body *, uint64_t, int);
static int	 body_fill(struct origin_body *, unsigned char *, size_t);
static int	 send_text(int, const char *);
static int	 send_all(int, const void *, size_t);
static void	 hold(int);
static void	 barrier_wait(uint64_t);
static void	 say(const char *);
static int	 number_parse(const char *, int, uint64_t *);
static int	 path_parse(const char *, const char *, uint64_t *, uint64_t *);
static uint64_t	 pattern_init(uint64_t);
static void	 pattern_fill(uint64_t *, unsigned char *, size_t);
static void	 sum_add(struct origin_sum *, const void *, size_t);
static uint32_t	 sum_final(const struct origin_sum *);

static pthread_mutex_t barrier_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t barrier_open = PTHREAD_COND_INITIALIZER;
static uint64_t barrier_count;		/* clients that wait */
static uint64_t barrier_round;		/* times it has opened */

static const char *file_name;		/* of /file/, or NULL */

int
main(int argc, char *argv[])
{
	if (argc == 4 && strcmp(argv[1], "-g") == 0) {
		generate(argv[2], argv[3]);
		return 0;
	}
	if (argc == 3 && strcmp(argv[1], "-f") == 0)
		file_name = argv[2];
	else if (argc != 1)
		usage();
	if (signal(SIGPIPE, SIG_IGN) == SIG_ERR)
		err(1, "signal");
	serve_until_eof(listen_loopback());
	/* Threads may be at work still; nothing of theirs is worth a wait. */
	_exit(0);
}

static void
usage(void)
{
	fprintf(stderr, "usage: origin [-f file | -g size seed]\n");
	exit(2);
}

static void
generate(const char *sizestr, const char *seedstr)
{
	struct origin_body body;
	uint64_t seed;

	if (number_parse(sizestr, 10, &body.size) == -1 ||
	    number_parse(seedstr, 10, &seed) == -1)
		usage();
	body.state = pattern_init(seed);
	body.fd = -1;
	if (send_body(STDOUT_FILENO, &body, body.size, 0) == -1)
		err(1, "write");
}

static int
listen_loopback(void)
{
	struct sockaddr_in sin;
	socklen_t len = sizeof(sin);
	int fd;

	memset(&sin, 0, sizeof(sin));
	sin.sin_family = AF_INET;
	sin.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if ((fd = socket(AF_INET, SOCK_STREAM, 0)) == -1)
		err(1, "socket");
	if (bind(fd, (struct sockaddr *)&sin, sizeof(sin)) == -1)
		err(1, "bind");
	if (listen(fd, BACKLOG) == -1)
		err(1, "listen");
	if (getsockname(fd, (struct sockaddr *)&sin, &len) == -1)
		err(1, "getsockname");
	printf("port %u\n", (unsigned int)ntohs(sin.sin_port));
	if (fflush(stdout) == EOF)
		err(1, "stdout");
	return fd;
}

static void
serve_until_eof(int listener)
{
	struct origin_client *c;
	struct pollfd pfd[2];
	pthread_t thread;
	char discard[64];
	int error;

	pfd[0].fd = STDIN_FILENO;
	pfd[1].fd = listener;
	pfd[0].events = pfd[1].events = POLLIN;
	for (;;) {
		if (poll(pfd, 2, -1) == -1) {
			if (errno == EINTR)
				continue;
			err(1, "poll");
		}
		if (pfd[0].revents != 0 &&
		    read(STDIN_FILENO, discard, sizeof(discard)) <= 0)
			return;
		if ((pfd[1].revents & POLLIN) == 0)
			continue;
		if ((c = malloc(sizeof(*c))) == NULL)
			err(1, "malloc");
		c->start = c->end = 0;
		if ((c->fd = accept(listener, NULL, NULL)) == -1) {
			if (errno != ECONNABORTED && errno != EINTR)
				err(1, "accept");
			free(c);
			continue;
		}
		error = pthread_create(&thread, NULL, client_run, c);
		if (error == 0)
			error = pthread_detach(thread);
		if (error != 0) {
			errno = error;
			err(1, "pthread_create");
		}
	}
}

static void *
client_run(void *arg)
{
	struct origin_client *c = arg;
	const int on = 1;

	/* A head and a body are two writes; the second shall not wait. */
	if (setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)) == -1)
		err(1, "TCP_NODELAY");
	while (client_serve(c) == 0)
		continue;
	close(c->fd);
	free(c);
	return NULL;
}

/* Serves one request; -1 when the connection is to be closed. */
static int
client_serve(struct origin_client *c)
{
	struct origin_request req;
	struct origin_sum sum = { 0, 0 };
	uint64_t size, seed;
	int is_upload, rc;

	if (head_read(c, &req) == -1)
		return -1;
	if (body_read(c, &req, &sum) == -1) {
		reply_status(c->fd, &req, "400 Bad Request");
		return -1;
	}
	is_upload = strcmp(req.method, "POST") == 0 ||
	    strcmp(req.method, "PUT") == 0;
	if (is_upload)
		rc = reply_sum(c->fd, &req, &sum);
	else if (strcmp(req.method, "GET") != 0 &&
	    strcmp(req.method, "HEAD") != 0)
		rc = reply_status(c->fd, &req, "501 Not Implemented");
	else if (strcmp(req.path, "/head") == 0)
		rc = reply_head(c->fd, &req);
	else if (strcmp(req.path, "/status/204") == 0)
		rc = reply_status(c->fd, &req, "204 No Content");
	else if (strcmp(req.path, "/status/304") == 0)
		rc = reply_status(c->fd, &req, "304 Not Modified");
	else if (path_parse(req.path, "/size/", &size, &seed) == 0)
		rc = reply_object(c->fd, &req, "size", size, seed);
	else if (path_parse(req.path, "/chunked/", &size, &seed) == 0)
		rc = reply_object(c->fd, &req, "chunked", size, seed);
	else if (path_parse(req.path, "/close/", &size, &seed) == 0)
		rc = reply_object(c->fd, &req, "close", size, seed);
	else if (strncmp(req.path, "/file/", 6) == 0 && file_name != NULL)
		rc = reply_file(c->fd, &req, req.path + 6);
	else if (path_parse(req.path, "/hold/", &size, &seed) == 0)
		rc = reply_object(c->fd, &req, "hold", size, seed);
	else if (path_parse(req.path, "/barrier/", &size, &seed) == 0) {
		barrier_wait(size);
		rc = reply_object(c->fd, &req, "size", BARRIER_SIZE + seed,
		    seed);
	}
	else
		rc = reply_status(c->fd, &req, "404 Not Found");
	return req.wants_close ? -1 : rc;
}

/* Adds what has arrived to the buffer; -1 at the end of the connection. */
static int
client_fill(struct origin_client *c)
{
	ssize_t n;

	if (c->start == c->end)
		c->start = c->end = 0;
	if (c->end == HEAD_MAX && c->start > 0) {
		memmove(c->buf, c->buf + c->start, c->end - c->start);
		c->end -= c->start;
		c->start = 0;
	}
	if (c->end == HEAD_MAX)
		return -1;
	do {
		n = recv(c->fd, c->buf + c->end, HEAD_MAX - c->end, 0);
	} while (n == -1 && errno == EINTR);
	if (n <= 0)
		return -1;
	c->end += (size_t)n;
	return 0;
}

/* Takes one line that ends with CRLF and stores it without. */
static int
client_line(struct origin_client *c, char *line, size_t size)
{
	size_t len = 0;

	for (;;) {
		while (c->start < c->end) {
			if (len == size)
				return -1;
			line[len++] = c->buf[c->start++];
			if (line[len - 1] != '\n')
				continue;
			if (len < 2 || line[len - 2] != '\r')
				return -1;
			line[len - 2] = '\0';
			return 0;
		}
		if (client_fill(c) == -1)
			return -1;
	}
}

static int
head_read(struct origin_client *c, struct origin_request *req)
{
	char *end;

	for (;;) {
		c->buf[c->end] = '\0';
		end = strstr(c->buf + c->start, "\r\n\r\n");
		if (end != NULL)
			break;
		if (client_fill(c) == -1)
			return -1;
	}
	end[2] = '\0';
	memset(req, 0, sizeof(*req));
	snprintf(req->head, sizeof(req->head), "%s",
	    c->buf + c->start);
	if (head_parse(c->buf + c->start, req) == -1) {
		reply_status(c->fd, req, "400 Bad Request");
		return -1;
	}
	c->start = (size_t)(end + 4 - c->buf);
	return 0;
}

static int
head_parse(char *head, struct origin_request *req)
{
	char *line, *next, *target, *version;

	if ((next = strstr(head, "\r\n")) == NULL)
		return -1;
	*next = '\0';
	if ((target = strchr(head, ' ')) == NULL)
		return -1;
	*target++ = '\0';
	if ((version = strchr(target, ' ')) == NULL)
		return -1;
	*version++ = '\0';
	if (strcmp(version, "HTTP/1.1") == 0)
		req->minor = 1;
	else if (strcmp(version, "HTTP/1.0") == 0)
		req->wants_close = 1;
	else
		return -1;
	if (strlen(head) >= sizeof(req->method) ||
	    strlen(target) >= sizeof(req->path) || target[0] != '/')
		return -1;
	memcpy(req->method, head, strlen(head) + 1);
	memcpy(req->path, target, strlen(target) + 1);
	for (line = next + 2; *line != '\0'; line = next + 2) {
		if ((next = strstr(line, "\r\n")) == NULL)
			return -1;
		*next = '\0';
		if (field_parse(line, req) == -1)
			return -1;
	}
	/* A request with both is how requests are smuggled. */
	return req->is_chunked && req->has_length ? -1 : 0;
}

static int
field_parse(char *line, struct origin_request *req)
{
	char *value;

	if ((value = strchr(line, ':')) == NULL)
		return -1;
	*value++ = '\0';
	value += strspn(value, " \t");
	if (strcasecmp(line, "Content-Length") == 0) {
		if (req->has_length)
			return -1;
		req->has_length = 1;
		return number_parse(value, 10, &req->length);
	}
	if (strcasecmp(line, "Transfer-Encoding") == 0) {
		req->is_chunked = 1;
		return strcasecmp(value, "chunked") == 0 ? 0 : -1;
	}
	if (strcasecmp(line, "Connection") == 0 &&
	    strcasecmp(value, "close") == 0)
		req->wants_close = 1;
	if (strcasecmp(line, "Expect") == 0) {
		req->wants_continue = 1;
		return strcasecmp(value, "100-continue") == 0 ? 0 : -1;
	}
	return 0;
}

static int
body_read(struct origin_client *c, struct origin_request *req,
    struct origin_sum *sum)
{
	char line[LINE_SIZE];
	uint64_t size;

	if (req->wants_continue && c->start == c->end &&
	    send_text(c->fd, "HTTP/1.1 100 Continue\r\n\r\n") == -1)
		return -1;
	if (!req->is_chunked)
		return body_take(c, req->length, sum);
	for (;;) {
		if (client_line(c, line, sizeof(line)) == -1)
			return -1;
		line[strcspn(line, " \t;")] = '\0';
		if (number_parse(line, 16, &size) == -1)
			return -1;
		if (size == 0)
			break;
		if (body_take(c, size, sum) == -1 ||
		    client_line(c, line, sizeof(line)) == -1 ||
		    line[0] != '\0')
			return -1;
	}
	do {
		if (client_line(c, line, sizeof(line)) == -1)
			return -1;
	} while (line[0] != '\0');
	return 0;
}

static int
body_take(struct origin_client *c, uint64_t size, struct origin_sum *sum)
{
	size_t n;

	while (size > 0) {
		if (c->start == c->end && client_fill(c) == -1)
			return -1;
		n = c->end - c->start;
		if (n > size)
			n = (size_t)size;
		sum_add(sum, c->buf + c->start, n);
		c->start += n;
		size -= n;
	}
	return 0;
}

static int
reply_object(int fd, struct origin_request *req, const char *kind,
    uint64_t size, uint64_t seed)
{
	struct origin_body body = { size, pattern_init(seed), -1 };

	return reply_body(fd, req, kind, &body);
}

static int
reply_file(int fd, struct origin_request *req, const char *kind)
{
	struct origin_body body = { 0, pattern_init(1), -1 };
	struct stat st;
	int rc;

	if ((body.fd = open(file_name, O_RDONLY | O_CLOEXEC)) == -1)
		return reply_status(fd, req, "404 Not Found");
	if (fstat(body.fd, &st) == -1)
		err(1, "fstat");
	body.size = (uint64_t)st.st_size;
	rc = reply_body(fd, req, kind, &body);
	close(body.fd);
	return rc;
}

static int
reply_body(int fd, struct origin_request *req, const char *kind,
    struct origin_body *body)
{
	char head[512], framing[64];
	int is_chunked = strcmp(kind, "chunked") == 0 && req->minor == 1;
	int is_close = !is_chunked && (strcmp(kind, "close") == 0 ||
	    strcmp(kind, "chunked") == 0);
	int is_hold = strcmp(kind, "hold") == 0;

	if (is_chunked)
		snprintf(framing, sizeof(framing),
		    "Transfer-Encoding: chunked\r\n");
	else if (is_close)
		snprintf(framing, sizeof(framing), "Connection: close\r\n");
	else
		snprintf(framing, sizeof(framing), "Content-Length: %ju\r\n",
		    (uintmax_t)body->size);
	snprintf(head, sizeof(head), "HTTP/1.1 200 OK\r\n"
	    "Content-Type: application/octet-stream\r\n"
	    "Cache-Control: no-store\r\n%s\r\n", framing);
	if (is_close)
		req->wants_close = 1;
	if (send_text(fd, head) == -1)
		return -1;
	if (strcmp(req->method, "HEAD") == 0)
		return 0;
	if (send_body(fd, body, is_hold ? body->size / 2 : body->size,
	    is_chunked) == -1)
		return -1;
	if (is_hold) {
		hold(fd);
		return -1;
	}
	return 0;
}

static int
reply_sum(int fd, struct origin_request *req, struct origin_sum *sum)
{
	char reply[512], body[64];

	snprintf(body, sizeof(body), "%ju %ju\n", (uintmax_t)sum_final(sum),
	    (uintmax_t)sum->size);
	snprintf(reply, sizeof(reply), "HTTP/1.1 %s\r\n"
	    "Content-Type: text/plain\r\nCache-Control: no-store\r\n"
	    "Content-Length: %zu\r\n\r\n%s",
	    strcmp(req->method, "PUT") == 0 ? "201 Created" : "200 OK",
	    strlen(body), body);
	return send_text(fd, reply);
}

/* Answers with the head that has come, as text. */
static int
reply_head(int fd, struct origin_request *req)
{
	char reply[sizeof(req->head) + 256];

	snprintf(reply, sizeof(reply), "HTTP/1.1 200 OK\r\n"
	    "Content-Type: text/plain\r\nCache-Control: no-store\r\n"
	    "Server: origin\r\nX-Powered-By: origin/1.0\r\n"
	    "Content-Length: %zu\r\n\r\n%s", strlen(req->head), req->head);
	return send_text(fd, reply);
}

static int
reply_status(int fd, struct origin_request *req, const char *status)
{
	char reply[512];
	int is_bodyless;

	is_bodyless = strncmp(status, "204", 3) == 0 ||
	    strncmp(status, "304", 3) == 0;
	if (strncmp(status, "400", 3) == 0)
		req->wants_close = 1;
	snprintf(reply, sizeof(reply), "HTTP/1.1 %s\r\nETag: \"origin\"\r\n"
	    "%s%s\r\n", status, is_bodyless ? "" : "Content-Length: 0\r\n",
	    req->wants_close ? "Connection: close\r\n" : "");
	return send_text(fd, reply);
}

/*
 * Sends the next size bytes of a body, as they are or as chunks.  The chunk
 * sizes come from the pattern too: a reader meets small and large ones.
 */
static int
send_body(int fd, struct origin_body *body, uint64_t size, int is_chunked)
{
	unsigned char piece[PIECE];
	char line[32];
	uint64_t want = sizeof(piece);
	size_t n;

	while (size > 0) {
		if (is_chunked)
			want = (body->state >> 32) % sizeof(piece) + 1;
		n = (size_t)(size < want ? size : want);
		if (body_fill(body, piece, n) == -1)
			return -1;
		snprintf(line, sizeof(line), "%zx\r\n", n);
		if (is_chunked && send_text(fd, line) == -1)
			return -1;
		if (send_all(fd, piece, n) == -1)
			return -1;
		if (is_chunked && send_text(fd, "\r\n") == -1)
			return -1;
		size -= n;
	}
	return is_chunked ? send_text(fd, "0\r\n\r\n") : 0;
}

/* The next n bytes; n is what the chunks of a file are cut by. */
static int
body_fill(struct origin_body *body, unsigned char *piece, size_t n)
{
	ssize_t got;

	pattern_fill(&body->state, piece, n);
	while (body->fd != -1 && n > 0) {
		if ((got = read(body->fd, piece, n)) <= 0)
			return -1;	/* it has become shorter */
		piece += got;
		n -= (size_t)got;
	}
	return 0;
}

static int
send_text(int fd, const char *text)
{
	return send_all(fd, text, strlen(text));
}

/* write(), as standard output may be a pipe or a file. */
static int
send_all(int fd, const void *data, size_t size)
{
	const char *p = data;
	ssize_t n;

	while (size > 0) {
		if ((n = write(fd, p, size)) == -1) {
			if (errno == EINTR)
				continue;
			return -1;
		}
		p += n;
		size -= (size_t)n;
	}
	return 0;
}

static void
hold(int fd)
{
	char c;

	say("held\n");
	while (recv(fd, &c, 1, 0) > 0)
		continue;
	say("gone\n");
}

/* Returns once as many clients wait here; the next ones start anew. */
static void
barrier_wait(uint64_t want)
{
	uint64_t round;

	pthread_mutex_lock(&barrier_lock);
	round = barrier_round;
	if (++barrier_count >= want) {
		barrier_count = 0;
		barrier_round++;
		pthread_cond_broadcast(&barrier_open);
	}
	while (round == barrier_round)
		pthread_cond_wait(&barrier_open, &barrier_lock);
	pthread_mutex_unlock(&barrier_lock);
}

/* One write a word: threads cannot mix their letters. */
static void
say(const char *word)
{
	if (send_text(STDOUT_FILENO, word) == -1)
		err(1, "stdout");
}

/* Digits of the base and nothing else, without overflow. */
static int
number_parse(const char *s, int base, uint64_t *value)
{
	uint64_t v = 0;
	unsigned int digit;
	int c;

	if (*s == '\0')
		return -1;
	for (; *s != '\0'; s++) {
		c = tolower((unsigned char)*s);
		if (c >= '0' && c <= '9')
			digit = (unsigned int)(c - '0');
		else if (base == 16 && c >= 'a' && c <= 'f')
			digit = (unsigned int)(c - 'a' + 10);
		else
			return -1;
		if (v > (UINT64_MAX - digit) / (unsigned int)base)
			return -1;
		v = v * (unsigned int)base + digit;
	}
	*value = v;
	return 0;
}

/* prefixN or prefixN/SEED; the seed is 1 when the path names none. */
static int
path_parse(const char *path, const char *prefix, uint64_t *size,
    uint64_t *seed)
{
	char number[32];
	const char *slash;
	size_t len = strlen(prefix);

	if (strncmp(path, prefix, len) != 0)
		return -1;
	path += len;
	*seed = 1;
	if ((slash = strchr(path, '/')) == NULL)
		return number_parse(path, 10, size);
	len = (size_t)(slash - path);
	if (len >= sizeof(number))
		return -1;
	memcpy(number, path, len);
	number[len] = '\0';
	if (number_parse(number, 10, size) == -1)
		return -1;
	return number_parse(slash + 1, 10, seed);
}

/* xorshift64; a state of zero would stay zero. */
static uint64_t
pattern_init(uint64_t seed)
{
	return seed * 0x9e3779b97f4a7c15ULL + 1;
}

static void
pattern_fill(uint64_t *state, unsigned char *buf, size_t size)
{
	uint64_t x = *state;
	size_t i;

	for (i = 0; i < size; i++) {
		x ^= x << 13;
		x ^= x >> 7;
		x ^= x << 17;
		buf[i] = (unsigned char)(x >> 56);
	}
	*state = x;
}

static void
sum_add(struct origin_sum *sum, const void *data, size_t size)
{
	const unsigned char *p = data;
	size_t i;
	int bit;

	sum->size += size;
	for (i = 0; i < size; i++) {
		sum->crc ^= (uint32_t)p[i] << 24;
		for (bit = 0; bit < 8; bit++)
			sum->crc = (sum->crc << 1) ^
			    (sum->crc & 0x80000000U ? CRC_POLY : 0);
	}
}

/* POSIX cksum runs the size through the sum as well, low byte first. */
static uint32_t
sum_final(const struct origin_sum *sum)
{
	struct origin_sum s = *sum;
	unsigned char byte;
	uint64_t size;

	for (size = sum->size; size != 0; size >>= 8) {
		byte = (unsigned char)(size & 0xff);
		sum_add(&s, &byte, 1);
	}
	return ~s.crc;
}
