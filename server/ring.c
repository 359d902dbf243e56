/* SPDX-License-Identifier: ISC */
/*
 * The log rings: memory that all processes share, one ring for each worker's
 * place.  Its worker puts lines in (record.c, log.c), the logger takes them
 * out (logger.c).  A ring outlives both, so nothing that was put is lost when
 * either is killed.  No locks: one producer, one consumer, and positions that
 * only grow.
 *
 * Putting a line is memory and nothing else, unless the logger sleeps and has
 * to know (the first line after a quiet time, a ring half full), or there is
 * no room: then the worker waits, for a line is never dropped here.
 *
 * Lines put together become visible by one store, that of the head.  What a
 * transaction will be, should its worker die before its line, is the intent;
 * it counts while the head is where it was announced.
 *
 * A worker that was taken over can write anything anywhere here.  So positions
 * are cut to the size of a ring wherever they are used, how many there are of
 * something is known to each process or bounded, and a ring that claims to
 * hold more than it can holds nothing.  Where the logs go is not here at all:
 * that each process has from the master, by the fork.
 */
#include <sys/mman.h>
#include <sys/syscall.h>

#include <linux/futex.h>

#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "../proto/chars.h"
#include "ring.h"

#define LINE	64		/* bytes of a cache line */

/*
 * A worker that waits for room looks again this often, milliseconds, in case
 * the logger that was to wake it has died.
 */
#define RING_PATIENCE	100

/* Instead of its owner's pid: the logger buries what is there. */
#define CLAIMED		(-1)

/* What the logger does. */
enum { AWAKE, NAPPING, ASLEEP };

/* Before each line in a ring, aligned to 8 bytes. */
struct ring_mark {
	uint32_t	 len;
	uint16_t	 log;
	uint8_t		 level;
	uint8_t		 kind;
};

struct ring {
	/* the producer's */
	uint64_t		 head;
	uint64_t		 at;		/* head + 1 of intent, or 0 */
	uint64_t		 at_next;	/* same, while a line is put */
	int64_t			 pid;
	uint32_t		 full;		/* futex: it waits for room */
	char			 pad[LINE - 36];

	/* the consumer's */
	uint64_t		 tail;
	char			 pad2[LINE - 8];
	struct ring_cursor	 cursor[RING_LOGS];
	struct ring_cursor	 recent;
	char			 pad3[LINE - sizeof(struct ring_cursor)];
};

_Static_assert(sizeof(struct ring) % LINE == 0, "rings are aligned");

/* The region that all processes share: no pointers. */
struct ring_area {
	uint32_t		 used;		/* rings ever taken */
	char			 pad[LINE - 4];
	uint32_t		 sleep;		/* futex: the logger's */
	uint32_t		 alarm;		/* it has to look up */
	char			 pad2[LINE - 8];
	struct ring		 ring[];
};

_Static_assert(offsetof(struct ring_area, ring) % LINE == 0,
    "as is the first");

/* Where it is, in this process and in those it forks. */
struct rings {
	struct ring_area	*area;
	struct ring_public	*pub;
	char			*intents;
	char			*data;
	size_t			 size;		/* of one ring */
	size_t			 mapped;
	unsigned int		 n;		/* rings */
	struct ring_name	 name[RING_LOGS];
};

#define INTENT_SIZE	1024

static uint64_t
align(uint64_t n, uint64_t to)
{
	return (n + to - 1) & ~(to - 1);
}

void
ring_copy_public(const struct ring_public *pub, struct ring_public *copy)
{
	struct ring_recent	*r;
	unsigned int		 i;

	memcpy(copy, pub, sizeof(*copy));
	if (copy->nlogs > RING_LOGS)
		copy->nlogs = RING_LOGS;
	for (i = 0; i < RING_LOGS; i++)
		chars_clean(copy->log[i].path, sizeof(copy->log[i].path),
		    '\0');
	/* one may just be written over */
	__atomic_thread_fence(__ATOMIC_ACQUIRE);
	for (i = 0; i < RING_RECENTS; i++) {
		r = &copy->recent[i];
		if (__atomic_load_n(&pub->recent[i].number,
		    __ATOMIC_RELAXED) != r->number)
			r->number = 0;
		chars_clean(r->text, sizeof(r->text), '\0');
	}
}

struct rings *
rings_open(unsigned int n, size_t size, struct ring_public *pub)
{
	struct rings	*rs;
	uint64_t	 intents, data;
	unsigned int	 all = n + RING_WORKER;

	if (size < RING_SIZE_MIN || size > RING_SIZE_MAX ||
	    (size & (size - 1)) != 0) {
		errno = EINVAL;
		return NULL;
	}
	if ((rs = calloc(1, sizeof(*rs))) == NULL)
		return NULL;
	intents = align(sizeof(*rs->area) + all * sizeof(struct ring), 4096);
	data = align(intents + (uint64_t)all * INTENT_SIZE, 4096);
	rs->n = all;
	rs->size = size;
	rs->pub = pub;
	rs->mapped = data + all * (uint64_t)size;
	rs->area = mmap(NULL, rs->mapped, PROT_READ | PROT_WRITE,
	    MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (rs->area == MAP_FAILED) {
		free(rs);
		return NULL;
	}
	rs->intents = (char *)rs->area + intents;
	rs->data = (char *)rs->area + data;
	rs->area->used = RING_WORKER;
	return rs;
}

void
rings_close(struct rings *rs)
{
	(void)munmap(rs->area, rs->mapped);
	free(rs);
}

static char *
ring_data(const struct rings *rs, unsigned int i)
{
	return rs->data + i * rs->size;
}

static bool
log_set_state(struct ring_log *log, uint32_t from, uint32_t to)
{
	return __atomic_compare_exchange_n(&log->state, &from, to, false,
	    __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE);
}

/* Of the master: what others write makes no place free that is not. */
static bool
rings_is_free(const struct rings *rs, unsigned int log)
{
	return !rs->name[log].is_wanted &&
	    !ring_log_is_used(&rs->pub->log[log]);
}

int
rings_find_log(const struct rings *rs, const char *path)
{
	unsigned int	 i;

	for (i = 0; i < RING_LOGS; i++)
		if (!rings_is_free(rs, i) &&
		    strcmp(rs->name[i].path, path) == 0)
			return (int)i;
	return -1;
}

int
rings_add_log(struct rings *rs, const char *path)
{
	struct ring_log	 *log;
	struct ring_name *name;
	unsigned int	  i;
	int		  found = rings_find_log(rs, path);

	if (found != -1) {
		name = &rs->name[found];
		if (name->is_wanted || log_set_state(&rs->pub->log[found],
		    RING_LOG_ENDING, RING_LOG_USED)) {
			name->is_wanted = true;
			return found;
		}
		/* freed just now */
	}
	for (i = 0; i < RING_LOGS; i++)
		if (rings_is_free(rs, i))
			break;
	if (i == RING_LOGS) {
		errno = ENOSPC;
		return -1;
	}
	log = &rs->pub->log[i];
	name = &rs->name[i];
	if (strlen(path) >= sizeof(name->path)) {
		errno = ENAMETOOLONG;
		return -1;
	}
	(void)strlcpy(name->path, path, sizeof(name->path));
	name->serial++;
	name->is_wanted = true;
	memset(log, 0, sizeof(*log));
	(void)strlcpy(log->path, path, sizeof(log->path));
	log->serial = name->serial;
	__atomic_store_n(&log->state, RING_LOG_USED, __ATOMIC_RELEASE);
	if (i >= rs->pub->nlogs)
		__atomic_store_n(&rs->pub->nlogs, i + 1, __ATOMIC_RELEASE);
	return (int)i;
}

void
rings_end_log(struct rings *rs, unsigned int log)
{
	rs->name[log].is_wanted = false;
	(void)log_set_state(rings_log(rs, log), RING_LOG_USED,
	    RING_LOG_ENDING);
	rings_alarm(rs);
}

bool
rings_free_log(struct rings *rs, unsigned int log)
{
	return log_set_state(rings_log(rs, log), RING_LOG_ENDING,
	    RING_LOG_FREE);
}

void
rings_count_reopen(struct rings *rs)
{
	(void)__atomic_fetch_add(&rs->pub->reopened, 1, __ATOMIC_RELEASE);
}

void
rings_count_dropped(struct rings *rs)
{
	(void)__atomic_fetch_add(&rs->pub->dropped, 1, __ATOMIC_RELAXED);
}

unsigned int
rings_count(const struct rings *rs)
{
	uint32_t	 n = __atomic_load_n(&rs->area->used,
			    __ATOMIC_ACQUIRE);

	return n < RING_WORKER ? RING_WORKER : n < rs->n ? n : rs->n;
}

unsigned int
rings_logs(const struct rings *rs)
{
	uint32_t	 n = __atomic_load_n(&rs->pub->nlogs,
			    __ATOMIC_ACQUIRE);

	return n < RING_LOGS ? n : RING_LOGS;
}

struct ring_log *
rings_log(struct rings *rs, unsigned int log)
{
	assert(log < RING_LOGS);
	return &rs->pub->log[log];
}

const struct ring_name *
rings_name(const struct rings *rs, unsigned int log)
{
	assert(log < RING_LOGS);
	return &rs->name[log];
}

struct ring_recent *
rings_recent(struct rings *rs)
{
	return rs->pub->recent;
}

static int
futex_wait(uint32_t *word, uint32_t value, int ms)
{
	struct timespec	 ts, *end = NULL;

	if (ms >= 0) {
		ts.tv_sec = ms / 1000;
		ts.tv_nsec = (long)(ms % 1000) * 1000000;
		end = &ts;
	}
	return (int)syscall(SYS_futex, word, FUTEX_WAIT, value, end, NULL, 0);
}

static void
futex_wake(uint32_t *word)
{
	(void)syscall(SYS_futex, word, FUTEX_WAKE, 1, NULL, NULL, 0);
}

static void
rings_wake(struct rings *rs)
{
	if (__atomic_exchange_n(&rs->area->sleep, AWAKE,
	    __ATOMIC_SEQ_CST) != AWAKE)
		futex_wake(&rs->area->sleep);
}

void
rings_alarm(struct rings *rs)
{
	__atomic_store_n(&rs->area->alarm, 1, __ATOMIC_SEQ_CST);
	rings_wake(rs);
}

static bool
ring_change_owner(struct rings *rs, unsigned int i, int64_t from, int64_t to)
{
	return __atomic_compare_exchange_n(&rs->area->ring[i].pid, &from, to,
	    false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE);
}

void
ring_take(struct rings *rs, unsigned int i, pid_t pid)
{
	uint32_t	 used = rings_count(rs);
	pid_t		 owner;

	assert(i < rs->n);
	/* nobody buries there, so there is nothing that could be waited for */
	if (i < RING_WORKER) {
		__atomic_store_n(&rs->area->ring[i].pid, pid,
		    __ATOMIC_RELEASE);
		return;
	}
	while ((owner = ring_owner(rs, i)) == CLAIMED ||
	    !ring_change_owner(rs, i, owner, pid))
		if (owner == CLAIMED)
			(void)poll(NULL, 0, 1);
	while (i >= used && !__atomic_compare_exchange_n(&rs->area->used,
	    &used, i + 1, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST))
		;
}

void
ring_leave(struct rings *rs, unsigned int i, pid_t pid)
{
	(void)ring_change_owner(rs, i, pid, 0);
	/* what it has left in the middle is the logger's */
	if (ring_has_intent(rs, i))
		rings_alarm(rs);
}

bool
ring_claim(struct rings *rs, unsigned int i)
{
	if (ring_owner(rs, i) != 0 || !ring_has_intent(rs, i) ||
	    !ring_change_owner(rs, i, 0, CLAIMED))
		return false;
	/* a successor may have come and gone meanwhile */
	if (ring_has_intent(rs, i) && ring_head(rs, i) == ring_tail(rs, i))
		return true;
	ring_unclaim(rs, i);
	return false;
}

void
ring_unclaim(struct rings *rs, unsigned int i)
{
	(void)ring_change_owner(rs, i, CLAIMED, 0);
}

pid_t
ring_owner(const struct rings *rs, unsigned int i)
{
	return (pid_t)__atomic_load_n(&rs->area->ring[i].pid, __ATOMIC_ACQUIRE);
}

/* Copies into ring i at pos, around its end. */
static void
ring_store(struct rings *rs, unsigned int i, uint64_t pos, const void *src,
    size_t len)
{
	char		*data = ring_data(rs, i);
	size_t		 at = pos & (rs->size - 1), first = rs->size - at;

	if (src == data + at)
		return;				/* see ring_room() */
	if (len <= first) {
		memcpy(data + at, src, len);
		return;
	}
	memcpy(data + at, src, first);
	memcpy(data, (const char *)src + first, len - first);
}

static uint64_t
ring_space(const struct ring_line *line)
{
	return align(sizeof(struct ring_mark) + line->len, 8);
}

/* Waits until ring i has room for need bytes. */
static void
ring_wait(struct rings *rs, unsigned int i, uint64_t need)
{
	struct ring	*r = &rs->area->ring[i];

	(void)__atomic_fetch_add(&rs->pub->waits, 1, __ATOMIC_RELAXED);
	for (;;) {
		__atomic_store_n(&r->full, 1, __ATOMIC_SEQ_CST);
		if (rs->size - (r->head - __atomic_load_n(&r->tail,
		    __ATOMIC_SEQ_CST)) >= need)
			break;
		rings_wake(rs);
		(void)futex_wait(&r->full, 1, RING_PATIENCE);
	}
	__atomic_store_n(&r->full, 0, __ATOMIC_SEQ_CST);
}

char *
ring_room(const struct rings *rs, unsigned int i)
{
	struct ring	*r = &rs->area->ring[i];
	uint64_t	 need = sizeof(struct ring_mark) + RING_LINE_MAX;
	uint64_t	 head = __atomic_load_n(&r->head, __ATOMIC_RELAXED);
	size_t		 at = head & (rs->size - 1);

	if (rs->size - at < need || rs->size - (head -
	    __atomic_load_n(&r->tail, __ATOMIC_ACQUIRE)) < need)
		return NULL;
	return ring_data(rs, i) + at + sizeof(struct ring_mark);
}

int
ring_put(struct rings *rs, unsigned int i, const struct ring_line *line,
    unsigned int n, bool wait, bool done)
{
	struct ring		*r = &rs->area->ring[i];
	struct ring_mark	 mark;
	uint64_t		 pos = __atomic_load_n(&r->head,
				    __ATOMIC_RELAXED);
	uint64_t		 need = 0, used;
	uint32_t		 sleep;
	unsigned int		 k;

	for (k = 0; k < n; k++) {
		assert(line[k].len <= RING_LINE_MAX);
		need += ring_space(&line[k]);
	}
	assert(need <= rs->size);
	used = pos - __atomic_load_n(&r->tail, __ATOMIC_ACQUIRE) + need;
	if (used > rs->size) {
		if (!wait)
			return -1;
		ring_wait(rs, i, need);
	}
	for (k = 0; k < n; k++) {
		mark.len = line[k].len;
		mark.log = line[k].log;
		mark.level = line[k].level;
		mark.kind = line[k].kind;
		ring_store(rs, i, pos, &mark, sizeof(mark));
		ring_store(rs, i, pos + sizeof(mark), line[k].p, line[k].len);
		pos += ring_space(&line[k]);
	}
	if (!done && r->at == r->head + 1)
		__atomic_store_n(&r->at_next, pos + 1, __ATOMIC_RELEASE);
	/* the logger must see the head, or we that it is about to sleep */
	__atomic_exchange_n(&r->head, pos, __ATOMIC_SEQ_CST);
	if (!done && r->at_next == pos + 1)
		__atomic_store_n(&r->at, pos + 1, __ATOMIC_RELEASE);
	sleep = __atomic_load_n(&rs->area->sleep, __ATOMIC_SEQ_CST);
	if (sleep == ASLEEP || (sleep == NAPPING && used > rs->size / 2))
		rings_wake(rs);
	return 0;
}

void *
ring_intent_space(struct rings *rs, unsigned int i)
{
	struct ring	*r = &rs->area->ring[i];

	/* invalid while it is being written */
	__atomic_store_n(&r->at, 0, __ATOMIC_RELEASE);
	__atomic_store_n(&r->at_next, 0, __ATOMIC_RELEASE);
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
	return rs->intents + (size_t)i * INTENT_SIZE;
}

void
ring_intend(struct rings *rs, unsigned int i)
{
	struct ring	*r = &rs->area->ring[i];

	__atomic_store_n(&r->at, r->head + 1, __ATOMIC_RELEASE);
}

void
ring_forget(struct rings *rs, unsigned int i)
{
	__atomic_store_n(&rs->area->ring[i].at, 0, __ATOMIC_RELEASE);
	__atomic_store_n(&rs->area->ring[i].at_next, 0, __ATOMIC_RELEASE);
}

bool
ring_has_intent(const struct rings *rs, unsigned int i)
{
	struct ring	*r = &rs->area->ring[i];
	uint64_t	 head = __atomic_load_n(&r->head, __ATOMIC_ACQUIRE);

	return __atomic_load_n(&r->at, __ATOMIC_ACQUIRE) == head + 1 ||
	    __atomic_load_n(&r->at_next, __ATOMIC_ACQUIRE) == head + 1;
}

uint64_t
ring_head(const struct rings *rs, unsigned int i)
{
	return __atomic_load_n(&rs->area->ring[i].head, __ATOMIC_ACQUIRE);
}

uint64_t
ring_tail(const struct rings *rs, unsigned int i)
{
	return __atomic_load_n(&rs->area->ring[i].tail, __ATOMIC_RELAXED);
}

struct ring_cursor *
ring_cursor(struct rings *rs, unsigned int i, unsigned int log)
{
	assert(log < RING_LOGS);
	return &rs->area->ring[i].cursor[log];
}

struct ring_cursor *
ring_recent_cursor(struct rings *rs, unsigned int i)
{
	return &rs->area->ring[i].recent;
}

void
ring_copy(const struct rings *rs, unsigned int i, uint64_t at, char *dst,
    size_t len)
{
	const char	*data = ring_data(rs, i);
	size_t		 from = at & (rs->size - 1), first = rs->size - from;

	if (len <= first) {
		memcpy(dst, data + from, len);
		return;
	}
	memcpy(dst, data + from, first);
	memcpy(dst + first, data, len - first);
}

uint64_t
ring_start(const struct rings *rs, unsigned int i,
    const struct ring_cursor *cursor, uint64_t end)
{
	uint64_t	 tail = ring_tail(rs, i);
	uint64_t	 at = __atomic_load_n(&cursor->tail,
			    __ATOMIC_RELAXED);

	if (at < tail)
		at = tail;
	/* more than there can be: somebody has written over a position */
	return at < end && end - at > rs->size ? end : at;
}

uint64_t
ring_next(const struct rings *rs, unsigned int i, uint64_t *pos,
    struct ring_line *line)
{
	struct ring_mark	 mark;
	uint64_t		 at = *pos + sizeof(mark);

	ring_copy(rs, i, *pos, (char *)&mark, sizeof(mark));
	/* a worker gone mad may have written anything, but never too much */
	if (mark.len > RING_LINE_MAX)
		mark.len = 0;
	line->log = mark.log;
	line->level = mark.level;
	line->kind = mark.kind;
	line->len = mark.len;
	line->p = NULL;
	*pos += ring_space(line);
	return at;
}

void
ring_release(struct rings *rs, unsigned int i)
{
	struct ring	*r = &rs->area->ring[i];
	uint64_t	 tail = r->recent.tail;
	unsigned int	 k, n = rings_logs(rs);

	for (k = 0; k < n; k++)
		if (r->cursor[k].tail < tail &&
		    ring_log_is_used(&rs->pub->log[k]))
			tail = r->cursor[k].tail;
	/* a log that was just added begins here, see ring_start() */
	if (tail <= r->tail)
		return;
	__atomic_store_n(&r->tail, tail, __ATOMIC_SEQ_CST);
	if (__atomic_load_n(&r->full, __ATOMIC_SEQ_CST) != 0) {
		__atomic_store_n(&r->full, 0, __ATOMIC_SEQ_CST);
		futex_wake(&r->full);
	}
}

bool
ring_is_crowded(const struct rings *rs, unsigned int i)
{
	return ring_head(rs, i) - rs->area->ring[i].tail > rs->size / 2;
}

void
rings_sleep(struct rings *rs, bool any, int ms)
{
	uint32_t	 how = any ? ASLEEP : NAPPING;
	unsigned int	 i;

	__atomic_store_n(&rs->area->sleep, how, __ATOMIC_SEQ_CST);
	if (__atomic_exchange_n(&rs->area->alarm, 0, __ATOMIC_SEQ_CST) != 0) {
		__atomic_store_n(&rs->area->sleep, AWAKE, __ATOMIC_SEQ_CST);
		return;
	}
	for (i = 0; i < rings_count(rs); i++) {
		if ((any && __atomic_load_n(&rs->area->ring[i].head,
		    __ATOMIC_SEQ_CST) != rs->area->ring[i].tail) ||
		    ring_is_crowded(rs, i)) {
			__atomic_store_n(&rs->area->sleep, AWAKE,
			    __ATOMIC_SEQ_CST);
			return;
		}
	}
	(void)futex_wait(&rs->area->sleep, how, ms);
	__atomic_store_n(&rs->area->sleep, AWAKE, __ATOMIC_SEQ_CST);
}
