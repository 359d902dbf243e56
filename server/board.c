/* SPDX-License-Identifier: ISC */
/*
 * The board: what every process does, in memory that all of them share.
 * Called by the master (reads), by workers (each writes its own slot) and by
 * whoever shows the state.  Plain numbers, one writer each, no pointers and
 * no locks: a reader may see a slot a moment old, never a broken one.
 */
#include <sys/mman.h>
#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "board.h"

#define LINE	64		/* bytes of a cache line */

/* Far above any number of places, so that sizes do not overflow. */
#define BOARD_MAX	1000000

/* Times board_sum() tries to read between two burials. */
#define SUM_TRIES	1000

struct board {
	struct board_head	 head;
	char			 pad[BOARD_HEAD_SIZE -
				    sizeof(struct board_head)];
	struct board_slot	 slot[];
};

_Static_assert(sizeof(struct board_slot) == 2 * LINE, "a slot is two lines");
_Static_assert(offsetof(struct board_slot, refused) == LINE,
    "what a transaction writes is in the first line");
_Static_assert(offsetof(struct board, slot) == BOARD_HEAD_SIZE,
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

static struct board *
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
static struct board *
board_map_file(const char *path, size_t size)
{
	char		 temp[PATH_MAX];
	struct flock	 whole = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
	struct board	*b = NULL;
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

bool
board_remove(const char *path)
{
	struct stat	 named, ours;

	return own_file != -1 && fstat(own_file, &ours) == 0 &&
	    lstat(path, &named) == 0 && named.st_dev == ours.st_dev &&
	    named.st_ino == ours.st_ino && unlink(path) == 0;
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
	return sizeof(struct board) + max * sizeof(struct board_slot) +
	    2 * BOARD_SOURCES * sizeof(struct board_source);
}

struct board *
board_open(unsigned int max, const char *path)
{
	struct board	*b;
	size_t		 size = board_size(max);

	b = path != NULL ? board_map_file(path, size) :
	    board_map_shared(-1, size);
	if (b == NULL)
		return NULL;
	b->head.version = BOARD_VERSION;
	b->head.size = size;
	b->head.head_size = BOARD_HEAD_SIZE;
	b->head.slot_size = sizeof(b->slot[0]);
	b->head.max = max;
	/* last: a reader that sees it sees the rest */
	__atomic_store_n(&b->head.magic, BOARD_MAGIC, __ATOMIC_RELEASE);
	return b;
}

static const char *
board_check(const struct board_head *head, off_t size)
{
	if (head->magic != BOARD_MAGIC)
		return "not a board of icapd";
	errno = ENOTSUP;
	if (head->version != BOARD_VERSION ||
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
	struct board	*b;
	struct stat	 st;
	void		*p;

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
	b = p;
	if ((*why = board_check(&b->head, st.st_size)) != NULL) {
		(void)munmap(p, (size_t)st.st_size);
		return NULL;
	}
	return b;
}

void
board_unmap(const struct board *b)
{
	(void)munmap((void *)(uintptr_t)b, b->head.size);
}

struct board_head *
board_head(struct board *b)
{
	return &b->head;
}

const struct board_head *
board_see_head(const struct board *b)
{
	return &b->head;
}

struct board_slot *
board_slot(struct board *b, unsigned int i)
{
	return &b->slot[i];
}

const struct board_slot *
board_see_slot(const struct board *b, unsigned int i)
{
	return &b->slot[i];
}

struct board_source *
board_sources(struct board *b, unsigned int generation)
{
	struct board_source	*s = (void *)&b->slot[b->head.max];

	return s + generation % 2 * BOARD_SOURCES;
}

const struct board_source *
board_see_sources(const struct board *b, unsigned int generation)
{
	return board_sources((struct board *)(uintptr_t)b, generation);
}

void
board_bury(struct board *b, unsigned int i, bool counts, int64_t now)
{
	struct board_head	*h = &b->head;
	struct board_slot	*slot = &b->slot[i];

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
	const struct board_slot	*slot;
	unsigned int		 i;

	memset(sum, 0, sizeof(*sum));
	sum->connections = b->head.past_connections;
	sum->transactions = b->head.past_transactions;
	sum->refused = b->head.past_refused;
	sum->overload = b->head.past_overload;
	for (i = 0; i < b->head.nslots; i++) {
		slot = &b->slot[i];
		if (slot->state > BOARD_AUX)
			continue;
		sum->by_state[slot->state]++;
		if (slot->state == BOARD_FREE || slot->state == BOARD_AUX)
			continue;
		sum->connections += slot->connections;
		sum->transactions += slot->transactions;
		sum->refused += slot->refused;
		sum->overload += slot->overload;
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
		before = __atomic_load_n(&b->head.burials, __ATOMIC_ACQUIRE);
		board_sum_once(b, sum);
		__atomic_thread_fence(__ATOMIC_SEQ_CST);
		if (before % 2 == 0 && __atomic_load_n(&b->head.burials,
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

static enum board_state
board_state(struct board *b, unsigned int i)
{
	return (enum board_state)__atomic_load_n(&b->slot[i].state,
	    __ATOMIC_ACQUIRE);
}

bool
board_has_free(struct board *b, unsigned int i)
{
	const struct board_slot	*mine = &b->slot[i];
	unsigned int		 n = b->head.nslots, k, j;

	for (k = 1; k <= n; k++) {
		j = (i + k) % n;
		if (board_state(b, j) == BOARD_ACCEPT &&
		    b->slot[j].pool == mine->pool)
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

int
board_find_idle(struct board *b, unsigned int pool)
{
	unsigned int	 i;
	int		 found = -1;

	for (i = 0; i < b->head.nslots; i++)
		if (board_state(b, i) == BOARD_IDLE &&
		    b->slot[i].pool == pool &&
		    b->slot[i].generation == b->head.generation &&
		    (found == -1 ||
		    b->slot[i].since < b->slot[found].since))
			found = (int)i;
	return found;
}

unsigned int
board_count_peer(struct board *b, const struct board_peer *peer)
{
	const struct board_slot	*slot;
	unsigned int		 i, n = 0;
	enum board_state	 state;

	/* of two that come at once one at least must see the other */
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	for (i = 0; i < b->head.nslots; i++) {
		slot = &b->slot[i];
		state = board_state(b, i);
		if (state >= BOARD_IDLE && state <= BOARD_SERVICE &&
		    slot->peer.family == peer->family &&
		    memcmp(slot->peer.address, peer->address,
		    sizeof(peer->address)) == 0)
			n++;
	}
	return n;
}

const char *
board_state_name(enum board_state state)
{
	return state_name[state];
}
