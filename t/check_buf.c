/* SPDX-License-Identifier: ISC */
/*
 * The receive buffer: what goes in comes out, in order, wherever it was moved
 * to, and a caller that takes too much is stopped.
 */
#include <sys/wait.h>

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../proto/buf.h"
#include "unit.h"

static void
put(struct buf *b, const char *s)
{
	ck_assert_uint_ge(buf_room(b), strlen(s));
	memcpy(buf_space(b), s, strlen(s));
	buf_produce(b, strlen(s));
}

static void
check_contents(const struct buf *b, const char *s)
{
	ck_assert_uint_eq(buf_len(b), strlen(s));
	ck_assert_int_eq(memcmp(buf_data(b), s, strlen(s)), 0);
}

START_TEST(bytes_come_out_as_they_went_in)
{
	struct buf	 b;

	ck_assert_int_eq(buf_init(&b, 8), 0);
	check_contents(&b, "");
	ck_assert_uint_eq(buf_room(&b), 8);
	put(&b, "abcde");
	buf_consume(&b, 2);
	check_contents(&b, "cde");
	ck_assert_uint_eq(buf_room(&b), 3);
	put(&b, "fgh");
	check_contents(&b, "cdefgh");
	ck_assert_uint_eq(buf_room(&b), 0);
	buf_consume(&b, 6);
	check_contents(&b, "");
	buf_fini(&b);
}
END_TEST

START_TEST(shift_makes_room_and_keeps_what_is_below)
{
	struct buf	 b;

	ck_assert_int_eq(buf_init(&b, 8), 0);
	put(&b, "abcdefgh");
	buf_consume(&b, 5);
	buf_shift(&b, 5);
	ck_assert_uint_eq(buf_room(&b), 0);
	buf_shift(&b, 2);
	check_contents(&b, "fgh");
	ck_assert_uint_eq(buf_room(&b), 3);
	ck_assert_int_eq(memcmp(buf_data(&b) - 2, "ab", 2), 0);
	buf_consume(&b, 3);
	buf_shift(&b, 0);
	ck_assert_uint_eq(buf_room(&b), 8);
	buf_fini(&b);
}
END_TEST

START_TEST(trim_keeps_what_was_received)
{
	const size_t	 size = 1 << 20;
	char		*pattern = unit_pattern(size);
	struct buf	 b;

	ck_assert_int_eq(buf_init(&b, size), 0);
	memcpy(buf_space(&b), pattern, size);
	buf_produce(&b, size);
	buf_trim(&b, 0);			/* all of it is in use */
	ck_assert_int_eq(memcmp(buf_data(&b), pattern, size), 0);
	buf_consume(&b, size - 100);
	buf_shift(&b, 3);
	buf_trim(&b, 0);
	ck_assert_uint_eq(buf_len(&b), 100);
	ck_assert_int_eq(memcmp(buf_data(&b), pattern + size - 100, 100), 0);
	/* and the rest can be used again */
	memcpy(buf_space(&b), pattern, buf_room(&b));
	buf_produce(&b, buf_room(&b));
	ck_assert_int_eq(memcmp(buf_data(&b) + 100, pattern, size - 103), 0);
	buf_trim(&b, size);
	buf_trim(&b, 0);
	ck_assert_int_eq(memcmp(buf_data(&b) + 100, pattern, size - 103), 0);
	buf_fini(&b);
	free(pattern);
}
END_TEST

static void
take_too_much(struct buf *b, int how)
{
	switch (how) {
	case 0:
		buf_consume(b, 4);
		break;
	case 1:
		buf_produce(b, 6);
		break;
	default:
		buf_shift(b, 1);
		break;
	}
}

START_TEST(too_much_is_stopped)
{
	struct buf	 b;
	pid_t		 pid;
	int		 status;

	ck_assert_int_eq(buf_init(&b, 8), 0);
	put(&b, "abc");
	ck_assert_int_ne(pid = fork(), -1);
	if (pid == 0) {
		(void)dup2(open("/dev/null", O_WRONLY), STDERR_FILENO);
		take_too_much(&b, _i);
		_exit(0);
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
	buf_fini(&b);
}
END_TEST

static void
add(TCase *tc)
{
	tcase_add_test(tc, bytes_come_out_as_they_went_in);
	tcase_add_test(tc, shift_makes_room_and_keeps_what_is_below);
	tcase_add_test(tc, trim_keeps_what_was_received);
	tcase_add_loop_test(tc, too_much_is_stopped, 0, 3);
}

int
main(void)
{
	return unit_main("buf", add);
}
