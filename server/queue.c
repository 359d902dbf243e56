/* SPDX-License-Identifier: ISC */
/*
 * How long do clients wait in the kernel's queue of a listener?  The kernel
 * does not say; but it says how many there are, and the workers count whom
 * they have accepted.  The sum is who has arrived so far.  Clients leave the
 * queue in the order in which they came, so whoever had arrived `limit` ago
 * and is not among those accepted by now has waited for longer than that.
 *
 * Called by master.c while all workers are taken.  Arithmetic only: it must
 * not look at the clock or at a socket, so that it can be tested as a table.
 */
#include "queue.h"

void
queue_reset(struct queue *q)
{
	q->n = 0;
}

void
queue_note(struct queue *q, int64_t now, uint64_t accepted,
    unsigned int waiting, int64_t limit)
{
	uint64_t	 arrived = accepted + waiting;
	unsigned int	 last, i;

	if (q->n > 0) {
		last = (q->first + q->n - 1) % QUEUE_SAMPLES;
		/* the two numbers are not of the same moment */
		if (arrived < q->sample[last].arrived)
			arrived = q->sample[last].arrived;
		/* the samples must reach back further than the limit */
		if (now - q->sample[last].at < 2 * limit / QUEUE_SAMPLES)
			return;
	}
	if (q->n == QUEUE_SAMPLES) {
		q->first = (q->first + 1) % QUEUE_SAMPLES;
		q->n--;
	}
	i = (q->first + q->n) % QUEUE_SAMPLES;
	q->sample[i].at = now;
	q->sample[i].arrived = arrived;
	q->n++;
}

unsigned int
queue_overdue(const struct queue *q, int64_t now, uint64_t accepted,
    int64_t limit)
{
	unsigned int	 i, k;

	for (k = q->n; k > 0; k--) {
		i = (q->first + k - 1) % QUEUE_SAMPLES;
		if (now - q->sample[i].at < limit)
			continue;
		if (q->sample[i].arrived <= accepted)
			return 0;
		return (unsigned int)(q->sample[i].arrived - accepted);
	}
	return 0;
}
