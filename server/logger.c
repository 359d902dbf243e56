/* SPDX-License-Identifier: ISC */
/*
 * The logger: takes lines out of the rings and writes them to files, syslog
 * and standard output.  A process of its own, started by the master and
 * replaced when it dies.  It must not put lines on behalf of others nor know
 * what is in them, and nothing it waits for may hold up the workers for long.
 *
 * Exactly once, whoever is killed when: a write is announced in shared memory
 * (file, its length before, bytes, and how far each ring will be emptied),
 * then done, then the rings are emptied.  A new logger that finds an announced
 * write asks the file's length how much of it has happened.  Pipes and syslog
 * cannot be asked: there the last write, at most PIPE_BUF bytes, may come
 * twice.  The same goes for a file that was renamed in that very moment.
 *
 * A log that cannot be written (disk full, folder gone) is tried again every
 * second.  Its lines stay in the rings while these have room; then they are
 * given up, counted and, when it works again, reported.
 */
#include <sys/prctl.h>
#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "../proto/stream.h"
#include "log.h"
#include "logger.h"

#define BATCH		(256 * 1024)	/* largest write, bytes */
#define NAP		50		/* ms between looks while busy */
#define QUIET		1000		/* ms without work: sleep until woken */
#define RETRY		1000		/* ms before a failed log is tried */
#define LOG_MODE	0640

enum out_kind { OUT_FILE, OUT_STDOUT, OUT_SYSLOG };

struct out {
	enum out_kind	 kind;
	int		 fd;
	bool		 regular;
	int64_t		 retry;		/* when to try again; 0: works */
	uint64_t	 lost;		/* since it failed */
};

struct logger {
	struct rings	*rs;
	struct out	 out[RING_LOGS];
	unsigned int	 nout;
	pid_t		 master;
	uint64_t	 recent;	/* number of the last one */
	char		*buf;
};

static volatile sig_atomic_t	 logger_finish;
static volatile sig_atomic_t	 logger_reopen;
static struct rings		*logger_rings;

static void
logger_on_signal(int signo)
{
	int	 saved = errno;

	if (signo == LOGGER_REOPEN)
		logger_reopen = 1;
	else
		logger_finish = 1;
	rings_alarm(logger_rings);
	errno = saved;
}

static void
logger_handle(int signo, void (*handler)(int))
{
	struct sigaction	 sa;

	memset(&sa, 0, sizeof(sa));
	sa.sa_handler = handler;
	sigfillset(&sa.sa_mask);
	if (sigaction(signo, &sa, NULL) == -1)
		fatal(EXIT_CONFIG, "sigaction");
}

/* Only a change is worth a line: what was wrong, or how much is missing. */
static void
logger_failed(struct logger *lg, unsigned int o, const char *what)
{
	struct ring_log	*log = rings_log(lg->rs, o);

	log->errors++;
	if (lg->out[o].retry == 0) {
		log->failing = 1;
		lg->out[o].lost = 0;
		log_error("log %s: %s", log->path, what);
	}
	lg->out[o].retry = stream_now() + RETRY;
}

static void
logger_works(struct logger *lg, unsigned int o)
{
	struct ring_log	*log = rings_log(lg->rs, o);

	/* the failure may be a predecessor's */
	if (lg->out[o].retry == 0 && !log->failing)
		return;
	lg->out[o].retry = 0;
	log->failing = 0;
	log_warnx("log %s: works again, %llu lines were lost", log->path,
	    (unsigned long long)lg->out[o].lost);
}

static int
logger_open(struct logger *lg, unsigned int o)
{
	struct ring_log	*log = rings_log(lg->rs, o);
	struct out	*out = &lg->out[o];
	struct stat	 st;

	out->regular = false;
	if (out->kind == OUT_SYSLOG)
		return 0;
	if (out->kind == OUT_STDOUT)
		out->fd = STDOUT_FILENO;
	else
		out->fd = open(log->path, O_WRONLY | O_APPEND | O_CREAT |
		    O_CLOEXEC | O_NOCTTY, LOG_MODE);
	if (out->fd == -1 || fstat(out->fd, &st) == -1) {
		logger_failed(lg, o, "open");
		return -1;
	}
	out->regular = S_ISREG(st.st_mode);
	return 0;
}

static void
logger_close(struct logger *lg, unsigned int o)
{
	if (lg->out[o].kind == OUT_FILE && lg->out[o].fd != -1)
		(void)close(lg->out[o].fd);
	lg->out[o].fd = -1;
}

/*
 * Collects the lines of log o, at most limit bytes, into the buffer and sets
 * `next` of each ring.  `replay` collects what was announced once more.
 * Returns the number of bytes, and of lines.
 */
static size_t
logger_gather(struct logger *lg, unsigned int o, size_t limit, bool replay,
    uint64_t *lines)
{
	struct ring_cursor	*cursor;
	struct ring_line	 line;
	uint64_t		 pos, end, at, before;
	unsigned int		 i;
	size_t			 n = 0;
	bool			 full = false;

	*lines = 0;
	for (i = 0; i < rings_count(lg->rs); i++) {
		cursor = ring_cursor(lg->rs, i, o);
		pos = ring_start(lg->rs, i, cursor);
		end = replay ? cursor->next : ring_head(lg->rs, i);
		while (!full && pos < end) {
			before = pos;
			at = ring_next(lg->rs, i, &pos, &line);
			if (line.log != o)
				continue;
			if (n + line.len > limit) {
				full = true;
				pos = before;
				break;
			}
			ring_copy(lg->rs, i, at, lg->buf + n, line.len);
			n += line.len;
			(*lines)++;
		}
		__atomic_store_n(&cursor->next, pos, __ATOMIC_RELEASE);
	}
	return n;
}

/* What was gathered is written. */
static void
logger_advance(struct logger *lg, unsigned int o)
{
	struct ring_cursor	*cursor;
	unsigned int		 i;

	for (i = 0; i < rings_count(lg->rs); i++) {
		cursor = ring_cursor(lg->rs, i, o);
		__atomic_store_n(&cursor->tail, cursor->next,
		    __ATOMIC_RELEASE);
	}
}

static void
logger_announce(struct ring_log *log, const struct stat *st, size_t len)
{
	log->dev = (uint64_t)st->st_dev;
	log->ino = (uint64_t)st->st_ino;
	log->offset = (uint64_t)st->st_size;
	log->len = len;
	__atomic_store_n(&log->phase, 1, __ATOMIC_RELEASE);
}

/* The first `len` bytes gathered are in the file: whole lines, all counted. */
static void
logger_commit(struct logger *lg, unsigned int o, size_t len, uint64_t lines)
{
	struct ring_log	*log = rings_log(lg->rs, o);

	logger_advance(lg, o);
	log->lines += lines;
	log->bytes += len;
	__atomic_store_n(&log->phase, 0, __ATOMIC_RELEASE);
}

/*
 * A write ended after `done` of the bytes that begin at `offset` in the file.
 * Keeps the whole lines among them, and cuts off the rest.
 */
static void
logger_settle(struct logger *lg, unsigned int o, off_t offset, size_t done)
{
	uint64_t	 lines;
	size_t		 n;

	n = logger_gather(lg, o, done, true, &lines);
	if (lg->out[o].regular && ftruncate(lg->out[o].fd,
	    offset + (off_t)n) == -1)
		log_debug("log: ftruncate: %s", strerror(errno));
	logger_commit(lg, o, n, lines);
}

static size_t
logger_write_all(int fd, const char *p, size_t len)
{
	size_t	 done = 0;
	ssize_t	 n;

	while (done < len) {
		n = write(fd, p + done, len - done);
		if (n == -1 && errno == EINTR)
			continue;
		if (n <= 0)
			break;
		done += (size_t)n;
	}
	return done;
}

static void
logger_write_syslog(struct logger *lg, unsigned int o)
{
	struct ring_cursor	*cursor;
	struct ring_line	 line;
	uint64_t		 pos, end, at;
	unsigned int		 i;

	for (i = 0; i < rings_count(lg->rs); i++) {
		cursor = ring_cursor(lg->rs, i, o);
		pos = ring_start(lg->rs, i, cursor);
		end = ring_head(lg->rs, i);
		while (pos < end) {
			at = ring_next(lg->rs, i, &pos, &line);
			if (line.log == o && line.len > 0) {
				ring_copy(lg->rs, i, at, lg->buf, line.len);
				log_syslog((enum log_level)line.level,
				    lg->buf, line.len - 1);
				rings_log(lg->rs, o)->lines++;
				rings_log(lg->rs, o)->bytes += line.len;
			}
			__atomic_store_n(&cursor->tail, pos, __ATOMIC_RELEASE);
		}
		__atomic_store_n(&cursor->tail, pos, __ATOMIC_RELEASE);
	}
}

/* Writes up to one batch of log o.  Returns the bytes, or -1. */
static ssize_t
logger_write(struct logger *lg, unsigned int o)
{
	struct ring_log	*log = rings_log(lg->rs, o);
	struct out	*out = &lg->out[o];
	struct stat	 st;
	uint64_t	 lines;
	size_t		 len, done;

	len = logger_gather(lg, o, out->regular ? BATCH :
	    PIPE_BUF > RING_LINE_MAX ? PIPE_BUF : RING_LINE_MAX, false, &lines);
	if (len == 0) {
		logger_advance(lg, o);
		return 0;
	}
	memset(&st, 0, sizeof(st));
	if (out->regular) {
		if (fstat(out->fd, &st) == -1) {
			logger_failed(lg, o, "fstat");
			return -1;
		}
		if (st.st_nlink == 0) {
			/* removed: nobody would ever see the lines */
			logger_close(lg, o);
			if (logger_open(lg, o) == -1)
				return -1;
			return logger_write(lg, o);
		}
	}
	logger_announce(log, &st, len);
	if ((done = logger_write_all(out->fd, lg->buf, len)) == len) {
		logger_commit(lg, o, len, lines);
		logger_works(lg, o);
		return (ssize_t)len;
	}
	logger_failed(lg, o, "write");
	logger_settle(lg, o, st.st_size, done);
	return -1;
}

/* Log o cannot be written.  Nobody shall have to wait for that. */
static void
logger_give_up(struct logger *lg, unsigned int o, bool all)
{
	struct ring_cursor	*cursor;
	struct ring_line	 line;
	uint64_t		 pos, end;
	unsigned int		 i;

	for (i = 0; i < rings_count(lg->rs); i++) {
		if (!all && !ring_is_crowded(lg->rs, i))
			continue;
		cursor = ring_cursor(lg->rs, i, o);
		pos = ring_start(lg->rs, i, cursor);
		end = ring_head(lg->rs, i);
		while (pos < end) {
			(void)ring_next(lg->rs, i, &pos, &line);
			if (line.log == o) {
				lg->out[o].lost++;
				rings_log(lg->rs, o)->lost++;
			}
		}
		__atomic_store_n(&cursor->tail, pos, __ATOMIC_RELEASE);
	}
}

/* Keeps the last errors where everybody can read them. */
static void
logger_keep_recent(struct logger *lg)
{
	struct ring_recent	*table = rings_recent(lg->rs), *recent;
	struct ring_cursor	*cursor;
	struct ring_line	 line;
	uint64_t		 pos, end, at;
	unsigned int		 i;
	size_t			 len;

	for (i = 0; i < rings_count(lg->rs); i++) {
		cursor = ring_recent_cursor(lg->rs, i);
		pos = cursor->tail;
		end = ring_head(lg->rs, i);
		while (pos < end) {
			at = ring_next(lg->rs, i, &pos, &line);
			if (line.log != RING_RECENT)
				continue;
			recent = &table[lg->recent++ % RING_RECENTS];
			__atomic_store_n(&recent->number, 0, __ATOMIC_RELEASE);
			recent->when = (int64_t)time(NULL);
			recent->level = line.level;
			recent->kind = line.kind;
			len = line.len < sizeof(recent->text) - 1 ?
			    line.len : sizeof(recent->text) - 1;
			ring_copy(lg->rs, i, at, recent->text, len);
			recent->text[len] = '\0';
			__atomic_store_n(&recent->number, lg->recent,
			    __ATOMIC_RELEASE);
		}
		cursor->tail = pos;
	}
}

/* A predecessor was killed between announcing a write and its end. */
static void
logger_recover(struct logger *lg, unsigned int o)
{
	struct ring_log	*log = rings_log(lg->rs, o);
	struct stat	 st;
	uint64_t	 written = 0;

	if (log->phase == 0)
		return;
	if (lg->out[o].regular && fstat(lg->out[o].fd, &st) == 0 &&
	    (uint64_t)st.st_dev == log->dev && (uint64_t)st.st_ino ==
	    log->ino && (uint64_t)st.st_size > log->offset) {
		written = (uint64_t)st.st_size - log->offset;
		if (written > log->len)
			written = log->len;
	}
	log_info("log %s: %llu of %llu bytes were written before the logger "
	    "died", log->path, (unsigned long long)written,
	    (unsigned long long)log->len);
	if (written > 0)
		logger_settle(lg, o, (off_t)log->offset, written);
	else
		log->phase = 0;
}

/* Opens the logs that were added since the last look. */
static void
logger_add(struct logger *lg)
{
	struct ring_log	*log;
	struct out	*out;
	unsigned int	 o;

	while (lg->nout < rings_logs(lg->rs)) {
		o = lg->nout++;
		out = &lg->out[o];
		log = rings_log(lg->rs, o);
		out->fd = -1;
		out->kind = strcmp(log->path, LOGGER_STDOUT) == 0 ?
		    OUT_STDOUT : strcmp(log->path, LOGGER_SYSLOG) == 0 ?
		    OUT_SYSLOG : OUT_FILE;
		if (logger_open(lg, o) == 0)
			logger_recover(lg, o);
	}
}

static void
logger_reopen_all(struct logger *lg)
{
	unsigned int	 o;

	logger_reopen = 0;
	for (o = 0; o < lg->nout; o++) {
		if (lg->out[o].kind != OUT_FILE)
			continue;
		logger_close(lg, o);
		if (logger_open(lg, o) == 0)
			lg->out[o].retry = lg->out[o].retry == 0 ? 0 : 1;
	}
	rings_count_reopen(lg->rs);
	log_info("logs reopened");
}

/* One round over all logs.  Returns how many bytes were written. */
static uint64_t
logger_drain(struct logger *lg)
{
	struct out	*out;
	uint64_t	 total = 0;
	unsigned int	 o, i;
	ssize_t		 n;

	for (o = 0; o < lg->nout; o++) {
		out = &lg->out[o];
		if (out->kind == OUT_SYSLOG) {
			logger_write_syslog(lg, o);
			continue;
		}
		if (out->retry > stream_now()) {
			logger_give_up(lg, o, false);
			continue;
		}
		if (out->fd == -1) {
			if (logger_open(lg, o) == -1)
				continue;
			logger_recover(lg, o);
		}
		do {
			if ((n = logger_write(lg, o)) > 0)
				total += (uint64_t)n;
		} while (n > 0 && !out->regular);
	}
	logger_keep_recent(lg);
	for (i = 0; i < rings_count(lg->rs); i++)
		ring_release(lg->rs, i);
	return total;
}

static bool
logger_is_empty(struct logger *lg)
{
	unsigned int	 i;

	for (i = 0; i < rings_count(lg->rs); i++)
		if (ring_head(lg->rs, i) != ring_tail(lg->rs, i))
			return false;
	return true;
}

/* Does the worker of that ring live? */
static bool
ring_has_owner(const struct rings *rs, unsigned int i)
{
	pid_t	 pid = ring_owner(rs, i);

	return pid != 0 && (kill(pid, 0) == 0 || errno != ESRCH);
}

static bool
logger_has_producers(const struct logger *lg)
{
	unsigned int	 i;

	for (i = RING_WORKER; i < rings_count(lg->rs); i++)
		if (ring_has_owner(lg->rs, i))
			return true;
	return false;
}

/*
 * Told to finish: while the master lives it knows why, and who is to go on.
 * Else the workers, which finish their transactions, are waited for.
 */
static bool
logger_may_end(const struct logger *lg)
{
	return logger_finish && (getppid() == lg->master ||
	    !logger_has_producers(lg));
}

/* The last round.  If it is the last of all, what is not written is lost. */
static void
logger_end(struct logger *lg, logger_orphan *orphan)
{
	unsigned int	 i, o;

	if (logger_has_producers(lg)) {
		(void)logger_drain(lg);
		exit(0);
	}
	for (i = RING_WORKER; i < rings_count(lg->rs); i++)
		if (orphan != NULL && ring_has_intent(lg->rs, i))
			orphan(lg->rs, i);
	for (o = 0; o < lg->nout; o++)
		if (lg->out[o].retry != 0)
			lg->out[o].retry = 1;
	while (logger_drain(lg) > 0)
		;
	for (o = 0; o < lg->nout; o++) {
		if (lg->out[o].retry == 0)
			continue;
		logger_give_up(lg, o, true);
		log_warnx("log %s: %llu lines were lost",
		    rings_log(lg->rs, o)->path,
		    (unsigned long long)lg->out[o].lost);
	}
	(void)logger_drain(lg);
	exit(0);
}

static int64_t
logger_next_retry(const struct logger *lg)
{
	unsigned int	 o;

	for (o = 0; o < lg->nout; o++)
		if (lg->out[o].retry != 0)
			return RETRY;
	return -1;
}

void
logger_run(struct rings *rs, pid_t master, logger_orphan *orphan,
    uint64_t *jobs)
{
	struct logger	 lg;
	struct ring_recent *table = rings_recent(rs);
	sigset_t	 none;
	int64_t		 worked;
	uint64_t	 n;
	unsigned int	 i;

	memset(&lg, 0, sizeof(lg));
	lg.rs = logger_rings = rs;
	lg.master = master;
	if ((lg.buf = malloc(BATCH)) == NULL)
		fatal(EXIT_SICK, "malloc");
	for (i = 0; i < RING_RECENTS; i++)
		if (table[i].number > lg.recent)
			lg.recent = table[i].number;
	logger_handle(LOGGER_FINISH, logger_on_signal);
	logger_handle(LOGGER_REOPEN, logger_on_signal);
	logger_handle(SIGINT, SIG_IGN);
	logger_handle(SIGHUP, SIG_IGN);
	logger_handle(SIGUSR2, SIG_IGN);
	logger_handle(SIGPIPE, SIG_IGN);
	logger_handle(SIGXFSZ, SIG_IGN);
	if (prctl(PR_SET_PDEATHSIG, LOGGER_FINISH) == -1)
		fatal(EXIT_CONFIG, "prctl");
	sigemptyset(&none);
	if (sigprocmask(SIG_SETMASK, &none, NULL) == -1)
		fatal(EXIT_CONFIG, "sigprocmask");
	if (getppid() != master)
		logger_finish = 1;
	worked = stream_now();
	for (;;) {
		logger_add(&lg);
		if (logger_reopen)
			logger_reopen_all(&lg);
		if ((n = logger_drain(&lg)) > 0) {
			worked = stream_now();
			if (jobs != NULL)
				(*jobs)++;
		}
		if (n >= BATCH / 2)
			continue;
		if (logger_may_end(&lg))
			logger_end(&lg, orphan);
		if (logger_finish ||
		    stream_now() - worked < QUIET || !logger_is_empty(&lg)) {
			rings_sleep(rs, false, NAP);
		} else
			rings_sleep(rs, true, (int)logger_next_retry(&lg));
	}
}
