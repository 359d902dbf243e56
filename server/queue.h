/* SPDX-License-Identifier: ISC */
#ifndef SERVER_QUEUE_H
#define SERVER_QUEUE_H

#include <stdbool.h>
#include <stdint.h>

#define QUEUE_SAMPLES	64

/*
 * How long clients have waited at one listener.  Zeroed at the start.  Times
 * are milliseconds of one clock; counts only ever grow.
 */
struct queue {
	struct {
		int64_t		 at;
		uint64_t	 arrived;	/* clients, until then */
	}		 sample[QUEUE_SAMPLES];
	unsigned int	 first;		/* oldest sample */
	unsigned int	 n;
};

/* Nobody waits. */
void	 queue_reset(struct queue *q);

/*
 * Notes that `accepted` clients have been accepted in all until now, and
 * `waiting` more are in the kernel's queue.  limit is the one that
 * queue_overdue() will be called with.
 */
void	 queue_note(struct queue *q, int64_t now, uint64_t accepted,
	    unsigned int waiting, int64_t limit);

/* How many clients have waited for longer than limit? */
unsigned int queue_overdue(const struct queue *q, int64_t now,
	    uint64_t accepted, int64_t limit);

#endif
