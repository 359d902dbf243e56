/* SPDX-License-Identifier: ISC */
/*
 * Whether and when a worker that died is replaced: policy only.  Called by
 * master.c; it must not fork, look at the clock or log, so that it can be
 * tested as a table.
 *
 * A worker that dies before it ever got a connection, or says that it is
 * sick, had a bad start: something structural is wrong, and starting it again
 * at once would only burn the machine.  Before any worker has done its job,
 * every early death counts as that, and the whole pool waits 1, 2, 4 ... 60 s.
 * Afterwards only the slot itself waits, and not after its first bad start.
 * A worker that dies at its work is replaced at once however often that
 * happens: throttling it would let a client that has found a crash turn it
 * into an outage (after Dovecot).
 */
#include "respawn.h"

/* So many missed looks are a gap in the clock. */
#define RESPAWN_GAP	4

static int64_t
respawn_delay(unsigned int bad)
{
	int64_t	 delay = RESPAWN_DELAY_MIN;

	if (bad == 0)
		return 0;
	while (--bad > 0 && delay < RESPAWN_DELAY_MAX)
		delay *= 2;
	return delay < RESPAWN_DELAY_MAX ? delay : RESPAWN_DELAY_MAX;
}

int64_t
respawn_due(struct respawn *r, struct respawn_slot *slot,
    const struct respawn_death *death)
{
	if (death->transactions > 0 || death->age >= RESPAWN_GOOD_AGE) {
		r->healthy = true;
		r->bad = 0;
		slot->bad = 0;
	}
	if (death->retired)
		return death->now;
	if (!r->healthy) {
		/* many slots that die together are one round */
		if (death->now >= r->hold)
			r->hold = death->now + respawn_delay(++r->bad);
		return r->hold;
	}
	if (!death->sick && (death->connections > 0 ||
	    death->age >= RESPAWN_GOOD_AGE)) {
		slot->bad = 0;
		return death->now;
	}
	return death->now + respawn_delay(slot->bad++);
}

bool
respawn_is_hopeless(const struct respawn *r)
{
	return !r->healthy && r->bad >= RESPAWN_ROUNDS;
}

bool
respawn_may_kill(struct respawn_watch *w, int64_t now, int64_t period,
    int64_t grace)
{
	/* a busy machine may delay us by some periods; a suspend is longer */
	if (w->last != 0 && now - w->last > RESPAWN_GAP * period)
		w->not_before = now + grace;
	w->last = now;
	return now >= w->not_before;
}
