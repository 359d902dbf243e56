/* SPDX-License-Identifier: ISC */
/*
 * A body that cannot be passed on yet: memory first, then an unlinked file
 * that no crash can leave behind.  Called by body.c.  Memory is mapped, not
 * taken from the heap, so that an idle worker gives all of it back.  Whoever
 * is given a descriptor of it may be taken over by what he reads there, so he
 * must not be able to write.  It must not know what the bytes are nor who
 * waits for them.
 */
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "spool.h"

/* Bytes that are copied in one call. */
#define COPY_MAX	(1u << 30)

void
spool_init(struct spool *sp, const char *dir, size_t mem_max, uint64_t max)
{
	memset(sp, 0, sizeof(*sp));
	sp->dir = dir;
	sp->mem_max = mem_max;
	sp->max = max;
	sp->fd = sp->reader = sp->memfd = -1;
}

bool
spool_is_used(const struct spool *sp)
{
	return sp->len > 0 || sp->mem != NULL || sp->fd != -1 ||
	    sp->is_direct;
}

static void
spool_close(struct spool *sp)
{
	if (sp->fd != -1)
		(void)close(sp->fd);
	if (sp->reader != -1)
		(void)close(sp->reader);
	if (sp->memfd != -1)
		(void)close(sp->memfd);
	sp->fd = sp->reader = sp->memfd = -1;
}

void
spool_clear(struct spool *sp)
{
	if (sp->mem != NULL)
		(void)munmap(sp->mem, sp->mem_max);
	spool_close(sp);
	spool_init(sp, sp->dir, sp->mem_max, sp->max);
}

/* The same file once more, to read only. */
static int
reader_open(int fd)
{
	char	 path[32];

	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	return open(path, O_RDONLY | O_CLOEXEC);
}

/* Below another root there is no /proc. */
static bool
is_hidden(int e)
{
	return e == ENOENT || e == EACCES || e == EPERM;
}

/* By a name that it has for a moment, and is opened a second time by. */
static int
spool_open_name(const char *dir, int *reader)
{
	char	 path[PATH_MAX];
	int	 fd, n, saved;

	n = snprintf(path, sizeof(path), "%s/icapd.XXXXXXXX", dir);
	if (n < 0 || (size_t)n >= sizeof(path)) {
		errno = ENAMETOOLONG;
		return -1;
	}
	if ((fd = mkostemp(path, O_CLOEXEC)) == -1)
		return -1;
	if (reader != NULL)
		*reader = open(path, O_RDONLY | O_CLOEXEC);
	saved = errno;
	(void)unlink(path);
	if (reader == NULL || *reader != -1)
		return fd;
	(void)close(fd);
	errno = saved;
	return -1;
}

/*
 * A file that is gone as soon as it is closed; *reader (or NULL): the same
 * to read only.
 */
static int
spool_open(const char *dir, int *reader)
{
	int	 fd, saved;

	fd = open(dir, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	if (fd == -1)
		return errno == EOPNOTSUPP || errno == EISDIR ||
		    errno == EINVAL ? spool_open_name(dir, reader) : -1;
	if (reader == NULL || (*reader = reader_open(fd)) != -1)
		return fd;
	saved = errno;
	(void)close(fd);
	if (is_hidden(saved))
		return spool_open_name(dir, reader);
	errno = saved;
	return -1;
}

int
spool_check(const char *dir, bool *has_names)
{
	int	 fd = open(dir, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600), reader;

	*has_names = false;
	if (fd == -1) {
		if (errno != EOPNOTSUPP && errno != EISDIR && errno != EINVAL)
			return -1;
		*has_names = true;
		return access(dir, W_OK | X_OK);
	}
	if ((reader = reader_open(fd)) != -1)
		(void)close(reader);
	else
		*has_names = is_hidden(errno);
	(void)close(fd);
	return 0;
}

static int
write_at(int fd, const char *p, size_t len, uint64_t offset)
{
	ssize_t	 n;

	while (len > 0) {
		n = pwrite(fd, p, len, (off_t)offset);
		if (n == -1) {
			if (errno == EINTR)
				continue;
			return -1;
		}
		p += n;
		len -= (size_t)n;
		offset += (uint64_t)n;
	}
	return 0;
}

/* A file in memory, and a promise to whoever gets its descriptor. */
static int
memory_open(void)
{
	return memfd_create("icapd body", MFD_CLOEXEC | MFD_ALLOW_SEALING);
}

static int
memory_seal(int fd)
{
	return fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW |
	    F_SEAL_WRITE | F_SEAL_SEAL);
}

/*
 * Bytes of one file become the first of another: without a copy where both
 * can share them, and in the kernel anyway.
 */
static int
copy_file(int dst, int src, uint64_t offset, uint64_t len)
{
	off_t	 from = (off_t)offset;
	size_t	 want;
	ssize_t	 n;
	bool	 can_share = true;

	while (len > 0) {
		want = len < COPY_MAX ? (size_t)len : COPY_MAX;
		n = can_share ? copy_file_range(src, &from, dst, NULL, want,
		    0) : sendfile(dst, src, &from, want);
		if (n > 0)
			len -= (uint64_t)n;
		else if (can_share && (n == 0 || (errno != EINTR &&
		    errno != ENOSPC && errno != EDQUOT && errno != EFBIG)))
			can_share = false;
		else if (n == 0) {
			errno = EIO;		/* shorter than it was */
			return -1;
		} else if (errno != EINTR)
			return -1;
	}
	return 0;
}

/* From memory to a file of dir; what is sealed is left as it is. */
static int
spool_move(struct spool *sp)
{
	int	 fd, reader, saved;

	if ((fd = spool_open(sp->dir, &reader)) == -1)
		return -1;
	if (copy_file(fd, sp->fd, 0, sp->len) == -1) {
		saved = errno;
		(void)close(fd);
		(void)close(reader);
		errno = saved;
		return -1;
	}
	spool_close(sp);
	sp->fd = fd;
	sp->reader = reader;
	sp->is_anonymous = false;
	return 0;
}

static int
spool_start_direct(struct spool *sp)
{
	sp->is_anonymous = sp->expected <= sp->mem_max;
	sp->fd = sp->is_anonymous ? memory_open() :
	    spool_open(sp->dir, &sp->reader);
	return sp->fd == -1 ? -1 : 0;
}

/* The file begins with what is in memory, so that it is the whole body. */
static int
spool_start(struct spool *sp)
{
	if ((sp->fd = spool_open(sp->dir, NULL)) == -1)
		return -1;
	return write_at(sp->fd, sp->mem, sp->mem_max, 0);
}

static int
spool_write(struct spool *sp, const char *p, size_t len)
{
	if (sp->fd == -1 && (sp->is_direct ? spool_start_direct(sp) :
	    spool_start(sp)) == -1)
		return -1;
	if (sp->is_anonymous && (sp->is_sealed || len > sp->mem_max ||
	    sp->len > sp->mem_max - len) && spool_move(sp) == -1)
		return -1;
	if (write_at(sp->fd, p, len, sp->len) == -1)
		return -1;
	sp->len += len;
	return 0;
}

void
spool_want_fd(struct spool *sp, uint64_t expected)
{
	sp->is_direct = true;
	sp->expected = expected;
}

int
spool_append(struct spool *sp, const char *p, size_t len)
{
	size_t	 n;

	if (len > sp->max || sp->len > sp->max - len) {
		errno = EFBIG;
		return -1;
	}
	if (sp->memfd != -1) {		/* is a copy of what was */
		(void)close(sp->memfd);
		sp->memfd = -1;
	}
	if (sp->len < sp->mem_max && !sp->is_direct) {
		if (sp->mem == NULL) {
			sp->mem = mmap(NULL, sp->mem_max,
			    PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
			if (sp->mem == MAP_FAILED) {
				sp->mem = NULL;
				return -1;
			}
		}
		n = sp->mem_max - (size_t)sp->len;
		if (n > len)
			n = len;
		memcpy(sp->mem + sp->len, p, n);
		sp->len += n;
		p += n;
		len -= n;
	}
	return len > 0 ? spool_write(sp, p, len) : 0;
}

uint64_t
spool_left(const struct spool *sp)
{
	return sp->len - sp->pos;
}

void
spool_peek(const struct spool *sp, struct slice *mem, uint64_t *offset,
    uint64_t *len)
{
	uint64_t	 end = sp->len;

	mem->p = NULL;
	mem->len = 0;
	*offset = 0;
	if (sp->pos < sp->mem_max && end > 0 && !sp->is_direct) {
		if (end > sp->mem_max)
			end = sp->mem_max;
		mem->p = sp->mem + sp->pos;
		mem->len = (size_t)(end - sp->pos);
	} else
		*offset = sp->pos;
	*len = end - sp->pos;
}

void
spool_consume(struct spool *sp, uint64_t n)
{
	assert(n <= spool_left(sp));
	sp->pos += n;
}

void
spool_rewind(struct spool *sp)
{
	sp->pos = 0;
}

void
spool_forget(struct spool *sp)
{
	if (sp->pos < sp->len || sp->len == 0)
		return;
	/* the next bytes are others: give the space back */
	spool_close(sp);
	sp->is_anonymous = sp->is_sealed = false;
	sp->len = sp->pos = 0;
}

ssize_t
spool_read(struct spool *sp, char *dst, size_t size)
{
	struct slice	 mem;
	uint64_t	 offset, len;
	ssize_t		 n;

	if (spool_left(sp) == 0 || size == 0)
		return 0;
	spool_peek(sp, &mem, &offset, &len);
	if (size > len)
		size = (size_t)len;
	if (mem.len > 0) {
		memcpy(dst, mem.p, size);
		n = (ssize_t)size;
	} else {
		do
			n = pread(sp->fd, dst, size, (off_t)offset);
		while (n == -1 && errno == EINTR);
		if (n == 0)
			errno = EIO;
		if (n <= 0)
			return -1;
	}
	sp->pos += (uint64_t)n;
	return n;
}

/* Nobody may write any more to what somebody else reads. */
static int
spool_seal(struct spool *sp)
{
	if (sp->is_sealed)
		return sp->fd;
	if (memory_seal(sp->fd) == -1)
		return -1;
	sp->is_sealed = true;
	return sp->fd;
}

/* The file, for reading; one that was opened too long ago is made again. */
static int
spool_reader(struct spool *sp)
{
	if (sp->reader != -1)
		return sp->reader;
	if ((sp->reader = reader_open(sp->fd)) != -1)
		return sp->reader;
	if (!is_hidden(errno) || spool_move(sp) == -1)
		return -1;
	return sp->reader;
}

int
spool_fd(struct spool *sp)
{
	if (sp->is_direct && sp->fd == -1 && spool_start_direct(sp) == -1)
		return -1;
	if (sp->fd != -1)
		return sp->is_anonymous ? spool_seal(sp) : spool_reader(sp);
	if (sp->memfd != -1)
		return sp->memfd;
	if ((sp->memfd = memory_open()) == -1)
		return -1;
	if (write_at(sp->memfd, sp->mem, (size_t)sp->len, 0) == -1 ||
	    memory_seal(sp->memfd) == -1) {
		(void)close(sp->memfd);
		sp->memfd = -1;
	}
	return sp->memfd;
}

int
spool_part(struct spool *sp, uint64_t offset, uint64_t len)
{
	bool	 is_anonymous = len <= sp->mem_max;
	int	 src, dst, reader = -1, saved;

	if ((src = spool_fd(sp)) == -1)
		return -1;
	dst = is_anonymous ? memory_open() : spool_open(sp->dir, &reader);
	if (dst == -1)
		return -1;
	if (copy_file(dst, src, offset, len) == 0 &&
	    (!is_anonymous || memory_seal(dst) == 0)) {
		if (is_anonymous)
			return dst;
		(void)close(dst);
		return reader;
	}
	saved = errno;
	(void)close(dst);
	if (reader != -1)
		(void)close(reader);
	errno = saved;
	return -1;
}
