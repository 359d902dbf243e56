/* SPDX-License-Identifier: ISC */
/*
 * The logger: takes lines out of the rings and gives them to the outputs
 * (output.c).  A process of its own, started by the master and replaced when
 * it dies.  It must not put lines on behalf of others nor know what is in
 * them, and nothing it waits for may hold up the workers for long.
 *
 * Exactly once, whoever is killed when: a write to a file of ours is announced
 * in shared memory (file, its length before, bytes, and how far each ring will
 * be emptied), then done, then the rings are emptied.  A new logger that finds
 * an announced write looks in the file how much of it has happened.  All this
 * under a lock, which the logger of another daemon waits for (output.c): so
 * what is there is ours, or it is not what we were about to write.
 *
 * A stream cannot be asked, no more than a file that was renamed in that very
 * moment: with a killed logger the last write may come twice.  It is whole
 * lines, at most PIPE_BUF bytes, or a longer line, of which a part may remain.
 *
 * The lines of an output that is failing stay in the rings while these have
 * room; then they are given up and counted.
 */
#include <sys/prctl.h>
#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "../proto/chars.h"
#include "../proto/stream.h"
#include "log.h"
#include "logger.h"
#include "output.h"

#define BATCH		(256 * 1024)	/* largest write, bytes */
#define NAP		50		/* ms between looks while busy */
#define QUIET		1000		/* ms without work: sleep until woken */

struct logger {
	struct rings	*rs;
	struct output	*out;		/* RING_LOGS */
	unsigned int	 nout;
	unsigned int	 first;		/* the ring to begin with next */
	pid_t		 master;
	uint64_t	 recent;	/* number of the last one */
	char		*buf;
	logger_orphan	*orphan;
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
	else if (signo == LOGGER_FINISH)
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

/*
 * Collects the lines of log o, at most limit bytes or one line, into the
 * buffer and sets `next` of each ring.  `replay` collects what was announced
 * once more, as far as it fits into limit.  Begins where the log has its
 * turn: the ring that filled the last write comes last in the next one.
 * Returns the number of bytes, and of lines.
 */
static size_t
logger_gather(struct logger *lg, unsigned int o, size_t limit, bool replay,
    uint64_t *lines)
{
	struct ring_cursor	*cursor;
	struct ring_line	 line;
	uint64_t		 pos, end, at, before;
	unsigned int		 first = rings_log(lg->rs, o)->first;
	unsigned int		 i, k, count = rings_count(lg->rs);
	size_t			 n = 0, had;
	bool			 full = false;

	*lines = 0;
	lg->first = first;
	for (k = 0; k < count; k++) {
		i = (first + k) % count;
		cursor = ring_cursor(lg->rs, i, o);
		end = replay ? cursor->next : ring_head(lg->rs, i);
		pos = ring_start(lg->rs, i, cursor, end);
		had = n;
		while (!full && pos < end) {
			before = pos;
			at = ring_next(lg->rs, i, &pos, &line);
			if (line.log != o)
				continue;
			if (n + line.len > limit && (replay || n > 0)) {
				full = true;
				pos = before;
				lg->first = n > had ? i + 1 : i;
				break;
			}
			ring_copy(lg->rs, i, at, lg->buf + n, line.len);
			n += line.len;
			(*lines)++;
		}
		__atomic_store_n(&cursor->next, pos, __ATOMIC_RELEASE);
	}
	lg->out[o].emptied = !full;
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
	__atomic_store_n(&log->phase, RING_ANNOUNCED, __ATOMIC_RELEASE);
}

/* A write has been done: empties the rings.  Doing so twice is no harm. */
static void
logger_complete(struct logger *lg, unsigned int o)
{
	struct ring_log	*log = rings_log(lg->rs, o);

	logger_advance(lg, o);
	log->lines = log->lines_then;
	log->bytes = log->bytes_then;
	__atomic_store_n(&log->phase, RING_IDLE, __ATOMIC_RELEASE);
}

/* The first `len` bytes gathered are in the file: whole lines, all counted. */
static void
logger_commit(struct logger *lg, unsigned int o, size_t len, uint64_t lines)
{
	struct ring_log	*log = rings_log(lg->rs, o);

	log->lines_then = log->lines + lines;
	log->bytes_then = log->bytes + len;
	__atomic_store_n(&log->phase, RING_WRITTEN, __ATOMIC_RELEASE);
	log->first = lg->first;
	logger_complete(lg, o);
}

/*
 * A write ended after `done` of the bytes that begin at `offset` in the file.
 * Keeps the whole lines among them, and cuts off the rest, unless somebody has
 * written behind it: that is a line of its own then.
 */
static void
logger_settle(struct logger *lg, unsigned int o, off_t offset, size_t done)
{
	uint64_t	 lines;
	size_t		 n;

	n = logger_gather(lg, o, done, true, &lines);
	/* if there is no end of a line in it, which could be anybody's */
	if (n < done && memchr(lg->buf + n, '\n', done - n) == NULL)
		output_cut(&lg->out[o], offset + (off_t)n, offset +
		    (off_t)done);
	logger_commit(lg, o, n, lines);
}

/* Sends the lines of ring i that are there now.  Has it sent all of them? */
static bool
logger_send_ring(struct logger *lg, unsigned int o, unsigned int i)
{
	struct output		*out = &lg->out[o];
	struct ring_cursor	*cursor = ring_cursor(lg->rs, i, o);
	struct ring_line	 line;
	uint64_t		 end = ring_head(lg->rs, i), at;
	uint64_t		 pos = ring_start(lg->rs, i, cursor, end);

	while (pos < end) {
		at = ring_next(lg->rs, i, &pos, &line);
		if (line.log == o && line.len > 0) {
			ring_copy(lg->rs, i, at, lg->buf, line.len);
			if (output_send(out, (enum log_level)line.level,
			    lg->buf, line.len) <= 0)
				return false;
			out->log->lines++;
			out->log->bytes += line.len;
		}
		__atomic_store_n(&cursor->tail, pos, __ATOMIC_RELEASE);
	}
	__atomic_store_n(&cursor->tail, pos, __ATOMIC_RELEASE);
	return true;
}

/*
 * What the log of the system takes, a batch or little more, a message for
 * each line.  Begins where the log has its turn, as logger_gather() does.
 * Returns the bytes.
 */
static size_t
logger_write_syslog(struct logger *lg, unsigned int o)
{
	struct ring_log	*log = rings_log(lg->rs, o);
	uint64_t	 before = log->bytes, had;
	unsigned int	 count = rings_count(lg->rs), first = log->first, k;
	bool		 all = true;

	for (k = 0; all && k < count && log->bytes - before < BATCH; k++) {
		had = log->bytes;
		all = logger_send_ring(lg, o, (first + k) % count);
		if (!all && log->bytes == had)
			break;
	}
	log->first = (first + k) % count;
	lg->out[o].emptied = all && k == count;
	return log->bytes - before;
}

/* One piece for the stream of log o.  Returns its bytes, 0 or -1. */
static ssize_t
logger_feed(struct logger *lg, unsigned int o)
{
	struct output	*out = &lg->out[o];
	struct stat	 st;
	uint64_t	 lines;
	size_t		 len;
	ssize_t		 n;

	if (out->nrest > 0) {
		out->emptied = false;
		return output_resume(out);
	}
	if ((len = logger_gather(lg, o, PIPE_BUF, false, &lines)) == 0) {
		logger_advance(lg, o);
		/* all was given up; it may have room again */
		if (out->stalled != 0 && output_takes(out))
			output_works(out);
		return 0;
	}
	memset(&st, 0, sizeof(st));
	logger_announce(rings_log(lg->rs, o), &st, len);
	if ((n = output_offer(out, lg->buf, len)) > 0)
		logger_commit(lg, o, len, lines);
	else
		rings_log(lg->rs, o)->phase = RING_IDLE;
	out->emptied = out->emptied && (size_t)n == len;
	return n;
}

/* What a stream takes, a batch at most.  Returns the bytes. */
static size_t
logger_write_stream(struct logger *lg, unsigned int o)
{
	size_t	 total = 0;
	ssize_t	 n;

	while (total < BATCH && (n = logger_feed(lg, o)) > 0)
		total += (size_t)n;
	return total;
}

/* Writes up to one batch to the file of log o.  Returns the bytes. */
static size_t
logger_write_file(struct logger *lg, unsigned int o)
{
	struct ring_log	*log = rings_log(lg->rs, o);
	struct output	*out = &lg->out[o];
	struct stat	 st;
	uint64_t	 lines;
	size_t		 len, done = 0;

	if ((len = logger_gather(lg, o, BATCH, false, &lines)) == 0) {
		logger_advance(lg, o);
		return 0;
	}
	if (output_lock(out, &st) == -1)
		return 0;
	if (st.st_nlink == 0) {
		/* removed: nobody would ever see the lines */
		output_close(out);
		if (output_open(out) == -1)
			return 0;
		return out->regular ? logger_write_file(lg, o) :
		    logger_write_stream(lg, o);
	}
	if (output_end_line(out, &st) == 0) {
		logger_announce(log, &st, len);
		if ((done = output_write(out, lg->buf, len)) == len)
			logger_commit(lg, o, len, lines);
		else
			logger_settle(lg, o, st.st_size, done);
	}
	output_unlock(out);
	return done == len ? len : 0;
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
		end = ring_head(lg->rs, i);
		pos = ring_start(lg->rs, i, cursor, end);
		while (pos < end) {
			(void)ring_next(lg->rs, i, &pos, &line);
			if (line.log == o)
				rings_log(lg->rs, o)->lost++;
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
		end = ring_head(lg->rs, i);
		pos = ring_start(lg->rs, i, cursor, end);
		while (pos < end) {
			at = ring_next(lg->rs, i, &pos, &line);
			if (line.log != RING_RECENT)
				continue;
			recent = &table[lg->recent++ % RING_RECENTS];
			__atomic_store_n(&recent->number, 0, __ATOMIC_RELEASE);
			__atomic_thread_fence(__ATOMIC_RELEASE);
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

/*
 * A predecessor may have been killed between announcing a write and its end.
 * Returns -1 if that cannot be found out now: then the output is closed.
 */
static int
logger_recover(struct logger *lg, unsigned int o)
{
	struct ring_log	*log = rings_log(lg->rs, o), was;
	struct output	*out = &lg->out[o];
	struct stat	 st;
	uint64_t	 lines;
	size_t		 len, written = 0;

	if (log->phase == RING_WRITTEN)
		logger_complete(lg, o);
	if (log->phase == RING_IDLE)
		return 0;
	if (out->regular && output_lock(out, &st) == -1) {
		output_close(out);
		return -1;
	}
	/* a copy: workers could write to it */
	memcpy(&was, log, sizeof(was));
	if (was.len > BATCH)
		was.len = 0;			/* we announce no such thing */
	len = logger_gather(lg, o, was.len, true, &lines);
	if (out->regular && (uint64_t)st.st_dev == was.dev &&
	    (uint64_t)st.st_ino == was.ino)
		written = output_compare(out, (off_t)was.offset, lg->buf, len);
	log_info("log %s: %zu of %zu bytes were written before the logger "
	    "died", out->path, written, len);
	logger_settle(lg, o, (off_t)was.offset, written);
	output_unlock(out);
	return 0;
}

/*
 * Opens the logs that are there, or wanted again, since the last look.  Those
 * that were added after the master forked us are our successor's.
 */
static void
logger_add(struct logger *lg)
{
	const struct ring_name	*name;
	struct ring_log		*log;
	struct output		*out;
	unsigned int		 o;

	lg->nout = rings_logs(lg->rs);
	for (o = 0; o < lg->nout; o++) {
		out = &lg->out[o];
		log = rings_log(lg->rs, o);
		name = rings_name(lg->rs, o);
		if (out->serial != 0 || name->serial == 0 ||
		    log->serial != name->serial || !ring_log_is_used(log))
			continue;
		output_init(out, log, name);
		if (output_open(out) == 0)
			(void)logger_recover(lg, o);
	}
}

/* What is open already is opened anew; that it can be may be news. */
static void
logger_reopen_all(struct logger *lg)
{
	struct output	*out;
	unsigned int	 o;

	logger_reopen = 0;
	for (o = 0; o < lg->nout; o++) {
		out = &lg->out[o];
		if (out->serial == 0 || out->kind == OUTPUT_STDOUT ||
		    rings_log(lg->rs, o)->state != RING_LOG_USED)
			continue;
		output_close(out);
		if (output_open(out) == 0 && logger_recover(lg, o) == 0 &&
		    output_takes(out))
			output_works(out);
	}
	log_info("logs reopened");
}

/* One round for one log.  Returns how many bytes were written. */
static size_t
logger_drain_log(struct logger *lg, unsigned int o)
{
	struct output	*out = &lg->out[o];

	if (out->retry > stream_now()) {
		logger_give_up(lg, o, false);
		return 0;
	}
	if (out->fd == -1) {
		if (output_open(out) == -1 || logger_recover(lg, o) == -1)
			return 0;
		if (output_takes(out))
			output_works(out);
	}
	if (out->kind == OUTPUT_SYSLOG)
		return logger_write_syslog(lg, o);
	return out->regular ? logger_write_file(lg, o) :
	    logger_write_stream(lg, o);
}

/*
 * No configuration has that log any more, and it has all its lines, or cannot
 * be written: its place is free.
 */
static void
logger_retire(struct logger *lg, unsigned int o)
{
	struct ring_log	*log = rings_log(lg->rs, o);
	struct output	*out = &lg->out[o];

	if (out->retry != 0) {
		output_drop_rest(out);
		logger_give_up(lg, o, true);
		log_warnx("log %s: no longer configured, %llu lines were lost",
		    out->path, output_count_lost(out));
		log->failing = 0;
		out->retry = 0;
	}
	log->phase = RING_IDLE;
	if (!rings_free_log(lg->rs, o))
		return;				/* it is wanted again */
	output_fini(out);
}

/* One round over all logs.  Returns how many bytes were written. */
static uint64_t
logger_drain(struct logger *lg)
{
	struct output	*out;
	uint64_t	 total = 0;
	unsigned int	 o, i;
	bool		 ending;

	for (o = 0; o < lg->nout; o++) {
		out = &lg->out[o];
		if (out->serial == 0)
			continue;
		/* asked first: then nobody puts a line while we look */
		ending = __atomic_load_n(&rings_log(lg->rs, o)->state,
		    __ATOMIC_ACQUIRE) == RING_LOG_ENDING;
		out->emptied = false;
		total += logger_drain_log(lg, o);
		if (ending && (out->emptied || out->retry != 0))
			logger_retire(lg, o);
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

/*
 * Does the worker of that ring live?  The master says when one has gone; once
 * it has gone itself, a number may be another process's, but not in the
 * daemon's process group.
 */
static bool
ring_has_owner(const struct rings *rs, unsigned int i)
{
	pid_t	 pid = ring_owner(rs, i);

	return pid > 0 && getpgid(pid) == getpgrp();
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

/* Puts the lines of transactions whose worker died without a successor. */
static void
logger_bury(struct logger *lg)
{
	unsigned int	 i;

	if (lg->orphan == NULL)
		return;
	for (i = RING_WORKER; i < rings_count(lg->rs); i++)
		if (ring_claim(lg->rs, i)) {
			lg->orphan(lg->rs, i);
			ring_unclaim(lg->rs, i);
		}
}

/*
 * Waits a moment for streams that take nothing, with a line half written if
 * `begun`, but have not failed.  Returns whether there are any.
 */
static bool
logger_wait_streams(const struct logger *lg, bool begun)
{
	struct pollfd	 pfd[RING_LOGS];
	const struct output *out;
	unsigned int	 o;
	nfds_t		 n = 0;

	for (o = 0; o < lg->nout; o++) {
		out = &lg->out[o];
		if (out->stalled == 0 || out->retry != 0 ||
		    (begun && out->nrest == 0))
			continue;
		pfd[n].fd = out->fd;
		pfd[n++].events = POLLOUT;
	}
	if (n > 0)
		(void)poll(pfd, n, NAP);
	return n > 0;
}

/* Writes all there is, and gives up what cannot be written. */
static void
logger_flush(struct logger *lg)
{
	unsigned int	 o;

	while (logger_drain(lg) > 0 || logger_wait_streams(lg, false))
		;
	for (o = 0; o < lg->nout; o++)
		if (lg->out[o].retry != 0) {
			output_drop_rest(&lg->out[o]);
			logger_give_up(lg, o, true);
		}
	(void)logger_drain(lg);
}

/* The last round.  If it is the last of all, what is not written is lost. */
static void
logger_end(struct logger *lg)
{
	unsigned int	 i, o;

	if (logger_has_producers(lg)) {
		do
			(void)logger_drain(lg);
		while (logger_wait_streams(lg, true));
		exit(0);
	}
	for (o = 0; o < lg->nout; o++)
		if (lg->out[o].retry != 0)
			lg->out[o].retry = 1;
	logger_flush(lg);
	for (i = RING_WORKER; i < rings_count(lg->rs); i++)
		ring_leave(lg->rs, i, ring_owner(lg->rs, i));
	logger_bury(lg);
	logger_flush(lg);
	for (o = 0; o < lg->nout; o++)
		if (lg->out[o].retry != 0)
			log_warnx("log %s: %llu lines were lost",
			    lg->out[o].path, output_count_lost(&lg->out[o]));
	(void)logger_drain(lg);
	exit(0);
}

static int64_t
logger_next_retry(const struct logger *lg)
{
	unsigned int	 o;

	for (o = 0; o < lg->nout; o++)
		if (lg->out[o].retry != 0)
			return OUTPUT_RETRY;
	return -1;
}

static void
logger_on_alarm(int signo)
{
	(void)signo;
}

static void
logger_init_signals(pid_t master)
{
	sigset_t	 none;

	logger_handle(LOGGER_FINISH, logger_on_signal);
	logger_handle(LOGGER_REOPEN, logger_on_signal);
	logger_handle(SIGALRM, logger_on_alarm);
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
}

static void
logger_init(struct logger *lg, struct rings *rs, pid_t master,
    logger_orphan *orphan)
{
	const struct ring_recent *table = rings_recent(rs);
	unsigned int		 i;

	memset(lg, 0, sizeof(*lg));
	lg->rs = logger_rings = rs;
	lg->master = master;
	lg->orphan = orphan;
	if ((lg->buf = malloc(BATCH)) == NULL ||
	    (lg->out = calloc(RING_LOGS, sizeof(*lg->out))) == NULL)
		fatal(EXIT_SICK, "malloc");
	for (i = 0; i < RING_RECENTS; i++)
		if (table[i].number > lg->recent)
			lg->recent = table[i].number;
	/* a predecessor may have been killed at it */
	for (i = RING_WORKER; i < rings_count(rs); i++)
		ring_unclaim(rs, i);
	logger_init_signals(master);
}

void
logger_run(struct rings *rs, pid_t master, logger_orphan *orphan,
    uint64_t *jobs)
{
	struct logger	 lg;
	int64_t		 worked;
	uint64_t	 n;
	bool		 opened = true;

	logger_init(&lg, rs, master, orphan);
	worked = stream_now();
	for (;;) {
		logger_add(&lg);
		if (logger_reopen) {
			logger_reopen_all(&lg);
			opened = true;
		}
		if ((n = logger_drain(&lg)) > 0) {
			worked = stream_now();
			if (jobs != NULL)
				(*jobs)++;
		}
		/* only now is it known which of them work */
		if (opened)
			rings_count_reopen(rs);
		opened = false;
		if (n >= BATCH / 2)
			continue;
		logger_bury(&lg);
		if (logger_may_end(&lg))
			logger_end(&lg);
		if (logger_wait_streams(&lg, false))
			continue;
		if (logger_finish ||
		    stream_now() - worked < QUIET || !logger_is_empty(&lg)) {
			rings_sleep(rs, false, NAP);
		} else
			rings_sleep(rs, true, (int)logger_next_retry(&lg));
	}
}
