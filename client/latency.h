/* SPDX-License-Identifier: ISC */
#ifndef CLIENT_LATENCY_H
#define CLIENT_LATENCY_H

#include <stdint.h>

/* Buckets of each power of two: each is less than 1% wide. */
#define LATENCY_BITS	7
#define LATENCY_SUB	(1 << LATENCY_BITS)

/* Longest time that is told apart: 2^40 ns, 18 minutes. */
#define LATENCY_EXP	40

/*
 * A distribution of times in nanoseconds: exact below 128, from there on each
 * power of two is cut into LATENCY_SUB buckets of the same width.
 */
struct latency {
	uint64_t	 count;
	uint64_t	 sum;
	uint64_t	 max;
	uint64_t	 bucket[(LATENCY_EXP - LATENCY_BITS + 1) *
			    LATENCY_SUB];
};

void	 latency_add(struct latency *l, uint64_t ns);

/*
 * The time that so many of a hundred thousand did not exceed: 50000 is the
 * median.  0 when there is none.
 */
uint64_t latency_find(const struct latency *l, unsigned int per_100000);

#endif
