/* SPDX-License-Identifier: ISC */
/*
 * The receive buffer of a connection.  Called by stream.c (fills it), by the
 * parsers' callers (consume it) and by body.c.  It does no I/O and never
 * allocates after buf_init(), so no number a client sends can make it grow.
 */
#include <sys/mman.h>

#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "buf.h"

static void
buf_check(const struct buf *b)
{
	assert(b->mem != NULL);
	assert(b->rd <= b->wr && b->wr <= b->size);
}

int
buf_init(struct buf *b, size_t size)
{
	memset(b, 0, sizeof(*b));
	if ((b->mem = malloc(size)) == NULL)
		return -1;
	b->size = size;
	return 0;
}

void
buf_fini(struct buf *b)
{
	free(b->mem);
	memset(b, 0, sizeof(*b));
}

char *
buf_data(const struct buf *b)
{
	buf_check(b);
	return b->mem + b->rd;
}

size_t
buf_len(const struct buf *b)
{
	return b->wr - b->rd;
}

char *
buf_space(const struct buf *b)
{
	buf_check(b);
	return b->mem + b->wr;
}

size_t
buf_room(const struct buf *b)
{
	return b->size - b->wr;
}

void
buf_consume(struct buf *b, size_t n)
{
	assert(n <= buf_len(b));
	b->rd += n;
}

void
buf_produce(struct buf *b, size_t n)
{
	assert(n <= buf_room(b));
	b->wr += n;
	if (b->high < b->wr)
		b->high = b->wr;
}

void
buf_shift(struct buf *b, size_t to)
{
	size_t	 n = buf_len(b);

	buf_check(b);
	assert(to <= b->rd);
	if (to == b->rd)
		return;
	if (n > 0)
		memmove(b->mem + to, b->mem + b->rd, n);
	b->rd = to;
	b->wr = to + n;
}

void
buf_trim(struct buf *b, size_t keep)
{
	uintptr_t	 page = (uintptr_t)sysconf(_SC_PAGESIZE);
	uintptr_t	 from, to, last;

	buf_check(b);
	if (keep < b->wr)
		keep = b->wr;
	if (b->high <= keep)
		return;
	from = ((uintptr_t)b->mem + keep + page - 1) & ~(page - 1);
	to = ((uintptr_t)b->mem + b->high + page - 1) & ~(page - 1);
	/* what else lies on the last page is not ours */
	last = ((uintptr_t)b->mem + b->size) & ~(page - 1);
	if (to > last)
		to = last;
	if (from < to)
		(void)madvise((void *)from, to - from, MADV_DONTNEED);
	b->high = keep;
}
