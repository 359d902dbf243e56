/* SPDX-License-Identifier: ISC */
/*
 * The board: who is free, who is idle longest, whose connections there are;
 * as a file, read by another process's rules, and what is no board.
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
#include "../server/roster.h"
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

/* What is mapped, to be given back at the end of a test. */
static const struct board	*mapped[32];
static unsigned int		 nmapped;

static struct board *
open_board(unsigned int max, const char *path)
{
	struct board	*b = board_open(max, path);

	ck_assert_uint_lt(nmapped, sizeof(mapped) / sizeof(mapped[0]));
	if (b != NULL)
		mapped[nmapped++] = b;
	return b;
}

static void
tear_down(void)
{
	while (nmapped > 0)
		board_unmap(mapped[--nmapped]);
}

static const struct board *
map_file(const char *path, const char **why)
{
	const struct board	*b;
	int			 fd = open(path, O_RDONLY);

	*why = "no such file";
	if (fd == -1)
		return NULL;
	b = board_map(fd, why);
	(void)close(fd);
	ck_assert_uint_lt(nmapped, sizeof(mapped) / sizeof(mapped[0]));
	if (b != NULL)
		mapped[nmapped++] = b;
	return b;
}

START_TEST(free_worker_is_found)
{
	struct board	*b = open_board(PLACES, NULL);
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

/* Workers of two listeners, as the master knows them, all of them idle. */
static struct board *
make_roster(struct roster *r, struct generation *gen)
{
	struct board	*b = open_board(PLACES, NULL);
	unsigned int	 i;
	int		 place;

	memset(gen, 0, sizeof(*gen));
	ck_assert_int_eq(roster_init(r, PLACES), 0);
	for (i = 0; i < PLACES; i++) {
		ck_assert_int_ne(place = roster_add(r, gen), -1);
		roster_enter(r, (unsigned int)place, 1000 + (pid_t)i, 1);
		board_enter(board_slot(b, i), BOARD_IDLE, 100 + (int64_t)i);
	}
	return b;
}

START_TEST(longest_idle_is_found)
{
	struct generation	 gen, old;
	struct roster		 r;
	struct board		*b = make_roster(&r, &gen);
	static const struct master_aux	 aux = { .name = "logger" };

	ck_assert_int_eq(roster_find_idle(&r, b, &gen, 0), 0);
	ck_assert(!roster_has_free(&r, b, 0));
	board_enter(board_slot(b, 0), BOARD_SERVICE, 1);
	board_enter(board_slot(b, 1), BOARD_READING, 1);
	board_enter(board_slot(b, 2), BOARD_ACCEPT, 1);
	board_enter(board_slot(b, 3), BOARD_LEAVING, 1);
	ck_assert_int_eq(roster_find_idle(&r, b, &gen, 0), 4);
	ck_assert(roster_has_free(&r, b, 0));
	r.place[4].pool = 1;
	ck_assert_int_eq(roster_find_idle(&r, b, &gen, 0), 5);
	ck_assert_int_eq(roster_find_idle(&r, b, &gen, 1), 4);
	ck_assert(!roster_has_free(&r, b, 1));
	/* who has been told to go anyway is of an older generation */
	r.place[5].gen = &old;
	ck_assert_int_eq(roster_find_idle(&r, b, &gen, 0), 6);
	/* nobody is signalled who is no worker, whatever a worker wrote */
	r.place[6].aux = &aux;
	ck_assert_int_eq(roster_find_idle(&r, b, &gen, 0), 7);
	r.place[7].pid = 0;
	ck_assert_int_eq(roster_find_idle(&r, b, &gen, 0), -1);
	board_head(b)->nslots = UINT32_MAX;
	board_slot(b, 4)->pool = 0;
	ck_assert_int_eq(roster_find_idle(&r, b, &gen, 0), -1);
	roster_fini(&r);
}
END_TEST

START_TEST(connections_of_a_client_are_counted)
{
	struct board		*b = open_board(PLACES, NULL);
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
	ck_assert_ptr_nonnull(b = open_board(PLACES, file));
	board_head(b)->nslots = 2;
	board_slot(b, 1)->transactions = 4711;
	ck_assert_ptr_nonnull(seen = map_file(file, &why));
	ck_assert_uint_eq(board_see_head(seen)->nslots, 2);
	ck_assert_uint_eq(board_see_slot(seen, 1)->transactions, 4711);
	board_slot(b, 1)->transactions++;
	ck_assert_uint_eq(board_see_slot(seen, 1)->transactions, 4712);
	/* a new one takes the name; the old one is not touched */
	ck_assert_ptr_nonnull(next = open_board(2 * PLACES, file));
	ck_assert_uint_eq(board_see_slot(seen, 1)->transactions, 4712);
	ck_assert_ptr_nonnull(seen = map_file(file, &why));
	ck_assert_uint_eq(board_see_head(seen)->max, 2 * PLACES);
	ck_assert_uint_eq(board_see_slot(seen, 1)->transactions, 0);
	remove_dir();
}
END_TEST

START_TEST(its_maker_holds_it_until_the_end)
{
	int	 ready[2], fd;
	pid_t	 pid, heir;

	make_dir();
	ck_assert_int_eq(pipe(ready), 0);
	ck_assert_int_ne(pid = fork(), -1);
	if (pid == 0) {
		if (open_board(PLACES, file) == NULL || (heir = fork()) == -1)
			_exit(1);
		if (heir == 0) {
			(void)close(ready[1]);
			(void)pause();
			_exit(0);
		}
		(void)!write(ready[1], &heir, sizeof(heir));
		(void)pause();
		_exit(0);
	}
	(void)close(ready[1]);
	ck_assert_int_eq(read(ready[0], &heir, sizeof(heir)), sizeof(heir));
	ck_assert_int_ne(fd = open(file, O_RDONLY), -1);
	ck_assert_int_eq(board_find_holder(fd), pid);
	/* what it has forked lives on, and holds nothing */
	ck_assert_int_eq(kill(pid, SIGKILL), 0);
	ck_assert_int_eq(waitpid(pid, NULL, 0), pid);
	ck_assert_int_eq(kill(heir, 0), 0);
	ck_assert_int_eq(board_find_holder(fd), 0);
	ck_assert_int_eq(kill(heir, SIGKILL), 0);
	(void)close(fd);
	(void)close(ready[0]);
	remove_dir();
}
END_TEST

START_TEST(only_its_own_file_is_removed)
{
	int	 fd;

	make_dir();
	ck_assert_ptr_nonnull(open_board(PLACES, file));
	ck_assert_int_eq(unlink(file), 0);
	ck_assert_int_ne(fd = open(file, O_RDWR | O_CREAT, 0600), -1);
	(void)close(fd);
	ck_assert(!board_remove(file));
	ck_assert_int_eq(access(file, F_OK), 0);
	ck_assert_ptr_nonnull(open_board(PLACES, file));
	ck_assert(board_remove(file));
	ck_assert_int_eq(access(file, F_OK), -1);
	remove_dir();
}
END_TEST

/* One process counts and buries, the other adds up: it never falls. */
START_TEST(a_sum_never_falls)
{
	struct board		*b = open_board(PLACES, NULL);
	struct board_slot	*slot;
	struct board_sum	 sum;
	uint64_t		 last = 0;
	unsigned int		 i;
	pid_t			 pid;

	ck_assert_ptr_nonnull(b);
	board_head(b)->nslots = PLACES;
	ck_assert_int_ne(pid = fork(), -1);
	if (pid == 0)
		for (i = 0;; i++) {
			slot = board_slot(b, i % PLACES);
			slot->connections += 1000;
			board_enter(slot, BOARD_IDLE, 1);
			board_bury(b, i % PLACES, true, 2);
		}
	while (last == 0 || sum.connections < 10000000) {
		board_sum(b, &sum);
		if (sum.connections < last)
			(void)kill(pid, SIGKILL);
		ck_assert_uint_ge(sum.connections, last);
		last = sum.connections;
	}
	ck_assert_int_eq(kill(pid, SIGKILL), 0);
	ck_assert_int_eq(waitpid(pid, NULL, 0), pid);
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
	ck_assert_ptr_nonnull(b = open_board(PLACES, file));
	s = board_sources(b, 0);
	ck_assert_ptr_eq((void *)s, (void *)(board_slot(b, PLACES - 1) + 1));
	ck_assert_ptr_eq(board_sources(b, 1), s + BOARD_SOURCES);
	ck_assert_ptr_eq(board_sources(b, 2), s);
	ck_assert_ptr_eq((char *)(s + 2 * BOARD_SOURCES),
	    (char *)board_head(b) + board_head(b)->size);
	(void)strlcpy(s[2 * BOARD_SOURCES - 1].name, "last",
	    sizeof(s->name));
	ck_assert_ptr_nonnull(seen = map_file(file, &why));
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
	ck_assert_ptr_null(map_file(file, &why));
	ck_assert_str_eq(why, "no such file");
	ck_assert_ptr_nonnull(open_board(PLACES, file));
	ck_assert_ptr_nonnull(map_file(file, &why));
	head = *board_see_head(map_file(file, &why));
	put(offsetof(struct board_head, stem.version), &wrong, sizeof(wrong));
	ck_assert_ptr_null(map_file(file, &why));
	ck_assert_str_eq(why, "board of another version of icapd");
	put(0, &head, sizeof(head));
	wrong = head.max + 1;
	put(offsetof(struct board_head, nslots), &wrong, sizeof(wrong));
	ck_assert_ptr_null(map_file(file, &why));
	ck_assert_str_eq(why, "damaged board");
	put(0, &head, sizeof(head));
	ck_assert_ptr_nonnull(map_file(file, &why));
	ck_assert_int_eq(truncate(file, BOARD_HEAD_SIZE), 0);
	ck_assert_ptr_null(map_file(file, &why));
	ck_assert_str_eq(why, "damaged board");
	put(0, "12345", 5);
	ck_assert_ptr_null(map_file(file, &why));
	ck_assert_str_eq(why, "not a board of icapd");
	ck_assert_int_eq(truncate(file, 10), 0);
	ck_assert_ptr_null(map_file(file, &why));
	ck_assert_str_eq(why, "not a board of icapd");
	ck_assert_ptr_null(map_file(dir, &why));
	remove_dir();
}
END_TEST

START_TEST(file_that_cannot_be_made_is_told)
{
	ck_assert_ptr_null(open_board(PLACES, "/nonexistent/icapd.board"));
}
END_TEST

static void
add(TCase *tc)
{
	tcase_add_checked_fixture(tc, NULL, tear_down);
	tcase_add_test(tc, free_worker_is_found);
	tcase_add_test(tc, longest_idle_is_found);
	tcase_add_test(tc, connections_of_a_client_are_counted);
	tcase_add_test(tc, news_name_their_place);
	tcase_add_test(tc, file_can_be_read_by_others);
	tcase_add_test(tc, its_maker_holds_it_until_the_end);
	tcase_add_test(tc, only_its_own_file_is_removed);
	tcase_add_test(tc, a_sum_never_falls);
	tcase_add_test(tc, sources_have_their_room);
	tcase_add_test(tc, what_is_no_board_is_refused);
	tcase_add_test(tc, file_that_cannot_be_made_is_told);
}

int
main(void)
{
	return unit_main("board", add);
}
