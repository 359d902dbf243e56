/* SPDX-License-Identifier: ISC */
/*
 * A client of clamd(8).  Called by clamav.c.  Each process keeps a session
 * (IDSESSION) with each engine it uses, and renews it when clamd has ended
 * it.  Every wait has a deadline.  Engines that fail are asked last, until a
 * while has gone by; all processes know of it through shared memory.
 *
 * The rule that everything here follows: a body is clean when an engine has
 * answered the request about this very body with the two letters OK, and in
 * no other case.  What is to become of bodies that are not known to be clean
 * is not decided here.
 */
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/un.h>

#include <netinet/in.h>
#include <netinet/tcp.h>

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <netdb.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "clamd.h"
#include "service.h"

/* Bytes of a body in one chunk of INSTREAM. */
#define CHUNK_MAX	(64 * 1024)

/*
 * clamd takes no more connections than its MaxQueue (100), busy or not, and
 * ends those that are idle for its IdleTimeout (30 s).  So not every process
 * may keep one: there are so many places at most, and who has not used its
 * own for so long, ms, has lost it.
 */
#define KEEP_MAX	1024
#define KEEP_MS		30000

/* Addresses of a name that are tried. */
#define ADDRESSES_MAX	4

/* An engine that failed is asked last for so long, doubling; ms. */
#define BACKOFF_MIN	1000
#define BACKOFF_MAX	30000

/* Is the version we know older than this, ms, a session asks for it. */
#define VERSION_AGE	10000

/* Requests of a session; their numbers have at most nine digits. */
#define ID_MAX		100000000

/* Longest answer to VERSION in the time of a poll, ms. */
#define POLL_MS		5000

enum clamd_mode { CLAMD_FILDES, CLAMD_STREAM };

struct clamd_address {
	struct sockaddr_storage	 sa;
	socklen_t		 len;
};

/*
 * What processes know together.  Several may write: each member stands for
 * itself, and the last one wins.  The addresses are written only before the
 * fork and by the one process that polls; `turn` is odd meanwhile.
 */
struct clamd_shared {
	_Atomic uint64_t	 version;	/* 0: never heard */
	_Atomic int64_t		 version_at;
	_Atomic int64_t		 failed_at;	/* 0: it works */
	_Atomic uint32_t	 failures;	/* in a row */
	_Atomic uint32_t	 turn;
	unsigned int		 naddresses;
	struct clamd_address	 address[ADDRESSES_MAX];
	_Atomic uint64_t	 keeper[KEEP_MAX];	/* pid, seconds */
};

struct clamd_engine {
	enum clamd_mode		 mode;
	char			*name;		/* as it was configured */
	char			*path;		/* of a Unix socket, or NULL */
	char			*host;
	char			*port;
	struct clamd_shared	*shared;
	struct service_backend	*backend;	/* for people, or NULL */
	int			 fd;		/* of this process, or -1 */
	int			 place;		/* among the keepers, or -1 */
	unsigned int		 id;		/* of the last request */
	bool			 is_used;	/* it has had an answer */
	bool			 is_told;	/* that it does not answer */
};

struct clamd {
	struct clamd_timeouts	 timeouts;
	unsigned int		 keep;
	const char		*root;		/* of workers, or NULL */
	struct clamd_shared	*shared;	/* CLAMD_ENGINES_MAX of them */
	struct clamd_engine	 engine[CLAMD_ENGINES_MAX];
	unsigned int		 n;
	char			*chunk;		/* CHUNK_MAX bytes */
	int			 (*due)(void *arg);	/* or NULL */
	void			*due_arg;
};

/* The body of a scan. */
struct clamd_body {
	int		 fd;
	uint64_t	 offset;
	uint64_t	 len;
	bool		 all;
};

const char *
clamd_reason(enum clamd_result result)
{
	static const char *const	 reason[CLAMD_NRESULTS] = {
		[CLAMD_CLEAN] = "clean",
		[CLAMD_INFECTED] = "infected",
		[CLAMD_DOWN] = "down",
		[CLAMD_TIMEOUT] = "timeout",
		[CLAMD_TOO_LARGE] = "too-large",
		[CLAMD_ENCRYPTED] = "encrypted",
		[CLAMD_ENCODED] = "encoded",
		[CLAMD_FORM] = "form",
		[CLAMD_PARTIAL] = "partial",
		[CLAMD_LIMIT] = "limit",
		[CLAMD_ERROR] = "error",
	};

	return reason[result];
}

int64_t
clamd_now(void)
{
	struct timespec	 ts;

	(void)clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

static int64_t
earlier(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

/* ---- replies ------------------------------------------------------------ */

static void
verdict_set(struct clamd_verdict *v, enum clamd_result result,
    const char *text, size_t len)
{
	size_t	 i;

	v->result = result;
	if (len >= sizeof(v->text))
		len = sizeof(v->text) - 1;
	for (i = 0; i < len; i++)
		v->text[i] = text[i] < 0x20 || text[i] > 0x7e ? '?' : text[i];
	v->text[len] = '\0';
}

static void
verdict_say(struct clamd_verdict *v, enum clamd_result result,
    const char *text)
{
	verdict_set(v, result, text, strlen(text));
}

/* Digits at *p, which is moved behind them; at most nine. */
static bool
parse_digits(const char **p, const char *end, unsigned int *value)
{
	const char	*start = *p;

	*value = 0;
	while (*p < end && **p >= '0' && **p <= '9' && *p - start < 9)
		*value = *value * 10 + (unsigned int)(*(*p)++ - '0');
	return *p > start;
}

static bool
parse_text(const char **p, const char *end, const char *text)
{
	size_t	 len = strlen(text);

	if ((size_t)(end - *p) < len || memcmp(*p, text, len) != 0)
		return false;
	*p += len;
	return true;
}

static bool
has_text(const char *p, size_t len, const char *text)
{
	return memmem(p, len, text, strlen(text)) != NULL;
}

/* Names that mean that the engine could not look at everything. */
static enum clamd_result
result_of_name(const char *p, size_t len)
{
	const char	*end = p + len, *q = p;

	if (parse_text(&q, end, "Heuristics.Encrypted"))
		return CLAMD_ENCRYPTED;
	if (parse_text(&q, end, "Heuristics.Limits.Exceeded"))
		return CLAMD_LIMIT;
	return CLAMD_INFECTED;
}

static enum clamd_result
result_of_error(const char *p, size_t len)
{
	if (has_text(p, len, "size limit exceeded"))
		return CLAMD_TOO_LARGE;
	if (has_text(p, len, "Time limit") || has_text(p, len, "TIMED OUT") ||
	    has_text(p, len, "imed out"))
		return CLAMD_TIMEOUT;
	return CLAMD_ERROR;
}

/*
 * ID ": " ("fd[" N "]" / "stream") ": " ("OK" / NAME " FOUND"), or
 * ID ": " TEXT " ERROR".
 */
bool
clamd_parse(const char *reply, size_t len, unsigned int id,
    struct clamd_verdict *v)
{
	static const char	 found[] = " FOUND", error[] = " ERROR";
	const char		*p = reply, *end = reply + len;
	unsigned int		 n;

	verdict_set(v, CLAMD_ERROR, reply, len);
	if (!parse_digits(&p, end, &n) || n != id ||
	    !parse_text(&p, end, ": ") ||
	    memchr(p, '\n', (size_t)(end - p)) != NULL)
		return false;
	len = (size_t)(end - p);
	if (len > sizeof(error) - 1 && memcmp(end - (sizeof(error) - 1),
	    error, sizeof(error) - 1) == 0) {
		verdict_set(v, result_of_error(p, len), p, len);
		return true;
	}
	if (parse_text(&p, end, "fd[")) {
		if (!parse_digits(&p, end, &n) || !parse_text(&p, end, "]: "))
			return false;
	} else if (!parse_text(&p, end, "stream: "))
		return false;
	len = (size_t)(end - p);
	if (len == 2 && memcmp(p, "OK", 2) == 0) {
		verdict_set(v, CLAMD_CLEAN, p, 0);
		return true;
	}
	if (len <= sizeof(found) - 1 || memcmp(end - (sizeof(found) - 1),
	    found, sizeof(found) - 1) != 0)
		return false;
	len -= sizeof(found) - 1;
	verdict_set(v, result_of_name(p, len), p, len);
	return true;
}

/* ---- engines ------------------------------------------------------------ */

struct clamd *
clamd_new(const struct clamd_timeouts *timeouts, unsigned int keep)
{
	struct clamd	*c;

	if ((c = calloc(1, sizeof(*c))) == NULL)
		return NULL;
	c->timeouts = *timeouts;
	c->keep = keep < KEEP_MAX ? keep : KEEP_MAX;
	c->shared = mmap(NULL, CLAMD_ENGINES_MAX * sizeof(*c->shared),
	    PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (c->shared == MAP_FAILED) {
		free(c);
		return NULL;
	}
	return c;
}

void
clamd_free(struct clamd *c)
{
	unsigned int	 i;

	if (c == NULL)
		return;
	clamd_stop(c);
	for (i = 0; i < c->n; i++) {
		free(c->engine[i].name);
		free(c->engine[i].path);
		free(c->engine[i].host);
		free(c->engine[i].port);
	}
	(void)munmap(c->shared, CLAMD_ENGINES_MAX * sizeof(*c->shared));
	free(c->chunk);
	free(c);
}

/* Looks the name of an engine up.  What was known stays when that fails. */
static void
engine_resolve(struct clamd_engine *e)
{
	struct clamd_shared	*sh = e->shared;
	struct addrinfo		 hints, *list, *ai;
	unsigned int		 n = 0;

	if (e->path != NULL)
		return;
	memset(&hints, 0, sizeof(hints));
	hints.ai_socktype = SOCK_STREAM;
	if (getaddrinfo(e->host, e->port, &hints, &list) != 0)
		return;
	atomic_fetch_add(&sh->turn, 1);
	for (ai = list; ai != NULL && n < ADDRESSES_MAX; ai = ai->ai_next)
		if (ai->ai_addrlen <= sizeof(sh->address[n].sa)) {
			memcpy(&sh->address[n].sa, ai->ai_addr,
			    ai->ai_addrlen);
			sh->address[n++].len = ai->ai_addrlen;
		}
	sh->naddresses = n;
	atomic_fetch_add(&sh->turn, 1);
	freeaddrinfo(list);
}

/* Copies its addresses.  Returns their number, 0 if they are just written. */
static unsigned int
engine_addresses(const struct clamd_engine *e, struct clamd_address *dst)
{
	const struct clamd_shared	*sh = e->shared;
	unsigned int			 n, tries;
	uint32_t			 turn;

	for (tries = 0; tries < 100; tries++) {
		turn = atomic_load(&sh->turn);
		if (turn % 2 == 1)
			continue;
		n = sh->naddresses;
		memcpy(dst, sh->address, sizeof(sh->address));
		atomic_thread_fence(memory_order_acquire);
		if (atomic_load(&sh->turn) == turn)
			return n <= ADDRESSES_MAX ? n : 0;
	}
	return 0;
}

/* "host:port", "[::1]:3310". */
static int
engine_split(struct clamd_engine *e, const char *address)
{
	const char	*colon = strrchr(address, ':'), *start = address;
	const char	*errstr;
	size_t		 len;

	if (colon == NULL)
		goto bad;
	len = (size_t)(colon - start);
	(void)strtonum(colon + 1, 1, 65535, &errstr);
	if (errstr != NULL)
		goto bad;
	if (len > 2 && start[0] == '[' && start[len - 1] == ']') {
		start++;
		len -= 2;
	} else if (memchr(start, ':', len) != NULL ||
	    memchr(start, '/', len) != NULL ||
	    memchr(start, '[', len) != NULL)
		goto bad;
	if (len == 0)
		goto bad;
	if ((e->host = strndup(start, len)) == NULL ||
	    (e->port = strdup(colon + 1)) == NULL)
		return -1;
	return 0;
bad:
	errno = EINVAL;
	return -1;
}

static int
engine_init(struct clamd_engine *e, const char *address)
{
	struct sockaddr_un	 sun;
	const char		*p = address, *end = p + strlen(p);

	e->mode = CLAMD_STREAM;
	if (parse_text(&p, end, "unix:"))
		e->mode = CLAMD_FILDES;
	else if (!parse_text(&p, end, "stream:"))
		return engine_split(e, address);
	if (*p != '/' || (size_t)(end - p) >= sizeof(sun.sun_path)) {
		errno = EINVAL;
		return -1;
	}
	return (e->path = strdup(p)) != NULL ? 0 : -1;
}

int
clamd_add(struct clamd *c, const char *address)
{
	struct clamd_engine	*e = &c->engine[c->n];

	if (c->n == CLAMD_ENGINES_MAX) {
		errno = E2BIG;
		return -1;
	}
	e->fd = e->place = -1;
	e->shared = &c->shared[c->n];
	if ((e->name = strdup(address)) == NULL ||
	    engine_init(e, address) == -1) {
		free(e->name);
		free(e->path);
		free(e->host);
		free(e->port);
		memset(e, 0, sizeof(*e));
		return -1;
	}
	c->n++;
	engine_resolve(e);
	return 0;
}

void
clamd_set_root(struct clamd *c, const char *root)
{
	c->root = root;
}

void
clamd_tell(struct clamd *c, struct service_backend *backend)
{
	if (c->n > 0)
		c->engine[c->n - 1].backend = backend;
}

static void
engine_failed(struct clamd_engine *e)
{
	atomic_store(&e->shared->failed_at, clamd_now());
	atomic_fetch_add(&e->shared->failures, 1);
}

static void
engine_works(struct clamd_engine *e)
{
	/* no write where nothing changes: others have it in their cache */
	if (atomic_load(&e->shared->failed_at) != 0) {
		atomic_store(&e->shared->failures, 0);
		atomic_store(&e->shared->failed_at, 0);
	}
	service_backend_set(e->backend, BACKEND_UP, NULL);
}

/* Until when is it asked after others?  0: it is not. */
static int64_t
engine_backoff(const struct clamd_engine *e, int64_t now)
{
	int64_t		 at = atomic_load(&e->shared->failed_at);
	int64_t		 wait = BACKOFF_MIN;
	uint32_t	 n;

	if (at == 0)
		return 0;
	for (n = atomic_load(&e->shared->failures); n > 1 &&
	    wait < BACKOFF_MAX; n--)
		wait *= 2;
	at += wait < BACKOFF_MAX ? wait : BACKOFF_MAX;
	return at > now ? at : 0;
}

/* What a keeper writes into its place. */
static uint64_t
keeper(void)
{
	return (uint64_t)getpid() << 32 | (uint64_t)(clamd_now() / 1000);
}

static bool
keeper_is_late(uint64_t old, uint64_t mine)
{
	return (uint32_t)mine - (uint32_t)old > KEEP_MS / 1000;
}

/* May this process keep its session?  Takes a place, or renews its own. */
static bool
engine_keep(const struct clamd *c, struct clamd_engine *e)
{
	_Atomic uint64_t	*place = e->shared->keeper;
	uint64_t		 mine = keeper(), old;
	int			 i;

	if (e->place != -1) {
		old = atomic_load(&place[e->place]);
		if (old == mine || (old >> 32 == mine >> 32 &&
		    atomic_compare_exchange_strong(&place[e->place], &old,
		    mine)))
			return true;
	}
	for (i = 0; i < (int)c->keep; i++) {
		old = atomic_load(&place[i]);
		if ((old == 0 || keeper_is_late(old, mine)) &&
		    atomic_compare_exchange_strong(&place[i], &old, mine)) {
			e->place = i;
			return true;
		}
	}
	e->place = -1;
	return false;
}

static void
engine_leave(struct clamd_engine *e)
{
	uint64_t	 old;

	if (e->place == -1)
		return;
	old = atomic_load(&e->shared->keeper[e->place]);
	if (old >> 32 == (uint64_t)getpid())
		(void)atomic_compare_exchange_strong(
		    &e->shared->keeper[e->place], &old, 0);
	e->place = -1;
}

static void
engine_close(struct clamd_engine *e)
{
	if (e->fd != -1)
		(void)close(e->fd);
	engine_leave(e);
	e->fd = -1;
	e->id = 0;
	e->is_used = false;
}

void
clamd_stop(struct clamd *c)
{
	unsigned int	 i;

	for (i = 0; i < c->n; i++)
		engine_close(&c->engine[i]);
}

/* ---- waiting ------------------------------------------------------------ */

/*
 * Waits for events.  Returns what has happened, 0 with errno ETIMEDOUT when
 * the deadline has passed, or -1.
 */
static int
wait_for(const struct clamd *c, int fd, short events, int64_t deadline)
{
	struct pollfd	 pfd = { .fd = fd, .events = events };
	int64_t		 left;
	int		 n, due;

	for (;;) {
		due = c->due != NULL ? c->due(c->due_arg) : -1;
		left = deadline - clamd_now();
		if (left < 0)
			left = 0;
		if (due == -1 || due > 60000)
			due = 60000;
		/* once at least: the time may have gone into what was due */
		n = poll(&pfd, 1, left < due ? (int)left : due);
		if (n > 0)
			return pfd.revents;
		if (n == -1 && errno != EINTR)
			return -1;
		if (left == 0) {
			errno = ETIMEDOUT;
			return 0;
		}
	}
}

/* A Unix socket that has no room waits in connect(), not in poll(). */
static int
connect_unix(const char *path, int64_t deadline)
{
	struct sockaddr_un	 sun = { .sun_family = AF_UNIX };
	struct timeval		 tv;
	int64_t			 left;
	int			 fd, flags, n;

	if (strlcpy(sun.sun_path, path, sizeof(sun.sun_path)) >=
	    sizeof(sun.sun_path)) {
		errno = ENAMETOOLONG;
		return -1;
	}
	if ((fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)) == -1)
		return -1;
	do {
		if ((left = deadline - clamd_now()) <= 0) {
			n = -1;
			errno = ETIMEDOUT;
			break;
		}
		tv.tv_sec = (time_t)(left / 1000);
		tv.tv_usec = (suseconds_t)(left % 1000 * 1000);
		(void)setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &tv,
		    sizeof(tv));
		n = connect(fd, (struct sockaddr *)&sun, sizeof(sun));
	} while (n == -1 && errno == EINTR);
	if (n == 0 && (flags = fcntl(fd, F_GETFL)) != -1 &&
	    fcntl(fd, F_SETFL, flags | O_NONBLOCK) != -1)
		return fd;
	n = errno == EAGAIN ? ETIMEDOUT : errno;
	(void)close(fd);
	errno = n;
	return -1;
}

static int
connect_tcp(const struct clamd *c, const struct clamd_address *a,
    int64_t deadline)
{
	socklen_t	 len = sizeof(int);
	int		 fd, e = 0, on = 1;

	fd = socket(a->sa.ss_family, SOCK_STREAM | SOCK_CLOEXEC |
	    SOCK_NONBLOCK, 0);
	if (fd == -1)
		return -1;
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	if (connect(fd, (const struct sockaddr *)&a->sa, a->len) == 0)
		return fd;
	if (errno != EINPROGRESS && errno != EINTR)
		e = errno;
	else if (wait_for(c, fd, POLLOUT, deadline) <= 0)
		e = errno;
	else if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &e, &len) == -1)
		e = errno;
	if (e == 0)
		return fd;
	(void)close(fd);
	errno = e;
	return -1;
}

/* Returns a connection, or -1 with errno. */
static int
engine_connect(const struct clamd *c, const struct clamd_engine *e,
    int64_t deadline)
{
	struct clamd_address	 address[ADDRESSES_MAX];
	unsigned int		 i, n;
	int			 fd = -1;

	deadline = earlier(deadline, clamd_now() + c->timeouts.connect);
	if (e->path != NULL)
		return connect_unix(e->path, deadline);
	n = engine_addresses(e, address);
	errno = EHOSTUNREACH;
	for (i = 0; i < n && fd == -1; i++)
		fd = connect_tcp(c, &address[i], deadline);
	return fd;
}

/* Has clamd ended the session, or said something unasked? */
static bool
engine_is_stale(const struct clamd_engine *e)
{
	struct pollfd	 pfd = { .fd = e->fd, .events = POLLIN | POLLRDHUP };

	return poll(&pfd, 1, 0) != 0;
}

/* ---- sending ------------------------------------------------------------ */

/*
 * Sends all of iov (which is changed), the descriptor with its first byte.
 * Returns 0, -1 with errno, or 1 when the engine says something before it
 * has everything, which is never good news.
 */
static int
engine_send(const struct clamd *c, struct clamd_engine *e, struct iovec *iov,
    size_t n, int passed, int64_t deadline)
{
	union {
		struct cmsghdr	 align;
		char		 space[CMSG_SPACE(sizeof(int))];
	}		 control;
	struct msghdr	 msg;
	struct cmsghdr	*cmsg;
	ssize_t		 sent;
	int		 events;

	memset(&msg, 0, sizeof(msg));
	msg.msg_iov = iov;
	msg.msg_iovlen = n;
	if (passed != -1) {
		memset(&control, 0, sizeof(control));
		msg.msg_control = control.space;
		msg.msg_controllen = sizeof(control.space);
		cmsg = CMSG_FIRSTHDR(&msg);
		cmsg->cmsg_level = SOL_SOCKET;
		cmsg->cmsg_type = SCM_RIGHTS;
		cmsg->cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(cmsg), &passed, sizeof(int));
	}
	while (msg.msg_iovlen > 0) {
		sent = sendmsg(e->fd, &msg, MSG_NOSIGNAL);
		if (sent == -1 && errno == EINTR)
			continue;
		if (sent == -1 && errno == EAGAIN) {
			events = wait_for(c, e->fd, POLLOUT | POLLIN,
			    earlier(deadline, clamd_now() +
			    c->timeouts.write));
			if (events <= 0)
				return -1;
			if ((events & POLLIN) != 0)
				return 1;
			continue;
		}
		if (sent == -1)
			return -1;
		msg.msg_control = NULL;
		msg.msg_controllen = 0;
		while (msg.msg_iovlen > 0 &&
		    (size_t)sent >= msg.msg_iov->iov_len) {
			sent -= (ssize_t)msg.msg_iov->iov_len;
			msg.msg_iov++;
			msg.msg_iovlen--;
		}
		if (msg.msg_iovlen > 0) {
			msg.msg_iov->iov_base =
			    (char *)msg.msg_iov->iov_base + sent;
			msg.msg_iov->iov_len -= (size_t)sent;
		}
	}
	return 0;
}

static void
iov_add(struct iovec *iov, size_t *n, const void *p, size_t len)
{
	iov[*n].iov_base = (void *)(uintptr_t)p;
	iov[(*n)++].iov_len = len;
}

/* The command, behind the one that begins a session where there is none. */
static void
iov_command(struct clamd_engine *e, struct iovec *iov, size_t *n,
    const char *command, size_t len)
{
	static const char	 session[] = "zIDSESSION";

	if (e->id == 0)
		iov_add(iov, n, session, sizeof(session));
	iov_add(iov, n, command, len);
	e->id++;
}

/* A part of a body as a file of its own. */
static int
body_copy(const struct clamd_body *b)
{
	off_t		 offset = (off_t)b->offset;
	uint64_t	 left = b->len;
	ssize_t		 n = 1;
	int		 fd;

	fd = memfd_create("icapd part", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (fd == -1)
		return -1;
	while (left > 0 && n > 0) {
		n = sendfile(fd, b->fd, &offset, left < (1u << 30) ?
		    (size_t)left : 1u << 30);
		if (n == -1 && errno == EINTR)
			n = 1;
		else if (n > 0)
			left -= (uint64_t)n;
	}
	if (left == 0 && fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW |
	    F_SEAL_WRITE | F_SEAL_SEAL) == 0)
		return fd;
	(void)close(fd);
	return -1;
}

static int
send_descriptor(const struct clamd *c, struct clamd_engine *e,
    const struct clamd_body *b, int64_t deadline)
{
	static const char	 command[] = "zFILDES\0";
	struct iovec		 iov[2];
	size_t			 n = 0;
	int			 fd = b->fd, result, saved;

	if (!b->all && (fd = body_copy(b)) == -1)
		return -1;
	/* its second NUL is the byte that the descriptor comes with */
	iov_command(e, iov, &n, command, sizeof(command));
	result = engine_send(c, e, iov, n, fd, deadline);
	saved = errno;
	if (fd != b->fd)
		(void)close(fd);
	errno = saved;
	return result;
}

static int
send_stream(struct clamd *c, struct clamd_engine *e,
    const struct clamd_body *b, int64_t deadline)
{
	static const char	 command[] = "zINSTREAM";
	struct iovec		 iov[5];
	uint64_t		 done = 0;
	unsigned char		 size[4];
	size_t			 n = 0, want;
	ssize_t			 got;
	int			 result;

	if (c->chunk == NULL && (c->chunk = malloc(CHUNK_MAX)) == NULL)
		return -1;
	iov_command(e, iov, &n, command, sizeof(command));
	do {
		/* it refuses what is too large, and a reset would eat that */
		if (done > 0 && engine_is_stale(e))
			return 1;
		want = b->len - done < CHUNK_MAX ? (size_t)(b->len - done) :
		    CHUNK_MAX;
		got = want == 0 ? 0 : pread(b->fd, c->chunk, want,
		    (off_t)(b->offset + done));
		if (got == -1 && errno == EINTR)
			continue;
		if (got == -1 || (got == 0 && want > 0)) {
			errno = EIO;		/* shorter than it was */
			return -1;
		}
		if (got > 0) {
			size[0] = (unsigned char)(got >> 24);
			size[1] = (unsigned char)(got >> 16);
			size[2] = (unsigned char)(got >> 8);
			size[3] = (unsigned char)got;
			iov_add(iov, &n, size, sizeof(size));
			iov_add(iov, &n, c->chunk, (size_t)got);
			done += (uint64_t)got;
		}
		if (done == b->len)
			iov_add(iov, &n, "\0\0\0", 4);
		if ((result = engine_send(c, e, iov, n, -1, deadline)) != 0)
			return result;
		n = 0;
	} while (done < b->len);
	return 0;
}

/* ---- asking ------------------------------------------------------------- */

/*
 * Reads one reply, which has to end with the last byte that came, into dst
 * (CLAMD_REPLY_MAX bytes).  Returns its length without the NUL, or -1 with
 * errno; EPIPE: the engine has closed, EPROTO: no reply looks so.
 */
static ssize_t
engine_read(const struct clamd *c, const struct clamd_engine *e, char *dst,
    int64_t deadline)
{
	size_t	 len = 0;
	ssize_t	 n;
	char	*nul;

	while (len < CLAMD_REPLY_MAX) {
		/* it is hardly ever there already */
		if (wait_for(c, e->fd, POLLIN, deadline) <= 0)
			return -1;
		n = recv(e->fd, dst + len, CLAMD_REPLY_MAX - len, 0);
		if (n == -1 && (errno == EINTR || errno == EAGAIN))
			continue;
		if (n == 0) {
			errno = len == 0 ? EPIPE : EPROTO;
			return -1;
		}
		if (n == -1)
			return -1;
		if ((nul = memchr(dst + len, '\0', (size_t)n)) != NULL) {
			len += (size_t)n;
			if (nul == dst + len - 1)
				return nul - dst;
			break;
		}
		len += (size_t)n;
	}
	errno = EPROTO;
	return -1;
}

/* FNV-1a: enough to see that a text is another one. */
static uint64_t
hash(const char *p, size_t len)
{
	uint64_t	 h = UINT64_C(14695981039346656037);

	while (len-- > 0)
		h = (h ^ (unsigned char)*p++) * UINT64_C(1099511628211);
	return h != 0 ? h : 1;
}

/* `text` is what VERSION was answered with. */
static void
engine_set_version(struct clamd_engine *e, const char *text, size_t len)
{
	static const char	 name[] = "ClamAV ";

	if (len < sizeof(name) || memcmp(text, name, sizeof(name) - 1) != 0)
		return;
	service_backend_set(e->backend, BACKEND_UP, "%.*s", (int)len, text);
	atomic_store(&e->shared->version, hash(text, len));
	atomic_store(&e->shared->version_at, clamd_now());
}

/* In a session.  Returns 0, or -1 with errno. */
static int
engine_ask_version(const struct clamd *c, struct clamd_engine *e,
    int64_t deadline)
{
	static const char	 command[] = "zVERSION";
	char			 reply[CLAMD_REPLY_MAX];
	const char		*p = reply;
	struct iovec		 iov[2];
	unsigned int		 id;
	ssize_t			 len;
	size_t			 n = 0;

	iov_command(e, iov, &n, command, sizeof(command));
	if (engine_send(c, e, iov, n, -1, deadline) == -1)
		return -1;
	len = engine_read(c, e, reply, earlier(deadline,
	    clamd_now() + c->timeouts.reply));
	if (len == -1)
		return -1;
	if (!parse_digits(&p, reply + len, &id) || id != e->id ||
	    !parse_text(&p, reply + len, ": ")) {
		errno = EPROTO;
		return -1;
	}
	engine_set_version(e, p, (size_t)(reply + len - p));
	return 0;
}

/* A session, and its version where it is time.  Returns 0, or -1. */
static int
engine_open(const struct clamd *c, struct clamd_engine *e, int64_t deadline)
{
	if (e->fd != -1 && (engine_is_stale(e) || e->id >= ID_MAX))
		engine_close(e);
	if (e->fd == -1 && (e->fd = engine_connect(c, e, deadline)) == -1)
		return -1;
	if (atomic_load(&e->shared->version_at) + VERSION_AGE < clamd_now() ||
	    atomic_load(&e->shared->version) == 0)
		return engine_ask_version(c, e, deadline);
	return 0;
}

/* What errno means; the connection is of no more use. */
static void
engine_fault(struct clamd_verdict *v, const char *what)
{
	char	 text[CLAMD_TEXT_MAX];
	int	 e = errno;

	(void)snprintf(text, sizeof(text), "%s: %s", what, e == EPIPE ?
	    "clamd closed the connection" : strerror(e));
	verdict_say(v, e == ETIMEDOUT ? CLAMD_TIMEOUT : e == EPROTO ||
	    e == EIO || e == ENOMEM ? CLAMD_ERROR : CLAMD_DOWN, text);
}

/* A broken pipe has often a reason in front of it: the reply. */
static void
engine_ask(struct clamd *c, struct clamd_engine *e,
    const struct clamd_body *b, int64_t deadline, struct clamd_verdict *v)
{
	char	 reply[CLAMD_REPLY_MAX];
	ssize_t	 len;
	int	 sent, saved;

	if (engine_open(c, e, deadline) == -1) {
		engine_fault(v, "connect");
		engine_close(e);
		return;
	}
	sent = e->mode == CLAMD_FILDES ?
	    send_descriptor(c, e, b, deadline) :
	    send_stream(c, e, b, deadline);
	saved = errno;
	if (sent == -1 && saved != EPIPE && saved != ECONNRESET) {
		engine_fault(v, "send");
		engine_close(e);
		return;
	}
	len = engine_read(c, e, reply, earlier(deadline,
	    clamd_now() + c->timeouts.reply));
	if (len == -1) {
		engine_fault(v, "reply");
		engine_close(e);
		return;
	}
	if (!clamd_parse(reply, (size_t)len, e->id, v))
		engine_close(e);
	else if (sent != 0) {
		/* no verdict about bytes that it has not got */
		if (v->result == CLAMD_CLEAN)
			verdict_say(v, CLAMD_ERROR, "reply before the end");
		engine_close(e);
	} else if (v->result >= CLAMD_DOWN && v->result != CLAMD_ENCRYPTED &&
	    v->result != CLAMD_LIMIT)
		engine_close(e);
	else if (engine_keep(c, e))
		e->is_used = true;
	else
		engine_close(e);
	engine_works(e);
}

static bool
is_final(enum clamd_result result)
{
	return result == CLAMD_CLEAN || result == CLAMD_INFECTED ||
	    result == CLAMD_ENCRYPTED || result == CLAMD_LIMIT;
}

/* One engine; a session that had ended in silence is renewed once. */
static void
engine_scan(struct clamd *c, struct clamd_engine *e,
    const struct clamd_body *b, int64_t deadline, struct clamd_verdict *v)
{
	bool	 was_used = e->fd != -1 && e->is_used;

	engine_ask(c, e, b, deadline, v);
	if (v->result == CLAMD_DOWN && was_used && e->fd == -1)
		engine_ask(c, e, b, deadline, v);
	if (v->result == CLAMD_DOWN || v->result == CLAMD_TIMEOUT)
		engine_failed(e);
	/* one body that takes too long says little: clamd_poll() finds out */
	if (v->result == CLAMD_DOWN)
		service_backend_set(e->backend, BACKEND_DOWN, "%s", v->text);
}

/* The order to ask in: whose failure is longest ago first. */
static void
clamd_order(const struct clamd *c, unsigned int *order)
{
	int64_t		 at[CLAMD_ENGINES_MAX], now = clamd_now();
	unsigned int	 i, k;

	for (i = 0; i < c->n; i++) {
		at[i] = engine_backoff(&c->engine[i], now) == 0 ? 0 :
		    atomic_load(&c->engine[i].shared->failed_at);
		for (k = i; k > 0 && at[order[k - 1]] > at[i]; k--)
			order[k] = order[k - 1];
		order[k] = i;
	}
}

void
clamd_on_wait(struct clamd *c, int (*due)(void *arg), void *arg)
{
	c->due = due;
	c->due_arg = arg;
}

void
clamd_scan(struct clamd *c, int fd, uint64_t offset, uint64_t len, bool all,
    int64_t deadline, struct clamd_verdict *v)
{
	const struct clamd_body	 b = { fd, offset, len, all };
	unsigned int		 order[CLAMD_ENGINES_MAX] = { 0 }, i;

	verdict_say(v, CLAMD_DOWN, "no engine is configured");
	clamd_order(c, order);
	for (i = 0; i < c->n; i++) {
		engine_scan(c, &c->engine[order[i]], &b, deadline, v);
		if (is_final(v->result))
			return;
		if (clamd_now() >= deadline)
			break;
	}
}

/* One engine, over a connection of its own. */
static bool
engine_poll(const struct clamd *c, struct clamd_engine *e)
{
	struct clamd_engine	 probe = *e;
	struct clamd_verdict	 v;
	int64_t			 deadline = clamd_now() + POLL_MS;
	char			 path[PATH_MAX];
	bool			 works;

	engine_resolve(e);
	probe.id = 0;
	probe.place = -1;
	if (e->path != NULL && c->root != NULL) {
		(void)snprintf(path, sizeof(path), "%s%s", c->root, e->path);
		probe.path = path;
	}
	probe.fd = engine_connect(c, &probe, deadline);
	works = probe.fd != -1 &&
	    engine_ask_version(c, &probe, deadline) == 0;
	if (works)
		engine_works(e);
	else {
		engine_fault(&v, probe.fd == -1 ? "connect" : "VERSION");
		service_backend_set(e->backend, BACKEND_DOWN, "%s", v.text);
		engine_failed(e);
	}
	engine_close(&probe);
	return works;
}

void
clamd_poll(struct clamd *c, void (*tell)(const char *engine, bool works))
{
	struct clamd_engine	*e;
	bool			 works;

	for (e = c->engine; e < c->engine + c->n; e++) {
		works = engine_poll(c, e);
		if (works == e->is_told && tell != NULL)
			tell(e->name, works);
		e->is_told = !works;
	}
}

uint64_t
clamd_version(const struct clamd *c)
{
	uint64_t	 one, all = 0;
	unsigned int	 i;

	for (i = 0; i < c->n; i++) {
		one = atomic_load(&c->engine[i].shared->version);
		if (one == 0)
			return 0;
		all = all * 31 + one;
	}
	return all;
}
