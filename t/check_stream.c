/* SPDX-License-Identifier: ISC */
/*
 * Streams: over the memory client everything that a slow, deaf, silent or
 * vanishing peer does, then the same functions over a real socket pair.
 * Deadlines are tested with times that are already over, never by waiting.
 */
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/wait.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "unit.h"
#include "wire.h"

static void
start(struct stream *s, struct wire *w, size_t size)
{
	ck_assert_int_eq(stream_init(s, size), 0);
	wire_start(w, s);
}

static void
finish(struct stream *s, struct wire *w)
{
	wire_fini(w);
	stream_fini(s);
}

START_TEST(fill_appends_until_the_end)
{
	struct wire	 w = { .in = "abcdefgh", .in_len = 8, .step = 3 };
	struct stream	 s;

	start(&s, &w, 100);
	ck_assert_int_eq(stream_fill(&s, 100), 1);
	ck_assert_uint_eq(buf_len(&s.in), 3);
	ck_assert_int_eq(stream_fill(&s, 1), 1);
	ck_assert_uint_eq(buf_len(&s.in), 4);
	ck_assert_int_eq(stream_fill(&s, 100), 1);
	ck_assert_int_eq(stream_fill(&s, 100), 1);
	ck_assert(!s.eof);
	ck_assert_int_eq(stream_fill(&s, 100), 0);
	ck_assert(s.eof);
	ck_assert_uint_eq(buf_len(&s.in), 8);
	ck_assert_int_eq(memcmp(buf_data(&s.in), "abcdefgh", 8), 0);
	ck_assert_uint_eq(s.bytes_in, 8);
	finish(&s, &w);
}
END_TEST

START_TEST(fill_takes_no_more_than_there_is_room)
{
	struct wire	 w = { .in = "abcdefgh", .in_len = 8 };
	struct stream	 s;

	start(&s, &w, 5);
	ck_assert_int_eq(stream_fill(&s, 100), 1);
	ck_assert_uint_eq(buf_len(&s.in), 5);
	ck_assert_uint_eq(w.in_pos, 5);
	finish(&s, &w);
}
END_TEST

static const int	 errors[] = { ETIMEDOUT, ECONNRESET, EPIPE };

START_TEST(fill_and_write_pass_errors_on)
{
	struct wire	 w = { .in = "", .end = errors[_i],
			    .send_error = errors[_i], .send_limit = 3,
			    .send_max = 3 };
	struct stream	 s;

	start(&s, &w, 10);
	ck_assert_int_eq(stream_fill(&s, 10), -1);
	ck_assert_int_eq(errno, errors[_i]);
	ck_assert(!s.eof);
	ck_assert_int_eq(stream_write(&s, "abcdef", 6), -1);
	ck_assert_int_eq(errno, errors[_i]);
	ck_assert_uint_eq(w.out_len, 3);
	ck_assert_uint_eq(s.bytes_out, 3);
	finish(&s, &w);
}
END_TEST

/* Patience bounds one wait, the deadline all of them together. */
static const struct {
	int64_t	 deadline;	/* from now, 0: none */
	int64_t	 patience;
	int64_t	 most;		/* the wait that ops were asked for, 0: none */
	int64_t	 least;
} times[] = {
	{ 0, 5000, 5000, 5000 },
	{ 1000000, 5000, 5000, 5000 },
	{ 1000000, 2000000, 1000000, 1 },
	{ 1000000, 0, 1000000, 1 },
	{ 0, 0, INT64_MAX, 1000000000 },	/* for ever */
	{ -1, 5000, 0, 0 },
	{ -1000000, 0, 0, 0 },
};

START_TEST(waits_end_at_the_nearer_limit)
{
	struct wire	 w = { .in = "ab", .in_len = 2, .step = 1,
			    .again = true };
	struct stream	 s;
	int		 result = times[_i].most == 0 ? -1 : 1;

	start(&s, &w, 10);
	s.patience_in = s.patience_out = times[_i].patience;
	if (times[_i].deadline != 0)
		s.deadline = stream_now() + times[_i].deadline;
	ck_assert_int_eq(stream_fill(&s, 10), result);
	if (result == -1) {
		ck_assert_int_eq(errno, ETIMEDOUT);
		ck_assert_uint_eq(w.recvs, 0);
	}
	ck_assert_int_le(w.wait, times[_i].most);
	ck_assert_int_ge(w.wait, times[_i].least);
	/* the same for a write that is stuck; none for one that is not */
	w.wait = 0;
	ck_assert_int_eq(stream_write(&s, "x", 1), result == -1 ? -1 : 0);
	if (result == -1)
		ck_assert_int_eq(errno, ETIMEDOUT);
	ck_assert_int_le(w.wait, times[_i].most);
	ck_assert_int_ge(w.wait, times[_i].least);
	finish(&s, &w);
}
END_TEST

/* Something else is due: before the limit, and the limit stays what it was. */
START_TEST(waits_end_to_wake_the_caller)
{
	struct wire	 w = { .in = "abc", .in_len = 3, .gate = 2 };
	struct stream	 s;

	start(&s, &w, 100);
	s.wake_at = stream_now() - 1;
	ck_assert_int_eq(stream_fill(&s, 100), -1);
	ck_assert_int_eq(errno, EAGAIN);
	ck_assert_uint_eq(w.recvs, 0);
	s.wake_at = stream_now() + 50000;
	ck_assert_int_eq(stream_fill(&s, 100), 1);
	ck_assert_int_eq(stream_fill(&s, 100), -1);
	ck_assert_int_eq(errno, EAGAIN);
	ck_assert_int_gt(w.wait, 40000);
	ck_assert_int_le(w.wait, 50000);
	/* of a minute's patience ten seconds are left, or a few more */
	ck_assert_int_eq(stream_fill(&s, 100), -1);
	ck_assert_int_eq(errno, ETIMEDOUT);
	ck_assert_int_ge(w.wait, 10000);
	ck_assert_int_lt(w.wait, 20000);
	/* what comes renews it */
	w.gate = 0;
	ck_assert_int_eq(stream_fill(&s, 100), 1);
	ck_assert_int_eq(s.waited, 0);
	s.wake_at = stream_now() + 120000;
	w.end = ETIMEDOUT;
	ck_assert_int_eq(stream_fill(&s, 100), -1);
	ck_assert_int_eq(errno, ETIMEDOUT);
	ck_assert_int_eq(w.wait, 60000);
	finish(&s, &w);
}
END_TEST

START_TEST(a_write_that_does_not_wait_needs_no_time)
{
	struct wire	 w = { .in = "" };
	struct stream	 s;

	start(&s, &w, 10);
	s.deadline = stream_now() - 1;
	ck_assert_int_eq(stream_write(&s, "x", 1), 0);
	ck_assert_uint_eq(w.waits, 0);
	finish(&s, &w);
}
END_TEST

/* What a send takes at once, and how often it takes nothing. */
static const struct {
	size_t	 send_max;
	bool	 again;
} slow[] = {
	{ 0, false }, { 0, true }, { 1, false }, { 1, true }, { 2, true },
	{ 3, false }, { 4, true }, { 5, false }, { 9, true }, { 10, false },
};

START_TEST(writes_are_whole_however_slow_the_peer)
{
	struct wire	 w = { .in = "", .send_max = slow[_i].send_max,
			    .again = slow[_i].again };
	char		 a[] = "abc", b[] = "defg", c[] = "hi";
	struct iovec	 iov[] = {
		{ a, 0 }, { a, 3 }, { b, 0 }, { b, 4 }, { c, 2 }, { c, 0 },
	};
	struct stream	 s;

	start(&s, &w, 10);
	ck_assert_int_eq(stream_writev(&s, iov, 6), 0);
	ck_assert_uint_eq(w.out_len, 9);
	ck_assert_int_eq(memcmp(w.out, "abcdefghi", 9), 0);
	ck_assert_uint_eq(s.bytes_out, 9);
	if (slow[_i].send_max == 0)
		ck_assert_uint_eq(w.sends, 1);
	finish(&s, &w);
}
END_TEST

START_TEST(empty_writes_send_nothing)
{
	struct wire	 w = { .in = "" };
	struct iovec	 iov = { NULL, 0 };
	struct stream	 s;

	start(&s, &w, 10);
	ck_assert_int_eq(stream_writev(&s, &iov, 1), 0);
	ck_assert_int_eq(stream_writev(&s, &iov, 0), 0);
	ck_assert_int_eq(stream_write(&s, "", 0), 0);
	ck_assert_uint_eq(w.sends, 0);
	finish(&s, &w);
}
END_TEST

/* A stuck write reads ahead for as long as the callback wants more. */
struct ahead {
	struct stream	*s;
	unsigned int	 calls;
	unsigned int	 most;
	int		 last;		/* what it returns then */
};

static int
read_ahead(void *arg)
{
	struct ahead	*a = arg;

	if (++a->calls >= a->most) {
		errno = EFBIG;
		return a->last;
	}
	return stream_fill(a->s, 1);
}

START_TEST(a_stuck_write_reads_ahead)
{
	struct wire	 w = { .in = "abcdef", .in_len = 6, .deaf = 6 };
	struct stream	 s;
	struct ahead	 a = { .s = &s, .most = 100 };

	start(&s, &w, 10);
	s.ahead = read_ahead;
	s.ahead_arg = &a;
	ck_assert_int_eq(stream_write(&s, "xyz", 3), 0);
	ck_assert_uint_eq(buf_len(&s.in), 6);
	ck_assert(s.eof);			/* and that ended it */
	ck_assert_uint_eq(a.calls, 7);
	ck_assert_uint_eq(w.out_len, 3);
	finish(&s, &w);
}
END_TEST

START_TEST(reading_ahead_can_end_or_fail)
{
	struct wire	 w = { .in = "abcdef", .in_len = 6, .deaf = 6 };
	struct stream	 s;
	struct ahead	 a = { .s = &s, .most = 3, .last = _i };

	start(&s, &w, 10);
	s.ahead = read_ahead;
	s.ahead_arg = &a;
	ck_assert_int_eq(stream_write(&s, "xyz", 3), -1);
	/* no more wanted: then nothing will ever move; failed: its errno */
	ck_assert_int_eq(errno, _i == 0 ? ETIMEDOUT : EFBIG);
	ck_assert_uint_eq(a.calls, 3);
	ck_assert_uint_eq(w.out_len, 0);
	finish(&s, &w);
}
END_TEST

static int
open_pattern(const char *pattern, size_t len)
{
	char	 path[] = "stream.XXXXXX";
	int	 fd = mkstemp(path);

	ck_assert_int_ne(fd, -1);
	ck_assert_int_eq(unlink(path), 0);
	ck_assert_int_eq(write(fd, pattern, len), (ssize_t)len);
	return fd;
}

START_TEST(files_are_sent_whole)
{
	struct wire	 w = { .in = "", .send_max = slow[_i].send_max,
			    .again = slow[_i].again };
	char		*p = unit_pattern(20000);
	struct stream	 s;
	int		 fd = open_pattern(p, 20000);

	start(&s, &w, 10);
	ck_assert_int_eq(stream_sendfile(&s, fd, 5, 19990), 0);
	ck_assert_uint_eq(w.out_len, 19990);
	ck_assert_int_eq(memcmp(w.out, p + 5, 19990), 0);
	ck_assert_uint_eq(s.bytes_out, 19990);
	ck_assert_int_eq(stream_sendfile(&s, fd, 20000, 0), 0);
	/* a file that is shorter than promised is an error, not a loop */
	ck_assert_int_eq(stream_sendfile(&s, fd, 19999, 2), -1);
	ck_assert_int_eq(errno, EIO);
	close(fd);
	free(p);
	finish(&s, &w);
}
END_TEST

START_TEST(a_new_connection_starts_empty)
{
	struct wire	 w = { .in = "abc", .in_len = 3 };
	struct stream	 s;

	start(&s, &w, 10);
	ck_assert_int_eq(stream_fill(&s, 10), 1);
	ck_assert_int_eq(stream_fill(&s, 10), 0);
	ck_assert_int_eq(stream_write(&s, "x", 1), 0);
	s.ahead = read_ahead;
	s.deadline = 1;
	wire_start(&w, &s);
	ck_assert_uint_eq(buf_len(&s.in), 0);
	ck_assert_uint_eq(buf_room(&s.in), 10);
	ck_assert(!s.eof);
	ck_assert_uint_eq(s.bytes_in, 0);
	ck_assert_uint_eq(s.bytes_out, 0);
	ck_assert_int_eq(s.deadline, 0);
	ck_assert(s.ahead == NULL);
	finish(&s, &w);
}
END_TEST

/* The socket's own functions. */
static void
start_pair(struct stream *s, struct stream_fd *sf, int sv[2])
{
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, sv), 0);
	ck_assert_int_eq(stream_init(s, 1 << 16), 0);
	stream_start_fd(s, sf, sv[0]);
	s->patience_in = s->patience_out = 60000;
}

static void
finish_pair(struct stream *s, int sv[2])
{
	close(sv[0]);
	close(sv[1]);
	stream_fini(s);
}

START_TEST(sockets_are_read_and_written)
{
	struct stream	 s;
	struct stream_fd sf;
	int		 sv[2];
	char		 got[8];

	start_pair(&s, &sf, sv);
	ck_assert_int_eq(write(sv[1], "abc", 3), 3);
	ck_assert_int_eq(stream_fill(&s, 100), 1);
	ck_assert_uint_eq(buf_len(&s.in), 3);
	ck_assert_int_eq(stream_write(&s, "xyz", 3), 0);
	ck_assert_int_eq(read(sv[1], got, sizeof(got)), 3);
	ck_assert_int_eq(memcmp(got, "xyz", 3), 0);
	ck_assert_int_eq(shutdown(sv[1], SHUT_WR), 0);
	ck_assert_int_eq(stream_fill(&s, 100), 0);
	ck_assert(s.eof);
	/* half-closed is not gone */
	ck_assert_int_eq(stream_write(&s, "w", 1), 0);
	ck_assert_int_eq(read(sv[1], got, sizeof(got)), 1);
	finish_pair(&s, sv);
}
END_TEST

START_TEST(a_peer_that_is_gone_is_an_error_not_a_signal)
{
	struct stream	 s;
	struct stream_fd sf;
	int		 sv[2];

	start_pair(&s, &sf, sv);
	ck_assert_int_eq(close(sv[1]), 0);
	ck_assert_int_eq(stream_write(&s, "x", 1), -1);
	ck_assert_int_eq(errno, EPIPE);
	sv[1] = dup(sv[0]);
	finish_pair(&s, sv);
}
END_TEST

/* A cancelled read takes what has come, and waits for nothing more. */
START_TEST(cancelled_reads_do_not_wait)
{
	volatile sig_atomic_t	 cancel = 1;
	struct stream		 s;
	struct stream_fd	 sf;
	int			 sv[2], i;

	start_pair(&s, &sf, sv);
	sf.cancel = &cancel;
	stream_fd_wake(sv[0]);
	for (i = 0; i < 2; i++) {
		ck_assert_int_eq(stream_fill(&s, 100), -1);
		ck_assert_int_eq(errno, ECANCELED);
		ck_assert_int_eq(write(sv[1], "abc", 3), 3);
		ck_assert_int_eq(stream_fill(&s, 100), 1);
	}
	ck_assert_uint_eq(buf_len(&s.in), 6);
	ck_assert_int_eq(shutdown(sv[1], SHUT_WR), 0);
	ck_assert_int_eq(stream_fill(&s, 100), 0);
	finish_pair(&s, sv);
}
END_TEST

static volatile sig_atomic_t	 called_off;

static void
call_off(int signo)
{
	(void)signo;
	called_off = 1;
}

/* Nor do those that are called off while they wait, for long or for short. */
static const int64_t	 waits[] = { 6000, 60000 };

START_TEST(waiting_reads_are_cancelled)
{
	struct itimerval	 soon = { { 0, 10000 }, { 0, 10000 } };
	struct itimerval	 never = { { 0, 0 }, { 0, 0 } };
	struct sigaction	 sa;
	struct stream		 s;
	struct stream_fd	 sf;
	int			 sv[2];

	start_pair(&s, &sf, sv);
	memset(&sa, 0, sizeof(sa));
	sa.sa_handler = call_off;
	ck_assert_int_eq(sigaction(SIGALRM, &sa, NULL), 0);
	called_off = 0;
	sf.cancel = &called_off;
	s.patience_in = waits[_i];
	ck_assert_int_eq(setitimer(ITIMER_REAL, &soon, NULL), 0);
	ck_assert_int_eq(stream_fill(&s, 100), -1);
	ck_assert_int_eq(errno, ECANCELED);
	ck_assert_int_eq(setitimer(ITIMER_REAL, &never, NULL), 0);
	finish_pair(&s, sv);
}
END_TEST

START_TEST(silent_sockets_time_out)
{
	struct stream	 s;
	struct stream_fd sf;
	int		 sv[2];

	start_pair(&s, &sf, sv);
	s.patience_in = 1;
	ck_assert_int_eq(stream_fill(&s, 100), -1);
	ck_assert_int_eq(errno, ETIMEDOUT);
	ck_assert_int_eq(stream_fill(&s, 100), -1);
	ck_assert_int_eq(errno, ETIMEDOUT);
	s.patience_in = 60000;
	s.deadline = stream_now() + 1;
	ck_assert_int_eq(stream_fill(&s, 100), -1);
	ck_assert_int_eq(errno, ETIMEDOUT);
	/* bytes that are there are taken at the last moment, too */
	s.deadline = 0;
	s.patience_in = 1;
	ck_assert_int_eq(write(sv[1], "abc", 3), 3);
	ck_assert_int_eq(stream_fill(&s, 100), 1);
	finish_pair(&s, sv);
}
END_TEST

START_TEST(full_sockets_time_out)
{
	char		*p = unit_pattern(1 << 24);
	struct stream	 s;
	struct stream_fd sf;
	int		 sv[2];

	start_pair(&s, &sf, sv);
	s.patience_out = 1;
	ck_assert_int_eq(stream_write(&s, p, 1 << 24), -1);
	ck_assert_int_eq(errno, ETIMEDOUT);
	ck_assert_uint_gt(s.bytes_out, 0);
	free(p);
	finish_pair(&s, sv);
}
END_TEST

/* A peer that writes far more than a socket holds before it reads. */
static int
write_then_read(int fd, char *p, size_t len)
{
	size_t	 done;
	ssize_t	 n;

	for (done = 0; done < len; done += (size_t)n)
		if ((n = write(fd, p + done, len - done)) <= 0)
			return 1;
	for (done = 0; done < len; done += (size_t)n)
		if ((n = read(fd, p, len - done)) <= 0)
			return 2;
	return 0;
}

static int
drop_ahead(void *arg)
{
	struct stream	*s = arg;

	s->in.rd = s->in.wr = 0;
	return stream_fill(s, 1 << 16);
}

START_TEST(full_sockets_read_ahead)
{
	const size_t	 len = 1 << 22;
	char		*p = unit_pattern(len);
	struct stream	 s;
	struct stream_fd sf;
	int		 sv[2], status;
	pid_t		 pid;

	start_pair(&s, &sf, sv);
	ck_assert_int_ne(pid = fork(), -1);
	if (pid == 0) {
		close(sv[0]);
		status = write_then_read(sv[1], p, len);
		free(p);
		stream_fini(&s);
		_exit(status);
	}
	s.ahead = drop_ahead;
	s.ahead_arg = &s;
	ck_assert_int_eq(stream_write(&s, p, len), 0);
	ck_assert_uint_eq(s.bytes_in, len);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_int_eq(status, 0);
	free(p);
	finish_pair(&s, sv);
}
END_TEST

START_TEST(sockets_take_files)
{
	char		*p = unit_pattern(20000), *got = malloc(20000);
	struct stream	 s;
	struct stream_fd sf;
	int		 sv[2], fd = open_pattern(p, 20000);

	ck_assert_ptr_nonnull(got);
	start_pair(&s, &sf, sv);
	ck_assert_int_eq(stream_sendfile(&s, fd, 100, 19900), 0);
	ck_assert_int_eq(recv(sv[1], got, 20000, MSG_WAITALL | MSG_DONTWAIT),
	    19900);
	ck_assert_int_eq(memcmp(got, p + 100, 19900), 0);
	ck_assert_int_eq(fcntl(sv[0], F_GETFL) & O_NONBLOCK, 0);
	close(fd);
	free(p);
	free(got);
	finish_pair(&s, sv);
}
END_TEST

static void
add(TCase *tc)
{
	tcase_add_test(tc, fill_appends_until_the_end);
	tcase_add_test(tc, fill_takes_no_more_than_there_is_room);
	unit_add_rows(tc, fill_and_write_pass_errors_on, errors);
	unit_add_rows(tc, waits_end_at_the_nearer_limit, times);
	tcase_add_test(tc, waits_end_to_wake_the_caller);
	tcase_add_test(tc, a_write_that_does_not_wait_needs_no_time);
	unit_add_rows(tc, writes_are_whole_however_slow_the_peer, slow);
	tcase_add_test(tc, empty_writes_send_nothing);
	tcase_add_test(tc, a_stuck_write_reads_ahead);
	tcase_add_loop_test(tc, reading_ahead_can_end_or_fail, -1, 1);
	unit_add_rows(tc, files_are_sent_whole, slow);
	tcase_add_test(tc, a_new_connection_starts_empty);
	tcase_add_test(tc, sockets_are_read_and_written);
	tcase_add_test(tc, a_peer_that_is_gone_is_an_error_not_a_signal);
	tcase_add_test(tc, cancelled_reads_do_not_wait);
	unit_add_rows(tc, waiting_reads_are_cancelled, waits);
	tcase_add_test(tc, silent_sockets_time_out);
	tcase_add_test(tc, full_sockets_time_out);
	tcase_add_test(tc, full_sockets_read_ahead);
	tcase_add_test(tc, sockets_take_files);
}

int
main(void)
{
	return unit_main("stream", add);
}
