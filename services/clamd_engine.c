/* SPDX-License-Identifier: ISC */
/*
 * The engines of clamd.c: where each of them is, whether it works, and how a
 * connection to it is made.  What one process finds out is in memory that all
 * share, without a lock: each number stands for itself and the last one wins;
 * addresses have one writer.
 *
 * An engine that refuses costs nothing, and may be tried by all when there is
 * no other.  One that is silent costs whoever asks it a time-out: it is left
 * alone, but for one process now and then, until it has answered the process
 * that polls.  It must not know what is said over a connection.
 */
#include <sys/mman.h>
#include <sys/socket.h>
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
#include "clamd_engine.h"
#include "service.h"

/*
 * clamd takes no more connections than its MaxQueue (100), busy or not, and
 * ends those that are idle for its IdleTimeout (30 s).  So not every process
 * may keep one: there are so many places at most, and who has not used its
 * own for so long, ms, has lost it.
 */
#define KEEP_MAX	1024
#define KEEP_MS		30000

/* A silent engine is left alone for so long, doubling; ms. */
#define BACKOFF_MIN	1000
#define BACKOFF_MAX	30000

/*
 * A version that is older than this, ms, is asked for by who has a session;
 * and one that three polls have not confirmed is not known any more.
 */
#define VERSION_AGE	10000
#define VERSION_KNOWN	15000

/* When an engine was heard of that is doubted, ms. */
#define LONG_AGO	(-3600 * INT64_C(1000))

/* A wait is looked at again after so long, ms. */
#define WAIT_MAX	60000

/*
 * Addresses change in the half that nobody reads, and the turn says which one
 * is read from then on: a writer that dies leaves no trace.
 */
struct clamd_shared {
	_Atomic uint64_t	 version;	/* 0: never heard */
	_Atomic int64_t		 version_at;
	_Atomic int64_t		 failed_at;	/* 0: it works */
	_Atomic uint32_t	 failures;	/* in a row */
	_Atomic uint32_t	 silent;	/* the last of them */
	_Atomic uint32_t	 good;		/* address, tried first */
	_Atomic uint32_t	 turn;
	struct {
		unsigned int		 n;
		struct clamd_address	 address[CLAMD_ADDRESSES_MAX];
	}			 half[2];
	_Atomic uint64_t	 keeper[KEEP_MAX];	/* pid, seconds */
};

int64_t
clamd_now(void)
{
	struct timespec	 ts;

	(void)clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

/* ---- addresses ---------------------------------------------------------- */

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
engine_parse(struct clamd_engine *e, const char *address)
{
	static const char	 with_fd[] = "unix:", plain[] = "stream:";
	struct sockaddr_un	 sun;
	const char		*path;

	e->mode = CLAMD_STREAM;
	if (strncmp(address, with_fd, sizeof(with_fd) - 1) == 0) {
		e->mode = CLAMD_FILDES;
		path = address + sizeof(with_fd) - 1;
	} else if (strncmp(address, plain, sizeof(plain) - 1) == 0)
		path = address + sizeof(plain) - 1;
	else
		return engine_split(e, address);
	if (*path != '/' || strlen(path) >= sizeof(sun.sun_path)) {
		errno = EINVAL;
		return -1;
	}
	return (e->path = strdup(path)) != NULL ? 0 : -1;
}

/* Takes an address in digits; returns false where it is a name. */
static bool
engine_is_numeric(struct clamd_engine *e)
{
	struct clamd_address	 a;
	struct addrinfo		 hints, *ai;

	memset(&hints, 0, sizeof(hints));
	hints.ai_socktype = SOCK_STREAM;
	hints.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV;
	if (getaddrinfo(e->host, e->port, &hints, &ai) != 0)
		return false;
	memset(&a, 0, sizeof(a));
	memcpy(&a.sa, ai->ai_addr, ai->ai_addrlen);
	a.len = ai->ai_addrlen;
	freeaddrinfo(ai);
	clamd_engine_set_addresses(e, &a, 1);
	return true;
}

int
clamd_engine_init(struct clamd_engine *e, const char *address)
{
	memset(e, 0, sizeof(*e));
	e->fd = e->place = -1;
	e->shared = mmap(NULL, sizeof(*e->shared), PROT_READ | PROT_WRITE,
	    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (e->shared == MAP_FAILED) {
		e->shared = NULL;
		return -1;
	}
	if ((e->name = strdup(address)) == NULL ||
	    engine_parse(e, address) == -1)
		return -1;
	e->is_name = e->path == NULL && !engine_is_numeric(e);
	return 0;
}

void
clamd_engine_fini(struct clamd_engine *e)
{
	free(e->name);
	free(e->path);
	free(e->host);
	free(e->port);
	if (e->shared != NULL)
		(void)munmap(e->shared, sizeof(*e->shared));
	memset(e, 0, sizeof(*e));
}

/* Copies its addresses.  Returns their number. */
static unsigned int
engine_addresses(const struct clamd_engine *e, struct clamd_address *dst)
{
	const struct clamd_shared	*sh = e->shared;
	unsigned int			 n;
	uint32_t			 turn;

	/* it has changed twice while we looked, or we look once */
	do {
		turn = atomic_load(&sh->turn);
		n = sh->half[turn % 2].n;
		memcpy(dst, sh->half[turn % 2].address,
		    sizeof(sh->half[0].address));
		atomic_thread_fence(memory_order_acquire);
	} while (atomic_load(&sh->turn) != turn);
	/* a worker that was taken over may have written anything there */
	return n < CLAMD_ADDRESSES_MAX ? n : CLAMD_ADDRESSES_MAX;
}

bool
clamd_engine_has_address(const struct clamd_engine *e)
{
	struct clamd_address	 address[CLAMD_ADDRESSES_MAX];

	return e->path != NULL || engine_addresses(e, address) > 0;
}

void
clamd_engine_set_addresses(struct clamd_engine *e,
    const struct clamd_address *address, unsigned int n)
{
	struct clamd_shared	*sh = e->shared;
	uint32_t		 turn = atomic_load(&sh->turn);
	unsigned int		 next = (turn + 1) % 2;

	if (n > CLAMD_ADDRESSES_MAX)
		n = CLAMD_ADDRESSES_MAX;
	if (n == sh->half[turn % 2].n && memcmp(address,
	    sh->half[turn % 2].address, n * sizeof(*address)) == 0)
		return;
	memcpy(sh->half[next].address, address, n * sizeof(*address));
	sh->half[next].n = n;
	atomic_store(&sh->turn, turn + 1);
}

/* An address of IPv6, or what it stands for. */
static void
set_address(struct clamd_address *a, const unsigned char *ip, in_port_t port)
{
	struct sockaddr_in	*in = (void *)&a->sa;
	struct sockaddr_in6	*in6 = (void *)&a->sa;
	struct in6_addr		 addr;

	memset(a, 0, sizeof(*a));
	memcpy(&addr, ip, sizeof(addr));
	if (IN6_IS_ADDR_V4MAPPED(&addr)) {
		in->sin_family = AF_INET;
		in->sin_port = port;
		memcpy(&in->sin_addr, ip + 12, sizeof(in->sin_addr));
		a->len = sizeof(*in);
	} else {
		in6->sin6_family = AF_INET6;
		in6->sin6_port = port;
		in6->sin6_addr = addr;
		a->len = sizeof(*in6);
	}
}

void
clamd_engine_take(struct clamd_engine *e, const struct lookup_answer *found)
{
	struct clamd_address	 address[CLAMD_ADDRESSES_MAX];
	in_port_t		 port;
	unsigned int		 n;

	if (found->n <= 0)
		return;
	port = htons((in_port_t)strtonum(e->port, 1, 65535, NULL));
	for (n = 0; n < CLAMD_ADDRESSES_MAX && n < (unsigned int)found->n;
	    n++)
		set_address(&address[n], found->address[n], port);
	clamd_engine_set_addresses(e, address, n);
}

void
clamd_engine_inherit(struct clamd_engine *e, const struct clamd_engine *other)
{
	struct clamd_address	 address[CLAMD_ADDRESSES_MAX];
	struct clamd_shared	*sh = e->shared, *old = other->shared;
	unsigned int		 n;

	if (strcmp(e->name, other->name) != 0)
		return;
	if ((n = engine_addresses(other, address)) > 0)
		clamd_engine_set_addresses(e, address, n);
	if (atomic_load(&old->version) == 0 &&
	    atomic_load(&old->failed_at) == 0)
		return;			/* nothing is known of it */
	atomic_store(&sh->version, atomic_load(&old->version));
	atomic_store(&sh->version_at, atomic_load(&old->version_at));
	atomic_store(&sh->failed_at, atomic_load(&old->failed_at));
	atomic_store(&sh->failures, atomic_load(&old->failures));
	atomic_store(&sh->silent, atomic_load(&old->silent));
	atomic_store(&sh->good, atomic_load(&old->good));
}

/* ---- waiting and connecting --------------------------------------------- */

/* Milliseconds until the deadline, or something else is due. */
static int
wait_time(const struct clamd_wait *w, int64_t deadline, int64_t *left)
{
	int	 due = w->due != NULL ? w->due(w->arg) : -1;

	*left = deadline - clamd_now();
	if (*left < 0)
		*left = 0;
	if (due == -1 || due > WAIT_MAX)
		due = WAIT_MAX;
	return *left < due ? (int)*left : due;
}

int
clamd_wait_for(const struct clamd_wait *w, int fd, short events,
    int64_t deadline)
{
	struct pollfd	 pfd = { .fd = fd, .events = events };
	int64_t		 left;
	int		 n;

	for (;;) {
		/* once at least: the time may have gone into what was due */
		n = poll(&pfd, 1, wait_time(w, deadline, &left));
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

/*
 * A Unix socket that has no room is waited for in connect(), as poll() knows
 * nothing of it; a piece at a time, for what else is due.
 */
static int
connect_path(const struct clamd_wait *w, const char *path, int64_t deadline)
{
	struct sockaddr_un	 sun = { .sun_family = AF_UNIX };
	struct timeval		 tv;
	int64_t			 left;
	int			 fd, flags, n, ms;

	if (strlcpy(sun.sun_path, path, sizeof(sun.sun_path)) >=
	    sizeof(sun.sun_path)) {
		errno = ENAMETOOLONG;
		return -1;
	}
	if ((fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)) == -1)
		return -1;
	do {
		/* no time at all would be all the time there is */
		if ((ms = wait_time(w, deadline, &left)) == 0)
			ms = 1;
		tv.tv_sec = ms / 1000;
		tv.tv_usec = ms % 1000 * 1000;
		(void)setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &tv,
		    sizeof(tv));
		n = connect(fd, (struct sockaddr *)&sun, sizeof(sun));
	} while (n == -1 && (errno == EINTR || errno == EAGAIN) && left > 0);
	if (n == 0 && (flags = fcntl(fd, F_GETFL)) != -1 &&
	    fcntl(fd, F_SETFL, flags | O_NONBLOCK) != -1)
		return fd;
	n = errno == EAGAIN || errno == EINTR ? ETIMEDOUT : errno;
	(void)close(fd);
	errno = n;
	return -1;
}

/* Below root; where that is too long for an address, by its folder. */
static int
connect_unix(const struct clamd_wait *w, const char *root, const char *path,
    int64_t deadline)
{
	struct sockaddr_un	 sun;
	char			 whole[PATH_MAX], below[PATH_MAX], *name;
	int			 dir, fd, n, saved;

	if (root == NULL)
		return connect_path(w, path, deadline);
	n = snprintf(whole, sizeof(whole), "%s%s", root, path);
	if (n < 0 || (size_t)n >= sizeof(whole)) {
		errno = ENAMETOOLONG;
		return -1;
	}
	if ((size_t)n < sizeof(sun.sun_path))
		return connect_path(w, whole, deadline);
	name = strrchr(whole, '/');
	*name++ = '\0';
	dir = open(whole, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (dir == -1)
		return -1;
	(void)snprintf(below, sizeof(below), "/proc/self/fd/%d/%s", dir,
	    name);
	fd = connect_path(w, below, deadline);
	saved = errno;
	(void)close(dir);
	errno = saved;
	return fd;
}

static int
connect_tcp(const struct clamd_wait *w, const struct clamd_address *a,
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
	else if (clamd_wait_for(w, fd, POLLOUT, deadline) <= 0)
		e = errno;
	else if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &e, &len) == -1)
		e = errno;
	if (e == 0)
		return fd;
	(void)close(fd);
	errno = e;
	return -1;
}

int
clamd_engine_connect(const struct clamd_engine *e, const struct clamd_wait *w,
    const char *root, int64_t deadline)
{
	struct clamd_address	 address[CLAMD_ADDRESSES_MAX];
	unsigned int		 i, k, n, good;
	int64_t			 now;
	int			 fd, why = EHOSTUNREACH;

	if (e->path != NULL)
		return connect_unix(w, root, e->path, deadline);
	if ((n = engine_addresses(e, address)) > 0)
		good = atomic_load(&e->shared->good) % n;
	for (i = 0; i < n; i++) {
		k = (good + i) % n;
		now = clamd_now();
		fd = connect_tcp(w, &address[k], now + (deadline - now) /
		    (n - i));
		if (fd != -1) {
			if (k != good)
				atomic_store(&e->shared->good, k);
			return fd;
		}
		if (why != ETIMEDOUT)
			why = errno;
	}
	errno = why;
	return -1;
}

/* ---- what is known ------------------------------------------------------ */

static int64_t
backoff_end(const struct clamd_shared *sh, int64_t failed_at)
{
	uint32_t	 n;
	int64_t		 wait = BACKOFF_MIN;

	for (n = atomic_load(&sh->failures); n > 1 && wait < BACKOFF_MAX; n--)
		wait *= 2;
	return failed_at + (wait < BACKOFF_MAX ? wait : BACKOFF_MAX);
}

void
clamd_engine_works(struct clamd_engine *e)
{
	/* no write where nothing changes: others have it in their cache */
	if (atomic_load(&e->shared->failed_at) != 0) {
		atomic_store(&e->shared->failures, 0);
		atomic_store(&e->shared->silent, 0);
		atomic_store(&e->shared->failed_at, 0);
	}
	service_backend_set(e->backend, BACKEND_UP, NULL);
}

void
clamd_engine_failed(struct clamd_engine *e, bool silent)
{
	struct clamd_shared	*sh = e->shared;
	int64_t			 at = atomic_load(&sh->failed_at);
	int64_t			 now = clamd_now();

	if (silent)
		clamd_engine_doubt(e);
	/* however many find out at a time, it is one failure */
	if (at != 0 && now < backoff_end(sh, at) &&
	    (!silent || atomic_load(&sh->silent) != 0))
		return;
	atomic_fetch_add(&sh->failures, 1);
	atomic_store(&sh->silent, silent);
	atomic_store(&sh->failed_at, now);
}

void
clamd_engine_doubt(struct clamd_engine *e)
{
	atomic_store(&e->shared->version_at, LONG_AGO);
}

int64_t
clamd_engine_failed_at(const struct clamd_engine *e)
{
	return atomic_load(&e->shared->failed_at);
}

bool
clamd_engine_may_ask(struct clamd_engine *e, int64_t limit)
{
	struct clamd_shared	*sh = e->shared;
	int64_t			 at = atomic_load(&sh->failed_at);
	int64_t			 now = clamd_now();

	if (at == 0 || atomic_load(&sh->silent) == 0)
		return true;
	/* who finds the time over has it begin anew, for the others */
	if (now < backoff_end(sh, at) ||
	    !atomic_compare_exchange_strong(&sh->failed_at, &at, now + limit))
		return false;
	atomic_fetch_add(&sh->failures, 1);
	return true;
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

void
clamd_engine_set_version(struct clamd_engine *e, const char *text, size_t len)
{
	static const char	 name[] = "ClamAV ";

	if (len < sizeof(name) || memcmp(text, name, sizeof(name) - 1) != 0)
		return;
	service_backend_set(e->backend, BACKEND_UP, "%.*s", (int)len, text);
	atomic_store(&e->shared->version, hash(text, len));
	atomic_store(&e->shared->version_at, clamd_now());
}

uint64_t
clamd_engine_last_version(const struct clamd_engine *e)
{
	return atomic_load(&e->shared->version);
}

uint64_t
clamd_engine_version(const struct clamd_engine *e)
{
	int64_t	 at = atomic_load(&e->shared->version_at);

	return at + VERSION_KNOWN < clamd_now() ? 0 :
	    atomic_load(&e->shared->version);
}

bool
clamd_engine_wants_version(const struct clamd_engine *e)
{
	return atomic_load(&e->shared->version) == 0 ||
	    atomic_load(&e->shared->version_at) + VERSION_AGE < clamd_now();
}

/* ---- sessions ----------------------------------------------------------- */

/* What a keeper writes into its place. */
static uint64_t
keeper(void)
{
	return (uint64_t)getpid() << 32 | (uint64_t)(clamd_now() / 1000);
}

/* Another process may have looked at the clock behind this one. */
static bool
keeper_is_late(uint64_t old, uint64_t mine)
{
	return (int32_t)((uint32_t)mine - (uint32_t)old) > KEEP_MS / 1000;
}

bool
clamd_engine_keep(struct clamd_engine *e, unsigned int keep)
{
	_Atomic uint64_t	*place = e->shared->keeper;
	uint64_t		 mine = keeper(), old;
	int			 i, n = keep < KEEP_MAX ? (int)keep : KEEP_MAX;

	if (e->place != -1) {
		old = atomic_load(&place[e->place]);
		if (old == mine || (old >> 32 == mine >> 32 &&
		    atomic_compare_exchange_strong(&place[e->place], &old,
		    mine)))
			return true;
	}
	for (i = 0; i < n; i++) {
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

void
clamd_engine_close(struct clamd_engine *e)
{
	if (e->fd != -1)
		(void)close(e->fd);
	engine_leave(e);
	e->fd = -1;
	e->id = 0;
	e->is_used = false;
}
