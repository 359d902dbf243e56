/* SPDX-License-Identifier: ISC */
/*
 * The rings and the logger: every line that was put is written once and in
 * the order of its ring, whoever is killed, whether the disk is full or the
 * folder gone.  Producers and loggers are processes of the test's own.
 */
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "../server/devlog.h"
#include "../server/log.h"
#include "../server/logger.h"
#include "../server/ring.h"
#include "unit.h"

#define PLACES		4
#define KILLS		60
#define KILL_EVERY	150		/* lines between two kills */
#define LINES		4000		/* of each producer, without kills */
#define THEIRS		(RING_WORKER + 2)	/* the other daemon's rings */

struct fixture {
	struct rings		*rs;
	struct ring_public	*pub;
	char			 dir[64];
	char			 path[96];
	pid_t			 logger;
	volatile uint64_t	*put;		/* lines put, by ring; shared */
	volatile int		*stop;
	int			 out;		/* a logger's stdout, or -1 */
	int			 syslogd;	/* not a logger's, or -1 */
	logger_orphan		*orphan;
	uint64_t		 torn;		/* lines that may be */
	struct rings		*theirs;	/* of another daemon */
};

static struct fixture	 f;

static void
pause_a_little(void)
{
	struct timespec	 ts = { 0, 1000000 };

	(void)nanosleep(&ts, NULL);
}

static void
set_up(void)
{
	void	*shared;

	memset(&f, 0, sizeof(f));
	f.out = f.syslogd = -1;
	(void)strlcpy(f.dir, "/tmp/icapd-check-ring.XXXXXX", sizeof(f.dir));
	ck_assert_ptr_nonnull(mkdtemp(f.dir));
	(void)snprintf(f.path, sizeof(f.path), "%s/log", f.dir);
	shared = mmap(NULL, 1 << 20, PROT_READ | PROT_WRITE,
	    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ck_assert_ptr_ne(shared, MAP_FAILED);
	f.put = shared;
	f.stop = (int *)((char *)shared + 4096);
	f.pub = (struct ring_public *)((char *)shared + 8192);
	f.rs = rings_open(PLACES, RING_SIZE_MIN, f.pub);
	ck_assert_ptr_nonnull(f.rs);
	f.theirs = rings_open(PLACES, RING_SIZE_MIN,
	    (struct ring_public *)((char *)shared + (1 << 19)));
	ck_assert_ptr_nonnull(f.theirs);
}

/* From now on all is about the rings of the other daemon, and back. */
static void
change_daemon(void)
{
	struct rings	*rs = f.rs;

	f.rs = f.theirs;
	f.theirs = rs;
}

static void
tear_down(void)
{
	char	 old[128];

	if (f.logger > 0) {
		(void)kill(f.logger, SIGKILL);
		(void)waitpid(f.logger, NULL, 0);
	}
	(void)snprintf(old, sizeof(old), "%s.1", f.path);
	(void)unlink(f.path);
	(void)unlink(old);
	(void)rmdir(f.dir);
	rings_close(f.rs);
	rings_close(f.theirs);
	(void)munmap((void *)(uintptr_t)f.put, 1 << 20);
}

static void
start_logger(const struct rlimit *limit)
{
	pid_t		 test = getpid();
	sigset_t	 mask, old;
	int		 null;

	/* as the master does: until it has its handlers */
	sigemptyset(&mask);
	sigaddset(&mask, LOGGER_FINISH);
	sigaddset(&mask, LOGGER_REOPEN);
	ck_assert_int_eq(sigprocmask(SIG_BLOCK, &mask, &old), 0);
	if ((f.logger = fork()) == 0) {
		null = open("/dev/null", O_WRONLY);
		(void)dup2(null, STDERR_FILENO);
		if (f.out != -1)
			(void)dup2(f.out, STDOUT_FILENO);
		if (f.syslogd != -1)
			(void)close(f.syslogd);
		if (limit != NULL)
			(void)setrlimit(RLIMIT_FSIZE, limit);
		logger_run(f.rs, test, f.orphan, NULL);
	}
	ck_assert_int_gt(f.logger, 0);
	ck_assert_int_eq(sigprocmask(SIG_SETMASK, &old, NULL), 0);
}

/* Tells the logger to finish; everything is written then. */
static void
finish_logger(void)
{
	int	 status;

	ck_assert_int_eq(kill(f.logger, LOGGER_FINISH), 0);
	ck_assert_int_eq(waitpid(f.logger, &status, 0), f.logger);
	f.logger = 0;
	ck_assert(WIFEXITED(status));
	ck_assert_int_eq(WEXITSTATUS(status), 0);
}

static void
kill_logger(void)
{
	ck_assert_int_eq(kill(f.logger, SIGKILL), 0);
	ck_assert_int_eq(waitpid(f.logger, NULL, 0), f.logger);
	f.logger = 0;
}

/* "ring number xxx...": of different lengths, some larger than a page. */
static size_t
compose(char text[RING_LINE_MAX], unsigned int ring, uint64_t number)
{
	size_t	 n, pad;

	n = (size_t)snprintf(text, RING_LINE_MAX, "%u %llu ", ring,
	    (unsigned long long)number);
	pad = number % 97 == 0 ? 5000 : number * 31 % 400;
	memset(text + n, 'x', pad);
	n += pad;
	text[n++] = '\n';
	return n;
}

static int
put(unsigned int ring, uint64_t number, unsigned int log, bool wait)
{
	struct ring_line	 line = { .log = (uint16_t)log };
	char			 text[RING_LINE_MAX];

	line.len = (uint32_t)compose(text, ring, number);
	line.p = text;
	return ring_put(f.rs, ring, &line, 1, wait, false);
}

/*
 * Until log 0 is known to work again.  With nothing left to write the logger
 * would not find out, so there is always one more; returns the last number.
 */
static uint64_t
put_until_it_works(uint64_t n)
{
	do {
		ck_assert_int_eq(put(RING_WORKER, ++n, 0, true), 0);
		pause_a_little();
	} while (rings_log(f.rs, 0)->failing);
	return n;
}

/* A process that puts lines until told to stop, or so many. */
static pid_t
start_producer(unsigned int ring, uint64_t lines)
{
	pid_t	 pid;

	if ((pid = fork()) != 0)
		return pid;
	ring_take(f.rs, ring, getpid());
	while (!*f.stop && (lines == 0 || f.put[ring] < lines)) {
		/* counted first: who is killed in between has put it or not */
		f.put[ring]++;
		(void)put(ring, f.put[ring], 0, true);
	}
	_exit(0);
}

/* "RING NUMBER xxx", whole, of those that are there? */
static bool
parse_line(const char *text, unsigned int *ring, uint64_t *number)
{
	uint64_t	 pad;
	char		*p;

	*ring = (unsigned int)strtoul(text, &p, 10);
	if (p == text || *ring >= PLACES + RING_WORKER || *p != ' ')
		return false;
	text = p + 1;
	*number = strtoull(text, &p, 10);
	if (p == text || *p != ' ')
		return false;
	pad = *number % 97 == 0 ? 5000 : *number * 31 % 400;
	return strspn(p + 1, "x") == pad && p[1 + pad] == '\n';
}

/*
 * Reads a log: the lines of each ring must be 1, 2, 3 ... without a gap and
 * whole, but for those that may be torn, anywhere.  Returns how many there
 * are, and of each ring.
 */
static uint64_t
read_log(const char *path, uint64_t last[PLACES + RING_WORKER])
{
	static char	 text[RING_LINE_MAX + 2];
	uint64_t	 total = 0, number;
	unsigned int	 ring;
	FILE		*fp;

	if ((fp = fopen(path, "r")) == NULL)
		return 0;
	while (fgets(text, sizeof(text), fp) != NULL) {
		unit_must(text[strlen(text) - 1] == '\n');
		/* one that is torn may look whole but for its end */
		if (!parse_line(text, &ring, &number) ||
		    (f.torn > 0 && number == last[ring])) {
			unit_must(f.torn > 0);
			f.torn--;
			continue;
		}
		if (number != last[ring] + 1)
			ck_abort_msg("ring %u: line %llu after %llu", ring,
			    (unsigned long long)number,
			    (unsigned long long)last[ring]);
		last[ring] = number;
		total++;
	}
	(void)fclose(fp);
	return total;
}

/*
 * The same where lines may be missing: they are whole and in order.  Counts
 * them by ring; a cut one at the end is left out.
 */
static uint64_t
count_log(const char *path, uint64_t count[PLACES + RING_WORKER])
{
	static char	 text[RING_LINE_MAX + 2];
	uint64_t	 total = 0, number;
	uint64_t	 last[PLACES + RING_WORKER] = { 0 };
	unsigned int	 ring;
	char		*p;
	FILE		*fp;

	ck_assert_ptr_nonnull(fp = fopen(path, "r"));
	while (fgets(text, sizeof(text), fp) != NULL &&
	    text[strlen(text) - 1] == '\n') {
		ring = (unsigned int)strtoul(text, &p, 10);
		unit_must(ring < PLACES + RING_WORKER && *p == ' ');
		number = strtoull(p + 1, &p, 10);
		unit_must(*p == ' ' && number > last[ring]);
		unit_must(strspn(p + 1, "x") == (number % 97 == 0 ? 5000 :
		    number * 31 % 400));
		last[ring] = number;
		count[ring]++;
		total++;
	}
	(void)fclose(fp);
	return total;
}

static uint64_t
written_lines(struct rings *rs)
{
	return __atomic_load_n(&rings_log(rs, 0)->lines, __ATOMIC_RELAXED);
}

static uint64_t
written(void)
{
	return written_lines(f.rs);
}

START_TEST(lines_come_out_whole_and_in_order)
{
	uint64_t	 last[PLACES + RING_WORKER] = { 0 };
	unsigned int	 i;
	pid_t		 pid[PLACES];

	ck_assert_int_eq(rings_add_log(f.rs, f.path), 0);
	ck_assert_int_eq(rings_add_log(f.rs, f.path), 0);
	start_logger(NULL);
	for (i = 0; i < PLACES; i++)
		pid[i] = start_producer(RING_WORKER + i, LINES);
	for (i = 0; i < PLACES; i++)
		ck_assert_int_eq(waitpid(pid[i], NULL, 0), pid[i]);
	finish_logger();
	ck_assert_uint_eq(read_log(f.path, last), PLACES * LINES);
	ck_assert_uint_eq(written(), PLACES * LINES);
}
END_TEST

START_TEST(nobody_is_dropped_when_a_ring_is_full)
{
	uint64_t	 last[PLACES + RING_WORKER] = { 0 };
	uint64_t	 n = 0, seen;
	pid_t		 pid;

	ck_assert_int_eq(rings_add_log(f.rs, f.path), 0);
	/* who may not wait is told */
	while (put(RING_MASTER, n + 1, 0, false) == 0)
		n++;
	ck_assert_uint_gt(n, 100);
	pid = start_producer(RING_WORKER, LINES);
	/* it waits: nobody has emptied anything */
	do {
		seen = f.pub->waits;
		pause_a_little();
	} while (seen == 0);
	ck_assert_uint_lt(f.put[RING_WORKER], LINES);
	start_logger(NULL);
	ck_assert_int_eq(waitpid(pid, NULL, 0), pid);
	finish_logger();
	ck_assert_uint_eq(read_log(f.path, last), n + LINES);
}
END_TEST

START_TEST(a_killed_logger_loses_and_repeats_nothing)
{
	uint64_t	 last[PLACES + RING_WORKER] = { 0 };
	uint64_t	 seen, total;
	unsigned int	 i, k;
	volatile unsigned int spin;
	pid_t		 pid[PLACES];

	ck_assert_int_eq(rings_add_log(f.rs, f.path), 0);
	for (i = 0; i < PLACES; i++)
		pid[i] = start_producer(RING_WORKER + i, 0);
	for (k = 0; k < KILLS; k++) {
		seen = written();
		start_logger(NULL);
		while (written() < seen + KILL_EVERY)
			;
		for (spin = arc4random_uniform(20000); spin > 0; spin--)
			;
		kill_logger();
	}
	*f.stop = 1;
	start_logger(NULL);
	for (i = 0; i < PLACES; i++)
		ck_assert_int_eq(waitpid(pid[i], NULL, 0), pid[i]);
	finish_logger();
	for (i = 0, total = 0; i < PLACES; i++)
		total += f.put[RING_WORKER + i];
	ck_assert_uint_eq(read_log(f.path, last), total);
	for (i = 0; i < PLACES; i++)
		ck_assert_uint_eq(last[RING_WORKER + i],
		    f.put[RING_WORKER + i]);
}
END_TEST

START_TEST(a_killed_worker_has_put_a_line_or_not)
{
	uint64_t	 last[PLACES + RING_WORKER] = { 0 };
	uint64_t	 seen, before = 0, n;
	unsigned int	 k;
	volatile unsigned int spin;
	pid_t		 pid;

	ck_assert_int_eq(rings_add_log(f.rs, f.path), 0);
	start_logger(NULL);
	for (k = 0; k < KILLS; k++) {
		pid = start_producer(RING_WORKER, 0);
		seen = f.put[RING_WORKER];
		while (f.put[RING_WORKER] < seen + KILL_EVERY)
			;
		for (spin = arc4random_uniform(5000); spin > 0; spin--)
			;
		(void)kill(pid, SIGKILL);
		(void)waitpid(pid, NULL, 0);
		/* its last line is whole or not there; go on behind it */
		finish_logger();
		memset(last, 0, sizeof(last));
		n = read_log(f.path, last);
		ck_assert_uint_eq(n, last[RING_WORKER]);
		ck_assert_uint_gt(n, before);
		ck_assert_uint_ge(n + 1, f.put[RING_WORKER]);
		ck_assert_uint_le(n, f.put[RING_WORKER]);
		before = f.put[RING_WORKER] = n;
		start_logger(NULL);
	}
	finish_logger();
}
END_TEST

START_TEST(a_full_disk_is_survived)
{
	struct rlimit	 small = { 100000, RLIM_INFINITY };
	struct rlimit	 large = { RLIM_INFINITY, RLIM_INFINITY };
	uint64_t	 n = 0, lost;
	struct stat	 st;
	char		 tail;
	int		 fd;

	ck_assert_int_eq(rings_add_log(f.rs, f.path), 0);
	start_logger(&small);
	ring_take(f.rs, RING_WORKER, getpid());
	/* far more than fits into file and ring: nobody waits for ever */
	while (n < 20000)
		ck_assert_int_eq(put(RING_WORKER, ++n, 0, true), 0);
	while (rings_log(f.rs, 0)->lost == 0)
		pause_a_little();
	ck_assert_uint_eq(rings_log(f.rs, 0)->failing, 1);
	/* no half of a line stays at the end: it is cut off at once */
	ck_assert_int_ne(fd = open(f.path, O_RDONLY), -1);
	do {
		ck_assert_int_eq(fstat(fd, &st), 0);
		ck_assert_int_le(st.st_size, 100000);
	} while (pread(fd, &tail, 1, st.st_size - 1) != 1 || tail != '\n');
	(void)close(fd);
	ck_assert_int_eq(prlimit(f.logger, RLIMIT_FSIZE, &large, NULL), 0);
	n = put_until_it_works(n);
	finish_logger();
	/* every line was written or counted as lost */
	lost = rings_log(f.rs, 0)->lost;
	ck_assert_uint_eq(written() + lost, n);
	ck_assert_int_eq(stat(f.path, &st), 0);
	ck_assert_uint_eq((uint64_t)st.st_size, rings_log(f.rs, 0)->bytes);
}
END_TEST

START_TEST(a_removed_folder_is_survived)
{
	uint64_t	 n = 0, before;
	struct stat	 st;

	ck_assert_int_eq(rings_add_log(f.rs, f.path), 0);
	start_logger(NULL);
	ring_take(f.rs, RING_WORKER, getpid());
	ck_assert_int_eq(put(RING_WORKER, ++n, 0, true), 0);
	while (written() < 1)
		pause_a_little();
	ck_assert_int_eq(unlink(f.path), 0);
	ck_assert_int_eq(rmdir(f.dir), 0);
	while (n < 20000)
		ck_assert_int_eq(put(RING_WORKER, ++n, 0, true), 0);
	while (rings_log(f.rs, 0)->lost == 0)
		pause_a_little();
	ck_assert_int_eq(mkdir(f.dir, 0700), 0);
	before = written();
	while (written() == before) {
		ck_assert_int_eq(put(RING_WORKER, ++n, 0, true), 0);
		pause_a_little();
	}
	finish_logger();
	ck_assert_uint_eq(written() + rings_log(f.rs, 0)->lost, n);
	ck_assert_int_eq(stat(f.path, &st), 0);
}
END_TEST

START_TEST(a_renamed_file_goes_on_until_it_is_reopened)
{
	uint64_t	 last[PLACES + RING_WORKER] = { 0 };
	uint64_t	 n, total;
	char		 old[128];
	pid_t		 pid;
	struct stat	 st;

	ck_assert_int_eq(rings_add_log(f.rs, f.path), 0);
	(void)snprintf(old, sizeof(old), "%s.1", f.path);
	start_logger(NULL);
	pid = start_producer(RING_WORKER, 0);
	while (written() < 1000)
		;
	ck_assert_int_eq(rename(f.path, old), 0);
	for (n = written(); written() < n + 1000;)
		;
	ck_assert_int_eq(stat(f.path, &st), -1);
	ck_assert_int_eq(kill(f.logger, LOGGER_REOPEN), 0);
	while (stat(f.path, &st) == -1)
		pause_a_little();
	for (n = written(); written() < n + 1000;)
		;
	*f.stop = 1;
	ck_assert_int_eq(waitpid(pid, NULL, 0), pid);
	finish_logger();
	total = read_log(old, last);
	total += read_log(f.path, last);
	ck_assert_uint_eq(total, f.put[RING_WORKER]);
}
END_TEST

START_TEST(logs_do_not_mix)
{
	struct ring_line	 line[2];
	uint64_t		 last[PLACES + RING_WORKER] = { 0 };
	char			 other[128];
	unsigned int		 i;

	(void)snprintf(other, sizeof(other), "%s.1", f.path);
	ck_assert_int_eq(rings_add_log(f.rs, f.path), 0);
	start_logger(NULL);
	ring_take(f.rs, RING_WORKER, getpid());
	for (i = 1; i <= 500; i++)
		ck_assert_int_eq(put(RING_WORKER, i, 0, true), 0);
	/* one that is added later, and known to the next logger */
	ck_assert_int_eq(rings_add_log(f.rs, other), 1);
	memset(line, 0, sizeof(line));
	for (i = 501; i <= 1000; i++) {
		ck_assert_int_eq(put(RING_WORKER, i, 0, true), 0);
		line[0].log = 1;
		line[0].p = "4 1 xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\n";
		line[0].len = (uint32_t)strlen(line[0].p);
		if (i > 501)
			continue;
		ck_assert_int_eq(ring_put(f.rs, RING_WORKER, line, 1, true,
		    false), 0);
		finish_logger();
		ck_assert_int_eq(access(other, F_OK), -1);
		start_logger(NULL);
	}
	finish_logger();
	ck_assert_uint_eq(read_log(f.path, last), 1000);
	memset(last, 0, sizeof(last));
	ck_assert_uint_eq(read_log(other, last), 1);
}
END_TEST

START_TEST(an_intent_lasts_until_its_line)
{
	struct ring_line	 line = { .p = "x\n", .len = 2 };
	unsigned int		 w = RING_WORKER;

	ck_assert_int_eq(rings_add_log(f.rs, f.path), 0);
	ck_assert(!ring_has_intent(f.rs, w));
	memcpy(ring_intent_space(f.rs, w), "hello", 6);
	ck_assert(!ring_has_intent(f.rs, w));
	ring_intend(f.rs, w);
	ck_assert(ring_has_intent(f.rs, w));
	/* an event in the middle of the transaction */
	ck_assert_int_eq(ring_put(f.rs, w, &line, 1, true, false), 0);
	ck_assert(ring_has_intent(f.rs, w));
	ck_assert_int_eq(ring_put(f.rs, w, &line, 1, true, false), 0);
	ck_assert(ring_has_intent(f.rs, w));
	/* its own line, not yet forgotten */
	ck_assert_int_eq(ring_put(f.rs, w, &line, 1, true, true), 0);
	ck_assert(!ring_has_intent(f.rs, w));
	ck_assert_str_eq(ring_intent_space(f.rs, w), "hello");
	ring_intend(f.rs, w);
	ck_assert(ring_has_intent(f.rs, w));
	ring_forget(f.rs, w);
	ck_assert(!ring_has_intent(f.rs, w));
}
END_TEST

START_TEST(a_pipe_gets_every_line)
{
	uint64_t	 n = 0;
	int		 fd[2], status;
	char		 buf[65536];
	ssize_t		 got;

	ck_assert_int_eq(rings_add_log(f.rs, LOGGER_STDOUT), 0);
	ck_assert_int_eq(pipe2(fd, O_CLOEXEC), 0);
	f.out = fd[1];
	start_logger(NULL);
	(void)close(fd[1]);
	ring_take(f.rs, RING_WORKER, getpid());
	while (n < 300)
		ck_assert_int_eq(put(RING_WORKER, ++n, 0, true), 0);
	/* else the rest would be its successor's */
	ring_leave(f.rs, RING_WORKER, getpid());
	ck_assert_int_eq(kill(f.logger, LOGGER_FINISH), 0);
	while ((got = read(fd[0], buf, sizeof(buf))) > 0)
		while (got-- > 0)
			n -= buf[got] == '\n';
	ck_assert_uint_eq(n, 0);
	ck_assert_int_eq(waitpid(f.logger, &status, 0), f.logger);
	f.logger = 0;
	(void)close(fd[0]);
}
END_TEST

static void
copy(int from, const char *path, ssize_t most)
{
	char	 buf[4096];
	int	 to = open(path, O_WRONLY | O_CREAT | O_APPEND, 0600);
	ssize_t	 n;

	ck_assert_int_ne(to, -1);
	while (most != 0 && (n = read(from, buf, most > 0 && most <
	    (ssize_t)sizeof(buf) ? (size_t)most : sizeof(buf))) > 0) {
		ck_assert_int_eq(write(to, buf, (size_t)n), n);
		if (most > 0)
			most -= n;
	}
	(void)close(to);
}

/*
 * Nobody reads the pipe: the file beside it has every line, producers go on,
 * and what comes out in the end is whole lines.
 */
START_TEST(a_pipe_nobody_reads_holds_up_nobody)
{
	uint64_t	 last[PLACES + RING_WORKER] = { 0 };
	uint64_t	 count[PLACES + RING_WORKER] = { 0 };
	uint64_t	 n;
	int		 fd[2];

	ck_assert_int_eq(rings_add_log(f.rs, LOGGER_STDOUT), 0);
	ck_assert_int_eq(rings_add_log(f.rs, f.path), 1);
	ck_assert_int_eq(pipe2(fd, O_CLOEXEC), 0);
	f.out = fd[1];
	start_logger(NULL);
	(void)close(fd[1]);
	ring_take(f.rs, RING_WORKER, getpid());
	for (n = 1; n <= 5000; n++) {
		ck_assert_int_eq(put(RING_WORKER, n, 0, true), 0);
		ck_assert_int_eq(put(RING_WORKER, n, 1, true), 0);
	}
	n--;
	while (rings_log(f.rs, 1)->lines < n)
		pause_a_little();
	ck_assert_uint_eq(rings_log(f.rs, 0)->failing, 1);
	ck_assert_uint_gt(rings_log(f.rs, 0)->lost, 0);
	ck_assert_uint_eq(rings_log(f.rs, 1)->failing, 0);
	ck_assert_uint_eq(read_log(f.path, last), n);
	ck_assert_uint_eq(last[RING_WORKER], n);
	/* somebody reads again */
	ck_assert_int_eq(unlink(f.path), 0);
	copy(fd[0], f.path, 32768);
	n = put_until_it_works(n);
	ring_leave(f.rs, RING_WORKER, getpid());
	ck_assert_int_eq(kill(f.logger, LOGGER_FINISH), 0);
	copy(fd[0], f.path, -1);
	ck_assert_int_eq(waitpid(f.logger, NULL, 0), f.logger);
	f.logger = 0;
	ck_assert_uint_eq(written() + rings_log(f.rs, 0)->lost, n);
	ck_assert_uint_eq(count_log(f.path, count), written());
	(void)close(fd[0]);
}
END_TEST

/*
 * A syslogd of the test's own: the socket "syslog" of the log `name`, bound;
 * or anew, in the place of an old one.  It takes nothing until it is read.
 */
static int
syslogd_open(char *name, size_t size, int type)
{
	struct sockaddr_un	 sun;
	int			 fd;

	(void)snprintf(name, size, "%s:%s.1", DEVLOG_NAME, f.path);
	memset(&sun, 0, sizeof(sun));
	sun.sun_family = AF_UNIX;
	ck_assert_uint_lt(strlcpy(sun.sun_path, devlog_find_path(name),
	    sizeof(sun.sun_path)), sizeof(sun.sun_path));
	(void)unlink(sun.sun_path);
	ck_assert_int_ne(fd = socket(AF_UNIX, type | SOCK_CLOEXEC, 0), -1);
	f.syslogd = fd;
	ck_assert_int_eq(bind(fd, (struct sockaddr *)&sun, sizeof(sun)), 0);
	if (type == SOCK_STREAM)
		ck_assert_int_eq(listen(fd, 1), 0);
	return fd;
}

/*
 * One message, waited for unless flags say otherwise: RFC 3164 with the right
 * pid, and a line of put().  Returns the number of the line and its ring, or
 * 0.
 */
static uint64_t
syslogd_read(int fd, int flags, unsigned int *ring)
{
	char		 text[RING_LINE_MAX + 100];
	ssize_t		 n = recv(fd, text, sizeof(text) - 1, flags);
	uint64_t	 number;
	char		*p, *end;

	if (n <= 0)
		return 0;
	text[n] = '\0';
	/* daemon.debug, as put() has it; "Nov 22 23:59:59 icapd[17]: " */
	unit_must(strncmp(text, "<31>", 4) == 0);
	p = text + 4;
	unit_must(strlen(p) > 16 && p[3] == ' ' && p[6] == ' ' &&
	    p[9] == ':' && p[12] == ':' && p[15] == ' ');
	p += 16;
	unit_must(strncmp(p, "icapd[", 6) == 0);
	unit_must(strtol(p + 6, &p, 10) == f.logger);
	unit_must(strncmp(p, "]: ", 3) == 0);
	*ring = (unsigned int)strtoul(p + 3, &p, 10);
	unit_must(*ring < PLACES + RING_WORKER && *p == ' ');
	number = strtoull(p + 1, &end, 10);
	unit_must(*end == ' ' && text[n - 1] == '\n' && strspn(end + 1, "x") ==
	    (number % 97 == 0 ? 5000 : number * 31 % 400));
	return number;
}

START_TEST(logs_of_the_system_have_these_names)
{
	ck_assert_str_eq(devlog_find_path("syslog"), "/dev/log");
	ck_assert_str_eq(devlog_find_path("syslog:/a/b"), "/a/b");
	ck_assert_ptr_null(devlog_find_path("syslog:"));
	ck_assert_ptr_null(devlog_find_path("syslog:a"));
	ck_assert_ptr_null(devlog_find_path("syslog2"));
	ck_assert_ptr_null(devlog_find_path("/syslog"));
	ck_assert_ptr_null(devlog_find_path("-"));
}
END_TEST

/*
 * It takes nothing: the file beside it has every line, producers go on, what
 * is given up is counted, and when it reads again it gets whole lines.
 */
START_TEST(a_syslogd_that_stands_still_holds_up_nobody)
{
	uint64_t	 last[PLACES + RING_WORKER] = { 0 };
	uint64_t	 n, number, before = 0, count = 0;
	char		 name[128];
	unsigned int	 ring;
	int		 fd;

	fd = syslogd_open(name, sizeof(name), SOCK_DGRAM);
	ck_assert_int_eq(rings_add_log(f.rs, name), 0);
	ck_assert_int_eq(rings_add_log(f.rs, f.path), 1);
	start_logger(NULL);
	ring_take(f.rs, RING_WORKER, getpid());
	for (n = 1; n <= 5000; n++) {
		ck_assert_int_eq(put(RING_WORKER, n, 0, true), 0);
		ck_assert_int_eq(put(RING_WORKER, n, 1, true), 0);
	}
	n--;
	while (rings_log(f.rs, 1)->lines < n)
		pause_a_little();
	ck_assert_uint_eq(rings_log(f.rs, 0)->failing, 1);
	ck_assert_uint_gt(rings_log(f.rs, 0)->lost, 0);
	ck_assert_uint_eq(rings_log(f.rs, 1)->failing, 0);
	ck_assert_uint_eq(read_log(f.path, last), n);
	/* it reads again, all there is */
	while (rings_log(f.rs, 0)->failing ||
	    written() + rings_log(f.rs, 0)->lost < n || count < written()) {
		while ((number = syslogd_read(fd, MSG_DONTWAIT, &ring)) > 0) {
			ck_assert_uint_gt(number, before);
			before = number;
			count++;
		}
		pause_a_little();
	}
	ck_assert_uint_eq(written() + rings_log(f.rs, 0)->lost, n);
	/* and what comes now */
	ck_assert_int_eq(put(RING_WORKER, n + 1, 0, true), 0);
	ck_assert_uint_eq(syslogd_read(fd, 0, &ring), n + 1);
	ring_leave(f.rs, RING_WORKER, getpid());
	finish_logger();
	ck_assert_uint_eq(count + 1, written());
	(void)close(fd);
}
END_TEST

/* With or without a time when there is none, no line is lost. */
START_TEST(a_syslogd_may_be_restarted)
{
	char		 name[128];
	unsigned int	 ring;
	uint64_t	 n;
	int		 fd;

	fd = syslogd_open(name, sizeof(name), SOCK_DGRAM);
	ck_assert_int_eq(rings_add_log(f.rs, name), 0);
	start_logger(NULL);
	ring_take(f.rs, RING_WORKER, getpid());
	for (n = 1; n <= 5; n++) {
		ck_assert_int_eq(put(RING_WORKER, n, 0, true), 0);
		ck_assert_uint_eq(syslogd_read(fd, 0, &ring), n);
		/* counted after it was sent */
		while (written() < n)
			pause_a_little();
		(void)close(fd);
		fd = syslogd_open(name, sizeof(name), SOCK_DGRAM);
	}
	ck_assert_uint_eq(rings_log(f.rs, 0)->errors, 0);
	(void)close(fd);
	ck_assert_int_eq(put(RING_WORKER, n, 0, true), 0);
	while (!rings_log(f.rs, 0)->failing)
		pause_a_little();
	ck_assert_int_eq(put(RING_WORKER, n + 1, 0, true), 0);
	fd = syslogd_open(name, sizeof(name), SOCK_DGRAM);
	ck_assert_uint_eq(syslogd_read(fd, 0, &ring), n);
	ck_assert_uint_eq(syslogd_read(fd, 0, &ring), n + 1);
	ring_leave(f.rs, RING_WORKER, getpid());
	finish_logger();
	ck_assert_uint_eq(rings_log(f.rs, 0)->failing, 0);
	ck_assert_uint_eq(rings_log(f.rs, 0)->lost, 0);
	ck_assert_uint_eq(written(), n + 1);
	(void)close(fd);
}
END_TEST

/* As some have it; its lines end with a newline. */
START_TEST(a_syslogd_may_take_a_stream)
{
	char		 name[128];
	unsigned int	 ring;
	int		 fd, conn;

	fd = syslogd_open(name, sizeof(name), SOCK_STREAM);
	ck_assert_int_eq(rings_add_log(f.rs, name), 0);
	start_logger(NULL);
	ck_assert_int_ne(conn = accept(fd, NULL, NULL), -1);
	ring_take(f.rs, RING_WORKER, getpid());
	ck_assert_int_eq(put(RING_WORKER, 1, 0, true), 0);
	ck_assert_uint_eq(syslogd_read(conn, 0, &ring), 1);
	/* another connection, and nothing is lost */
	(void)close(conn);
	ck_assert_int_eq(put(RING_WORKER, 2, 0, true), 0);
	ck_assert_int_ne(conn = accept(fd, NULL, NULL), -1);
	ck_assert_uint_eq(syslogd_read(conn, 0, &ring), 2);
	ring_leave(f.rs, RING_WORKER, getpid());
	finish_logger();
	(void)close(conn);
	(void)close(fd);
}
END_TEST

/* Read more slowly than lines are put, it gets some of each ring. */
START_TEST(every_ring_comes_to_its_turn_in_syslog)
{
	uint64_t	 count[PLACES + RING_WORKER] = { 0 };
	char		 name[128];
	unsigned int	 i, ring, seen = 0;
	pid_t		 pid[PLACES];
	int		 fd;

	fd = syslogd_open(name, sizeof(name), SOCK_DGRAM);
	ck_assert_int_eq(rings_add_log(f.rs, name), 0);
	start_logger(NULL);
	for (i = 0; i < PLACES; i++)
		pid[i] = start_producer(RING_WORKER + i, 0);
	while (seen < PLACES) {
		pause_a_little();
		ck_assert_uint_ne(syslogd_read(fd, 0, &ring), 0);
		seen += count[ring]++ == 0;
	}
	for (i = 0; i < PLACES; i++) {
		ck_assert_int_eq(kill(pid[i], SIGKILL), 0);
		ck_assert_int_eq(waitpid(pid[i], NULL, 0), pid[i]);
	}
	kill_logger();
	(void)close(fd);
}
END_TEST

/* No reader: an error and not a wait; and with one it works. */
START_TEST(a_fifo_without_a_reader_is_not_waited_for)
{
	char	 fifo[128];
	int	 fd;

	(void)snprintf(fifo, sizeof(fifo), "%s.1", f.path);
	ck_assert_int_eq(mkfifo(fifo, 0600), 0);
	ck_assert_int_eq(rings_add_log(f.rs, fifo), 0);
	ck_assert_int_eq(rings_add_log(f.rs, f.path), 1);
	start_logger(NULL);
	ring_take(f.rs, RING_WORKER, getpid());
	ck_assert_int_eq(put(RING_WORKER, 1, 0, true), 0);
	ck_assert_int_eq(put(RING_WORKER, 1, 1, true), 0);
	while (rings_log(f.rs, 1)->lines < 1 ||
	    !rings_log(f.rs, 0)->failing)
		pause_a_little();
	ck_assert_int_ne(fd = open(fifo, O_RDONLY | O_NONBLOCK), -1);
	while (written() < 1 || rings_log(f.rs, 0)->failing)
		pause_a_little();
	(void)close(fd);
	finish_logger();
	ck_assert_uint_eq(rings_log(f.rs, 0)->lost, 0);
}
END_TEST

/* What takes little at a time takes some of each. */
START_TEST(every_ring_comes_to_its_turn)
{
	uint64_t	 n, count[PLACES + RING_WORKER] = { 0 };
	unsigned int	 i;
	int		 fd[2];

	ck_assert_int_eq(rings_add_log(f.rs, LOGGER_STDOUT), 0);
	for (i = 0; i < PLACES; i++)
		for (n = 1; ring_head(f.rs, RING_WORKER + i) < 100000; n++) {
			ring_take(f.rs, RING_WORKER + i, getpid());
			ck_assert_int_eq(put(RING_WORKER + i, n, 0, false), 0);
		}
	ck_assert_int_eq(pipe2(fd, O_CLOEXEC), 0);
	f.out = fd[1];
	start_logger(NULL);
	(void)close(fd[1]);
	copy(fd[0], f.path, 60000);
	(void)count_log(f.path, count);
	for (i = 0; i < PLACES; i++)
		ck_assert_uint_gt(count[RING_WORKER + i], 0);
	kill_logger();
	(void)close(fd[0]);
}
END_TEST

/* Far more logs than there are places, one after another. */
START_TEST(places_of_logs_are_used_again)
{
	char		 path[128];
	unsigned int	 i, o;
	int		 log, first;
	struct stat	 st;

	ck_assert_int_eq(first = rings_add_log(f.rs, f.path), 0);
	start_logger(NULL);
	ring_take(f.rs, RING_WORKER, getpid());
	for (i = 0; i < RING_LOGS + 8; i++) {
		/* every other one cannot be written */
		(void)snprintf(path, sizeof(path), "%s%s%u", f.path,
		    i % 2 == 0 ? ".x" : "/no/", i);
		while ((log = rings_add_log(f.rs, path)) == -1)
			pause_a_little();
		o = (unsigned int)log;
		ck_assert_uint_eq(rings_log(f.rs, o)->lines, 0);
		finish_logger();
		start_logger(NULL);
		ck_assert_int_eq(put(RING_WORKER, i + 1, o, true), 0);
		ck_assert_int_eq(put(RING_WORKER, i + 1, 0, true), 0);
		rings_end_log(f.rs, o);
		/* a reopened one that has ended is not made anew */
		while (ring_log_is_used(rings_log(f.rs, o)))
			pause_a_little();
		ck_assert_int_eq(rings_find_log(f.rs, path), -1);
		ck_assert_uint_eq(rings_log(f.rs, o)->failing, 0);
		ck_assert_uint_eq(rings_log(f.rs, o)->lines, i % 2 == 0);
		ck_assert_uint_eq(rings_log(f.rs, o)->lost, i % 2);
		if (i % 2 == 0) {
			ck_assert_int_eq(stat(path, &st), 0);
			ck_assert_int_gt(st.st_size, 0);
			ck_assert_int_eq(unlink(path), 0);
		}
	}
	/* it is wanted again, before it was freed or after that */
	rings_end_log(f.rs, 0);
	while ((log = rings_add_log(f.rs, f.path)) == -1)
		pause_a_little();
	finish_logger();
	start_logger(NULL);
	ck_assert_int_eq(put(RING_WORKER, i + 1, (unsigned int)log, true), 0);
	finish_logger();
	ck_assert(ring_log_is_used(rings_log(f.rs, (unsigned int)log)));
	ck_assert_int_eq(stat(f.path, &st), 0);
}
END_TEST

START_TEST(there_is_an_end_of_places)
{
	char		 path[300];
	unsigned int	 i;

	for (i = 0; i < RING_LOGS; i++) {
		(void)snprintf(path, sizeof(path), "%s.%u", f.path, i);
		ck_assert_int_eq(rings_add_log(f.rs, path), (int)i);
	}
	ck_assert_int_eq(rings_add_log(f.rs, f.path), -1);
	ck_assert_int_eq(errno, ENOSPC);
	ck_assert_int_eq(rings_add_log(f.rs, path), RING_LOGS - 1);
	/* nobody frees what nobody has seen to be empty */
	rings_end_log(f.rs, 3);
	ck_assert_int_eq(rings_add_log(f.rs, f.path), -1);
	ck_assert(rings_free_log(f.rs, 3));
	memset(path, 'x', sizeof(path) - 1);
	path[sizeof(path) - 1] = '\0';
	ck_assert_int_eq(rings_add_log(f.rs, path), -1);
	ck_assert_int_eq(errno, ENAMETOOLONG);
	ck_assert_int_eq(rings_add_log(f.rs, f.path), 3);
}
END_TEST

/*
 * Standard output in a file, whose descriptor others have, too: nothing is
 * cut off, no hole, and no line in two.
 */
START_TEST(standard_output_survives_a_full_disk)
{
	struct rlimit	 small = { 100000, RLIM_INFINITY };
	struct rlimit	 large = { RLIM_INFINITY, RLIM_INFINITY };
	uint64_t	 count[PLACES + RING_WORKER] = { 0 };
	uint64_t	 n = 0;

	ck_assert_int_eq(rings_add_log(f.rs, LOGGER_STDOUT), 0);
	f.out = open(f.path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	ck_assert_int_ne(f.out, -1);
	start_logger(&small);
	(void)close(f.out);
	ring_take(f.rs, RING_WORKER, getpid());
	while (n < 20000)
		ck_assert_int_eq(put(RING_WORKER, ++n, 0, true), 0);
	while (rings_log(f.rs, 0)->lost == 0)
		pause_a_little();
	ck_assert_int_eq(prlimit(f.logger, RLIMIT_FSIZE, &large, NULL), 0);
	n = put_until_it_works(n);
	ring_leave(f.rs, RING_WORKER, getpid());
	finish_logger();
	ck_assert_uint_eq(written() + rings_log(f.rs, 0)->lost, n);
	ck_assert_uint_eq(count_log(f.path, count), written());
}
END_TEST

/* Killed when all was done but for saying so. */
START_TEST(a_finished_write_is_not_undone)
{
	uint64_t	 last[PLACES + RING_WORKER] = { 0 };
	uint64_t	 n;

	ck_assert_int_eq(rings_add_log(f.rs, f.path), 0);
	start_logger(NULL);
	ring_take(f.rs, RING_WORKER, getpid());
	for (n = 1; n <= 10; n++)
		ck_assert_int_eq(put(RING_WORKER, n, 0, true), 0);
	while (written() < 10)
		pause_a_little();
	kill_logger();
	rings_log(f.rs, 0)->phase = RING_WRITTEN;
	start_logger(NULL);
	ck_assert_int_eq(put(RING_WORKER, n, 0, true), 0);
	finish_logger();
	ck_assert_uint_eq(written(), n);
	ck_assert_uint_eq(read_log(f.path, last), n);
}
END_TEST

/*
 * A logger of ours was killed in a write of three lines, of which so many
 * bytes got into the file; then the one of another daemon wrote so many lines
 * there.
 */
static void
die_in_a_write(size_t written, uint64_t theirs)
{
	char		 text[3 * RING_LINE_MAX];
	struct ring_log	*log;
	struct stat	 st;
	size_t		 len = 0;
	uint64_t	 n;
	int		 fd;

	ck_assert_int_eq(rings_add_log(f.rs, f.path), 0);
	ck_assert_int_eq(rings_add_log(f.theirs, f.path), 0);
	ck_assert_int_ne(fd = open(f.path, O_WRONLY | O_CREAT | O_TRUNC,
	    0600), -1);
	ring_take(f.rs, RING_WORKER, getpid());
	for (n = 1; n <= 3; n++) {
		len += compose(text + len, RING_WORKER, n);
		ck_assert_int_eq(put(RING_WORKER, n, 0, true), 0);
	}
	log = rings_log(f.rs, 0);
	ck_assert_int_eq(fstat(fd, &st), 0);
	log->dev = (uint64_t)st.st_dev;
	log->ino = (uint64_t)st.st_ino;
	log->len = len;
	log->phase = RING_ANNOUNCED;
	ring_cursor(f.rs, RING_WORKER, 0)->next = ring_head(f.rs, RING_WORKER);
	ck_assert_uint_le(written, len);
	ck_assert_int_eq(write(fd, text, written), (ssize_t)written);
	(void)close(fd);
	change_daemon();
	ring_take(f.rs, THEIRS, getpid());
	for (n = 1; n <= theirs; n++)
		ck_assert_int_eq(put(THEIRS, n, 0, true), 0);
	start_logger(NULL);
	finish_logger();
	change_daemon();
}

/* What is found in the file in the end: all lines once, and nothing else. */
static void
recover_from(size_t written, uint64_t theirs, bool torn)
{
	uint64_t	 last[PLACES + RING_WORKER] = { 0 };

	die_in_a_write(written, theirs);
	start_logger(NULL);
	ck_assert_int_eq(put(RING_WORKER, 4, 0, true), 0);
	finish_logger();
	f.torn = torn;
	ck_assert_uint_eq(read_log(f.path, last), 4 + theirs);
	ck_assert_uint_eq(last[RING_WORKER], 4);
	ck_assert_uint_eq(last[THEIRS], theirs);
	ck_assert_uint_eq(f.torn, 0);
	ck_assert_uint_eq(written_lines(f.rs), 4);
	ck_assert_uint_eq(written_lines(f.theirs), theirs);
	tear_down();
	set_up();
}

START_TEST(a_write_that_died_loses_nobodys_lines)
{
	char		 text[RING_LINE_MAX];
	size_t		 end[4] = { 0 };
	uint64_t	 n;

	for (n = 1; n <= 3; n++)
		end[n] = end[n - 1] + compose(text, RING_WORKER, n);
	for (n = 0; n <= 3; n++) {
		/* nobody, less than was to be written, or more */
		recover_from(end[n], 0, false);
		recover_from(end[n], 1, false);
		recover_from(end[n], 100, false);
	}
	for (n = 0; n < 3; n++) {
		/* alone it is cut off, else it is a line of its own */
		recover_from(end[n] + 9, 0, false);
		recover_from(end[n] + 9, 1, true);
		recover_from(end[n] + 9, 100, true);
		/* but for its end, which the other one has written */
		recover_from(end[n + 1] - 1, 1, false);
	}
}
END_TEST

/* Does that process wait for a lock of a file? */
static bool
waits_for_lock(pid_t pid)
{
	char	 line[256], want[64];
	bool	 found = false;
	FILE	*fp;

	ck_assert_ptr_nonnull(fp = fopen("/proc/locks", "r"));
	(void)snprintf(want, sizeof(want), "-> FLOCK  ADVISORY  WRITE %ld ",
	    (long)pid);
	while (!found && fgets(line, sizeof(line), fp) != NULL)
		found = strstr(line, want) != NULL;
	(void)fclose(fp);
	return found;
}

/* While another logger writes to the file ours does not, but afterwards. */
START_TEST(a_file_has_one_writer_at_a_time)
{
	uint64_t	 last[PLACES + RING_WORKER] = { 0 };
	char		 text[RING_LINE_MAX];
	ssize_t		 n = (ssize_t)compose(text, THEIRS, 1);
	struct stat	 st;
	int		 fd;

	if (access("/proc/locks", R_OK) == -1) {
		(void)puts("SKIP: /proc/locks cannot be read");
		return;
	}
	ck_assert_int_ne(fd = open(f.path, O_WRONLY | O_CREAT | O_APPEND,
	    0600), -1);
	ck_assert_int_eq(flock(fd, LOCK_EX), 0);
	ck_assert_int_eq(rings_add_log(f.rs, f.path), 0);
	ring_take(f.rs, RING_WORKER, getpid());
	ck_assert_int_eq(put(RING_WORKER, 1, 0, true), 0);
	start_logger(NULL);
	/* in the end it would take that for a failure, and try again */
	while (!waits_for_lock(f.logger) && rings_log(f.rs, 0)->errors == 0)
		pause_a_little();
	ck_assert_int_eq(fstat(fd, &st), 0);
	ck_assert_int_eq(st.st_size, 0);
	ck_assert_int_eq(write(fd, text, (size_t)n), n);
	ck_assert_int_eq(flock(fd, LOCK_UN), 0);
	finish_logger();
	(void)close(fd);
	ck_assert_uint_eq(read_log(f.path, last), 2);
}
END_TEST

/* As during an upgrade; and the loggers of both are killed. */
START_TEST(two_daemons_write_to_one_file)
{
	uint64_t	 last[PLACES + RING_WORKER] = { 0 };
	uint64_t	 seen, total = 0;
	unsigned int	 i, k;
	pid_t		 pid[PLACES], other = 0, swap;

	for (i = 0; i < PLACES; i++) {
		if (RING_WORKER + i == THEIRS)
			change_daemon();
		ck_assert_int_eq(rings_add_log(f.rs, f.path), 0);
		pid[i] = start_producer(RING_WORKER + i, 0);
	}
	for (k = 0; k < KILLS; k++) {
		/* the other one goes on, which started a round ago */
		change_daemon();
		swap = f.logger;
		f.logger = other;
		other = swap;
		if (f.logger != 0)
			kill_logger();
		seen = written();
		start_logger(NULL);
		while (written() < seen + KILL_EVERY)
			;
	}
	*f.stop = 1;
	for (i = 0; i < PLACES; i++)
		ck_assert_int_eq(waitpid(pid[i], NULL, 0), pid[i]);
	for (i = 0; i < 2; i++) {
		finish_logger();
		change_daemon();
		f.logger = other;
	}
	f.logger = 0;
	for (i = 0; i < PLACES; i++)
		total += f.put[RING_WORKER + i];
	f.torn = KILLS;
	ck_assert_uint_eq(read_log(f.path, last), total);
	ck_assert_uint_eq(written_lines(f.rs) + written_lines(f.theirs),
	    total);
}
END_TEST

/* A reopen that died with the logger is done by its successor. */
START_TEST(a_reopen_is_counted_whoever_does_it)
{
	uint64_t	 before;

	ck_assert_int_eq(rings_add_log(f.rs, f.path), 0);
	start_logger(NULL);
	while ((before = f.pub->reopened) == 0)
		pause_a_little();
	ck_assert_int_eq(kill(f.logger, SIGSTOP), 0);
	ck_assert_int_eq(kill(f.logger, LOGGER_REOPEN), 0);
	kill_logger();
	start_logger(NULL);
	while (f.pub->reopened == before)
		pause_a_little();
	finish_logger();
}
END_TEST

/* Reopened without a line to write, it is known to work. */
START_TEST(a_reopened_log_does_not_fail_for_want_of_lines)
{
	uint64_t	 before;

	ck_assert_int_eq(rings_add_log(f.rs, f.path), 0);
	ck_assert_int_eq(rmdir(f.dir), 0);
	start_logger(NULL);
	while (!rings_log(f.rs, 0)->failing || f.pub->reopened == 0)
		pause_a_little();
	before = f.pub->reopened;
	ck_assert_int_eq(mkdir(f.dir, 0700), 0);
	ck_assert_int_eq(kill(f.logger, LOGGER_REOPEN), 0);
	while (f.pub->reopened == before)
		pause_a_little();
	ck_assert_uint_eq(rings_log(f.rs, 0)->failing, 0);
	finish_logger();
}
END_TEST

static void
bury(struct rings *rs, unsigned int ring)
{
	unit_must(rs == f.rs);
	f.put[ring]++;
	(void)ring_put(rs, ring, &(struct ring_line){ .p = "dead\n",
	    .len = 5 }, 1, true, true);
	ring_forget(rs, ring);
}

/* The worker died and has no successor: its line comes all the same. */
START_TEST(a_dead_transaction_has_its_line_at_once)
{
	unsigned int	 w = RING_WORKER;
	pid_t		 pid;

	f.orphan = bury;
	ck_assert_int_eq(rings_add_log(f.rs, f.path), 0);
	start_logger(NULL);
	ring_take(f.rs, w, getpid());
	ring_take(f.rs, w + 1, getpid());
	ring_intend(f.rs, w);
	ring_intend(f.rs, w + 1);
	ck_assert_int_eq(put(w + 1, 1, 0, true), 0);
	while (written() < 1)
		pause_a_little();
	ck_assert_uint_eq(f.put[w], 0);
	/* another has it already: not its */
	ring_leave(f.rs, w, getpid() + 1);
	ck_assert_int_eq(ring_owner(f.rs, w), getpid());
	ring_leave(f.rs, w, getpid());
	while (written() < 2)
		pause_a_little();
	ck_assert_uint_eq(f.put[w], 1);
	ck_assert(!ring_has_intent(f.rs, w));
	/* nor one whose number a stranger has now, at the latest in the end */
	if ((pid = fork()) == 0) {
		(void)setpgid(0, 0);
		(void)pause();
		_exit(0);
	}
	while (getpgid(pid) != pid)
		pause_a_little();
	ring_take(f.rs, w + 1, pid);
	ring_leave(f.rs, w, getpid());
	finish_logger();
	(void)kill(pid, SIGKILL);
	(void)waitpid(pid, NULL, 0);
	ck_assert_uint_eq(f.put[w + 1], 1);
	ck_assert_uint_eq(written(), 3);
}
END_TEST

/* A successor does not begin before what it inherits is buried. */
START_TEST(who_takes_a_ring_waits_for_the_burial)
{
	unsigned int	 w = RING_WORKER;
	int		 status;
	pid_t		 pid;

	ring_take(f.rs, w, getpid());
	ring_intend(f.rs, w);
	ck_assert(!ring_claim(f.rs, w));
	ring_leave(f.rs, w, getpid());
	ck_assert(ring_claim(f.rs, w));
	if ((pid = fork()) == 0) {
		ring_take(f.rs, w, getpid());
		_exit(ring_has_intent(f.rs, w));
	}
	ring_forget(f.rs, w);
	ring_unclaim(f.rs, w);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_int_eq(status, 0);
	ck_assert_int_eq(ring_owner(f.rs, w), pid);
	ck_assert(!ring_claim(f.rs, w));
}
END_TEST

/*
 * Neither the logs nor standard error have room: who speaks goes on, and what
 * is missing in the logs is counted.
 */
START_TEST(an_event_without_room_is_counted)
{
	struct log_target	 target = { 0, LOG_FORMAT_TEXT };
	char			 text[1000];
	unsigned int		 i;
	int			 fd[2], status;
	pid_t			 pid;

	ck_assert_int_eq(rings_add_log(f.rs, f.path), 0);
	ck_assert_int_eq(pipe2(fd, O_CLOEXEC), 0);
	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	if ((pid = fork()) == 0) {
		(void)dup2(fd[1], STDERR_FILENO);
		log_use_ring(f.rs, RING_MASTER, &target, 1, false);
		for (i = 0; i < 300; i++)
			log_info("%s", text);
		_exit(0);
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_int_eq(status, 0);
	ck_assert_uint_gt(f.pub->dropped, 0);
	(void)close(fd[0]);
	(void)close(fd[1]);
	start_logger(NULL);
	finish_logger();
	ck_assert_uint_eq(written() + f.pub->dropped, 300);
}
END_TEST

static void
add(TCase *tc)
{
	tcase_set_timeout(tc, 60);
	tcase_add_checked_fixture(tc, set_up, tear_down);
	tcase_add_test(tc, lines_come_out_whole_and_in_order);
	tcase_add_test(tc, nobody_is_dropped_when_a_ring_is_full);
	tcase_add_test(tc, a_killed_logger_loses_and_repeats_nothing);
	tcase_add_test(tc, a_killed_worker_has_put_a_line_or_not);
	tcase_add_test(tc, a_full_disk_is_survived);
	tcase_add_test(tc, a_removed_folder_is_survived);
	tcase_add_test(tc, a_renamed_file_goes_on_until_it_is_reopened);
	tcase_add_test(tc, logs_do_not_mix);
	tcase_add_test(tc, an_intent_lasts_until_its_line);
	tcase_add_test(tc, a_pipe_gets_every_line);
	tcase_add_test(tc, a_pipe_nobody_reads_holds_up_nobody);
	tcase_add_test(tc, logs_of_the_system_have_these_names);
	tcase_add_test(tc, a_syslogd_that_stands_still_holds_up_nobody);
	tcase_add_test(tc, a_syslogd_may_be_restarted);
	tcase_add_test(tc, a_syslogd_may_take_a_stream);
	tcase_add_test(tc, every_ring_comes_to_its_turn_in_syslog);
	tcase_add_test(tc, a_fifo_without_a_reader_is_not_waited_for);
	tcase_add_test(tc, every_ring_comes_to_its_turn);
	tcase_add_test(tc, places_of_logs_are_used_again);
	tcase_add_test(tc, there_is_an_end_of_places);
	tcase_add_test(tc, standard_output_survives_a_full_disk);
	tcase_add_test(tc, a_finished_write_is_not_undone);
	tcase_add_test(tc, a_write_that_died_loses_nobodys_lines);
	tcase_add_test(tc, a_file_has_one_writer_at_a_time);
	tcase_add_test(tc, two_daemons_write_to_one_file);
	tcase_add_test(tc, a_reopen_is_counted_whoever_does_it);
	tcase_add_test(tc, a_reopened_log_does_not_fail_for_want_of_lines);
	tcase_add_test(tc, a_dead_transaction_has_its_line_at_once);
	tcase_add_test(tc, who_takes_a_ring_waits_for_the_burial);
	tcase_add_test(tc, an_event_without_room_is_counted);
}

int
main(void)
{
	return unit_main("ring", add);
}
