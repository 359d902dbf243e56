/* SPDX-License-Identifier: ISC */
/*
 * A worker that was taken over writes anything anywhere into the memory that
 * all processes share.  Whoever reads that memory, before it stops or while
 * it goes on, stays within its bounds and comes to an end; what it shows are
 * texts and numbers, if wrong ones.  Worth most in a build with sanitizers.
 */
#include <sys/stat.h>
#include <sys/wait.h>

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../server/board.h"
#include "../server/health.h"
#include "../server/log.h"
#include "../server/logger.h"
#include "../server/record.h"
#include "../server/roster.h"
#include "unit.h"

#define PLACES	4
#define ROUNDS	40
#define FLOODS	40		/* of the logger: it writes files */

static char		 dir[64], board_file[96], tally_file[96];
static struct board	*board;
static struct tally	*tally;
static struct rings	*rings;
static size_t		 board_bytes, tally_bytes;
static uint64_t		 dice;

static void
set_up(void)
{
	(void)snprintf(dir, sizeof(dir), "/tmp/icapd-scribble.XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(dir));
	ck_assert_int_eq(chdir(dir), 0);
	(void)snprintf(board_file, sizeof(board_file), "%s/b", dir);
	(void)snprintf(tally_file, sizeof(tally_file), "%s/t", dir);
	ck_assert_ptr_nonnull(board = board_open(PLACES, board_file));
	ck_assert_ptr_nonnull(tally = tally_open(PLACES, tally_file));
	ck_assert_ptr_nonnull(rings = rings_open(PLACES, RING_SIZE_MIN,
	    &tally_head(tally)->logs));
	board_bytes = (size_t)board_head(board)->size;
	tally_bytes = (size_t)tally_head(tally)->size;
	dice = UINT64_C(0x9e3779b97f4a7c15);
}

static void
tear_down(void)
{
	rings_close(rings);
	tally_close(tally);
	board_unmap(board);
	(void)unlink(board_file);
	(void)unlink(tally_file);
	ck_assert_int_eq(chdir("/"), 0);
	(void)rmdir(dir);
}

static uint64_t
roll(void)
{
	dice ^= dice << 13;
	dice ^= dice >> 7;
	dice ^= dice << 17;
	return dice;
}

/* Words that are just too large, too small, or no end of a text. */
static uint64_t
extreme(void)
{
	static const uint64_t	 word[] = {
		0, 1, UINT64_MAX, UINT64_C(1) << 63, (UINT64_C(1) << 63) - 1,
		UINT32_MAX, UINT64_C(0x7fffffff7fffffff),
		UINT64_C(0x8000000080000000), UINT64_C(0x4141414141414141),
		UINT64_C(0x0000000900000009), UINT64_C(0x0000004000000040),
		UINT64_C(0x0000010100000101), UINT64_C(0x0a1b5b324a3c3e22),
	};

	return word[roll() % (sizeof(word) / sizeof(word[0]))];
}

/* One way to spoil a region: all of it alike, mixed, or here and there. */
static void
scribble(void *region, size_t bytes)
{
	uint64_t	*p = region, word = extreme();
	size_t		 n = bytes / sizeof(*p), i;
	unsigned int	 how = roll() % 4;

	for (i = 0; i < n; i++) {
		if (how == 0)
			p[i] = word;
		else if (how == 1)
			p[i] = extreme();
		else if (how == 2)
			p[i] = roll();
		else
			p[(i += roll() % 64) % n] = extreme();
	}
}

static void
scribble_all(void)
{
	scribble(board_head(board), board_bytes);
	scribble(tally_head(tally), tally_bytes);
}

static bool
is_text(const char *text, size_t len)
{
	size_t	 i;

	for (i = 0; i < len; i++)
		if (((unsigned char)text[i] < 0x20 && text[i] != '\n' &&
		    text[i] != '\t') || text[i] == 0x7f)
			return false;
	return true;
}

static void
show(void (*format)(struct page *, const struct snapshot *),
    const struct snapshot *s)
{
	struct page	 p;

	page_init(&p);
	format(&p, s);
	ck_assert(!p.failed);
	ck_assert(is_text(p.p, p.len));
	free(p.p);
}

static void
show_ready(struct page *p, const struct snapshot *s)
{
	health_format(p, s, true);
}

/* As status, icapctl and the info service do. */
static void
read_as_viewer(const struct board *b, struct tally *t)
{
	static struct snapshot	 s;
	struct board_source	 source;
	unsigned int		 i, g;

	snapshot_take(&s, b, t);
	ck_assert_uint_le(s.head.nslots, PLACES);
	ck_assert_uint_le(s.nservices, TALLY_SERVICES);
	show(metrics_format, &s);
	show(metrics_format_json, &s);
	show(metrics_format_html, &s);
	show(show_ready, &s);
	for (g = 0; g < 2; g++)
		for (i = 0; board_copy_source(b, g, i, &source) > i; i++)
			ck_assert(is_text(source.why, strlen(source.why)));
	ck_assert_uint_le(i, BOARD_SOURCES);
	ck_assert_int_ge(board_age(s.now, board_see_slot(b, 0)->since), 0);
}

/* As the master does, and a worker that starts. */
static void
read_as_master(struct roster *r, const struct generation *gen)
{
	const struct board_peer	 peer = { .family = 2 };
	struct board_slot	 slot;
	unsigned int		 i;
	int			 log;

	i = (unsigned int)roster_find_idle(r, board, gen, 0);
	ck_assert(i == (unsigned int)-1 || i < PLACES);
	(void)roster_has_free(r, board, 0);
	for (i = 0; i < PLACES; i++) {
		board_copy_slot(board, i, &slot);
		ck_assert_ptr_nonnull(board_state_name(slot.state));
		ck_assert_ptr_nonnull(board_state_name(
		    board_see_slot(board, i)->state));
		(void)board_has_free(board, i);
	}
	ck_assert_uint_le(board_count_peer(board, &peer), PLACES);
	ck_assert_uint_lt(tally_add_service(tally, "a"), TALLY_SERVICES);
	ck_assert_uint_lt(tally_find_service(tally, "b"), TALLY_SERVICES);
	ck_assert_ptr_null(tally_place(tally, PLACES));
	ck_assert_ptr_null(tally_see(tally, PLACES));
	log = rings_add_log(rings, "some.log");
	ck_assert_int_lt(log, RING_LOGS);
	if (log != -1)
		rings_end_log(rings, (unsigned int)log);
	ring_take(rings, RING_MASTER, getpid());
}

static void
fill_roster(struct roster *r, struct generation *gen)
{
	unsigned int	 i;

	memset(gen, 0, sizeof(*gen));
	ck_assert_int_eq(roster_init(r, PLACES), 0);
	for (i = 0; i < PLACES; i++) {
		ck_assert_int_eq(roster_add(r, gen), (int)i);
		roster_enter(r, i, 1000, 1);
	}
}

START_TEST(what_was_written_is_read_within_bounds)
{
	struct generation	 gen;
	struct roster		 r;
	unsigned int		 i;

	fill_roster(&r, &gen);
	for (i = 0; i < ROUNDS; i++) {
		scribble_all();
		read_as_viewer(board, tally);
		read_as_master(&r, &gen);
		board_bury(board, i % PLACES, true, 1);
	}
	roster_fini(&r);
}
END_TEST

/* It is refused, or read within its bounds: those of its size. */
START_TEST(a_file_is_read_within_bounds)
{
	const struct board	*b;
	struct tally		*t;
	const char		*why;
	unsigned int		 i, n = 0;
	struct board_head	 head = *board_head(board);
	struct tally_head	 counts = *tally_head(tally);
	int			 fd;

	for (i = 0; i < ROUNDS; i++) {
		scribble_all();
		/* how much there is: else all are refused */
		if (i % 4 != 0) {
			memcpy(board_head(board), &head,
			    offsetof(struct board_head, nslots));
			board_head(board)->nslots = i % (PLACES + 1);
			memcpy(tally_head(tally), &counts,
			    offsetof(struct tally_head, nservices));
		}
		ck_assert_int_ne(fd = open(board_file, O_RDONLY), -1);
		b = board_map(fd, &why);
		(void)close(fd);
		t = tally_map(tally_file, &why);
		if (b != NULL && t != NULL) {
			/* what was checked may be changed afterwards */
			scribble_all();
			read_as_viewer(b, t);
			n++;
		}
		if (b != NULL)
			board_unmap(b);
		if (t != NULL)
			tally_close(t);
	}
	ck_assert_uint_ge(n, ROUNDS / 4 * 3);
}
END_TEST

START_TEST(what_is_being_written_is_read_within_bounds)
{
	struct generation	 gen;
	struct roster		 r;
	unsigned int		 i;
	pid_t			 pid;

	fill_roster(&r, &gen);
	ck_assert_int_ne(pid = fork(), -1);
	if (pid == 0)
		/* until it is killed; the round is what is bounded */
		for (;;)
			scribble_all();
	for (i = 0; i < ROUNDS; i++) {
		read_as_viewer(board, tally);
		read_as_master(&r, &gen);
	}
	(void)kill(pid, SIGKILL);
	ck_assert_int_eq(waitpid(pid, NULL, 0), pid);
	roster_fini(&r);
}
END_TEST

/* All rings with what is before them, from the page they begin at. */
static void
scribble_rings(void)
{
	uintptr_t	 first = (uintptr_t)ring_cursor(rings, 0, 0) &
			    ~(uintptr_t)4095;
	char		*last = ring_intent_space(rings, PLACES);

	scribble((void *)first, (size_t)(last - (char *)first));
}

/*
 * All of the logs.  One of them often keeps what the logger goes by, so that
 * it has something to do.
 */
static void
scribble_logs(void)
{
	struct ring_public	*pub = &tally_head(tally)->logs;
	struct ring_log		*log = &pub->log[0];
	uint32_t		 state = log->state, serial = log->serial;

	scribble(pub->log, sizeof(pub->log));
	if (roll() % 4 != 0) {
		log->state = state;
		log->serial = serial;
		log->phase = (uint32_t)(roll() % 4);
	}
	pub->nlogs = (uint32_t)extreme();
	scribble(pub->recent, sizeof(pub->recent));
}

static void
bury(struct rings *rs, unsigned int i)
{
	record_bury(rs, i, NULL, 0);
}

/* It may be told to end before it has its handler. */
static pid_t
start_logger(void)
{
	pid_t		 pid, master = getpid();
	sigset_t	 finish;

	sigemptyset(&finish);
	sigaddset(&finish, LOGGER_FINISH);
	ck_assert_int_eq(sigprocmask(SIG_BLOCK, &finish, NULL), 0);
	ck_assert_int_ne(pid = fork(), -1);
	if (pid == 0)
		logger_run(rings, master, bury, NULL);
	return pid;
}

static void
end_logger(pid_t pid)
{
	int	 status;

	ck_assert_int_eq(kill(pid, LOGGER_FINISH), 0);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) == 0,
	    "status %#x", (unsigned int)status);
}

/* Again and again another logger, as it comes with each reload. */
START_TEST(the_logger_stays_within_bounds_and_ends)
{
	unsigned int	 i, k;
	pid_t		 pid;

	ck_assert_int_eq(rings_add_log(rings, "log"), 0);
	for (i = 0; i < FLOODS; i++) {
		scribble_rings();
		scribble_logs();
		pid = start_logger();
		for (k = 0; k < i % 4; k++) {
			scribble_rings();
			scribble_logs();
			rings_alarm(rings);
		}
		end_logger(pid);
	}
	(void)unlink("log");
}
END_TEST

/* What a worker can write, to have a file of its choice written to. */
static void
rename_logs(const char *path, uint32_t serial)
{
	struct ring_public	*pub = &tally_head(tally)->logs;
	unsigned int		 i;

	for (i = 0; i < RING_LOGS; i++) {
		(void)strlcpy(pub->log[i].path, path,
		    sizeof(pub->log[i].path));
		pub->log[i].serial = serial;
		pub->log[i].state = RING_LOG_USED;
	}
	pub->nlogs = RING_LOGS;
}

/* Which file a log is, only the master says. */
START_TEST(no_worker_chooses_the_file_of_a_log)
{
	struct ring_line line = { .log = 0, .p = "line\n", .len = 5 };
	struct stat	 st;
	uint32_t	 serial;

	ck_assert_int_eq(rings_add_log(rings, "log"), 0);
	ring_take(rings, RING_WORKER, getpid());
	for (serial = 0; serial < 4; serial++) {
		ck_assert_int_eq(ring_put(rings, RING_WORKER, &line, 1, false,
		    false), 0);
		rename_logs("evil", serial);
		ck_assert_int_eq(rings_find_log(rings, "log"), 0);
		ck_assert_int_eq(rings_find_log(rings, "evil"), -1);
		end_logger(start_logger());
		ck_assert_int_eq(access("evil", F_OK), -1);
		ck_assert_int_eq(access("log", F_OK), serial >= 1 ? 0 : -1);
	}
	/* what is in the rings is not lost by that */
	rename_logs("evil", 1);
	end_logger(start_logger());
	ck_assert_int_eq(stat("log", &st), 0);
	ck_assert_int_eq(st.st_size, 4 * 5);
	(void)unlink("log");
	/* nor is a place free because somebody says so */
	memset(&tally_head(tally)->logs.log, 0,
	    sizeof(tally_head(tally)->logs.log));
	ck_assert_int_eq(rings_add_log(rings, "other"), 1);
	ck_assert_int_eq(rings_find_log(rings, "log"), 0);
}
END_TEST

/* A file of a megabyte, and a write to it that was announced. */
static int
announce(uint64_t offset, uint64_t len)
{
	static char	 text[1024 * 1024];
	struct ring_log	*log;
	struct stat	 st;
	int		 fd;

	memset(text, '\n', sizeof(text));
	ck_assert_int_ne(fd = open("log", O_RDWR | O_CREAT, 0600), -1);
	ck_assert_int_eq(write(fd, text, sizeof(text)), sizeof(text));
	ck_assert_int_eq(fstat(fd, &st), 0);
	ck_assert_int_eq(rings_add_log(rings, "log"), 0);
	log = rings_log(rings, 0);
	log->dev = (uint64_t)st.st_dev;
	log->ino = (uint64_t)st.st_ino;
	log->offset = offset;
	log->len = len;
	log->phase = RING_ANNOUNCED;
	return fd;
}

/* Runs a logger to its end, and returns the size of the file. */
static size_t
finish(int fd)
{
	struct stat	 st;

	end_logger(start_logger());
	ck_assert_int_eq(fstat(fd, &st), 0);
	(void)close(fd);
	(void)unlink("log");
	return (size_t)st.st_size;
}

/* It does not cut off what it has not written. */
START_TEST(the_logger_keeps_what_is_in_a_file)
{
	ck_assert_uint_ge(finish(announce(1, 1000)), 1024 * 1024);
}
END_TEST

/* Nor what somebody calls the beginning of a line, and it is lines. */
START_TEST(the_logger_cuts_off_no_lines)
{
	static char	 text[1001];
	struct ring_line line = { .log = 0, .p = text, .len = sizeof(text) };
	int		 fd = announce(1024 * 1024 - 1000, sizeof(text));

	memset(text, '\n', sizeof(text));
	ring_take(rings, RING_WORKER, getpid());
	ck_assert_int_eq(ring_put(rings, RING_WORKER, &line, 1, false, false),
	    0);
	ring_cursor(rings, RING_WORKER, 0)->next = ring_head(rings,
	    RING_WORKER);
	ring_leave(rings, RING_WORKER, getpid());
	ck_assert_uint_eq(finish(fd), 1024 * 1024 + sizeof(text));
}
END_TEST

/* More was announced than is ever written at once, and is there. */
START_TEST(the_logger_gathers_what_it_has_room_for)
{
	static char	 text[8000];
	struct ring_line line = { .log = 0, .p = text, .len = sizeof(text) };
	unsigned int	 i, k;
	int		 fd = announce(0, UINT64_MAX);

	memset(text, 'x', sizeof(text));
	text[sizeof(text) - 1] = '\n';
	for (i = 0; i < PLACES; i++) {
		ring_take(rings, RING_WORKER + i, getpid());
		for (k = 0; k < RING_SIZE_MIN / (sizeof(text) + 8); k++)
			ck_assert_int_eq(ring_put(rings, RING_WORKER + i,
			    &line, 1, false, false), 0);
		ring_cursor(rings, RING_WORKER + i, 0)->next = ring_head(rings,
		    RING_WORKER + i);
		ring_leave(rings, RING_WORKER + i, getpid());
	}
	ck_assert_uint_eq(finish(fd), 1024 * 1024 + PLACES * k *
	    sizeof(text));
}
END_TEST

static void
add(TCase *tc)
{
	tcase_add_checked_fixture(tc, set_up, tear_down);
	tcase_add_test(tc, what_was_written_is_read_within_bounds);
	tcase_add_test(tc, a_file_is_read_within_bounds);
	tcase_add_test(tc, what_is_being_written_is_read_within_bounds);
	tcase_add_test(tc, the_logger_stays_within_bounds_and_ends);
	tcase_add_test(tc, no_worker_chooses_the_file_of_a_log);
	tcase_add_test(tc, the_logger_keeps_what_is_in_a_file);
	tcase_add_test(tc, the_logger_cuts_off_no_lines);
	tcase_add_test(tc, the_logger_gathers_what_it_has_room_for);
}

int
main(void)
{
	/* what the loggers find is no news here */
	log_init(LOG_FORMAT_TEXT, LOG_LEVEL_ERROR);
	return unit_main("scribble", add);
}
