/* SPDX-License-Identifier: ISC */
/*
 * When a worker that died is replaced, as a table: the deaths of some slots
 * with their times, and when the master shall start them again.
 */
#include <string.h>

#include "../server/respawn.h"
#include "unit.h"

#define SLOTS	3
#define DEATHS	12

struct death {
	int64_t		 at;		/* ms */
	unsigned int	 slot;
	int64_t		 age;
	uint64_t	 connections;
	uint64_t	 transactions;
	char		 how;		/* 's'ick, 'r'etired, else killed */
	int64_t		 due;		/* what is expected */
};

static const struct {
	const char	*name;
	struct death	 death[DEATHS];	/* ends with at 0 */
} rows[] = {
	{ "the pool waits 1, 2, 4 ... 60 s before anybody was healthy", {
		{ 1000, 0, 5, 0, 0, 'k', 2000 },
		{ 2005, 0, 5, 0, 0, 'k', 4005 },
		{ 4010, 0, 5, 0, 0, 'k', 8010 },
		{ 8015, 0, 5, 0, 0, 'k', 16015 },
		{ 16020, 0, 5, 0, 0, 'k', 32020 },
		{ 32025, 0, 5, 0, 0, 'k', 64025 },
		{ 64030, 0, 5, 0, 0, 'k', 124030 },
		{ 124035, 0, 5, 0, 0, 'k', 184035 } } },
	{ "slots that die together are one round", {
		{ 1000, 0, 5, 0, 0, 'k', 2000 },
		{ 1001, 1, 5, 0, 0, 's', 2000 },
		{ 1999, 2, 5, 1, 0, 'k', 2000 },
		{ 2001, 0, 1, 0, 0, 'k', 4001 },
		{ 2002, 1, 1, 0, 0, 'k', 4001 } } },
	{ "a connection is not a job done, before anybody was healthy", {
		{ 1000, 0, 5, 1, 0, 'k', 2000 },
		{ 2005, 0, 5, 1, 0, 'k', 4005 } } },
	{ "who has done a job is replaced at once, however often", {
		{ 1000, 0, 5, 1, 1, 'k', 1000 },
		{ 1010, 0, 5, 1, 0, 'k', 1010 },
		{ 1020, 0, 5, 1, 0, 'k', 1020 },
		{ 1030, 0, 5, 1, 0, 'k', 1030 },
		{ 1040, 1, 5, 1, 0, 'k', 1040 },
		{ 1050, 0, 5, 1, 0, 'k', 1050 } } },
	{ "age is health: 10 s", {
		{ 20000, 0, 9999, 0, 0, 'k', 21000 },
		{ 31001, 0, 10000, 0, 0, 'k', 31001 } } },
	{ "healthy once, only the slot itself waits, not the first time", {
		{ 1000, 0, 500, 9, 9, 'k', 1000 },
		{ 1005, 1, 5, 0, 0, 'k', 1005 },
		{ 1010, 1, 5, 0, 0, 'k', 2010 },
		{ 2015, 1, 5, 0, 0, 'k', 4015 },
		{ 2020, 2, 5, 0, 0, 'k', 2020 },
		{ 4020, 1, 5, 0, 0, 'k', 8020 },
		{ 4025, 2, 5, 0, 0, 'k', 5025 } } },
	{ "a slot that did its job is forgiven", {
		{ 1000, 0, 500, 9, 9, 'k', 1000 },
		{ 1005, 1, 5, 0, 0, 'k', 1005 },
		{ 1010, 1, 5, 0, 0, 'k', 2010 },
		{ 3000, 1, 900, 1, 1, 'k', 3000 },
		{ 3005, 1, 5, 0, 0, 'k', 3005 },
		{ 3010, 1, 5, 0, 0, 'k', 4010 } } },
	{ "who says he is sick waits, also after work", {
		{ 1000, 0, 500, 9, 9, 'k', 1000 },
		{ 2000, 0, 5, 1, 0, 's', 2000 },
		{ 2010, 0, 5, 1, 0, 's', 3010 },
		{ 3020, 0, 5, 1, 0, 's', 5020 } } },
	{ "who was told to go is replaced at once", {
		{ 1000, 0, 5, 0, 0, 'r', 1000 },
		{ 1010, 0, 5, 0, 0, 'r', 1010 },
		{ 1020, 0, 5, 0, 0, 'k', 2020 },
		{ 1030, 1, 5, 0, 0, 'r', 1030 } } },
};

START_TEST(deaths_have_their_starts)
{
	struct respawn		 r;
	struct respawn_slot	 slot[SLOTS];
	struct respawn_death	 death;
	const struct death	*d;

	memset(&r, 0, sizeof(r));
	memset(slot, 0, sizeof(slot));
	for (d = rows[_i].death; d->at != 0; d++) {
		memset(&death, 0, sizeof(death));
		death.now = d->at;
		death.age = d->age;
		death.connections = d->connections;
		death.transactions = d->transactions;
		death.sick = d->how == 's';
		death.retired = d->how == 'r';
		ck_assert_msg(respawn_due(&r, &slot[d->slot], &death) ==
		    d->due, "%s: death at %ld", rows[_i].name, (long)d->at);
	}
}
END_TEST

START_TEST(start_is_given_up_after_three_rounds)
{
	struct respawn		 r;
	struct respawn_slot	 slot;
	struct respawn_death	 death;
	int			 i;

	memset(&r, 0, sizeof(r));
	memset(&slot, 0, sizeof(slot));
	memset(&death, 0, sizeof(death));
	death.age = 5;
	for (i = 0; i < RESPAWN_ROUNDS; i++) {
		ck_assert(!respawn_is_hopeless(&r));
		death.now += 100000;
		(void)respawn_due(&r, &slot, &death);
	}
	ck_assert(respawn_is_hopeless(&r));
	/* but not if somebody has worked */
	death.transactions = 1;
	(void)respawn_due(&r, &slot, &death);
	ck_assert(!respawn_is_hopeless(&r));
	death.transactions = 0;
	for (i = 0; i < 10; i++)
		(void)respawn_due(&r, &slot, &death);
	ck_assert(!respawn_is_hopeless(&r));
}
END_TEST

START_TEST(nobody_is_killed_after_a_gap)
{
	struct respawn_watch	 w;

	memset(&w, 0, sizeof(w));
	ck_assert(respawn_may_kill(&w, 100000, 1000, 10000));
	ck_assert(respawn_may_kill(&w, 101000, 1000, 10000));
	/* late, but there */
	ck_assert(respawn_may_kill(&w, 105000, 1000, 10000));
	/* suspended */
	ck_assert(!respawn_may_kill(&w, 109001, 1000, 10000));
	ck_assert(!respawn_may_kill(&w, 110001, 1000, 10000));
	ck_assert(!respawn_may_kill(&w, 113001, 1000, 10000));
	ck_assert(!respawn_may_kill(&w, 116001, 1000, 10000));
	ck_assert(!respawn_may_kill(&w, 119000, 1000, 10000));
	ck_assert(respawn_may_kill(&w, 119001, 1000, 10000));
	/* and again */
	ck_assert(!respawn_may_kill(&w, 999000, 1000, 10000));
}
END_TEST

static void
add(TCase *tc)
{
	unit_add_rows(tc, deaths_have_their_starts, rows);
	tcase_add_test(tc, start_is_given_up_after_three_rounds);
	tcase_add_test(tc, nobody_is_killed_after_a_gap);
}

int
main(void)
{
	return unit_main("respawn", add);
}
