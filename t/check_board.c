/* SPDX-License-Identifier: ISC */
/*
 * The board: who is free, who is idle longest, whose connections there are;
 * as a file, read by another process's rules, and what is no board.
 */
#include <sys/stat.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../server/board.h"
#include "unit.h"

#define PLACES	8

static char	 dir[64], file[96];

static void
make_dir(void)
{
	(void)snprintf(dir, sizeof(dir), "/tmp/icapd-board.XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(dir));
	(void)snprintf(file, sizeof(file), "%s/%s", dir, BOARD_FILE);
}

static void
remove_dir(void)
{
	(void)unlink(file);
	ck_assert_int_eq(rmdir(dir), 0);
}

START_TEST(free_worker_is_found)
{
	struct board	*b = board_open(PLACES, NULL);
	unsigned int	 i;

	ck_assert_ptr_nonnull(b);
	board_head(b)->nslots = PLACES;
	for (i = 0; i < PLACES; i++)
		board_enter(board_slot(b, i), BOARD_IDLE, 100);
	for (i = 0; i < PLACES; i++)
		ck_assert(!board_has_free(b, i));
	board_enter(board_slot(b, 5), BOARD_ACCEPT, 100);
	for (i = 0; i < PLACES; i++)
		ck_assert(board_has_free(b, i));
	/* one of another listener is of no use */
	board_slot(b, 5)->pool = 1;
	ck_assert(!board_has_free(b, 0));
	ck_assert(board_has_free(b, 5));
}
END_TEST

START_TEST(longest_idle_is_found)
{
	struct board	*b = board_open(PLACES, NULL);
	unsigned int	 i;

	board_head(b)->nslots = PLACES;
	ck_assert_int_eq(board_find_idle(b, 0), -1);
	for (i = 0; i < PLACES; i++)
		board_enter(board_slot(b, i), BOARD_IDLE, 100 + (int64_t)i);
	ck_assert_int_eq(board_find_idle(b, 0), 0);
	board_enter(board_slot(b, 0), BOARD_SERVICE, 1);
	board_enter(board_slot(b, 1), BOARD_READING, 1);
	board_enter(board_slot(b, 2), BOARD_ACCEPT, 1);
	board_enter(board_slot(b, 3), BOARD_LEAVING, 1);
	ck_assert_int_eq(board_find_idle(b, 0), 4);
	board_slot(b, 4)->pool = 1;
	ck_assert_int_eq(board_find_idle(b, 0), 5);
	ck_assert_int_eq(board_find_idle(b, 1), 4);
	/* who has been told to go anyway is of an older generation */
	board_head(b)->generation = 1;
	for (i = 0; i < PLACES; i++)
		board_slot(b, i)->generation = 1;
	board_slot(b, 5)->generation = 0;
	ck_assert_int_eq(board_find_idle(b, 0), 6);
}
END_TEST

START_TEST(connections_of_a_client_are_counted)
{
	struct board		*b = board_open(PLACES, NULL);
	struct board_peer	 peer, other;
	unsigned int		 i;

	board_head(b)->nslots = PLACES;
	memset(&peer, 0, sizeof(peer));
	peer.family = 2;
	peer.address[0] = 127;
	other = peer;
	other.address[3] = 9;
	for (i = 0; i < PLACES; i++) {
		board_slot(b, i)->peer = i % 2 ? peer : other;
		/* the port does not matter */
		board_slot(b, i)->peer.port = (uint16_t)i;
		board_enter(board_slot(b, i), BOARD_IDLE, 1);
	}
	ck_assert_uint_eq(board_count_peer(b, &peer), PLACES / 2);
	board_enter(board_slot(b, 1), BOARD_ACCEPT, 1);
	board_enter(board_slot(b, 3), BOARD_FREE, 1);
	ck_assert_uint_eq(board_count_peer(b, &peer), PLACES / 2 - 2);
}
END_TEST

START_TEST(news_name_their_place)
{
	unsigned char	 news[BOARD_NEWS_SIZE];
	int		 fd[2], i;

	ck_assert_int_eq(pipe2(fd, O_NONBLOCK), 0);
	ck_assert_int_eq(board_tell(fd[1], BOARD_NEWS_READY, 8255), 0);
	ck_assert_int_eq(read(fd[0], news, sizeof(news)), sizeof(news));
	ck_assert_int_eq(news[0], BOARD_NEWS_READY);
	ck_assert_int_eq(news[1] << 8 | news[2], 8255);
	/* a full pipe is no failure */
	for (i = 0; i < 100000; i++)
		ck_assert_int_eq(board_tell(fd[1], BOARD_NEWS_SHORT, 1), 0);
	(void)close(fd[0]);
	(void)close(fd[1]);
}
END_TEST

START_TEST(file_can_be_read_by_others)
{
	const struct board	*seen;
	struct board		*b, *next;
	const char		*why = NULL;

	make_dir();
	ck_assert_ptr_nonnull(b = board_open(PLACES, file));
	board_head(b)->nslots = 2;
	board_slot(b, 1)->transactions = 4711;
	ck_assert_ptr_nonnull(seen = board_map(file, &why));
	ck_assert_uint_eq(board_see_head(seen)->nslots, 2);
	ck_assert_uint_eq(board_see_slot(seen, 1)->transactions, 4711);
	board_slot(b, 1)->transactions++;
	ck_assert_uint_eq(board_see_slot(seen, 1)->transactions, 4712);
	/* a new one takes the name; the old one is not touched */
	ck_assert_ptr_nonnull(next = board_open(2 * PLACES, file));
	ck_assert_uint_eq(board_see_slot(seen, 1)->transactions, 4712);
	ck_assert_ptr_nonnull(seen = board_map(file, &why));
	ck_assert_uint_eq(board_see_head(seen)->max, 2 * PLACES);
	ck_assert_uint_eq(board_see_slot(seen, 1)->transactions, 0);
	remove_dir();
}
END_TEST

static void
put(off_t at, const void *p, size_t len)
{
	int	 fd = open(file, O_WRONLY);

	ck_assert_int_ne(fd, -1);
	ck_assert_int_eq(pwrite(fd, p, len, at), (ssize_t)len);
	(void)close(fd);
}

/* Of two generations, behind all places and within the file. */
START_TEST(sources_have_their_room)
{
	struct board		*b;
	const struct board	*seen;
	struct board_source	*s;
	const char		*why;

	make_dir();
	ck_assert_ptr_nonnull(b = board_open(PLACES, file));
	s = board_sources(b, 0);
	ck_assert_ptr_eq((void *)s, (void *)board_slot(b, PLACES));
	ck_assert_ptr_eq(board_sources(b, 1), s + BOARD_SOURCES);
	ck_assert_ptr_eq(board_sources(b, 2), s);
	ck_assert_ptr_eq((char *)(s + 2 * BOARD_SOURCES),
	    (char *)b + board_head(b)->size);
	(void)strlcpy(s[2 * BOARD_SOURCES - 1].name, "last",
	    sizeof(s->name));
	ck_assert_ptr_nonnull(seen = board_map(file, &why));
	ck_assert_str_eq(board_see_sources(seen, 7)[BOARD_SOURCES - 1].name,
	    "last");
	remove_dir();
}
END_TEST

START_TEST(what_is_no_board_is_refused)
{
	struct board_head	 head;
	const char		*why = NULL;
	uint32_t		 wrong = BOARD_VERSION + 1;

	make_dir();
	ck_assert_ptr_null(board_map(file, &why));
	ck_assert_str_eq(why, "no such file");
	ck_assert_ptr_nonnull(board_open(PLACES, file));
	ck_assert_ptr_nonnull(board_map(file, &why));
	head = *board_see_head(board_map(file, &why));
	put(offsetof(struct board_head, version), &wrong, sizeof(wrong));
	ck_assert_ptr_null(board_map(file, &why));
	ck_assert_str_eq(why, "board of another version of icapd");
	put(0, &head, sizeof(head));
	wrong = head.max + 1;
	put(offsetof(struct board_head, nslots), &wrong, sizeof(wrong));
	ck_assert_ptr_null(board_map(file, &why));
	ck_assert_str_eq(why, "damaged board");
	put(0, &head, sizeof(head));
	ck_assert_ptr_nonnull(board_map(file, &why));
	ck_assert_int_eq(truncate(file, BOARD_HEAD_SIZE), 0);
	ck_assert_ptr_null(board_map(file, &why));
	ck_assert_str_eq(why, "damaged board");
	put(0, "12345", 5);
	ck_assert_ptr_null(board_map(file, &why));
	ck_assert_str_eq(why, "not a board of icapd");
	ck_assert_int_eq(truncate(file, 10), 0);
	ck_assert_ptr_null(board_map(file, &why));
	ck_assert_str_eq(why, "not a board of icapd");
	ck_assert_ptr_null(board_map(dir, &why));
	remove_dir();
}
END_TEST

START_TEST(file_that_cannot_be_made_is_told)
{
	ck_assert_ptr_null(board_open(PLACES, "/nonexistent/icapd.board"));
}
END_TEST

static void
add(TCase *tc)
{
	tcase_add_test(tc, free_worker_is_found);
	tcase_add_test(tc, longest_idle_is_found);
	tcase_add_test(tc, connections_of_a_client_are_counted);
	tcase_add_test(tc, news_name_their_place);
	tcase_add_test(tc, file_can_be_read_by_others);
	tcase_add_test(tc, sources_have_their_room);
	tcase_add_test(tc, what_is_no_board_is_refused);
	tcase_add_test(tc, file_that_cannot_be_made_is_told);
}

int
main(void)
{
	return unit_main("board", add);
}
