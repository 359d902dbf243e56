/* SPDX-License-Identifier: ISC */
#ifndef PROTO_SPOOL_H
#define PROTO_SPOOL_H

#include <sys/types.h>

#include "chars.h"

/*
 * Where decoded body bytes wait: in memory up to a limit, after that in an
 * unlinked file.  Bytes are appended at the end and read from a position that
 * can be set back to the start.
 */
struct spool {
	const char	*dir;		/* of the file */
	size_t		 mem_max;	/* bytes kept in memory */
	uint64_t	 max;		/* bytes in all */

	bool		 is_direct;	/* bytes go to fd at once */
	bool		 is_anonymous;	/* fd is in memory */
	bool		 is_sealed;	/* and not to be written to */
	uint64_t	 expected;	/* bytes, or 0 */
	char		*mem;		/* mapped when first needed */
	int		 fd;		/* -1: no file yet; else all bytes */
	int		 reader;	/* of the same file, or -1 */
	int		 memfd;		/* copy of the memory, or -1 */
	uint64_t	 len;		/* bytes appended */
	uint64_t	 pos;		/* bytes read */
};

/*
 * Prepares an empty spool; nothing is allocated before the first append.  dir
 * must stay valid.
 */
void	 spool_init(struct spool *sp, const char *dir, size_t mem_max,
	    uint64_t max);

/* Does it hold bytes, memory or a file, or is it to? */
bool	 spool_is_used(const struct spool *sp);

/* Forgets everything and gives memory and file back. */
void	 spool_clear(struct spool *sp);

/*
 * spool_fd() will be called: the bytes go to a file in memory at once, beyond
 * the limit of memory to one of dir; to that from the start when more than
 * the limit are expected.  Only for an empty spool.
 */
void	 spool_want_fd(struct spool *sp, uint64_t expected);

/*
 * Appends len bytes.  Returns 0, or -1 with errno: EFBIG when the spool would
 * exceed its maximum, ENOSPC and the like from the file.
 */
int	 spool_append(struct spool *sp, const char *p, size_t len);

/* Bytes appended and not read yet. */
uint64_t spool_left(const struct spool *sp);

/*
 * The bytes at the reading position: from memory as a slice (valid until
 * spool_clear), else an empty slice, *offset in the file sp->fd, and their
 * number in *len.
 */
void	 spool_peek(const struct spool *sp, struct slice *mem,
	    uint64_t *offset, uint64_t *len);

/* n bytes (n <= spool_left) were read. */
void	 spool_consume(struct spool *sp, uint64_t n);

/* Back to the first byte. */
void	 spool_rewind(struct spool *sp);

/* Copies up to size bytes and consumes them.  Their number, 0, or -1. */
ssize_t	 spool_read(struct spool *sp, char *dst, size_t size);

/*
 * A descriptor of a file that holds all bytes from offset 0 on; it belongs to
 * the spool.  Nobody who gets it can change the file.  Returns -1 with errno.
 */
int	 spool_fd(struct spool *sp);

/*
 * The same for len bytes from offset on (there are so many), as a file of its
 * own: in memory, or beyond the limit of memory in dir.  It belongs to the
 * caller.
 */
int	 spool_part(struct spool *sp, uint64_t offset, uint64_t len);

/*
 * Can files be made in that directory?  *has_names: only with a name, which
 * they have for a moment: where it, or the lack of /proc, does not permit
 * anything else.  Returns 0, or -1 with errno.
 */
int	 spool_check(const char *dir, bool *has_names);

/*
 * All bytes read so far will not be asked for again: when nothing is left,
 * starts over at the beginning of the memory.
 */
void	 spool_forget(struct spool *sp);

#endif
