/* SPDX-License-Identifier: ISC */
/*
 * How long transactions took, in buckets, so that a day of load needs no more
 * memory than a second and no percentile is made up.  Called by load.c.
 */
#include "latency.h"

static unsigned int
latency_index(uint64_t ns)
{
	unsigned int	 exp;

	if (ns < LATENCY_SUB)
		return (unsigned int)ns;
	exp = 63 - (unsigned int)__builtin_clzll(ns) - LATENCY_BITS;
	if (exp > LATENCY_EXP - LATENCY_BITS - 1)
		return (LATENCY_EXP - LATENCY_BITS + 1) * LATENCY_SUB - 1;
	return (exp + 1) * LATENCY_SUB +
	    (unsigned int)((ns >> exp) & (LATENCY_SUB - 1));
}

/* The largest time that falls into a bucket. */
static uint64_t
latency_top(unsigned int i)
{
	unsigned int	 exp;

	if (i < LATENCY_SUB)
		return i;
	exp = i / LATENCY_SUB - 1;
	return (((uint64_t)(i % LATENCY_SUB) + LATENCY_SUB + 1) << exp) - 1;
}

void
latency_add(struct latency *l, uint64_t ns)
{
	l->count++;
	l->sum += ns;
	if (ns > l->max)
		l->max = ns;
	l->bucket[latency_index(ns)]++;
}

uint64_t
latency_find(const struct latency *l, unsigned int per_100000)
{
	uint64_t	 seen = 0, want;
	unsigned int	 i;

	if (l->count == 0)
		return 0;
	want = l->count / 100000 * per_100000 +
	    (l->count % 100000 * per_100000 + 99999) / 100000;
	if (want == 0)
		want = 1;
	for (i = 0; i < sizeof(l->bucket) / sizeof(l->bucket[0]); i++)
		if ((seen += l->bucket[i]) >= want)
			return latency_top(i) < l->max ? latency_top(i) :
			    l->max;
	return l->max;
}
