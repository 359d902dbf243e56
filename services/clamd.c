/* SPDX-License-Identifier: ISC */
/*
 * A client of clamd(8).  Called by clamav.c.  Each process keeps a session
 * (IDSESSION) with each engine it uses, and renews it when clamd has ended
 * it.  Every wait has a deadline.  Which engines work is known to all
 * processes, see clamd_engine.c.
 *
 * The rule that everything here follows: a body is clean when an engine has
 * answered the request about this very body with the two letters OK, and in
 * no other case.  What is to become of bodies that are not known to be clean
 * is not decided here.
 */
#include <sys/queue.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "clamd.h"
#include "clamd_engine.h"
#include "lookup.h"
#include "service.h"

/* Bytes of a body in one chunk of INSTREAM. */
#define CHUNK_MAX	(64 * 1024)

/* Requests of a session; their numbers have at most nine digits. */
#define ID_MAX		100000000

/* Longest answer to VERSION in the time of a poll, ms. */
#define POLL_MS		5000

/* How often names are looked up while all engines work, ms. */
#define RESOLVE_MS	30000

/*
 * How long a poll waits for what is looked up, ms: the first one longer, as
 * who probes a configuration polls once.
 */
#define PATIENCE_MS	200
#define PATIENCE_FIRST	2000

struct clamd {
	LIST_ENTRY(clamd)	 entry;
	struct clamd_timeouts	 timeouts;
	unsigned int		 keep;
	const char		*root;		/* of workers, or NULL */
	struct clamd_engine	 engine[CLAMD_ENGINES_MAX];
	unsigned int		 n;
	char			*chunk;		/* CHUNK_MAX bytes */
	struct clamd_wait	 wait;
	/* of the one that polls */
	struct lookup		*lookup;
	unsigned int		 next;		/* to be looked up */
	int64_t			 resolve_at;
	long			 patience;
};

/* Those of this process, for a new one to learn from. */
static LIST_HEAD(, clamd)	 clients = LIST_HEAD_INITIALIZER(clients);

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

static int64_t
earlier(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

/* A body on its way, and the file made of it where it is only a part. */
struct clamd_job {
	const struct clamd_body	*body;
	int			 own;		/* or -1 */
	int64_t			 deadline;
};

/* ---- replies ------------------------------------------------------------ */

static void
verdict_set(struct clamd_verdict *v, enum clamd_result result,
    const char *text, size_t len)
{
	size_t	 i;

	v->result = result;
	v->version = 0;
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
	if ((c->lookup = lookup_new(NULL)) == NULL) {
		free(c);
		return NULL;
	}
	c->patience = PATIENCE_FIRST;
	c->timeouts = *timeouts;
	c->keep = keep;
	LIST_INSERT_HEAD(&clients, c, entry);
	return c;
}

void
clamd_free(struct clamd *c)
{
	unsigned int	 i;

	if (c == NULL)
		return;
	/* its thread may still read the name of an engine */
	lookup_free(c->lookup);
	for (i = 0; i < c->n; i++) {
		clamd_engine_close(&c->engine[i]);
		clamd_engine_fini(&c->engine[i]);
	}
	LIST_REMOVE(c, entry);
	free(c->chunk);
	free(c);
}

int
clamd_add(struct clamd *c, const char *address)
{
	struct clamd_engine	*e = &c->engine[c->n];
	const struct clamd	*other;
	unsigned int		 i;
	int			 saved;

	if (c->n == CLAMD_ENGINES_MAX) {
		errno = E2BIG;
		return -1;
	}
	if (clamd_engine_init(e, address) == -1) {
		saved = errno;
		clamd_engine_fini(e);
		errno = saved;
		return -1;
	}
	c->n++;
	LIST_FOREACH(other, &clients, entry)
		for (i = 0; other != c && i < other->n; i++)
			clamd_engine_inherit(e, &other->engine[i]);
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

void
clamd_stop(struct clamd *c)
{
	unsigned int	 i;

	for (i = 0; i < c->n; i++)
		clamd_engine_close(&c->engine[i]);
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
			events = clamd_wait_for(&c->wait, e->fd,
			    POLLOUT | POLLIN, earlier(deadline, clamd_now() +
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

/* The descriptor of a file with the bytes of the body and nothing else. */
static int
job_file(struct clamd_job *job)
{
	const struct clamd_body	*b = job->body;

	if (b->part == NULL)
		return b->fd;
	if (job->own == -1)
		job->own = b->part(b->arg, b->offset, b->len);
	return job->own;
}

static int
send_descriptor(const struct clamd *c, struct clamd_engine *e,
    struct clamd_job *job)
{
	static const char	 command[] = "zFILDES\0";
	struct iovec		 iov[2];
	size_t			 n = 0;

	/* its second NUL is the byte that the descriptor comes with */
	iov_command(e, iov, &n, command, sizeof(command));
	return engine_send(c, e, iov, n, job_file(job), job->deadline);
}

static int
send_stream(struct clamd *c, struct clamd_engine *e, struct clamd_job *job)
{
	static const char	 command[] = "zINSTREAM";
	const struct clamd_body	*b = job->body;
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
		result = engine_send(c, e, iov, n, -1, job->deadline);
		if (result != 0)
			return result;
		n = 0;
	} while (done < b->len);
	return 0;
}

/*
 * By descriptor where the engine takes them, unless Linux does not: one user's
 * processes may have so many on their way, unread, as the sender may have open
 * (ETOOMANYREFS, unix(7)). Nothing of the message was sent then.
 */
static int
send_body(struct clamd *c, struct clamd_engine *e, struct clamd_job *job)
{
	int	 sent;

	if (e->mode == CLAMD_FILDES) {
		sent = send_descriptor(c, e, job);
		if (sent != -1 || errno != ETOOMANYREFS)
			return sent;
		e->id--;
	}
	return send_stream(c, e, job);
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
		if (clamd_wait_for(&c->wait, e->fd, POLLIN, deadline) <= 0)
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
	if ((len = engine_read(c, e, reply, deadline)) == -1)
		return -1;
	if (!parse_digits(&p, reply + len, &id) || id != e->id ||
	    !parse_text(&p, reply + len, ": ")) {
		errno = EPROTO;
		return -1;
	}
	clamd_engine_set_version(e, p, (size_t)(reply + len - p));
	return 0;
}

/* A session, and its version where it is time.  Returns 0, or -1. */
static int
engine_open(const struct clamd *c, struct clamd_engine *e, int64_t deadline)
{
	deadline = earlier(deadline, clamd_now() + c->timeouts.connect);
	if (e->fd != -1 && (engine_is_stale(e) || e->id >= ID_MAX))
		clamd_engine_close(e);
	if (e->fd == -1 && (e->fd = clamd_engine_connect(e, &c->wait, NULL,
	    deadline)) == -1)
		return -1;
	return clamd_engine_wants_version(e) ? engine_ask_version(c, e,
	    earlier(deadline, clamd_now() + c->timeouts.reply)) : 0;
}

/* What goes on, and what may take too long then. */
enum clamd_stage { CLAMD_CONNECT, CLAMD_VERSION, CLAMD_SEND, CLAMD_REPLY };

/*
 * What errno means for the body, and for the engine; the connection is of no
 * more use.  One body that takes too long says little about an engine, but
 * reason enough to ask.  Returns errno.
 */
static int
engine_fault(struct clamd_engine *e, enum clamd_stage stage,
    int64_t deadline, struct clamd_verdict *v)
{
	static const char *const	 name[] = { "connect", "version",
					    "send", "reply" };
	static const char *const	 limit[] = { "connect-timeout",
					    "no answer", "write-timeout",
					    "reply-timeout" };
	enum clamd_result		 result = CLAMD_DOWN;
	char				 text[CLAMD_TEXT_MAX];
	const char			*why = strerror(errno);
	int				 fault = errno;

	switch (fault) {
	case ETIMEDOUT:
		why = limit[stage];
		if (clamd_now() >= deadline)
			why = "scan-timeout";
		if (stage >= CLAMD_SEND || why != limit[stage])
			result = CLAMD_TIMEOUT;
		if (stage >= CLAMD_SEND)
			clamd_engine_doubt(e);
		break;
	case EPIPE:
		why = "clamd closed the connection";
		break;
	case EPROTO:
	case EIO:
	case EMFILE:
	case ENFILE:
	case ENOBUFS:
	case ENOMEM:
		result = CLAMD_ERROR;
		break;
	default:
		break;
	}
	(void)snprintf(text, sizeof(text), "%s: %s", name[stage], why);
	verdict_say(v, result, text);
	clamd_engine_close(e);
	return fault;
}

/* Is the session good for another request after this reply to `sent`? */
static bool
is_good_reply(struct clamd_engine *e, const char *reply, size_t len,
    int sent, struct clamd_verdict *v)
{
	if (!clamd_parse(reply, len, e->id, v))
		return false;
	/* no verdict about bytes that it has not got */
	if (sent != 0 && v->result == CLAMD_CLEAN)
		verdict_say(v, CLAMD_ERROR, "reply before the end");
	return sent == 0 && (v->result < CLAMD_DOWN ||
	    v->result == CLAMD_ENCRYPTED || v->result == CLAMD_LIMIT);
}

/*
 * A broken pipe has often a reason in front of it: the reply.  Returns 0, or
 * errno where there was none.
 */
static int
engine_ask(struct clamd *c, struct clamd_engine *e, struct clamd_job *job,
    struct clamd_verdict *v)
{
	char		 reply[CLAMD_REPLY_MAX];
	uint64_t	 version;
	ssize_t		 len;
	int		 sent;

	if (engine_open(c, e, job->deadline) == -1)
		return engine_fault(e, e->fd == -1 ? CLAMD_CONNECT :
		    CLAMD_VERSION, job->deadline, v);
	if (e->mode == CLAMD_FILDES && job_file(job) == -1) {
		/* no fault of the engine */
		verdict_say(v, CLAMD_ERROR, strerror(errno));
		clamd_engine_close(e);
		return 0;
	}
	version = clamd_engine_version(e);
	sent = send_body(c, e, job);
	if (sent == -1 && errno != EPIPE && errno != ECONNRESET)
		return engine_fault(e, CLAMD_SEND, job->deadline, v);
	len = engine_read(c, e, reply, earlier(job->deadline,
	    clamd_now() + c->timeouts.reply));
	if (len == -1)
		return engine_fault(e, CLAMD_REPLY, job->deadline, v);
	if (is_good_reply(e, reply, (size_t)len, sent, v) &&
	    clamd_engine_keep(e, c->keep))
		e->is_used = true;
	else
		clamd_engine_close(e);
	/* a database that changed meanwhile: whose verdict is it? */
	if (version == clamd_engine_version(e))
		v->version = version;
	clamd_engine_works(e);
	return 0;
}

static bool
is_final(enum clamd_result result)
{
	return result == CLAMD_CLEAN || result == CLAMD_INFECTED ||
	    result == CLAMD_ENCRYPTED || result == CLAMD_LIMIT;
}

/* One engine; a session that had ended in silence is renewed once. */
static void
engine_scan(struct clamd *c, struct clamd_engine *e, struct clamd_job *job,
    struct clamd_verdict *v)
{
	bool	 was_used = e->fd != -1 && e->is_used;
	int	 fault;

	fault = engine_ask(c, e, job, v);
	if (v->result == CLAMD_DOWN && was_used && fault != ETIMEDOUT)
		fault = engine_ask(c, e, job, v);
	if (v->result == CLAMD_DOWN) {
		clamd_engine_failed(e, fault == ETIMEDOUT);
		service_backend_set(e->backend, BACKEND_DOWN, "%s", v->text);
	}
}

/*
 * The order to ask in: as configured, but those that have failed behind the
 * others, whose failure is longest ago first.
 */
static void
clamd_order(const struct clamd *c, unsigned int *order)
{
	int64_t		 at[CLAMD_ENGINES_MAX];
	unsigned int	 i, k;

	for (i = 0; i < c->n; i++) {
		at[i] = clamd_engine_failed_at(&c->engine[i]);
		for (k = i; k > 0 && at[order[k - 1]] > at[i]; k--)
			order[k] = order[k - 1];
		order[k] = i;
	}
}

void
clamd_on_wait(struct clamd *c, int (*due)(void *arg), void *arg)
{
	c->wait.due = due;
	c->wait.arg = arg;
}

void
clamd_scan(struct clamd *c, const struct clamd_body *b, int64_t deadline,
    struct clamd_verdict *v)
{
	struct clamd_job	 job = { b, -1, deadline };
	struct clamd_engine	*e;
	struct clamd_verdict	 own;
	unsigned int		 order[CLAMD_ENGINES_MAX] = { 0 }, i;

	verdict_say(v, CLAMD_DOWN, c->n == 0 ? "no engine is configured" :
	    "no engine has answered lately");
	clamd_order(c, order);
	for (i = 0; i < c->n; i++) {
		e = &c->engine[order[i]];
		if (!clamd_engine_may_ask(e, c->timeouts.connect))
			continue;
		engine_scan(c, e, &job, &own);
		/* that another one is down says nothing about the body */
		if (is_final(own.result) || v->result == CLAMD_DOWN)
			*v = own;
		if (is_final(own.result) || clamd_now() >= deadline)
			break;
	}
	if (job.own != -1)
		(void)close(job.own);
}

/* ---- polling ------------------------------------------------------------ */

/* One engine, over a connection of its own. */
static bool
engine_answers(const struct clamd *c, struct clamd_engine *e)
{
	struct clamd_engine	 probe = *e;
	struct clamd_verdict	 v;
	int64_t			 deadline = clamd_now() + POLL_MS;
	bool			 works;
	int			 fault;

	probe.id = 0;
	probe.place = -1;
	probe.fd = clamd_engine_connect(&probe, &c->wait, c->root,
	    earlier(deadline, clamd_now() + c->timeouts.connect));
	works = probe.fd != -1 &&
	    engine_ask_version(c, &probe, deadline) == 0;
	if (works) {
		clamd_engine_works(e);
		clamd_engine_close(&probe);
	} else {
		fault = engine_fault(&probe, probe.fd == -1 ? CLAMD_CONNECT :
		    CLAMD_VERSION, INT64_MAX, &v);
		service_backend_set(e->backend, BACKEND_DOWN, "%s", v.text);
		clamd_engine_failed(e, fault == ETIMEDOUT);
	}
	return works;
}

static void
engine_poll(const struct clamd *c, struct clamd_engine *e,
    void (*tell)(const char *engine, bool works))
{
	bool	 works = engine_answers(c, e);

	if (works == e->is_told && tell != NULL)
		tell(e->name, works);
	e->is_told = !works;
}

static bool
is_fine(const struct clamd_engine *e)
{
	return clamd_engine_failed_at(e) == 0 && clamd_engine_has_address(e);
}

/*
 * Looks the names up one after the other, as far as there is an answer by now:
 * all of them now and then, and with each poll while some engine is not fine.
 */
static void
clamd_look_up(struct clamd *c, bool all_fine)
{
	const struct lookup_answer	*found;
	struct clamd_engine		*e;
	struct timespec			 until;

	if (c->next == 0 && all_fine && clamd_now() < c->resolve_at)
		return;
	until = lookup_until(c->patience);
	c->patience = PATIENCE_MS;
	for (; c->next < c->n; c->next++) {
		e = &c->engine[c->next];
		if (!e->is_name)
			continue;
		found = lookup_take(c->lookup, e->host, &until);
		if (found == NULL)
			return;
		clamd_engine_take(e, found);
	}
	c->next = 0;
	c->resolve_at = clamd_now() + RESOLVE_MS;
}

/* Others must not wait for one that is silent, or for a look-up. */
void
clamd_poll(struct clamd *c, void (*tell)(const char *engine, bool works))
{
	struct clamd_engine	*e, *end = c->engine + c->n;
	bool			 was_fine[CLAMD_ENGINES_MAX], all_fine = true;

	for (e = c->engine; e < end; e++)
		if ((was_fine[e - c->engine] = is_fine(e)))
			engine_poll(c, e, tell);
		else
			all_fine = false;
	clamd_look_up(c, all_fine);
	for (e = c->engine; e < end; e++)
		if (!was_fine[e - c->engine])
			engine_poll(c, e, tell);
}

uint64_t
clamd_version(const struct clamd *c)
{
	uint64_t	 all = 0;
	unsigned int	 i;

	for (i = 0; i < c->n; i++)
		all = all * 31 + clamd_engine_last_version(&c->engine[i]);
	return all;
}

uint64_t
clamd_next_version(const struct clamd *c)
{
	unsigned int	 order[CLAMD_ENGINES_MAX] = { 0 };

	if (c->n == 0)
		return 0;
	clamd_order(c, order);
	return clamd_engine_version(&c->engine[order[0]]);
}
