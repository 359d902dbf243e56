/* SPDX-License-Identifier: ISC */
/*
 * The client of clamd against a clamd that says whatever a test wants: every
 * reply, cut at every point, garbage, silence, and the end of the connection
 * at each byte.  Whatever is not exactly the reply OK to this request must
 * not come out as clean.  Behind that the cache.
 *
 * The false clamd is a child that takes its orders from shared memory; the
 * test gives them before it asks, so nothing is a matter of time.
 */
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>

#include <arpa/inet.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../services/clamav.h"
#include "unit.h"

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
	pid_t			 parent = getpid();
	int			 l, s;

	orders = mmap(NULL, sizeof(*orders), PROT_READ | PROT_WRITE,
	    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ck_assert(orders != MAP_FAILED);
	(void)strlcpy(orders->version, "ClamAV 1.4.6/1/now",
	    sizeof(orders->version));
	(void)snprintf(dir, sizeof(dir), "%s/check_clamd.XXXXXX",
	    getenv("TMPDIR") != NULL ? getenv("TMPDIR") : "/tmp");
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

static enum clamd_result
scan(struct clamd *c, struct clamd_verdict *v)
{
	int	 fd = body_of("hello", 5);

	v->result = CLAMD_CLEAN;
	clamd_scan(c, fd, 0, 5, true, clamd_now() + 20000, v);
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
	clamd_scan(c, fd, 0, 5, true, clamd_now() + 50, &v);
	ck_assert_int_eq(v.result, CLAMD_TIMEOUT);
	clamd_scan(c, fd, 0, 5, true, clamd_now() - 1, &v);
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

START_TEST(bodies_arrive)
{
	static const char	 ok[] = "%u: stream: OK";
	struct clamd_verdict	 v;
	struct clamd		*c = client(&patient, address, NULL);
	struct clamd		*s = client(&patient, as_stream(), NULL);
	char			*p = unit_pattern(200000);
	int			 fd = body_of(p, 200000);

	tell(REPLY, ok, sizeof(ok), 0);
	clamd_scan(s, fd, 0, 200000, true, clamd_now() + 20000, &v);
	ck_assert_int_eq(v.result, CLAMD_CLEAN);
	ck_assert_uint_eq(orders->body_len, 200000);
	/* a part is a file of its own */
	clamd_scan(c, fd, 1000, 500, false, clamd_now() + 20000, &v);
	ck_assert_int_eq(v.result, CLAMD_CLEAN);
	ck_assert_uint_eq(orders->body_len, 500);
	ck_assert(memcmp(orders->body, p + 1000, 256) == 0);
	clamd_scan(s, fd, 1000, 70000, false, clamd_now() + 20000, &v);
	ck_assert_int_eq(v.result, CLAMD_CLEAN);
	ck_assert_uint_eq(orders->body_len, 70000);
	ck_assert(memcmp(orders->body, p + 1000, 256) == 0);
	/* a file that is shorter than its length */
	clamd_scan(s, fd, 199999, 2, false, clamd_now() + 20000, &v);
	ck_assert_int_eq(v.result, CLAMD_ERROR);
	clamd_scan(c, fd, 199999, 2, false, clamd_now() + 20000, &v);
	ck_assert_int_ge(v.result, CLAMD_DOWN);
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
	clamd_scan(s, fd, 0, 8000000, true, clamd_now() + 20000, &v);
	ck_assert_int_ge(v.result, CLAMD_DOWN);
	tell(REPLY_CLOSE, large, sizeof(large), 0);
	orders->early = true;
	clamd_scan(s, fd, 0, 8000000, true, clamd_now() + 20000, &v);
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
		clamd_scan(c, fd, 0, 200000, true, clamd_now() + 20000, &v);
		ck_assert_int_eq(v.result, CLAMD_DOWN);
		ck_assert_uint_eq(orders->died, before + 1);
		tell(REPLY, ok, sizeof(ok), 0);
		clamd_scan(c, fd, 0, 200000, true, clamd_now() + 20000, &v);
		ck_assert_int_eq(v.result, CLAMD_CLEAN);
		/* the second time it is no session that had ended before */
		tell(DIE, "", 0, taken[i]);
		clamd_scan(c, fd, 0, 200000, true, clamd_now() + 20000, &v);
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
	struct clamav_cache		*c = clamav_cache_new(64, 1000);
	struct clamav_cache_counters	 n;
	struct clamd_verdict		 v = { CLAMD_INFECTED, "Some.Virus" };
	unsigned char			 key[CLAMAV_DIGEST] = { 7 }, other[32];

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
	clamav_cache_count(c, &n);
	ck_assert_uint_eq(n.hits, 1);
	ck_assert_uint_eq(n.added, 1);
	clamav_cache_free(c);
}
END_TEST

START_TEST(cache_is_bounded_and_shared)
{
	struct clamav_cache	*c = clamav_cache_new(16, 1000000);
	struct clamd_verdict	 v = { CLAMD_CLEAN, "" };
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
	tcase_add_test(tc, others_take_over);
	tcase_add_test(tc, bodies_arrive);
	tcase_add_test(tc, verdict_before_the_end_is_no_clean_one);
	tcase_add_loop_test(tc, death_with_a_body_is_down, 0, 2);
	tcase_add_test(tc, version_is_heard_of);
	unit_add_rows(tc, address_is_checked, addresses);
	tcase_add_test(tc, cache_keeps_what_is_known);
	tcase_add_test(tc, cache_is_bounded_and_shared);
}

int
main(void)
{
	return unit_main("clamd", add);
}
