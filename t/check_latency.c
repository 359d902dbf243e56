/* SPDX-License-Identifier: ISC */
/*
 * The times of a load: whatever is put in is found again, never shorter and
 * less than 1% longer, and percentiles count right.
 */
#include <string.h>

#include "../client/latency.h"
#include "unit.h"

static struct latency	 lat;

/* A single time is its own percentile; beside a longer one it is a bucket. */
START_TEST(a_time_is_found_in_its_bucket)
{
	uint64_t	 ns = (uint64_t)1 << _i, found;
	int		 off;

	for (off = -1; off <= 1; off++) {
		memset(&lat, 0, sizeof(lat));
		latency_add(&lat, ns + (uint64_t)(int64_t)off);
		ck_assert_uint_eq(latency_find(&lat, 50000),
		    ns + (uint64_t)(int64_t)off);
		latency_add(&lat, (uint64_t)1 << 39);
		found = latency_find(&lat, 50000);
		ck_assert_uint_ge(found, ns + (uint64_t)(int64_t)off);
		ck_assert_uint_le(found, ns + (uint64_t)(int64_t)off +
		    ns / 100);
	}
}
END_TEST

START_TEST(percentiles_count)
{
	unsigned int	 i;

	memset(&lat, 0, sizeof(lat));
	ck_assert_uint_eq(latency_find(&lat, 50000), 0);
	for (i = 1; i <= 100; i++)
		latency_add(&lat, i);
	ck_assert_uint_eq(lat.count, 100);
	ck_assert_uint_eq(lat.sum, 5050);
	ck_assert_uint_eq(lat.max, 100);
	ck_assert_uint_eq(latency_find(&lat, 0), 1);
	ck_assert_uint_eq(latency_find(&lat, 1), 1);
	ck_assert_uint_eq(latency_find(&lat, 50000), 50);
	ck_assert_uint_eq(latency_find(&lat, 50001), 51);
	ck_assert_uint_eq(latency_find(&lat, 99000), 99);
	ck_assert_uint_eq(latency_find(&lat, 99990), 100);
	ck_assert_uint_eq(latency_find(&lat, 100000), 100);
}
END_TEST

/* Longer than is told apart: in the last bucket, and the maximum is true. */
START_TEST(the_longest_times_have_a_place)
{
	memset(&lat, 0, sizeof(lat));
	latency_add(&lat, UINT64_MAX);
	latency_add(&lat, (uint64_t)1 << LATENCY_EXP);
	latency_add(&lat, ((uint64_t)1 << LATENCY_EXP) - 1);
	ck_assert_uint_eq(lat.count, 3);
	ck_assert_uint_eq(lat.max, UINT64_MAX);
	ck_assert_uint_eq(latency_find(&lat, 100000),
	    ((uint64_t)1 << LATENCY_EXP) - 1);
	ck_assert_uint_eq(lat.bucket[sizeof(lat.bucket) /
	    sizeof(lat.bucket[0]) - 1], 3);
}
END_TEST

static void
add(TCase *tc)
{
	tcase_add_loop_test(tc, a_time_is_found_in_its_bucket, 1, 39);
	tcase_add_test(tc, percentiles_count);
	tcase_add_test(tc, the_longest_times_have_a_place);
}

int
main(void)
{
	return unit_main("latency", add);
}
