/* SPDX-License-Identifier: ISC */
/*
 * The client of clamd against a clamd that says whatever a test wants: every
 * reply, cut at every point, garbage, silence, and the end of the connection
 * at each byte.  Whatever is not exactly the reply OK to this request must
 * not come out as clean.  Behind that the cache.
 *
 * The false clamd is a child that takes its orders from shared memory; the
 * test gives them before it asks, so nothing is a matter of time.  The clock
 * is ours, so that a while goes by when a test says so.
 */
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>

#include <arpa/inet.h>
#include <netinet/in.h>

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "../services/clamav.h"
#include "../services/clamd_engine.h"
#include "../services/vital.h"
#include "unit.h"

/* Instructions that take longest; a memory checker needs many more. */
#define STEPS_MAX	4000

enum order {
	REPLY,			/* reply[0..len), in two pieces */
	REPLY_CLOSE,		/* and close */
	DIE,			/* close, with `cut` bytes of the body */
	HANG			/* say nothing */
};

/* What the false clamd is told, and what it has seen. */
struct orders {
	enum order	 order;
	char		 reply[8192];	/* %u is the number of the request */
	size_t		 len;
	size_t		 cut;
	bool		 early;		/* INSTREAM: at the first chunk */
	char		 version[64];
	unsigned int	 connections;
	unsigned int	 requests;
	unsigned int	 died;		/* with the command, or more */
	size_t		 body_len;
	char		 body[256];	/* its first bytes */
};

static struct orders	*orders;
static char		 dir[60];
static char		 address[80];
static pid_t		 fake;

static int64_t		 skipped;	/* seconds that have gone by at once */

int
clock_gettime(clockid_t id, struct timespec *ts)
{
	int	 n = (int)syscall(SYS_clock_gettime, id, ts);

	ts->tv_sec += (time_t)skipped;
	return n;
}

/* ---- the name server ---------------------------------------------------- */

/* dead.example is answered when the other end of it is closed; or -1. */
static int	 dead = -1;

/* That of the C library but for that. */
int
getaddrinfo(const char *name, const char *port, const struct addrinfo *hints,
    struct addrinfo **list)
{
	int	 (*real)(const char *, const char *, const struct addrinfo *,
		    struct addrinfo **);
	char	 byte;

	if (strcmp(name, "dead.example") == 0) {
		if ((hints->ai_flags & AI_NUMERICHOST) == 0)
			(void)!read(dead, &byte, 1);
		return EAI_NONAME;
	}
	*(void **)&real = dlsym(RTLD_NEXT, "getaddrinfo");
	return real(name, port, hints, list);
}

/* ---- the false clamd ---------------------------------------------------- */

/* Exactly len bytes; a descriptor that comes with them goes to *fd. */
static int
take(int s, void *dst, size_t len, int *fd)
{
	union {
		struct cmsghdr	 align;
		char		 space[CMSG_SPACE(sizeof(int))];
	}		 control;
	struct iovec	 iov;
	struct msghdr	 msg;
	struct cmsghdr	*cmsg;
	ssize_t		 n;
	size_t		 done = 0;

	while (done < len) {
		iov.iov_base = (char *)dst + done;
		iov.iov_len = len - done;
		memset(&msg, 0, sizeof(msg));
		msg.msg_iov = &iov;
		msg.msg_iovlen = 1;
		msg.msg_control = control.space;
		msg.msg_controllen = sizeof(control.space);
		if ((n = recvmsg(s, &msg, 0)) <= 0)
			return -1;
		cmsg = CMSG_FIRSTHDR(&msg);
		if (fd != NULL && cmsg != NULL)
			memcpy(fd, CMSG_DATA(cmsg), sizeof(int));
		done += (size_t)n;
	}
	return 0;
}

static int
take_word(int s, char *dst, size_t size, int *fd)
{
	size_t	 n = 0;

	do {
		if (n == size || take(s, dst + n, 1, fd) == -1)
			return -1;
	} while (dst[n++] != '\0');
	return 0;
}

static int
say(int s, const char *p, size_t len)
{
	return len == 0 || send(s, p, len, MSG_NOSIGNAL) ==
	    (ssize_t)len ? 0 : -1;
}

static void
note_body(const char *p, size_t len)
{
	size_t	 i;

	for (i = 0; i < len; i++)
		if (orders->body_len + i < sizeof(orders->body))
			orders->body[orders->body_len + i] = p[i];
	orders->body_len += len;
}

/* Takes so many bytes behind the command, and goes. */
static int
take_and_die(int s)
{
	static char	 piece[1000];
	size_t		 left = orders->cut, n;

	while (left > 0) {
		n = left < sizeof(piece) ? left : sizeof(piece);
		if (take(s, piece, n, NULL) == -1)
			break;
		left -= n;
	}
	orders->died++;
	return -1;
}

/* Takes the body of a request; 1: enough of it to answer early. */
static int
take_body(int s, const char *word, int fd)
{
	static char	 piece[70000];
	uint32_t	 size;
	ssize_t		 n;

	orders->body_len = 0;
	if (orders->order == DIE)
		return take_and_die(s);
	if (strcmp(word, "zFILDES") == 0) {
		if (take(s, piece, 1, &fd) == -1 || fd == -1)
			return -1;
		n = pread(fd, piece, sizeof(piece), 0);
		(void)close(fd);
		if (n == -1)
			return -1;
		note_body(piece, (size_t)n);
		return 0;
	}
	for (;;) {
		if (take(s, &size, sizeof(size), NULL) == -1 ||
		    (size = ntohl(size)) > sizeof(piece))
			return -1;
		if (size == 0)
			return 0;
		if (take(s, piece, size, NULL) == -1)
			return -1;
		note_body(piece, size);
		if (orders->early)
			return 1;
	}
}

/* Orders, with the number of the request in place of %u. */
static int
answer(int s, unsigned int id)
{
	char	 text[sizeof(orders->reply) + 16];
	size_t	 len = orders->len, cut, n;
	int	 digits = 0;

	if (len >= 2 && memcmp(orders->reply, "%u", 2) == 0) {
		digits = snprintf(text, sizeof(text), "%u", id);
		len -= 2;
	}
	memcpy(text + digits, orders->reply + (digits > 0 ? 2 : 0), len);
	n = len + (size_t)digits;
	cut = orders->cut < n ? orders->cut : n;
	/* two skbs: the client may see the first alone, or not */
	if (say(s, text, cut) == -1 || say(s, text + cut, n - cut) == -1)
		return -1;
	return orders->order == REPLY_CLOSE ? -1 : 0;
}

static void
serve(int s)
{
	char		 word[64], text[128];
	unsigned int	 id = 0;
	int		 fd = -1, n;

	for (;;) {
		if (take_word(s, word, sizeof(word), &fd) == -1)
			return;
		if (strcmp(word, "zIDSESSION") == 0)
			continue;
		id++;
		if (strcmp(word, "zVERSION") == 0) {
			n = snprintf(text, sizeof(text), "%u: %s", id,
			    orders->version);
			if (say(s, text, (size_t)n + 1) == -1)
				return;
			continue;
		}
		orders->requests++;
		if (take_body(s, word, fd) == -1)
			return;
		fd = -1;
		if (orders->order == HANG)
			(void)take(s, text, 1, NULL);
		if (orders->order == HANG || answer(s, id) == -1)
			return;
	}
}

static void
start_fake(void)
{
	struct sockaddr_un	 sun = { .sun_family = AF_UNIX };
	const char		*parent_dir = getenv("TMPDIR");
	pid_t			 parent = getpid();
	int			 l, s;

	orders = mmap(NULL, sizeof(*orders), PROT_READ | PROT_WRITE,
	    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ck_assert(orders != MAP_FAILED);
	(void)strlcpy(orders->version, "ClamAV 1.4.6/1/now",
	    sizeof(orders->version));
	/* a socket's address has 107 bytes */
	if (parent_dir == NULL || strlen(parent_dir) > 40)
		parent_dir = "/tmp";
	(void)snprintf(dir, sizeof(dir), "%s/check_clamd.XXXXXX", parent_dir);
	ck_assert(mkdtemp(dir) != NULL);
	(void)snprintf(sun.sun_path, sizeof(sun.sun_path), "%s/s", dir);
	(void)snprintf(address, sizeof(address), "unix:%s/s", dir);
	l = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	ck_assert(l != -1);
	ck_assert(bind(l, (struct sockaddr *)&sun, sizeof(sun)) == 0);
	ck_assert(listen(l, 16) == 0);
	/* no ck_assert in a child: its notes would mix with ours */
	if ((fake = fork()) != 0) {
		ck_assert(fake != -1);
		(void)close(l);
		return;
	}
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	(void)signal(SIGCHLD, SIG_IGN);
	/* a process for each connection, so that none waits for another */
	while (getppid() == parent && (s = accept(l, NULL, NULL)) != -1) {
		orders->connections++;
		if (fork() == 0) {
			(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
			serve(s);
			_exit(0);
		}
		(void)close(s);
	}
	_exit(0);
}

static void
end_fake(void)
{
	char	 path[80];

	ck_assert(kill(fake, SIGKILL) == 0);
	ck_assert(waitpid(fake, NULL, 0) == fake);
	(void)snprintf(path, sizeof(path), "%s/s", dir);
	(void)unlink(path);
	(void)rmdir(dir);
}

/* ---- the tests ---------------------------------------------------------- */

static const struct clamd_timeouts	 patient = { 20000, 20000, 20000 };
static const struct clamd_timeouts	 hasty = { 20000, 20000, 50 };

static struct clamd *
client(const struct clamd_timeouts *timeouts, const char *first,
    const char *second)
{
	struct clamd	*c = clamd_new(timeouts, 4);

	ck_assert(c != NULL);
	ck_assert(clamd_add(c, first) == 0);
	if (second != NULL)
		ck_assert(clamd_add(c, second) == 0);
	return c;
}

static int
poll_meanwhile(void *arg)
{
	clamd_on_wait(arg, NULL, NULL);
	clamd_poll(arg, NULL);
	return -1;
}

static const char *
as_stream(void)
{
	static char	 text[90];

	(void)snprintf(text, sizeof(text), "stream:%s/s", dir);
	return text;
}

static void
tell(enum order order, const char *reply, size_t len, size_t cut)
{
	orders->order = order;
	memcpy(orders->reply, reply, len);
	orders->len = len;
	orders->cut = cut;
	orders->early = false;
}

static int
body_of(const char *p, size_t len)
{
	int	 fd = memfd_create("body", MFD_CLOEXEC);

	ck_assert(fd != -1 && write(fd, p, len) == (ssize_t)len);
	return fd;
}

/* A file of a part, of which there may be less than is said. */
static int
part_of(void *arg, uint64_t offset, uint64_t len)
{
	const int	*fd = arg;
	off_t		 from = (off_t)offset;
	int		 part = memfd_create("part", MFD_CLOEXEC);

	ck_assert(part != -1);
	if (sendfile(part, *fd, &from, (size_t)len) == (ssize_t)len)
		return part;
	(void)close(part);
	errno = ENOSPC;
	return -1;
}

static enum clamd_result
scan_fd(struct clamd *c, int fd, uint64_t len, int64_t deadline,
    struct clamd_verdict *v)
{
	struct clamd_body	 b = { .fd = fd, .len = len };

	v->result = CLAMD_CLEAN;
	clamd_scan(c, &b, deadline, v);
	return v->result;
}

static enum clamd_result
scan_part(struct clamd *c, int fd, uint64_t offset, uint64_t len,
    struct clamd_verdict *v)
{
	struct clamd_body	 b = { fd, offset, len, part_of, &fd };

	v->result = CLAMD_CLEAN;
	clamd_scan(c, &b, clamd_now() + 20000, v);
	return v->result;
}

static enum clamd_result
scan(struct clamd *c, struct clamd_verdict *v)
{
	int	 fd = body_of("hello", 5);

	(void)scan_fd(c, fd, 5, clamd_now() + 20000, v);
	(void)close(fd);
	return v->result;
}

static const struct {
	const char		*reply;	/* with its NUL, as %u and a text */
	enum clamd_result	 result;
	const char		*text;
} replies[] = {
	{ "%u: fd[10]: OK", CLAMD_CLEAN, "" },
	{ "%u: stream: OK", CLAMD_CLEAN, "" },
	{ "%u: fd[10]: Win.Test FOUND", CLAMD_INFECTED, "Win.Test" },
	{ "%u: stream: A B: C FOUND", CLAMD_INFECTED, "A B: C" },
	{ "%u: fd[10]: OK FOUND", CLAMD_INFECTED, "OK" },
	{ "%u: fd[1]: Heuristics.Encrypted.Zip FOUND", CLAMD_ENCRYPTED,
	    "Heuristics.Encrypted.Zip" },
	{ "%u: fd[1]: Heuristics.Limits.Exceeded.MaxFileSize FOUND",
	    CLAMD_LIMIT, "Heuristics.Limits.Exceeded.MaxFileSize" },
	{ "%u: INSTREAM size limit exceeded. ERROR", CLAMD_TOO_LARGE, NULL },
	{ "%u: fd[1]: CL_ETIMEOUT: Time limit reached ERROR", CLAMD_TIMEOUT,
	    NULL },
	{ "%u: fd[1]: OK ERROR", CLAMD_ERROR, NULL },
	{ "%u: fd[1]: Can't allocate memory ERROR", CLAMD_ERROR, NULL },
	{ "%u: Command invalid inside IDSESSION. ERROR", CLAMD_ERROR, NULL },
	{ "", CLAMD_ERROR, NULL },
	{ "OK", CLAMD_ERROR, NULL },
	{ "%u: OK", CLAMD_ERROR, NULL },
	{ "%u: fd[10]: ok", CLAMD_ERROR, NULL },
	{ "%u: fd[10]: OK ", CLAMD_ERROR, NULL },
	{ "%u: fd[10]: OK\n", CLAMD_ERROR, NULL },
	{ "%u: fd[10]:  OK", CLAMD_ERROR, NULL },
	{ "%u: fd[]: OK", CLAMD_ERROR, NULL },
	{ "%u: fd[x]: OK", CLAMD_ERROR, NULL },
	{ "%u: fd: OK", CLAMD_ERROR, NULL },
	{ "%u: /etc/passwd: OK", CLAMD_ERROR, NULL },
	{ "%u:fd[10]: OK", CLAMD_ERROR, NULL },
	{ "%u: fd[10]: FOUND", CLAMD_ERROR, NULL },
	{ "%u: fd[10]:  FOUND", CLAMD_ERROR, NULL },
	{ "fd[10]: OK", CLAMD_ERROR, NULL },
	{ "stream: OK", CLAMD_ERROR, NULL },
	{ "0: fd[10]: OK", CLAMD_ERROR, NULL },
	{ "999999999: fd[10]: OK", CLAMD_ERROR, NULL },
	{ "4294967297: fd[10]: OK", CLAMD_ERROR, NULL },
	{ " 1: fd[10]: OK", CLAMD_ERROR, NULL },
	{ "-1: fd[10]: OK", CLAMD_ERROR, NULL },
	{ "UNKNOWN COMMAND", CLAMD_ERROR, NULL },
	{ "COMMAND READ TIMED OUT", CLAMD_ERROR, NULL },
	{ "%u: PONG", CLAMD_ERROR, NULL },
};

START_TEST(reply_is_understood_however_it_is_cut)
{
	struct clamd_verdict	 v;
	struct clamd		*c = client(&patient, address, NULL);
	struct clamd		*s = client(&patient, as_stream(), NULL);
	size_t			 len = strlen(replies[_i].reply) + 1, cut;

	for (cut = 0; cut <= len; cut++) {
		tell(REPLY, replies[_i].reply, len, cut);
		ck_assert_msg(scan(c, &v) == replies[_i].result, "%zu: %d %s",
		    cut, v.result, v.text);
		if (replies[_i].text != NULL)
			ck_assert_str_eq(v.text, replies[_i].text);
		ck_assert_uint_eq(orders->body_len, 5);
		ck_assert_int_eq(scan(s, &v), replies[_i].result);
		ck_assert_uint_eq(orders->body_len, 5);
	}
	clamd_free(c);
	clamd_free(s);
}
END_TEST

START_TEST(reply_without_its_end_is_none)
{
	static const char	 ok[] = "%u: fd[10]: OK";
	struct clamd_verdict	 v;
	struct clamd		*c = client(&patient, address, NULL);
	size_t			 len;

	/* an end of the connection at each byte, the NUL apart */
	for (len = 2; len < sizeof(ok); len++) {
		tell(REPLY_CLOSE, ok, len, len);
		ck_assert_int_ne(scan(c, &v), CLAMD_CLEAN);
		ck_assert_int_ne(v.result, CLAMD_INFECTED);
	}
	tell(REPLY_CLOSE, "", 0, 0);
	ck_assert_int_eq(scan(c, &v), CLAMD_DOWN);
	clamd_free(c);
}
END_TEST

START_TEST(reply_with_more_behind_it_is_none)
{
	static const char	 two[] = "%u: fd[10]: OK\0002: fd[10]: OK";
	static char		 endless[8000];
	struct clamd_verdict	 v;
	struct clamd		*c = client(&patient, address, NULL);

	tell(REPLY, two, sizeof(two), sizeof(two));
	ck_assert_int_eq(scan(c, &v), CLAMD_ERROR);
	memset(endless, 'O', sizeof(endless));
	tell(REPLY, endless, sizeof(endless), 0);
	ck_assert_int_eq(scan(c, &v), CLAMD_ERROR);
	/* and nothing of it is left for the next one */
	tell(REPLY, "%u: fd[1]: X FOUND", 19, 0);
	ck_assert_int_eq(scan(c, &v), CLAMD_INFECTED);
	clamd_free(c);
}
END_TEST

START_TEST(every_byte_may_be_garbage)
{
	static const char	 ok[] = "1: fd[10]: OK";
	struct clamd_verdict	 v;
	char			 text[sizeof(ok)];
	size_t			 i;
	int			 c;

	for (i = 0; i < sizeof(ok) - 1; i++)
		for (c = 0; c < 256; c++) {
			memcpy(text, ok, sizeof(text));
			text[i] = (char)c;
			(void)clamd_parse(text, sizeof(ok) - 1, 1, &v);
			/* another number of the descriptor is no matter */
			unit_must((v.result == CLAMD_CLEAN) ==
			    (text[i] == ok[i] || ((i == 6 || i == 7) &&
			    c >= '0' && c <= '9')));
		}
}
END_TEST

START_TEST(silence_is_a_timeout)
{
	struct clamd_verdict	 v;
	struct clamd		*c = client(&hasty, address, NULL);
	int			 fd = body_of("hello", 5);

	tell(HANG, "", 0, 0);
	ck_assert_int_eq(scan(c, &v), CLAMD_TIMEOUT);
	clamd_free(c);
	/* the same for the deadline of all */
	c = client(&patient, address, NULL);
	(void)scan_fd(c, fd, 5, clamd_now() + 50, &v);
	ck_assert_int_eq(v.result, CLAMD_TIMEOUT);
	(void)scan_fd(c, fd, 5, clamd_now() - 1, &v);
	ck_assert_int_eq(v.result, CLAMD_TIMEOUT);
	(void)close(fd);
	clamd_free(c);
}
END_TEST

START_TEST(session_is_kept_and_renewed)
{
	static const char	 ok[] = "%u: fd[10]: OK";
	struct clamd_verdict	 v;
	struct clamd		*c = client(&patient, address, NULL);
	unsigned int		 before = orders->connections, i;

	tell(REPLY, ok, sizeof(ok), 0);
	for (i = 0; i < 5; i++)
		ck_assert_int_eq(scan(c, &v), CLAMD_CLEAN);
	ck_assert_uint_eq(orders->connections, before + 1);
	/* closed behind our back, before or while we ask */
	tell(REPLY_CLOSE, ok, sizeof(ok), 0);
	for (i = 0; i < 20; i++)
		ck_assert_int_eq(scan(c, &v), CLAMD_CLEAN);
	clamd_free(c);
	/* nobody may keep one */
	c = clamd_new(&patient, 0);
	ck_assert(c != NULL && clamd_add(c, address) == 0);
	tell(REPLY, ok, sizeof(ok), 0);
	before = orders->connections;
	for (i = 0; i < 3; i++)
		ck_assert_int_eq(scan(c, &v), CLAMD_CLEAN);
	ck_assert_uint_eq(orders->connections, before + 3);
	clamd_free(c);
}
END_TEST

/* A place is its keeper's, whose clock may be ahead of ours by a second. */
START_TEST(place_is_kept)
{
	struct clamd_engine	 mine, other;

	ck_assert_int_eq(clamd_engine_init(&mine, address), 0);
	ck_assert(clamd_engine_keep(&mine, 1));
	other = mine;
	other.place = -1;
	skipped -= 2;
	ck_assert(!clamd_engine_keep(&other, 1));
	skipped += 2 + 5;
	ck_assert(!clamd_engine_keep(&other, 1));
	skipped += 30;
	ck_assert(clamd_engine_keep(&other, 1));
	clamd_engine_fini(&mine);
}
END_TEST

START_TEST(others_take_over)
{
	static const char	 ok[] = "%u: stream: OK";
	struct clamd_verdict	 v;
	struct clamd		*c;
	unsigned int		 i;

	tell(REPLY, ok, sizeof(ok), 0);
	c = client(&patient, "unix:/nonexistent/clamd", address);
	for (i = 0; i < 3; i++)
		ck_assert_int_eq(scan(c, &v), CLAMD_CLEAN);
	clamd_free(c);
	/* port 1 of this host: nobody is there */
	c = client(&patient, "127.0.0.1:1", as_stream());
	ck_assert_int_eq(scan(c, &v), CLAMD_CLEAN);
	clamd_free(c);
	c = client(&patient, "127.0.0.1:1", "unix:/nonexistent/clamd");
	ck_assert_int_eq(scan(c, &v), CLAMD_DOWN);
	clamd_free(c);
}
END_TEST

/* Who is down has not seen the body: what another one has said of it stays. */
START_TEST(reason_outlives_who_is_down)
{
	static const char	 large[] =
				    "%u: INSTREAM size limit exceeded. ERROR";
	static const char	 late[] =
				    "%u: fd[1]: CL_ETIMEOUT: Time limit ERROR";
	static const char	 error[] = "%u: fd[1]: Broken ERROR";
	static const char	 ok[] = "%u: fd[1]: OK";
	static const char	 nobody[] = "unix:/nonexistent/clamd";
	struct clamd_verdict	 v;
	struct clamd		*c;
	unsigned int		 i;

	for (i = 0; i < 2; i++) {
		c = client(&patient, i == 0 ? address : nobody,
		    i == 0 ? nobody : address);
		tell(REPLY, large, sizeof(large), 0);
		ck_assert_int_eq(scan(c, &v), CLAMD_TOO_LARGE);
		tell(REPLY, late, sizeof(late), 0);
		ck_assert_int_eq(scan(c, &v), CLAMD_TIMEOUT);
		tell(REPLY, error, sizeof(error), 0);
		ck_assert_int_eq(scan(c, &v), CLAMD_ERROR);
		ck_assert(strstr(v.text, "Broken") != NULL);
		tell(REPLY, ok, sizeof(ok), 0);
		ck_assert_int_eq(scan(c, &v), CLAMD_CLEAN);
		clamd_free(c);
	}
}
END_TEST

START_TEST(bodies_arrive)
{
	static const char	 ok[] = "%u: stream: OK";
	struct clamd_verdict	 v;
	struct clamd		*c = client(&patient, address, NULL);
	struct clamd		*s = client(&patient, as_stream(), NULL);
	char			*p = unit_pattern(200000);
	int			 fd = body_of(p, 200000);
	struct service_backend	 b;
	struct vital_state	 state;

	tell(REPLY, ok, sizeof(ok), 0);
	(void)scan_fd(s, fd, 200000, clamd_now() + 20000, &v);
	ck_assert_int_eq(v.result, CLAMD_CLEAN);
	ck_assert_uint_eq(orders->body_len, 200000);
	/* a part is a file of its own */
	(void)scan_part(c, fd, 1000, 500, &v);
	ck_assert_int_eq(v.result, CLAMD_CLEAN);
	ck_assert_uint_eq(orders->body_len, 500);
	ck_assert(memcmp(orders->body, p + 1000, 256) == 0);
	(void)scan_part(s, fd, 1000, 70000, &v);
	ck_assert_int_eq(v.result, CLAMD_CLEAN);
	ck_assert_uint_eq(orders->body_len, 70000);
	ck_assert(memcmp(orders->body, p + 1000, 256) == 0);
	/* a file that is shorter than its length */
	(void)scan_part(s, fd, 199999, 2, &v);
	ck_assert_int_eq(v.result, CLAMD_ERROR);
	/* which is no fault of an engine */
	memset(&b, 0, sizeof(b));
	clamd_tell(c, &b);
	(void)scan_part(c, fd, 199999, 2, &v);
	ck_assert_int_eq(v.result, CLAMD_ERROR);
	vital_get(&b, &state);
	ck_assert_int_ne((int)state.state, BACKEND_DOWN);
	ck_assert_int_eq(scan_part(c, fd, 199998, 2, &v), CLAMD_CLEAN);
	(void)close(fd);
	free(p);
	clamd_free(c);
	clamd_free(s);
}
END_TEST

START_TEST(verdict_before_the_end_is_no_clean_one)
{
	static const char	 ok[] = "%u: stream: OK";
	static const char	 large[] =
				    "%u: INSTREAM size limit exceeded. ERROR";
	struct clamd_verdict	 v;
	struct clamd		*s = client(&patient, as_stream(), NULL);
	char			*p = unit_pattern(8000000);
	int			 fd = body_of(p, 8000000);

	tell(REPLY_CLOSE, ok, sizeof(ok), 0);
	orders->early = true;
	(void)scan_fd(s, fd, 8000000, clamd_now() + 20000, &v);
	ck_assert_int_ge(v.result, CLAMD_DOWN);
	tell(REPLY_CLOSE, large, sizeof(large), 0);
	orders->early = true;
	(void)scan_fd(s, fd, 8000000, clamd_now() + 20000, &v);
	ck_assert_int_eq(v.result, CLAMD_TOO_LARGE);
	(void)close(fd);
	free(p);
	clamd_free(s);
}
END_TEST

/* It has taken the command, and of the body nothing, some, or nearly all. */
START_TEST(death_with_a_body_is_down)
{
	static const char	 ok[] = "%u: stream: OK";
	static const size_t	 taken[] = {
		0, 1, 3, 4, 5, 1000, 65539, 65540, 65541, 65544, 100000,
		200000, 200015, 200016
	};
	struct clamd_verdict	 v;
	struct clamd		*c = client(&patient, _i == 0 ? address :
				    as_stream(), NULL);
	char			*p = unit_pattern(200000);
	int			 fd = body_of(p, 200000);
	unsigned int		 before;
	size_t			 i, n;

	n = _i == 0 ? 1 : sizeof(taken) / sizeof(taken[0]);
	for (i = 0; i < n; i++) {
		/* in a new session, and in one that it has answered in */
		tell(DIE, "", 0, taken[i]);
		before = orders->died;
		(void)scan_fd(c, fd, 200000, clamd_now() + 20000, &v);
		ck_assert_int_eq(v.result, CLAMD_DOWN);
		ck_assert_uint_eq(orders->died, before + 1);
		tell(REPLY, ok, sizeof(ok), 0);
		(void)scan_fd(c, fd, 200000, clamd_now() + 20000, &v);
		ck_assert_int_eq(v.result, CLAMD_CLEAN);
		/* the second time it is no session that had ended before */
		tell(DIE, "", 0, taken[i]);
		(void)scan_fd(c, fd, 200000, clamd_now() + 20000, &v);
		ck_assert_int_eq(v.result, CLAMD_DOWN);
		ck_assert_uint_eq(orders->died, before + 3);
	}
	(void)close(fd);
	free(p);
	clamd_free(c);
}
END_TEST

START_TEST(version_is_heard_of)
{
	struct clamd	*c = client(&patient, address, NULL);
	uint64_t	 one;

	ck_assert_uint_eq(clamd_version(c), 0);
	(void)strlcpy(orders->version, "ClamAV 1.4.6/7/now",
	    sizeof(orders->version));
	clamd_poll(c, NULL);
	ck_assert_uint_ne(one = clamd_version(c), 0);
	clamd_poll(c, NULL);
	ck_assert_uint_eq(clamd_version(c), one);
	(void)strlcpy(orders->version, "ClamAV 1.4.6/8/now",
	    sizeof(orders->version));
	clamd_poll(c, NULL);
	ck_assert_uint_ne(clamd_version(c), one);
	one = clamd_version(c);
	/* what is no version does not count */
	(void)strlcpy(orders->version, "garbage", sizeof(orders->version));
	clamd_poll(c, NULL);
	ck_assert_uint_eq(clamd_version(c), one);
	clamd_free(c);
}
END_TEST

/* That of the engine which is up, whoever else is not. */
START_TEST(version_is_that_of_who_is_there)
{
	static const char	 ok[] = "%u: stream: OK";
	struct clamd_verdict	 v;
	struct clamd		*c = client(&patient, "unix:/nonexistent/s",
				    address);
	uint64_t		 one;

	tell(REPLY, ok, sizeof(ok), 0);
	ck_assert_uint_eq(clamd_next_version(c), 0);
	clamd_poll(c, NULL);
	ck_assert_uint_ne(one = clamd_version(c), 0);
	ck_assert_uint_ne(clamd_next_version(c), 0);
	ck_assert_int_eq(scan(c, &v), CLAMD_CLEAN);
	ck_assert_uint_eq(v.version, clamd_next_version(c));
	/* a database that changes while it scans: whose verdict is it? */
	(void)strlcpy(orders->version, "ClamAV 1.4.6/9/now",
	    sizeof(orders->version));
	clamd_on_wait(c, poll_meanwhile, c);
	ck_assert_int_eq(scan(c, &v), CLAMD_CLEAN);
	clamd_on_wait(c, NULL, NULL);
	ck_assert_uint_eq(v.version, 0);
	ck_assert_uint_ne(clamd_version(c), one);
	clamd_free(c);
}
END_TEST

START_TEST(version_that_is_old_is_none)
{
	static const char	 ok[] = "%u: stream: OK";
	struct clamd_verdict	 v;
	struct clamd		*c = client(&patient, address, NULL);
	uint64_t		 one, all;

	tell(REPLY, ok, sizeof(ok), 0);
	clamd_poll(c, NULL);
	one = clamd_next_version(c);
	all = clamd_version(c);
	ck_assert(one != 0 && all != 0);
	skipped += 14;
	ck_assert_uint_eq(clamd_next_version(c), one);
	skipped += 2;
	ck_assert_uint_eq(clamd_next_version(c), 0);
	/* what clients are told stays */
	ck_assert_uint_eq(clamd_version(c), all);
	/* who asks for a scan asks for it as well */
	ck_assert_int_eq(scan(c, &v), CLAMD_CLEAN);
	ck_assert_uint_eq(v.version, one);
	ck_assert_uint_eq(clamd_next_version(c), one);
	clamd_free(c);
}
END_TEST

/* As at a reload: the old one is there until the new one is. */
START_TEST(what_is_known_is_handed_on)
{
	struct clamd	*old = client(&patient, "localhost:1", address), *c;
	uint64_t	 all;

	clamd_poll(old, NULL);
	ck_assert_uint_ne(all = clamd_version(old), 0);
	c = client(&patient, "localhost:1", address);
	ck_assert_uint_eq(clamd_version(c), all);
	ck_assert_uint_eq(clamd_next_version(c), clamd_next_version(old));
	clamd_free(old);
	old = client(&patient, as_stream(), NULL);
	ck_assert_uint_eq(clamd_version(old), 0);
	clamd_free(c);
	clamd_free(old);
}
END_TEST

/* Nobody listens there, which is another fault than that it has none. */
static bool
has_address(const struct service_backend *b)
{
	struct vital_state	 state;

	vital_get(b, &state);
	return strstr(state.why, strerror(EHOSTUNREACH)) == NULL;
}

/* A name server that is dead holds up no other engine, and no name for ever. */
START_TEST(dead_name_holds_up_nobody)
{
	struct clamd		*c = client(&patient, "dead.example:1",
				    address);
	struct service_backend	 b;
	uint64_t		 before;
	int			 i, end[2];

	ck_assert_int_eq(pipe(end), 0);
	dead = end[0];
	ck_assert_int_eq(clamd_add(c, "localhost:1"), 0);
	memset(&b, 0, sizeof(b));
	clamd_tell(c, &b);
	for (i = 0; i < 3; i++) {
		(void)snprintf(orders->version, sizeof(orders->version),
		    "ClamAV 1.4.6/%d/now", i);
		before = clamd_version(c);
		clamd_poll(c, NULL);
		ck_assert_uint_ne(clamd_version(c), before);
	}
	ck_assert(!has_address(&b));
	/* it gives up; the next has its turn */
	ck_assert_int_eq(close(end[1]), 0);
	while (!has_address(&b))
		clamd_poll(c, NULL);
	clamd_free(c);
	(void)close(end[0]);
}
END_TEST

/* Connections to `to` until one has to wait; their number. */
static unsigned int
fill(const struct sockaddr *to, socklen_t len, int *s, unsigned int max)
{
	unsigned int	 n;

	for (n = 0; n < max; n++) {
		s[n] = socket(to->sa_family, SOCK_STREAM | SOCK_CLOEXEC |
		    SOCK_NONBLOCK, 0);
		ck_assert(s[n] != -1);
		if (connect(s[n], to, len) == 0)
			continue;
		if (errno == EINPROGRESS) {
			struct pollfd	 pfd = { s[n], POLLOUT, 0 };

			/* loopback is there at once, or never */
			if (poll(&pfd, 1, 200) == 1)
				continue;
		}
		(void)close(s[n]);
		break;
	}
	ck_assert(n > 0 && n < max);
	return n;
}

static unsigned int
drain(int l)
{
	unsigned int	 n = 0;
	int		 s;

	while ((s = accept4(l, NULL, NULL, SOCK_NONBLOCK)) != -1) {
		(void)close(s);
		n++;
	}
	return n;
}

static int
listen_at(const struct sockaddr *sa, socklen_t len)
{
	int	 l = socket(sa->sa_family, SOCK_STREAM | SOCK_CLOEXEC |
		    SOCK_NONBLOCK, 0);

	ck_assert(l != -1 && bind(l, sa, len) == 0 && listen(l, 0) == 0);
	return l;
}

/* It does not accept, and its queue is full: connect() gets no answer. */
START_TEST(silent_engine_is_left_alone)
{
	static const struct clamd_timeouts	 t = { 1000, 20000, 20000 };
	static const char			 ok[] = "%u: stream: OK";
	struct sockaddr_un	 sun = { .sun_family = AF_UNIX };
	struct clamd_verdict	 v;
	struct clamd		*c, *two;
	char			 silent[100];
	int			 l, s[16];
	unsigned int		 n;

	(void)snprintf(sun.sun_path, sizeof(sun.sun_path), "%s/silent", dir);
	(void)snprintf(silent, sizeof(silent), "unix:%s/silent", dir);
	l = listen_at((struct sockaddr *)&sun, sizeof(sun));
	n = fill((struct sockaddr *)&sun, sizeof(sun), s, 16);
	tell(REPLY, ok, sizeof(ok), 0);
	two = client(&t, silent, address);
	c = client(&t, silent, NULL);
	ck_assert_int_eq(scan(two, &v), CLAMD_CLEAN);
	ck_assert_int_eq(scan(c, &v), CLAMD_DOWN);
	ck_assert_str_eq(v.text, "connect: connect-timeout");
	/* it has room, and nobody comes */
	ck_assert_uint_eq(drain(l), n);
	ck_assert_int_eq(scan(c, &v), CLAMD_DOWN);
	ck_assert_str_eq(v.text, "no engine has answered lately");
	ck_assert_int_eq(scan(two, &v), CLAMD_CLEAN);
	ck_assert_uint_eq(drain(l), 0);
	/* a while later one does, and only one; it hears nothing again */
	skipped += 2;
	ck_assert_int_eq(scan(c, &v), CLAMD_DOWN);
	ck_assert_int_eq(scan(c, &v), CLAMD_DOWN);
	ck_assert_uint_eq(drain(l), 1);
	/* while another one works, nobody */
	skipped += 100;
	ck_assert_int_eq(scan(two, &v), CLAMD_CLEAN);
	ck_assert_uint_eq(drain(l), 0);
	while (n > 0)
		(void)close(s[--n]);
	(void)close(l);
	(void)unlink(sun.sun_path);
	clamd_free(c);
	clamd_free(two);
}
END_TEST

/* Stopped: connections are made, and nothing comes of them. */
START_TEST(stopped_engine_is_left_alone)
{
	static const struct clamd_timeouts	 t = { 1000, 20000, 1000 };
	static const char			 ok[] = "%u: stream: OK";
	struct clamd_verdict	 v;
	struct clamd		*c = client(&t, address, NULL);
	unsigned int		 before;
	int			 i;

	tell(REPLY, ok, sizeof(ok), 0);
	clamd_poll(c, NULL);
	before = orders->connections;
	ck_assert(kill(fake, SIGSTOP) == 0);
	ck_assert(waitpid(fake, NULL, WUNTRACED) == fake);
	ck_assert_int_eq(scan(c, &v), CLAMD_TIMEOUT);
	ck_assert_str_eq(v.text, "reply: reply-timeout");
	/* it is asked for its version before it gets a body, in vain */
	ck_assert_int_eq(scan(c, &v), CLAMD_DOWN);
	ck_assert_str_eq(v.text, "version: no answer");
	for (i = 0; i < 5; i++)
		ck_assert_int_eq(scan(c, &v), CLAMD_DOWN);
	ck_assert_str_eq(v.text, "no engine has answered lately");
	ck_assert(kill(fake, SIGCONT) == 0);
	/* who polls finds it well, and connections come in their order */
	clamd_poll(c, NULL);
	ck_assert_uint_eq(orders->connections, before + 3);
	ck_assert_int_eq(scan(c, &v), CLAMD_CLEAN);
	clamd_free(c);
}
END_TEST

static int		 listeners[2];
static unsigned int	 waits;
static unsigned int	 waits_for_room;

/* Makes room at the second, once that is waited for. */
static int
count_waits(void *arg)
{
	(void)arg;
	if (++waits == waits_for_room)
		(void)drain(listeners[1]);
	return 60000;
}

/* A worker that was taken over may write anything into what all share. */
START_TEST(addresses_are_bounded)
{
	const struct clamd_wait	 wait = { NULL, NULL };
	struct clamd_engine	 e;

	ck_assert_int_eq(clamd_engine_init(&e, "two.example:3310"), 0);
	memset(e.shared, 0x7f, 4096);
	ck_assert(clamd_engine_has_address(&e));
	ck_assert_int_eq(clamd_engine_connect(&e, &wait, NULL,
	    clamd_now() + 100), -1);
	clamd_engine_fini(&e);
}
END_TEST

/* A name with two addresses; the first says nothing. */
START_TEST(addresses_share_the_time)
{
	struct clamd_wait	 w = { count_waits, NULL };
	struct clamd_address	 a[2];
	struct clamd_engine	 e;
	struct sockaddr_in	*sin;
	int			 s[2][16], fd, i;
	unsigned int		 n[2];

	memset(a, 0, sizeof(a));
	for (i = 0; i < 2; i++) {
		sin = (struct sockaddr_in *)&a[i].sa;
		sin->sin_family = AF_INET;
		sin->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
		a[i].len = sizeof(*sin);
		listeners[i] = listen_at((struct sockaddr *)sin,
		    sizeof(*sin));
		ck_assert(getsockname(listeners[i], (struct sockaddr *)sin,
		    &a[i].len) == 0);
		n[i] = fill((struct sockaddr *)sin, sizeof(*sin), s[i], 16);
	}
	ck_assert(clamd_engine_init(&e, "engine.example:1") == 0);
	ck_assert(!clamd_engine_has_address(&e));
	ck_assert_int_eq(clamd_engine_connect(&e, &w, NULL, clamd_now() +
	    1000), -1);
	ck_assert_int_eq(errno, EHOSTUNREACH);
	clamd_engine_set_addresses(&e, a, 2);
	/*
	 * The second has room only when somebody waits for it, and the kernel
	 * tries again after a second: half of the time is enough.
	 */
	waits = 0;
	waits_for_room = 3;	/* twice for the first */
	fd = clamd_engine_connect(&e, &w, NULL, clamd_now() + 8000);
	ck_assert_int_ne(fd, -1);
	(void)close(fd);
	/* that one first the next time: the other is not waited for */
	(void)drain(listeners[1]);
	waits = waits_for_room = 0;
	fd = clamd_engine_connect(&e, &w, NULL, clamd_now() + 8000);
	ck_assert_int_ne(fd, -1);
	(void)close(fd);
	ck_assert_uint_le(waits, 1);
	for (i = 0; i < 2; i++) {
		while (n[i] > 0)
			(void)close(s[i][--n[i]]);
		(void)close(listeners[i]);
	}
	clamd_engine_fini(&e);
}
END_TEST

/* The folder is longer than an address may be; a socket can be moved. */
START_TEST(socket_below_a_long_root)
{
	struct clamd	*c = client(&patient, "unix:/run/s", NULL);
	char		 root[300], run[320], from[80], to[340];

	(void)snprintf(root, sizeof(root), "%s/%0150d", dir, 1);
	(void)snprintf(run, sizeof(run), "%s/run", root);
	(void)snprintf(from, sizeof(from), "%s/s", dir);
	(void)snprintf(to, sizeof(to), "%s/s", run);
	ck_assert(mkdir(root, 0700) == 0 && mkdir(run, 0700) == 0);
	ck_assert(rename(from, to) == 0);
	clamd_set_root(c, root);
	clamd_poll(c, NULL);
	ck_assert_uint_ne(clamd_version(c), 0);
	ck_assert(rename(to, from) == 0);
	ck_assert(rmdir(run) == 0 && rmdir(root) == 0);
	clamd_free(c);
}
END_TEST

static const struct {
	const char	*address;
	bool		 is_one;
} addresses[] = {
	{ "unix:/run/x", true }, { "stream:/run/x", true },
	{ "127.0.0.1:3310", true }, { "[::1]:3310", true },
	{ "localhost:3310", true }, { "", false }, { "unix:", false },
	{ "unix:x", false }, { "/run/x", false }, { "::1:3310", false },
	{ "127.0.0.1", false }, { "127.0.0.1:", false },
	{ "127.0.0.1:0", false }, { "127.0.0.1:65536", false },
	{ "127.0.0.1:x", false }, { ":3310", false }, { "[]:3310", false },
};

START_TEST(address_is_checked)
{
	struct clamd	*c = clamd_new(&patient, 1);
	int		 n;

	ck_assert(c != NULL);
	n = clamd_add(c, addresses[_i].address);
	ck_assert_int_eq(n, addresses[_i].is_one ? 0 : -1);
	clamd_free(c);
}
END_TEST

START_TEST(cache_keeps_what_is_known)
{
	struct clamav_cache	*c = clamav_cache_new(64, 1000);
	struct clamd_verdict	 v = { CLAMD_INFECTED, "Some.Virus", 5 };
	unsigned char		 key[CLAMAV_DIGEST] = { 7 }, other[32];

	ck_assert(c != NULL);
	memset(other, 9, sizeof(other));
	clamav_cache_add(c, key, 5, 100, &v);
	v.result = CLAMD_ERROR;
	v.text[0] = '\0';
	ck_assert(clamav_cache_find(c, key, 5, 1099, &v));
	ck_assert_int_eq(v.result, CLAMD_INFECTED);
	ck_assert_str_eq(v.text, "Some.Virus");
	/* too old, another database, none, another body */
	ck_assert(!clamav_cache_find(c, key, 5, 1100, &v));
	ck_assert(!clamav_cache_find(c, key, 6, 100, &v));
	ck_assert(!clamav_cache_find(c, key, 0, 100, &v));
	ck_assert(!clamav_cache_find(c, other, 5, 100, &v));
	/* what is not known is not kept */
	for (v.result = CLAMD_DOWN; v.result < CLAMD_NRESULTS; v.result++) {
		struct clamd_verdict	 got = v;

		clamav_cache_add(c, other, 5, 100, &v);
		ck_assert(!clamav_cache_find(c, other, 5, 100, &got));
	}
	v.result = CLAMD_CLEAN;
	clamav_cache_add(c, key, 0, 100, &v);
	ck_assert(!clamav_cache_find(c, key, 0, 100, &v));
	ck_assert_uint_eq(clamav_cache_entries(c), 1);
	clamav_cache_free(c);
}
END_TEST

START_TEST(cache_is_bounded_and_shared)
{
	struct clamav_cache	*c = clamav_cache_new(16, 1000000);
	struct clamd_verdict	 v = { CLAMD_CLEAN, "", 1 };
	unsigned char		 key[CLAMAV_DIGEST] = { 0 };
	unsigned int		 i, hits = 0;
	pid_t			 pid;

	ck_assert(c != NULL);
	pid = fork();
	for (i = 0; i < 1000; i++) {
		memcpy(key, &i, sizeof(i));
		clamav_cache_add(c, key, 1, 1 + i, &v);
	}
	if (pid == 0)
		_exit(0);
	ck_assert(pid != -1 && waitpid(pid, NULL, 0) == pid);
	for (i = 0; i < 1000; i++) {
		memcpy(key, &i, sizeof(i));
		hits += clamav_cache_find(c, key, 1, 1, &v);
	}
	ck_assert_uint_ge(hits, 1);
	ck_assert_uint_le(hits, 16);
	clamav_cache_free(c);
}
END_TEST

/* Has a child add that key, and kills it so many instructions later. */
static bool
add_and_die(struct clamav_cache *c, unsigned char number, unsigned int steps)
{
	struct clamd_verdict	 v = { CLAMD_CLEAN, "", 1 };
	unsigned char		 key[CLAMAV_DIGEST] = { 0 };
	int			 status;
	pid_t			 pid;

	key[CLAMAV_DIGEST - 1] = number;
	if ((pid = fork()) == 0) {
		if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) == -1)
			_exit(77);
		(void)raise(SIGSTOP);
		(void)clamav_cache_add(c, key, 1, 50, &v);
		_exit(0);
	}
	ck_assert(pid != -1 && waitpid(pid, &status, 0) == pid);
	if (WIFEXITED(status))
		return false;
	while (steps-- > 0) {
		if (ptrace(PTRACE_SINGLESTEP, pid, NULL, NULL) == -1)
			break;
		ck_assert(waitpid(pid, &status, 0) == pid);
		if (!WIFSTOPPED(status))
			return false;
	}
	ck_assert(kill(pid, SIGKILL) == 0 &&
	    waitpid(pid, &status, 0) == pid);
	return true;
}

/* Wherever a writer is killed, its set goes on. */
START_TEST(cache_outlives_its_writers)
{
	struct clamav_cache	*c;
	struct clamd_verdict	 v = { CLAMD_CLEAN, "", 1 };
	unsigned char		 key[CLAMAV_DIGEST] = { 0 };
	unsigned int		 steps = 0, i;
	bool			 died;

	do {
		/* one set, full; the first entry ends first */
		ck_assert((c = clamav_cache_new(4, 1000)) != NULL);
		for (i = 0; i < 4; i++) {
			key[CLAMAV_DIGEST - 1] = (unsigned char)i;
			(void)clamav_cache_add(c, key, 1, 1 + i, &v);
		}
		died = add_and_die(c, 10, steps);
		key[CLAMAV_DIGEST - 1] = 20;
		(void)clamav_cache_add(c, key, 1, 60, &v);
		ck_assert_msg(clamav_cache_find(c, key, 1, 60, &v),
		    "killed after %u steps", steps);
		clamav_cache_free(c);
		steps += 20;
	} while (died && steps < STEPS_MAX);
	if (!died && steps == 20)
		(void)fprintf(stderr, "no process may be traced here: a "
		    "writer is not killed\n");
}
END_TEST

static void
add(TCase *tc)
{
	tcase_set_timeout(tc, 120);
	tcase_add_checked_fixture(tc, start_fake, end_fake);
	unit_add_rows(tc, reply_is_understood_however_it_is_cut, replies);
	tcase_add_test(tc, reply_without_its_end_is_none);
	tcase_add_test(tc, reply_with_more_behind_it_is_none);
	tcase_add_test(tc, every_byte_may_be_garbage);
	tcase_add_test(tc, silence_is_a_timeout);
	tcase_add_test(tc, session_is_kept_and_renewed);
	tcase_add_test(tc, place_is_kept);
	tcase_add_test(tc, others_take_over);
	tcase_add_test(tc, reason_outlives_who_is_down);
	tcase_add_test(tc, bodies_arrive);
	tcase_add_test(tc, verdict_before_the_end_is_no_clean_one);
	tcase_add_loop_test(tc, death_with_a_body_is_down, 0, 2);
	tcase_add_test(tc, version_is_heard_of);
	tcase_add_test(tc, version_is_that_of_who_is_there);
	tcase_add_test(tc, version_that_is_old_is_none);
	tcase_add_test(tc, what_is_known_is_handed_on);
	tcase_add_test(tc, dead_name_holds_up_nobody);
	tcase_add_test(tc, silent_engine_is_left_alone);
	tcase_add_test(tc, stopped_engine_is_left_alone);
	tcase_add_test(tc, addresses_are_bounded);
	tcase_add_test(tc, addresses_share_the_time);
	tcase_add_test(tc, socket_below_a_long_root);
	unit_add_rows(tc, address_is_checked, addresses);
	tcase_add_test(tc, cache_keeps_what_is_known);
	tcase_add_test(tc, cache_is_bounded_and_shared);
	tcase_add_test(tc, cache_outlives_its_writers);
}

int
main(void)
{
	return unit_main("clamd", add);
}
