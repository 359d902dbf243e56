/* SPDX-License-Identifier: ISC */
/*
 * The spool: the same bytes come back whether they lie in memory, in the
 * file, or in both, and no file is left behind.
 */
#include <sys/stat.h>
#include <sys/wait.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../proto/spool.h"
#include "unit.h"

#define MAX	(UINT64_C(1) << 40)

static char	 dir[] = "spool.XXXXXX";

static void
make_dir(void)
{
	memcpy(dir + sizeof(dir) - 7, "XXXXXX", 6);
	ck_assert_ptr_nonnull(mkdtemp(dir));
}

/* Fails when something was left in it. */
static void
remove_dir(void)
{
	ck_assert_int_eq(rmdir(dir), 0);
}

/* Reads what is left, at most `step` at once, and compares. */
static void
check_left(struct spool *sp, const char *expect, size_t len, size_t step)
{
	struct slice	 mem;
	uint64_t	 offset, n;
	size_t		 pos = 0;
	char		*got = malloc(len + 1);

	ck_assert_ptr_nonnull(got);
	ck_assert_uint_eq(spool_left(sp), len);
	while (spool_left(sp) > 0) {
		spool_peek(sp, &mem, &offset, &n);
		ck_assert_uint_gt(n, 0);
		ck_assert_uint_le(n, len - pos);
		if (n > step)
			n = step;
		if (mem.len > 0)
			memcpy(got + pos, mem.p, (size_t)n);
		else
			ck_assert_int_eq(pread(sp->fd, got + pos, (size_t)n,
			    (off_t)offset), (ssize_t)n);
		spool_consume(sp, n);
		pos += (size_t)n;
	}
	ck_assert_uint_eq(pos, len);
	ck_assert_int_eq(memcmp(got, expect, len), 0);
	free(got);
}

/* All bytes lie in one file, whatever was read of them. */
static void
check_file(struct spool *sp, const char *expect, size_t len)
{
	char	*got = malloc(len + 1);
	int	 fd = spool_fd(sp);

	ck_assert_ptr_nonnull(got);
	ck_assert_int_ne(fd, -1);
	ck_assert_int_eq(pread(fd, got, len + 1, 0), (ssize_t)len);
	ck_assert_int_eq(memcmp(got, expect, len), 0);
	ck_assert_int_eq(spool_fd(sp), fd);
	/* nobody who gets it can change what it holds */
	ck_assert(pwrite(fd, "x", 1, 0) == -1);
	ck_assert(ftruncate(fd, 0) == -1);
	free(got);
}

/* Bytes kept in memory, appended at once, in all, read at once. */
static const struct {
	size_t	 mem_max;
	size_t	 append;
	size_t	 len;
	size_t	 step;
	bool	 has_file;
} sizes[] = {
	{ 4096, 1, 1, 1, false },
	{ 4096, 100, 4095, 4096, false },	/* n - 1, n, n + 1 */
	{ 4096, 100, 4096, 4096, false },
	{ 4096, 100, 4097, 4096, true },
	{ 4096, 5000, 5000, 5000, true },
	{ 4096, 4096, 12288, 7, true },
	{ 1, 3, 100, 9, true },
	{ 0, 3, 100, 9, true },
	{ 4096, 65536, 1 << 20, 65536, true },
};

START_TEST(bytes_come_back)
{
	const size_t	 len = sizes[_i].len;
	char		*p = unit_pattern(len), *got = malloc(len);
	struct spool	 sp;
	size_t		 pos, n;

	ck_assert_ptr_nonnull(got);
	make_dir();
	spool_init(&sp, dir, sizes[_i].mem_max, MAX);
	ck_assert_uint_eq(spool_left(&sp), 0);
	for (pos = 0; pos < len; pos += n) {
		n = sizes[_i].append < len - pos ? sizes[_i].append :
		    len - pos;
		ck_assert_int_eq(spool_append(&sp, p + pos, n), 0);
	}
	ck_assert_int_eq(sp.fd != -1, sizes[_i].has_file);
	check_left(&sp, p, len, sizes[_i].step);
	/* all over again: read, from the start, and from the middle */
	spool_rewind(&sp);
	for (pos = 0; pos < len; pos += n) {
		n = sizes[_i].step < len - pos ? sizes[_i].step : len - pos;
		n = (size_t)spool_read(&sp, got, n);
		ck_assert(n > 0 && n <= sizes[_i].step);
		ck_assert_int_eq(memcmp(got, p + pos, n), 0);
	}
	ck_assert_int_eq(spool_read(&sp, got, 1), 0);
	spool_rewind(&sp);
	check_left(&sp, p, len, 1000);
	spool_rewind(&sp);
	spool_consume(&sp, len / 2);
	spool_forget(&sp);			/* too early: some are left */
	check_left(&sp, p + len / 2, len - len / 2, len);
	check_file(&sp, p, len);
	/* forgotten, and used anew */
	spool_forget(&sp);
	ck_assert_uint_eq(spool_left(&sp), 0);
	spool_rewind(&sp);
	ck_assert_uint_eq(spool_left(&sp), 0);
	ck_assert_int_eq(spool_append(&sp, p + len / 2, len - len / 2), 0);
	check_left(&sp, p + len / 2, len - len / 2, len);
	spool_clear(&sp);
	ck_assert_int_eq(sp.fd, -1);
	ck_assert_uint_eq(spool_left(&sp), 0);
	remove_dir();
	free(got);
	free(p);
}
END_TEST

/* The same where a descriptor is wanted, whatever was expected. */
static const struct {
	size_t	 mem_max;
	size_t	 append;
	size_t	 len;
	uint64_t expected;
	bool	 is_anonymous;
} wanted[] = {
	{ 4096, 1, 1, 0, true },
	{ 4096, 100, 4095, 4095, true },	/* n - 1, n, n + 1 */
	{ 4096, 100, 4096, 4096, true },
	{ 4096, 100, 4097, 4096, false },
	{ 4096, 100, 4097, 0, false },
	{ 4096, 5000, 5000, 0, false },
	{ 4096, 100, 4097, 4097, false },
	{ 4096, 100, 100, UINT64_MAX, false },
	{ 0, 3, 100, 0, false },
	{ 4096, 65536, 1 << 20, 1 << 20, false },
	{ 4096, 65536, 1 << 20, 0, false },
};

START_TEST(a_descriptor_is_wanted)
{
	const size_t	 len = wanted[_i].len;
	char		*p = unit_pattern(len);
	struct spool	 sp;
	size_t		 pos, n;
	int		 fd, seals;

	make_dir();
	spool_init(&sp, dir, wanted[_i].mem_max, MAX);
	spool_want_fd(&sp, wanted[_i].expected);
	ck_assert(spool_is_used(&sp));
	for (pos = 0; pos < len; pos += n) {
		n = wanted[_i].append < len - pos ? wanted[_i].append :
		    len - pos;
		ck_assert_int_eq(spool_append(&sp, p + pos, n), 0);
	}
	ck_assert(sp.mem == NULL);
	ck_assert(sp.is_anonymous == wanted[_i].is_anonymous);
	check_left(&sp, p, len, 1000);
	spool_rewind(&sp);
	check_file(&sp, p, len);
	check_left(&sp, p, len, 7);
	/* what was handed out in memory cannot be written to */
	fd = dup(spool_fd(&sp));
	ck_assert_int_ne(fd, -1);
	seals = fcntl(fd, F_GET_SEALS);
	ck_assert_int_eq(seals != -1 && (seals & F_SEAL_WRITE) != 0,
	    wanted[_i].is_anonymous);
	/* and what comes behind it does not change that */
	ck_assert_int_eq(spool_append(&sp, "more", 4), 0);
	ck_assert_uint_eq(spool_left(&sp), 4);
	spool_consume(&sp, 4);
	ck_assert_int_eq(spool_append(&sp, "more", 4), 0);
	check_left(&sp, "more", 4, 3);
	if (wanted[_i].is_anonymous)
		ck_assert_int_eq(lseek(fd, 0, SEEK_END), (off_t)len);
	(void)close(fd);
	spool_clear(&sp);
	ck_assert(!spool_is_used(&sp));
	remove_dir();
	free(p);
}
END_TEST

/* A part as a file of its own: 4096 bytes are kept in memory. */
static const struct {
	size_t	 len;
	bool	 is_wanted;
	size_t	 offset;
	size_t	 part;
	bool	 is_anonymous;
} parts[] = {
	{ 10, false, 0, 10, true },
	{ 10, true, 3, 4, true },
	{ 10, true, 10, 0, true },
	{ 100000, true, 99999, 1, true },
	{ 100000, true, 1, 4095, true },	/* n - 1, n, n + 1 */
	{ 100000, true, 1, 4096, true },
	{ 100000, true, 1, 4097, false },
	{ 100000, false, 777, 90000, false },
	{ 100000, true, 0, 100000, false },
};

START_TEST(a_part_is_a_file)
{
	const size_t	 len = parts[_i].len;
	char		*p = unit_pattern(len), *got = malloc(len + 1);
	struct spool	 sp;
	int		 fd;

	ck_assert_ptr_nonnull(got);
	make_dir();
	spool_init(&sp, dir, 4096, MAX);
	if (parts[_i].is_wanted)
		spool_want_fd(&sp, 0);
	ck_assert_int_eq(spool_append(&sp, p, len), 0);
	fd = spool_part(&sp, parts[_i].offset, parts[_i].part);
	ck_assert_int_ne(fd, -1);
	ck_assert_int_eq(pread(fd, got, len + 1, 0),
	    (ssize_t)parts[_i].part);
	ck_assert_int_eq(memcmp(got, p + parts[_i].offset, parts[_i].part),
	    0);
	ck_assert_int_eq(fcntl(fd, F_GET_SEALS) > 0, parts[_i].is_anonymous);
	ck_assert(pwrite(fd, "x", 1, 0) == -1);
	ck_assert(ftruncate(fd, (off_t)parts[_i].part / 2 + 7) == -1);
	(void)close(fd);
	check_file(&sp, p, len);
	/* more than there is, and no errno of something else */
	errno = ENOENT;
	ck_assert_int_eq(spool_part(&sp, len - 1, 2), -1);
	ck_assert_int_eq(errno, EIO);
	spool_clear(&sp);
	remove_dir();
	free(got);
	free(p);
}
END_TEST

/* In a child, below another root.  Returns the line of what is wrong, or 0. */
static int
without_proc(const char *p)
{
	struct spool	 sp;
	char		 got[10001];
	bool		 has_names;
	int		 fd, i;

	if (chroot(dir) == -1 || chdir("/") == -1)
		return __LINE__;
	if (spool_check("/", &has_names) == -1 || !has_names)
		return __LINE__;
	/* told in time, and too late */
	for (i = 0; i < 2; i++) {
		spool_init(&sp, "/", 4096, MAX);
		if (i == 0)
			spool_want_fd(&sp, 0);
		if (spool_append(&sp, p, 10000) == -1)
			return __LINE__;
		if ((fd = spool_fd(&sp)) == -1 || ftruncate(fd, 0) == 0 ||
		    pread(fd, got, sizeof(got), 0) != 10000 ||
		    memcmp(got, p, 10000) != 0)
			return __LINE__;
		fd = spool_part(&sp, 1, 9000);
		if (fd == -1 || ftruncate(fd, 0) == 0 ||
		    pread(fd, got, sizeof(got), 0) != 9000 ||
		    memcmp(got, p + 1, 9000) != 0)
			return __LINE__;
		spool_clear(&sp);
	}
	return 0;
}

/* Where no descriptor has a path to open it by. */
START_TEST(a_reader_without_proc)
{
	char	*p = unit_pattern(10000);
	bool	 has_names;
	int	 status;
	pid_t	 pid;

	make_dir();
	ck_assert_int_eq(spool_check(dir, &has_names), 0);
	/* only root can change the root directory */
	if (geteuid() == 0) {
		if ((pid = fork()) == 0) {
			status = without_proc(p);
			/* 8 bits: an exit status has no more */
			_exit(status == 0 ? 0 : status % 255 + 1);
		}
		ck_assert(pid != -1 && waitpid(pid, &status, 0) == pid);
		ck_assert_int_eq(status, 0);
	}
	remove_dir();
	free(p);
}
END_TEST

START_TEST(a_descriptor_of_nothing)
{
	struct spool	 sp;
	int		 fd;

	make_dir();
	spool_init(&sp, dir, 4096, MAX);
	spool_want_fd(&sp, 0);
	fd = spool_fd(&sp);
	ck_assert_int_ne(fd, -1);
	ck_assert_int_eq(lseek(fd, 0, SEEK_END), 0);
	ck_assert_int_eq(spool_append(&sp, "x", 1), 0);
	check_left(&sp, "x", 1, 1);
	spool_clear(&sp);
	remove_dir();
}
END_TEST

/* The limit on all bytes; what did not fit changes nothing. */
START_TEST(the_limit_holds_to_the_byte)
{
	struct spool	 sp;

	make_dir();
	spool_init(&sp, dir, 4, 10);
	ck_assert_int_eq(spool_append(&sp, "012345678", 9), 0);
	ck_assert_int_eq(spool_append(&sp, "9a", 2), -1);
	ck_assert_int_eq(errno, EFBIG);
	ck_assert_int_eq(spool_append(&sp, "9", 1), 0);
	errno = 0;
	ck_assert_int_eq(spool_append(&sp, "a", 1), -1);
	ck_assert_int_eq(errno, EFBIG);
	ck_assert_int_eq(spool_append(&sp, "", 0), 0);
	check_left(&sp, "0123456789", 10, 10);
	spool_forget(&sp);
	ck_assert_int_eq(spool_append(&sp, "0123456789a", 11), -1);
	ck_assert_int_eq(spool_append(&sp, "0123456789", 10), 0);
	spool_clear(&sp);
	remove_dir();
}
END_TEST

/* C120: a full disk is an error of its own, with nothing spoilt. */
START_TEST(a_full_disk_is_reported)
{
	struct spool	 sp;
	int		 full;

	make_dir();
	spool_init(&sp, dir, 4, MAX);
	ck_assert_int_eq(spool_append(&sp, "0123", 4), 0);
	if ((full = open("/dev/full", O_RDWR)) == -1)
		ck_abort_msg("/dev/full: %s", strerror(errno));
	sp.fd = full;
	ck_assert_int_eq(spool_append(&sp, "4", 1), -1);
	ck_assert_int_eq(errno, ENOSPC);
	check_left(&sp, "0123", 4, 4);
	spool_clear(&sp);
	remove_dir();
}
END_TEST

START_TEST(a_missing_folder_is_reported)
{
	struct spool	 sp;

	spool_init(&sp, "no-such-folder", 4, MAX);
	ck_assert_int_eq(spool_append(&sp, "0123", 4), 0);
	ck_assert_int_eq(spool_append(&sp, "4", 1), -1);
	ck_assert_int_eq(errno, ENOENT);
	check_left(&sp, "0123", 4, 4);
	spool_clear(&sp);
}
END_TEST

/* Nobody else can open the file, by name or by mode. */
START_TEST(the_file_has_no_name)
{
	struct spool	 sp;
	struct dirent	*entry;
	struct stat	 st;
	DIR		*d;

	make_dir();
	spool_init(&sp, dir, 0, MAX);
	ck_assert_int_eq(spool_append(&sp, "x", 1), 0);
	ck_assert_ptr_nonnull(d = opendir(dir));
	while ((entry = readdir(d)) != NULL)
		ck_assert_int_eq(entry->d_name[0], '.');
	closedir(d);
	ck_assert_int_eq(fstat(sp.fd, &st), 0);
	ck_assert_uint_eq(st.st_nlink, 0);
	ck_assert_uint_eq(st.st_mode & 077, 0);
	spool_clear(&sp);
	remove_dir();
}
END_TEST

/* The file is complete again after more was appended. */
START_TEST(the_file_grows_with_the_spool)
{
	struct spool	 sp;

	make_dir();
	spool_init(&sp, dir, 8, MAX);
	ck_assert_int_eq(spool_append(&sp, "abc", 3), 0);
	check_file(&sp, "abc", 3);
	ck_assert_int_eq(spool_append(&sp, "def", 3), 0);
	check_file(&sp, "abcdef", 6);
	ck_assert_int_eq(spool_append(&sp, "ghijkl", 6), 0);
	check_file(&sp, "abcdefghijkl", 12);
	spool_clear(&sp);
	remove_dir();
}
END_TEST

START_TEST(clear_does_no_harm_to_an_empty_one)
{
	struct spool	 sp;
	struct slice	 mem;
	uint64_t	 offset, len;
	char		 c;

	spool_init(&sp, "no-such-folder", 4096, MAX);
	spool_peek(&sp, &mem, &offset, &len);
	ck_assert_uint_eq(len, 0);
	ck_assert_int_eq(spool_read(&sp, &c, 1), 0);
	ck_assert(!spool_is_used(&sp));
	spool_clear(&sp);
	spool_clear(&sp);
	spool_forget(&sp);
	spool_rewind(&sp);
	ck_assert_uint_eq(spool_left(&sp), 0);
	ck_assert(!spool_is_used(&sp));
}
END_TEST

static void
add(TCase *tc)
{
	unit_add_rows(tc, bytes_come_back, sizes);
	unit_add_rows(tc, a_descriptor_is_wanted, wanted);
	tcase_add_test(tc, a_descriptor_of_nothing);
	unit_add_rows(tc, a_part_is_a_file, parts);
	tcase_add_test(tc, a_reader_without_proc);
	tcase_add_test(tc, the_limit_holds_to_the_byte);
	tcase_add_test(tc, a_full_disk_is_reported);
	tcase_add_test(tc, a_missing_folder_is_reported);
	tcase_add_test(tc, the_file_has_no_name);
	tcase_add_test(tc, the_file_grows_with_the_spool);
	tcase_add_test(tc, clear_does_no_harm_to_an_empty_one);
}

int
main(void)
{
	return unit_main("spool", add);
}
