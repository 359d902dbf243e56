/* SPDX-License-Identifier: ISC */
/*
 * How many clients have waited too long: what the kernel and the workers
 * count, at times, and what follows.
 */
#include <string.h>

#include "../server/queue.h"
#include "unit.h"

#define LIMIT	1000

START_TEST(nobody_is_overdue_before_the_limit)
{
	struct queue	 q;

	memset(&q, 0, sizeof(q));
	ck_assert_uint_eq(queue_overdue(&q, 5000, 0, LIMIT), 0);
	queue_note(&q, 5000, 10, 3, LIMIT);
	ck_assert_uint_eq(queue_overdue(&q, 5999, 10, LIMIT), 0);
	ck_assert_uint_eq(queue_overdue(&q, 6000, 10, LIMIT), 3);
}
END_TEST

START_TEST(those_accepted_meanwhile_are_not)
{
	struct queue	 q;

	memset(&q, 0, sizeof(q));
	queue_note(&q, 5000, 10, 3, LIMIT);
	queue_note(&q, 5500, 11, 7, LIMIT);
	ck_assert_uint_eq(queue_overdue(&q, 6000, 11, LIMIT), 2);
	ck_assert_uint_eq(queue_overdue(&q, 6000, 12, LIMIT), 1);
	ck_assert_uint_eq(queue_overdue(&q, 6000, 13, LIMIT), 0);
	ck_assert_uint_eq(queue_overdue(&q, 6000, 20, LIMIT), 0);
	/* half a second later the second lot is, too: 18 had arrived */
	ck_assert_uint_eq(queue_overdue(&q, 6500, 13, LIMIT), 5);
}
END_TEST

START_TEST(queue_that_moves_is_never_overdue)
{
	struct queue	 q;
	uint64_t	 accepted = 0;
	int64_t		 now;

	memset(&q, 0, sizeof(q));
	/* 50 wait, ten a tenth of a second are served: half a second each */
	for (now = 1; now < 20000; now += 2) {
		accepted = (uint64_t)now / 10;
		queue_note(&q, now, accepted, 50, LIMIT);
		ck_assert_uint_eq(queue_overdue(&q, now, accepted, LIMIT), 0);
	}
}
END_TEST

START_TEST(samples_reach_back_to_the_limit)
{
	struct queue	 q;
	int64_t		 now;

	memset(&q, 0, sizeof(q));
	/* one client a millisecond arrives, nobody is served */
	for (now = 1; now < 10000; now++)
		queue_note(&q, now, 0, (unsigned int)now, LIMIT);
	/* 9000 have waited a second; a sample every 31 ms knows it */
	ck_assert_uint_gt(queue_overdue(&q, 10000, 0, LIMIT), 8960);
	ck_assert_uint_le(queue_overdue(&q, 10000, 0, LIMIT), 9000);
}
END_TEST

START_TEST(numbers_of_different_moments_do_no_harm)
{
	struct queue	 q;

	memset(&q, 0, sizeof(q));
	queue_note(&q, 5000, 10, 3, LIMIT);
	/* accepted between the two looks: the sum seems to fall */
	queue_note(&q, 5100, 10, 1, LIMIT);
	ck_assert_uint_eq(queue_overdue(&q, 6100, 10, LIMIT), 3);
	queue_reset(&q);
	ck_assert_uint_eq(queue_overdue(&q, 9000, 0, LIMIT), 0);
}
END_TEST

static void
add(TCase *tc)
{
	tcase_add_test(tc, nobody_is_overdue_before_the_limit);
	tcase_add_test(tc, those_accepted_meanwhile_are_not);
	tcase_add_test(tc, queue_that_moves_is_never_overdue);
	tcase_add_test(tc, samples_reach_back_to_the_limit);
	tcase_add_test(tc, numbers_of_different_moments_do_no_harm);
}

int
main(void)
{
	return unit_main("queue", add);
}
