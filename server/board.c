/* SPDX-License-Identifier: ISC */
/*
 * The board: what every process does, in memory that all of them share.
 * Called by the master (reads), by workers (each writes its own slot) and by
 * whoever shows the state.  Plain numbers, one writer each, no pointers and
 * no locks: a reader may see a slot a moment old, never a broken one.
 *
 * A worker that was taken over can write anything anywhere here, at any time.
 * So where things are is kept in memory of each process, a number that says
 * how many there are is read once and bounded, and a text is copied before it
 * is used.  What is left to it are wrong numbers.
 */
#include <sys/mman.h>
#include <sys/stat.h>

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../proto/chars.h"
#include "board.h"

#define LINE	64		/* bytes of a cache line */

/* Far above any number of places, so that sizes do not overflow. */
#define BOARD_MAX	1000000

/* For its turn with a lock that is held for a moment only: 10 s in all. */
#define LOCK_TRIES	1000
#define LOCK_PAUSE_MS	10

/* Times board_sum() tries to read between two burials. */
#define SUM_TRIES	1000

/* What all share. */
struct region {
	struct board_head	 head;
	char			 pad[BOARD_HEAD_SIZE -
				    sizeof(struct board_head)];
	struct board_slot	 slot[];
};

/* Where it is: this process's own knowledge, and that of those it forks. */
struct board {
	struct region		*region;
	struct board_source	*source;
	size_t			 size;
	unsigned int		 max;		/* places */
};

_Static_assert(sizeof(struct board_slot) == 2 * LINE, "a slot is two lines");
_Static_assert(offsetof(struct board_slot, refused) == LINE,
    "what a transaction writes is in the first line");
_Static_assert(sizeof(struct board_stem) == 272 &&
    offsetof(struct board_stem, program) == 16 &&
    offsetof(struct board_stem, upgrade_why) == 80, "the stem is what it was");
_Static_assert(offsetof(struct region, slot) == BOARD_HEAD_SIZE,
    "slots are aligned");

static const char *const state_name[] = {
	[BOARD_FREE] = "free",
	[BOARD_STARTING] = "starting",
	[BOARD_ACCEPT] = "accept",
	[BOARD_IDLE] = "idle",
	[BOARD_READING] = "reading",
	[BOARD_SERVICE] = "service",
	[BOARD_LEAVING] = "leaving",
	[BOARD_AUX] = "running",
};

/* The file of the board of this process, which it has locked, or -1. */
static int	 own_file = -1;

static struct region *
board_map_shared(int fd, size_t size)
{
	int	 flags = MAP_SHARED | MAP_NORESERVE;
	void	*p;

	if (fd == -1)
		flags |= MAP_ANONYMOUS;
	p = mmap(NULL, size, PROT_READ | PROT_WRITE, flags, fd, 0);
	return p == MAP_FAILED ? NULL : p;
}

/*
 * A file of its own that takes the name over: whoever maps the file of a
 * daemon before us keeps what he has.
 */
static struct region *
board_map_file(const char *path, size_t size)
{
	char		 temp[PATH_MAX];
	struct flock	 whole = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
	struct region	*b = NULL;
	int		 fd, n, saved;

	n = snprintf(temp, sizeof(temp), "%s.%ld", path, (long)getpid());
	if (n < 0 || (size_t)n >= sizeof(temp)) {
		errno = ENAMETOOLONG;
		return NULL;
	}
	(void)unlink(temp);
	fd = open(temp, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW,
	    0640);
	if (fd == -1)
		return NULL;
	/* before it has its name: whoever finds it finds it held */
	if (ftruncate(fd, (off_t)size) == 0 &&
	    fcntl(fd, F_SETLK, &whole) == 0 &&
	    (b = board_map_shared(fd, size)) != NULL &&
	    rename(temp, path) == -1) {
		(void)munmap(b, size);
		b = NULL;
	}
	if (b != NULL) {
		own_file = fd;		/* closed, it would not be locked */
		return b;
	}
	saved = errno;
	(void)close(fd);
	(void)unlink(temp);
	errno = saved;
	return NULL;
}

/* Is that still the file of that name? */
static bool
is_named(int fd, const char *path)
{
	struct stat	 named, ours;

	return fstat(fd, &ours) == 0 && lstat(path, &named) == 0 &&
	    named.st_dev == ours.st_dev && named.st_ino == ours.st_ino;
}

static int
lock_take(struct board_lock *lock)
{
	struct flock	 whole = { .l_type = F_WRLCK, .l_whence = SEEK_SET };

	lock->fd = open(lock->path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW,
	    0600);
	if (lock->fd == -1)
		return -1;
	/* not one that its holder has removed before it let us have it */
	if (fcntl(lock->fd, F_SETLK, &whole) == 0 &&
	    is_named(lock->fd, lock->path))
		return 0;
	(void)close(lock->fd);
	lock->fd = -1;
	errno = EAGAIN;
	return -1;
}

int
board_lock(struct board_lock *lock, const char *path)
{
	unsigned int	 i;
	int		 n;

	n = snprintf(lock->path, sizeof(lock->path), "%s%s", path,
	    BOARD_LOCK);
	lock->fd = -1;
	if (n < 0 || (size_t)n >= sizeof(lock->path)) {
		errno = ENAMETOOLONG;
		return -1;
	}
	for (i = 0; i < LOCK_TRIES; i++) {
		if (lock_take(lock) == 0)
			return 0;
		if (errno != EAGAIN)
			return -1;
		(void)poll(NULL, 0, LOCK_PAUSE_MS);
	}
	errno = EBUSY;
	return -1;
}

void
board_unlock(struct board_lock *lock)
{
	if (lock->fd == -1)
		return;
	(void)unlink(lock->path);
	(void)close(lock->fd);
	lock->fd = -1;
}

bool
board_remove(const char *path)
{
	return own_file != -1 && is_named(own_file, path) &&
	    unlink(path) == 0;
}

pid_t
board_find_holder(int fd)
{
	struct flock	 whole = { .l_type = F_WRLCK, .l_whence = SEEK_SET };

	if (fcntl(fd, F_GETLK, &whole) == -1)
		return -1;
	if (whole.l_type == F_UNLCK)
		return 0;
	/* 0 is in another name space of processes */
	return whole.l_pid > 0 ? whole.l_pid : -1;
}

static size_t
board_size(unsigned int max)
{
	return sizeof(struct region) + max * sizeof(struct board_slot) +
	    2 * BOARD_SOURCES * sizeof(struct board_source);
}

static struct board *
board_new(struct region *region, size_t size, unsigned int max)
{
	struct board	*b;

	if ((b = malloc(sizeof(*b))) == NULL)
		return NULL;
	b->region = region;
	b->source = (void *)&region->slot[max];
	b->size = size;
	b->max = max;
	return b;
}

struct board *
board_open(unsigned int max, const char *path)
{
	struct board	*b;
	struct region	*region;
	size_t		 size = board_size(max);

	region = path != NULL ? board_map_file(path, size) :
	    board_map_shared(-1, size);
	if (region == NULL)
		return NULL;
	if ((b = board_new(region, size, max)) == NULL) {
		(void)munmap(region, size);
		return NULL;
	}
	region->head.stem.version = BOARD_VERSION;
	region->head.size = size;
	region->head.head_size = BOARD_HEAD_SIZE;
	region->head.slot_size = sizeof(region->slot[0]);
	region->head.max = max;
	/* last: a reader that sees it sees the rest */
	__atomic_store_n(&region->head.stem.magic, BOARD_MAGIC,
	    __ATOMIC_RELEASE);
	return b;
}

static const char *
board_check(const struct board_head *head, off_t size)
{
	if (head->stem.magic != BOARD_MAGIC)
		return "not a board of icapd";
	errno = ENOTSUP;
	if (head->stem.version != BOARD_VERSION ||
	    head->head_size != BOARD_HEAD_SIZE ||
	    head->slot_size != sizeof(struct board_slot))
		return "board of another version of icapd";
	errno = 0;
	if (head->size != (uint64_t)size || head->nslots > head->max ||
	    head->max > BOARD_MAX || board_size(head->max) != head->size)
		return "damaged board";
	return NULL;
}

const struct board *
board_map(int fd, const char **why)
{
	struct board		*b;
	struct board_head	 head;
	struct stat		 st;
	void			*p;

	*why = "not a board of icapd";
	errno = 0;
	/* that of an older version may have had a shorter head */
	if (fstat(fd, &st) == -1 || !S_ISREG(st.st_mode) ||
	    st.st_size < (off_t)sizeof(struct board_head))
		return NULL;
	p = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_SHARED, fd, 0);
	if (p == MAP_FAILED) {
		*why = "cannot be mapped";
		return NULL;
	}
	/* a copy: what is checked is what is used */
	memcpy(&head, p, sizeof(head));
	if ((*why = board_check(&head, st.st_size)) == NULL) {
		if ((b = board_new(p, (size_t)st.st_size, head.max)) != NULL)
			return b;
		*why = "cannot be mapped";
	}
	(void)munmap(p, (size_t)st.st_size);
	return NULL;
}

void
board_unmap(const struct board *b)
{
	(void)munmap(b->region, b->size);
	free((void *)(uintptr_t)b);
}

struct board_head *
board_head(struct board *b)
{
	return &b->region->head;
}

const struct board_head *
board_see_head(const struct board *b)
{
	return &b->region->head;
}

struct board_slot *
board_slot(struct board *b, unsigned int i)
{
	assert(i < b->max);
	return &b->region->slot[i];
}

const struct board_slot *
board_see_slot(const struct board *b, unsigned int i)
{
	assert(i < b->max);
	return &b->region->slot[i];
}

struct board_source *
board_sources(struct board *b, unsigned int generation)
{
	return b->source + generation % 2 * BOARD_SOURCES;
}

const struct board_source *
board_see_sources(const struct board *b, unsigned int generation)
{
	return b->source + generation % 2 * BOARD_SOURCES;
}

unsigned int
board_max(const struct board *b)
{
	return b->max;
}

unsigned int
board_places(const struct board *b)
{
	uint32_t	 n = __atomic_load_n(&b->region->head.nslots,
			    __ATOMIC_RELAXED);

	return n < b->max ? n : b->max;
}

static void
stem_clean(struct board_stem *stem)
{
	chars_clean(stem->program, sizeof(stem->program), '\0');
	chars_clean(stem->upgrade_why, sizeof(stem->upgrade_why), '\0');
}

int
board_read_stem(int fd, struct board_stem *copy)
{
	if (pread(fd, copy, sizeof(*copy), 0) != (ssize_t)sizeof(*copy) ||
	    copy->magic != BOARD_MAGIC || copy->version < BOARD_STEM_SINCE)
		return -1;
	stem_clean(copy);
	return 0;
}

void
board_copy_head(const struct board *b, struct board_head *copy)
{
	unsigned int	 i;

	memcpy(copy, &b->region->head, sizeof(*copy));
	copy->max = b->max;
	if (copy->nslots > b->max)
		copy->nslots = b->max;
	for (i = 0; i < 2; i++)
		if (copy->nsources[i] > BOARD_SOURCES)
			copy->nsources[i] = BOARD_SOURCES;
	chars_clean(copy->istag, sizeof(copy->istag), '\0');
	stem_clean(&copy->stem);
	chars_clean(copy->reload_why, sizeof(copy->reload_why), '\0');
	chars_clean(copy->conf_file, sizeof(copy->conf_file), '\0');
	chars_clean(copy->changes, sizeof(copy->changes), '\n');
}

void
board_copy_slot(const struct board *b, unsigned int i,
    struct board_slot *copy)
{
	uint32_t	 state;

	state = __atomic_load_n(&board_see_slot(b, i)->state,
	    __ATOMIC_ACQUIRE);
	memcpy(copy, board_see_slot(b, i), sizeof(*copy));
	copy->state = state <= BOARD_AUX ? state : BOARD_FREE;
}

unsigned int
board_copy_source(const struct board *b, unsigned int generation,
    unsigned int i, struct board_source *copy)
{
	const struct board_source	*s;
	uint32_t			 n;

	s = board_see_sources(b, generation);
	n = __atomic_load_n(&b->region->head.nsources[generation % 2],
	    __ATOMIC_ACQUIRE);
	if (n > BOARD_SOURCES)
		n = BOARD_SOURCES;
	if (i >= n)
		return n;
	memcpy(copy, &s[i], sizeof(*copy));
	chars_clean(copy->section, sizeof(copy->section), '\0');
	chars_clean(copy->name, sizeof(copy->name), '\0');
	chars_clean(copy->why, sizeof(copy->why), '\0');
	return n;
}

int64_t
board_age(int64_t now, int64_t since)
{
	return since < 0 || since > now ? 0 : now - since;
}

void
board_bury(struct board *b, unsigned int i, bool counts, int64_t now)
{
	struct board_head	*h = &b->region->head;
	struct board_slot	*slot = board_slot(b, i);

	__atomic_store_n(&h->burials, h->burials + 1, __ATOMIC_RELAXED);
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	if (counts) {
		h->past_connections += slot->connections;
		h->past_transactions += slot->transactions;
		h->past_bytes_in += slot->bytes_in;
		h->past_bytes_out += slot->bytes_out;
		h->past_refused += slot->refused;
		h->past_overload += slot->overload;
	}
	memset(slot, 0, sizeof(*slot));
	board_enter(slot, BOARD_FREE, now);
	__atomic_store_n(&h->burials, h->burials + 1, __ATOMIC_RELEASE);
}

static void
board_sum_once(const struct board *b, struct board_sum *sum)
{
	const struct board_head	*h = &b->region->head;
	struct board_slot	 slot;
	unsigned int		 i, n = board_places(b);

	memset(sum, 0, sizeof(*sum));
	sum->connections = h->past_connections;
	sum->transactions = h->past_transactions;
	sum->refused = h->past_refused;
	sum->overload = h->past_overload;
	for (i = 0; i < n; i++) {
		board_copy_slot(b, i, &slot);
		sum->by_state[slot.state]++;
		if (slot.state == BOARD_FREE || slot.state == BOARD_AUX)
			continue;
		sum->connections += slot.connections;
		sum->transactions += slot.transactions;
		sum->refused += slot.refused;
		sum->overload += slot.overload;
	}
}

/*
 * A worker that is buried meanwhile would be counted twice or not at all: so
 * it is done again.  Not for ever: the master may have been killed in one.
 */
void
board_sum(const struct board *b, struct board_sum *sum)
{
	uint64_t	 before;
	unsigned int	 i;

	for (i = 0; i < SUM_TRIES; i++) {
		before = __atomic_load_n(&b->region->head.burials,
		    __ATOMIC_ACQUIRE);
		board_sum_once(b, sum);
		__atomic_thread_fence(__ATOMIC_SEQ_CST);
		if (before % 2 == 0 && __atomic_load_n(&b->region->head.burials,
		    __ATOMIC_RELAXED) == before)
			return;
	}
}

void
board_enter(struct board_slot *slot, enum board_state state, int64_t now)
{
	slot->since = now;
	__atomic_store_n(&slot->state, (uint32_t)state, __ATOMIC_RELEASE);
}

bool
board_is_in(const struct board *b, unsigned int i, enum board_state state)
{
	return __atomic_load_n(&board_see_slot(b, i)->state,
	    __ATOMIC_ACQUIRE) == (uint32_t)state;
}

bool
board_has_free(struct board *b, unsigned int i)
{
	const struct board_slot	*slot = b->region->slot;
	unsigned int		 n = board_places(b), k, j;

	for (k = 1; k <= n; k++) {
		j = (i + k) % n;
		if (board_is_in(b, j, BOARD_ACCEPT) &&
		    slot[j].pool == slot[i].pool)
			return true;
	}
	return false;
}

int
board_tell(int pipe, char kind, unsigned int i)
{
	char	 news[BOARD_NEWS_SIZE];

	news[0] = kind;
	news[1] = (char)(i >> 8);
	news[2] = (char)i;
	if (write(pipe, news, sizeof(news)) == -1 && errno != EAGAIN)
		return -1;
	return 0;
}

void
board_tell_short(struct board *b, unsigned int i, int pipe)
{
	/* of two that take the last two places one must see the other */
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	if (!board_has_free(b, i))
		(void)board_tell(pipe, BOARD_NEWS_SHORT, i);
}

unsigned int
board_count_peer(struct board *b, const struct board_peer *peer)
{
	const struct board_slot	*slot;
	unsigned int		 i, n = 0, places = board_places(b);
	uint32_t		 state;

	/* of two that come at once one at least must see the other */
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	for (i = 0; i < places; i++) {
		slot = &b->region->slot[i];
		state = __atomic_load_n(&slot->state, __ATOMIC_ACQUIRE);
		if (state >= BOARD_IDLE && state <= BOARD_SERVICE &&
		    slot->peer.family == peer->family &&
		    memcmp(slot->peer.address, peer->address,
		    sizeof(peer->address)) == 0)
			n++;
	}
	return n;
}

const char *
board_state_name(unsigned int state)
{
	return state <= BOARD_AUX ? state_name[state] : "unknown";
}
